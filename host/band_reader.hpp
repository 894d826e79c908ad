// SPDX-License-Identifier: BSD-3-Clause
// Reads the two-time correlation whose resolution falls with the lag (/xpcs/twotime_multitau), as a
// map of lag against age.
#pragma once

#include "host/result_reader.hpp"

namespace xpcs {

/// One bin. Age is the middle of a pair of frames.
struct BandMap {
    std::int64_t label = 0;          ///< dynamic label
    std::vector<std::int64_t> lag;   ///< [rows] frames, ascending
    std::vector<double> g2, g2_err;  ///< [rows] mean over the ages
    double age_step = 1;             ///< frames of a column
    Matrix values;                   ///< [rows][columns]; NaN where no pair of frames has a value
};

/// At most `most_bins` bins, spread evenly, at most `columns` ages each. Empty if the file has no
/// such group. Throws Error (data) for one that contradicts itself.
std::vector<BandMap>
read_band(const std::string& path, std::size_t most_bins, std::int64_t columns = 400);

}  // namespace xpcs
