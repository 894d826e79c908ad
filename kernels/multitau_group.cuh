// SPDX-License-Identifier: BSD-3-Clause
// The threads that share one pixel, and what they do together.
#pragma once

#include "kernels/cuda_support.cuh"

#include <cstdint>

namespace xpcs::gpu {

__device__ inline double lane_xor(double value, int mask) {
    return __shfl_xor_sync(all_lanes, value, mask);
}
__device__ inline std::uint32_t lane_xor(std::uint32_t value, int mask) {
    return __shfl_xor_sync(all_lanes, value, mask);
}
__device__ inline std::uint64_t lane_xor(std::uint64_t value, int mask) {
    return static_cast<std::uint64_t>(
        __shfl_xor_sync(all_lanes, static_cast<unsigned long long>(value), mask));
}
__device__ inline uint128 lane_xor(uint128 value, int mask) {
    const std::uint64_t low = lane_xor(static_cast<std::uint64_t>(value), mask);
    const std::uint64_t high = lane_xor(static_cast<std::uint64_t>(value >> 64), mask);
    return uint128{high} << 64 | low;
}

/// The sum over the warp, the same on every lane and in every run.
template <class T>
__device__ T warp_sum(T value) {
    for (int mask = warp_lanes / 2; mask > 0; mask /= 2)
        value += lane_xor(value, mask);
    return value;
}

/// A warp (n_threads = 32) or a whole block that works on one pixel.
template <int n_threads>
struct Group {
    static constexpr bool is_warp = n_threads == warp_lanes;
    static constexpr int size = n_threads;
    static constexpr int n_warps = n_threads / warp_lanes;

    int rank, lane, warp;

    __device__ Group()
        : rank(static_cast<int>(threadIdx.x) % n_threads),
          lane(static_cast<int>(threadIdx.x) % warp_lanes), warp(rank / warp_lanes) {}

    __device__ void sync() const {
        if constexpr (is_warp) {
            __syncwarp();
        } else {
            __syncthreads();
        }
    }

    /// The sum over the group, for every thread. `partial` is shared, [n_warps].
    template <class T>
    __device__ T sum(T value, T* partial) const {
        value = warp_sum(value);
        if constexpr (is_warp) {
            return value;
        } else {
            if (lane == 0) partial[warp] = value;
            sync();
            T all = partial[0];
            for (int w = 1; w < n_warps; ++w)
                all += partial[w];
            sync();
            return all;
        }
    }

    /// A number that no other group gets. `shared` is a shared word of the group.
    __device__ std::uint32_t take_next(std::uint32_t* counter, std::uint32_t* shared) const {
        if (rank == 0) *shared = add_atomic(counter, 1U);
        sync();
        const std::uint32_t mine = *shared;
        sync();
        return mine;
    }
};

}  // namespace xpcs::gpu
