// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/event_pack.hpp"

#include "kernels/series_record.hpp"

#include <algorithm>
#include <cstring>
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

/// Photons of frames, added up while one frame lasts (the usual order) and put down then. Where
/// they are `ordered`, frames shall not decrease, nor pass `last`; the first that does ends the
/// counting.
template <bool ordered>
class FrameSums {
  public:
    FrameSums(std::uint64_t* sums, std::uint32_t base, std::uint32_t last)
        : sums_(sums), base_(base), current_(base), last_(last) {}

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
        if constexpr (ordered) {
            in_order_ = in_order_ && frame >= current_ && frame <= last_;
            if (!in_order_) return;
        }
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
    bool in_order() const { return in_order_; }

  private:
    std::uint64_t* sums_;
    std::uint32_t base_, current_, last_;
    std::uint64_t pending_ = 0;
    bool in_order_ = true;
};

/// Events in three arrays.
class Arrays {
  public:
    explicit Arrays(const EventChunk& chunk) : chunk_(chunk) {}

    template <class D, class V>
    HWY_INLINE void load(D d, std::size_t i, V& pixel, V& frame, V& count) {
        pixel = hn::LoadU(d, chunk_.pixel.data() + i);
        frame = hn::LoadU(d, chunk_.frame.data() + i);
        count = hn::LoadU(d, chunk_.count.data() + i);
    }
    HWY_INLINE void
    load_one(std::size_t i, std::uint32_t& pixel, std::uint32_t& frame, std::uint32_t& count) {
        pixel = chunk_.pixel[i];
        frame = chunk_.frame[i];
        count = chunk_.count[i];
    }
    static constexpr bool ordinary() { return true; }

  private:
    const EventChunk& chunk_;
};

/// Events as words of a file: the lower halves have count and most of the index, the upper ones the
/// rest and the frame. Indices beyond the detector are moved into it, so that they can be looked
/// up.
class Words {
    using D = hn::ScalableTag<std::uint32_t>;
    using V = hn::Vec<D>;

  public:
    HWY_INLINE Words(const std::uint64_t* words, const rigaku::IndexMap& map)
        : words_(words), map_(map), offset_(hn::Set(D(), map.offset)),
          last_(hn::Set(D(), map.n_pixels - 1)), base_(hn::Set(D(), map.base)),
          gap_(hn::Set(D(), map.row_gap)), largest_local_(hn::Zero(D())),
          smallest_count_(hn::Set(D(), 1)), largest_count_(hn::Zero(D())) {}

    HWY_INLINE void load(D d, std::size_t i, V& pixel, V& frame, V& count) {
        V low, high;
        hn::LoadInterleaved2(d, reinterpret_cast<const std::uint32_t*>(words_ + i), low, high);
        count = hn::And(low, hn::Set(d, rigaku::count_limit - 1));
        frame = hn::ShiftRight<8>(high);
        const V index =
            hn::Or(hn::ShiftRight<16>(low), hn::ShiftLeft<16>(hn::And(high, hn::Set(d, 31))));
        V local = hn::Sub(index, offset_);
        largest_local_ = hn::Max(largest_local_, local);
        local = hn::Min(local, last_);
        pixel = hn::Add(base_, local);
        if (map_.row_gap != 0) {
            pixel = hn::Add(pixel, hn::Mul(hn::ShiftRight<rigaku::module_cols_bits>(local), gap_));
        }
        smallest_count_ = hn::Min(smallest_count_, count);
        largest_count_ = hn::Max(largest_count_, count);
        if (hn::AllTrue(d, hn::Lt(count, hn::Set(d, 3)))) return;
        at_3_ += hn::CountTrue(d, hn::Eq(count, hn::Set(d, 3)));
        at_15_ += hn::CountTrue(d, hn::Eq(count, hn::Set(d, 15)));
        at_255_ += hn::CountTrue(d, hn::Eq(count, hn::Set(d, 255)));
    }
    HWY_INLINE void
    load_one(std::size_t i, std::uint32_t& pixel, std::uint32_t& frame, std::uint32_t& count) {
        const D d;
        const std::uint64_t word = words_[i];
        count = rigaku::count_of(word);
        frame = rigaku::frame_of(word);
        std::uint32_t local = rigaku::index_of(word) - map_.offset;
        largest_local_ = hn::Max(largest_local_, hn::Set(d, local));
        local = std::min(local, map_.n_pixels - 1);
        pixel = map_.pixel(local);
        smallest_count_ = hn::Min(smallest_count_, hn::Set(d, count));
        largest_count_ = hn::Max(largest_count_, hn::Set(d, count));
        at_3_ += count == 3;
        at_15_ += count == 15;
        at_255_ += count == 255;
    }
    HWY_INLINE bool ordinary() const {
        const D d;
        const auto beyond = hn::Or(hn::Lt(last_, largest_local_),
                                   hn::Lt(hn::Set(d, NarrowRecord::max_count), largest_count_));
        return hn::AllFalse(d, hn::Or(beyond, hn::Eq(smallest_count_, hn::Zero(d))));
    }
    HWY_INLINE void tell(WordCounts& counts) const {
        counts.at_maximum_3 = static_cast<std::int64_t>(at_3_);
        counts.at_maximum_15 = static_cast<std::int64_t>(at_15_);
        counts.at_maximum_255 = static_cast<std::int64_t>(at_255_);
        counts.largest_count = hn::GetLane(hn::MaxOfLanes(D(), largest_count_));
    }

