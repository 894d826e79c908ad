// SPDX-License-Identifier: BSD-3-Clause
// past and future of the lags of a pass, from what lies at both ends.
#pragma once

#include "kernels/multitau_frame_job.cuh"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace xpcs::gpu {

/// Photons, and the sum of their weighted values.
struct Weighed {
    std::uint32_t count = 0;
    double value = 0;

    __device__ Weighed operator-(const Weighed& other) const {
        return {count - other.count, value - other.value};
    }
    /// Sums of doubles would leave a rest where there is nothing.
    __device__ double sum() const { return count == 0 ? 0.0 : value; }
};

/// Threads of a block of window_sums: a column of shared memory for each.
template <bool weighted>
constexpr int window_threads = weighted ? 32 : 128;

/// The sums of the first, or the last, 0 ... edge_blocks blocks of a pixel for each thread. Counts
/// of a pass stay below narrow_total_limit, so 32 bits hold them.
template <bool weighted>
struct EdgeSums {
    static constexpr int size = levels::edge_blocks + 1;
    std::uint32_t count[size][window_threads<weighted>];
    double value[weighted ? size : 1][window_threads<weighted>];

    /// place(k): of the kth block from the end. Eight are fetched at a time.
    template <class Column, class Place>
    __device__ void fill(const Column& column, std::int64_t n, const Place& place) {
        const unsigned me = threadIdx.x;
        std::uint32_t photons = 0;
        double sum = 0;
        count[0][me] = 0;
        if constexpr (weighted) value[0][me] = 0;
        for (int first = 0; first < levels::edge_blocks && first < n; first += 8) {
            typename Column::Item item[8];
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                if (first + i < n) item[i] = column.fetch(place(first + i));
            }
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                const int k = first + i;
                if (k >= n || k >= levels::edge_blocks) continue;
                photons += column.count(item[i]);
                count[k + 1][me] = photons;
                if constexpr (weighted) {
                    sum += column.value(item[i], place(k));
                    value[k + 1][me] = sum;
                }
            }
        }
    }
    __device__ auto operator()(int k) const {
        if constexpr (weighted) {
            return Weighed{count[k][threadIdx.x], value[k][threadIdx.x]};
        } else {
            return count[k][threadIdx.x];
        }
    }
};

__device__ inline std::uint64_t window_word(std::uint32_t count) {
    return count;
}
__device__ inline std::uint64_t window_word(const Weighed& sum) {
    return static_cast<std::uint64_t>(__double_as_longlong(sum.sum()));
}

/// past and future of the lags of a pass.
template <class Column, bool weighted>
__global__ void window_sums(FrameJob job) {
    __shared__ EdgeSums<weighted> ends;
    const auto slot = static_cast<std::uint32_t>(thread_index());
    if (!job.takes(slot)) return;
    const Column column(job, slot);
    const std::size_t row = std::size_t{slot} * static_cast<std::size_t>(job.stretch.n_lags);
    const auto whole = [&] {
        const auto count = static_cast<std::uint32_t>(job.total[slot]);
        if constexpr (weighted) {
            return Weighed{count, job.total_value[slot]};
        } else {
            return count;
        }
    }();
    using Sum = std::remove_const_t<decltype(whole)>;
    ends.fill(column, job.n, [&](int k) { return job.n - 1 - k; });
    levels::past_windows(
        job.base, job.stretch.n_lags, job.n, whole, ends, [&](int lag, const Sum& sum) {
            job.sums.past[row + static_cast<std::size_t>(lag)] = window_word(sum);
        });
    Sum dropped[8] = {};
#pragma unroll
    for (int k = 0; k < 8; ++k) {
        if (k <= job.n) dropped[k] = ends(k);
    }
    ends.fill(column, job.n, [](int k) { return std::int64_t{k}; });
    const auto dropped_of = [&](int rest) {
        Sum sum{};
#pragma unroll
        for (int k = 0; k < 8; ++k)
            sum = k == rest ? dropped[k] : sum;
        return sum;
    };
    levels::future_windows(
        job.base, job.stretch.n_lags, job.n, whole, ends, dropped_of, [&](int lag, const Sum& sum) {
            job.sums.future[row + static_cast<std::size_t>(lag)] = window_word(sum);
        });
}

}  // namespace xpcs::gpu
