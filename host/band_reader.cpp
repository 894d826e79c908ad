// SPDX-License-Identifier: BSD-3-Clause
#include "host/band_reader.hpp"

#include "host/errors.hpp"
#include "host/nan.hpp"
#include "host/result_paths.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace xpcs {

namespace {

namespace rp = result_path;

constexpr std::uint64_t most_band_bytes = std::uint64_t{1} << 28;

struct Level {
    h5::Dataset correlation;  ///< [bins][channels][blocks]
    std::vector<std::int64_t> lag;
    std::vector<double> offset;  ///< [channels] frames to the age, from the first of a block
    std::int64_t width = 1;      ///< frames of a block
    h5::Shape shape;
};

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
    throw Error(ExitCode::data, "'" + printable(path) + "': multi-tau two-time: " + what);
}

std::vector<Level> levels_of(const h5::File& file, const std::string& path, std::size_t n_bins) {
    std::vector<Level> levels;
    for (int c = 0; c < 48; ++c) {
        const std::string group = band_level_path(c);
        if (!h5::is_group(file.id(), group)) {
            break;
        }
        Level level{h5::open_dataset(file.id(), group + "/correlation"),
                    h5::read<std::int64_t>(file.id(), group + "/lag", most_band_bytes),
                    h5::read<double>(file.id(), group + "/age_offset", most_band_bytes),
                    std::int64_t{1} << c,
                    {}};
        level.shape = h5::shape_of(level.correlation);
        if (level.shape.size() != 3 || level.shape[0] != n_bins ||
            level.shape[1] != level.lag.size() || level.offset.size() != level.lag.size()) {
            refuse(path,
                   fmt::format("level {} has shape {}; ({}, {}, blocks) expected",
                               c,
                               h5::to_string(level.shape),
                               n_bins,
                               level.lag.size()));
        }
        levels.push_back(std::move(level));
    }
    return levels;
}

/// Mean of the values of a row whose ages lie in each column; where blocks are longer than a
/// column, the block that covers its middle.
std::vector<double> row_of(const std::vector<float>& values,
                           double offset,
                           double width,
                           double step,
                           std::int64_t columns) {
    std::vector<double> out(static_cast<std::size_t>(columns), nan);
    const auto n = static_cast<std::int64_t>(values.size());
    for (std::int64_t k = 0; k < columns; ++k) {
        const double begin = static_cast<double>(k) * step, end = begin + step;
        auto first = static_cast<std::int64_t>(std::ceil((begin - offset) / width));
        auto last = static_cast<std::int64_t>(std::ceil((end - offset) / width));
        if (first >=
            last) {  // no age in this column: the nearest, if it is not farther than a block
            first = std::llround((begin + step / 2 - offset) / width);
            last = first + 1;
        }
        double sum = 0;
        int found = 0;
        for (std::int64_t j = std::max<std::int64_t>(0, first); j < std::min(n, last); ++j) {
            if (std::isfinite(values[static_cast<std::size_t>(j)])) {
                sum += values[static_cast<std::size_t>(j)];
                ++found;
            }
        }
        if (found > 0) {
            out[static_cast<std::size_t>(k)] = sum / found;
        }
    }
    return out;
}

/// Rows of every level for one bin, by lag.
std::map<std::int64_t, std::vector<double>>
rows_of(const std::vector<Level>& levels, std::size_t bin, double step, std::int64_t columns) {
    std::map<std::int64_t, std::vector<double>> rows;
    for (const Level& level : levels) {
        const hsize_t blocks = level.shape[2];
        std::vector<float> values(blocks);
        for (std::size_t channel = 0; channel < level.lag.size() && blocks > 0; ++channel) {
            h5::read_slab(level.correlation,
                          h5::native_type<float>(),
                          {bin, channel, 0},
                          {1, 1, blocks},
                          values.data());
            rows.emplace(level.lag[channel],
                         row_of(values,
                                level.offset[channel],
                                static_cast<double>(level.width),
                                step,
                                columns));
        }
    }
    return rows;
}

}  // namespace

std::vector<BandMap>
read_band(const std::string& path, std::size_t most_bins, std::int64_t columns) {
    const h5::File file = h5::open_file(path);
    if (!h5::is_group(file.id(), rp::band.path)) {
        return {};
    }
    const auto labels = h5::read<std::int64_t>(file.id(), rp::band_bins.path, most_band_bytes);
    const auto lags = h5::read<std::int64_t>(file.id(), rp::band_delay_list.path, most_band_bytes);
    const auto g2 = h5::read<double>(file.id(), rp::band_g2.path, most_band_bytes);
    const auto err = h5::read<double>(file.id(), rp::band_g2_err.path, most_band_bytes);
    if (g2.size() != lags.size() * labels.size() || err.size() != g2.size()) {
        refuse(path,
               fmt::format(
                   "g2 has {} values, {} bins x {} lags", g2.size(), labels.size(), lags.size()));
    }
    const std::vector<Level> levels = levels_of(file, path, labels.size());
    double n_frames = 1;
    for (const Level& level : levels) {
        n_frames = std::max(n_frames,
                            static_cast<double>(level.shape[2]) * static_cast<double>(level.width));
    }
    columns = std::min(columns, static_cast<std::int64_t>(n_frames));
    std::vector<BandMap> out;
    const std::size_t n = std::min(most_bins, labels.size());
    for (std::size_t i = 0; i < n; ++i) {
        throw_if_stopped();
        const std::size_t bin = i * labels.size() / n;
        BandMap map;
        map.label = labels[bin];
        map.age_step = n_frames / static_cast<double>(columns);
        const auto rows = rows_of(levels, bin, map.age_step, columns);
        for (std::size_t k = 0; k < lags.size(); ++k) {
            const auto row = rows.find(lags[k]);
            if (row == rows.end()) {
                continue;
            }
            map.lag.push_back(lags[k]);
            map.g2.push_back(g2[k * labels.size() + bin]);
            map.g2_err.push_back(err[k * labels.size() + bin]);
            map.values.values.insert(
                map.values.values.end(), row->second.begin(), row->second.end());
        }
        map.values.rows = static_cast<std::int64_t>(map.lag.size());
        map.values.cols = columns;
        out.push_back(std::move(map));
    }
    return out;
}

}  // namespace xpcs
