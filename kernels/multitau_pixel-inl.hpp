// SPDX-License-Identifier: BSD-3-Clause
// One pixel on the CPU, compiled once per instruction set (Highway). Steps:
//   1. choose the level from which the pixel counts as dense (multitau_core);
//   2. below it, find pairs of events within reach: neighbour m = 1, 2, ... of all events at once,
//      16 events per instruction, hits packed together; each hit adds its product to its two slots;
//   3. from it up, scatter into an array of blocks and take every lag as a dot product of the array
//      with itself shifted, halving the array from level to level.
// All integers; an array element never exceeds what a 16-bit product sum can hold, else 64 bits.

#if defined(XPCS_MULTITAU_PIXEL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_PIXEL_INL
#undef XPCS_MULTITAU_PIXEL_INL
#else
#define XPCS_MULTITAU_PIXEL_INL
#endif

#include "kernels/array.hpp"
#include "kernels/lag_ladder.hpp"
#include "kernels/lag_sums.hpp"
#include "kernels/multitau_core.hpp"
#include "kernels/multitau_scratch.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
namespace core = multitau_core;

constexpr std::int64_t pad = 256;  // zeros behind an array: 8 blocks and a vector of any width
constexpr std::int64_t largest_short = 23170;  // 2 * x^2 fits 32 bits
constexpr std::uint64_t short_total = 32767;   // no sum over a pixel can exceed 16 bits
constexpr std::size_t all_pairs_below = 8;

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

/// Appends i + (index of every set lane of `near`) at `hit`; returns their number. May write a
/// whole vector. The library's own CompressStore builds its table anew in each call where the
/// instruction set has no compression (seen with GCC 12 and AVX2).
template <class D, class Mask>
HWY_INLINE std::size_t append_set(D d, Mask near, std::uint32_t i, std::uint32_t* hit) {
#if HWY_TARGET == HWY_AVX2
    alignas(8) std::uint8_t bits[8];
    hn::StoreMaskBits(d, near, bits);
    const hn::Rebind<std::uint8_t, D> d8;
    const auto indices = hn::PromoteTo(
        d, hn::LoadU(d8, reinterpret_cast<const std::uint8_t*>(&bit_indices.of[bits[0]])));
    hn::StoreU(hn::Add(indices, hn::Set(d, i)), d, hit);
    return static_cast<std::size_t>(__builtin_popcount(bits[0]));
#else
    return hn::CompressStore(hn::Add(hn::Iota(d, 0), hn::Set(d, i)), near, d, hit);
#endif
}

/// Calls visit(i) for every i with t[i + m] - t[i] < reach; returns their number.
template <class Visit>
HWY_INLINE std::size_t visit_neighbours(const std::uint32_t* HWY_RESTRICT t,
                                        std::size_t n,
                                        std::size_t m,
                                        std::uint32_t reach,
                                        std::uint32_t* HWY_RESTRICT hit,
                                        const Visit& visit) {
    const hn::ScalableTag<std::uint32_t> d;
    const std::size_t lanes = hn::Lanes(d);
    const auto limit = hn::Set(d, reach);
    std::size_t n_hits = 0;
    std::size_t i = 0;
    for (; i + m + lanes <= n; i += lanes) {
        const auto distance = hn::Sub(hn::LoadU(d, t + i + m), hn::LoadU(d, t + i));
        n_hits +=
            append_set(d, hn::Lt(distance, limit), static_cast<std::uint32_t>(i), hit + n_hits);
    }
    for (; i + m < n; ++i) {
        hit[n_hits] = static_cast<std::uint32_t>(i);
        n_hits += t[i + m] - t[i] < reach;
    }
    for (std::size_t h = 0; h < n_hits; ++h)
        visit(hit[h]);
    return n_hits;
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
                              RawVector<std::uint32_t>& hits,
                              Sum* HWY_RESTRICT slot_sums) {
    std::fill(slot_sums, slot_sums + (dense_level + 2) * slots_per_level, Sum{0});
    const auto reach = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(core::pair_reach(dense_level), 0xFFFFFFFFU));
    const hn::ScalableTag<std::uint32_t> d;
    if (hits.size() < n + hn::Lanes(d)) hits.resize(2 * n + hn::Lanes(d));
    constexpr std::size_t many_passes = 16;
    std::size_t budget = 8 * n + 64;
    for (std::size_t m = 1; m < n_whole; ++m) {
        const std::size_t found =
            visit_neighbours(t, n_whole, m, reach, hits.data(), [&](std::uint32_t i) HWY_ATTR {
                const Sum product = static_cast<Sum>(v[i]) * static_cast<Sum>(v[i + m]);
                const core::PairSlots s = core::pair_slots(t[i], t[i + m]);
                slot_sums[(s.level_a + 1) * slots_per_level + s.blocks_a] += product;
                slot_sums[(s.level_b + 1) * slots_per_level + s.blocks_b] += product;
            });
        if (found == 0) break;
        if (m >= many_passes && n > all_pairs_below && found > n / 8) return false;
    }
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

