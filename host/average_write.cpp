// SPDX-License-Identifier: BSD-3-Clause
#include "host/average_write.hpp"

#include "host/errors.hpp"
#include "host/fit.hpp"
#include "host/log.hpp"
#include "host/nan.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace xpcs {

namespace {

namespace rp = result_path;

constexpr std::uint64_t averaged_bytes = std::uint64_t{1} << 31;

// --- one-time correlation ----------------------------------------------------------------------

/// Weighted mean of one value over the results.
class WeightedMean {
  public:
    void add(double value, double err, double weight) {
        if (!std::isfinite(value)) return;
        ++n_;
        plain_ += value;
        squares_ += value * value;
        if (!(weight > 0) || !std::isfinite(weight)) return;
        sum_ += weight * value;
        weight_ += weight;
        variance_ += weight * weight * err * err;
    }
    int n() const { return n_; }
    double mean() const {
        if (n_ == 0) return nan;
        return weight_ > 0 ? sum_ / weight_ : plain_ / n_;
    }
    double error() const { return weight_ > 0 ? std::sqrt(variance_) / weight_ : nan; }
    double scatter() const {
        if (n_ < 2) return nan;
        const double mean = plain_ / n_;
        return std::sqrt(std::max(0.0, squares_ / n_ - mean * mean) / (n_ - 1));
    }

  private:
    int n_ = 0;
    double plain_ = 0, squares_ = 0, sum_ = 0, weight_ = 0, variance_ = 0;
};

void write_one_time(hid_t file,
                    const std::vector<Repeat>& kept,
                    const std::vector<double>& weights,
                    AverageWeights kind) {
    const std::size_t n = kept.front().curves.g2.size();
    const std::size_t n_bins = kept.front().n_bins;
    std::vector<float> g2, err, scatter;
    std::vector<std::int32_t> n_values;
    for (std::size_t i = 0; i < n; ++i) {
        WeightedMean mean;
        for (std::size_t k = 0; k < kept.size(); ++k) {
            const RepeatCurves& curves = kept[k].curves;
            const double e = curves.err.empty() ? nan : curves.err[i];
            const double precision = e > smallest_error ? 1 / (e * e) : nan;
            // Only about 1: squares of numbers near 1 lose digits that the scatter needs.
            mean.add(curves.g2[i] - 1, e, kind == AverageWeights::errors ? precision : weights[k]);
        }
        g2.push_back(static_cast<float>(1 + mean.mean()));
        err.push_back(static_cast<float>(mean.error()));
        scatter.push_back(static_cast<float>(mean.scatter()));
        n_values.push_back(mean.n());
    }
    const h5::Shape shape{n / n_bins, n_bins};
    put(file, rp::g2, g2, shape);
    put(file, rp::g2_err, err, shape);
    put(file, rp::average_scatter, scatter, shape);
    put(file, rp::average_n_values, n_values, shape);
}

// --- plain means of whole datasets -------------------------------------------------------------

/// Mean over the results of every value that is not NaN; of errors, sqrt(sum e^2) / n.
struct TableMean {
    h5::Shape shape;
    std::vector<double> sum;
    std::vector<std::int32_t> n;
    bool errors = false;

    void add(const std::vector<double>& values) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            if (!std::isfinite(values[i])) continue;
            sum[i] += errors ? values[i] * values[i] : values[i];
            ++n[i];
        }
    }
    std::vector<float> values() const {
        std::vector<float> out;
        for (std::size_t i = 0; i < sum.size(); ++i) {
            const double total = errors ? std::sqrt(sum[i]) : sum[i];
            out.push_back(static_cast<float>(n[i] > 0 ? total / n[i] : nan));
        }
        return out;
    }
};

/// nullopt if none has it. Error (data) if only some have it, or with another shape.
std::optional<TableMean>
mean_of(const std::vector<Repeat>& kept, const ResultPath& path, bool errors = false) {
    TableMean mean;
    mean.errors = errors;
    std::size_t found = 0;
    for (const Repeat& repeat : kept) {
        const h5::File file = h5::open_file(repeat.path);
        if (!h5::is_dataset(file.id(), path.path)) continue;
        const h5::Dataset dataset = h5::open_dataset(file.id(), path.path);
        const h5::Shape shape = h5::shape_of(dataset);
        if (found == 0) {
            mean.shape = shape;
            mean.sum.assign(h5::n_elements(shape), 0);
            mean.n.assign(mean.sum.size(), 0);
        } else if (shape != mean.shape) {
            throw Error(ExitCode::data,
                        "average: '" + printable(repeat.path) + "' has " + path.path +
                            " of shape " + h5::to_string(shape) + ", '" +
                            printable(kept.front().path) + "' " + h5::to_string(mean.shape) +
                            "; repeats must agree");
        }
        mean.add(h5::read<double>(dataset, averaged_bytes));
        ++found;
    }
    if (found == 0) return std::nullopt;
    if (found < kept.size()) {
        throw Error(ExitCode::data,
                    "average: " + std::to_string(found) + " of " + std::to_string(kept.size()) +
                        " results have " + path.path + "; repeats must agree");
    }
    return mean;
}

