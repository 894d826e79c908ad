// SPDX-License-Identifier: BSD-3-Clause
// A chunk of events into tiles: one pass packs every event and finds its tile, a counting sort over
// the tiles puts it there. The counting sort walks four parts of the chunk side by side, each with
// cursors of its own: neighbouring events often share a tile, and a cursor is only ready again
// several cycles after it was moved. Where neighbours share a tile anyway, they are moved together.
#include "kernels/event_pack.hpp"
#include "kernels/pixel_series.hpp"
#include "kernels/series_record.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace xpcs {

namespace {

constexpr std::size_t n_parts = 4;

struct ChunkBounds {
    std::uint32_t first_frame = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t last_frame = 0;
    std::uint32_t largest_count = 0;
    bool ordered = true;
};

ChunkBounds bounds_of(const EventChunk& chunk) {
    ChunkBounds bounds;
    const std::size_t n = chunk.size();
    const std::uint32_t* frame = chunk.frame.data();
    const std::uint32_t* count = chunk.count.data();
    std::uint32_t falls = 0;
    for (std::size_t i = 0; i < n; ++i) {
        bounds.first_frame = std::min(bounds.first_frame, frame[i]);
        bounds.last_frame = std::max(bounds.last_frame, frame[i]);
        bounds.largest_count = std::max(bounds.largest_count, count[i]);
    }
    for (std::size_t i = 1; i < n; ++i)
        falls |= frame[i] < frame[i - 1];
    bounds.ordered = falls == 0;
    return bounds;
}

/// Narrow records hold few of large counts: where most events would become many of them, wide ones
/// take less.
bool narrow_records_are_too_many(const EventChunk& chunk) {
    constexpr std::uint64_t always_fine = 1 << 16;
    std::uint64_t extra = 0;
    for (const std::uint32_t count : chunk.count)
        extra += count / NarrowRecord::max_count;
    return extra > chunk.size() + always_fine;
}

/// A count that a record cannot hold becomes several events; they add up again in the series.
/// Notes those on kept pixels.
void split_counts(const EventChunk& chunk,
                  const Selection& selection,
                  std::uint32_t max_count,
                  EventChunk& out,
                  std::vector<SplitEvent>& splits) {
    out.resize(0);
    out.frame_base = chunk.frame_base;
    for (std::size_t i = 0; i < chunk.size(); ++i) {
        const std::uint32_t slot = selection.partition.slot_of(chunk.pixel[i]);
        const bool kept =
            selection.in_range(chunk.frame[i]) && selection.tile_of(slot) < selection.tiles.n;
        for (std::uint32_t left = chunk.count[i]; left > 0;) {
            const std::uint32_t part = std::min(left, max_count);
            out.pixel.push_back(chunk.pixel[i]);
            out.frame.push_back(chunk.frame[i]);
            out.count.push_back(part);
            left -= part;
            if (!kept) break;
        }
        if (!kept || chunk.count[i] <= max_count) continue;
        const std::uint32_t extra = (chunk.count[i] - 1) / max_count;
        splits.push_back({chunk.frame_base + chunk.frame[i], slot, extra});
    }
}

/// pack_narrow for chunks that span many frames; their sums per frame are made by the series.
PackTotals pack_wide(const EventChunk& chunk,
                     const Selection& selection,
                     std::uint32_t base,
                     std::uint64_t* __restrict record,
                     std::uint32_t* __restrict tile) {
    PackTotals totals;
    for (std::size_t i = 0; i < chunk.size(); ++i) {
        std::uint32_t slot = selection.partition.slot_of(chunk.pixel[i]);
        totals.masked += slot == Partition::not_kept;
        if (!selection.in_range(chunk.frame[i])) {
            totals.outside_frames += slot != Partition::not_kept;
            slot = Partition::not_kept;
        }
        tile[i] = selection.tile_of(slot);
        record[i] = WideRecord::pack(
            slot & (tile_pixels - 1), std::uint64_t{chunk.frame[i]} - base, chunk.count[i]);
        totals.kept += tile[i] < selection.tiles.n;
    }
    return totals;
}

std::int64_t photons_of(const RawVector<std::uint64_t>& records) {
    std::int64_t photons = 0;
    for (const std::uint64_t record : records)
        photons += WideRecord::count(record);
    return photons;
}

/// Between what is known: runs of 25 pay, those of 5 would cost more than they save by estimate.
constexpr std::size_t shortest_mean_run = 12;

/// The runs of a chunk, and one that begins at its end; empty where they are short.
std::vector<TileRun> long_runs(const std::uint32_t* tile, std::size_t n) {
    const std::size_t look = std::min<std::size_t>(n, 1024);
    std::size_t changes = 0;
    for (std::size_t i = 1; i < look; ++i)
        changes += tile[i] != tile[i - 1];
    if (changes * shortest_mean_run > look) return {};
    std::vector<TileRun> runs(n / shortest_mean_run + 2);
    const std::size_t found = find_runs(tile, n, runs.size() - 1, runs.data());
    if (found == runs.size()) return {};
    runs.resize(found + 1);
    runs.back().begin = static_cast<std::uint32_t>(n);
    return runs;
}

/// begin[t] from the sizes of the tiles in `size`, which then says where each begins; returns the
/// sum.
std::uint32_t begin_of_tiles(std::uint32_t* size, std::uint32_t n_tiles, std::uint32_t* begin) {
    std::uint32_t at = 0;
    for (std::size_t t = 0; t < n_tiles; ++t) {
        begin[t] = at;
        at += std::exchange(size[t], at);
    }
    return begin[n_tiles] = at;
}

/// sort_by_tile where whole runs of records can be moved.
template <class Word>
void sort_runs_by_tile(const Word* __restrict record,
                       const std::vector<TileRun>& runs,
                       std::uint32_t n_tiles,
                       std::vector<std::uint32_t>& cursors,
                       std::vector<std::uint32_t>& tile_begin,
                       RawVector<Word>& out) {
    cursors.assign(std::size_t{n_tiles} + 1, 0);
    for (std::size_t r = 0; r + 1 < runs.size(); ++r)
        cursors[runs[r].tile] += runs[r + 1].begin - runs[r].begin;
    tile_begin.resize(std::size_t{n_tiles} + 1);
    out.resize(begin_of_tiles(cursors.data(), n_tiles, tile_begin.data()));
    for (std::size_t r = 0; r + 1 < runs.size(); ++r) {
        if (runs[r].tile == n_tiles) continue;
        const Word* first = record + runs[r].begin;
        const Word* end = record + runs[r + 1].begin;
        std::copy(first, end, out.data() + cursors[runs[r].tile]);
        cursors[runs[r].tile] += static_cast<std::uint32_t>(end - first);
    }
}

/// Stable counting sort by tile; the records of the dropped tile go to one place behind the rest.
template <class Word>
void sort_by_tile(const Word* __restrict record,
                  const std::uint32_t* __restrict tile,
                  std::size_t n,
                  std::uint32_t n_tiles,
                  std::vector<std::uint32_t>& cursors,
                  std::vector<std::uint32_t>& tile_begin,
                  RawVector<Word>& out) {
    const std::vector<TileRun> runs = long_runs(tile, n);
    if (!runs.empty()) return sort_runs_by_tile(record, runs, n_tiles, cursors, tile_begin, out);
    const std::size_t stride = std::size_t{n_tiles} + 1;
    cursors.assign(n_parts * stride, 0);
    std::array<std::uint32_t*, n_parts> cursor{};
    for (std::size_t p = 0; p < n_parts; ++p)
        cursor[p] = cursors.data() + p * stride;
    const std::size_t part = n / n_parts;
    for (std::size_t i = 0; i < part; ++i) {
        for (std::size_t p = 0; p < n_parts; ++p)
            ++cursor[p][tile[p * part + i]];
    }
    for (std::size_t i = n_parts * part; i < n; ++i)
        ++cursor[n_parts - 1][tile[i]];

    tile_begin.resize(stride);
    std::uint32_t at = 0;
    for (std::size_t t = 0; t < n_tiles; ++t) {
        tile_begin[t] = at;
        for (std::size_t p = 0; p < n_parts; ++p) {
            const std::uint32_t size = cursor[p][t];
            cursor[p][t] = at;
            at += size;
        }
    }
    tile_begin[n_tiles] = at;
    for (std::size_t p = 0; p < n_parts; ++p)
        cursor[p][n_tiles] = at;

    out.resize(std::size_t{at} + 1);
    const auto put = [&](std::size_t p, std::size_t i) {
        std::uint32_t& to = cursor[p][tile[i]];
        out[to] = record[i];
        to += tile[i] < n_tiles;
    };
    for (std::size_t i = 0; i < part; ++i) {
        for (std::size_t p = 0; p < n_parts; ++p)
            put(p, p * part + i);
    }
    for (std::size_t i = n_parts * part; i < n; ++i)
        put(n_parts - 1, i);
    out.resize(at);
}

}  // namespace

