// SPDX-License-Identifier: BSD-3-Clause
// The sums of every pixel of a batch over the lag ladder of one stretch of frames.
#pragma once

#include "kernels/cuda_support.cuh"
#include "kernels/series_gpu.cuh"

#include <cstdint>

namespace xpcs::gpu {

/// One stretch of analysis frames as the kernels see it.
struct StretchView {
    std::int64_t begin = 0;
    std::int64_t n_frames = 0;
    int n_levels = 0;
    int n_lags = 0;
    double neighbours = 0;           ///< see multitau_core::choose_dense_level
    const double* weight = nullptr;  ///< [n_frames] null: plain counts
    /// Frames that take part, level after level, blocks of 2^level; null if no frame is left out.
    const std::uint32_t* taken = nullptr;
    const std::uint64_t* taken_begin = nullptr;  ///< [n_levels] where a level starts in `taken`
};

/// The sums of every pixel; zero where it has no photons in the stretch. Counts are 64-bit
/// integers; with weights the same words hold doubles.
struct PixelSums {
    std::uint64_t* G2 = nullptr;  ///< [n_slots][n_lags]
    std::uint64_t* past = nullptr;
    std::uint64_t* future = nullptr;
    std::uint64_t* G2_high = nullptr;     ///< [wide pixels][n_lags] bits 64..127
    std::uint32_t* wide_place = nullptr;  ///< [n_slots] 1 + row of G2_high, 0 for all others
};

/// Pixels by the way they are correlated, filled on the device. The order inside a list may differ
/// from run to run; no sum depends on it.
struct WorkLists {
    /// Of a warp and of a block, of a block for more than small_total_limit plain counts, and for
    /// more than narrow_total_limit.
    static constexpr int warp = 0, block = 1, large = 2, wide = 3, n_lists = 4;
    std::uint32_t* slots = nullptr;     ///< [n_lists][n_slots]
    std::uint32_t* counters = nullptr;  ///< [2 n_lists] lengths, then how many have been taken
};

/// Clears `sums`, sorts the pixels into `lists` and correlates them. `blocks_hint` is the number of
/// multiprocessors of the device.
void correlate_pixels(const SeriesView& series,
                      const StretchView& stretch,
                      const WorkLists& lists,
                      const PixelSums& sums,
                      std::size_t wide_capacity,
                      int n_multiprocessors,
                      const Stream& stream);

}  // namespace xpcs::gpu
