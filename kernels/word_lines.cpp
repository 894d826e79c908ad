// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/word_lines.hpp"

#include <algorithm>
#include <utility>

// The order of what follows matters: this file is read once per instruction set.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/word_lines.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// WordLines::take() of the words that share the frame of the first; returns their number, 0 if one
/// is unusual. Two of one pixel are not noticed: the later one stays.
std::size_t take_words(std::span<const std::uint64_t> words,
                       const rigaku::IndexMap& map,
                       std::uint8_t* HWY_RESTRICT cells,
                       SmallCounts& counts) {
    const hn::ScalableTag<std::uint32_t> d;
    constexpr std::size_t most_lanes = HWY_MAX_BYTES / sizeof(std::uint32_t);
    const std::uint32_t frame = rigaku::frame_of(words.front());
    const auto here = hn::Set(d, frame), one = hn::Set(d, 1);
    const auto offset = hn::Set(d, map.offset), n_pixels = hn::Set(d, map.n_pixels);
    const auto n_small = hn::Set(d, SmallCounts::end - 1);
    auto small = hn::Zero(d);
    const auto take_one = [&](std::uint64_t word) HWY_ATTR {
        const std::uint32_t pixel = rigaku::index_of(word) - map.offset;
        const std::uint32_t count = rigaku::count_of(word);
        if (pixel >= map.n_pixels || !counts.add(count)) return false;
        cells[pixel] = static_cast<std::uint8_t>(count);
        return true;
    };
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= words.size(); i += hn::Lanes(d)) {
        hn::Vec<decltype(d)> low, high;
        hn::LoadInterleaved2(
            d, reinterpret_cast<const std::uint32_t*>(words.data() + i), low, high);
        if (!hn::AllTrue(d, hn::Eq(hn::ShiftRight<8>(high), here))) break;
        const auto index =
            hn::Or(hn::ShiftRight<16>(low), hn::ShiftLeft<16>(hn::And(high, hn::Set(d, 31))));
        const auto pixel = hn::Sub(index, offset);
        const auto count = hn::And(low, hn::Set(d, rigaku::count_limit - 1));
        const auto plain = hn::And(hn::Lt(pixel, n_pixels), hn::Lt(hn::Sub(count, one), n_small));
        if (!hn::AllTrue(d, plain)) {
            for (std::size_t k = 0; k < hn::Lanes(d); ++k)
                if (!take_one(words[i + k])) return 0;
            continue;
        }
        small = hn::Or(small, count);
        HWY_ALIGN std::uint32_t to[most_lanes];
        HWY_ALIGN std::uint32_t what[most_lanes];
        hn::Store(pixel, d, to);
        hn::Store(count, d, what);
        for (std::size_t k = 0; k < hn::Lanes(d); ++k)
            cells[to[k]] = static_cast<std::uint8_t>(what[k]);
    }
    HWY_ALIGN std::uint32_t bits[most_lanes];
    hn::Store(small, d, bits);
    for (std::size_t k = 0; k < hn::Lanes(d); ++k)
        counts.bits |= bits[k];
    for (; i < words.size() && rigaku::frame_of(words[i]) == frame; ++i)
        if (!take_one(words[i])) return 0;
    return i;
}

