// SPDX-License-Identifier: BSD-3-Clause
// The levels from which a pixel counts as dense: blocks of frames in shared memory, window by
// window; once all blocks of a level fit, each level is made from the one below.
#pragma once

#include "kernels/multitau_core.hpp"
#include "kernels/multitau_group.cuh"
#include "kernels/multitau_shape.cuh"
#include "kernels/multitau_source.cuh"

#include <cstdint>

namespace xpcs::gpu {

constexpr int run_blocks = 4;  ///< that a thread takes at a time

/// Blocks that are loaded at once, from a multiple of 4 on.
template <class Block>
struct alignas(16) Quad {
    Block block[run_blocks];

    __device__ static Quad at(const Block* blocks) {
        return *reinterpret_cast<const Quad*>(blocks);
    }
};

/// The blocks of a thread, and those that their lags reach.
template <class Block>
struct Run {
    Block block[3 * run_blocks];

    __device__ explicit Run(const Block* at) {
#pragma unroll
        for (int q = 0; q < 3; ++q) {
            const Quad<Block> quad = Quad<Block>::at(at + q * run_blocks);
#pragma unroll
            for (int i = 0; i < run_blocks; ++i)
                block[q * run_blocks + i] = quad.block[i];
        }
    }
};

/// Keeps the first and the last 8 blocks of a level, of which this window has n from `first` on.
template <class Kind, class Shape>
__device__ void keep_ends(const Group<Shape::threads>& group,
                          const Scratch<Kind, Shape>& scratch,
                          std::int64_t first,
                          int n,
                          std::int64_t n_blocks) {
    if (group.rank >= halo) return;
    const std::int64_t from_end = n_blocks - 1 - group.rank - first;
    if (first == 0 && group.rank < n) scratch.head[group.rank] = scratch.blocks[group.rank];
    if (from_end >= 0 && from_end < n) scratch.tail[group.rank] = scratch.blocks[from_end];
}

/// All blocks of a level together.
template <class Edge>
struct Inside {
    Edge sum = 0;
    std::uint32_t first = ~0U;  ///< block with photons, with weights only; none: behind all
    std::uint32_t last = 0;
    bool known = false;

