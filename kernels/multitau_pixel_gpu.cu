// SPDX-License-Identifier: BSD-3-Clause
// The steps are those of the CPU twin: pairs of events below the level from which the pixel counts
// as dense, windows of blocks in shared memory from it up. A pixel with few events is shared by a
// warp, a long one by a block; groups take the next pixel when they are done with one, so that no
// pixel holds up others. Integer sums use atomics; sums of doubles are added in a fixed order.
#include "kernels/multitau_pixel_gpu.cuh"

#include "kernels/lag_sums.hpp"
#include "kernels/multitau_core.hpp"
#include "kernels/multitau_group.cuh"
#include "kernels/multitau_shape.cuh"
#include "kernels/multitau_source.cuh"

#include <algorithm>
#include <cstdint>

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

/// Adds `value` to sums[lag] (lag < 0: nothing), lane by lane in a fixed order. All lanes call it.
__device__ void add_in_order(int lag, double value, double* sums, int lane) {
    unsigned left = __ballot_sync(all_lanes, lag >= 0);
    while (left != 0) {
        const int leader = __ffs(static_cast<int>(left)) - 1;
        const int common = __shfl_sync(all_lanes, lag, leader);
        const bool mine = lag == common;
        const double sum = warp_sum(mine ? value : 0.0);
        if (lane == leader) sums[common] += sum;
        left &= ~__ballot_sync(all_lanes, mine);
        __syncwarp();
    }
}

/// G2 of the lags below dense_level into scratch.G2.
template <class S, int n_threads>
__device__ void add_pairs(const Group<n_threads>& group,
                          const EventSource& source,
                          const StretchView& stretch,
                          int dense_level,
                          const S& scratch,
                          Counts) {
    const std::uint64_t reach = core::pair_reach(dense_level);
    const std::uint32_t n = source.size();
    for (auto i = static_cast<std::uint32_t>(group.rank); i + 1 < n; i += n_threads) {
        const std::uint32_t t0 = source.frame(i);
        const std::uint64_t c0 = source.count(i);
        for (std::uint32_t j = i + 1; j < n; ++j) {
            const std::uint32_t t1 = source.frame(j);
            if (t1 - t0 >= reach) break;
            const core::PairLags lags =
                core::pair_lags(t0, t1, stretch.n_frames, stretch.n_lags, dense_level);
            const std::uint64_t product = c0 * source.count(j);
            if (lags.a >= 0) add_atomic(scratch.G2 + lags.a, product);
            if (lags.b >= 0) add_atomic(scratch.G2 + lags.b, product);
        }
    }
}

template <class S, int n_threads>
__device__ void add_pairs(const Group<n_threads>& group,
                          const EventSource& source,
                          const StretchView& stretch,
                          int dense_level,
                          const S& scratch,
                          Weighted) {
    const std::uint64_t reach = core::pair_reach(dense_level);
    const std::uint32_t n = source.size();
    double* sums = scratch.G2 + group.warp * stretch.n_lags;
    for (std::uint32_t first = static_cast<std::uint32_t>(group.warp * warp_lanes); first < n;
         first += n_threads) {
        const std::uint32_t i = first + static_cast<std::uint32_t>(group.lane);
        const std::uint32_t t0 = i < n ? source.frame(i) : 0;
        const double v0 = i < n ? source.value(i) : 0.0;
        for (std::uint32_t j = i + 1;; ++j) {
            const bool near = j < n && source.frame(j) - t0 < reach;
            if (__ballot_sync(all_lanes, near) == 0) break;
            core::PairLags lags{-1, -1};
            double product = 0;
            if (near) {
                lags = core::pair_lags(
                    t0, source.frame(j), stretch.n_frames, stretch.n_lags, dense_level);
                product = v0 * source.value(j);
            }
            add_in_order(lags.a, product, sums, group.lane);
            add_in_order(lags.b, product, sums, group.lane);
        }
    }
}

