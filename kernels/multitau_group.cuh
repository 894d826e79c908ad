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

/// The sums over the warp of n values of every lane, that of value k on lanes k * 32 / n and after.
/// Lanes hand over half of what they have and keep the sums of the other half, so n values take
/// little more steps than one. `value` is overwritten.
template <int n, class T>
__device__ T warp_sums(T (&value)[n], int lane) {
    int mask = warp_lanes / 2;
#pragma unroll
    for (int half = n / 2; half > 0; half /= 2) {
        const bool upper = (lane & mask) != 0;
#pragma unroll
        for (int k = 0; k < half; ++k) {
            const T kept = upper ? value[k + half] : value[k];
            const T given = upper ? value[k] : value[k + half];
            value[k] = kept + lane_xor(given, mask);
        }
        mask /= 2;
    }
    T sum = value[0];
    for (; mask > 0; mask /= 2)
        sum += lane_xor(sum, mask);
    return sum;
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

    /// The least value of the group, for every thread. `partial` is shared, [n_warps], and must
    /// hold 32-bit integers exactly.
    template <class T>
    __device__ std::uint32_t least(std::uint32_t value, T* partial) const {
        for (int mask = warp_lanes / 2; mask > 0; mask /= 2) {
            const std::uint32_t other = lane_xor(value, mask);
            value = other < value ? other : value;
        }
        if constexpr (!is_warp) {
            if (lane == 0) partial[warp] = static_cast<T>(value);
            sync();
            for (int w = 0; w < n_warps; ++w) {
                const auto other = static_cast<std::uint32_t>(partial[w]);
                value = other < value ? other : value;
            }
            sync();
        }
        return value;
    }

    /// The sums over the group of n values of every thread, n a power of two up to 8: that of value
    /// k comes back in thread k, 0 in those from n on. `partial` is shared, [n_warps][n].
    template <int n, class T>
    __device__ T sums(T (&value)[n], T* partial) const {
        const T mine = warp_sums(value, lane);
        constexpr int share = warp_lanes / n;
        if (lane % share == 0) partial[warp * n + lane / share] = mine;
        sync();
        T all = 0;
        for (int w = 0; rank < n && w < n_warps; ++w)
            all += partial[w * n + rank];
        sync();
        return all;
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
