// SPDX-License-Identifier: BSD-3-Clause
// Pixels of a tile put into groups (multitau_lanes-inl.hpp, multitau_bytes-inl.hpp): whole frames,
// and pixels that have events in many of their frames. Compiled once per instruction set.

#if defined(XPCS_MULTITAU_GROUPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_GROUPS_INL
#undef XPCS_MULTITAU_GROUPS_INL
#else
#define XPCS_MULTITAU_GROUPS_INL
#endif

#include "kernels/multitau_bytes-inl.hpp"
#include "kernels/multitau_job.hpp"
#include "kernels/multitau_lanes-inl.hpp"
#include "kernels/multitau_real_lanes-inl.hpp"
#include "kernels/multitau_stretch-inl.hpp"
#include "kernels/multitau_unfold-inl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

/// Pixels of a group, the halves of 32-bit lanes of two vectors.
HWY_INLINE std::int64_t pixels_in_group() {
    return 2 * lanes_in_group();
}

/// Pixels side by side, in the order of their slots.
struct Group {
    std::int64_t n = 0;
    std::int64_t first_slot = 0;
    std::uint64_t total[2 * most_lanes] = {};  ///< photons in the stretch at hand; 0 if excluded
    std::uint32_t largest = 0;                 ///< count of those that are not excluded

    std::uint64_t largest_total() const { return *std::max_element(total, total + n); }
};

/// Counts of the pixels of a group: that of pixel i in frame t is first[t * TileCells::block + i].
template <class Sample>
struct Cells {
    const Sample* first;

    Cells from(std::int64_t frame) const { return {first + frame * TileCells::block}; }
    Cells half(int which) const { return {first + which * lanes_in_group()}; }
    /// The columns of n frames of its first half, for lane_levels and weighted_lane_levels.
    void operator()(std::int64_t frame, std::int64_t n, std::int16_t* columns) const {
        columns_of_cells(from(frame).first, TileCells::block, n, columns);
    }
};

/// The photons of each pixel in frames [begin, end); the largest count of each grows with them.
template <class Sample>
HWY_INLINE void tally_cells(Cells<Sample> cells,
                            std::int64_t begin,
                            std::int64_t end,
                            std::uint64_t* HWY_RESTRICT photons,
                            std::uint32_t* HWY_RESTRICT largest) {
    const hn::ScalableTag<std::uint16_t> d;
    const hn::Rebind<Sample, decltype(d)> d_cell;
    const hn::Repartition<std::uint32_t, decltype(d)> d32;
    const hn::Half<decltype(d)> half;
    constexpr std::int64_t fit = sizeof(Sample) == 1 ? 256 : 1;  // sums of so many fit 16 bits
    constexpr std::int64_t most = 65536;                         // ... and of so many 32 bits
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d32));
    auto most_seen = hn::Zero(d);
    std::fill_n(photons, 2 * lanes, 0);
    const auto frame = [&](std::int64_t t) HWY_ATTR {
        const auto raw = hn::LoadU(d_cell, cells.first + t * TileCells::block);
        if constexpr (sizeof(Sample) == 1) {
            return hn::PromoteTo(d, raw);
        } else {
            return raw;
        }
    };
    for (std::int64_t t = begin; t < end;) {
        const std::int64_t end_of_sums = std::min(end, t + most);
        auto low = hn::Zero(d32), high = low;
        while (t < end_of_sums) {
            const std::int64_t end_of_few = std::min(end_of_sums, t + fit);
            auto few = hn::Zero(d);
            for (; t < end_of_few; ++t) {
                const auto value = frame(t);
                few = hn::Add(few, value);
                most_seen = hn::Max(most_seen, value);
            }
            low = hn::Add(low, hn::PromoteTo(d32, hn::LowerHalf(half, few)));
            high = hn::Add(high, hn::PromoteTo(d32, hn::UpperHalf(half, few)));
        }
        HWY_ALIGN std::uint32_t sums[2 * most_lanes] = {};
        hn::Store(low, d32, sums);
        hn::Store(high, d32, sums + lanes);
        for (std::int64_t i = 0; i < 2 * lanes; ++i)
            photons[i] += sums[i];
    }
    HWY_ALIGN std::uint16_t seen[2 * most_lanes] = {};
    hn::Store(most_seen, d, seen);
    for (std::int64_t i = 0; i < 2 * lanes; ++i)
        largest[i] = std::max<std::uint32_t>(largest[i], seen[i]);
}
inline void tally_cells(Cells<std::uint32_t> cells,
                        std::int64_t begin,
                        std::int64_t end,
                        std::uint64_t* HWY_RESTRICT photons,
                        std::uint32_t* HWY_RESTRICT largest) {
    const std::int64_t n = pixels_in_group();
    std::fill_n(photons, n, 0);
    for (std::int64_t t = begin; t < end; ++t) {
        const std::uint32_t* frame = cells.first + t * TileCells::block;
        for (std::int64_t i = 0; i < n; ++i) {
            photons[i] += frame[i];
            largest[i] = std::max(largest[i], frame[i]);
        }
    }
}

