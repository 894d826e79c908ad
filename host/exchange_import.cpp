// SPDX-License-Identifier: BSD-3-Clause
// From the /exchange layout to a result of ours.
#include "host/diagonals.hpp"
#include "host/errors.hpp"
#include "host/exchange.hpp"
#include "host/file_facts.hpp"
#include "host/nan.hpp"
#include "host/qmap_file.hpp"
#include "host/result_group.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <set>

namespace xpcs {

namespace {

namespace rp = result_path;

constexpr std::uint64_t most_table_bytes = std::uint64_t{1} << 29;
constexpr double most_natural_bins = 1 << 24;
constexpr const char* detector = "/measurement/instrument/detector/";

/// Which natural bin each bin of ours is, and how many there are.
struct Bins {
    std::vector<std::int64_t> natural;
    std::size_t n_natural = 0;
};

/// Labels of natural bins counted down to those that occur.
Bins compress(std::vector<std::uint32_t>& labels,
              std::vector<std::int64_t>& mapping,
              const std::array<std::int64_t, 2>& num_pts) {
    Bins bins;
    std::map<std::uint32_t, std::uint32_t> seen;
    for (const std::uint32_t label : labels) {
        if (label != 0) seen.try_emplace(label, 0);
    }
    mapping.clear();
    for (auto& [label, number] : seen) {
        mapping.push_back(static_cast<std::int64_t>(label) - 1);
        number = static_cast<std::uint32_t>(mapping.size());
    }
    for (std::uint32_t& label : labels) {
        if (label != 0) label = seen[label];
    }
    bins.natural = mapping;
    bins.n_natural = static_cast<std::size_t>(
        std::max<std::int64_t>(num_pts[0] * num_pts[1], mapping.empty() ? 0 : mapping.back() + 1));
    return bins;
}

class ExchangeImport {
  public:
    ExchangeImport(const ResultReader& reader, hid_t in, hid_t out)
        : reader_(reader), data_(reader.data()), paths_(exchange_paths(in)), in_(in), out_(out) {}

    std::vector<std::string> run() {
        notes_ = data_.warnings;
        write_entry();
        write_qmap();
        write_curves();
        write_scattering();
        write_unnormalized();
        write_maps();
        write_config(rp::multitau_config, data_.has_multitau());
        write_config(rp::twotime_config, data_.has_twotime());
        write_origin();
        return notes_;
    }

  private:
    std::string group() const { return paths_.tau.substr(0, paths_.tau.rfind('/')); }
    void number(const ResultPath& path, double value, const std::string& source) {
        h5::Dataset dataset = h5::write_scalar<double>(out_, path.path, value);
        if (!source.empty()) h5::write_attribute(dataset.id(), "source", source);
        finish(std::move(dataset), path.unit, path.description);
    }
    Matrix picked(const Matrix& values, const Bins& bins, const std::string& what) const;
    void put_table(const ResultPath& path, const Matrix& values, const h5::Shape& shape) {
        put(out_, path, std::vector<float>(values.values.begin(), values.values.end()), shape);
    }

    void write_entry();
    void write_qmap();
    void rebuild_qmap();
    void write_curves();
    void write_scattering();
    void
    copy_unnormalized(const std::function<void(hsize_t lag, hsize_t slot, float* image)>& read);
    void write_unnormalized();
    void write_maps();
    void write_twotime_tables(const std::vector<std::int64_t>& labels,
                              const std::vector<Matrix>& diagonals,
                              const std::vector<Matrix>& segments);
    void write_config(const ResultPath& group, bool wanted);
    void write_origin();

