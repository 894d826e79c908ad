// SPDX-License-Identifier: BSD-3-Clause
// Pixels that count far more than their neighbours in q.
//
// Rule, for every static bin: m = median of the photons of its pixels, s = max(1.4826 median|x -
// m|, sqrt(m), 1). A pixel is hot if x > m + threshold * s. Median and median deviation are blind
// to the outliers themselves as long as these are fewer than half of the bin; sqrt(m) is the shot
// noise. With the default of 20 even static speckle of full contrast (exponentially distributed
// intensity, s = 0.7 mean) makes a false alarm of one pixel in 3e6 only. Bins of fewer than 5
// pixels have no outliers. Deterministic. Source of the estimator: F. R. Hampel, J. Am. Stat.
// Assoc. 69, 383 (1974).
#pragma once

#include "kernels/partition.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

constexpr double hot_threshold = 20;

/// `photons` [n_kept]; pixels marked in `excluded` [n_kept] (or empty) take no part.
/// Returns the kept pixels (slots) that are hot, ascending.
std::vector<std::uint32_t> find_hot_pixels(const Partition& partition,
                                           const std::vector<std::uint64_t>& photons,
                                           const std::vector<std::uint8_t>& excluded,
                                           double threshold = hot_threshold);

}  // namespace xpcs
