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
#include <bit>
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
    PackedTileEvents packed;
    RawVector<std::uint32_t> row, frame, count, shifted;
    RawVector<std::uint32_t> file_frame, file_count;  ///< of one pixel, before selection
    RawVector<std::byte> samples;                     ///< one row of 8, 16 or 32 bits
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

/// What one pixel delivered: its events, ascending in time, or a sample of every frame.
struct PixelEvents {
    const std::uint32_t* frame;
    const std::uint32_t* count;
    std::size_t n;
};
template <class Sample>
struct PixelRow {
    const Sample* sample;
    std::size_t n;
};

template <class T>
HWY_INLINE std::uint64_t sum_of(const T* count, std::size_t n) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum += count[i];
    return sum;
}
HWY_INLINE std::uint64_t sum_of(const std::uint8_t* count, std::size_t n) {
    // Pieces of 2^16 bytes fit 32 bits, which vectors add up faster.
    std::uint64_t sum = 0;
    for (std::size_t first = 0; first < n; first += 65536) {
        std::uint32_t part = 0;
        for (std::size_t i = first; i < std::min(n, first + 65536); ++i)
            part += count[i];
        sum += part;
    }
    return sum;
}
inline std::uint64_t total_of(const PixelEvents& pixel) {
    return sum_of(pixel.count, pixel.n);
}
template <class Sample>
inline std::uint64_t total_of(const PixelRow<Sample>& pixel) {
    return sum_of(pixel.sample, pixel.n);
}

inline void correlate_counts(const TileJob& job,
                             const Stretch& stretch,
                             const PixelEvents& pixel,
                             std::uint64_t total,
                             TileWorker& worker) {
    correlate_events(pixel.frame,
                     pixel.count,
                     pixel.n,
                     total,
                     stretch.ladder,
                     job.neighbours,
                     worker.scratch,
                     worker.sums);
}
template <class Sample>
inline void correlate_counts(const TileJob&,
                             const Stretch& stretch,
                             const PixelRow<Sample>& pixel,
                             std::uint64_t total,
                             TileWorker& worker) {
    correlate_row(pixel.sample, total, stretch.ladder, worker.scratch, worker.sums);
}

/// The pixel's sums of one stretch as doubles.
struct PixelSums {
    double G2[max_lags], past[max_lags], future[max_lags];
};

/// Whole numbers below 2^52, which vectors without such a conversion turn into doubles like this.
inline double small_as_double(std::uint64_t x) {
    return std::bit_cast<double>(x | 0x4330000000000000U) - 4503599627370496.0;
}

inline void counts_as_doubles(const LagSums& sums,
                              std::uint64_t total,
                              const LagLadder& ladder,
                              PixelSums& out) {
    const auto n_lags = static_cast<std::size_t>(ladder.n_lags());
    std::uint64_t past[max_lags], future[max_lags];
    for (std::size_t i = 0; i < n_lags; ++i) {
        const std::uint64_t inside = sums.total[core::lag_level(static_cast<int>(i))];
        past[i] = inside - sums.tail[i];
        future[i] = inside - sums.head[i];
    }
    // No sum exceeds total^2.
    if (total < std::uint64_t{1} << 26) {
        for (std::size_t i = 0; i < n_lags; ++i) {
            out.G2[i] = small_as_double(sums.G2[i]);
            out.past[i] = small_as_double(past[i]);
            out.future[i] = small_as_double(future[i]);
        }
        return;
    }
    for (std::size_t i = 0; i < n_lags; ++i) {
        out.G2[i] = static_cast<double>(sums.G2_full(static_cast<int>(i)));
        out.past[i] = static_cast<double>(past[i]);
        out.future[i] = static_cast<double>(future[i]);
    }
}