    const ResultReader& reader_;
    const ResultData& data_;
    ExchangePaths paths_;
    hid_t in_, out_;
    Bins dynamic_, static_;
    std::vector<std::string> notes_;
};

/// Columns of natural bins to columns of ours.
Matrix
ExchangeImport::picked(const Matrix& values, const Bins& bins, const std::string& what) const {
    const std::size_t n = bins.natural.size();
    const auto cols = static_cast<std::size_t>(values.cols);
    if (cols == n && n != bins.n_natural) return values;  // numbers only the bins with pixels
    if (n > 0 && cols <= static_cast<std::size_t>(bins.natural.back())) {
        throw Error(
            ExitCode::data,
            fmt::format("'{}': {} has {} columns, the q-map {} bins, {} of them with pixels",
                        printable(data_.path),
                        what,
                        cols,
                        bins.n_natural,
                        n));
    }
    Matrix out{values.rows, static_cast<std::int64_t>(n), {}};
    for (std::int64_t r = 0; r < values.rows; ++r) {
        for (const std::int64_t natural : bins.natural) {
            out.values.push_back(values.at(r, natural));
        }
    }
    return out;
}

/// Lengths in mm or µm or m: writers differed, the magnitude tells.
double pixel_size_m(double value) {
    return value * (value >= 1 ? 1e-6 : value >= 1e-3 ? 1e-3 : 1);
}
double distance_m(double value) {
    return value * (value >= 1e5 ? 1e-6 : value >= 100 ? 1e-3 : 1);
}

void ExchangeImport::write_entry() {
    const std::string d = detector, source = "/measurement/instrument/source_begin/energy";
    const auto get = [&](const std::string& path) {
        return h5::find_number(in_, path).value_or(0);
    };
    finish(h5::write_string(out_, "/entry/definition", "NXxpcs"));
    finish(h5::write_string(out_, "/entry/schema_version", "0.1.0"));
    if (data_.start_time.empty()) {
        const std::vector<InputFile> file = stat_inputs({data_.path});
        h5::Dataset time =
            h5::write_string(out_, rp::start_time.path, file.empty() ? "" : file.front().modified);
        h5::write_attribute(time.id(), "source", "modification time of the older result");
        finish(std::move(time), "", rp::start_time.description);
        notes_.emplace_back("no start of the measurement in the file: its modification time");
    } else {
        put_text(out_, rp::start_time, data_.start_time);
    }
    const bool known = data_.frame_time_known;
    const std::string unknown = "not known: delays in seconds are delays in frames";
    number(rp::frame_time, known ? data_.frame_time_s : 1, known ? d + "exposure_period" : unknown);
    if (!known) notes_.emplace_back("no frame time in the file: delays are known in frames only");
    const double exposure = get(d + "exposure_time");
    number(rp::count_time,
           exposure > 0 ? exposure : (known ? data_.frame_time_s : 1),
           exposure > 0 ? d + "exposure_time" : "not known: the frame time");
    number(rp::x_pixel_size, pixel_size_m(get(d + "x_pixel_size")), d + "x_pixel_size");
    number(rp::y_pixel_size, pixel_size_m(get(d + "y_pixel_size")), d + "y_pixel_size");
    number(rp::incident_energy, get(source), source);
    const ResultPath distance{"/entry/instrument/detector_1/distance", "", "f64", "m", ""};
    number(distance, distance_m(get(d + "distance")), d + "distance");
    if (h5::is_group(in_, "/measurement")) {
        copy_recompressed(in_, "/measurement", out_, "/measurement");
    }
}

/// From dqmap, sqmap, mask and their lists.
void ExchangeImport::rebuild_qmap() {
    QMap qmap = load_qmap(data_.path);
    if (data_.transposed) transpose(qmap);
    for (const std::string& warning : qmap.warnings) {
        // Every map of that time lacks these.
        if (warning.find("no dataset /qmap/") == std::string::npos &&
            warning.find("no hash") == std::string::npos) {
            notes_.push_back(warning);
        }
    }
    dynamic_ = compress(qmap.dynamic_roi_map, qmap.dynamic_index_mapping, qmap.dynamic_num_pts);
    static_ = compress(qmap.static_roi_map, qmap.static_index_mapping, qmap.static_num_pts);
    const std::string acquisition = "/measurement/instrument/acquisition/";
    const auto fill = [&](double& to, const std::string& path, double (*to_unit)(double)) {
        const auto value = h5::find_number(in_, path);
        if (to == 0 && value) to = to_unit(*value);
    };
    const auto as_is = [](double value) { return value; };
    fill(qmap.beam_center_x, acquisition + "beam_center_x", as_is);
    fill(qmap.beam_center_y, acquisition + "beam_center_y", as_is);
    fill(qmap.pixel_size_m, std::string(detector) + "x_pixel_size", pixel_size_m);
    fill(qmap.detector_distance_m, std::string(detector) + "distance", distance_m);
    fill(qmap.energy_keV, "/measurement/instrument/source_begin/energy", as_is);
    if (qmap.source_file.empty()) qmap.source_file = data_.path;
    write_qmap_group(qmap, out_, rp::qmap.path);
}

void ExchangeImport::write_qmap() {
    const std::string path = rp::qmap.path;
    if (!h5::is_dataset(in_, path + "/dynamic_roi_map")) return rebuild_qmap();
    copy_recompressed(in_, path, out_, path);
    const auto bins = [&](const std::string& kind) {
        Bins found{h5::read<std::int64_t>(in_, path + "/" + kind + "_index_mapping"), 0};
        const std::vector<double> n = h5::read<double>(in_, path + "/" + kind + "_num_pts");
        const bool sane =
            n.size() == 2 && n[0] >= 1 && n[1] >= 1 && n[0] * n[1] <= most_natural_bins;
        found.n_natural = sane ? static_cast<std::size_t>(n[0] * n[1]) : 0;
        if (!std::is_sorted(found.natural.begin(), found.natural.end()) || found.natural.empty() ||
            found.natural.front() < 0 ||
            found.natural.back() >= static_cast<std::int64_t>(found.n_natural)) {
            throw Error(ExitCode::data,
                        "'" + printable(data_.path) + "': " + path + "/" + kind +
                            "_index_mapping does not fit " + kind + "_num_pts");
        }
        return found;
    };
    dynamic_ = bins("dynamic");
    static_ = bins("static");
}

void ExchangeImport::write_curves() {
    const OneTimeData& one = data_.one_time;
    if (!data_.has_multitau()) return;
    const Matrix g2 = picked(one.g2, dynamic_, paths_.g2);
    Matrix err{g2.rows, g2.cols, std::vector<double>(g2.values.size(), nan)};
    if (one.g2_err.empty()) {
        notes_.emplace_back("no errors of g2 in the file: NaN");
    } else {
        err = picked(one.g2_err, dynamic_, paths_.g2_err);
    }
    const h5::Shape shape{static_cast<hsize_t>(g2.rows), static_cast<hsize_t>(g2.cols)};
    put(out_, rp::delay_list, one.delay_list);
    put(out_, rp::delay_time, one.delay_s);
    put_table(rp::g2, g2, shape);
    put_table(rp::g2_err, err, shape);
    put(out_,
        rp::bin_index,
        std::vector<std::int32_t>(dynamic_.natural.begin(), dynamic_.natural.end()));
}

void ExchangeImport::write_scattering() {
    const Matrix image = reader_.scattering_2d();
    if (!image.empty()) {
        put_table(rp::scattering_2d,
                  image,
                  {1, static_cast<hsize_t>(image.rows), static_cast<hsize_t>(image.cols)});
    }
    const hsize_t n_static = static_.natural.size();
    Matrix total{1, static_cast<std::int64_t>(n_static), std::vector<double>(n_static, nan)};
    if (data_.scattering_1d.empty()) {
        notes_.emplace_back("no means of static bins in the file: NaN");
    } else {
        total = picked(data_.scattering_1d, static_, paths_.mean_total);
    }
    put_table(rp::scattering_1d, total, {static_cast<hsize_t>(total.rows), n_static});
    Matrix parts = total;
    if (data_.scattering_1d_segments.empty()) {
        notes_.emplace_back(
            "no means of spans of frames in the file: the mean of all stands there");
    } else {
        parts = picked(data_.scattering_1d_segments, static_, paths_.mean_partial);
    }
    put_table(rp::scattering_1d_segments, parts, {static_cast<hsize_t>(parts.rows), n_static});
    const std::size_t T = data_.intensity.size();
    if (T == 0) notes_.emplace_back("no intensity against time in the file");
    std::vector<float> frames(2 * T);
    for (std::size_t t = 0; t < T; ++t) {
        frames[t] = static_cast<float>(t);
        frames[T + t] = static_cast<float>(data_.intensity[t]);
    }
    put(out_, rp::intensity, frames, {2, T});
    for (const auto& [name, to] : {std::pair{"/timestamp_clock", rp::timestamp_clock},
                                   std::pair{"/timestamp_tick", rp::timestamp_tick}}) {
        if (!h5::is_dataset(in_, group() + name)) continue;
        const h5::Dataset times = h5::open_dataset(in_, group() + name);
        if (data_.transposed) continue;
        put(out_, to, h5::read<double>(times, most_table_bytes), h5::shape_of(times));
    }
}

/// One image after the other: `read` fills slot `slot` of lag `lag`.
void ExchangeImport::copy_unnormalized(
    const std::function<void(hsize_t lag, hsize_t slot, float* image)>& read) {
    const hsize_t n_lags = data_.one_time.delay_list.size();
    const auto rows = static_cast<hsize_t>(data_.rows), cols = static_cast<hsize_t>(data_.cols);
    h5::Storage storage = result_storage();
    storage.chunk = {1, 1, std::clamp<hsize_t>((hsize_t{1} << 18) / cols, 1, rows), cols};
    h5::Dataset to = h5::create_dataset(
        out_, rp::unnormalized_G2.path, H5T_NATIVE_FLOAT, {n_lags, 3, rows, cols}, storage);
    std::vector<float> image(rows * cols);
    for (hsize_t lag = 0; lag < n_lags; ++lag) {
        throw_if_stopped();
        for (const hsize_t slot : {0, 1, 2}) {
            read(lag, slot, image.data());
            h5::write_slab(
                to, H5T_NATIVE_FLOAT, {lag, slot, 0, 0}, {1, 1, rows, cols}, image.data());
        }
    }
    h5::write_attribute(to.id(), rp::attribute_slots, rp::slots_of_unnormalized_G2);
    finish(std::move(to), rp::unnormalized_G2.unit, rp::unnormalized_G2.description);
}

void ExchangeImport::write_unnormalized() {
    const hsize_t n_lags = data_.one_time.delay_list.size();
    const auto rows = static_cast<hsize_t>(data_.rows), cols = static_cast<hsize_t>(data_.cols);
    if (rows == 0 || cols == 0) return;  // no image tells the shape
    const auto fits = [&](const h5::Dataset& dataset, const h5::Shape& expected) {
        h5::require_filters(dataset);
        const h5::Shape shape = h5::shape_of(dataset);
        if (shape == expected) return true;
        notes_.push_back(h5::name_of(dataset.id()) + " has shape " + h5::to_string(shape) + ", " +
                         h5::to_string(expected) + " is expected: left out");
        return false;
    };
    if (data_.one_time.has_unnormalized) {  // one dataset for the three
        const DatasetPlace& place = data_.one_time.unnormalized;
        const h5::File file = h5::open_file(place.file);
        const h5::Dataset all = h5::open_dataset(file.id(), place.path);
        if (!fits(all, {n_lags, 3, rows, cols})) return;
        copy_unnormalized([&](hsize_t lag, hsize_t slot, float* image) {
            h5::read_slab(all, H5T_NATIVE_FLOAT, {lag, slot, 0, 0}, {1, 1, rows, cols}, image);
        });
        return;
    }
    // Slot 1 of ours holds the later frames; IP of the older layout are the earlier ones.
    std::vector<h5::Dataset> from;
    for (const char* name : {"/G2", "/IF", "/IP"}) {
        if (!h5::is_dataset(in_, group() + name)) return;
        from.push_back(h5::open_dataset(in_, group() + name));
        if (!fits(from.back(), {n_lags, rows * cols})) return;
    }
    copy_unnormalized([&](hsize_t lag, hsize_t slot, float* image) {
        h5::read_slab(from[slot], H5T_NATIVE_FLOAT, {lag, 0}, {1, rows * cols}, image);
    });
}

void ExchangeImport::write_maps() {
    if (!data_.has_twotime()) return;
    std::vector<std::int64_t> labels;
    std::vector<Matrix> diagonals, segments;
    const auto& natural = dynamic_.natural;
    for (std::size_t k = 0; k < data_.two_time.n_maps; ++k) {
        const auto at = std::find(natural.begin(), natural.end(), data_.two_time.map_bins[k] - 1);
        if (at == natural.end()) {
            notes_.push_back(fmt::format("map {} is of a bin without pixels: left out",
                                         data_.two_time.map_bins[k]));
            continue;
        }
        labels.push_back(at - natural.begin() + 1);
        const h5::Dataset from = h5::open_dataset(in_, reader_.map_paths()[k]);
        const h5::Shape shape = h5::shape_of(from);
        if (shape != h5::Shape(2, static_cast<hsize_t>(data_.two_time.n_frames))) {
            throw Error(ExitCode::data,
                        h5::name_of(from.id()) + ": shape " + h5::to_string(shape) + ", (" +
                            std::to_string(data_.two_time.n_frames) + " squared) is expected");
        }
        h5::Storage storage = result_storage();
        const auto side = static_cast<hsize_t>(twotime_tile_side(data_.two_time.n_frames));
        storage.chunk = {side, side};
        h5::Dataset to = h5::create_dataset(
            out_, twotime_map_path(labels.size()), H5T_NATIVE_FLOAT, shape, storage);
        Diagonals means(data_.two_time.n_frames);
        for_each_band(from, side, [&](hsize_t first, hsize_t n, float* values) {
            for (hsize_t t = first; t < first + n; ++t) {
                float* row = values + (t - first) * shape[1];
                means.add_row(static_cast<std::int64_t>(t), row);
                std::fill_n(row, t, 0.0F);  // some writers stored the whole square
            }
            h5::write_slab(to, H5T_NATIVE_FLOAT, {first, 0}, {n, shape[1]}, values);
        });
        finish(std::move(to), rp::twotime_map.unit, rp::twotime_map.description);
        diagonals.push_back(means.all());
        segments.push_back(means.parts());
    }
    if (labels.empty()) {
        throw Error(ExitCode::data,
                    "'" + printable(data_.path) +
                        "': no two-time map belongs to a bin of the q-map");
    }
    write_twotime_tables(labels, diagonals, segments);
}

/// The file's own tables where it has them, else what the maps say.
void ExchangeImport::write_twotime_tables(const std::vector<std::int64_t>& labels,
                                          const std::vector<Matrix>& diagonals,
                                          const std::vector<Matrix>& segments) {
    const std::size_t n_b = labels.size();
    std::vector<std::int32_t> natural;
    natural.reserve(n_b);
    for (const std::int64_t label : labels) {
        natural.push_back(
            static_cast<std::int32_t>(dynamic_.natural[static_cast<std::size_t>(label - 1)]));
    }
    put(out_, rp::processed_bins, std::vector<std::int32_t>(labels.begin(), labels.end()));
    put(out_, rp::processed_bins_natural, natural);
    const auto fill = [&](const char* name,
                          const ResultPath& to,
                          const std::vector<Matrix>& own,
                          const h5::Shape& leading) {
        const auto rows = static_cast<std::size_t>(own.front().rows);
        if (rows == 0) return;
        std::vector<float> values(rows * n_b);
        h5::Shape shape = leading;
        shape.push_back(dynamic_.n_natural);
        const std::string path = group() + name;
        const bool there =
            h5::is_dataset(in_, path) && h5::shape_of(h5::open_dataset(in_, path)) == shape;
        const auto file =
            there ? h5::read<float>(in_, path, most_table_bytes) : std::vector<float>{};
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t b = 0; b < n_b; ++b) {
                values[r * n_b + b] =
                    there ? file[r * dynamic_.n_natural + static_cast<std::size_t>(natural[b])]
                          : static_cast<float>(own[b].values[r]);
            }
        }
        shape.back() = n_b;
        put(out_, to, values, shape);
    };
    const auto T = static_cast<hsize_t>(data_.two_time.n_frames);
    fill("/g2full", rp::twotime_g2, diagonals, {T});
    fill(
        "/g2partials", rp::twotime_g2_segments, segments, {T / twotime_segments, twotime_segments});
    std::vector<std::int64_t> lags(T);
    for (hsize_t lag = 0; lag < T; ++lag)
        lags[lag] = static_cast<std::int64_t>(lag);
    put(out_, rp::twotime_delay_list, lags);
}

