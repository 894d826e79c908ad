// SPDX-License-Identifier: BSD-3-Clause
// One pass over a chunk of events: each becomes a record (series_record.hpp), and its tile is
// found. Words of a file are taken apart on the way, which saves writing and reading their fields.
#pragma once

#include "kernels/event_words.hpp"
#include "kernels/events.hpp"
#include "kernels/partition.hpp"
#include "kernels/series_tiles.hpp"

#include <algorithm>
#include <cstdint>

namespace xpcs {

/// Which events of a chunk are kept, and in which tile they lie.
struct Selection {
    const Partition& partition;
    TileSpan tiles;
    std::uint32_t first_frame = 0,
                  last_frame = 0;  ///< of the chunk that are kept; none if first > last
    bool all_frames = false;       ///< no event lies outside of them

    /// Frames of a chunk whose events lie in [lowest, highest].
    Selection(const Partition& kept,
              const SeriesRange& range,
              std::int64_t frame_base,
              std::uint32_t lowest,
              std::uint32_t highest);

    bool in_range(std::uint32_t frame) const {
        return all_frames || (frame >= first_frame && frame <= last_frame);
    }
    /// tiles.n = dropped.
    std::uint32_t tile_of(std::uint32_t slot) const {
        return std::min((slot >> tile_bits) - tiles.first, tiles.n);
    }
};

struct PackTotals {
    std::int64_t kept = 0;
    std::int64_t masked = 0;          ///< on pixels that are not kept
    std::int64_t outside_frames = 0;  ///< on kept pixels, outside of the frames
};

/// record[i] and tile[i] of every event, and for each frame from `base` on the photons of kept
/// events, added to frame_photons[frame - base]. No frame is below `base` or 2^15 or more above it,
/// no count is above 255.
PackTotals pack_narrow(const EventChunk& chunk,
                       const Selection& selection,
                       std::uint32_t base,
                       std::uint32_t* record,
                       std::uint32_t* tile,
                       std::uint64_t* frame_photons);

/// The same for the words of a file, where nothing about them is out of the ordinary: frames never
/// decrease and span fewer than 2^15, counts are 1 to 255, every index is one of the detector.
/// Otherwise false, and what was written means nothing. Frames of `selection` count from the epoch;
/// `base` is that of the first word.
bool pack_words(const std::uint64_t* words,
                std::size_t n,
                const rigaku::IndexMap& map,
                const Selection& selection,
                std::uint32_t* record,
                std::uint32_t* tile,
                std::uint64_t* frame_photons,
                PackTotals& totals,
                WordCounts& counts);

/// Neighbouring events that share a tile, as many of a frame do in a bright run.
struct TileRun {
    std::uint32_t begin = 0, tile = 0;
};

/// The runs of tile[0 .. n-1], in order; returns their number, or most + 1 where there are more.
std::size_t find_runs(const std::uint32_t* tile, std::size_t n, std::size_t most, TileRun* runs);

}  // namespace xpcs
