// SPDX-License-Identifier: BSD-3-Clause
// What both engines and both devices of two-time correlation share: the factors a(t, s) that turn
// counts into x, and the step from sums along diagonals to their means.
#pragma once

#include "kernels/bin_events.hpp"
#include "kernels/twotime.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// The static bins s of a dynamic bin, numbered from 0, and what their counts are multiplied by.
struct TwotimeFactors {
    std::vector<std::uint32_t> bin_of_pixel;  ///< [n_pixels]
    std::vector<std::vector<double>> factor;  ///< [n_bins][T] a(t, s); any value without counts
    std::vector<double> sum;                  ///< [T] of x over the pixels; 0 for an empty frame
};

/// Sets the counts of `about` as well.
TwotimeFactors make_factors(const BinEvents& events,
                            const Partition& partition,
                            std::int64_t n_frames,
                            TwotimeSmooth smooth,
                            TwotimeBin& about);

/// Sums of C along the diagonals (g2 and g2_segments of `bin`) to means over the pairs of frames
/// that both have counts; NaN where there is none. `sum` as in TwotimeFactors.
void divide_by_pairs(const std::vector<double>& sum, TwotimeBin& bin);

}  // namespace xpcs