/// past and future of every lag where frames are left out: each event counts with the share of
/// frames of its partner block that take part. Exactly 0 where no photon lies in the window.
template <class S, class Source, int n_threads>
__device__ void windows_with_gaps(const Group<n_threads>& group,
                                  const Source& source,
                                  const StretchView& stretch,
                                  const S& scratch,
                                  double* past_out,
                                  double* future_out) {
    const std::uint32_t n = source.size();
    const std::uint32_t part = (n + group.n_warps - 1) / group.n_warps;
    const std::uint32_t begin = static_cast<std::uint32_t>(group.warp) * part;
    const std::uint32_t end = begin + part < n ? begin + part : n;
    double* partial = scratch.G2 + group.warp * 2 * stretch.n_lags;
    for (int lag = group.lane; lag < stretch.n_lags; lag += warp_lanes) {
        const int level = core::lag_level(lag);
        const std::int64_t blocks = core::lag_blocks(lag);
        const std::int64_t n_blocks = stretch.n_frames >> level;
        const std::uint32_t* taken = stretch.taken + stretch.taken_begin[level];
        double past = 0, future = 0;
        for (std::uint32_t i = begin; i < end; ++i) {
            const std::int64_t block = source.frame(i) >> level;
            if (block >= n_blocks) break;
            const double v = source.value(i);
            if (block + blocks < n_blocks) past += v * taken[block + blocks];
            if (block >= blocks) future += v * taken[block - blocks];
        }
        const double share = 1.0 / static_cast<double>(std::int64_t{1} << level);
        partial[2 * lag] = past * share;
        partial[2 * lag + 1] = future * share;
    }
    group.sync();
    for (int lag = group.rank; lag < stretch.n_lags; lag += n_threads) {
        double past = 0, future = 0;
        for (int w = 0; w < group.n_warps; ++w) {
            past += scratch.G2[w * 2 * stretch.n_lags + 2 * lag];
            future += scratch.G2[w * 2 * stretch.n_lags + 2 * lag + 1];
        }
        past_out[lag] = past;
        future_out[lag] = future;
    }
    group.sync();
}

/// What the first values of a source sum to, in shared memory.
struct PrefixSums {
    double* sum;         ///< [n + 1]
    std::uint32_t* lit;  ///< [n + 1] how many of them have photons

    /// Of values [first, end); exactly 0 where there is no photon.
    __device__ double between(std::uint32_t first, std::uint32_t end) const {
        return first >= end || lit[first] == lit[end] ? 0.0 : sum[end] - sum[first];
    }
};

/// Of values [first, first + n), in a fixed order. `warp_sum` and `warp_lit` are shared, [n_warps].
template <class Source, int n_threads>
__device__ void take_prefix_sums(const Group<n_threads>& group,
                                 const Source& source,
                                 std::uint32_t first,
                                 std::uint32_t n,
                                 const PrefixSums& out,
                                 double* warp_sums,
                                 double* warp_lit) {
    double before = 0;
    std::uint32_t lit_before = 0;
    if (group.rank == 0) {
        out.sum[0] = 0;
        out.lit[0] = 0;
    }
    for (std::uint32_t base = 0; base < n; base += n_threads) {
        const std::uint32_t i = base + static_cast<std::uint32_t>(group.rank);
        double sum = i < n ? source.value(first + i) : 0.0;
        std::uint32_t lit = i < n && source.count(first + i) != 0;
        for (int step = 1; step < warp_lanes; step *= 2) {
            const double other = __shfl_up_sync(all_lanes, sum, step);
            const std::uint32_t other_lit = __shfl_up_sync(all_lanes, lit, step);
            if (group.lane < step) continue;
            sum += other;
            lit += other_lit;
        }
        if (group.lane == warp_lanes - 1) {
            warp_sums[group.warp] = sum;
            warp_lit[group.warp] = lit;
        }
        group.sync();
        double earlier = 0, all = 0;
        std::uint32_t earlier_lit = 0, all_lit = 0;
        for (int w = 0; w < group.n_warps; ++w) {
            if (w == group.warp) {
                earlier = all;
                earlier_lit = all_lit;
            }
            all += warp_sums[w];
            all_lit += static_cast<std::uint32_t>(warp_lit[w]);
        }
        if (i < n) {
            out.sum[i + 1] = before + (earlier + sum);
            out.lit[i + 1] = lit_before + earlier_lit + lit;
        }
        before += all;
        lit_before += all_lit;
        group.sync();
    }
    group.sync();
}

/// The same where every frame takes part.
template <class S, class Source, int n_threads>
__device__ void windows_without_gaps(const Group<n_threads>& group,
                                     const Source& source,
                                     const StretchView& stretch,
                                     const S& scratch,
                                     double* past_out,
                                     double* future_out) {
    constexpr std::uint32_t chunk = S::window / 2;
    const PrefixSums prefix{scratch.blocks,
                            reinterpret_cast<std::uint32_t*>(scratch.blocks + chunk + 1)};
    const std::uint32_t n = source.size();
    for (std::uint32_t first = 0; first == 0 || first < n; first += chunk) {
        const std::uint32_t size = n - first < chunk ? n - first : chunk;
        take_prefix_sums(group, source, first, size, prefix, scratch.partial, scratch.edge_partial);
        const auto place = [&](std::int64_t frame) {
            const std::uint32_t at = source.before(frame);
            return at < first ? 0 : at - first < size ? at - first : size;
        };
        for (int lag = group.rank; lag < stretch.n_lags; lag += n_threads) {
            const int level = core::lag_level(lag);
            const std::int64_t blocks = core::lag_blocks(lag);
            const std::int64_t n_blocks = stretch.n_frames >> level;
            const double past = prefix.between(0, place((n_blocks - blocks) << level));
            const double future = prefix.between(place(blocks << level), place(n_blocks << level));
            past_out[lag] = first == 0 ? past : past_out[lag] + past;
            future_out[lag] = first == 0 ? future : future_out[lag] + future;
        }
        group.sync();
    }
}

