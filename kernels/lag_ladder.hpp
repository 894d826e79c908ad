// SPDX-License-Identifier: BSD-3-Clause
// The delays of a multi-tau run.
//
// Level 0 has the lags 1..8; level l >= 1 has x = 5..8 blocks of 2^l frames, lag x * 2^l, and
// exists while x < M_l = floor(T / 2^l); the first lag that fails ends the ladder. A lag has n =
// M_l - x pairs. For T < 5 only lags < T exist. Source: multi-tau scheme of K. Schaetzel, Quantum
// Optics 2, 287 (1990), with 4 lags per level.
#pragma once

#include <cstdint>
#include <vector>

namespace xpcs {

struct Lag {
    int level = 0;             ///< blocks of 2^level frames
    int blocks = 0;            ///< x: lag in blocks of this level, 1..8
    std::int64_t frames = 0;   ///< x * 2^level
    std::int64_t n_pairs = 0;  ///< floor(T / 2^level) - x
};

struct LagLadder {
    static constexpr int max_levels = 40;
    static constexpr int lags_per_level = 4;

    std::int64_t n_frames = 0;
    int n_levels = 0;
    std::vector<Lag> lags;  ///< ascending in `frames`

    std::int64_t n_blocks(int level) const { return n_frames >> level; }
    int n_lags() const { return static_cast<int>(lags.size()); }
};

/// Ladder of a run of `n_frames` frames. Throws std::invalid_argument for n_frames < 2.
LagLadder make_lag_ladder(std::int64_t n_frames);

}  // namespace xpcs