  private:
    const std::uint64_t* words_;
    rigaku::IndexMap map_;
    V offset_, last_, base_, gap_, largest_local_, smallest_count_, largest_count_;
    std::size_t at_3_ = 0, at_15_ = 0, at_255_ = 0;
};

/// Mask and rank of the groups at these places (Partition::KeptGroup). AVX2 is what processors
/// without AVX-512 have; those of AMD take longer to gather than to load one by one.
template <class D, class V>
HWY_INLINE void look_up_groups(D d, const Partition::KeptGroup* groups, V at, V& mask, V& before) {
#if HWY_TARGET == HWY_AVX2
    HWY_ALIGN std::uint32_t place[8];
    hn::Store(at, d, place);
    const auto load = [&](int i) {
        std::int64_t group = 0;
        std::memcpy(&group, groups + place[i], sizeof group);
        return group;
    };
    const auto low = _mm256_set_epi64x(load(5), load(4), load(1), load(0));
    const auto high = _mm256_set_epi64x(load(7), load(6), load(3), load(2));
    const hn::Repartition<float, D> df;
    const auto l = hn::BitCast(df, V{low}), h = hn::BitCast(df, V{high});
    mask = hn::BitCast(d, decltype(l){_mm256_shuffle_ps(l.raw, h.raw, 0x88)});
    before = hn::BitCast(d, decltype(l){_mm256_shuffle_ps(l.raw, h.raw, 0xDD)});
#else
    const hn::RebindToSigned<D> di;
    const std::uint32_t* words = &groups->mask;
    const auto word = hn::BitCast(di, hn::ShiftLeft<1>(at));
    mask = hn::GatherIndex(d, words, word);
    before = hn::GatherIndex(d, words + 1, word);
#endif
}