template <class S, class Source, int n_threads>
__device__ void weighted_windows(const Group<n_threads>& group,
                                 const Source& source,
                                 const StretchView& stretch,
                                 const S& scratch,
                                 double* past_out,
                                 double* future_out) {
    if (stretch.taken == nullptr) {
        windows_without_gaps(group, source, stretch, scratch, past_out, future_out);
    } else {
        windows_with_gaps(group, source, stretch, scratch, past_out, future_out);
    }
}

/// The sums of one level as thread 0 writes them.
template <class Kind>
struct LevelOut {
    typename Kind::Sum* G2;
    typename Kind::Edge* past;  ///< null with weights
    typename Kind::Edge* future;
};

/// One level, its blocks already in shared memory (`filled`) or filled window by window; n_x lags
/// from x0 on.
template <class Kind, class Shape, int n_x, class Source>
__device__ void dense_level(const Group<Shape::threads>& group,
                            const Source& source,
                            const StretchView& stretch,
                            int level,
                            bool filled,
                            const Scratch<Kind, Shape>& scratch,
                            const LevelOut<Kind>& out) {
    using Sum = typename Kind::Sum;
    using Edge = typename Kind::Edge;
    constexpr int x0 = n_x == 8 ? 1 : 5;
    const std::int64_t n_blocks = stretch.n_frames >> level;
    Sum sums[n_x] = {};
    Edge inside = 0;
    for (std::int64_t first = 0; first < n_blocks; first += Shape::window) {
        if (!filled) {
            const BlockWindow window{level, first, Shape::window + halo, n_blocks};
            source.template fill<Kind>(group, window, scratch.blocks);
        }
        const std::int64_t left = n_blocks - first;
        const int n = static_cast<int>(left < Shape::window ? left : Shape::window);
        for (int j = group.rank; j < n; j += Shape::threads) {
            const typename Kind::Block block = scratch.blocks[j];
            inside += block;
            if (first + j < 8) scratch.head[first + j] = block;
            if (left - 1 - j < 8) scratch.tail[left - 1 - j] = block;
#pragma unroll
            for (int k = 0; k < n_x; ++k)
                sums[k] += static_cast<Sum>(block) * scratch.blocks[j + x0 + k];
        }
        group.sync();
    }
    inside = group.sum(inside, scratch.edge_partial);
#pragma unroll
    for (int k = 0; k < n_x; ++k)
        sums[k] = group.sum(sums[k], scratch.partial);
    if (group.rank == 0) {
        Edge head = 0, tail = 0;
        for (int x = 1; x < x0; ++x) {
            head += scratch.head[x - 1];
            tail += scratch.tail[x - 1];
        }
        const int first_lag = core::first_lag(level);
#pragma unroll
        for (int k = 0; k < n_x; ++k) {
            if (first_lag + k >= stretch.n_lags) break;
            head += scratch.head[x0 + k - 1];
            tail += scratch.tail[x0 + k - 1];
            out.G2[first_lag + k] = sums[k];
            if constexpr (!Kind::weighted) {
                out.past[first_lag + k] = inside - tail;
                out.future[first_lag + k] = inside - head;
            }
        }
    }
    group.sync();
}

/// blocks[j] = blocks[2j] + blocks[2j+1] in place, zeros behind. A step writes only below what the
/// next steps read.
template <class Block, int n_threads>
__device__ void halve(const Group<n_threads>& group, Block* blocks, int n) {
    const int half = n / 2;
    for (int first = 0; first < half; first += n_threads) {
        const int j = first + group.rank;
        const Block sum = j < half ? blocks[2 * j] + blocks[2 * j + 1] : Block{0};
        group.sync();
        if (j < half) blocks[j] = sum;
        group.sync();
    }
    if (group.rank < halo) blocks[half + group.rank] = 0;
    group.sync();
}

template <class Kind, class Shape, class Source>
__device__ void dense_levels(const Group<Shape::threads>& group,
                             const Source& source,
                             const StretchView& stretch,
                             int first_level,
                             const Scratch<Kind, Shape>& scratch,
                             const LevelOut<Kind>& out) {
    bool filled = false;
    for (int level = first_level; level < stretch.n_levels; ++level) {
        if (level == 0) {
            dense_level<Kind, Shape, 8>(group, source, stretch, level, filled, scratch, out);
        } else {
            dense_level<Kind, Shape, 4>(group, source, stretch, level, filled, scratch, out);
        }
        const std::int64_t n_blocks = stretch.n_frames >> level;
        filled = n_blocks <= Shape::window;
        if (filled) halve(group, scratch.blocks, static_cast<int>(n_blocks));
    }
}

