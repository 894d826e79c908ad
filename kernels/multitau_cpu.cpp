// SPDX-License-Identifier: BSD-3-Clause
// Tiles are worked off in parallel; a tile is small enough that its events stay in the L2 cache
// from the sort into pixels to the last lag.
#include "kernels/multitau.hpp"

#include "kernels/bin_sums.hpp"
#include "kernels/multitau_plan.hpp"
#include "kernels/multitau_scratch.hpp"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <memory>
#include <numeric>

// The order of what follows matters: this file is read once per instruction set.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/multitau_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "kernels/multitau_pixel-inl.hpp"
#include "kernels/multitau_weighted-inl.hpp"
// clang-format on

#ifndef XPCS_MULTITAU_CPU_SHARED
#define XPCS_MULTITAU_CPU_SHARED
namespace xpcs {

struct TileJob {
    const PixelSeries& series;
    const MultitauRequest& request;
    std::vector<Stretch> stretches;
    double neighbours = 0;
    bool map_frames = false;  ///< frames must be selected or renumbered
};

/// What a thread holds. Sums of counts are the thread's; what is added in tile order leaves by
/// tile.
struct TileWorker {
    TileEvents events;
    RawVector<std::uint32_t> row, frame, count, shifted;
    RawVector<double> value;
    PixelScratch scratch;
    LagSums sums;
    WeightedLagSums weighted_sums;
    std::vector<CountSums> counts;        ///< [stretch]
    std::vector<TileSums> ratios;         ///< [stretch]
    std::vector<TileSums> weighted;       ///< [stretch]
    std::vector<std::uint64_t> segments;  ///< [n_static][n_segments]
    std::int64_t duplicates = 0;
    std::int64_t events_used = 0;
};

struct TileResult {
    std::vector<PackedTile> ratios, weighted;  ///< [stretch]
};

}  // namespace xpcs
#endif

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

/// Pixel g2 = n G2 / (past future) into the sums of its dynamic bin, where there is signal.
inline void add_ratios(const double* G2,
                       const double* past,
                       const double* future,
                       const double* pairs,
                       std::size_t n_lags,
                       double* row,
                       std::int64_t* n_signal) {
    double* square = row + n_lags;
    for (std::size_t i = 0; i < n_lags; ++i) {
        const double product = past[i] * future[i];
        const bool signal = product > 0;
        const double ratio = signal ? G2[i] * pairs[i] / (signal ? product : 1.0) : 0.0;
        row[i] += ratio;
        square[i] += ratio * ratio;
        n_signal[i] += signal;
    }
}

inline void store_means(const Stretch& stretch,
                        const double* G2,
                        const double* past,
                        const double* future,
                        std::int64_t pixel,
                        PixelMeans& means) {
    for (int i = 0; i < stretch.ladder.n_lags(); ++i) {
        const double scale =
            1.0 / static_cast<double>(std::int64_t{1} << stretch.ladder.lags[i].level);
        const double per_pair = stretch.pairs[i] > 0 ? scale / stretch.pairs[i] : 0.0;
        const std::size_t at = static_cast<std::size_t>(i * means.n_pixels + pixel);
        means.G2[at] = static_cast<float>(G2[i] * per_pair * scale);
        means.past[at] = static_cast<float>(past[i] * per_pair);
        means.future[at] = static_cast<float>(future[i] * per_pair);
    }
}

