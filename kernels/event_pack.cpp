// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/event_pack.hpp"

#include "kernels/series_record.hpp"

#include <limits>

// The order of what follows matters: this file is read once per instruction set.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/event_pack.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Photons of frames, added up while one frame lasts (the usual order) and put down then.
class FrameSums {
  public:
    FrameSums(std::uint64_t* sums, std::uint32_t base) : sums_(sums), base_(base) {}

    template <class D, class V>
    HWY_INLINE void add(D d, V frame, V count) {
        if (hn::AllTrue(d, hn::Eq(frame, hn::Set(d, current_)))) {
            pending_ += hn::GetLane(hn::SumOfLanes(d, count));
            return;
        }
        HWY_ALIGN std::uint32_t frames[HWY_MAX_BYTES / sizeof(std::uint32_t)];
        HWY_ALIGN std::uint32_t counts[HWY_MAX_BYTES / sizeof(std::uint32_t)];
        hn::Store(frame, d, frames);
        hn::Store(count, d, counts);
        for (std::size_t i = 0; i < hn::Lanes(d); ++i)
            add_one(frames[i], counts[i]);
    }
    HWY_INLINE void add_one(std::uint32_t frame, std::uint32_t count) {
        if (frame != current_) {
            flush();
            current_ = frame;
        }
        pending_ += count;
    }
    HWY_INLINE void flush() {
        if (pending_ != 0) sums_[current_ - base_] += pending_;
        pending_ = 0;
    }

  private:
    std::uint64_t* sums_;
    std::uint32_t base_;
    std::uint32_t current_ = 0;
    std::uint64_t pending_ = 0;
};

PackTotals pack_words(const EventChunk& chunk,
                      const Selection& selection,
                      std::uint32_t base,
                      std::uint32_t* HWY_RESTRICT record,
                      std::uint32_t* HWY_RESTRICT tile,
                      std::uint64_t* HWY_RESTRICT frame_photons) {
    const hn::ScalableTag<std::uint32_t> d;
    const hn::RebindToSigned<decltype(d)> di;
    const std::size_t lanes = hn::Lanes(d), n = chunk.size();
    static_assert(sizeof(Partition::KeptGroup) == 2 * sizeof(std::uint32_t));
    const std::uint32_t* groups = &selection.partition.groups.data()->mask;
    const auto one = hn::Set(d, 1), zero = hn::Zero(d);
    const auto nowhere = hn::Set(d, Partition::not_kept);
    const auto first_tile = hn::Set(d, selection.tiles.first);
    const auto n_tiles = hn::Set(d, selection.tiles.n);
    const auto first = hn::Set(d, selection.first_frame), last = hn::Set(d, selection.last_frame);
    FrameSums sums(frame_photons, base);
    PackTotals totals;
    std::size_t on_kept = 0, outside = 0, kept = 0;
    std::size_t i = 0;
    for (; i + lanes <= n; i += lanes) {
        const auto pixel = hn::LoadU(d, chunk.pixel.data() + i);
        const auto frame = hn::LoadU(d, chunk.frame.data() + i);
        const auto count = hn::LoadU(d, chunk.count.data() + i);
        // Partition::slot_of
        const auto group = hn::BitCast(di, hn::ShiftLeft<1>(hn::ShiftRight<5>(pixel)));
        const auto mask = hn::GatherIndex(d, groups, group);
        const auto before = hn::GatherIndex(d, groups + 1, group);
        const auto bit = hn::Shl(one, hn::And(pixel, hn::Set(d, 31)));
        const auto rank = hn::PopulationCount(hn::And(mask, hn::Sub(bit, one)));
        const auto is_kept = hn::Ne(hn::And(mask, bit), zero);
        auto slot = hn::IfThenElse(is_kept, hn::Add(before, rank), nowhere);
        on_kept += hn::CountTrue(d, is_kept);
        if (!selection.all_frames) {
            const auto out = hn::Or(hn::Lt(frame, first), hn::Lt(last, frame));
            outside += hn::CountTrue(d, hn::And(is_kept, out));
            slot = hn::IfThenElse(out, nowhere, slot);
        }
        const auto to = hn::Min(hn::Sub(hn::ShiftRight<tile_bits>(slot), first_tile), n_tiles);
        const auto in_piece = hn::Sub(frame, hn::Set(d, base));
        static_assert(NarrowRecord::frame_bits == 15 && tile_bits == 9);
        hn::StoreU(to, d, tile + i);
        hn::StoreU(hn::Or(hn::Or(hn::ShiftLeft<23>(slot), hn::ShiftLeft<8>(in_piece)), count),
                   d,
                   record + i);
        const auto here = hn::Lt(to, n_tiles);
        kept += hn::CountTrue(d, here);
        sums.add(d, frame, hn::IfThenElseZero(here, count));
    }
    for (; i < n; ++i) {
        std::uint32_t slot = selection.partition.slot_of(chunk.pixel[i]);
        on_kept += slot != Partition::not_kept;
        if (!selection.in_range(chunk.frame[i])) {
            outside += slot != Partition::not_kept;
            slot = Partition::not_kept;
        }
        tile[i] = selection.tile_of(slot);
        record[i] =
            NarrowRecord::pack(slot & (tile_pixels - 1), chunk.frame[i] - base, chunk.count[i]);
        const bool here = tile[i] < selection.tiles.n;
        kept += here;
        sums.add_one(chunk.frame[i], here ? chunk.count[i] : 0);
    }
    sums.flush();
    totals.kept = static_cast<std::int64_t>(kept);
    totals.masked = static_cast<std::int64_t>(n - on_kept);
    totals.outside_frames = static_cast<std::int64_t>(outside);
    return totals;
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace xpcs {

HWY_EXPORT(pack_words);

Selection::Selection(const Partition& kept,
                     const SeriesRange& range,
                     std::int64_t frame_base,
                     std::uint32_t lowest,
                     std::uint32_t highest)
    : partition(kept), tiles(tiles_of(kept, range)) {
    constexpr std::int64_t most = std::numeric_limits<std::uint32_t>::max();
    const std::int64_t first = std::max<std::int64_t>(0, range.begin_frame - frame_base);
    const std::int64_t end = std::min(most, range.end_frame - frame_base - 1);
    if (first > most || end < first) {
        first_frame = 1;  // none
        return;
    }
    first_frame = static_cast<std::uint32_t>(first);
    last_frame = static_cast<std::uint32_t>(end);
    all_frames = lowest >= first_frame && highest <= last_frame;
}

PackTotals pack_narrow(const EventChunk& chunk,
                       const Selection& selection,
                       std::uint32_t base,
                       std::uint32_t* record,
                       std::uint32_t* tile,
                       std::uint64_t* frame_photons) {
    return HWY_DYNAMIC_DISPATCH(pack_words)(chunk, selection, base, record, tile, frame_photons);
}

}  // namespace xpcs

#endif  // HWY_ONCE
