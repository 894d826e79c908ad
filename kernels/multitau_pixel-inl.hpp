// SPDX-License-Identifier: BSD-3-Clause
// One pixel on the CPU, compiled once per instruction set (Highway). Steps:
//   1. choose the level from which the pixel counts as dense (multitau_core);
//   2. below it, find the pairs of events within reach (multitau_pairs-inl.hpp);
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
#include "kernels/multitau_pairs-inl.hpp"
#include "kernels/multitau_scratch.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

constexpr std::int64_t pad = 256;  // zeros behind an array: 8 blocks and a vector of any width
constexpr std::int64_t largest_short = 23170;  // 2 * x^2 fits 32 bits
constexpr std::uint64_t short_total = 32767;   // no sum over a pixel can exceed 16 bits
/// sum += products of 16-bit lanes, two in each 32-bit lane.
template <class D32, class V16, class V32>
HWY_INLINE V32 add_products(D32 d32, V16 x, V16 y, V32 sum) {
#if HWY_ARCH_X86
    V32 unused = hn::Zero(d32);
    return hn::ReorderWidenMulAccumulate(d32, x, y, sum, unused);
#else
    // Elsewhere even and odd products go to two sums.
    const auto wide_x = hn::BitCast(d32, x), wide_y = hn::BitCast(d32, y);
    const auto low = [](V32 v) HWY_ATTR { return hn::ShiftRight<16>(hn::ShiftLeft<16>(v)); };
    const auto odd = hn::Mul(hn::ShiftRight<16>(wide_x), hn::ShiftRight<16>(wide_y));
    return hn::Add(sum, hn::Add(hn::Mul(low(wide_x), low(wide_y)), odd));
#endif
}

/// Sum of lanes none of which is negative; `small`: it fits 31 bits.
template <class D32, class V32>
HWY_INLINE std::uint64_t sum_lanes(D32 d32, V32 sum, bool small) {
    if (small) return static_cast<std::uint32_t>(hn::GetLane(hn::SumOfLanes(d32, sum)));
    const hn::Repartition<std::uint64_t, D32> d64;
    const auto pairs = hn::BitCast(d64, sum);
    const auto low = hn::And(pairs, hn::Set(d64, 0xFFFFFFFFU));
    return hn::GetLane(hn::SumOfLanes(d64, hn::Add(low, hn::ShiftRight<32>(pairs))));
}

/// Dot products of an array with itself shifted by x0, ..., x0 + N - 1; `b` is zero behind its end.
/// 32-bit lanes are emptied into 64 bits every `steps` vectors; `small`: none of the dot products
/// reaches 2^31.
template <int N>
HWY_INLINE void dots(const std::int16_t* HWY_RESTRICT b,
                     std::int64_t n,
                     int x0,
                     std::int64_t steps,
                     bool small,
                     std::uint64_t* HWY_RESTRICT out) {
    const hn::ScalableTag<std::int16_t> d16;
    const hn::Repartition<std::int32_t, decltype(d16)> d32;
    using V32 = hn::Vec<decltype(d32)>;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d16));
    for (int k = 0; k < N; ++k)
        out[k] = 0;
    for (std::int64_t i = 0; i < n;) {
        const std::int64_t end = steps >= (n - i) / lanes + 1 ? n : i + steps * lanes;
        V32 a0 = hn::Zero(d32), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
        for (; i < end; i += lanes) {
            const auto x = hn::LoadU(d16, b + i);
            const std::int16_t* y = b + i + x0;
            a0 = add_products(d32, x, hn::LoadU(d16, y), a0);
            a1 = add_products(d32, x, hn::LoadU(d16, y + 1), a1);
            a2 = add_products(d32, x, hn::LoadU(d16, y + 2), a2);
            a3 = add_products(d32, x, hn::LoadU(d16, y + 3), a3);
            if constexpr (N == 8) {
                a4 = add_products(d32, x, hn::LoadU(d16, y + 4), a4);
                a5 = add_products(d32, x, hn::LoadU(d16, y + 5), a5);
                a6 = add_products(d32, x, hn::LoadU(d16, y + 6), a6);
                a7 = add_products(d32, x, hn::LoadU(d16, y + 7), a7);
            }
        }
        out[0] += sum_lanes(d32, a0, small);
        out[1] += sum_lanes(d32, a1, small);
        out[2] += sum_lanes(d32, a2, small);
        out[3] += sum_lanes(d32, a3, small);
        if constexpr (N == 8) {
            out[4] += sum_lanes(d32, a4, small);
            out[5] += sum_lanes(d32, a5, small);
            out[6] += sum_lanes(d32, a6, small);
            out[7] += sum_lanes(d32, a7, small);
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
            dots<8>(b, n, 1, steps, small, sums);
            std::copy(sums, sums + core::lags_in_level(0, n_lags), out.G2);
        } else {
            dots<4>(b, n, 5, steps, small, out.G2 + lag);
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
            if (static_cast<std::uint64_t>(x0) + static_cast<std::uint64_t>(k) > block) {
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

/// The levels below dense_level from pairs of events. False if there are far too many of them;
/// never for dense_level 0.
inline bool lower_levels(const std::uint32_t* t,
                         const std::uint32_t* c,
                         std::size_t n,
                         std::uint64_t total,
                         int dense_level,
                         const LagLadder& ladder,
                         PixelScratch& scratch,
                         LagSums& out) {
    if (dense_level > 0) {
        const std::size_t n_whole = whole_events(t, n, dense_level, ladder);
        if (!pair_products(t, c, n, n_whole, dense_level, ladder, scratch, scratch.slot_sums))
            return false;
        take_slots(scratch.slot_sums, dense_level, ladder.n_lags(), out.G2);
    }
    sparse_edges(t, c, n, total, dense_level, ladder, out);
    return true;
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
    while (!lower_levels(t, c, n, total, level, ladder, scratch, out))
        level = std::max(0, level - 2);
    if (level >= ladder.n_levels) return;

    const std::int64_t n_blocks = ladder.n_blocks(level);
    std::uint64_t inside = total;
    for (std::size_t i = n; i-- > 0 && t[i] >> level >= n_blocks;)
        inside -= c[i];
    if (total <= short_total) {
        std::int16_t* b = scratch.blocks.of(static_cast<std::size_t>(n_blocks + pad));
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
    std::int16_t* narrow = scratch.blocks.of(static_cast<std::size_t>(n_blocks + pad));
    for (std::int64_t j = 0; j < n_blocks; ++j)
        narrow[j] = static_cast<std::int16_t>(b[j]);
    std::fill_n(narrow + n_blocks, pad, std::int16_t{0});
    short_levels(narrow, n_blocks, level, largest, inside, ladder, scratch.wide_blocks, out);
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
    std::int16_t* HWY_RESTRICT b = scratch.blocks.of(static_cast<std::size_t>(n + pad));
    for (std::int64_t i = 0; i < n; ++i)
        b[i] = static_cast<std::int16_t>(row[i]);
    std::fill(b + n, b + n + pad, std::int16_t{0});
    short_levels(b, n, 0, largest, total, ladder, scratch.wide_blocks, out);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