/// Dot products of an array with itself shifted by x0, ..., x0 + N - 1; `b` is zero behind its end.
/// 32-bit lanes are emptied into 64 bits every `steps` vectors.
template <int N>
HWY_INLINE void dots(const std::int16_t* HWY_RESTRICT b,
                     std::int64_t n,
                     int x0,
                     std::int64_t steps,
                     std::uint64_t* HWY_RESTRICT out) {
    const hn::ScalableTag<std::int16_t> d16;
    const hn::Repartition<std::int32_t, decltype(d16)> d32;
    using V32 = hn::Vec<decltype(d32)>;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d16));
    const auto lanes32 = hn::Lanes(d32);
    for (int k = 0; k < N; ++k)
        out[k] = 0;
    for (std::int64_t i = 0; i < n;) {
        const std::int64_t end = steps >= (n - i) / lanes + 1 ? n : i + steps * lanes;
        V32 a0 = hn::Zero(d32), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
        V32 other = a0;  // the second sum of targets that split even and odd products
        for (; i < end; i += lanes) {
            const auto x = hn::LoadU(d16, b + i);
            const std::int16_t* y = b + i + x0;
            a0 = hn::ReorderWidenMulAccumulate(d32, x, hn::LoadU(d16, y), a0, other);
            a1 = hn::ReorderWidenMulAccumulate(d32, x, hn::LoadU(d16, y + 1), a1, other);
            a2 = hn::ReorderWidenMulAccumulate(d32, x, hn::LoadU(d16, y + 2), a2, other);
            a3 = hn::ReorderWidenMulAccumulate(d32, x, hn::LoadU(d16, y + 3), a3, other);
            if constexpr (N == 8) {
                a4 = hn::ReorderWidenMulAccumulate(d32, x, hn::LoadU(d16, y + 4), a4, other);
                a5 = hn::ReorderWidenMulAccumulate(d32, x, hn::LoadU(d16, y + 5), a5, other);
                a6 = hn::ReorderWidenMulAccumulate(d32, x, hn::LoadU(d16, y + 6), a6, other);
                a7 = hn::ReorderWidenMulAccumulate(d32, x, hn::LoadU(d16, y + 7), a7, other);
            }
        }
        alignas(64) std::int32_t lane[64];
        const auto empty = [&](V32 sum, int k) HWY_ATTR {
            hn::StoreU(sum, d32, lane);
            std::int64_t total = 0;
            for (std::size_t j = 0; j < lanes32; ++j)
                total += lane[j];
            out[k] += static_cast<std::uint64_t>(total);
        };
        empty(a0, 0);
        empty(a1, 1);
        empty(a2, 2);
        empty(a3, 3);
        if constexpr (N == 8) {
            empty(a4, 4);
            empty(a5, 5);
            empty(a6, 6);
            empty(a7, 7);
        }
    }
}

/// In place: b[j] = b[2j] + b[2j+1] for j < n / 2, zeros behind.
HWY_INLINE std::int64_t halve(std::int16_t* HWY_RESTRICT b, std::int64_t n) {
    const hn::ScalableTag<std::int32_t> d32;
    const hn::Repartition<std::int16_t, decltype(d32)> d16;
    const hn::Half<decltype(d16)> half;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d16));
    for (std::int64_t i = 0; i < n; i += lanes) {
        const auto pairs = hn::BitCast(d32, hn::LoadU(d16, b + i));
        const auto low = hn::ShiftRight<16>(hn::ShiftLeft<16>(pairs));
        const auto sum = hn::Add(low, hn::ShiftRight<16>(pairs));
        hn::StoreU(hn::DemoteTo(half, sum), half, b + i / 2);
    }
    const std::int64_t m = n / 2;
    std::fill(b + m, b + m + pad / 2, std::int16_t{0});
    return m;
}