SeriesPiece make_piece(const EventChunk& chunk,
                       const Partition& partition,
                       const SeriesRange& range,
                       PieceScratch& scratch) {
    SeriesPiece piece;
    if (chunk.size() == 0) return piece;

    const ChunkBounds bounds = bounds_of(chunk);
    const std::uint32_t first_frame = bounds.first_frame;
    const std::int64_t span = std::int64_t{bounds.last_frame} - first_frame + 1;
    if (span > std::int64_t{1} << WideRecord::frame_bits) {
        throw std::length_error("a block of events spans more than 2^31 frames");
    }
    const bool use_wide =
        span > std::int64_t{1} << NarrowRecord::frame_bits ||
        (bounds.largest_count > NarrowRecord::max_count && narrow_records_are_too_many(chunk));
    piece.frame_base = chunk.frame_base + first_frame;
    piece.n_frames = span;
    piece.ordered = bounds.ordered;

    const Selection selection(partition, range, chunk.frame_base, first_frame, bounds.last_frame);
    const std::uint32_t max_count = use_wide ? WideRecord::max_count : NarrowRecord::max_count;
    const EventChunk* events = &chunk;
    if (bounds.largest_count > max_count) {
        split_counts(chunk, selection, max_count, scratch.split, piece.splits);
        for (const SplitEvent& split : piece.splits)
            piece.counts.split_records += split.extra;
        events = &scratch.split;
    }
    const std::size_t n = events->size();
    scratch.tile.resize(std::max(scratch.tile.size(), n));
    std::uint32_t* tile = scratch.tile.data();
    const auto sort = [&](const auto& record, auto& out) {
        sort_by_tile(
            record.data(), tile, n, selection.tiles.n, scratch.cursor, piece.tile_begin, out);
    };
    PackTotals totals;
    if (use_wide) {
        scratch.wide.resize(std::max(scratch.wide.size(), n));
        totals = pack_wide(*events, selection, first_frame, scratch.wide.data(), tile);
        sort(scratch.wide, piece.wide);
        piece.counts.photons = photons_of(piece.wide);
    } else {
        piece.frame_photons.assign(static_cast<std::size_t>(span), 0);
        scratch.narrow.resize(std::max(scratch.narrow.size(), n));
        totals = pack_narrow(*events,
                             selection,
                             first_frame,
                             scratch.narrow.data(),
                             tile,
                             piece.frame_photons.data());
        sort(scratch.narrow, piece.narrow);
        piece.counts.photons = static_cast<std::int64_t>(std::accumulate(
            piece.frame_photons.begin(), piece.frame_photons.end(), std::uint64_t{0}));
    }
    // Records that only hold the rest of a large count are no events.
    piece.counts.events = totals.kept - piece.counts.split_records;
    piece.counts.masked = totals.masked;
    piece.counts.outside_frames = totals.outside_frames;
    return piece;
}