/// Sets cells to 0; returns how many of them were not. Their number is a multiple of 64.
std::int64_t clear_cells(std::span<std::uint8_t> cells) {
    const hn::ScalableTag<std::uint8_t> d;
    const hn::Repartition<std::uint64_t, decltype(d)> d64;
    auto lit = hn::Zero(d64);
    for (std::size_t i = 0; i < cells.size(); i += hn::Lanes(d)) {
        const auto some = hn::Min(hn::LoadU(d, cells.data() + i), hn::Set(d, 1));
        lit = hn::Add(lit, hn::SumsOf8(some));
        hn::StoreU(hn::Zero(d), d, cells.data() + i);
    }
    return static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, lit)));
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace xpcs {

HWY_EXPORT(take_words);
HWY_EXPORT(clear_cells);

namespace {

/// Cells of the frames that are open together: enough that what they become fills cache lines, few
/// enough that they stay in the cache.
constexpr std::int64_t open_cells = std::int64_t{1} << 20;

std::int64_t frames_at_once(std::int64_t n_pixels) {
    return std::max<std::int64_t>(2, open_cells / n_pixels / 2 * 2);
}

}  // namespace

WordLines::WordLines(const rigaku::IndexMap& map,
                     const Partition& partition,
                     const SeriesRange& range,
                     PieceScratch& scratch)
    : map_(map), partition_(&partition), range_(range), scratch_(&scratch),
      slots_(partition, range), all_tiles_(slots_.first == 0 && slots_.end == partition.n_kept()),
      at_once_(frames_at_once(map.n_pixels)) {}

void WordLines::begin(std::int64_t first, std::int64_t last) {
    counts_ = {};
    frame_ = first;
    last_ = last;
    open_ = in_open_ = in_frames_ = on_kept_ = 0;
    piece_ = {};
    piece_.frame_base = std::max(first, range_.begin_frame);
    piece_.n_frames =
        std::max<std::int64_t>(0, std::min(last + 1, range_.end_frame) - piece_.frame_base);
    piece_.sample_bits = scratch_->sample_bits;
    start_lines(slots_, piece_);
    constexpr std::int64_t round = 64;
    const std::int64_t n_cells = (at_once_ * map_.n_pixels + round - 1) / round * round;
    scratch_->cells.assign(static_cast<std::size_t>(n_cells), 0);
}

WordLines::Fate WordLines::add(std::span<const std::uint64_t> words) {
    while (!words.empty()) {
        const std::int64_t frame = rigaku::frame_of(words.front());
        if (frame < frame_ || frame > last_) return Fate::unusual;
        frame_ = frame;
        const std::int64_t in_piece = frame - piece_.frame_base;
        std::size_t taken = 0;
        if (in_piece >= 0 && in_piece < piece_.n_frames) {
            const Fate fate = open(in_piece);
            if (fate != Fate::taken) return fate;
            taken = take(in_piece, words);
        } else {
            taken = pass_over(words);
        }
        if (taken == 0) return Fate::unusual;
        words = words.subspan(taken);
    }
    return Fate::taken;
}

/// Closes frames until this one of the piece is open.
WordLines::Fate WordLines::open(std::int64_t frame) {
    Fate fate = Fate::taken;
    while (fate == Fate::taken && frame >= open_ + at_once_)
        fate = close();
    return fate;
}

/// The open frames become lines, the ones behind them are open.
WordLines::Fate WordLines::close() {
    RawVector<std::uint8_t>& cells = scratch_->cells;
    const FrameBlock frames{reinterpret_cast<const std::byte*>(cells.data()),
                            1,
                            std::min(at_once_, piece_.n_frames - open_),
                            open_,
                            0,
                            std::int64_t{map_.n_pixels}};
    if (!put_frames(frames, *partition_, slots_, piece_)) return Fate::too_large;
    if (HWY_DYNAMIC_DISPATCH(clear_cells)(cells) != in_open_) return Fate::unusual;
    in_open_ = 0;
    open_ += at_once_;
    return Fate::taken;
}

/// The words of one frame from the first one on; returns their number, 0 if one is unusual.
std::size_t WordLines::take(std::int64_t frame, std::span<const std::uint64_t> words) {
    std::uint8_t* cells = scratch_->cells.data() + (frame - open_) * map_.n_pixels;
    const std::size_t n = HWY_DYNAMIC_DISPATCH(take_words)(words, map_, cells, counts_);
    in_open_ += static_cast<std::int64_t>(n);
    in_frames_ += static_cast<std::int64_t>(n);
    if (!all_tiles_) on_kept_ += n_on_kept(words.first(n));
    return n;
}

/// The same of a frame that is not kept.
std::size_t WordLines::pass_over(std::span<const std::uint64_t> words) {
    const std::uint32_t frame = rigaku::frame_of(words.front());
    std::size_t n = 0;
    for (; n < words.size() && rigaku::frame_of(words[n]) == frame; ++n) {
        if (rigaku::index_of(words[n]) - map_.offset >= map_.n_pixels) return 0;
        if (!counts_.add(rigaku::count_of(words[n]))) return 0;
    }
    const std::int64_t kept = n_on_kept(words.first(n));
    piece_.counts.outside_frames += kept;
    piece_.counts.masked += static_cast<std::int64_t>(n) - kept;
    return n;
}

std::int64_t WordLines::n_on_kept(std::span<const std::uint64_t> words) const {
    return std::count_if(words.begin(), words.end(), [&](std::uint64_t word) {
        return partition_->slot_of(rigaku::index_of(word) - map_.offset) != Partition::not_kept;
    });
}

WordLines::Fate WordLines::finish(SeriesPiece& piece, WordCounts& counts) {
    while (open_ < piece_.n_frames) {
        const Fate fate = close();
        if (fate != Fate::taken) return fate;
    }
    sum_photons(piece_);
    piece_.counts.masked += in_frames_ - (all_tiles_ ? piece_.counts.events : on_kept_);
    counts = {};
    counts.last_frame = frame_;
    counts.at_maximum_3 = counts_.at_3;
    counts.at_maximum_15 = counts_.at_15;
    counts.largest_count = counts_.largest_count();
    piece = std::move(piece_);
    return Fate::taken;
}

}  // namespace xpcs

#endif  // HWY_ONCE