/// head, tail and total of one level from its array.
template <class Block>
HWY_INLINE void edges(const Block* b, std::int64_t n, int level, int n_lags, LagSums& out) {
    const int x0 = core::first_blocks(level);
    const int n_x = core::lags_in_level(level, n_lags);
    std::uint64_t head = 0, tail = 0;
    for (int x = 1; x < x0 + n_x; ++x) {
        head += static_cast<std::uint64_t>(b[x - 1]);
        tail += static_cast<std::uint64_t>(b[n - x]);
        if (x >= x0) {
            out.head[core::first_lag(level) + x - x0] = head;
            out.tail[core::first_lag(level) + x - x0] = tail;
        }
    }
}

/// Levels whose blocks need more than 16 bits: few blocks, plain 64 or 128-bit sums.
inline void wide_levels(std::uint64_t* b,
                        std::int64_t n,
                        int level,
                        std::uint64_t total,
                        const LagLadder& ladder,
                        LagSums& out) {
    const int n_lags = ladder.n_lags();
    for (; level < ladder.n_levels; ++level) {
        out.total[level] = total;
        edges(b, n, level, n_lags, out);
        const int x0 = core::first_blocks(level);
        for (int k = 0; k < core::lags_in_level(level, n_lags); ++k) {
            const int lag = core::first_lag(level) + k;
            const std::int64_t x = x0 + k;
            if (out.wide) {
                uint128 sum = 0;
                for (std::int64_t j = 0; j + x < n; ++j)
                    sum += uint128{b[j]} * b[j + x];
                out.G2[lag] = static_cast<std::uint64_t>(sum);
                out.G2_high[lag] = static_cast<std::uint64_t>(sum >> 64);
            } else {
                std::uint64_t sum = 0;
                for (std::int64_t j = 0; j + x < n; ++j)
                    sum += b[j] * b[j + x];
                out.G2[lag] = sum;
            }
        }
        if (n % 2 == 1) total -= b[n - 1];
        n /= 2;
        for (std::int64_t j = 0; j < n; ++j)
            b[j] = b[2 * j] + b[2 * j + 1];
    }
}

/// Levels `level` and up from an array of n blocks, `pad` zeros behind; `largest` bounds its
/// elements.
HWY_INLINE void short_levels(std::int16_t* b,
                             std::int64_t n,
                             int level,
                             std::int64_t largest,
                             std::uint64_t total,
                             const LagLadder& ladder,
                             RawVector<std::uint64_t>& wide_blocks,
                             LagSums& out) {
    const int n_lags = ladder.n_lags();
    const bool small = total <= short_total;  // then no sum of products reaches 2^30
    largest = std::max<std::int64_t>(largest, 1);
    for (; level < ladder.n_levels; ++level) {
        if (!small && largest > largest_short) {
            wide_blocks.resize(std::max(wide_blocks.size(), static_cast<std::size_t>(n)));
            std::copy(b, b + n, wide_blocks.begin());
            wide_levels(wide_blocks.data(), n, level, total, ladder, out);
            return;
        }
        const std::int64_t steps =
            small ? std::numeric_limits<std::int64_t>::max() / 256
                  : std::max<std::int64_t>(1, 2147483647 / (2 * largest * largest));
        out.total[level] = total;
        const int lag = core::first_lag(level);
        if (level == 0) {
            std::uint64_t sums[8];
            dots<8>(b, n, 1, steps, sums);
            std::copy(sums, sums + core::lags_in_level(0, n_lags), out.G2);
        } else {
            dots<4>(b, n, 5, steps, out.G2 + lag);
        }
        edges(b, n, level, n_lags, out);
        if (level + 1 == ladder.n_levels) return;
        if (n % 2 == 1) total -= static_cast<std::uint64_t>(b[n - 1]);
        if (!small && 2 * largest > largest_short) {
            // The next level may not fit: sum it in 64 bits.
            wide_blocks.resize(std::max(wide_blocks.size(), static_cast<std::size_t>(n)));
            n /= 2;
            for (std::int64_t j = 0; j < n; ++j) {
                wide_blocks[static_cast<std::size_t>(j)] =
                    static_cast<std::uint64_t>(b[2 * j]) + static_cast<std::uint64_t>(b[2 * j + 1]);
            }
            wide_levels(wide_blocks.data(), n, level + 1, total, ladder, out);
            return;
        }
        n = halve(b, n);
        largest *= 2;
    }
}

