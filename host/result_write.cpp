// SPDX-License-Identifier: BSD-3-Clause
// The numbers of a result: one-time correlation and scattering.
#include "host/result_write.hpp"

#include "host/errors.hpp"
#include "host/result_paths.hpp"

#include <limits>

namespace xpcs {

namespace {

namespace rp = result_path;

std::vector<float> to_float(const std::vector<double>& values) {
    return {values.begin(), values.end()};
}

void require_size(const char* what, std::size_t found, std::size_t expected) {
    if (found != expected) {
        throw Error(ExitCode::internal,
                    std::string("result: ") + what + " has " + std::to_string(found) + " values, " +
                        std::to_string(expected) + " expected");
    }
}

void write_lags(hid_t file, const RunResult& result) {
    std::vector<std::int64_t> frames, pairs;
    std::vector<std::int32_t> levels;
    std::vector<double> seconds;
    const double step = result.frame_time_s > 0
                            ? result.frame_time_s * static_cast<double>(result.frames.stride) *
                                  static_cast<double>(result.frames.average)
                            : std::numeric_limits<double>::quiet_NaN();
    for (const Lag& lag : result.one_time.ladder.lags) {
        frames.push_back(lag.frames);
        pairs.push_back(lag.n_pairs);
        levels.push_back(lag.level);
        seconds.push_back(static_cast<double>(lag.frames) * step);
    }
    put(file, rp::delay_list, frames);
    put(file, rp::delay_time, seconds);
    put(file, rp::n_pairs, pairs);
    put(file, rp::n_pairs_used, result.one_time.pairs);
    put(file, rp::level, levels);
}

void write_errors(hid_t file, const ErrorEstimates& errors, const h5::Shape& shape) {
    put(file, rp::g2_err_static, to_float(errors.static_scatter), shape);
    put(file, rp::g2_err_delta, to_float(errors.delta), shape);
    put(file, rp::g2_err_shot, to_float(errors.shot_noise), shape);
}

void write_partial(hid_t file,
                   const PartialG2& partial,
                   const std::string& kind,
                   std::size_t n_lags,
                   std::size_t n_bins) {
    const std::size_t n_segments = partial.end_frame.size();
    const h5::Shape shape{n_segments, n_lags, n_bins};
    require_size("partial g2", partial.g2.size(), n_segments * n_lags * n_bins);
    put(file, rp::g2_partial, to_float(partial.g2), shape);
    const h5::Dataset dataset = h5::open_dataset(file, rp::g2_partial.path);
    h5::write_attribute(dataset.id(), rp::attribute_kind, kind);
    put(file, rp::g2_partial_err, to_float(partial.g2_err), shape);
    put(file,
        rp::g2_partial_labels,
        std::vector<double>(partial.end_frame.begin(), partial.end_frame.end()));
}

}  // namespace

void finish(h5::Dataset dataset, const std::string& unit, const std::string& description) {
    h5::describe(dataset.id(), unit, description);
    dataset.close();
}

h5::Storage result_storage() {
    h5::Storage storage;
    storage.filter = h5::Filter::gzip;
    storage.contiguous_below = 8193;
    storage.chunk_bytes = std::uint64_t{256} << 10;  // each is packed by a thread
    storage.gzip_level = 1;  // counts are noise: more effort makes them hardly smaller
    return storage;
}

std::vector<float> fold_static_bins(const std::vector<double>& values,
                                    std::int64_t rows,
                                    const std::vector<std::uint32_t>& label_of_static,
                                    const std::vector<std::int64_t>& pixels_per_static,
                                    std::uint32_t n_labels) {
    const std::size_t n_static = label_of_static.size();
    require_size("static bins", values.size(), static_cast<std::size_t>(rows) * n_static);
    std::vector<std::int64_t> pixels_of_bin = pixels_per_static;
    if (pixels_of_bin.empty() && n_static == n_labels) {
        pixels_of_bin.assign(n_static, 1);  // nothing was split: no weights needed
    }
    require_size("pixels per static bin", pixels_of_bin.size(), n_static);
    std::vector<float> folded(static_cast<std::size_t>(rows) * n_labels,
                              std::numeric_limits<float>::quiet_NaN());
    for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
        std::vector<double> sum(n_labels, 0.0);
        std::vector<std::int64_t> pixels(n_labels, 0);
        for (std::size_t bin = 0; bin < n_static; ++bin) {
            const std::uint32_t label = label_of_static[bin];
            if (label == 0 || label > n_labels || pixels_of_bin[bin] == 0) {
                continue;
            }
            sum[label - 1] +=
                values[row * n_static + bin] * static_cast<double>(pixels_of_bin[bin]);
            pixels[label - 1] += pixels_of_bin[bin];
        }
        for (std::size_t label = 0; label < n_labels; ++label) {
            if (pixels[label] > 0) {
                folded[row * n_labels + label] =
                    static_cast<float>(sum[label] / static_cast<double>(pixels[label]));
            }
        }
    }
    return folded;
}

