// SPDX-License-Identifier: BSD-3-Clause
// What the passes over a file add up to, and what the run says about it.
#pragma once

#include "host/band_writer.hpp"
#include "host/run_setup.hpp"
#include "kernels/error_estimates.hpp"
#include "kernels/multitau.hpp"
#include "kernels/pixel_series.hpp"
#include "kernels/scattering.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace xpcs {

/// What the passes over the file add up to.
struct Gathered {
    MultitauSums sums;
    std::vector<std::uint64_t> frame_photons;  ///< [T] of the analysis frames
    std::vector<std::uint8_t> excluded;        ///< [n_kept] pixels left out of everything
    std::vector<std::uint8_t> masked_hot;      ///< [n_kept] of these, by --mask-hot; else empty
    SeriesCounts series;
    std::int64_t excluded_events = 0;     ///< on excluded pixels
    std::int64_t left_out_samples = 0;    ///< lit, of rows, in frames that the analysis leaves out
    std::int64_t extra_records_used = 0;  ///< of large counts, among the records of `sums`
    SegmentPlan segments;
    std::optional<BandWriter> bands;
    std::optional<PixelMoments> moments;  ///< with --errors
    bool first_pass = true;
};

/// Samples of a corrected detector as counts, rounded.
std::vector<std::uint64_t> counts_of(std::vector<std::uint64_t> samples, std::int64_t scale);

/// Fills the counts of the result, and warns where they tell of trouble.
void judge_counts(RunSetup& setup, const Gathered& all);

/// Outliers of their static bin, and the dynamic bins that one pixel dominates.
void report_hot_pixels(RunSetup& setup, const Gathered& all);

/// The q-map in the result is the one that was used: without the pixels that --mask-hot took out.
void unmask_in_qmap(RunSetup& setup, const Gathered& all);

}  // namespace xpcs
