// SPDX-License-Identifier: BSD-3-Clause
// Pixels of a tile put into groups (multitau_lanes-inl.hpp): rows of samples, and pixels that have
// events in many of their frames. Compiled once per instruction set.

#if defined(XPCS_MULTITAU_GROUPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_GROUPS_INL
#undef XPCS_MULTITAU_GROUPS_INL
#else
#define XPCS_MULTITAU_GROUPS_INL
#endif

#include "kernels/multitau_job.hpp"
#include "kernels/multitau_lanes-inl.hpp"
#include "kernels/multitau_real_lanes-inl.hpp"
#include "kernels/multitau_stretch-inl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

/// Pixels side by side, in the order of their slots.
struct Group {
    std::int64_t n = 0;
    std::int64_t slot[most_lanes] = {};
    std::uint64_t total[most_lanes] = {};  ///< photons in the stretch at hand

    std::uint64_t largest_total() const { return *std::max_element(total, total + n); }
};

/// Correlates one stretch of a group, whose columns `fill` makes, and adds its pixels to their
/// bins.
template <class Fill>
inline void add_group(const TileJob& job,
                      std::size_t which,
                      const Group& group,
                      const Fill& fill,
                      std::int64_t largest,
                      TileWorker& worker,
                      PixelMeans* means) {
    const Stretch& stretch = job.stretches[which];
    PixelScratch& scratch = worker.scratch;
    const bool weighted = job.request.weights != nullptr;
    std::int16_t* columns = nullptr;
    if (weighted) {
        const std::int64_t n = stretch.ladder.n_frames + 4 * block_pad;
        double* blocks = scratch.real_blocks.of(static_cast<std::size_t>(n) * HWY_MAX_BYTES / 8);
        weighted_lane_levels(
            fill, weights_of(job, stretch), stretch.ladder, blocks, scratch.weighted_lanes);
    } else {
        columns = scratch.columns.of(columns_size(stretch.ladder.n_frames));
        lane_levels(fill,
                    largest,
                    group.largest_total() <= short_total,
                    stretch.ladder,
                    columns,
                    scratch.lanes);
    }
    for (std::int64_t i = 0; i < group.n; ++i) {
        if (group.total[i] == 0) continue;
        if (weighted) {
            take_lane(scratch.weighted_lanes, i, stretch.ladder.n_lags(), worker.weighted_sums);
        } else {
            take_lane(scratch.lanes,
                      columns,
                      i,
                      group.total[i],
                      stretch.ladder,
                      scratch.wide_blocks,
                      worker.sums);
        }
        add_sums(job, which, group.slot[i], group.total[i], worker, means);
    }
}

// ---------------------------------------------------------------------------------- rows

/// Rows of a group in one buffer. An odd number of cache lines apart, so that the same frame of all
/// of them does not fall into one set of the cache.
template <class Sample>
class GroupRows {
  public:
    GroupRows(std::int64_t n_frames, RawVector<std::byte>& buffer)
        : pitch_(((static_cast<std::size_t>(n_frames) * sizeof(Sample) + 15) / 64 + 1) * 64) {
        if (pitch_ / 64 % 2 == 0) pitch_ += 64;
        buffer.resize(std::max(buffer.size(), most_lanes * pitch_));
        first_ = buffer.data();
    }
    Sample* operator[](std::int64_t i) const {
        return reinterpret_cast<Sample*>(first_ + static_cast<std::size_t>(i) * pitch_);
    }
    std::size_t pitch() const { return pitch_; }

  private:
    std::size_t pitch_;
    std::byte* first_;
};

template <class Sample>
inline Sample largest_of(const Sample* row, std::size_t n) {
    Sample largest = 0;
    for (std::size_t i = 0; i < n; ++i)
        largest = std::max(largest, row[i]);
    return largest;
}

/// Whether lanes hold what these pixels need; `largest` is not looked for where it cannot matter.
template <class Sample>
inline bool fit_lanes(const TileJob& job,
                      const Stretch& stretch,
                      const Group& group,
                      const GroupRows<Sample>& rows,
                      std::int64_t& largest) {
    largest = 0;
    if (job.request.weights != nullptr && !stretch.taken.empty()) return false;
    const std::uint64_t total = group.largest_total();
    if (total <= static_cast<std::uint64_t>(largest_short)) return true;
    for (std::int64_t i = 0; i < group.n; ++i) {
        const Sample in_row =
            largest_of(rows[i] + stretch.begin, static_cast<std::size_t>(stretch.ladder.n_frames));
        largest = std::max(largest, static_cast<std::int64_t>(in_row));
    }
    return largest <= largest_short && total <= narrow_total_limit;
}

