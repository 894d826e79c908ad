// SPDX-License-Identifier: BSD-3-Clause
// Where a pixel's photons come from: merged events, raw records, or a row of samples; as counts or
// with weights. Each source fills windows of blocks of 2^level frames; frames count from the start
// of the stretch.
#pragma once

#include "kernels/multitau_core.hpp"
#include "kernels/multitau_group.cuh"
#include "kernels/multitau_pixel_gpu.cuh"

#include <cstdint>

namespace xpcs::gpu {

namespace core = multitau_core;

/// Photons of a pixel up to which no sum of products passes 32 bits.
constexpr std::uint64_t small_total_limit = 65535;
/// Plain counts that sum to no more than that.
struct SmallCounts {
    using Block = std::uint32_t;
    using Sum = std::uint32_t;
    using Edge = std::uint32_t;
    using Window = std::uint64_t;  ///< past and future
    static constexpr bool weighted = false;
};
/// Plain counts that sum to no more than narrow_total_limit: no block passes 32 bits, no sum 64.
struct Counts {
    using Block = std::uint32_t;
    using Sum = std::uint64_t;
    using Edge = std::uint64_t;
    using Window = std::uint64_t;  ///< past and future
    static constexpr bool weighted = false;
};
/// Plain counts without that limit.
struct WideCounts {
    using Block = std::uint64_t;
    using Sum = uint128;
    using Edge = std::uint64_t;
    using Window = std::uint64_t;  ///< past and future
    static constexpr bool weighted = false;
};
/// Counts times weights. Every sum is taken in a fixed order.
struct Weighted {
    using Block = double;
    using Sum = double;
    using Edge = double;
    using Window = double;
    static constexpr bool weighted = true;
};

/// Blocks [first, first + n) of a level; those at and after `end` are empty.
struct BlockWindow {
    int level;
    std::int64_t first;
    int n;
    std::int64_t end;

    __device__ std::int64_t first_frame() const { return first << level; }
    __device__ std::int64_t end_frame() const {
        const std::int64_t last = first + n < end ? first + n : end;
        return last << level;
    }
};

template <class Block, int n_threads>
__device__ void clear_blocks(const Group<n_threads>& group, Block* blocks, int n) {
    for (int j = group.rank; j < n; j += n_threads)
        blocks[j] = 0;
    group.sync();
}

struct EventSource {
    static constexpr bool sparse = true;
    core::EventSpan events;
    const double* weight;

    __device__ core::EventValues values() const { return {events, weight}; }
    __device__ EventSource(const SeriesView& series, const StretchView& stretch, std::uint32_t slot)
        : weight(stretch.weight) {
        const std::uint32_t begin = series.begin[slot];
        const core::EventSpan all{series.words + begin, series.begin[slot + 1] - begin, 0};
        const std::uint32_t first = all.lower_bound(stretch.begin);
        events = {all.words + first,
                  all.lower_bound(stretch.begin + stretch.n_frames) - first,
                  static_cast<std::uint32_t>(stretch.begin)};
    }

    __device__ std::uint32_t size() const { return events.n; }
    __device__ std::uint32_t frame(std::uint32_t i) const { return events.frame(i); }
    __device__ std::uint32_t count(std::uint32_t i) const { return events.count(i); }
    __device__ double value(std::uint32_t i) const {
        return events.count(i) * weight[events.frame(i)];
    }

    template <class Kind, int n_threads>
    __device__ void fill(const Group<n_threads>& group,
                         const BlockWindow& window,
                         typename Kind::Block* blocks) const {
        clear_blocks(group, blocks, window.n);
        const std::uint32_t first = events.lower_bound(window.first_frame());
        const std::uint32_t last = events.lower_bound(window.end_frame());
        for (std::uint32_t i = first + static_cast<std::uint32_t>(group.rank); i < last;
             i += n_threads) {
            const std::int64_t block = frame(i) >> window.level;
            if constexpr (Kind::weighted) {
                // The first event of a block adds up all of them.
                if (i > first && frame(i - 1) >> window.level == block) continue;
                double sum = 0;
                for (std::uint32_t k = i; k < last && frame(k) >> window.level == block; ++k)
                    sum += value(k);
                blocks[block - window.first] = sum;
            } else {
                add_atomic(blocks + (block - window.first), count(i));
            }
        }
        group.sync();
    }
};

/// The records before they were merged: the exact but slow way of pixels whose counts pass 32 bits.
struct RecordSource {
    static constexpr bool sparse = true;
    const std::uint64_t* keys;
    const std::uint32_t* counts;
    std::uint32_t n;
    FrameMap frames;
    std::int64_t begin_frame;
    std::int64_t begin, end;

