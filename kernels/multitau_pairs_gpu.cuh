// SPDX-License-Identifier: BSD-3-Clause
// G2 of the lags below the level from which a pixel counts as dense, pair of events by pair.
#pragma once

#include "kernels/multitau_core.hpp"
#include "kernels/multitau_group.cuh"
#include "kernels/multitau_shape.cuh"
#include "kernels/multitau_source.cuh"

#include <cstdint>

namespace xpcs::gpu {

/// Into scratch.G2. Integer sums: atomics, in any order.
template <class Kind, class Shape>
__device__ void add_pairs(const Group<Shape::threads>& group,
                          const EventSource& source,
                          const StretchView& stretch,
                          int dense_level,
                          const Scratch<Kind, Shape>& scratch) {
    const std::uint64_t reach = core::pair_reach(dense_level);
    const std::uint32_t n = source.size();
    for (auto i = static_cast<std::uint32_t>(group.rank); i + 1 < n; i += Shape::threads) {
        const std::uint32_t t0 = source.frame(i);
        const typename Kind::Sum c0 = source.count(i);
        for (std::uint32_t j = i + 1; j < n; ++j) {
            const std::uint32_t t1 = source.frame(j);
            if (t1 - t0 >= reach) break;
            const core::PairLags lags =
                core::pair_lags(t0, t1, stretch.n_frames, stretch.n_lags, dense_level);
            const typename Kind::Sum product = c0 * source.count(j);
            if (lags.a >= 0) add_atomic(scratch.G2 + lags.a, product);
            if (lags.b >= 0) add_atomic(scratch.G2 + lags.b, product);
        }
    }
}

/// Sums per lag that a warp adds to, [n_lags + 1][columns] in shared memory. Lanes that share a
/// column take turns, so that every sum is taken in the same order in every run. The row behind the
/// lags takes what is no lag.
struct LagColumns {
    double* sums;
    int n_lags;
    int columns;  ///< a power of two

    /// As many columns as `room` doubles hold.
    __device__ LagColumns(double* at, int room, int lags)
        : sums(at), n_lags(lags), columns(warp_lanes) {
        while (columns > 1 && columns * (n_lags + 1) > room)
            columns /= 2;
    }
    __device__ void clear(int lane) const {
        for (int i = lane; i < columns * (n_lags + 1); i += warp_lanes)
            sums[i] = 0;
        __syncwarp();
    }
    /// All lanes call it; a and b are different lags, or negative.
    __device__ void add(core::PairLags lags, double product, int lane) const {
        double* column = sums + lane % columns;
        double* a = column + (lags.a < 0 ? n_lags : lags.a) * columns;
        double* b = column + (lags.b < 0 ? n_lags : lags.b) * columns;
        for (int turn = 0; turn < warp_lanes; turn += columns) {
            if (lane / columns * columns == turn) {
                *a += product;
                *b += product;
            }
            __syncwarp();
        }
    }
    __device__ double sum(int lag) const {
        double all = 0;
        for (int c = 0; c < columns; ++c)
            all += sums[lag * columns + c];
        return all;
    }
};

/// With weights, what is below dense_level of the ladder's lags; past and future unless null.
template <class Shape>
__device__ void add_weighted_pairs(const Group<Shape::threads>& group,
                                   const EventSource& source,
                                   const StretchView& stretch,
                                   int dense_level,
                                   const Scratch<Weighted, Shape>& scratch,
                                   const LagOut<Weighted>& out) {
    if (dense_level == 0) return;
    using S = Scratch<Weighted, Shape>;
    const int below = core::first_lag(dense_level);
    const int n_lags = below < stretch.n_lags ? below : stretch.n_lags;
    const std::uint32_t n = source.size();
    // Values where they fit: weights are looked up once for an event, not once for a pair.
    const bool staged = n <= S::staged_values;
    double* values = scratch.blocks;
    double total = 0;
    for (auto i = static_cast<std::uint32_t>(group.rank); i < n; i += Shape::threads) {
        const double v = source.value(i);
        total += v;
        if (staged) values[i] = v;
    }
    total = group.sum(total, scratch.edge_partial);
    const auto value = [&](std::uint32_t i) { return staged ? values[i] : source.value(i); };
    constexpr int room = S::pair_room;
    const LagColumns columns(scratch.blocks + S::staged_values + group.warp * room, room, n_lags);
    columns.clear(group.lane);
    group.sync();

    const std::uint64_t reach = core::pair_reach(dense_level);
    for (auto first = static_cast<std::uint32_t>(group.warp * warp_lanes); first < n;
         first += Shape::threads) {
        const std::uint32_t i = first + static_cast<std::uint32_t>(group.lane);
        const std::uint32_t t0 = i < n ? source.frame(i) : 0;
        const double v0 = i < n ? value(i) : 0.0;
        for (std::uint32_t j = i + 1;; ++j) {
            const bool near = j < n && source.frame(j) - t0 < reach;
            if (__ballot_sync(all_lanes, near) == 0) break;
            core::PairLags lags{-1, -1};
            double product = 0;
            if (near) {
                lags = core::pair_lags(
                    t0, source.frame(j), stretch.n_frames, stretch.n_lags, dense_level);
                product = v0 * value(j);
            }
            columns.add(lags, product, group.lane);
        }
    }
    for (int lag = group.lane; lag < n_lags; lag += warp_lanes)
        scratch.G2[group.warp * stretch.n_lags + lag] = columns.sum(lag);
    group.sync();
    for (int lag = group.rank; lag < n_lags; lag += Shape::threads) {
        double sum = 0;
        for (int w = 0; w < group.n_warps; ++w)
            sum += scratch.G2[w * stretch.n_lags + lag];
        out.G2[lag] = sum;
        if (out.past == nullptr) continue;
        const auto windows =
            core::window_sums<double>(source.events, source.values(), total, lag, stretch.n_frames);
        out.past[lag] = windows.past;
        out.future[lag] = windows.future;
    }
    group.sync();
}

}  // namespace xpcs::gpu
