// SPDX-License-Identifier: BSD-3-Clause
// Which of several repeats of one measurement belong together: a judgement in two passes.
//
// With m the median curve of the repeats, w = 1 / median(err^2) and sums over lags and bins, each
// bin about its own weighted mean over the lags (d = value - mean):
//   shape     = sum w dg dm / sqrt(sum w dg^2 sum w dm^2)     correlation of the curve with m
//   amplitude = sum w dg dm / sum w dm^2                      contrast relative to m
//   offset    = sum w (g - m) / sum w                         shift of the whole curve
// Pass 1 drops repeats whose shape is below shape_limit times the median shape; it is left out
// where m itself does not stand out of the noise. Pass 2, among what is left and with their own
// median curve, drops repeats whose amplitude or offset has a robust z = (x - median) / scale
// beyond z_limit; scale is the larger of 1.4826 times the median absolute deviation and the
// statistical error of x. Without at least three repeats a pass is left out: of two, nothing tells
// which is wrong.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace xpcs {

/// One-time curves of a repeat, [n_lags][n_bins] in C order; NaN where there is no value.
struct RepeatCurves {
    std::vector<double> g2;
    std::vector<double> err;  ///< the same shape, or empty: all weights are 1
};

struct RepeatLimits {
    double shape = 0.7;  ///< of the median shape; 0 leaves pass 1 out
    double z = 3.5;      ///< 0 leaves pass 2 out
};

struct RepeatVerdict {
    bool kept = true;
    std::string reason;  ///< why not kept
    double shape = std::numeric_limits<double>::quiet_NaN();
    double amplitude = std::numeric_limits<double>::quiet_NaN();
    double offset = std::numeric_limits<double>::quiet_NaN();
    double z_amplitude = std::numeric_limits<double>::quiet_NaN();
    double z_offset = std::numeric_limits<double>::quiet_NaN();
};

struct RepeatJudgement {
    std::vector<RepeatVerdict> verdicts;  ///< one per repeat, in order
    std::vector<std::string> notes;       ///< what was left out, and why
};

/// All repeats have one shape. A repeat without any value that others have is dropped always.
/// Deterministic; does not throw for any values.
RepeatJudgement
judge_repeats(const std::vector<RepeatCurves>& repeats, std::size_t n_bins, RepeatLimits limits);

/// Median of the finite values, the mean of the middle two for an even number; NaN for none.
double median_of(std::vector<double> values);

}  // namespace xpcs