    __device__
    RecordSource(const SeriesView& series, const StretchView& stretch, std::uint32_t slot)
        : frames(series.frames), begin_frame(series.begin_frame), begin(stretch.begin),
          end(stretch.begin + stretch.n_frames) {
        const std::uint32_t first = series.record_begin[slot];
        keys = series.keys + first;
        counts = series.counts + first;
        n = series.record_begin[slot + 1] - first;
    }

    __device__ std::uint32_t size() const { return n; }

    template <class Kind, int n_threads>
    __device__ void fill(const Group<n_threads>& group,
                         const BlockWindow& window,
                         typename Kind::Block* blocks) const {
        clear_blocks(group, blocks, window.n);
        for (auto i = static_cast<std::uint32_t>(group.rank); i < n; i += n_threads) {
            const std::int64_t t = frames(begin_frame + static_cast<std::uint32_t>(keys[i]));
            if (t == FrameMap::left_out || t < begin || t >= end) continue;
            const std::int64_t frame = t - begin;
            if (frame < window.first_frame() || frame >= window.end_frame()) continue;
            add_atomic(blocks + ((frame >> window.level) - window.first), std::uint64_t{counts[i]});
        }
        group.sync();
    }
};

struct RowSource {
    static constexpr bool sparse = false;
    const std::uint32_t* row;
    std::uint32_t n;
    const double* weight;

    __device__ RowSource(const SeriesView& series, const StretchView& stretch, std::uint32_t slot)
        : row(series.rows + slot * static_cast<std::size_t>(series.n_frames) + stretch.begin),
          n(static_cast<std::uint32_t>(stretch.n_frames)), weight(stretch.weight) {}

    __device__ std::uint32_t size() const { return n; }
    __device__ std::uint32_t frame(std::uint32_t i) const { return i; }
    __device__ std::uint32_t count(std::uint32_t i) const { return row[i]; }
    __device__ double value(std::uint32_t i) const { return row[i] * weight[i]; }

    template <class Kind, int n_threads>
    __device__ void fill(const Group<n_threads>& group,
                         const BlockWindow& window,
                         typename Kind::Block* blocks) const {
        if (window.level == 0) return fill_frames<Kind>(group, window, blocks);
        const std::int64_t length = std::int64_t{1} << window.level;
        for (int j = group.rank; j < window.n; j += n_threads) {
            const std::int64_t block = window.first + j;
            typename Kind::Block sum = 0;
            if (block < window.end) {
                const std::int64_t begin = block << window.level;
                for (std::int64_t t = begin; t < begin + length; ++t) {
                    if constexpr (Kind::weighted) {
                        sum += value(static_cast<std::uint32_t>(t));
                    } else {
                        sum += row[t];
                    }
                }
            }
            blocks[j] = sum;
        }
        group.sync();
    }

  private:
    /// The same of single frames: several loads under way at a time.
    template <class Kind, int n_threads>
    __device__ void fill_frames(const Group<n_threads>& group,
                                const BlockWindow& window,
                                typename Kind::Block* blocks) const {
        const std::int64_t left = window.end - window.first;
        const int there = static_cast<int>(left < window.n ? left : window.n);
        const std::uint32_t* samples = row + window.first;
        const double* weights = Kind::weighted ? weight + window.first : nullptr;
#pragma unroll 4
        for (int j = group.rank; j < there; j += n_threads) {
            if constexpr (Kind::weighted) {
                blocks[j] = samples[j] * weights[j];
            } else {
                blocks[j] = samples[j];
            }
        }
        for (int j = there + group.rank; j < window.n; j += n_threads)
            blocks[j] = 0;
        group.sync();
    }
};

}  // namespace xpcs::gpu
