// SPDX-License-Identifier: BSD-3-Clause
// The right answer of a benchmark set: g2 of its checked bin, by definition, in float64. Multi-tau:
//
//   B_j = sum of 2^l frames of I(t),  I(t) = counts, or counts <S> / S_t with frame normalisation
//   g2(lag x 2^l) = mean over static bins of <G2> / (<IP> <IF>), each a mean over pixels and pairs
//
// Two-time (-s sqmap) and multi-tau two-time (no smoothing, lags of the first level):
//
//   C(t, t+k) = N sum_p x(t,p) x(t+k,p) / (sum_p x(t,p) sum_p x(t+k,p)),   g2(k) = mean over t
//   x = counts over the mean of their static bin in that frame | counts
//
// Written down from docs/numerics.md alone: it shares no arithmetic with the kernels.
#pragma once

#include "host/benchmark_data.hpp"

#include <string>
#include <vector>

namespace xpcs {

struct DirectCurve {
    std::vector<std::int64_t> lag;  ///< frames
    std::vector<double> g2;
};

/// Throws Error (internal) if frames are to be normalised and one has no photon.
DirectCurve direct_g2(const BenchmarkTruth& truth, bool normalize_frame);

/// Lags 1, 2, 4, ... below `largest`; frames without a count in the bin are left out.
DirectCurve direct_twotime(const BenchmarkTruth& truth, bool smooth, std::int64_t largest);

/// What `set` should give.
DirectCurve direct_curve(const BenchmarkSet& set, const BenchmarkTruth& truth);

/// Largest relative difference of the last dynamic bin of a result from `direct`. Throws Error
/// (data) naming the lag where it exceeds 2e-6 (g2 is stored with 24 bits), where the lags differ,
/// or where `events_kept` is not the number of events made.
double check_result(const std::string& result,
                    BenchmarkAnalysis analysis,
                    const DirectCurve& direct,
                    std::int64_t events_kept,
                    const BenchmarkTruth& truth);

}  // namespace xpcs
