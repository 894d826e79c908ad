// SPDX-License-Identifier: BSD-3-Clause
// From sums over static bins to g2 and its error.
//
//   g2_s = n N_s G2_s / (past_s future_s)     G2_s, past_s, future_s: sums over the N_s pixels of s
//   g2_d = mean of g2_s over the static bins s of d with past_s future_s > 0, NaN if there is none
//   g2_err_d = sqrt(var(g2_p) / N)            g2_p = n G2_p / (past_p future_p) of the N pixels of
//   d
//              with signal, var with N - 1; NaN for N < 2
// Both twins share it; deterministic.
#pragma once

#include "kernels/multitau.hpp"
#include "kernels/partition.hpp"
#include "kernels/results.hpp"

#include <vector>

namespace xpcs {

OneTime reduce(const BinSums& sums, const Partition& partition);

/// g2_s, [n_static][n_lags]; NaN without pixels, without signal or outside every dynamic bin.
std::vector<double> static_g2(const BinSums& sums, const Partition& partition);

/// Partial curves on the lags of `whole`, NaN where a slice is too short for a lag.
PartialG2 reduce_partial(const MultitauSums& sums, const Partition& partition);

}  // namespace xpcs