void ExchangeImport::write_config(const ResultPath& group, bool wanted) {
    if (!wanted) return;
    const std::string path = std::string(group.path) + "/";
    const auto whole = [&](const char* name, double value) {
        finish(h5::write_scalar<std::int64_t>(
            out_, path + name, static_cast<std::int64_t>(std::llround(value))));
    };
    whole("avg_frame", static_cast<double>(data_.avg_frame));
    whole("stride_frame", static_cast<double>(data_.stride_frame));
    const auto from = [&](const char* old_name) {
        const auto value = h5::find_number(in_, std::string("/xpcs/") + old_name);
        return value && std::abs(*value) < 1e15 ? value : std::nullopt;
    };
    // Frames count from 1 there, and the last one is included.
    if (const auto begin = from("data_begin_todo")) {
        whole("begin_frame", std::max(*begin - 1, 0.0));
        whole("begin_frame_used", std::max(*begin - 1, 0.0));
    }
    if (const auto end = from("data_end_todo")) {
        whole("end_frame", *end);
        whole("end_frame_used", *end);
    }
    if (const auto end = from("data_end")) whole("n_frames_file", *end);
    if (const auto normalised = from("normalize_by_framesum")) {
        finish(h5::write_boolean(out_, path + "normalize_frame", *normalised != 0));
    }
    finish(h5::write_string(out_,
                            path + "analysis_type",
                            group.path == std::string(rp::multitau_config.path) ? "Multitau"
                                                                                : "Twotime"));
}

/// The older options as they are, but for maps and lists of bins.
void ExchangeImport::write_origin() {
    put_text(out_, rp::rawdata_path, data_.rawdata_path);
    const h5::Group target = h5::require_group(out_, "/xpcs/provenance/exchange");
    h5::describe(target.id(), "", "scalars below /xpcs of the file that this result was made from");
    for (const NamedValue& value : reader_.group(rp::xpcs.path)) {
        if (value.path.find('/') != std::string::npos) continue;
        if (const auto* text = std::get_if<std::string>(&value.value)) {
            finish(h5::write_string(target.id(), value.path, to_utf8(*text)));
        } else if (const auto* whole = std::get_if<std::int64_t>(&value.value)) {
            finish(h5::write_scalar(target.id(), value.path, *whole));
        } else if (const auto* real = std::get_if<double>(&value.value)) {
            finish(h5::write_scalar(target.id(), value.path, *real));
        }
    }
}

}  // namespace

std::vector<std::string> import_exchange(const ResultReader& reader, hid_t in, hid_t out) {
    return ExchangeImport(reader, in, out).run();
}

}  // namespace xpcs