void put_mean(hid_t file,
              const std::vector<Repeat>& kept,
              const ResultPath& path,
              bool errors = false) {
    throw_if_stopped();
    if (const auto mean = mean_of(kept, path, errors)) put(file, path, mean->values(), mean->shape);
}

/// Slices and growing spans of the run are different things: only curves of one kind have a mean.
void write_partial(hid_t file, const std::vector<Repeat>& kept) {
    std::vector<std::string> kinds;
    for (const Repeat& repeat : kept) {
        const h5::File from = h5::open_file(repeat.path);
        if (!h5::is_dataset(from.id(), rp::g2_partial.path)) return;
        const h5::Dataset partial = h5::open_dataset(from.id(), rp::g2_partial.path);
        kinds.push_back(h5::read_string_attribute(partial.id(), rp::attribute_kind).value_or(""));
        if (kinds.back() == kinds.front()) continue;
        Log::warning(fmt::format("{}: partial curves of another kind ('{}') than those of {} "
                                 "('{}'); they are left out of the mean",
                                 printable(repeat.path),
                                 printable(kinds.back(), 40),
                                 printable(kept.front().path),
                                 printable(kinds.front(), 40)));
        return;
    }
    put_mean(file, kept, rp::g2_partial);
    put_mean(file, kept, rp::g2_partial_err, true);
    if (kinds.front().empty() || !h5::is_dataset(file, rp::g2_partial.path)) return;
    const h5::Dataset partial = h5::open_dataset(file, rp::g2_partial.path);
    h5::write_attribute(partial.id(), rp::attribute_kind, kinds.front());
}

/// Runs may differ by a lost frame: each frame is the mean of the results that have it.
void write_intensity(hid_t file, const std::vector<Repeat>& kept) {
    std::vector<double> sum;
    std::vector<std::int32_t> n;
    for (const Repeat& repeat : kept) {
        const std::vector<double> values =
            h5::read<double>(h5::open_file(repeat.path).id(), rp::intensity.path, averaged_bytes);
        const std::size_t frames = values.size() / 2;
        if (frames > sum.size()) {
            sum.resize(frames, 0);
            n.resize(frames, 0);
        }
        for (std::size_t t = 0; t < frames; ++t) {
            const double value = values[frames + t];
            if (!std::isfinite(value)) continue;
            sum[t] += value;
            ++n[t];
        }
    }
    const std::size_t T = sum.size();
    std::vector<float> table(2 * T);
    for (std::size_t t = 0; t < T; ++t) {
        table[t] = static_cast<float>(t);
        table[T + t] = static_cast<float>(n[t] > 0 ? sum[t] / n[t] : nan);
    }
    put(file, rp::intensity, table, {2, T});
}

// --- what the first result tells of all --------------------------------------------------------

void copy_if(hid_t from, hid_t to, const ResultPath& path) {
    if (h5::exists(from, path.path)) h5::copy(from, path.path, to, path.path);
}

template <class T>
void copy_list(hid_t from, hid_t to, const ResultPath& path) {
    if (!h5::is_dataset(from, path.path)) return;
    const h5::Dataset dataset = h5::open_dataset(from, path.path);
    put(to, path, h5::read<T>(dataset), h5::shape_of(dataset));
}

void require_number(hid_t file, const ResultPath& path, std::int64_t value) {
    if (h5::exists(file, path.path)) return;
    finish(h5::write_scalar<std::int64_t>(file, path.path, value), path.unit, path.description);
}

void write_lists(hid_t file, const std::string& first, bool multitau, bool twotime) {
    const ResultReader reader(first);
    const h5::File from = h5::open_file(first);
    copy_recompressed(from.id(), rp::entry.path, file, rp::entry.path);
    copy_recompressed(from.id(), rp::qmap.path, file, rp::qmap.path);
    const ResultData& data = reader.data();
    const auto config =
        [&](const ResultPath& group, const ResultPath& avg, const ResultPath& stride) {
            if (h5::is_group(from.id(), group.path)) {
                copy_recompressed(from.id(), group.path, file, group.path);
            }
            require_number(file, avg, data.avg_frame);
            require_number(file, stride, data.stride_frame);
        };
    if (multitau) {
        put(file, rp::delay_list, data.one_time.delay_list);
        put(file, rp::delay_time, data.one_time.delay_s);
        copy_list<std::int64_t>(from.id(), file, rp::n_pairs);
        copy_list<std::int32_t>(from.id(), file, rp::level);
        copy_list<std::int64_t>(from.id(), file, rp::n_pixels);
        copy_list<std::int32_t>(from.id(), file, rp::bin_index);
        copy_list<double>(from.id(), file, rp::g2_partial_labels);
        config(rp::multitau_config, rp::multitau_avg_frame, rp::multitau_stride_frame);
    }
    if (twotime) {
        copy_list<std::int32_t>(from.id(), file, rp::processed_bins);
        copy_list<std::int32_t>(from.id(), file, rp::processed_bins_natural);
        copy_list<std::int64_t>(from.id(), file, rp::twotime_delay_list);
        config(rp::twotime_config, rp::twotime_avg_frame, rp::twotime_stride_frame);
    }
    copy_if(from.id(), file, rp::rawdata_path);
}