void write_multitau(hid_t file, const RunResult& result) {
    const OneTime& one_time = result.one_time;
    const std::size_t n_lags = one_time.ladder.lags.size();
    const std::size_t n_bins = result.qmap.n_dynamic();
    require_size("g2", one_time.g2.size(), n_lags * n_bins);
    require_size("g2_err", one_time.g2_err.size(), n_lags * n_bins);
    require_size("pixels per dynamic bin", result.pixels_per_dynamic.size(), n_bins);

    const h5::Group group = h5::require_group(file, rp::multitau.path);
    write_lags(file, result);
    put(file, rp::g2, to_float(one_time.g2), {n_lags, n_bins});
    put(file, rp::g2_err, to_float(one_time.g2_err), {n_lags, n_bins});
    if (result.errors) write_errors(file, *result.errors, {n_lags, n_bins});
    put(file, rp::n_pixels, result.pixels_per_dynamic);
    const auto& natural = result.qmap.dynamic_index_mapping;
    put(file, rp::bin_index, std::vector<std::int32_t>(natural.begin(), natural.end()));
    put(file, rp::static_without_signal, one_time.static_without_signal);
    put(file, rp::pixels_without_signal, one_time.pixels_without_signal);
    if (result.partial) {
        write_partial(file, *result.partial, result.config.partial, n_lags, n_bins);
    }
}

static void write_frame_times(hid_t file, const FrameTimes& times) {
    const std::size_t n = times.clock_s.size();
    if (n == 0) return;
    const auto with_frames = [&](const std::vector<double>& values) {
        std::vector<double> table(2 * n);
        for (std::size_t k = 0; k < n; ++k) {
            table[k] = static_cast<double>(times.first_frame) + static_cast<double>(k);
            table[n + k] = values[k];
        }
        return table;
    };
    put(file, rp::timestamp_clock, with_frames(times.clock_s), {2, n});
    put(file, rp::timestamp_tick, with_frames(times.tick), {2, n});
}

static void write_intensity(hid_t file, const std::vector<double>& of_frame) {
    const std::size_t n = of_frame.size();
    std::vector<float> table(2 * n);
    // Exact up to 2^24 frames; the type is what readers expect.
    for (std::size_t t = 0; t < n; ++t) {
        table[t] = static_cast<float>(t);
        table[n + t] = static_cast<float>(of_frame[t]);
    }
    put(file, rp::intensity, table, {2, n});
}

void write_scattering(hid_t file, const RunResult& result) {
    const Scattering& scattering = result.scattering;
    const auto rows = static_cast<std::size_t>(result.qmap.rows);
    const auto cols = static_cast<std::size_t>(result.qmap.cols);
    require_size("scattering_2d", scattering.saxs_2d.size(), rows * cols);
    put(file, rp::scattering_2d, to_float(scattering.saxs_2d), {1, rows, cols});

    const std::uint32_t n_static = result.qmap.n_static();
    const auto fold = [&](const std::vector<double>& values, std::int64_t n_rows) {
        return fold_static_bins(
            values, n_rows, result.label_of_static, result.pixels_per_static, n_static);
    };
    put(file, rp::scattering_1d, fold(scattering.saxs_1d, 1), {1, n_static});
    put(file,
        rp::scattering_1d_segments,
        fold(scattering.saxs_1d_segments, scattering.n_segments),
        {static_cast<std::size_t>(scattering.n_segments), n_static});

    write_intensity(file, scattering.intensity);
    write_frame_times(file, result.frame_times);
}

}  // namespace xpcs