bool make_piece(const std::uint64_t* words,
                std::size_t n,
                const WordBlock& block,
                const Partition& partition,
                const SeriesRange& range,
                PieceScratch& scratch,
                SeriesPiece& piece,
                WordCounts& counts) {
    if (n == 0) return false;
    const std::uint32_t first = rigaku::frame_of(words[0]), last = rigaku::frame_of(words[n - 1]);
    if (last < first || last - first >= 1U << NarrowRecord::frame_bits) return false;
    const Selection selection(partition, range, block.epoch, first, last);
    scratch.tile.resize(std::max(scratch.tile.size(), n));
    scratch.narrow.resize(std::max(scratch.narrow.size(), n));
    SeriesPiece made;
    made.frame_photons.assign(std::size_t{last} - first + 1, 0);
    PackTotals totals;
    WordCounts met;
    if (!pack_words(words,
                    n,
                    block.map,
                    selection,
                    scratch.narrow.data(),
                    scratch.tile.data(),
                    made.frame_photons.data(),
                    totals,
                    met)) {
        return false;
    }
    made.frame_base = block.epoch + first;
    made.n_frames = std::int64_t{last} - first + 1;
    sort_by_tile(scratch.narrow.data(),
                 scratch.tile.data(),
                 n,
                 selection.tiles.n,
                 scratch.cursor,
                 made.tile_begin,
                 made.narrow);
    made.counts.photons = static_cast<std::int64_t>(
        std::accumulate(made.frame_photons.begin(), made.frame_photons.end(), std::uint64_t{0}));
    made.counts.events = totals.kept;
    made.counts.masked = totals.masked;
    made.counts.outside_frames = totals.outside_frames;
    met.out_of_order = block.epoch + first < block.frame_before ? 1 : 0;
    met.last_frame = block.epoch + last;
    piece = std::move(made);
    counts = met;
    return true;
}

}  // namespace xpcs
