// SPDX-License-Identifier: BSD-3-Clause
// The tables of the two-time analyses; their maps are written while they are made.
#include "host/errors.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "kernels/twotime.hpp"

#include <fmt/format.h>

#include <limits>

namespace xpcs {

namespace {

namespace rp = result_path;

double seconds_per_frame(const RunResult& result) {
    return result.frame_time_s > 0
               ? result.frame_time_s * static_cast<double>(result.frames.stride) *
                     static_cast<double>(result.frames.average)
               : std::numeric_limits<double>::quiet_NaN();
}

void write_band_level(hid_t file, const BandLevel& level, double step_s) {
    const std::string group = band_level_path(level.level) + "/";
    const auto one = [&](const char* name, const auto& values, const char* unit, const char* text) {
        using T = typename std::decay_t<decltype(values)>::value_type;
        finish(h5::write<T>(file, group + name, values, {values.size()}, result_storage()),
               unit,
               text);
    };
    finish(h5::write_scalar<std::int64_t>(file, group + "level", level.level),
           "",
           "blocks of 2^level frames");
    one("channels", level.channels, "blocks", "lag of each row of correlation");
    const double width = static_cast<double>(std::int64_t{1} << level.level);
    std::vector<std::int64_t> lag;
    std::vector<double> lag_time, offset, age;
    for (const std::int32_t channel : level.channels) {
        lag.push_back(std::int64_t{channel} << level.level);
        lag_time.push_back(static_cast<double>(lag.back()) * step_s);
        offset.push_back((1.0 + channel) * width / 2);
    }
    for (std::int64_t j = 0; j < level.n_blocks; ++j)
        age.push_back(static_cast<double>(j) * width);
    one("lag", lag, "frames", "lag of each row of correlation");
    one("lag_time", lag_time, "s", "the same in seconds; NaN if no frame time");
    one("age",
        age,
        "frames",
        "first frame of each block; the age of a value is age[column] + "
        "age_offset[row]");
    one("age_offset",
        offset,
        "frames",
        "from the first frame of the earlier block to the centre of "
        "both");
}

}  // namespace

void write_twotime(hid_t file, const RunResult& result) {
    const TwotimeTable& table = *result.two_time;
    const std::size_t n_bins = table.labels.size();
    const auto T = static_cast<std::size_t>(table.n_frames);
    put(file, rp::processed_bins, table.labels);
    put(file, rp::processed_bins_natural, table.natural);
    put(file, rp::twotime_g2, table.g2, {T, n_bins});
    if (table.segment_frames > 0) {
        put(file,
            rp::twotime_g2_segments,
            table.g2_segments,
            {static_cast<hsize_t>(table.segment_frames), twotime_segments, n_bins});
    }
    put(file, rp::twotime_empty_frames, table.empty_frames);
    std::vector<std::int64_t> lags;
    for (std::int64_t k = 0; k < table.n_frames; ++k)
        lags.push_back(k);
    put(file, rp::twotime_delay_list, lags);
}

void write_band(hid_t file, const RunResult& result) {
    const BandTable& table = *result.band;
    const h5::Shape shape{table.lags.size(), table.labels.size()};
    const double step_s = seconds_per_frame(result);
    put(file, rp::band_bins, table.labels);
    put(file, rp::band_bins_natural, table.natural);
    put(file, rp::band_delay_list, table.lags);
    std::vector<double> seconds;
    for (const std::int64_t lag : table.lags)
        seconds.push_back(static_cast<double>(lag) * step_s);
    put(file, rp::band_delay_time, seconds);
    put(file, rp::band_g2, table.g2, shape);
    put(file, rp::band_g2_err, table.g2_err, shape);
    put(file, rp::band_n_values, table.n_values, shape);
    finish(h5::write_scalar<std::int64_t>(file, rp::band_depth.path, table.depth),
           rp::band_depth.unit,
           rp::band_depth.description);
    for (const BandLevel& level : table.levels)
        write_band_level(file, level, step_s);
}

}  // namespace xpcs
