// SPDX-License-Identifier: BSD-3-Clause
// The steps are those of the CPU twin: pairs of events below the level from which the pixel counts
// as dense, windows of blocks in shared memory from it up. A pixel with few events is shared by a
// warp, a long one by a block; groups take the next pixel when they are done with one, so that no
// pixel holds up others. Integer sums use atomics; sums of doubles are added in a fixed order.
#include "kernels/multitau_pixel_gpu.cuh"

#include "kernels/lag_sums.hpp"
#include "kernels/multitau_core.hpp"
#include "kernels/multitau_group.cuh"
#include "kernels/multitau_levels_gpu.cuh"
#include "kernels/multitau_pairs_gpu.cuh"
#include "kernels/multitau_shape.cuh"
#include "kernels/multitau_source.cuh"
#include "kernels/multitau_windows_gpu.cuh"

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace xpcs::gpu {

namespace {

struct Job {
    SeriesView series;
    StretchView stretch;
    PixelSums sums;
    const std::uint32_t* slots;
    const std::uint32_t* n_slots;
    std::uint32_t* taken;
};

/// Plain counts, narrow or not.
template <class Kind, class Shape, class Source>
__device__ void correlate_counts(const Group<Shape::threads>& group,
                                 const Job& job,
                                 std::uint32_t slot,
                                 const Scratch<Kind, Shape>& scratch) {
    const StretchView& stretch = job.stretch;
    const std::size_t row = std::size_t{slot} * static_cast<std::size_t>(stretch.n_lags);
    std::uint64_t* past = job.sums.past + row;
    std::uint64_t* future = job.sums.future + row;
    const Source source(job.series, stretch, slot);
    const int level = first_dense_level(source, stretch);
    for (int lag = group.rank; lag < stretch.n_lags; lag += Shape::threads)
        scratch.G2[lag] = 0;
    group.sync();
    if constexpr (Source::sparse) {
        if (level > 0) {
            typename Kind::Edge total = 0;
            for (auto i = static_cast<std::uint32_t>(group.rank); i < source.size();
                 i += Shape::threads)
                total += source.count(i);
            total = group.sum(total, scratch.edge_partial);
            add_pairs(group, source, stretch, level, scratch);
            for (int lag = group.rank; lag < stretch.n_lags && core::lag_level(lag) < level;
                 lag += Shape::threads) {
                const auto sums = core::window_sums<std::uint64_t>(
                    source.events, core::EventCounts{source.events}, total, lag, stretch.n_frames);
                past[lag] = sums.past;
                future[lag] = sums.future;
            }
        }
    }
    group.sync();
    dense_levels<Kind, Shape>(
        group, source, stretch, level, scratch, LagOut<Kind>{scratch.G2, past, future});
    for (int lag = group.rank; lag < stretch.n_lags; lag += Shape::threads)
        job.sums.G2[row + static_cast<std::size_t>(lag)] = scratch.G2[lag];
    group.sync();
}

template <class Shape, class Source>
__device__ void correlate_weighted(const Group<Shape::threads>& group,
                                   const Job& job,
                                   std::uint32_t slot,
                                   const Scratch<Weighted, Shape>& scratch) {
    const StretchView& stretch = job.stretch;
    const std::size_t row = std::size_t{slot} * static_cast<std::size_t>(stretch.n_lags);
    LagOut<Weighted> out{reinterpret_cast<double*>(job.sums.G2 + row),
                         reinterpret_cast<double*>(job.sums.past + row),
                         reinterpret_cast<double*>(job.sums.future + row)};
    const Source source(job.series, stretch, slot);
    if (stretch.taken != nullptr) {
        windows_with_gaps(group, source, stretch, scratch, out.past, out.future);
        out.past = out.future = nullptr;
    }
    const int level = first_dense_level(source, stretch);
    if constexpr (Source::sparse) add_weighted_pairs(group, source, stretch, level, scratch, out);
    dense_levels<Weighted, Shape>(group, source, stretch, level, scratch, out);
}

template <class Shape, class Source>
__device__ void correlate_wide(const Group<Shape::threads>& group,
                               const Job& job,
                               std::uint32_t slot,
                               const Scratch<WideCounts, Shape>& scratch) {
    const StretchView& stretch = job.stretch;
    const auto n_lags = static_cast<std::size_t>(stretch.n_lags);
    const std::size_t row = slot * n_lags;
    const Source source(job.series, stretch, slot);
    const LagOut<WideCounts> out{scratch.G2, job.sums.past + row, job.sums.future + row};
    dense_levels<WideCounts, Shape>(group, source, stretch, 0, scratch, out);
    std::uint64_t* high = job.sums.G2_high + (job.sums.wide_place[slot] - 1) * n_lags;
    for (int lag = group.rank; lag < stretch.n_lags; lag += Shape::threads) {
        job.sums.G2[row + static_cast<std::size_t>(lag)] =
            static_cast<std::uint64_t>(scratch.G2[lag]);
        high[lag] = static_cast<std::uint64_t>(scratch.G2[lag] >> 64);
    }
    group.sync();
}

/// Groups take pixels from the list until it is empty.
template <class Kind, bool is_warp, class Source>
__global__ void correlate_list(Job job, std::size_t scratch_bytes) {
    using S = Shape<Kind, is_warp>;
    const Group<S::threads> group;
    const std::size_t which = threadIdx.x / S::threads;
    const Scratch<Kind, S> scratch(shared_pool() + which * scratch_bytes, job.stretch.n_lags);
    const std::uint32_t n = *job.n_slots;
    for (std::uint32_t i = group.take_next(job.taken, scratch.next); i < n;
         i = group.take_next(job.taken, scratch.next)) {
        if constexpr (std::is_same_v<Kind, WideCounts>) {
            correlate_wide<S, Source>(group, job, job.slots[i], scratch);
        } else if constexpr (Kind::weighted) {
            correlate_weighted<S, Source>(group, job, job.slots[i], scratch);
        } else {
            correlate_counts<Kind, S, Source>(group, job, job.slots[i], scratch);
        }
    }
}

/// The list that a pixel belongs to, or -1 if it has nothing to correlate.
__device__ int list_of(const SeriesView& series,
                       const StretchView& stretch,
                       std::uint32_t slot,
                       bool may_be_wide) {
    const std::uint64_t total = series.totals[slot];
    if (series.excluded[slot] != 0 || total == 0) return -1;
    if (may_be_wide && total > narrow_total_limit) return WorkLists::wide;
    if (stretch.weight == nullptr && total > small_total_limit) return WorkLists::large;
    if (series.dense) {
        return stretch.n_frames <= warp_frames ? WorkLists::warp : WorkLists::block;
    }
    const std::uint32_t n = EventSource(series, stretch, slot).size();
    if (n == 0) return -1;
    return n <= warp_events ? WorkLists::warp : WorkLists::block;
}

__global__ void sort_into_lists(SeriesView series,
                                StretchView stretch,
                                WorkLists lists,
                                std::uint32_t* wide_place,
                                bool may_be_wide) {
    const std::size_t index = thread_index();
    if (index >= series.n_slots) return;
    const auto slot = static_cast<std::uint32_t>(index);
    const int list = list_of(series, stretch, slot, may_be_wide);
    std::uint32_t place = 0;
    if (list >= 0) {
        place = add_atomic(lists.counters + list, 1U);
        lists.slots[static_cast<std::size_t>(list) * series.n_slots + place] = slot;
    }
    wide_place[slot] = list == WorkLists::wide ? place + 1 : 0;
}

template <class Kind, bool is_warp, class Source>
void start(const SeriesView& series,
           const StretchView& stretch,
           const WorkLists& lists,
           const PixelSums& sums,
           int list,
           int n_multiprocessors,
           const Stream& stream) {
    using S = Shape<Kind, is_warp>;
    const auto place = static_cast<std::size_t>(list);
    const Job job{series,
                  stretch,
                  sums,
                  lists.slots + place * series.n_slots,
                  lists.counters + place,
                  lists.counters + WorkLists::n_lists + place};
    constexpr int threads = is_warp ? warp_block : S::threads;
    constexpr std::size_t groups = threads / S::threads;
    const std::size_t bytes = Scratch<Kind, S>::bytes(stretch.n_lags);
    // Enough to fill the device whatever fits beside each other; surplus blocks end at once.
    const std::size_t wanted = (series.n_slots + groups - 1) / groups;
    const std::size_t n_blocks =
        std::min(wanted, static_cast<std::size_t>(n_multiprocessors) * (is_warp ? 16 : 8));
    launch(correlate_list<Kind, is_warp, Source>,
           n_blocks,
           threads,
           groups * bytes,
           stream,
           job,
           bytes);
}

}  // namespace

void correlate_pixels(const SeriesView& series,
                      const StretchView& stretch,
                      const WorkLists& lists,
                      const PixelSums& sums,
                      std::size_t wide_capacity,
                      int n_multiprocessors,
                      const Stream& stream) {
    const std::size_t size = std::size_t{series.n_slots} * static_cast<std::size_t>(stretch.n_lags);
    clear(sums.G2, size, stream);
    clear(sums.past, size, stream);
    clear(sums.future, size, stream);
    clear(lists.counters, 2 * WorkLists::n_lists, stream);
    const bool weighted = stretch.weight != nullptr;
    const bool may_be_wide = wide_capacity > 0 && !weighted;
    launch(sort_into_lists,
           blocks_for(series.n_slots, 256),
           256,
           0,
           stream,
           series,
           stretch,
           lists,
           sums.wide_place,
           may_be_wide);
    const auto run = [&](auto start_list, int list) {
        start_list(series, stretch, lists, sums, list, n_multiprocessors, stream);
    };
    if (may_be_wide) {
        run(series.dense ? start<WideCounts, false, RowSource>
                         : start<WideCounts, false, RecordSource>,
            WorkLists::wide);
    }
    // The long pixels first: the short ones fill the gaps that they leave.
    if (weighted && series.dense) {
        run(start<Weighted, false, RowSource>, WorkLists::block);
        run(start<Weighted, true, RowSource>, WorkLists::warp);
    } else if (weighted) {
        run(start<Weighted, false, EventSource>, WorkLists::block);
        run(start<Weighted, true, EventSource>, WorkLists::warp);
    } else if (series.dense) {
        run(start<Counts, false, RowSource>, WorkLists::large);
        run(start<SmallCounts, false, RowSource>, WorkLists::block);
        run(start<SmallCounts, true, RowSource>, WorkLists::warp);
    } else {
        run(start<Counts, false, EventSource>, WorkLists::large);
        run(start<SmallCounts, false, EventSource>, WorkLists::block);
        run(start<SmallCounts, true, EventSource>, WorkLists::warp);
    }
}

}  // namespace xpcs::gpu