/// One stretch of one pixel with events frame[0..n), count[0..n).
inline void add_stretch(const TileJob& job,
                        std::size_t which,
                        std::int64_t slot,
                        const std::uint32_t* frame,
                        const std::uint32_t* count,
                        std::size_t n,
                        std::uint64_t total,
                        bool dense_row,
                        TileWorker& worker,
                        PixelMeans* means) {
    const Stretch& stretch = job.stretches[which];
    const Partition& partition = job.series.partition();
    const std::uint32_t bin = partition.static_bin[static_cast<std::size_t>(slot)];
    const std::uint32_t dynamic = partition.dynamic_of_static[bin];
    const auto n_lags = static_cast<std::size_t>(stretch.ladder.n_lags());
    double G2[max_lags], past[max_lags], future[max_lags];
    if (job.request.weights == nullptr) {
        LagSums& sums = worker.sums;
        if (dense_row) {
            correlate_row(count, total, stretch.ladder, worker.scratch, sums);
        } else {
            correlate_events(
                frame, count, n, total, stretch.ladder, job.neighbours, worker.scratch, sums);
        }
        worker.counts[which].add(bin, sums, total);
        for (std::size_t i = 0; i < n_lags; ++i) {
            const std::uint64_t inside = sums.total[stretch.ladder.lags[i].level];
            G2[i] = static_cast<double>(sums.G2[i]);
            past[i] = static_cast<double>(inside - sums.tail[i]);
            future[i] = static_cast<double>(inside - sums.head[i]);
        }
        if (sums.wide) {
            for (std::size_t i = 0; i < n_lags; ++i) {
                G2[i] = static_cast<double>(sums.G2_full(static_cast<int>(i)));
            }
        }
    } else {
        const double* weight = job.request.weights->weight.data() + stretch.begin;
        RawVector<double>& value = worker.value;
        value.resize(std::max(value.size(), n));
        for (std::size_t i = 0; i < n; ++i)
            value[i] = count[i] * weight[frame[i]];
        correlate_events_weighted(frame,
                                  value.data(),
                                  n,
                                  stretch.ladder,
                                  job.neighbours,
                                  stretch.taken,
                                  worker.scratch,
                                  worker.weighted_sums);
        std::copy_n(worker.weighted_sums.G2, n_lags, G2);
        std::copy_n(worker.weighted_sums.past, n_lags, past);
        std::copy_n(worker.weighted_sums.future, n_lags, future);
        double* row = worker.weighted[which].row(bin);
        for (std::size_t i = 0; i < n_lags; ++i)
            row[i] += G2[i];
        for (std::size_t i = 0; i < n_lags; ++i)
            row[n_lags + i] += past[i];
        for (std::size_t i = 0; i < n_lags; ++i)
            row[2 * n_lags + i] += future[i];
    }
    add_ratios(G2,
               past,
               future,
               stretch.pairs.data(),
               n_lags,
               worker.ratios[which].row(dynamic),
               worker.counts[which].n_signal(dynamic));
    if (means != nullptr) {
        store_means(stretch, G2, past, future, slot - means->first_slot, *means);
    }
}

inline std::uint64_t sum_of(const std::uint32_t* count, std::size_t n) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += count[i];
    return sum;
}

/// Photons of a pixel in every slice of the SAXS segments.
inline void add_segments(const MultitauRequest& request,
                         const std::uint32_t* frame,
                         const std::uint32_t* count,
                         std::size_t n,
                         bool dense_row,
                         std::uint64_t* segments) {
    if (dense_row) {
        for (std::int64_t k = 0; k < request.n_segments; ++k) {
            segments[k] += sum_of(count + k * request.segment_frames,
                                  static_cast<std::size_t>(request.segment_frames));
        }
        return;
    }
    const std::int64_t end = request.n_segments * request.segment_frames;
    std::int64_t current = 0, current_end = request.segment_frames;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (frame[i] >= current_end) {
            segments[current] += sum;
            sum = 0;
            if (frame[i] >= end) return;
            current = frame[i] / request.segment_frames;
            current_end = (current + 1) * request.segment_frames;
        }
        sum += count[i];
    }
    segments[current] += sum;
}

/// Everything of one pixel: its events are those of the analysis frames, ascending.
inline void add_pixel(const TileJob& job,
                      std::int64_t slot,
                      const std::uint32_t* frame,
                      const std::uint32_t* count,
                      std::size_t n,
                      bool dense_row,
                      TileWorker& worker,
                      std::uint64_t* pixel_photons,
                      PixelMeans* means) {
    const std::uint64_t total = sum_of(count, n);
    pixel_photons[slot] = total;
    if (total == 0) return;
    if (job.request.n_segments > 0) {
        const std::uint32_t bin = job.series.partition().static_bin[static_cast<std::size_t>(slot)];
        add_segments(job.request,
                     frame,
                     count,
                     n,
                     dense_row,
                     worker.segments.data() +
                         std::size_t{bin} * static_cast<std::size_t>(job.request.n_segments));
    }
    add_stretch(job, 0, slot, frame, count, n, total, dense_row, worker, means);
    for (std::size_t k = 1; k < job.stretches.size(); ++k) {
        const Stretch& stretch = job.stretches[k];
        std::size_t first = static_cast<std::size_t>(stretch.begin);
        std::size_t last = static_cast<std::size_t>(stretch.end);
        if (!dense_row) {
            first = static_cast<std::size_t>(
                std::lower_bound(frame, frame + n, static_cast<std::uint32_t>(stretch.begin)) -
                frame);
            last = static_cast<std::size_t>(
                std::lower_bound(frame, frame + n, static_cast<std::uint32_t>(stretch.end)) -
                frame);
        }
        worker.shifted.resize(std::max(worker.shifted.size(), n));
        std::uint64_t slice_total = 0;
        for (std::size_t i = first; i < last; ++i) {
            worker.shifted[i - first] =
                dense_row ? 0 : frame[i] - static_cast<std::uint32_t>(stretch.begin);
            slice_total += count[i];
        }
        if (slice_total == 0) continue;
        add_stretch(job,
                    k,
                    slot,
                    worker.shifted.data(),
                    count + first,
                    last - first,
                    slice_total,
                    dense_row,
                    worker,
                    nullptr);
    }
}