/// False, and nothing is certain, as soon as an event is found that is out of the ordinary.
template <class Events, class Sums>
HWY_INLINE bool pack(Events& events,
                     std::size_t n,
                     const Selection& selection,
                     std::uint32_t base,
                     std::uint32_t* HWY_RESTRICT record,
                     std::uint32_t* HWY_RESTRICT tile,
                     Sums& sums,
                     PackTotals& totals) {
    constexpr std::size_t look = 4096;  // events between two looks
    const hn::ScalableTag<std::uint32_t> d;
    using V = hn::Vec<decltype(d)>;
    const std::size_t lanes = hn::Lanes(d);
    static_assert(sizeof(Partition::KeptGroup) == 2 * sizeof(std::uint32_t));
    const Partition::KeptGroup* groups = selection.partition.groups.data();
    const auto one = hn::Set(d, 1), zero = hn::Zero(d);
    const auto nowhere = hn::Set(d, Partition::not_kept);
    const auto first_tile = hn::Set(d, selection.tiles.first);
    const auto n_tiles = hn::Set(d, selection.tiles.n);
    const auto first = hn::Set(d, selection.first_frame), last = hn::Set(d, selection.last_frame);
    std::size_t on_kept = 0, outside = 0, kept = 0;
    std::size_t i = 0;
    while (i + lanes <= n) {
        for (const std::size_t end = std::min(n, i + look); i + lanes <= end; i += lanes) {
            V pixel, frame, count, mask, before;
            events.load(d, i, pixel, frame, count);
            // Partition::slot_of
            look_up_groups(d, groups, hn::ShiftRight<5>(pixel), mask, before);
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
        if (!events.ordinary() || !sums.in_order()) return false;
    }
    for (; i < n; ++i) {
        std::uint32_t pixel = 0, frame = 0, count = 0;
        events.load_one(i, pixel, frame, count);
        std::uint32_t slot = selection.partition.slot_of(pixel);
        on_kept += slot != Partition::not_kept;
        if (!selection.in_range(frame)) {
            outside += slot != Partition::not_kept;
            slot = Partition::not_kept;
        }
        tile[i] = selection.tile_of(slot);
        record[i] = NarrowRecord::pack(slot & (tile_pixels - 1), frame - base, count);
        const bool here = tile[i] < selection.tiles.n;
        kept += here;
        sums.add_one(frame, here ? count : 0);
    }
    sums.flush();
    totals.kept = static_cast<std::int64_t>(kept);
    totals.masked = static_cast<std::int64_t>(n - on_kept);
    totals.outside_frames = static_cast<std::int64_t>(outside);
    return events.ordinary() && sums.in_order();
}

PackTotals pack_arrays(const EventChunk& chunk,
                       const Selection& selection,
                       std::uint32_t base,
                       std::uint32_t* HWY_RESTRICT record,
                       std::uint32_t* HWY_RESTRICT tile,
                       std::uint64_t* HWY_RESTRICT frame_photons) {
    Arrays events(chunk);
    FrameSums<false> sums(frame_photons, base, selection.last_frame);
    PackTotals totals;
    pack(events, chunk.size(), selection, base, record, tile, sums, totals);
    return totals;
}

bool pack_words_of_file(const std::uint64_t* words,
                        std::size_t n,
                        const rigaku::IndexMap& map,
                        const Selection& selection,
                        std::uint32_t* HWY_RESTRICT record,
                        std::uint32_t* HWY_RESTRICT tile,
                        std::uint64_t* HWY_RESTRICT frame_photons,
                        PackTotals& totals,
                        WordCounts& counts) {
    const std::uint32_t base = rigaku::frame_of(words[0]);
    Words events(words, map);
    FrameSums<true> sums(frame_photons, base, rigaku::frame_of(words[n - 1]));
    if (!pack(events, n, selection, base, record, tile, sums, totals)) return false;
    events.tell(counts);
    return true;
}

std::size_t find_runs_of_tiles(const std::uint32_t* HWY_RESTRICT tile,
                               std::size_t n,
                               std::size_t most,
                               TileRun* HWY_RESTRICT runs) {
    const hn::ScalableTag<std::uint32_t> d;
    if (n == 0) return 0;
    if (most == 0) return 1;
    runs[0] = {0, tile[0]};
    std::size_t found = 1;
    for (std::size_t i = 1; i < n;) {
        const std::size_t end = std::min(n, i + hn::Lanes(d));
        if (end - i == hn::Lanes(d) &&
            hn::AllTrue(d, hn::Eq(hn::LoadU(d, tile + i), hn::LoadU(d, tile + i - 1)))) {
            i = end;
            continue;
        }
        for (; i < end; ++i) {
            if (tile[i] == tile[i - 1]) continue;
            if (found == most) return most + 1;
            runs[found++] = {static_cast<std::uint32_t>(i), tile[i]};
        }
    }
    return found;
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace xpcs {

HWY_EXPORT(pack_arrays);
HWY_EXPORT(pack_words_of_file);
HWY_EXPORT(find_runs_of_tiles);

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
    return HWY_DYNAMIC_DISPATCH(pack_arrays)(chunk, selection, base, record, tile, frame_photons);
}

bool pack_words(const std::uint64_t* words,
                std::size_t n,
                const rigaku::IndexMap& map,
                const Selection& selection,
                std::uint32_t* record,
                std::uint32_t* tile,
                std::uint64_t* frame_photons,
                PackTotals& totals,
                WordCounts& counts) {
    return HWY_DYNAMIC_DISPATCH(pack_words_of_file)(
        words, n, map, selection, record, tile, frame_photons, totals, counts);
}

std::size_t find_runs(const std::uint32_t* tile, std::size_t n, std::size_t most, TileRun* runs) {
    return HWY_DYNAMIC_DISPATCH(find_runs_of_tiles)(tile, n, most, runs);
}

}  // namespace xpcs

#endif  // HWY_ONCE
