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
};
SegmentPlan plan_segments(std::int64_t n_frames);

/// `pixel_photons` [n_kept] and `segment_photons` [n_static][n_segments] are those of MultitauSums,
/// `frame_photons` [T] the photons of every analysis frame, `n_pixels` [n_static].
/// Throws std::invalid_argument if the sums were made for other segments.
Scattering make_scattering(const Partition& partition,
                           const MultitauSums& sums,
                           const std::vector<std::uint64_t>& frame_photons,
                           const SegmentPlan& segments,
                           std::int64_t average);

}  // namespace xpcs
