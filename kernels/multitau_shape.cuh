// SPDX-License-Identifier: BSD-3-Clause
// How many threads share a pixel, how far a window reaches, what lies in shared memory.
#pragma once

#include "kernels/multitau_source.cuh"

#include <cstddef>
#include <cstdint>

namespace xpcs::gpu {

constexpr int halo = 8;                      // blocks beyond a window that its last lags reach
constexpr std::int64_t all_pairs_below = 8;  // as on the CPU
constexpr std::uint32_t warp_events = 256;   // more events are shared by a block
constexpr std::int64_t warp_frames = 4096;   // longer rows are shared by a block
constexpr int warp_block = 128;              // threads of a block of warps
constexpr int block_threads = 256;

/// Threads per pixel and blocks of frames per window.
template <class Kind, bool is_warp>
struct Shape;
template <>
struct Shape<SmallCounts, true> {
    static constexpr int threads = warp_lanes, window = 1024;
};
template <>
struct Shape<SmallCounts, false> {
    static constexpr int threads = block_threads, window = 8192;
};
template <>
struct Shape<Counts, false> {
    static constexpr int threads = block_threads, window = 8192;
};
template <>
struct Shape<Weighted, true> {
    static constexpr int threads = warp_lanes, window = 512;
};
template <>
struct Shape<Weighted, false> {
    static constexpr int threads = block_threads, window = 4096;
};
template <>
struct Shape<WideCounts, false> {
    static constexpr int threads = block_threads, window = 4096;
};

/// Where the sums of the lags of a pixel go.
template <class Kind>
struct LagOut {
    typename Kind::Sum* G2;
    typename Kind::Window* past;  ///< null: past and future are not wanted
    typename Kind::Window* future;
};

/// What one group keeps in shared memory, all aligned: the blocks to 16 bytes, then from the
/// widest.
template <class Kind, class Shape>
struct Scratch {
    using Sum = typename Kind::Sum;
    using Edge = typename Kind::Edge;
    using Block = typename Kind::Block;
    static constexpr int n_warps = Shape::threads / warp_lanes;
    static constexpr int window = Shape::window;
    // With weights every warp has sums of its own: G2 first, past and future after.
    static constexpr int copies = Kind::weighted ? 2 * n_warps : 1;
    static constexpr int partials = 8 * n_warps;
    // While events are paired: half of the blocks are their values, the rest is shared by the
    // warps.
    static constexpr int staged_values = window / 2;
    static constexpr int pair_room = (window + halo - staged_values) / n_warps;

    Block* blocks;        ///< [window + halo]
    Sum* G2;              ///< [copies][n_lags]
    Sum* partial;         ///< [8][n_warps]
    Edge* edge_partial;   ///< [n_warps]
    Edge* head;           ///< [8] first blocks of a level
    Edge* tail;           ///< [8] last blocks, the last one first
    std::uint32_t* next;  ///< [1]

    static std::size_t bytes(int n_lags) {
        const std::size_t all = sizeof(Block) * static_cast<std::size_t>(Shape::window + halo) +
                                sizeof(Sum) * static_cast<std::size_t>(copies * n_lags + partials) +
                                sizeof(Edge) * static_cast<std::size_t>(n_warps + 2 * halo) +
                                sizeof(std::uint32_t);
        return (all + 15) / 16 * 16;
    }

    __device__ Scratch(unsigned char* at, int n_lags) {
        blocks = reinterpret_cast<Block*>(at);
        G2 = reinterpret_cast<Sum*>(blocks + window + halo);
        partial = G2 + copies * n_lags;
        edge_partial = reinterpret_cast<Edge*>(partial + partials);
        head = edge_partial + n_warps;
        tail = head + halo;
        next = reinterpret_cast<std::uint32_t*>(tail + halo);
    }
};

}  // namespace xpcs::gpu
