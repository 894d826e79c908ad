// SPDX-License-Identifier: BSD-3-Clause
// From the sums of single pixels to those of the bins, on the device.
#pragma once

#include "kernels/cuda_support.cuh"
#include "kernels/multitau_pixel_gpu.cuh"

#include <cstdint>

namespace xpcs::gpu {

/// The pixels of a batch, tile by tile and in each tile bin by bin, ascending.
struct PixelGroups {
    std::uint32_t n = 0;
    const std::uint32_t* begin = nullptr;  ///< [n + 1] into slots
    const std::uint32_t* slots = nullptr;
    const std::uint32_t* bin = nullptr;  ///< [n]
};

/// Adds counts to bins[3][n_static][n_lags][2] (G2, past, future; low and high word). Exact.
void add_to_bins(const PixelGroups& groups,
                 const PixelSums& sums,
                 int n_lags,
                 std::uint32_t n_static,
                 std::uint64_t* bins,
                 const Stream& stream);

/// With weights: out[group][3][n_lags], each group added up in the order of its pixels.
void sum_weighted(const PixelGroups& groups,
                  const PixelSums& sums,
                  int n_lags,
                  double* out,
                  const Stream& stream);

/// Sum and sum of squares of g2 of the pixels with signal: out[group][2][n_lags], in the order of
/// the pixels; their number is added to n_signal[n_dynamic][n_lags].
void sum_ratios(const PixelGroups& groups,
                const PixelSums& sums,
                const double* pairs,
                int n_lags,
                bool weighted,
                double* out,
                std::uint64_t* n_signal,
                const Stream& stream);

/// Means of every pixel: out[3][n_lags][n_slots] (G2, past, future).
void pixel_means(const PixelSums& sums,
                 const double* pairs,
                 int n_lags,
                 std::uint32_t n_slots,
                 bool weighted,
                 float* out,
                 const Stream& stream);

}  // namespace xpcs::gpu
