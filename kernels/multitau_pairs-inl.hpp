// SPDX-License-Identifier: BSD-3-Clause
// Pairs of events of one pixel on the CPU, compiled once per instruction set (Highway): neighbour
// m = 1, 2, ... of all events at once, a vector of events per instruction; pairs within reach are
// packed together, and where such a pair belongs is worked out for a vector of pairs.

#if defined(XPCS_MULTITAU_PAIRS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_PAIRS_INL
#undef XPCS_MULTITAU_PAIRS_INL
#else
#define XPCS_MULTITAU_PAIRS_INL
#endif

#include "kernels/array.hpp"
#include "kernels/lag_ladder.hpp"
#include "kernels/multitau_core.hpp"
#include "kernels/multitau_scratch.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace core = multitau_core;

constexpr std::size_t all_pairs_below = 8;
constexpr std::int64_t all_pairs_in_group = 4;
/// Pairs that are collected before they are added up: full vectors even where few events have a
/// neighbour.
constexpr std::size_t pairs_at_once = 256;

/// Byte k of row m: index of the k-th set bit of m.
struct BitIndices {
    std::uint64_t of[256];
    constexpr BitIndices() : of{} {
        for (unsigned m = 0; m < 256; ++m) {
            int at = 0;
            for (std::uint64_t bit = 0; bit < 8; ++bit) {
                if ((m >> bit & 1U) != 0) of[m] |= bit << 8 * at++;
            }
        }
    }
};
inline constexpr BitIndices bit_indices;

/// Appends i + (index of every set lane of `near`) at `first`, and the same + m at `second`;
/// returns their number. May write whole vectors. The library's own CompressStore builds its table
/// anew in each call where the instruction set has no compression (seen with GCC 12 and AVX2).
template <class D, class Mask>
HWY_INLINE std::size_t append_set(D d,
                                  Mask near,
                                  std::uint32_t i,
                                  std::uint32_t m,
                                  std::uint32_t* HWY_RESTRICT first,
                                  std::uint32_t* HWY_RESTRICT second) {
#if HWY_TARGET == HWY_AVX2
    alignas(8) std::uint8_t bits[8];
    hn::StoreMaskBits(d, near, bits);
    const hn::Rebind<std::uint8_t, D> d8;
    const auto indices = hn::PromoteTo(
        d, hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(&bit_indices.of[bits[0]])));
    hn::StoreU(hn::Add(indices, hn::Set(d, i)), d, first);
    hn::StoreU(hn::Add(indices, hn::Set(d, i + m)), d, second);
    return static_cast<std::size_t>(__builtin_popcount(bits[0]));
#else
    const auto packed = hn::Compress(hn::Add(hn::Iota(d, 0), hn::Set(d, i)), near);
    hn::StoreU(packed, d, first);
    hn::StoreU(hn::Add(packed, hn::Set(d, m)), d, second);
    return hn::CountTrue(d, near);
#endif
}

/// Appends every pair (i, i + m) with t[i + m] - t[i] < reach; returns their number.
HWY_INLINE std::size_t find_neighbours(const std::uint32_t* HWY_RESTRICT t,
                                       std::size_t n,
                                       std::size_t m,
                                       std::uint32_t reach,
                                       std::uint32_t* HWY_RESTRICT first,
                                       std::uint32_t* HWY_RESTRICT second) {
    const hn::ScalableTag<std::uint32_t> d;
    const std::size_t lanes = hn::Lanes(d);
    const auto limit = hn::Set(d, reach);
    std::size_t found = 0;
    std::size_t i = 0;
    for (; i + m + lanes <= n; i += lanes) {
        const auto distance = hn::Sub(hn::LoadU(d, t + i + m), hn::LoadU(d, t + i));
        found += append_set(d,
                            hn::Lt(distance, limit),
                            static_cast<std::uint32_t>(i),
                            static_cast<std::uint32_t>(m),
                            first + found,
                            second + found);
    }
    for (; i + m < n; ++i) {
        first[found] = static_cast<std::uint32_t>(i);
        second[found] = static_cast<std::uint32_t>(i + m);
        found += t[i + m] - t[i] < reach;
    }
    return found;
}

/// floor(log2(x)) where that is above 0: the exponent of x / 2 as a float, of which no bits below
/// the highest eight are left that could round it up; 0 or less for x < 2.
template <class D, class V>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> log2_of(D, V x) {
    const hn::RebindToSigned<D> di;
    const hn::RebindToFloat<D> df;
    const auto half = hn::ShiftRight<1>(x);  // fits a signed integer
    const auto high = hn::BitCast(di, hn::AndNot(hn::ShiftRight<8>(half), half));
    const auto exponent = hn::ShiftRight<23>(hn::BitCast(di, hn::ConvertTo(df, high)));
    return hn::Sub(exponent, hn::Set(di, 126));
}

