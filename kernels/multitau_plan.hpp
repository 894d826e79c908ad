// SPDX-License-Identifier: BSD-3-Clause
// What both twins of `multitau` prepare before the first pixel: ladders of the whole run and of its
// slices, pairs left over by weights, empty sums.
#pragma once

#include "kernels/multitau.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// One stretch of analysis frames with a ladder of its own: the whole run, or a slice of it.
struct Stretch {
    LagLadder ladder;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::vector<double> pairs;  ///< [n_lags]
    std::vector<std::vector<std::uint32_t>>
        taken;  ///< [level][block], empty if no frame is left out
};

/// The whole run first, then the slices; `partial_begin` gets the n_partial + 1 slice bounds.
std::vector<Stretch> make_stretches(const MultitauRequest& request,
                                    std::vector<std::int64_t>& partial_begin);

/// Zero sums of the tiles of a series, pixels counted.
BinSums
empty_sums(const PixelSeries& series, const MultitauRequest& request, const Stretch& stretch);

/// Frames of the series must be selected or renumbered to become those of the analysis.
bool maps_frames(const PixelSeries& series, const MultitauRequest& request);

inline bool is_excluded(const MultitauRequest& request, std::int64_t slot) {
    return request.excluded != nullptr && !request.excluded->empty() &&
           (*request.excluded)[static_cast<std::size_t>(slot)] != 0;
}

}  // namespace xpcs
