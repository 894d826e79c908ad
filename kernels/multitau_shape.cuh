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
struct Shape<Counts, true> {
    static constexpr int threads = warp_lanes, window = 1024;
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
    static constexpr int threads = block_threads, window = 2048;
};
template <>
struct Shape<WideCounts, false> {
    static constexpr int threads = block_threads, window = 4096;
};

/// What one group keeps in shared memory, widest first so that all are aligned.
template <class Kind, class Shape>
struct Scratch {
    using Sum = typename Kind::Sum;
    using Edge = typename Kind::Edge;
    using Block = typename Kind::Block;
    static constexpr int n_warps = Shape::threads / warp_lanes;
    static constexpr int window = Shape::window;
    // With weights every warp has sums of its own: G2 first, past and future after.
    static constexpr int copies = Kind::weighted ? 2 * n_warps : 1;

    Sum* G2;              ///< [copies][n_lags]
    Sum* partial;         ///< [n_warps + 1]
    Edge* edge_partial;   ///< [n_warps]
    Edge* head;           ///< [8] first blocks of a level
    Edge* tail;           ///< [8] last blocks, the last one first
    std::uint32_t* next;  ///< [4]
    Block* blocks;        ///< [window + halo]

    static std::size_t bytes(int n_lags) {
        const std::size_t all =
            sizeof(Sum) * static_cast<std::size_t>(copies * n_lags + n_warps + 1) +
            sizeof(Edge) * (static_cast<std::size_t>(n_warps) + 16) + 16 +
            sizeof(Block) * static_cast<std::size_t>(Shape::window + halo);
        return (all + 15) / 16 * 16;
    }

    __device__ Scratch(unsigned char* at, int n_lags) {
        G2 = reinterpret_cast<Sum*>(at);
        partial = G2 + copies * n_lags;
        edge_partial = reinterpret_cast<Edge*>(partial + n_warps + 1);
        head = edge_partial + n_warps;
        tail = head + 8;
        next = reinterpret_cast<std::uint32_t*>(tail + 8);
        blocks = reinterpret_cast<Block*>(next + 4);
    }
};

}  // namespace xpcs::gpu
