// SPDX-License-Identifier: BSD-3-Clause
// Errors of g2 beside the compatible one of `reduce`. With g_s of static bin s, n_s the number of
// static bins with signal in dynamic bin d, N_s the pixels of s, and G, P, F the means over time of
// a pixel (G2, past, future), <> the mean over the pixels of s:
//
//   static scatter  sqrt( sum_s (g_s - g_d)^2 / (n_s - 1) / n_s )             NaN for n_s < 5
//   delta           sqrt( sum_s Var_p(r_p) / N_s ) / n_s                      NaN for an N_s < 2
//                   r_p = (G_p - g_s (F_p <P> + P_p <F> - <P> <F>)) / (<P> <F>)
//   shot noise      sqrt( sum_s g_s / (I_s^2 n N_s) ) / n_s                   I_s: counts per pixel
//                                                                             and block, n: pairs
//
// Static scatter asks the same estimator on independent parts. Delta is the linearised error of a
// ratio of means (Var with N_s - 1), well behaved where most pixels are empty; it takes pixels to
// be independent, so it is too small where a speckle covers several. Shot noise is what Poisson
// counts without any fluctuation give, a lower bound for comparison (D. Lumma et al., Rev. Sci.
// Instrum. 71, 3274 (2000), for the sparse limit).
//
// Deterministic: pixels are added up in their order. Cost: 9 sums per pixel and lag.
#pragma once

#include "kernels/partition.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

struct BinSums;
struct PixelMeans;

/// All [n_lags][n_dynamic].
struct ErrorEstimates {
    std::vector<double> static_scatter, delta, shot_noise;
};

/// First and second moments of (G, P, F) over the pixels of every static bin.
class PixelMoments {
  public:
    PixelMoments(const Partition& partition, int n_lags);

    /// The pixels of one tile; call in ascending order of tiles. `excluded` [n_kept] pixels take no
    /// part. `scale` is what one count is in the sums (1 unless samples are scaled).
    void
    add(const PixelMeans& means, const std::vector<std::uint8_t>& excluded, double scale = 1.0);

    /// Of a static bin and lag; means are per frame.
    struct Moments {
        std::int64_t n = 0;
        double mean[3] = {};        ///< G, P, F
        double covariance[6] = {};  ///< GG GP GF PP PF FF, with n - 1; NaN for n < 2
    };
    Moments of(std::uint32_t static_bin, int lag) const;

  private:
    static constexpr std::size_t n_values = 12;  ///< shift [3], sums [3], products [6]
    const Partition* partition_;
    std::size_t n_lags_;
    std::vector<std::int64_t> n_;  ///< [n_static]
    std::vector<double> sums_;     ///< [n_static][n_lags][n_values]
};

ErrorEstimates
estimate_errors(const BinSums& sums, const Partition& partition, const PixelMoments& moments);

}  // namespace xpcs