/// Replaces a monitor of the first result by the mean, where every result has one.
void write_monitor(hid_t file,
                   const char* path,
                   const std::vector<AveragedFile>& files,
                   double AveragedFile::*monitor) {
    double sum = 0;
    int n = 0;
    for (const AveragedFile& one : files) {
        if (!one.verdict.kept) continue;
        sum += one.*monitor;
        ++n;
    }
    if (n == 0 || !std::isfinite(sum)) return;
    const h5::Dataset dataset = h5::open_dataset(file, path);
    const double mean = sum / n;
    if (h5::n_elements(h5::shape_of(dataset)) != 1) return;
    h5::write_all(dataset, H5T_NATIVE_DOUBLE, &mean);
    h5::write_attribute(dataset.id(), "source", "mean of the averaged results");
}

void write_group(hid_t file,
                 const std::vector<AveragedFile>& files,
                 const AverageOptions& options) {
    std::vector<std::string> all, kept, reasons;
    std::vector<std::uint8_t> flags;
    for (const AveragedFile& one : files) {
        all.push_back(to_utf8(one.path));
        reasons.push_back(to_utf8(one.verdict.reason));
        flags.push_back(one.verdict.kept);
        if (one.verdict.kept) kept.push_back(all.back());
    }
    put_texts(file, rp::file_list, kept);
    put_texts(file, rp::average_files, all);
    put_texts(file, rp::average_reason, reasons);
    finish(h5::write_booleans(file, rp::average_kept.path, flags, {flags.size()}),
           "",
           rp::average_kept.description);
    const auto column = [&](const ResultPath& path, const auto& value) {
        std::vector<double> values;
        values.reserve(files.size());
        for (const AveragedFile& one : files) {
            values.push_back(value(one));
        }
        put(file, path, values);
    };
    column(rp::average_weight, [](const AveragedFile& f) { return f.weight; });
    column(rp::average_shape, [](const AveragedFile& f) { return f.verdict.shape; });
    column(rp::average_amplitude, [](const AveragedFile& f) { return f.verdict.amplitude; });
    column(rp::average_offset, [](const AveragedFile& f) { return f.verdict.offset; });
    column(rp::average_z_amplitude, [](const AveragedFile& f) { return f.verdict.z_amplitude; });
    column(rp::average_z_offset, [](const AveragedFile& f) { return f.verdict.z_offset; });
    column(rp::average_incident, [](const AveragedFile& f) { return f.incident; });
    column(rp::average_transmitted, [](const AveragedFile& f) { return f.transmitted; });
    const h5::Group group = h5::open_group(file, rp::average.path);
    h5::write_attribute(group.id(), "weights", to_text(options.weights));
    h5::write_attribute(group.id(), "shape_limit", options.limits.shape);
    h5::write_attribute(group.id(), "z_limit", options.limits.z);
    h5::describe(group.id(), "", rp::average.description);
}

}  // namespace

const char* to_text(AverageWeights weights) {
    switch (weights) {
    case AverageWeights::none:
        return "none";
    case AverageWeights::counts:
        return "counts";
    case AverageWeights::errors:
        break;
    }
    return "errors";
}

void write_average(hid_t file,
                   const std::vector<Repeat>& kept,
                   const std::vector<AveragedFile>& files,
                   const AverageOptions& options) {
    const bool multitau = kept.front().multitau, twotime = kept.front().twotime;
    write_lists(file, kept.front().path, multitau, twotime);
    if (multitau) {
        std::vector<double> weights;
        for (const AveragedFile& one : files) {
            if (one.verdict.kept) weights.push_back(one.weight);
        }
        write_one_time(file, kept, weights, options.weights);
        write_partial(file, kept);
    }
    put_mean(file, kept, rp::scattering_2d);
    put_mean(file, kept, rp::scattering_1d);
    put_mean(file, kept, rp::scattering_1d_segments);
    write_intensity(file, kept);
    if (twotime) {
        put_mean(file, kept, rp::twotime_g2);
        put_mean(file, kept, rp::twotime_g2_segments);
        average_maps(file, kept);
    }
    write_group(file, files, options);
    write_monitor(file, incident_intensity_path, files, &AveragedFile::incident);
    write_monitor(file, transmitted_intensity_path, files, &AveragedFile::transmitted);
}

}  // namespace xpcs