/// Adds the pixels of half a group to their bins; `take(lane, photons)` leaves their sums in the
/// worker.
template <class Take>
inline void add_half(const TileJob& job,
                     std::size_t which,
                     const Group& group,
                     int half,
                     const Take& take,
                     TileWorker& worker,
                     PixelMeans* means) {
    const std::int64_t first = half * lanes_in_group();
    for (std::int64_t i = first; i < std::min(group.n, first + lanes_in_group()); ++i) {
        if (group.total[i] == 0) continue;
        take(i - first, group.total[i]);
        add_sums(job, which, group.first_slot + i, group.total[i], worker, means);
    }
}

template <class Sample>
inline void add_counts(const TileJob& job,
                       std::size_t which,
                       const Group& group,
                       Cells<Sample> cells,
                       TileWorker& worker,
                       PixelMeans* means) {
    const LagLadder& ladder = job.stretches[which].ladder;
    PixelScratch& scratch = worker.scratch;
    const bool small = group.largest_total() <= short_total;
    std::int16_t* columns = scratch.columns.of(columns_size(ladder.n_frames));
    ByteLevels done{};
    if constexpr (sizeof(Sample) == 1) {
        if (group.largest <= largest_byte) {
            done = byte_levels(cells.first,
                               TileCells::block,
                               group.largest,
                               ladder,
                               scratch.byte_blocks.of(byte_blocks_size(ladder.n_frames)),
                               scratch.lanes);
        }
    }
    for (int half = 0; half * lanes_in_group() < group.n; ++half) {
        LaneSums& lanes = scratch.lanes[half];
        if (done.level == 0) {
            lane_levels(cells.half(half), group.largest, small, ladder, columns, lanes);
        } else if (done.level < ladder.n_levels) {
            columns_of_cells(
                done.block + half * lanes_in_group(), pixels_in_group(), done.n, columns);
            upper_lane_levels(columns, done.n, done.level, done.largest, small, ladder, lanes);
        }
        const auto take = [&](std::int64_t lane, std::uint64_t photons) HWY_ATTR {
            take_lane(lanes, columns, lane, 0, photons, ladder, scratch.wide_blocks, worker.sums);
        };
        add_half(job, which, group, half, take, worker, means);
    }
}

template <class Sample>
inline void add_weights(const TileJob& job,
                        std::size_t which,
                        const Group& group,
                        Cells<Sample> cells,
                        TileWorker& worker,
                        PixelMeans* means) {
    const Stretch& stretch = job.stretches[which];
    WeightedLaneSums& lanes = worker.scratch.weighted_lanes;
    const auto n = static_cast<std::size_t>(stretch.ladder.n_frames + 4 * block_pad);
    double* blocks = worker.scratch.real_blocks.of(n * HWY_MAX_BYTES / sizeof(double));
    const auto take = [&](std::int64_t lane, std::uint64_t) HWY_ATTR {
        take_lane(lanes, lane, 0, stretch.ladder.n_lags(), worker.weighted_sums);
    };
    for (int half = 0; half * lanes_in_group() < group.n; ++half) {
        weighted_lane_levels(
            cells.half(half), weights_of(job, stretch), stretch.ladder, blocks, lanes);
        add_half(job, which, group, half, take, worker, means);
    }
}

/// Pixel by pixel, for what does not fit lanes.
template <class Sample>
inline void add_one_by_one(const TileJob& job,
                           std::size_t which,
                           const Group& group,
                           Cells<Sample> cells,
                           TileWorker& worker,
                           PixelMeans* means) {
    const auto n = static_cast<std::size_t>(job.stretches[which].ladder.n_frames);
    worker.row.resize(std::max(worker.row.size(), n * sizeof(Sample)));
    auto* row = reinterpret_cast<Sample*>(worker.row.data());
    for (std::int64_t i = 0; i < group.n; ++i) {
        if (group.total[i] == 0) continue;
        for (std::size_t t = 0; t < n; ++t)
            row[t] = cells.first[t * TileCells::block + static_cast<std::size_t>(i)];
        add_stretch(job,
                    which,
                    group.first_slot + i,
                    PixelRow<Sample>{row, n},
                    group.total[i],
                    worker,
                    means);
    }
}

