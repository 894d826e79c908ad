// SPDX-License-Identifier: BSD-3-Clause
// A pass over frames of many photons, over frames with weights, or over what a pass left: one pixel
// to a thread.
#pragma once

#include "kernels/multitau_frame_job.cuh"

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace xpcs::gpu {

/// Brings the blocks of one pixel to ValueLevels, eight at a time and the next eight ahead, and
/// adds up their photons on the way.
template <class Value, class Column>
struct BlocksAhead {
    const Column& column;
    Segments& segments;
    std::int64_t n;      ///< blocks of the pass
    std::int64_t t = 0;  ///< the first that has not been taken
    typename Column::Item item[8];
    std::uint64_t total = 0;
    double total_value = 0;
    std::uint32_t counts[4];  ///< of 16 blocks each, of the chunk

    __device__ BlocksAhead(const Column& from, Segments& to, std::int64_t n_blocks)
        : column(from), segments(to), n(n_blocks) {
        fetch();
    }
    /// `whole`: all eight are there.
    template <bool whole>
    __device__ void take(int part, Value (&now)[8]) {
        std::uint32_t count[8], all = 0;
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const bool there = whole || t + i < n;
            count[i] = there ? column.count(item[i]) : 0;
            all += count[i];
            if constexpr (std::is_same_v<Value, double>) {
                now[i] = there ? column.value(item[i], t + i) : 0.0;
                total_value += now[i];
            } else {
                now[i] = count[i];
            }
        }
        total += all;
        counts[part / 2] = part % 2 == 0 ? all : counts[part / 2] + all;
        const std::int64_t left = n - t;
        if (whole || left > 0) {
            segments.add(t, whole || left > 8 ? 8 : static_cast<int>(left), all, [&](int k) {
                std::uint32_t before = 0;
#pragma unroll
                for (int i = 0; i < 8; ++i)
                    before += i < k ? count[i] : 0;
                return before;
            });
        }
        t += 8;
        fetch();
    }

  private:
    __device__ void fetch() {
        if (t + 8 <= n) {
#pragma unroll
            for (int i = 0; i < 8; ++i)
                item[i] = column.fetch(t + i);
            return;
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (t + i < n) item[i] = column.fetch(t + i);
        }
    }
};

/// A thread takes one pixel. Three blocks to a multiprocessor: with weights two would spill nothing
/// and take a third longer.
template <class Value, class Sum, class Column, bool from_frames>
__global__ void __launch_bounds__(frame_block_size, 3)
    correlate_values(FrameJob job, bool small_too) {
    const auto slot = static_cast<std::uint32_t>(thread_index());
    if (!job.takes(slot)) return;
    constexpr bool weighted = std::is_same_v<Value, double>;
    if constexpr (from_frames) {
        if (!small_too && job.is_small(job.series.raw.pixel[slot])) return;
    }
    const Column column(job, slot);
    Segments segments(job, slot);
    BlocksAhead<Value, Column> ahead(column, segments, job.n);
    levels::ValueLevels<Value, Sum, from_frames> pixel;
    Value blocks[4];
    const auto keep = [&](std::int64_t t, int n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            if ((i + 1) * levels::block_frames > n) continue;
            const std::size_t to =
                static_cast<std::size_t>(t / levels::block_frames + i) * job.series.n_slots + slot;
            job.counts_out[to] = ahead.counts[i];
            if constexpr (weighted) job.values_out[to] = blocks[i];
        }
    };
    std::int64_t t = 0;
    for (; t + levels::value_chunk <= job.n; t += levels::value_chunk) {
        const auto load = [&](int part, Value(&now)[8]) { ahead.template take<true>(part, now); };
        pixel.template take<true>(load, levels::value_chunk, blocks);
        keep(t, levels::value_chunk);
    }
    if (t < job.n) {
        const auto n = static_cast<int>(job.n - t);
        const auto load = [&](int part, Value(&now)[8]) { ahead.template take<false>(part, now); };
        pixel.template take<false>(load, n, blocks);
        keep(t, n);
    }
    job.total[slot] = ahead.total;
    if constexpr (weighted) job.total_value[slot] = ahead.total_value;
    if (job.totals != nullptr) job.totals[slot] = ahead.total;
    const std::size_t row = std::size_t{slot} * static_cast<std::size_t>(job.stretch.n_lags);
    auto* G2 = reinterpret_cast<Sum*>(job.sums.G2 + row);
#pragma unroll
    for (int i = 0; i < levels::n_sums - (from_frames ? 0 : 4); ++i) {
        const int lag = levels::lag_of_sum(job.base, i);
        if (lag < job.stretch.n_lags) G2[lag] = pixel.sums[i];
    }
}

}  // namespace xpcs::gpu
