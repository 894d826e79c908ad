// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic that the CPU and GPU twins of `multitau` share: which lags a pair of events feeds,
// from which level a pixel counts as dense, where the ladder's lags stand.
#pragma once

#include "kernels/hd.hpp"
#include "kernels/lag_ladder.hpp"

#include <cstdint>

namespace xpcs::multitau_core {

/// First lag of level `level` in LagLadder::lags: level 0 has x = 1..8, the others x = 5..8.
XPCS_HD inline int first_lag(int level) {
    return level == 0 ? 0 : 4 + 4 * level;
}
/// Smallest x of a level.
XPCS_HD inline int first_blocks(int level) {
    return level == 0 ? 1 : 5;
}
/// Lags of a level that the ladder has (the last level may be cut).
XPCS_HD inline int lags_in_level(int level, int n_lags) {
    const int full = level == 0 ? 8 : 4;
    const int there = n_lags - first_lag(level);
    return there < full ? (there < 0 ? 0 : there) : full;
}

/// Number of bits of d, 0 for 0.
XPCS_HD inline int bit_width(std::uint32_t d) {
#if defined(__CUDA_ARCH__)
    return 32 - __clz(static_cast<int>(d));
#else
    return d == 0 ? 0 : 32 - __builtin_clz(d);
#endif
}

/// A pair of events at frames t0 <= t1 feeds at most two lags. With d = t1 - t0 of b bits, d >>
/// (b-3) is 4..7, so on level b-3 the blocks are 4..8 apart; on level b-4 they are 8..16 apart, of
/// which only 8 is a lag. Slots that are no lag (0; 4 above level 0; above 8) are collected and
/// ignored.
struct PairSlots {
    int level_a, blocks_a;
    int level_b, blocks_b;  ///< level_b = -1: none
};

XPCS_HD inline PairSlots pair_slots(std::uint32_t t0, std::uint32_t t1) {
    const int bits = bit_width(t1 - t0);
    PairSlots slots;
    slots.level_a = bits > 3 ? bits - 3 : 0;
    slots.blocks_a = static_cast<int>((t1 >> slots.level_a) - (t0 >> slots.level_a));
    slots.level_b = slots.level_a - 1;
    const int shift = slots.level_b > 0 ? slots.level_b : 0;
    slots.blocks_b = static_cast<int>((t1 >> shift) - (t0 >> shift));
    return slots;
}

/// Pairs further apart than this feed no level below `dense_level`: blocks <= 8 on level
/// dense_level - 1.
XPCS_HD inline std::uint64_t pair_reach(int dense_level) {
    return dense_level == 0 ? 0 : std::uint64_t{9} << (dense_level - 1);
}

/// The level from which a pixel of n events in T frames is correlated as a dense array; below it,
/// pair by pair. `neighbours` is the mean number of events within reach at which dense pays
/// (measured; see docs/performance.md). Small pixels never pay for an array.
XPCS_HD inline int choose_dense_level(std::int64_t n_events,
                                      std::int64_t n_frames,
                                      int n_levels,
                                      double neighbours,
                                      std::int64_t all_pairs_below) {
    if (n_events <= all_pairs_below) return n_levels;
    double expected = 9.0 * static_cast<double>(n_events) / static_cast<double>(n_frames);
    int level = 0;
    while (level < n_levels && expected < neighbours) {
        expected *= 2;
        ++level;
    }
    return level;
}

}  // namespace xpcs::multitau_core