template <class Sample>
inline void add_rows(const TileJob& job,
                     Group& group,
                     const GroupRows<Sample>& rows,
                     TileWorker& worker,
                     PixelMeans* means) {
    if (group.n == 0) return;
    for (std::size_t k = 0; k < job.stretches.size(); ++k) {
        const Stretch& stretch = job.stretches[k];
        const auto row = [&](std::int64_t i) {
            return PixelRow<Sample>{rows[i] + stretch.begin,
                                    static_cast<std::size_t>(stretch.ladder.n_frames)};
        };
        for (std::int64_t i = 0; k > 0 && i < group.n; ++i)
            group.total[i] = total_of(row(i));
        if (group.largest_total() == 0) continue;
        PixelMeans* const to = k == 0 ? means : nullptr;
        std::int64_t largest = 0;
        if (!fit_lanes(job, stretch, group, rows, largest)) {
            for (std::int64_t i = 0; i < group.n; ++i) {
                if (group.total[i] == 0) continue;
                add_stretch(job, k, group.slot[i], row(i), group.total[i], worker, to);
            }
            continue;
        }
        const auto fill = [&](std::int64_t first, std::int64_t n, std::int16_t* columns) HWY_ATTR {
            const std::byte* at[most_lanes];
            for (std::int64_t i = 0; i < lanes_in_group(); ++i)
                at[i] = reinterpret_cast<const std::byte*>(rows[i] + stretch.begin + first);
            columns_of_rows<Sample>(at, n, columns);
        };
        add_group(job, k, group, fill, largest, worker, to);
    }
    group.n = 0;
}

/// Rows whose frames are those of the analysis, in the width that the samples have.
template <class Sample>
void plain_rows(const TileJob& job,
                std::int64_t tile,
                TileWorker& worker,
                std::uint64_t* pixel_photons,
                PixelMeans* means) {
    const std::int64_t n_frames = job.request.frames.n_frames;
    const GroupRows<Sample> rows(n_frames, worker.samples);
    Group group;
    const std::int64_t end = job.series.end_slot(tile);
    for (std::int64_t slot = job.series.first_slot(tile); slot < end; ++slot) {
        if (is_excluded(job.request, slot)) continue;
        Sample* row = rows[group.n];
        job.series.gather_row(slot, n_frames, row);
        group.slot[group.n] = slot;
        group.total[group.n++] =
            note_photons(job,
                         slot,
                         PixelRow<Sample>{row, static_cast<std::size_t>(n_frames)},
                         worker,
                         pixel_photons);
        if (group.n == lanes_in_group()) add_rows(job, group, rows, worker, means);
    }
    // Lanes of no pixel are computed all the same.
    for (std::int64_t i = group.n; i < lanes_in_group(); ++i)
        std::fill_n(reinterpret_cast<std::byte*>(rows[i]), rows.pitch(), std::byte{0});
    add_rows(job, group, rows, worker, means);
}

// -------------------------------------------------------------------------------- events

/// From so many neighbours within 9 frames on, a tile's events are correlated as samples. Measured.
constexpr double lane_neighbours = 0.4, weighted_lane_neighbours = 1.0;
/// A tile's counts of so many frames still leave room in the cache for those of a group.
constexpr std::int64_t most_lane_frames = 32768;

/// Whether a tile has so many events that groups of samples are faster.
inline bool suits_groups(const TileJob& job, std::int64_t tile) {
    const std::int64_t n_frames = job.request.frames.n_frames;
    if (job.map_frames || n_frames > most_lane_frames) return false;
    for (const Stretch& stretch : job.stretches) {
        if (job.request.weights != nullptr && !stretch.taken.empty()) return false;
    }
    const double neighbours = job.request.dense_neighbours > 0 ? job.request.dense_neighbours
                              : job.request.weights != nullptr ? weighted_lane_neighbours
                                                               : lane_neighbours;
    const std::int64_t n_pixels = job.series.end_slot(tile) - job.series.first_slot(tile);
    return 9.0 * static_cast<double>(job.series.n_records(tile)) >=
           neighbours * static_cast<double>(n_frames) * static_cast<double>(n_pixels);
}