/// Keeps the analysis frames of a pixel's events; returns how many are left.
inline std::size_t select_events(const TileJob& job,
                                 const std::uint32_t* frame,
                                 const std::uint32_t* count,
                                 std::size_t n,
                                 TileWorker& worker) {
    worker.frame.resize(std::max(worker.frame.size(), n));
    worker.count.resize(std::max(worker.count.size(), n));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t t = job.request.frames(job.series.range().begin_frame + frame[i]);
        if (t == FrameMap::left_out) continue;
        worker.frame[kept] = static_cast<std::uint32_t>(t);
        worker.count[kept++] = count[i];
    }
    return kept;
}

void sparse_tile(const TileJob& job,
                 std::int64_t tile,
                 TileWorker& worker,
                 std::uint64_t* pixel_photons,
                 PixelMeans* means) {
    TileEvents& events = worker.events;
    job.series.gather(tile, events);
    worker.duplicates += events.duplicates;
    const std::int64_t first = job.series.first_slot(tile);
    for (std::int64_t slot = first; slot < job.series.end_slot(tile); ++slot) {
        if (is_excluded(job.request, slot)) continue;
        const std::size_t begin = events.begin[static_cast<std::size_t>(slot - first)];
        std::size_t n = events.begin[static_cast<std::size_t>(slot - first) + 1] - begin;
        const std::uint32_t* frame = events.frame.data() + begin;
        const std::uint32_t* count = events.count.data() + begin;
        if (job.map_frames) {
            n = select_events(job, frame, count, n, worker);
            frame = worker.frame.data();
            count = worker.count.data();
        }
        worker.events_used += static_cast<std::int64_t>(n);
        add_pixel(job, slot, frame, count, n, false, worker, pixel_photons, means);
    }
}