    template <class Kind>
    __device__ void add(const Run<typename Kind::Block>& run, std::uint32_t at) {
#pragma unroll
        for (int i = 0; i < run_blocks; ++i) {
            sum += run.block[i];
            if (!Kind::weighted || run.block[i] == 0) continue;
            const std::uint32_t block = at + static_cast<std::uint32_t>(i);
            first = block < first ? block : first;
            last = block > last ? block : last;
        }
    }
    /// From what the threads have to the whole.
    template <class Kind, int n_threads>
    __device__ void gather(const Group<n_threads>& group, Edge* partial) {
        sum = group.sum(sum, partial);
        if constexpr (Kind::weighted) {
            first = group.least(first, partial);
            last = ~group.least(~last, partial);
        }
        known = true;
    }
    /// On to the next level, which lacks `dropped`: a last block without a partner, or 0.
    template <class Kind>
    __device__ void halve(Edge dropped) {
        if (Kind::weighted && dropped != 0) {
            *this = Inside{};  // where the last photons are now is to be found out
            return;
        }
        sum -= dropped;
        first /= 2;
        last /= 2;
    }
};

/// One level, its blocks already in shared memory (`filled`) or filled window by window; n_x lags
/// from x = n_x == 8 ? 1 : 5 on.
template <class Kind, class Shape, int n_x, class Source>
__device__ void dense_level(const Group<Shape::threads>& group,
                            const Source& source,
                            const StretchView& stretch,
                            int level,
                            bool filled,
                            Inside<typename Kind::Edge>& inside,
                            const Scratch<Kind, Shape>& scratch,
                            const LagOut<Kind>& out) {
    using Sum = typename Kind::Sum;
    using Edge = typename Kind::Edge;
    constexpr int x0 = n_x == 8 ? 1 : 5;
    const std::int64_t n_blocks = stretch.n_frames >> level;
    const bool count = !inside.known;
    Sum sums[n_x] = {};
    for (std::int64_t first = 0; first < n_blocks; first += Shape::window) {
        if (!filled) {
            const BlockWindow window{level, first, Shape::window + halo, n_blocks};
            source.template fill<Kind>(group, window, scratch.blocks);
        }
        const std::int64_t left = n_blocks - first;
        const int n = static_cast<int>(left < Shape::window ? left : Shape::window);
        for (int j = run_blocks * group.rank; j < n; j += run_blocks * Shape::threads) {
            const Run<typename Kind::Block> run(scratch.blocks + j);
            if (count) inside.template add<Kind>(run, static_cast<std::uint32_t>(first + j));
#pragma unroll
            for (int i = 0; i < run_blocks; ++i) {
#pragma unroll
                for (int k = 0; k < n_x; ++k)
                    sums[k] += static_cast<Sum>(run.block[i]) * run.block[i + x0 + k];
            }
        }
        keep_ends(group, scratch, first, n, n_blocks);
        group.sync();
    }
    if (count) inside.template gather<Kind>(group, scratch.edge_partial);
    const Sum sum = group.sums(sums, scratch.partial);
    const int lag = core::first_lag(level) + group.rank;
    if (group.rank < n_x && lag < stretch.n_lags) {
        out.G2[lag] = sum;
        if (out.past != nullptr) {
            const int blocks = x0 + group.rank;
            Edge head = 0, tail = 0;
            for (int x = 0; x < blocks; ++x) {
                head += scratch.head[x];
                tail += scratch.tail[x];
            }
            // Sums of doubles would leave a rest where there is nothing.
            const bool none_past =
                Kind::weighted && std::int64_t{inside.first} >= n_blocks - blocks;
            const bool none_future = Kind::weighted && std::int64_t{inside.last} < blocks;
            out.past[lag] = none_past ? Edge{0} : inside.sum - tail;
            out.future[lag] = none_future ? Edge{0} : inside.sum - head;
        }
    }
    inside.template halve<Kind>(n_blocks % 2 != 0 ? Edge{scratch.tail[0]} : Edge{0});
    group.sync();
}

/// blocks[j] = blocks[2j] + blocks[2j+1] in place, zeros behind. A step writes only below what the
/// next steps read.
template <class Block, int n_threads>
__device__ void halve(const Group<n_threads>& group, Block* blocks, int n) {
    const int half = n / 2;
    for (int first = 0; first < half; first += 2 * n_threads) {
        const int j = first + 2 * group.rank;
        const bool mine = j < half;
        const Quad<Block> quad = mine ? Quad<Block>::at(blocks + 2 * j) : Quad<Block>{};
        group.sync();
        if (mine) {  // behind the half it is set to 0 below
            blocks[j] = quad.block[0] + quad.block[1];
            blocks[j + 1] = quad.block[2] + quad.block[3];
        }
        group.sync();
    }
    // As far as the last run reaches.
    if (group.rank < 3 * run_blocks) blocks[half + group.rank] = 0;
    group.sync();
}

template <class Kind, class Shape, class Source>
__device__ void dense_levels(const Group<Shape::threads>& group,
                             const Source& source,
                             const StretchView& stretch,
                             int first_level,
                             const Scratch<Kind, Shape>& scratch,
                             const LagOut<Kind>& out) {
    bool filled = false;
    Inside<typename Kind::Edge> inside;
    for (int level = first_level; level < stretch.n_levels; ++level) {
        if (level == 0) {
            dense_level<Kind, Shape, 8>(
                group, source, stretch, level, filled, inside, scratch, out);
        } else {
            dense_level<Kind, Shape, 4>(
                group, source, stretch, level, filled, inside, scratch, out);
        }
        const std::int64_t n_blocks = stretch.n_frames >> level;
        filled = n_blocks <= Shape::window;
        if (filled) halve(group, scratch.blocks, static_cast<int>(n_blocks));
    }
}

/// The level from which a pixel counts as dense.
template <class Source>
__device__ int first_dense_level(const Source& source, const StretchView& stretch) {
    if constexpr (Source::sparse) {
        return core::choose_dense_level(
            source.size(), stretch.n_frames, stretch.n_levels, stretch.neighbours, all_pairs_below);
    } else {
        return 0;
    }
}

}  // namespace xpcs::gpu