/// Whether lanes hold what these pixels need.
inline bool fit_lanes(const TileJob& job, const Stretch& stretch, const Group& group) {
    if (job.request.weights != nullptr && !stretch.taken.empty()) return false;
    const std::uint64_t total = group.largest_total();
    if (total <= static_cast<std::uint64_t>(largest_short)) return true;
    return group.largest <= largest_short && total <= narrow_total_limit;
}

/// Photons and largest counts of the pixels of a block where they were found on the way: those of
/// its first pixel; null where they were not.
struct BlockSlices {
    LineSlices* line = nullptr;
    std::int64_t first = 0;  ///< pixel of the line

    BlockSlices from(std::int64_t pixel) const { return {line, first + pixel}; }
};

/// Photons of a group in every slice of the SAXS segments, and behind them: those of the first
/// pixel, every slice `pitch` behind the one before.
struct SlicePhotons {
    const std::uint64_t* first;
    std::int64_t pitch;
};

template <class Sample>
inline SlicePhotons photons_in_slices(const TileJob& job,
                                      Cells<Sample> cells,
                                      BlockSlices slices,
                                      std::int64_t n_pixels,
                                      std::uint32_t* largest,
                                      TileWorker& worker) {
    if (slices.line != nullptr) {
        std::copy_n(slices.line->largest.data() + slices.first, n_pixels, largest);
        return {slices.line->at(0) + slices.first, line_pixels};
    }
    const MultitauRequest& request = job.request;
    constexpr std::int64_t pitch = 2 * most_lanes;
    worker.slice_photons.resize(static_cast<std::size_t>((request.n_segments + 1) * pitch));
    std::uint64_t* photons = worker.slice_photons.data();
    for (std::int64_t k = 0; k < request.n_segments; ++k) {
        const std::int64_t first = k * request.segment_frames;
        tally_cells(cells, first, first + request.segment_frames, photons + k * pitch, largest);
    }
    tally_cells(cells,
                request.n_segments * request.segment_frames,
                request.frames.n_frames,
                photons + request.n_segments * pitch,
                largest);
    return {photons, pitch};
}

/// Adds a group to pixel_photons and to the segments of its bins.
template <class Sample>
inline void note_photons(const TileJob& job,
                         Cells<Sample> cells,
                         BlockSlices slices,
                         Group& group,
                         std::uint32_t* largest,
                         TileWorker& worker,
                         std::uint64_t* pixel_photons) {
    const std::int64_t n = job.request.n_segments;
    const auto [first, pitch] = photons_in_slices(job, cells, slices, group.n, largest, worker);
    const std::uint32_t* bin = job.series.partition().static_bin.data() + group.first_slot;
    std::uint64_t* segments = worker.segments.data();
    for (std::int64_t i = 0; i < group.n; ++i) {
        if (is_excluded(job.request, group.first_slot + i)) continue;
        const std::uint64_t* photons = first + i;
        std::uint64_t* of_bin = segments + std::int64_t{bin[i]} * n;
        // Neighbours share a bin: slice by slice, each would wait for the sum of the one before.
        std::uint64_t total = photons[n * pitch];
        for (std::int64_t k = 0; k < n; ++k) {
            of_bin[k] += photons[k * pitch];
            total += photons[k * pitch];
        }
        group.total[i] = total;
        pixel_photons[group.first_slot + i] = total;
    }
}

/// One stretch of a group of which `cells` are the counts in all frames.
template <class Sample>
inline void add_cells(const TileJob& job,
                      std::size_t which,
                      Group& group,
                      Cells<Sample> cells,
                      BlockSlices slices,
                      TileWorker& worker,
                      std::uint64_t* pixel_photons,
                      PixelMeans* means) {
    const Stretch& stretch = job.stretches[which];
    HWY_ALIGN std::uint32_t largest[2 * most_lanes] = {};
    std::fill_n(group.total, group.n, 0);
    if (which == 0) {
        note_photons(job, cells, slices, group, largest, worker, pixel_photons);
    } else {
        HWY_ALIGN std::uint64_t sum[2 * most_lanes] = {};
        tally_cells(cells, stretch.begin, stretch.begin + stretch.ladder.n_frames, sum, largest);
        for (std::int64_t i = 0; i < group.n; ++i) {
            if (!is_excluded(job.request, group.first_slot + i)) group.total[i] = sum[i];
        }
    }
    group.largest = 0;
    for (std::int64_t i = 0; i < group.n; ++i) {
        if (group.total[i] != 0) group.largest = std::max(group.largest, largest[i]);
    }
    if (group.largest == 0) return;
    PixelMeans* const to = which == 0 ? means : nullptr;
    const Cells<Sample> part = cells.from(stretch.begin);
    if (!fit_lanes(job, stretch, group)) {
        add_one_by_one(job, which, group, part, worker, to);
    } else if (job.request.weights != nullptr) {
        add_weights(job, which, group, part, worker, to);
    } else {
        add_counts(job, which, group, part, worker, to);
    }
}

