// SPDX-License-Identifier: BSD-3-Clause
// past and future of every lag with frame weights, from the events or samples of a pixel.
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

/// What the first values of a source sum to, in shared memory.
struct PrefixSums {
    double* sum;         ///< [n + 1]
    std::uint32_t* lit;  ///< [n + 1] how many of them have photons

    /// Of values [first, end); exactly 0 where there is no photon.
    __device__ double between(std::uint32_t first, std::uint32_t end) const {
        return first >= end || lit[first] == lit[end] ? 0.0 : sum[end] - sum[first];
    }
};

/// Of values [first, first + n), in a fixed order. `warp_sum` and `warp_lit` are shared, [n_warps].
template <class Source, int n_threads>
__device__ void take_prefix_sums(const Group<n_threads>& group,
                                 const Source& source,
                                 std::uint32_t first,
                                 std::uint32_t n,
                                 const PrefixSums& out,
                                 double* warp_sums,
                                 double* warp_lit) {
    double before = 0;
    std::uint32_t lit_before = 0;
    if (group.rank == 0) {
        out.sum[0] = 0;
        out.lit[0] = 0;
    }
    for (std::uint32_t base = 0; base < n; base += n_threads) {
        const std::uint32_t i = base + static_cast<std::uint32_t>(group.rank);
        double sum = i < n ? source.value(first + i) : 0.0;
        std::uint32_t lit = i < n && source.count(first + i) != 0;
        for (int step = 1; step < warp_lanes; step *= 2) {
            const double other = __shfl_up_sync(all_lanes, sum, step);
            const std::uint32_t other_lit = __shfl_up_sync(all_lanes, lit, step);
            if (group.lane < step) continue;
            sum += other;
            lit += other_lit;
        }
        if (group.lane == warp_lanes - 1) {
            warp_sums[group.warp] = sum;
            warp_lit[group.warp] = lit;
        }
        group.sync();
        double earlier = 0, all = 0;
        std::uint32_t earlier_lit = 0, all_lit = 0;
        for (int w = 0; w < group.n_warps; ++w) {
            if (w == group.warp) {
                earlier = all;
                earlier_lit = all_lit;
            }
            all += warp_sums[w];
            all_lit += static_cast<std::uint32_t>(warp_lit[w]);
        }
        if (i < n) {
            out.sum[i + 1] = before + (earlier + sum);
            out.lit[i + 1] = lit_before + earlier_lit + lit;
        }
        before += all;
        lit_before += all_lit;
        group.sync();
    }
    group.sync();
}

/// The same where every frame takes part.
template <class S, class Source, int n_threads>
__device__ void windows_without_gaps(const Group<n_threads>& group,
                                     const Source& source,
                                     const StretchView& stretch,
                                     const S& scratch,
                                     double* past_out,
                                     double* future_out) {
    constexpr std::uint32_t chunk = S::window / 2;
    const PrefixSums prefix{scratch.blocks,
                            reinterpret_cast<std::uint32_t*>(scratch.blocks + chunk + 1)};
    const std::uint32_t n = source.size();
    for (std::uint32_t first = 0; first == 0 || first < n; first += chunk) {
        const std::uint32_t size = n - first < chunk ? n - first : chunk;
        take_prefix_sums(group, source, first, size, prefix, scratch.partial, scratch.edge_partial);
        const auto place = [&](std::int64_t frame) {
            const std::uint32_t at = source.before(frame);
            return at < first ? 0 : at - first < size ? at - first : size;
        };
        for (int lag = group.rank; lag < stretch.n_lags; lag += n_threads) {
            const int level = core::lag_level(lag);
            const std::int64_t blocks = core::lag_blocks(lag);
            const std::int64_t n_blocks = stretch.n_frames >> level;
            const double past = prefix.between(0, place((n_blocks - blocks) << level));
            const double future = prefix.between(place(blocks << level), place(n_blocks << level));
            past_out[lag] = first == 0 ? past : past_out[lag] + past;
            future_out[lag] = first == 0 ? future : future_out[lag] + future;
        }
        group.sync();
    }
}

template <class S, class Source, int n_threads>
__device__ void weighted_windows(const Group<n_threads>& group,
                                 const Source& source,
                                 const StretchView& stretch,
                                 const S& scratch,
                                 double* past_out,
                                 double* future_out) {
    if (stretch.taken == nullptr) {
        windows_without_gaps(group, source, stretch, scratch, past_out, future_out);
    } else {
        windows_with_gaps(group, source, stretch, scratch, past_out, future_out);
    }
}

}  // namespace xpcs::gpu
