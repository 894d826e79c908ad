// SPDX-License-Identifier: BSD-3-Clause
// Mean scattering: image, SAXS curve, its slices in time, intensity against time. Counts are never
// normalised; all are means per analysis frame of `average` raw frames each (formats: docs).
#pragma once

#include "kernels/multitau.hpp"
#include "kernels/partition.hpp"
#include "kernels/results.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// Slices of the SAXS curve: 2^p frames each, p the smallest with floor(T / 2^p) <= 16; what is
/// left over at the end is dropped.
struct SegmentPlan {
    int n_segments = 0;
    std::int64_t frames = 0;
    std::int64_t frames_of_last = 0;  ///< the last one may take what is left over
    /// -1 for a frame that is left out.
    std::int64_t segment_of(std::int64_t frame) const {
        const std::int64_t begin_of_last = (n_segments - 1) * frames;
        if (n_segments == 0 || frame >= begin_of_last + frames_of_last) return -1;
        return frame >= begin_of_last ? n_segments - 1 : frame / frames;
    }
};
SegmentPlan plan_segments(std::int64_t n_frames);
/// Slices of a run without multi-tau analysis: 10 of floor(T / 10) frames, the last takes the rest;
/// none for T < 10.
SegmentPlan plan_twotime_segments(std::int64_t n_frames);

/// The sums that make_scattering needs, and the counts of events, of a run without multi-tau
/// analysis. `excluded` [n_kept]; threads 0 = all.
MultitauSums count_photons(const PixelSeries& series,
                           const FrameMap& frames,
                           const std::vector<std::uint8_t>& excluded,
                           const SegmentPlan& segments,
                           int threads);

/// `pixel_photons` [n_kept] and `segment_photons` [n_static][n_segments] are those of MultitauSums,
/// `frame_photons` [T] the photons of every analysis frame, `n_pixels` [n_static].
/// Throws std::invalid_argument if the sums were made for other segments.
Scattering make_scattering(const Partition& partition,
                           const MultitauSums& sums,
                           const std::vector<std::uint64_t>& frame_photons,
                           const SegmentPlan& segments,
                           std::int64_t average);

}  // namespace xpcs