inline void correlate_weights(const TileJob& job,
                              const Stretch& stretch,
                              const PixelEvents& pixel,
                              const double* weight,
                              TileWorker& worker) {
    RawVector<double>& value = worker.value;
    value.resize(std::max(value.size(), pixel.n));
    for (std::size_t i = 0; i < pixel.n; ++i)
        value[i] = pixel.count[i] * weight[pixel.frame[i]];
    correlate_events_weighted(pixel.frame,
                              value.data(),
                              pixel.n,
                              stretch.ladder,
                              job.neighbours,
                              stretch.taken,
                              worker.scratch,
                              worker.weighted_sums);
}
template <class Sample>
inline void correlate_weights(const TileJob&,
                              const Stretch& stretch,
                              const PixelRow<Sample>& pixel,
                              const double* weight,
                              TileWorker& worker) {
    correlate_row_weighted(
        pixel.sample, weight, stretch.ladder, stretch.taken, worker.scratch, worker.weighted_sums);
}

/// Weighted sums of a pixel, added to its static bin.
template <class Pixel>
inline void correlate_weighted(const TileJob& job,
                               std::size_t which,
                               std::uint32_t bin,
                               const Pixel& pixel,
                               TileWorker& worker,
                               PixelSums& out) {
    const Stretch& stretch = job.stretches[which];
    correlate_weights(
        job, stretch, pixel, job.request.weights->weight.data() + stretch.begin, worker);
    const auto n_lags = static_cast<std::size_t>(stretch.ladder.n_lags());
    std::copy_n(worker.weighted_sums.G2, n_lags, out.G2);
    std::copy_n(worker.weighted_sums.past, n_lags, out.past);
    std::copy_n(worker.weighted_sums.future, n_lags, out.future);
    double* row = worker.weighted[which].row(bin);
    for (std::size_t i = 0; i < n_lags; ++i)
        row[i] += out.G2[i];
    for (std::size_t i = 0; i < n_lags; ++i)
        row[n_lags + i] += out.past[i];
    for (std::size_t i = 0; i < n_lags; ++i)
        row[2 * n_lags + i] += out.future[i];
}
/// One stretch of one pixel.
template <class Pixel>
inline void add_stretch(const TileJob& job,
                        std::size_t which,
                        std::int64_t slot,
                        const Pixel& pixel,
                        std::uint64_t total,
                        TileWorker& worker,
                        PixelMeans* means) {
    const Stretch& stretch = job.stretches[which];
    const Partition& partition = job.series.partition();
    const std::uint32_t bin = partition.static_bin[static_cast<std::size_t>(slot)];
    const std::uint32_t dynamic = partition.dynamic_of_static[bin];
    PixelSums sums;
    if (job.request.weights == nullptr) {
        correlate_counts(job, stretch, pixel, total, worker);
        worker.counts[which].add(bin, worker.sums, total);
        counts_as_doubles(worker.sums, total, stretch.ladder, sums);
    } else {
        correlate_weighted(job, which, bin, pixel, worker, sums);
    }
    add_ratios(sums.G2,
               sums.past,
               sums.future,
               stretch.pairs.data(),
               static_cast<std::size_t>(stretch.ladder.n_lags()),
               worker.ratios[which].row(dynamic),
               worker.counts[which].n_signal(dynamic));
    if (means != nullptr) {
        store_means(stretch, sums.G2, sums.past, sums.future, slot - means->first_slot, *means);
    }
}

/// Photons of a pixel in every slice of the SAXS segments.
template <class Sample>
inline void add_segments(const MultitauRequest& request,
                         const PixelRow<Sample>& pixel,
                         std::uint64_t* segments) {
    for (std::int64_t k = 0; k < request.n_segments; ++k) {
        segments[k] += sum_of(pixel.sample + k * request.segment_frames,
                              static_cast<std::size_t>(request.segment_frames));
    }
}
inline void
add_segments(const MultitauRequest& request, const PixelEvents& pixel, std::uint64_t* segments) {
    const std::int64_t end = request.n_segments * request.segment_frames;
    std::int64_t current = 0, current_end = request.segment_frames;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < pixel.n; ++i) {
        const std::uint32_t frame = pixel.frame[i];
        if (frame >= current_end) {
            segments[current] += sum;
            sum = 0;
            if (frame >= end) return;
            current = frame / request.segment_frames;
            current_end = (current + 1) * request.segment_frames;
        }
        sum += pixel.count[i];
    }
    segments[current] += sum;
}