template <class Source>
__device__ int first_dense_level(const Source& source, const StretchView& stretch) {
    if constexpr (Source::sparse) {
        return core::choose_dense_level(
            source.size(), stretch.n_frames, stretch.n_levels, stretch.neighbours, all_pairs_below);
    } else {
        return 0;
    }
}

template <class Shape, class Source>
__device__ void correlate_one(const Group<Shape::threads>& group,
                              const Job& job,
                              std::uint32_t slot,
                              const Scratch<Counts, Shape>& scratch) {
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
            std::uint64_t total = 0;
            for (auto i = static_cast<std::uint32_t>(group.rank); i < source.size();
                 i += Shape::threads)
                total += source.count(i);
            total = group.sum(total, scratch.edge_partial);
            add_pairs(group, source, stretch, level, scratch, Counts{});
            for (int lag = group.rank; lag < stretch.n_lags && core::lag_level(lag) < level;
                 lag += Shape::threads) {
                const core::WindowSums sums =
                    core::window_sums(source.events, total, lag, stretch.n_frames);
                past[lag] = sums.past;
                future[lag] = sums.future;
            }
        }
    }
    group.sync();
    dense_levels<Counts, Shape>(
        group, source, stretch, level, scratch, LevelOut<Counts>{scratch.G2, past, future});
    for (int lag = group.rank; lag < stretch.n_lags; lag += Shape::threads)
        job.sums.G2[row + static_cast<std::size_t>(lag)] = scratch.G2[lag];
    group.sync();
}

template <class Shape, class Source>
__device__ void correlate_one(const Group<Shape::threads>& group,
                              const Job& job,
                              std::uint32_t slot,
                              const Scratch<Weighted, Shape>& scratch) {
    const StretchView& stretch = job.stretch;
    const std::size_t row = std::size_t{slot} * static_cast<std::size_t>(stretch.n_lags);
    auto* G2 = reinterpret_cast<double*>(job.sums.G2 + row);
    const Source source(job.series, stretch, slot);
    weighted_windows(group,
                     source,
                     stretch,
                     scratch,
                     reinterpret_cast<double*>(job.sums.past + row),
                     reinterpret_cast<double*>(job.sums.future + row));
    const int level = first_dense_level(source, stretch);
    if constexpr (Source::sparse) {
        for (int i = group.rank; i < group.n_warps * stretch.n_lags; i += Shape::threads)
            scratch.G2[i] = 0;
        group.sync();
        add_pairs(group, source, stretch, level, scratch, Weighted{});
        group.sync();
        for (int lag = group.rank; lag < stretch.n_lags && core::lag_level(lag) < level;
             lag += Shape::threads) {
            double sum = 0;
            for (int w = 0; w < group.n_warps; ++w)
                sum += scratch.G2[w * stretch.n_lags + lag];
            G2[lag] = sum;
        }
        group.sync();
    }
    dense_levels<Weighted, Shape>(
        group, source, stretch, level, scratch, LevelOut<Weighted>{G2, nullptr, nullptr});
}

template <class Shape, class Source>
__device__ void correlate_one(const Group<Shape::threads>& group,
                              const Job& job,
                              std::uint32_t slot,
                              const Scratch<WideCounts, Shape>& scratch) {
    const StretchView& stretch = job.stretch;
    const auto n_lags = static_cast<std::size_t>(stretch.n_lags);
    const std::size_t row = slot * n_lags;
    const Source source(job.series, stretch, slot);
    const LevelOut<WideCounts> out{scratch.G2, job.sums.past + row, job.sums.future + row};
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
        correlate_one<S, Source>(group, job, job.slots[i], scratch);
    }
}

/// The list that a pixel belongs to, or -1 if it has nothing to correlate.
__device__ int list_of(const SeriesView& series,
                       const StretchView& stretch,
                       std::uint32_t slot,
                       bool may_be_wide) {
    if (series.excluded[slot] != 0 || series.totals[slot] == 0) return -1;
    if (may_be_wide && series.totals[slot] > narrow_total_limit) return WorkLists::wide;
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
        run(start<Counts, false, RowSource>, WorkLists::block);
        run(start<Counts, true, RowSource>, WorkLists::warp);
    } else {
        run(start<Counts, false, EventSource>, WorkLists::block);
        run(start<Counts, true, EventSource>, WorkLists::warp);
    }
}

}  // namespace xpcs::gpu