/// The pixels [first, end) of one block, whose counts begin with those of the first.
template <class Sample>
inline void add_block(const TileJob& job,
                      std::int64_t first,
                      std::int64_t end,
                      const Sample* counts,
                      BlockSlices slices,
                      TileWorker& worker,
                      std::uint64_t* pixel_photons,
                      PixelMeans* means) {
    static_assert(TileCells::block % (HWY_MAX_BYTES / 2) == 0, "no group lies in two blocks");
    Group group;
    for (std::int64_t slot = first; slot < end; slot += group.n) {
        group.first_slot = slot;
        group.n = std::min(pixels_in_group(), end - slot);
        for (std::size_t k = 0; k < job.stretches.size(); ++k) {
            add_cells(job,
                      k,
                      group,
                      Cells<Sample>{counts + (slot - first)},
                      slices.from(slot - first),
                      worker,
                      pixel_photons,
                      means);
        }
    }
}

// ------------------------------------------------------------------------- whole frames

/// Samples of the analysis in the narrowest width that holds them, block after block.
template <class Sample>
void whole_frames(const TileJob& job,
                  std::int64_t tile,
                  TileWorker& worker,
                  std::uint64_t* pixel_photons,
                  PixelMeans* means) {
    const std::int64_t n_frames = job.request.frames.n_frames;
    const auto size = static_cast<std::size_t>(n_frames * TileCells::block) * sizeof(Sample);
    worker.samples.resize(std::max(worker.samples.size(), size));
    auto* samples = reinterpret_cast<Sample*>(worker.samples.data());
    const std::int64_t end = job.series.end_slot(tile);
    for (std::int64_t slot = job.series.first_slot(tile); slot < end; slot += TileCells::block) {
        if (job.map_frames) {
            job.series.gather_cells(slot, job.request.frames, samples);
        } else {
            job.series.gather_cells(slot, n_frames, samples);
        }
        add_block(job,
                  slot,
                  std::min(end, slot + TileCells::block),
                  samples,
                  {},
                  worker,
                  pixel_photons,
                  means);
    }
}

/// The same of frames of bytes of which all are taken, line after line.
inline void lines_of_bytes(const TileJob& job,
                           std::int64_t tile,
                           TileWorker& worker,
                           std::uint64_t* pixel_photons,
                           PixelMeans* means) {
    const std::int64_t n_frames = job.request.frames.n_frames;
    // An odd number of cache lines apart, so that a frame of both does not fall into one set.
    const std::int64_t apart = ((n_frames * TileCells::block + 63) / 64 | 1) * 64;
    worker.samples.resize(std::max(worker.samples.size(), static_cast<std::size_t>(2 * apart)));
    auto* samples = reinterpret_cast<std::uint8_t*>(worker.samples.data());
    worker.slices.n = job.request.n_segments;
    worker.slices.frames = job.request.segment_frames;
    const std::int64_t end = job.series.end_slot(tile);
    for (std::int64_t line = job.series.first_slot(tile); line < end; line += line_pixels) {
        unfold_line(job.series, line, n_frames, {samples, apart}, worker.slices);
        for (std::int64_t half = 0; half < line_pixels; half += TileCells::block) {
            const std::int64_t first = line + half;
            if (first >= end) break;
            add_block(job,
                      first,
                      std::min(end, first + TileCells::block),
                      half == 0 ? samples : samples + apart,
                      {&worker.slices, half},
                      worker,
                      pixel_photons,
                      means);
        }
    }
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

/// A tile of events, group by group. False, and nothing done, where a count does not fit a byte.
inline bool grouped_tile(const TileJob& job,
                         std::int64_t tile,
                         TileWorker& worker,
                         std::uint64_t* pixel_photons,
                         PixelMeans* means) {
    TileCells& cells = worker.cells;
    const std::int64_t n_frames = job.request.frames.n_frames;
    if (!job.series.scatter(tile, n_frames, cells)) return false;
    worker.duplicates += cells.duplicates;
    worker.events_used += cells.n_records;
    const std::int64_t first = job.series.first_slot(tile), end = job.series.end_slot(tile);
    if (job.request.excluded != nullptr && !job.request.excluded->empty()) {
        worker.events_used -= job.series.n_records_on(tile, *job.request.excluded);
    }
    for (std::int64_t slot = first; slot < end; slot += TileCells::block) {
        add_block(job,
                  slot,
                  std::min(end, slot + TileCells::block),
                  cells.count.data() + (slot - first) / TileCells::block * cells.pitch,
                  {},
                  worker,
                  pixel_photons,
                  means);
    }
    return true;
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