/// The part of a pixel that lies in a stretch, its frames counted from there.
inline PixelEvents slice(const PixelEvents& pixel, const Stretch& stretch, TileWorker& worker) {
    const auto at = [&](std::int64_t frame) {
        return static_cast<std::size_t>(std::lower_bound(pixel.frame,
                                                         pixel.frame + pixel.n,
                                                         static_cast<std::uint32_t>(frame)) -
                                        pixel.frame);
    };
    const std::size_t first = at(stretch.begin), last = at(stretch.end);
    worker.shifted.resize(std::max(worker.shifted.size(), pixel.n));
    for (std::size_t i = first; i < last; ++i)
        worker.shifted[i - first] = pixel.frame[i] - static_cast<std::uint32_t>(stretch.begin);
    return {worker.shifted.data(), pixel.count + first, last - first};
}
template <class Sample>
inline PixelRow<Sample> slice(const PixelRow<Sample>& pixel, const Stretch& stretch, TileWorker&) {
    return {pixel.sample + stretch.begin, static_cast<std::size_t>(stretch.end - stretch.begin)};
}

/// Everything of one pixel in the analysis frames.
template <class Pixel>
inline void add_pixel(const TileJob& job,
                      std::int64_t slot,
                      const Pixel& pixel,
                      TileWorker& worker,
                      std::uint64_t* pixel_photons,
                      PixelMeans* means) {
    const std::uint64_t total = total_of(pixel);
    pixel_photons[slot] = total;
    if (total == 0) return;
    if (job.request.n_segments > 0) {
        const std::uint32_t bin = job.series.partition().static_bin[static_cast<std::size_t>(slot)];
        add_segments(job.request,
                     pixel,
                     worker.segments.data() +
                         std::size_t{bin} * static_cast<std::size_t>(job.request.n_segments));
    }
    add_stretch(job, 0, slot, pixel, total, worker, means);
    for (std::size_t k = 1; k < job.stretches.size(); ++k) {
        const Pixel part = slice(pixel, job.stretches[k], worker);
        const std::uint64_t part_total = total_of(part);
        if (part_total == 0) continue;
        add_stretch(job, k, slot, part, part_total, worker, nullptr);
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

/// One pixel's events in file frames: selects the analysis frames.
inline void add_events(const TileJob& job,
                       std::int64_t slot,
                       PixelEvents pixel,
                       TileWorker& worker,
                       std::uint64_t* pixel_photons,
                       PixelMeans* means) {
    if (job.map_frames) {
        pixel.n = select_events(job, pixel.frame, pixel.count, pixel.n, worker);
        pixel.frame = worker.frame.data();
        pixel.count = worker.count.data();
    }
    worker.events_used += static_cast<std::int64_t>(pixel.n);
    add_pixel(job, slot, pixel, worker, pixel_photons, means);
}

/// Takes words apart; returns how many share their frame with the one before.
inline std::int64_t unpack(const std::uint32_t* HWY_RESTRICT word,
                           std::size_t n,
                           std::uint32_t* HWY_RESTRICT frame,
                           std::uint32_t* HWY_RESTRICT count) {
    for (std::size_t i = 0; i < n; ++i) {
        frame[i] = word[i] >> 8;
        count[i] = word[i] & 0xFFU;
    }
    std::uint32_t equal = 0;
    for (std::size_t i = 1; i < n; ++i)
        equal += frame[i] == frame[i - 1];
    return equal;
}

void packed_tile(const TileJob& job,
                 std::int64_t tile,
                 TileWorker& worker,
                 std::uint64_t* pixel_photons,
                 PixelMeans* means) {
    PackedTileEvents& events = worker.packed;
    job.series.gather(tile, events);
    const std::int64_t first = job.series.first_slot(tile);
    for (std::int64_t slot = first; slot < job.series.end_slot(tile); ++slot) {
        const std::size_t begin = events.begin[static_cast<std::size_t>(slot - first)];
        const std::size_t n = events.begin[static_cast<std::size_t>(slot - first) + 1] - begin;
        worker.file_frame.resize(std::max(worker.file_frame.size(), n));
        worker.file_count.resize(std::max(worker.file_count.size(), n));
        worker.duplicates += unpack(
            events.word.data() + begin, n, worker.file_frame.data(), worker.file_count.data());
        if (is_excluded(job.request, slot)) continue;
        add_events(job,
                   slot,
                   {worker.file_frame.data(), worker.file_count.data(), n},
                   worker,
                   pixel_photons,
                   means);
    }
}

void sparse_tile(const TileJob& job,
                 std::int64_t tile,
                 TileWorker& worker,
                 std::uint64_t* pixel_photons,
                 PixelMeans* means) {
    if (job.series.packs()) return packed_tile(job, tile, worker, pixel_photons, means);
    TileEvents& events = worker.events;
    job.series.gather(tile, events);
    worker.duplicates += events.duplicates;
    const std::int64_t first = job.series.first_slot(tile);
    for (std::int64_t slot = first; slot < job.series.end_slot(tile); ++slot) {
        if (is_excluded(job.request, slot)) continue;
        const std::size_t begin = events.begin[static_cast<std::size_t>(slot - first)];
        const std::size_t n = events.begin[static_cast<std::size_t>(slot - first) + 1] - begin;
        add_events(job,
                   slot,
                   {events.frame.data() + begin, events.count.data() + begin, n},
                   worker,
                   pixel_photons,
                   means);
    }
}

/// Rows whose frames are those of the analysis, in the width that the samples have.
template <class Sample>
void plain_rows(const TileJob& job,
                std::int64_t tile,
                TileWorker& worker,
                std::uint64_t* pixel_photons,
                PixelMeans* means) {
    const auto n_frames = static_cast<std::size_t>(job.request.frames.n_frames);
    worker.samples.resize(std::max(worker.samples.size(), n_frames * sizeof(Sample)));
    auto* row = reinterpret_cast<Sample*>(worker.samples.data());
    const std::int64_t end = job.series.end_slot(tile);
    for (std::int64_t slot = job.series.first_slot(tile); slot < end; ++slot) {
        if (is_excluded(job.request, slot)) continue;
        job.series.gather_row(slot, job.request.frames.n_frames, row);
        add_pixel(job, slot, PixelRow<Sample>{row, n_frames}, worker, pixel_photons, means);
    }
}

/// Rows of which frames are selected or summed up, and rows of 32 bits.
void mapped_rows(const TileJob& job,
                 std::int64_t tile,
                 TileWorker& worker,
                 std::uint64_t* pixel_photons,
                 PixelMeans* means) {
    const FrameMap& map = job.request.frames;
    const std::int64_t n_raw = map.end() - job.series.range().begin_frame;
    const auto n_frames = static_cast<std::size_t>(map.n_frames);
    worker.row.resize(static_cast<std::size_t>(std::max(n_raw, map.n_frames)));
    worker.count.resize(std::max(worker.count.size(), n_frames));
    const std::int64_t end = job.series.end_slot(tile);
    for (std::int64_t slot = job.series.first_slot(tile); slot < end; ++slot) {
        if (is_excluded(job.request, slot)) continue;
        job.series.gather_row(slot, n_raw, worker.row.data());
        std::uint32_t* row = worker.row.data();
        if (job.map_frames) {
            std::fill_n(worker.count.begin(), n_frames, 0U);
            for (std::int64_t f = 0; f < n_raw; ++f) {
                const std::int64_t t = map(job.series.range().begin_frame + f);
                if (t != FrameMap::left_out) worker.count[static_cast<std::size_t>(t)] += row[f];
            }
            row = worker.count.data();
        }
        add_pixel(job, slot, PixelRow<std::uint32_t>{row, n_frames}, worker, pixel_photons, means);
    }
}

void dense_tile(const TileJob& job,
                std::int64_t tile,
                TileWorker& worker,
                std::uint64_t* pixel_photons,
                PixelMeans* means) {
    const std::uint32_t largest = job.series.largest_sample();
    if (job.map_frames || largest > 0xFFFF) {
        mapped_rows(job, tile, worker, pixel_photons, means);
    } else if (largest > 0xFF) {
        plain_rows<std::uint16_t>(job, tile, worker, pixel_photons, means);
    } else {
        plain_rows<std::uint8_t>(job, tile, worker, pixel_photons, means);
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
