// SPDX-License-Identifier: BSD-3-Clause
// Parts of the result reader: groups of named values, two-time maps, and the older layout.
#pragma once

#include "host/result_reader.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

/// Scalars, strings and lists of at most 1000 elements below `path`, at most 10 000 of them, not
/// deeper than 8 groups; empty if the group is missing. What cannot be read is left out.
std::vector<NamedValue> read_group(hid_t file, const std::string& path);

/// See ResultReader::twotime_map. The file holds the upper triangle, or (older) the full map.
Matrix read_averaged_map(hid_t file, const std::string& path, std::int64_t largest_side);

/// Fills data.two_time and the paths of the maps.
void read_two_time(hid_t file, ResultData& data, std::vector<std::string>& map_paths);

/// G2, IP and IF of every pixel of a result (open as `file`, called `result`): inside, then behind
/// a link, then in `<stem>_G2.hdf` beside it; an empty path if nowhere.
DatasetPlace find_unnormalized(hid_t file, const std::string& result);

/// Where the older layout keeps what the present one calls otherwise.
struct ExchangePaths {
    std::string tau, g2, g2_err, pixel_sum, frame_sum, mean_total, mean_partial, maps;
    std::string frame_time, start_time;
};
ExchangePaths exchange_paths(hid_t file);
QMap exchange_bins(hid_t file);
void read_exchange_maps(hid_t file,
                        const ExchangePaths& paths,
                        ResultData& data,
                        std::vector<std::string>& map_paths);

}  // namespace xpcs
