// SPDX-License-Identifier: BSD-3-Clause
// The words of bright frames (rigaku_word.hpp) straight into lines, as whole frames become
// (pixel_series.hpp). Where a fourteenth of all samples is lit, it takes less time to put counts
// down in a frame that stays in the cache, and to correlate all samples, than to move each event to
// its pixel.
//
// Only words of which nothing is out of the ordinary: frames never decrease and are read without
// their epoch, counts are 1 to 254, every index is one of the detector, and no two words share
// pixel and frame. Then the piece has the counts that make_piece() finds for the same words.
#pragma once

#include "kernels/event_words.hpp"
#include "kernels/frame_lines.hpp"
#include "kernels/pixel_series.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace xpcs {

/// The counts of words that become cells, which hold 1 to 254: all ones would be "no data".
struct SmallCounts {
    static constexpr std::uint32_t end = 3;  ///< counts below are many, and only their bits noted
    std::uint32_t bits = 0, largest = 0;
    std::int64_t at_3 = 0, at_15 = 0;

    /// False where it is none for a cell.
    bool add(std::uint32_t count) {
        if (count < end) {
            bits |= count;
            return count != 0;
        }
        largest = std::max(largest, count);
        at_3 += count == 3;
        at_15 += count == 15;
        return count < 0xFF;
    }
    std::int64_t largest_count() const { return largest > 0 ? largest : std::min(bits, 2U); }
};

class WordLines {
  public:
    /// too_large: a count does not fit PieceScratch::sample_bits; unusual: see above. After either
    /// the piece means nothing.
    enum class Fate { taken, too_large, unusual };

    /// `map` is that of one file for the whole detector: map.n_pixels = rows * cols of `partition`.
    WordLines(const rigaku::IndexMap& map,
              const Partition& partition,
              const SeriesRange& range,
              PieceScratch& scratch);

    /// Words of the frames [first, last] will come, first <= last.
    void begin(std::int64_t first, std::int64_t last);
    /// The next words, in order; a frame may be cut anywhere.
    Fate add(std::span<const std::uint64_t> words);
    /// After the last word. Frames without words are dark.
    Fate finish(SeriesPiece& piece, WordCounts& counts);

  private:
    Fate open(std::int64_t frame);
    Fate close();
    std::size_t take(std::int64_t frame, std::span<const std::uint64_t> words);
    std::size_t pass_over(std::span<const std::uint64_t> words);
    std::int64_t n_on_kept(std::span<const std::uint64_t> words) const;

    rigaku::IndexMap map_;
    const Partition* partition_;
    SeriesRange range_;
    PieceScratch* scratch_;
    LineSlots slots_;
    bool all_tiles_;
    std::int64_t at_once_;  ///< frames that are open together

    SeriesPiece piece_;
    SmallCounts counts_;
    std::int64_t frame_ = 0, last_ = 0;  ///< of the last word, and the largest that may come
    std::int64_t open_ = 0;              ///< first of the open frames, from that of the piece
    std::int64_t in_open_ = 0;           ///< words of the open frames, ...
    std::int64_t in_frames_ = 0;         ///< ... of all frames of the piece, ...
    std::int64_t on_kept_ = 0;           ///< ... and of these on kept pixels, unless all_tiles_
};

}  // namespace xpcs
