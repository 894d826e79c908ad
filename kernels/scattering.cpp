// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/scattering.hpp"

#include "kernels/row_reader.hpp"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <limits>
#include <numeric>
#include <optional>
#include <stdexcept>

namespace xpcs {

SegmentPlan plan_segments(std::int64_t n_frames) {
    SegmentPlan plan;
    plan.frames = 1;
    while (n_frames / plan.frames > 16)
        plan.frames *= 2;
    plan.n_segments = static_cast<int>(n_frames / plan.frames);
    plan.frames_of_last = plan.frames;
    return plan;
}

SegmentPlan plan_twotime_segments(std::int64_t n_frames) {
    constexpr int segments = 10;
    const std::int64_t frames = n_frames / segments;
    if (frames == 0) return {};
    return {segments, frames, n_frames - (segments - 1) * frames};
}

namespace {

/// Counts of the pixels of one tile; those of the segments go to `segment_photons`.
void count_tile(const PixelSeries& series,
                const FrameMap& frames,
                const std::vector<std::uint8_t>& excluded,
                const SegmentPlan& segments,
                std::int64_t tile,
                TileEvents& events,
                std::optional<RowReader>& rows,
                MultitauSums& out) {
    const Partition& partition = series.partition();
    const std::int64_t base = series.range().begin_frame;
    const std::int64_t first = series.first_slot(tile);
    const auto n_frames = static_cast<std::int64_t>(series.frame_photons().size());
    if (series.dense()) {
        if (!rows) rows.emplace(series, n_frames);
    } else {
        series.gather(tile, events);
        out.duplicates += events.duplicates;  // in all frames, as multitau() counts them
    }
    for (std::int64_t slot = first; slot < series.end_slot(tile); ++slot) {
        const auto k = static_cast<std::size_t>(slot);
        if (excluded[k] != 0) continue;
        const std::uint32_t bin = partition.static_bin[k];
        ++out.whole.n_pixels[bin];
        std::uint64_t* of_bin = out.segment_photons.data() +
                                std::size_t{bin} * static_cast<std::size_t>(segments.n_segments);
        const auto add = [&](std::int64_t file_frame, std::uint32_t count) {
            const std::int64_t t = frames(file_frame);
            if (t == FrameMap::left_out) return;
            out.pixel_photons[k] += count;
            ++out.events_used;
            const std::int64_t segment = segments.segment_of(t);
            if (segment >= 0) of_bin[segment] += count;
        };
        if (series.dense()) {
            const std::uint32_t* row = rows->row(slot);
            for (std::int64_t f = 0; f < n_frames; ++f) {
                if (row[f] > 0) add(base + f, row[f]);
            }
            continue;
        }
        const auto p = static_cast<std::size_t>(slot - first);
        for (std::uint32_t i = events.begin[p]; i < events.begin[p + 1]; ++i)
            add(base + events.frame[i], events.count[i]);
    }
}

MultitauSums empty_counts(const Partition& partition, const SegmentPlan& segments) {
    MultitauSums out;
    out.pixel_photons.assign(static_cast<std::size_t>(partition.n_kept()), 0);
    out.segment_photons.assign(
        std::size_t{partition.n_static} * static_cast<std::size_t>(segments.n_segments), 0);
    out.whole.n_static = partition.n_static;
    out.whole.n_dynamic = partition.n_dynamic;
    out.whole.n_pixels.assign(partition.n_static, 0);
    return out;
}

}  // namespace

MultitauSums count_photons(const PixelSeries& series,
                           const FrameMap& frames,
                           const std::vector<std::uint8_t>& excluded,
                           const SegmentPlan& segments,
                           int threads) {
    struct Worker {
        MultitauSums sums;
        TileEvents events;
        std::optional<RowReader> rows;
    };
    // Sums of integers: any order of tiles gives the same.
    oneapi::tbb::enumerable_thread_specific<Worker> workers([&] {
        return Worker{empty_counts(series.partition(), segments), {}, {}};
    });
    oneapi::tbb::task_arena arena(threads > 0 ? threads : oneapi::tbb::task_arena::automatic);
    arena.execute([&] {
        oneapi::tbb::parallel_for(series.first_tile(), series.end_tile(), [&](std::int64_t tile) {
            Worker& mine = workers.local();
            count_tile(series, frames, excluded, segments, tile, mine.events, mine.rows, mine.sums);
        });
    });
    MultitauSums out = empty_counts(series.partition(), segments);
    for (const Worker& worker : workers)
        out.merge(worker.sums);
    return out;
}

Scattering make_scattering(const Partition& partition,
                           const MultitauSums& sums,
                           const std::vector<std::uint64_t>& frame_photons,
                           const SegmentPlan& segments,
                           std::int64_t average) {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    if (sums.segment_photons.size() !=
        std::size_t{partition.n_static} * static_cast<std::size_t>(segments.n_segments)) {
        throw std::invalid_argument("scattering: sums made for other segments");
    }
    Scattering out;
    const auto n_frames = static_cast<double>(frame_photons.size());
    const double per_frame = 1.0 / (n_frames * static_cast<double>(average));
    const std::vector<std::int64_t>& n_pixels = sums.whole.n_pixels;

    out.saxs_2d.assign(partition.slot.size(), 0.0);
    std::vector<std::uint64_t> bin_photons(partition.n_static, 0);
    for (std::size_t k = 0; k < partition.pixel.size(); ++k) {
        out.saxs_2d[partition.pixel[k]] = static_cast<double>(sums.pixel_photons[k]) * per_frame;
        bin_photons[partition.static_bin[k]] += sums.pixel_photons[k];
    }

    out.saxs_1d.assign(partition.n_static, nan);
    out.n_segments = segments.n_segments;
    const auto n_segments = static_cast<std::size_t>(segments.n_segments);
    out.saxs_1d_segments.assign(n_segments * partition.n_static, nan);
    for (std::size_t s = 0; s < partition.n_static; ++s) {
        if (n_pixels[s] == 0) continue;
        const double per_pixel = 1.0 / static_cast<double>(n_pixels[s]);
        out.saxs_1d[s] = static_cast<double>(bin_photons[s]) * per_frame * per_pixel;
        for (std::size_t k = 0; k < n_segments; ++k) {
            const std::int64_t in_segment =
                k + 1 == n_segments ? segments.frames_of_last : segments.frames;
            const double per_segment_frame =
                1.0 / (static_cast<double>(in_segment) * static_cast<double>(average));
            out.saxs_1d_segments[k * partition.n_static + s] =
                static_cast<double>(sums.segment_photons[s * n_segments + k]) * per_segment_frame *
                per_pixel;
        }
    }

    const std::int64_t kept = std::accumulate(n_pixels.begin(), n_pixels.end(), std::int64_t{0});
    const double per_sample =
        kept > 0 ? 1.0 / (static_cast<double>(kept) * static_cast<double>(average)) : 0;
    out.intensity.reserve(frame_photons.size());
    for (const std::uint64_t photons : frame_photons) {
        out.intensity.push_back(static_cast<double>(photons) * per_sample);
    }
    return out;
}

}  // namespace xpcs