/// core::pair_slots for a vector of pairs: where each of the two sums of a pair stands.
template <class D, class V>
HWY_INLINE void
pair_places(D d, V t0, V t1, std::uint32_t* HWY_RESTRICT a, std::uint32_t* HWY_RESTRICT b) {
    static_assert(slots_per_level == 32);
    const hn::RebindToSigned<D> di;
    const auto level = hn::Max(hn::Sub(log2_of(d, hn::Sub(t1, t0)), hn::Set(di, 2)), hn::Zero(di));
    const auto shift_a = hn::BitCast(d, level);
    const auto shift_b = hn::BitCast(d, hn::Max(hn::Sub(level, hn::Set(di, 1)), hn::Zero(di)));
    const auto blocks_a = hn::Sub(hn::Shr(t1, shift_a), hn::Shr(t0, shift_a));
    const auto blocks_b = hn::Sub(hn::Shr(t1, shift_b), hn::Shr(t0, shift_b));
    const auto row = hn::ShiftLeft<5>(shift_a);
    hn::Store(hn::Add(hn::Add(row, hn::Set(d, slots_per_level)), blocks_a), d, a);
    hn::Store(hn::Add(row, blocks_b), d, b);
}

/// Adds the product of every collected pair to its two slots. The lists are filled up with pairs
/// (0, 0), which are not added.
template <class Value, class Sum>
HWY_INLINE void add_pairs(const std::uint32_t* HWY_RESTRICT t,
                          const Value* HWY_RESTRICT v,
                          std::uint32_t* HWY_RESTRICT first,
                          std::uint32_t* HWY_RESTRICT second,
                          std::size_t n,
                          Sum* HWY_RESTRICT slot_sums) {
    const hn::ScalableTag<std::uint32_t> d;
    const hn::RebindToSigned<decltype(d)> di;
    const std::size_t lanes = hn::Lanes(d);
    std::fill(first + n, first + n + lanes, 0U);
    std::fill(second + n, second + n + lanes, 0U);
    HWY_ALIGN std::uint32_t a[HWY_MAX_BYTES / sizeof(std::uint32_t)];
    HWY_ALIGN std::uint32_t b[HWY_MAX_BYTES / sizeof(std::uint32_t)];
    for (std::size_t h = 0; h < n; h += lanes) {
        const auto i = hn::BitCast(di, hn::LoadU(d, first + h));
        const auto j = hn::BitCast(di, hn::LoadU(d, second + h));
        pair_places(d, hn::GatherIndex(d, t, i), hn::GatherIndex(d, t, j), a, b);
        const std::size_t end = std::min(lanes, n - h);
        for (std::size_t k = 0; k < end; ++k) {
            const Sum product =
                static_cast<Sum>(v[first[h + k]]) * static_cast<Sum>(v[second[h + k]]);
            slot_sums[a[k]] += product;
            slot_sums[b[k]] += product;
        }
    }
}

/// Products of all pairs within reach into slot_sums[level + 1][blocks apart]. Pairs with an event
/// at or after `n_whole` are checked against the end of each level. False if the pairs are far more
/// than the mean density promised (bursts): the caller then starts dense at a lower level.
template <class Value, class Sum>
HWY_INLINE bool pair_products(const std::uint32_t* HWY_RESTRICT t,
                              const Value* HWY_RESTRICT v,
                              std::size_t n,
                              std::size_t n_whole,
                              int dense_level,
                              const LagLadder& ladder,
                              PixelScratch& scratch,
                              Sum* HWY_RESTRICT slot_sums) {
    std::fill(slot_sums, slot_sums + (dense_level + 2) * slots_per_level, Sum{0});
    const auto reach = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(core::pair_reach(dense_level), 0xFFFFFFFFU));
    const hn::ScalableTag<std::uint32_t> d;
    const std::size_t room = n + pairs_at_once + 2 * hn::Lanes(d);
    if (scratch.first.size() < room) {
        scratch.first.resize(2 * room);
        scratch.second.resize(2 * room);
    }
    std::uint32_t *first = scratch.first.data(), *second = scratch.second.data();
    constexpr std::size_t many_passes = 16;
    std::size_t collected = 0;
    for (std::size_t m = 1; m < n_whole; ++m) {
        const std::size_t found =
            find_neighbours(t, n_whole, m, reach, first + collected, second + collected);
        if (found == 0) break;
        if (m >= many_passes && n > all_pairs_below && found > n / 8) return false;
        collected += found;
        if (collected < pairs_at_once) continue;
        add_pairs(t, v, first, second, collected, slot_sums);
        collected = 0;
    }
    add_pairs(t, v, first, second, collected, slot_sums);
    std::size_t budget = 8 * n + 64;
    for (std::size_t j = n_whole; j < n; ++j) {
        for (std::size_t i = j; i-- > 0 && t[j] - t[i] < reach;) {
            if (budget-- == 0 && n > all_pairs_below) return false;
            const Sum product = static_cast<Sum>(v[i]) * static_cast<Sum>(v[j]);
            const core::PairSlots s = core::pair_slots(t[i], t[j]);
            if (t[j] >> s.level_a < ladder.n_blocks(s.level_a)) {
                slot_sums[(s.level_a + 1) * slots_per_level + s.blocks_a] += product;
            }
            if (s.level_b >= 0 && t[j] >> s.level_b < ladder.n_blocks(s.level_b)) {
                slot_sums[(s.level_b + 1) * slots_per_level + s.blocks_b] += product;
            }
        }
    }
    return true;
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
