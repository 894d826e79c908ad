// SPDX-License-Identifier: BSD-3-Clause
// What the squares of a two-time map share, and what a thread holds while it makes one.
#pragma once

#include "kernels/twotime_blocks.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// Pixels that the dense engine spreads into matrices at a time, and those whose products it adds
/// up in single precision. Equal counts make equal products, which round the same way: 64 of them
/// are off by at most 64 * 6e-8 / 2.
constexpr std::int64_t twotime_pixels_at_once = 256;
constexpr std::int64_t twotime_single_pixels = 64;

struct TwotimeJob {
    TwotimeBlocks blocks;
    std::int64_t segment_frames = 0;
    std::vector<double> inverse;         ///< [T] 1 / sum of x, 0 for an empty frame
    std::vector<double> inverse_or_nan;  ///< [T] the same, NaN for an empty frame
};

struct TwotimeScratch {
    std::vector<double> sums;  ///< [256 and padding][256]
    std::vector<float> map;    ///< [side][side]
    RawVector<float> a, b;
};

/// Sums of C of one square along its diagonals; index side + column - row.
struct TwotimeTileSums {
    std::vector<double> diagonal;  ///< [2 side]
    std::vector<double> segment;   ///< [5][2 side], or empty where no segment is touched
};

}  // namespace xpcs