/// What note_photons does, for a group; leaves its photons in the group.
inline void note_photons(const TileJob& job,
                         const std::uint8_t* cell,
                         Group& group,
                         TileWorker& worker,
                         std::uint64_t* pixel_photons) {
    const MultitauRequest& request = job.request;
    std::uint64_t sum[most_lanes] = {};
    std::fill_n(group.total, group.n, 0);
    for (std::int64_t k = 0; k <= request.n_segments; ++k) {
        const std::int64_t first = k * request.segment_frames;
        const bool rest = k == request.n_segments;
        sum_cells(cell,
                  TileCells::block,
                  first,
                  rest ? request.frames.n_frames : first + request.segment_frames,
                  sum);
        for (std::int64_t i = 0; i < group.n; ++i) {
            if (is_excluded(request, group.slot[i])) continue;
            group.total[i] += sum[i];
            if (rest) continue;
            const std::uint32_t bin =
                job.series.partition().static_bin[static_cast<std::size_t>(group.slot[i])];
            worker.segments[std::size_t{bin} * static_cast<std::size_t>(request.n_segments) +
                            static_cast<std::size_t>(k)] += sum[i];
        }
    }
    for (std::int64_t i = 0; i < group.n; ++i) {
        if (!is_excluded(request, group.slot[i])) pixel_photons[group.slot[i]] = group.total[i];
    }
}

/// One stretch of a group of which `cell` are the counts, frame after frame.
inline void add_cells(const TileJob& job,
                      std::size_t which,
                      Group& group,
                      const std::uint8_t* cell,
                      TileWorker& worker,
                      std::uint64_t* pixel_photons,
                      PixelMeans* means) {
    const Stretch& stretch = job.stretches[which];
    const std::int64_t n = stretch.ladder.n_frames;
    cell += stretch.begin * TileCells::block;
    if (which == 0) {
        note_photons(job, cell, group, worker, pixel_photons);
    } else {
        std::uint64_t sum[most_lanes] = {};
        sum_cells(cell, TileCells::block, 0, n, sum);
        for (std::int64_t i = 0; i < group.n; ++i)
            group.total[i] = is_excluded(job.request, group.slot[i]) ? 0 : sum[i];
    }
    if (group.largest_total() == 0) return;
    const auto fill = [&](std::int64_t first, std::int64_t n_some, std::int16_t* columns) HWY_ATTR {
        columns_of_cells(cell + first * TileCells::block, TileCells::block, n_some, columns);
    };
    add_group(job, which, group, fill, 0xFF, worker, which == 0 ? means : nullptr);
}

/// A tile of events, group by group. False, and nothing done, where a count does not fit a byte.
inline bool grouped_tile(const TileJob& job,
                         std::int64_t tile,
                         TileWorker& worker,
                         std::uint64_t* pixel_photons,
                         PixelMeans* means) {
    static_assert(TileCells::block % (HWY_MAX_BYTES / 4) == 0, "a group lies in one block");
    TileCells& cells = worker.cells;
    const std::int64_t n_frames = job.request.frames.n_frames;
    if (!job.series.scatter(tile, n_frames, cells)) return false;
    worker.duplicates += cells.duplicates;
    worker.events_used += cells.n_records;
    const std::int64_t first = job.series.first_slot(tile), end = job.series.end_slot(tile);
    if (job.request.excluded != nullptr && !job.request.excluded->empty()) {
        worker.events_used -= job.series.n_records_on(tile, *job.request.excluded);
    }
    Group group;
    for (std::int64_t slot = first; slot < end; slot += group.n) {
        group.n = std::min(lanes_in_group(), end - slot);
        for (std::int64_t i = 0; i < group.n; ++i)
            group.slot[i] = slot + i;
        const std::int64_t pixel = slot - first;
        const std::uint8_t* cell = cells.count.data() +
                                   pixel / TileCells::block * TileCells::block * n_frames +
                                   pixel % TileCells::block;
        for (std::size_t k = 0; k < job.stretches.size(); ++k) {
            add_cells(job, k, group, cell, worker, pixel_photons, means);
        }
    }
    return true;
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
