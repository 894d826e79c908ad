// SPDX-License-Identifier: BSD-3-Clause
// What the kernels hand to the result file. All arrays are C order, slowest axis first.
#pragma once

#include "kernels/lag_ladder.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// One-time correlation of every dynamic bin.
/// g2(tau) = mean over static bins s of <G2>_s / (<past>_s <future>_s); bins without signal are
/// left out; NaN where none is left. g2_err = standard deviation (ddof 1) over the pixels with
/// signal of G2/(past future), divided by the square root of their number; NaN for fewer than two.
struct OneTime {
    LagLadder ladder;
    std::vector<double> pairs;                        ///< [n_lags] less those of frames left out
    std::vector<double> g2;                           ///< [n_lags][n_dynamic]
    std::vector<double> g2_err;                       ///< [n_lags][n_dynamic]
    std::vector<std::int64_t> static_without_signal;  ///< [n_lags] static bins left out
    std::vector<std::int64_t> pixels_without_signal;  ///< [n_lags] pixels left out of g2_err
};

/// g2 of N consecutive slices of the run on one common list of lags, NaN where a slice is too
/// short.
struct PartialG2 {
    std::vector<double> g2;               ///< [n_segments][n_lags][n_dynamic]
    std::vector<double> g2_err;           ///< same
    std::vector<std::int64_t> end_frame;  ///< [n_segments] first frame of the next segment
};

/// Counts, before any normalisation. Means are per frame (of `averaged` raw frames each).
struct Scattering {
    std::vector<double> saxs_2d;           ///< [rows * cols] mean counts per frame, 0 if not kept
    std::vector<double> saxs_1d;           ///< [n_static] mean over the bin, NaN if it has no pixel
    std::vector<double> saxs_1d_segments;  ///< [n_segments][n_static]
    std::int64_t n_segments = 0;
    std::vector<double> intensity;  ///< [n_frames] mean counts per kept pixel
};

}  // namespace xpcs