void dense_tile(const TileJob& job,
                std::int64_t tile,
                TileWorker& worker,
                std::uint64_t* pixel_photons,
                PixelMeans* means) {
    const FrameMap& map = job.request.frames;
    const std::int64_t n_raw = map.end() - job.series.range().begin_frame;
    const auto n_frames = static_cast<std::size_t>(map.n_frames);
    worker.row.resize(static_cast<std::size_t>(std::max(n_raw, map.n_frames)));
    for (std::int64_t slot = job.series.first_slot(tile); slot < job.series.end_slot(tile);
         ++slot) {
        if (is_excluded(job.request, slot)) continue;
        job.series.gather_row(slot, n_raw, worker.row.data());
        std::uint32_t* row = worker.row.data();
        if (job.map_frames) {
            worker.count.resize(std::max(worker.count.size(), n_frames));
            std::fill_n(worker.count.begin(), n_frames, 0U);
            for (std::int64_t f = 0; f < n_raw; ++f) {
                const std::int64_t t = map(job.series.range().begin_frame + f);
                if (t != FrameMap::left_out) worker.count[static_cast<std::size_t>(t)] += row[f];
            }
            row = worker.count.data();
        }
        if (job.request.weights == nullptr) {
            add_pixel(job, slot, row, row, n_frames, true, worker, pixel_photons, means);
            continue;
        }
        // Weights make real numbers of counts; a full row is the densest of event lists.
        worker.frame.resize(std::max(worker.frame.size(), n_frames));
        std::size_t n = 0;
        for (std::size_t t = 0; t < n_frames; ++t) {
            worker.frame[n] = static_cast<std::uint32_t>(t);
            row[n] = row[t];
            n += row[n] != 0;
        }
        add_pixel(job, slot, worker.frame.data(), row, n, false, worker, pixel_photons, means);
    }
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace xpcs {

HWY_EXPORT(sparse_tile);
HWY_EXPORT(dense_tile);

namespace {

/// Measured on AVX-512 and AVX2: flat between 0.4 and 1.2 neighbours.
constexpr double default_neighbours = 0.7;

TileWorker make_worker(const TileJob& job) {
    TileWorker worker;
    const Partition& partition = job.series.partition();
    for (const Stretch& stretch : job.stretches) {
        worker.counts.emplace_back(partition.n_static, partition.n_dynamic, stretch.ladder);
    }
    worker.ratios.resize(job.stretches.size());
    worker.weighted.resize(job.stretches.size());
    worker.segments.assign(
        std::size_t{partition.n_static} * static_cast<std::size_t>(job.request.n_segments), 0);
    return worker;
}

void run_tile(const TileJob& job,
              std::int64_t tile,
              TileWorker& worker,
              std::uint64_t* pixel_photons,
              TileResult& result,
              PixelMeans* means) {
    const Partition& partition = job.series.partition();
    const bool weighted = job.request.weights != nullptr;
    for (std::size_t k = 0; k < job.stretches.size(); ++k) {
        const auto n_lags = static_cast<std::size_t>(job.stretches[k].ladder.n_lags());
        worker.ratios[k].reset(n_lags, 2, partition.n_dynamic);
        if (weighted) worker.weighted[k].reset(n_lags, 3, partition.n_static);
    }
    if (means != nullptr) {
        means->first_slot = job.series.first_slot(tile);
        means->n_pixels = job.series.end_slot(tile) - means->first_slot;
        const auto size = static_cast<std::size_t>(means->n_pixels) * job.stretches[0].pairs.size();
        means->G2.assign(size, 0);
        means->past.assign(size, 0);
        means->future.assign(size, 0);
    }
    if (job.series.dense()) {
        HWY_DYNAMIC_DISPATCH(dense_tile)(job, tile, worker, pixel_photons, means);
    } else {
        HWY_DYNAMIC_DISPATCH(sparse_tile)(job, tile, worker, pixel_photons, means);
    }
    for (std::size_t k = 0; k < job.stretches.size(); ++k) {
        result.ratios.push_back(worker.ratios[k].pack());
        if (weighted) result.weighted.push_back(worker.weighted[k].pack());
    }
    if (job.request.progress) {
        job.request.progress(job.series.end_slot(tile) - job.series.first_slot(tile));
    }
}

}  // namespace

namespace cpu {

MultitauSums multitau(const PixelSeries& series, const MultitauRequest& request) {
    MultitauSums out;
    TileJob job{series, request, make_stretches(request, out.partial_begin), 0, false};
    job.neighbours = request.dense_neighbours > 0 ? request.dense_neighbours : default_neighbours;
    job.map_frames = maps_frames(series, request);
    out.pixel_photons.assign(static_cast<std::size_t>(series.partition().n_kept()), 0);

    const std::int64_t first = series.first_tile();
    const std::int64_t n = series.end_tile() - first;
    std::vector<TileResult> tiles(static_cast<std::size_t>(n));
    oneapi::tbb::enumerable_thread_specific<std::unique_ptr<TileWorker>> workers(
        [&] { return std::make_unique<TileWorker>(make_worker(job)); });
    oneapi::tbb::task_arena arena(request.threads > 0 ? request.threads
                                                      : oneapi::tbb::task_arena::automatic);
    // Means leave in ascending order: a group of tiles in parallel, then handed over one by one.
    const bool with_means = static_cast<bool>(request.pixel_means);
    const std::int64_t group = with_means ? 64 : std::max<std::int64_t>(n, 1);
    std::vector<PixelMeans> means(with_means ? static_cast<std::size_t>(std::min(group, n)) : 0);
    for (std::int64_t begin = 0; begin < n; begin += group) {
        const std::int64_t end = std::min(n, begin + group);
        arena.execute([&] {
            oneapi::tbb::parallel_for(
                oneapi::tbb::blocked_range<std::int64_t>(begin, end, 1), [&](const auto& tasks) {
                    TileWorker& worker = *workers.local();
                    for (std::int64_t i = tasks.begin(); i < tasks.end(); ++i) {
                        run_tile(job,
                                 first + i,
                                 worker,
                                 out.pixel_photons.data(),
                                 tiles[static_cast<std::size_t>(i)],
                                 with_means ? &means[static_cast<std::size_t>(i - begin)]
                                            : nullptr);
                    }
                });
        });
        for (std::int64_t i = begin; with_means && i < end; ++i) {
            request.pixel_means(means[static_cast<std::size_t>(i - begin)]);
        }
    }

    out.segment_photons.assign(
        std::size_t{series.partition().n_static} * static_cast<std::size_t>(request.n_segments), 0);
    for (std::size_t k = 0; k < job.stretches.size(); ++k) {
        BinSums sums = empty_sums(series, request, job.stretches[k]);
        for (auto& worker : workers)
            worker->counts[k].add_to(sums);
        for (TileResult& tile : tiles) {
            sums.ratio_tiles.push_back(std::move(tile.ratios[k]));
            if (sums.weighted) sums.weighted_tiles.push_back(std::move(tile.weighted[k]));
        }
        if (k == 0) {
            out.whole = std::move(sums);
        } else {
            out.partial.push_back(std::move(sums));
        }
    }
    for (const auto& worker : workers) {
        out.duplicates += worker->duplicates;
        out.events_used += worker->events_used;
        for (std::size_t i = 0; i < out.segment_photons.size(); ++i) {
            out.segment_photons[i] += worker->segments[i];
        }
    }
    return out;
}

}  // namespace cpu
}  // namespace xpcs

#endif  // HWY_ONCE
