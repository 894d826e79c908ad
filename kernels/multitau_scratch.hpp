// SPDX-License-Identifier: BSD-3-Clause
// Buffers that one thread of the CPU twin reuses from pixel to pixel.
#pragma once

#include "kernels/array.hpp"
#include "kernels/lag_ladder.hpp"

#include <cstdint>

namespace xpcs {

/// Pair sums per level are collected by blocks apart, 0..16, of which 1..8 or 5..8 are lags.
constexpr int slots_per_level = 32;

struct PixelScratch {
    RawVector<std::int16_t> blocks;
    RawVector<std::uint64_t> wide_blocks;
    RawVector<double> real_blocks;
    RawVector<double> prefix;
    RawVector<std::uint32_t> hit;
    std::uint64_t slot_sums[(LagLadder::max_levels + 2) * slots_per_level];
    double slot_sums_real[(LagLadder::max_levels + 2) * slots_per_level];
};

}  // namespace xpcs
