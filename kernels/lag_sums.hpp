// SPDX-License-Identifier: BSD-3-Clause
// The raw sums of one pixel over the lag ladder.
//
// With B_j the photons in block j of 2^l frames (M_l = floor(T / 2^l) blocks) and a lag of x
// blocks:
//   G2   = sum_{j=0}^{M_l-x-1} B_j B_{j+x}
//   past = sum_{j=0}^{M_l-x-1} B_j      = total_l - tail     (IP, the earlier frames)
//   future = sum_{j=x}^{M_l-1} B_j      = total_l - head     (IF, the later frames)
// head and tail are the photons in the first and last x blocks, so no second pass over the data is
// needed. For photon counts all are integers and exact: the order of addition never shows.
#pragma once

#include "kernels/hd.hpp"
#include "kernels/lag_ladder.hpp"

#include <cstdint>

namespace xpcs {

/// G2 of a pixel stays below 2^63 while its counts sum to less than this (Cauchy: G2 <= total^2).
/// Above, the high half of G2 is kept as well.
constexpr std::uint64_t narrow_total_limit = 3'000'000'000ULL;

constexpr int max_lags = 8 + 4 * (LagLadder::max_levels - 1);

/// Sums of one pixel's counts; lag i is LagLadder::lags[i].
struct LagSums {
    std::uint64_t G2[max_lags];
    std::uint64_t head[max_lags];
    std::uint64_t tail[max_lags];
    std::uint64_t total[LagLadder::max_levels];  ///< photons in the first M_l blocks of level l
    std::uint64_t G2_high[max_lags];             ///< bits 64..127 of G2, valid if `wide`
    bool wide;

    uint128 G2_full(int lag) const {
        return (wide ? uint128{G2_high[lag]} << 64 : uint128{0}) + G2[lag];
    }
};

/// Sums of one pixel whose frames carry weights.
struct WeightedLagSums {
    double G2[max_lags];
    double past[max_lags];  ///< exactly 0 where no photon fell into the earlier frames
    double future[max_lags];
};

}  // namespace xpcs
