// SPDX-License-Identifier: BSD-3-Clause
// past and future of every lag with frame weights where frames are left out.
#pragma once

#include "kernels/multitau_core.hpp"
#include "kernels/multitau_group.cuh"
#include "kernels/multitau_shape.cuh"
#include "kernels/multitau_source.cuh"

#include <cstdint>

namespace xpcs::gpu {

/// past and future of every lag where frames are left out: each event counts with the share of
/// frames of its partner block that take part. Exactly 0 where no photon lies in the window.
template <class S, class Source, int n_threads>
__device__ void windows_with_gaps(const Group<n_threads>& group,
                                  const Source& source,
                                  const StretchView& stretch,
                                  const S& scratch,
                                  double* past_out,
                                  double* future_out) {
    const std::uint32_t n = source.size();
    const std::uint32_t part = (n + group.n_warps - 1) / group.n_warps;
    const std::uint32_t begin = static_cast<std::uint32_t>(group.warp) * part;
    const std::uint32_t end = begin + part < n ? begin + part : n;
    double* partial = scratch.G2 + group.warp * 2 * stretch.n_lags;
    for (int lag = group.lane; lag < stretch.n_lags; lag += warp_lanes) {
        const int level = core::lag_level(lag);
        const std::int64_t blocks = core::lag_blocks(lag);
        const std::int64_t n_blocks = stretch.n_frames >> level;
        const std::uint32_t* taken = stretch.taken + stretch.taken_begin[level];
        double past = 0, future = 0;
        for (std::uint32_t i = begin; i < end; ++i) {
            const std::int64_t block = source.frame(i) >> level;
            if (block >= n_blocks) break;
            const double v = source.value(i);
            if (block + blocks < n_blocks) past += v * taken[block + blocks];
            if (block >= blocks) future += v * taken[block - blocks];
        }
        const double share = 1.0 / static_cast<double>(std::int64_t{1} << level);
        partial[2 * lag] = past * share;
        partial[2 * lag + 1] = future * share;
    }
    group.sync();
    for (int lag = group.rank; lag < stretch.n_lags; lag += n_threads) {
        double past = 0, future = 0;
        for (int w = 0; w < group.n_warps; ++w) {
            past += scratch.G2[w * 2 * stretch.n_lags + 2 * lag];
            future += scratch.G2[w * 2 * stretch.n_lags + 2 * lag + 1];
        }
        past_out[lag] = past;
        future_out[lag] = future;
    }
    group.sync();
}

}  // namespace xpcs::gpu