/// Sums of the levels below dense_level that come from the edges of the series.
inline void sparse_edges(const std::uint32_t* t,
                         const std::uint32_t* c,
                         std::size_t n,
                         std::uint64_t total,
                         int dense_level,
                         const LagLadder& ladder,
                         LagSums& out) {
    const int n_lags = ladder.n_lags();
    const int end_lag = std::min(n_lags, core::first_lag(dense_level));
    std::fill(out.head, out.head + end_lag, 0);
    std::fill(out.tail, out.tail + end_lag, 0);
    for (int level = 0; level < dense_level; ++level)
        out.total[level] = total;
    if (dense_level == 0) return;
    const int top = dense_level - 1;
    const auto add = [&](std::uint64_t* side, int level, std::uint64_t block, std::uint64_t count) {
        // The event lies within the first (last) x blocks for every x > block.
        const int x0 = core::first_blocks(level);
        for (int k = 0; k < core::lags_in_level(level, n_lags); ++k) {
            if (static_cast<std::uint64_t>(x0 + k) > block) {
                side[core::first_lag(level) + k] += count;
            }
        }
    };
    for (std::size_t i = 0; i < n && t[i] >> top < 8; ++i) {
        for (int level = top; level >= 0 && t[i] >> level < 8; --level) {
            if (t[i] >> level < ladder.n_blocks(level)) add(out.head, level, t[i] >> level, c[i]);
        }
    }
    const std::int64_t first = (ladder.n_blocks(top) - 8) << top;
    for (std::size_t i = n; i-- > 0 && t[i] >= first;) {
        for (int level = top; level >= 0; --level) {
            const std::int64_t end = ladder.n_blocks(level) << level;
            if (t[i] >= end) {
                out.total[level] -= c[i];
            } else if ((end - 1 - t[i]) >> level < 8) {
                add(out.tail, level, static_cast<std::uint64_t>((end - 1 - t[i]) >> level), c[i]);
            }
        }
    }
}

/// Moves the lags of the levels below dense_level from the pair slots to the ladder.
template <class Sum, class Out>
HWY_INLINE void take_slots(const Sum* slot_sums, int dense_level, int n_lags, Out* G2) {
    for (int level = 0; level < dense_level; ++level) {
        const int x0 = core::first_blocks(level);
        for (int k = 0; k < core::lags_in_level(level, n_lags); ++k) {
            G2[core::first_lag(level) + k] = slot_sums[(level + 1) * slots_per_level + x0 + k];
        }
    }
}

/// Number of events before the end of the last whole block of the level below dense_level.
inline std::size_t
whole_events(const std::uint32_t* t, std::size_t n, int dense_level, const LagLadder& ladder) {
    if (dense_level == 0) return n;
    const std::int64_t end = ladder.n_blocks(dense_level - 1) << (dense_level - 1);
    while (n > 0 && t[n - 1] >= end)
        --n;
    return n;
}

