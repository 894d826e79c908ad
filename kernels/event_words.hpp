// SPDX-License-Identifier: BSD-3-Clause
// The words of a file, and events as a GPU keeps them when it takes these apart itself, alone, so
// that the CPU tests what the kernels do. An EventWord:
//
//   slot 24 | file frame - begin_frame 28 | count 12
//
// Words that are dropped have the slot n_kept, which sorts behind all others.
#pragma once

#include "kernels/hd.hpp"
#include "kernels/partition.hpp"
#include "kernels/rigaku_word.hpp"

#include <cstdint>

namespace xpcs {

struct EventWord {
    static constexpr int slot_shift = 40;
    static constexpr int frame_shift = 12;
    static constexpr std::int64_t frame_limit = std::int64_t{1} << 28;  ///< frames are below
    static constexpr std::uint32_t slot_limit = 1U << 24;               ///< n_kept is below
    static constexpr std::uint32_t count_limit = 1U << 12;              ///< counts are below

    XPCS_HD static constexpr std::uint64_t
    pack(std::uint32_t slot, std::uint32_t frame, std::uint32_t count) {
        return std::uint64_t{slot} << slot_shift | std::uint64_t{frame} << frame_shift | count;
    }
    XPCS_HD static constexpr std::uint32_t slot(std::uint64_t word) {
        return static_cast<std::uint32_t>(word >> slot_shift);
    }
    XPCS_HD static constexpr std::uint32_t frame(std::uint64_t word) {
        return static_cast<std::uint32_t>(word >> frame_shift) & ((1U << 28) - 1);
    }
    XPCS_HD static constexpr std::uint32_t count(std::uint64_t word) {
        return static_cast<std::uint32_t>(word) & ((1U << 12) - 1);
    }
};

/// What decoding must know of a block of words of a file: no wrap of the frame counter lies within
/// it.
struct WordBlock {
    rigaku::IndexMap map;
    std::int64_t epoch = 0;          ///< absolute frame = epoch + counter
    std::int64_t frame_before = -1;  ///< absolute frame of the record before; -1 = none
    std::int64_t begin_frame = 0;    ///< frames taken
    std::int64_t end_frame = 0;
};

/// What decoding met in the words of a file.
struct WordCounts {
    std::int64_t zero_count = 0;
    std::int64_t bad_index = 0;
    std::int64_t out_of_order = 0;
    std::int64_t too_late = 0;     ///< frames beyond EventWord::frame_limit
    std::int64_t last_frame = -1;  ///< largest, records with count 0 included
    std::int64_t at_maximum_3 = 0;
    std::int64_t at_maximum_15 = 0;
    std::int64_t at_maximum_255 = 0;
    std::int64_t at_maximum_4095 = 0;
    std::int64_t largest_count = 0;
};

enum class WordFate { kept, masked, outside_frames, zero_count, bad_index, too_late };

struct DecodedWord {
    WordFate fate = WordFate::kept;
    std::uint64_t word = 0;  ///< EventWord, where it is kept
};

/// One word of the file; `groups` are those of the partition. Pixel before frame: an event on a
/// masked pixel is masked, in whatever frame. too_late: an EventWord has too few bits for its
/// frame.
XPCS_HD inline DecodedWord
decode_word(std::uint64_t raw, const WordBlock& block, const Partition::KeptGroup* groups) {
    const std::uint32_t local = rigaku::index_of(raw) - block.map.offset;
    if (local >= block.map.n_pixels) return {WordFate::bad_index, 0};
    const std::uint32_t count = rigaku::count_of(raw);
    if (count == 0) return {WordFate::zero_count, 0};
    const std::uint32_t pixel = block.map.pixel(local);
    const std::uint32_t slot = groups[pixel >> 5].slot(pixel & 31);
    if (slot == 0xFFFFFFFFU) return {WordFate::masked, 0};
    const std::int64_t frame = block.epoch + rigaku::frame_of(raw);
    if (frame < block.begin_frame || frame >= block.end_frame) {
        return {WordFate::outside_frames, 0};
    }
    const std::int64_t place = frame - block.begin_frame;
    if (place >= EventWord::frame_limit) return {WordFate::too_late, 0};
    return {WordFate::kept, EventWord::pack(slot, static_cast<std::uint32_t>(place), count)};
}

}  // namespace xpcs
