// SPDX-License-Identifier: BSD-3-Clause
// Tiles are worked off in parallel; a tile is small enough that its events stay in the L2 cache
// from the sort into pixels to the last lag.
#include "kernels/multitau.hpp"

#include "kernels/bin_sums.hpp"
#include "kernels/bundle_sums.hpp"
#include "kernels/multitau_job.hpp"
#include "kernels/multitau_plan.hpp"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

// A group of pixels has a fixed number of lanes, which scalable vectors do not know.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

// The order of what follows matters: this file is read once per instruction set.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/multitau_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "kernels/multitau_event_groups-inl.hpp"
#include "kernels/multitau_groups-inl.hpp"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

/// Keeps the analysis frames of the events of a group.
inline void select_events(const TileJob& job, EventGroup& group, TileWorker& worker) {
    const std::size_t most = group.n_events();
    worker.frame.resize(std::max(worker.frame.size(), most));
    worker.count.resize(std::max(worker.count.size(), most));
    std::uint32_t *frame = worker.frame.data(), *count = worker.count.data();
    for (std::int64_t k = 0; k < group.n; ++k) {
        PixelEvents& pixel = group.pixel[k];
        std::size_t kept = 0;
        for (std::size_t i = 0; i < pixel.n; ++i) {
            const std::int64_t t =
                job.request.frames(job.series.range().begin_frame + pixel.frame[i]);
            if (t == FrameMap::left_out) continue;
            frame[kept] = static_cast<std::uint32_t>(t);
            count[kept++] = pixel.count[i];
        }
        pixel = {frame, count, kept};
        frame += kept;
        count += kept;
    }
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

/// Group by group; `take(offset, group)` finds the events of the pixels `offset` and on of the
/// tile.
template <class Take>
HWY_INLINE void add_groups(const TileJob& job,
                           std::int64_t tile,
                           const Take& take,
                           TileWorker& worker,
                           std::uint64_t* pixel_photons,
                           PixelMeans* means) {
    const std::int64_t first = job.series.first_slot(tile), end = job.series.end_slot(tile);
    EventGroup group;
    for (std::int64_t slot = first; slot < end; slot += group.n) {
        group.first_slot = slot;
        group.n = std::min(lanes_in_group(), end - slot);
        take(slot - first, group);
        if (job.map_frames) select_events(job, group, worker);
        add_group(job, group, worker, pixel_photons, means);
    }
}

void packed_tile(const TileJob& job,
                 std::int64_t tile,
                 TileWorker& worker,
                 std::uint64_t* pixel_photons,
                 PixelMeans* means) {
    if (suits_groups(job, tile) && grouped_tile(job, tile, worker, pixel_photons, means)) return;
    PackedTileEvents& events = worker.packed;
    job.series.gather(tile, events);
    RawVector<std::uint32_t>&frame = worker.file_frame, &count = worker.file_count;
    const auto take = [&](std::int64_t offset, EventGroup& group) HWY_ATTR {
        const std::uint32_t* begin = events.begin.data() + offset;
        const std::size_t n = begin[group.n] - begin[0];
        frame.resize(std::max(frame.size(), n));
        count.resize(std::max(count.size(), n));
        worker.duplicates += unpack(events.word.data() + begin[0], n, frame.data(), count.data());
        for (std::int64_t i = 0; i < group.n; ++i) {
            const std::size_t at = begin[i] - begin[0];
            group.pixel[i] = {frame.data() + at, count.data() + at, begin[i + 1] - begin[i]};
            // Neighbours may have counted in the same frame.
            const bool follows = at > 0 && group.pixel[i].n > 0;
            if (follows && frame[at] == frame[at - 1]) --worker.duplicates;
        }
    };
    add_groups(job, tile, take, worker, pixel_photons, means);
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
    const auto take = [&](std::int64_t offset, EventGroup& group) HWY_ATTR {
        const std::uint32_t* begin = events.begin.data() + offset;
        for (std::int64_t i = 0; i < group.n; ++i) {
            group.pixel[i] = {events.frame.data() + begin[i],
                              events.count.data() + begin[i],
                              begin[i + 1] - begin[i]};
        }
    };
    add_groups(job, tile, take, worker, pixel_photons, means);
}

void dense_tile(const TileJob& job,
                std::int64_t tile,
                TileWorker& worker,
                std::uint64_t* pixel_photons,
                PixelMeans* means) {
    const auto summed = static_cast<std::uint64_t>(job.request.frames.average);
    const std::uint64_t largest = summed * job.series.largest_sample();
    if (largest > 0xFFFF) {
        whole_frames<std::uint32_t>(job, tile, worker, pixel_photons, means);
    } else if (largest > 0xFF) {
        whole_frames<std::uint16_t>(job, tile, worker, pixel_photons, means);
    } else if (!job.map_frames) {
        lines_of_bytes(job, tile, worker, pixel_photons, means);
    } else {
        whole_frames<std::uint8_t>(job, tile, worker, pixel_photons, means);
    }
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace xpcs {

HWY_EXPORT(sparse_tile);
HWY_EXPORT(dense_tile);

namespace {

/// Measured on AVX-512 and AVX2: flat between 0.4 and 1.2 neighbours. Weights make arrays of
/// doubles, which cost four times as much as those of 16-bit counts.
constexpr double default_neighbours = 0.7;
constexpr double weighted_neighbours = 1.4;
/// The same of a group of pixels.
constexpr double default_in_group = 0.5, weighted_in_group = 1.0;

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

bool is_weighted(const TileJob& job) {
    return job.request.weights != nullptr;
}

void reset_sums(const TileJob& job, std::size_t stretch, TileWorker& worker) {
    const Partition& partition = job.series.partition();
    const auto n_lags = static_cast<std::size_t>(job.stretches[stretch].ladder.n_lags());
    worker.ratios[stretch].reset(n_lags, PackedTile::ratio_arrays, partition.n_dynamic);
    if (is_weighted(job))
        worker.weighted[stretch].reset(n_lags, PackedTile::weighted_arrays, partition.n_static);
}

/// Returns the sums of the tile, see kinds_of_sums().
std::vector<PackedTile> run_tile(const TileJob& job,
                                 std::int64_t tile,
                                 TileWorker& worker,
                                 std::uint64_t* pixel_photons,
                                 PixelMeans* means) {
    for (std::size_t k = 0; k < job.stretches.size(); ++k)
        reset_sums(job, k, worker);
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
    if (job.request.progress) {
        job.request.progress(job.series.end_slot(tile) - job.series.first_slot(tile));
    }
    std::vector<PackedTile> sums;
    for (const TileSums& ratios : worker.ratios)
        sums.push_back(ratios.pack(tile / bundle_tiles));
    if (!is_weighted(job)) return sums;
    for (const TileSums& weighted : worker.weighted)
        sums.push_back(weighted.pack(tile / bundle_tiles));
    return sums;
}

/// Kinds of sums of a tile: ratios of every stretch, then with weights what is weighted of each.
std::vector<BundleSums::Shape> kinds_of_sums(const TileJob& job) {
    const Partition& partition = job.series.partition();
    std::vector<BundleSums::Shape> kinds;
    const auto add_kind = [&](int arrays, std::uint32_t n_bins) {
        for (const Stretch& stretch : job.stretches)
            kinds.push_back({static_cast<std::size_t>(stretch.ladder.n_lags()), arrays, n_bins});
    };
    add_kind(PackedTile::ratio_arrays, partition.n_dynamic);
    if (is_weighted(job)) add_kind(PackedTile::weighted_arrays, partition.n_static);
    return kinds;
}

}  // namespace

namespace cpu {

MultitauSums multitau(const PixelSeries& series, const MultitauRequest& request) {
    MultitauSums out;
    TileJob job{series, request, make_stretches(request, out.partial_begin)};
    const bool weighted = request.weights != nullptr;
    job.neighbours = weighted ? weighted_neighbours : default_neighbours;
    job.group_neighbours = weighted ? weighted_in_group : default_in_group;
    if (request.dense_neighbours > 0)
        job.neighbours = job.group_neighbours = request.dense_neighbours;
    job.map_frames = maps_frames(series, request);
    out.pixel_photons.assign(static_cast<std::size_t>(series.partition().n_kept()), 0);

    const std::int64_t first = series.first_tile();
    const std::int64_t n = series.end_tile() - first;
    BundleSums tiles(first, series.end_tile(), kinds_of_sums(job));
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
                        tiles.add(first + i,
                                  run_tile(job,
                                           first + i,
                                           worker,
                                           out.pixel_photons.data(),
                                           with_means ? &means[static_cast<std::size_t>(i - begin)]
                                                      : nullptr));
                    }
                });
        });
        for (std::int64_t i = begin; with_means && i < end; ++i) {
            request.pixel_means(means[static_cast<std::size_t>(i - begin)]);
        }
    }

    out.segment_photons.assign(
        std::size_t{series.partition().n_static} * static_cast<std::size_t>(request.n_segments), 0);
    std::vector<std::vector<PackedTile>> tile_sums = tiles.take();
    for (std::size_t k = 0; k < job.stretches.size(); ++k) {
        BinSums sums = empty_sums(series, request, job.stretches[k]);
        for (auto& worker : workers)
            worker->counts[k].add_to(sums);
        sums.ratio_tiles = std::move(tile_sums[k]);
        if (sums.weighted) {
            sums.weighted_tiles = std::move(tile_sums[job.stretches.size() + k]);
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