/// Correlates one pixel's events: frames t ascending in [0, T), counts c >= 1.
inline void correlate_events(const std::uint32_t* t,
                             const std::uint32_t* c,
                             std::size_t n,
                             std::uint64_t total,
                             const LagLadder& ladder,
                             double neighbours,
                             PixelScratch& scratch,
                             LagSums& out) {
    const int n_lags = ladder.n_lags();
    out.wide = total > narrow_total_limit;
    if (out.wide) std::fill(out.G2_high, out.G2_high + n_lags, 0);
    // A pair sum may pass 64 bits only in `wide` pixels: these go dense from level 0.
    int level = out.wide ? 0
                         : core::choose_dense_level(static_cast<std::int64_t>(n),
                                                    ladder.n_frames,
                                                    ladder.n_levels,
                                                    neighbours,
                                                    all_pairs_below);
    while (level > 0 && !pair_products<std::uint32_t>(t,
                                                      c,
                                                      n,
                                                      whole_events(t, n, level, ladder),
                                                      level,
                                                      ladder,
                                                      scratch.hit,
                                                      scratch.slot_sums)) {
        level = std::max(0, level - 2);
    }
    take_slots(scratch.slot_sums, level, n_lags, out.G2);
    sparse_edges(t, c, n, total, level, ladder, out);
    if (level >= ladder.n_levels) return;

    const std::int64_t n_blocks = ladder.n_blocks(level);
    std::uint64_t inside = total;
    for (std::size_t i = n; i-- > 0 && t[i] >> level >= n_blocks;)
        inside -= c[i];
    if (total <= short_total) {
        const auto size = static_cast<std::size_t>(n_blocks + pad);
        if (scratch.blocks.size() < size) scratch.blocks.resize(size);
        std::int16_t* b = scratch.blocks.data();
        std::fill(b, b + n_blocks + pad, std::int16_t{0});
        // Events behind the last whole block fall into the padding, which is cleared again.
        for (std::size_t i = 0; i < n; ++i) {
            b[t[i] >> level] = static_cast<std::int16_t>(b[t[i] >> level] + static_cast<int>(c[i]));
        }
        b[n_blocks] = 0;
        short_levels(b, n_blocks, level, 0, inside, ladder, scratch.wide_blocks, out);
        return;
    }
    const auto size = static_cast<std::size_t>(n_blocks + 1);
    if (scratch.wide_blocks.size() < size) scratch.wide_blocks.resize(size);
    std::uint64_t* b = scratch.wide_blocks.data();
    std::fill(b, b + size, 0);
    for (std::size_t i = 0; i < n; ++i)
        b[t[i] >> level] += c[i];
    const auto largest = static_cast<std::int64_t>(*std::max_element(b, b + n_blocks));
    if (largest > largest_short || out.wide) {
        wide_levels(b, n_blocks, level, inside, ladder, out);
        return;
    }
    scratch.blocks.resize(
        std::max(scratch.blocks.size(), static_cast<std::size_t>(n_blocks + pad)));
    for (std::int64_t j = 0; j < n_blocks; ++j)
        scratch.blocks[j] = static_cast<std::int16_t>(b[j]);
    std::fill_n(scratch.blocks.begin() + n_blocks, pad, std::int16_t{0});
    short_levels(
        scratch.blocks.data(), n_blocks, level, largest, inside, ladder, scratch.wide_blocks, out);
}

/// Correlates one pixel's samples row[0 .. T-1] of 8, 16 or 32 bits.
template <class Sample>
HWY_INLINE void correlate_row(const Sample* HWY_RESTRICT row,
                              std::uint64_t total,
                              const LagLadder& ladder,
                              PixelScratch& scratch,
                              LagSums& out) {
    const std::int64_t n = ladder.n_frames;
    out.wide = total > narrow_total_limit;
    if (out.wide) std::fill(out.G2_high, out.G2_high + ladder.n_lags(), 0);
    Sample largest = 0;
    for (std::int64_t i = 0; i < n; ++i)
        largest = std::max(largest, row[i]);
    if (std::uint64_t{largest} > std::uint64_t{largest_short} || out.wide) {
        scratch.wide_blocks.resize(
            std::max(scratch.wide_blocks.size(), static_cast<std::size_t>(n)));
        std::copy(row, row + n, scratch.wide_blocks.begin());
        wide_levels(scratch.wide_blocks.data(), n, 0, total, ladder, out);
        return;
    }
    const auto size = static_cast<std::size_t>(n + pad);
    if (scratch.blocks.size() < size) scratch.blocks.resize(size);
    std::int16_t* HWY_RESTRICT b = scratch.blocks.data();
    for (std::int64_t i = 0; i < n; ++i)
        b[i] = static_cast<std::int16_t>(row[i]);
    std::fill(b + n, b + n + pad, std::int16_t{0});
    short_levels(b, n, 0, largest, total, ladder, scratch.wide_blocks, out);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
