// SPDX-License-Identifier: BSD-3-Clause
// Pixels that count in many frames, a group of them at a time (multitau_columns-inl.hpp). No sum
// goes across lanes, no load lies in two cache lines, and what is done once per level is done for
// all of them at once. Compiled once per instruction set.
//
// With E(k) a column and O(k) that of the samples 2k + 1 and 2k + 2,
//   G2(2j) = sum_k E(k) . E(k + j),   G2(2j + 1) = sum_k E(k) . O(k + j)
// where the dot is that of the two halves.
//
// A group comes as `fill(first, n, columns)`, which makes the columns of n frames from `first` on,
// with column_pad columns of zeros behind. Level 0, half of the work, is done in pieces of
// piece_frames, which stay in the first cache; only the blocks of level 1 are kept.

#if defined(XPCS_MULTITAU_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_LANES_INL
#undef XPCS_MULTITAU_LANES_INL
#else
#define XPCS_MULTITAU_LANES_INL
#endif

#include "kernels/multitau_columns-inl.hpp"
#include "kernels/multitau_pixel-inl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

constexpr std::int64_t piece_frames = 256;  ///< a multiple of 4
constexpr std::int64_t ahead_frames = 16;   ///< behind a piece: what its lags reach

/// Calls use(sum, place) for the sums of the last N of eight lags.
template <int N, class Use, class V>
HWY_INLINE void for_lags(const Use& use, V a0, V a1, V a2, V a3, V a4, V a5, V a6, V a7) {
    if constexpr (N == 8) {
        use(a0, 0);
        use(a1, 1);
        use(a2, 2);
        use(a3, 3);
    }
    use(a4, N - 4);
    use(a5, N - 3);
    use(a6, N - 2);
    use(a7, N - 1);
}

/// Adds to out[i] of each lane: the products of the first n samples with those x0 + i later, i < N,
/// where x0 = 1 (N = 8) or 5 (N = 4). Lanes are emptied into 64 bits every `steps` columns.
template <int N>
HWY_INLINE void lane_dots(const std::int16_t* HWY_RESTRICT columns,
                          std::int64_t n,
                          std::int64_t steps,
                          std::uint64_t (*HWY_RESTRICT out)[most_lanes]) {
    const hn::ScalableTag<std::int16_t> d16;
    const hn::Repartition<std::int32_t, decltype(d16)> d32;
    const hn::Repartition<std::uint32_t, decltype(d16)> u32;
    const hn::Repartition<std::uint64_t, decltype(d16)> d64;
    const hn::Half<decltype(u32)> half;
    using V32 = hn::Vec<decltype(d32)>;
    const auto width = static_cast<std::int64_t>(hn::Lanes(d16));
    const auto lanes64 = static_cast<std::int64_t>(hn::Lanes(d64));
    const auto even = [&](std::int64_t k) HWY_ATTR { return hn::Load(d16, columns + k * width); };
    const auto odd = [&](std::int64_t k) HWY_ATTR {
        const auto first = hn::ShiftRight<16>(hn::BitCast(u32, even(k)));
        const auto second = hn::ShiftLeft<16>(hn::BitCast(u32, even(k + 1)));
        return hn::BitCast(d16, hn::Or(first, second));
    };
    const auto empty = [&](V32 sum, int i) HWY_ATTR {
        const auto value = hn::BitCast(u32, sum);
        const auto low = hn::PromoteTo(d64, hn::LowerHalf(half, value));
        const auto high = hn::PromoteTo(d64, hn::UpperHalf(half, value));
        hn::Store(hn::Add(low, hn::Load(d64, out[i])), d64, out[i]);
        hn::Store(hn::Add(high, hn::Load(d64, out[i] + lanes64)), d64, out[i] + lanes64);
    };
    const std::int64_t n_columns = (n + 1) / 2;
    for (std::int64_t k = 0; k < n_columns;) {
        const std::int64_t end = steps >= n_columns - k ? n_columns : k + steps;
        V32 a0 = hn::Zero(d32), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
        auto o0 = odd(k), o1 = odd(k + 1), o2 = odd(k + 2);
        for (; k < end; ++k) {
            const auto e = even(k);
            const auto o3 = odd(k + 3);
            if constexpr (N == 8) {
                a0 = add_products(d32, e, o0, a0);
                a1 = add_products(d32, e, even(k + 1), a1);
                a2 = add_products(d32, e, o1, a2);
                a3 = add_products(d32, e, even(k + 2), a3);
            }
            a4 = add_products(d32, e, o2, a4);
            a5 = add_products(d32, e, even(k + 3), a5);
            a6 = add_products(d32, e, o3, a6);
            a7 = add_products(d32, e, even(k + 4), a7);
            o0 = o1;
            o1 = o2;
            o2 = o3;
        }
        for_lags<N>(empty, a0, a1, a2, a3, a4, a5, a6, a7);
    }
}

/// head and tail of one level, as `edges` has them, from its first and its last samples.
HWY_INLINE void lane_edges(const std::int16_t* first_columns,
                           const std::int16_t* last_columns,
                           std::int64_t n_last,
                           int level,
                           int n_lags,
                           LaneSums& out) {
    const hn::ScalableTag<std::int32_t> d;
    const int x0 = core::first_blocks(level);
    const int n_x = core::lags_in_level(level, n_lags);
    auto head = hn::Zero(d), tail = head;
    for (int x = 1; x < x0 + n_x; ++x) {
        head = hn::Add(head, sample_at(d, first_columns, x - 1));
        tail = hn::Add(tail, sample_at(d, last_columns, n_last - x));
        if (x < x0) continue;
        hn::Store(head, d, out.head[core::first_lag(level) + x - x0]);
        hn::Store(tail, d, out.tail[core::first_lag(level) + x - x0]);
    }
}

/// Samples 2j and 2j + 1 become sample j, for j < n / 2; `out` may be `columns`. Returns n / 2.
HWY_INLINE std::int64_t
halve_columns(const std::int16_t* columns, std::int64_t n, std::int16_t* out) {
    const hn::ScalableTag<std::int32_t> d;
    const hn::Repartition<std::int16_t, decltype(d)> d16;
    auto* to = reinterpret_cast<std::int32_t*>(out);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto one = hn::Set(d16, 1);
    const auto sum = [&](std::int64_t k) HWY_ATTR {
        return add_products(d, hn::Load(d16, columns + 2 * k * lanes), one, hn::Zero(d));
    };
    const std::int64_t m = n / 2;
    for (std::int64_t j = 0; j < m / 2; ++j) {
        const auto pair = hn::Or(sum(2 * j), hn::ShiftLeft<16>(sum(2 * j + 1)));
        hn::Store(pair, d, to + j * lanes);
    }
    if (m % 2 == 1) hn::Store(sum(m - 1), d, to + m / 2 * lanes);
    for (std::int64_t k = (m + 1) / 2; k < (m + 1) / 2 + column_pad; ++k)
        hn::Store(hn::Zero(d), d, to + k * lanes);
    return m;
}

/// What a level leaves beside its products: `odd`, and where the levels stand.
HWY_INLINE void end_level(const std::int16_t* last_columns,
                          std::int64_t n_last,
                          int level,
                          std::int64_t n_blocks,
                          LaneSums& out) {
    const hn::ScalableTag<std::int32_t> d;
    const bool odd = n_blocks % 2 == 1;
    hn::Store(odd ? sample_at(d, last_columns, n_last - 1) : hn::Zero(d), d, out.odd[level]);
    out.end_level = level + 1;
    out.n_blocks = n_blocks;
}

/// Columns after which sums of products of samples up to `largest` must leave their 32 bits.
inline std::int64_t steps_of(std::int64_t largest, bool small) {
    if (small) return std::numeric_limits<std::int64_t>::max();
    return std::max<std::int64_t>(1, 2147483647 / (2 * largest * largest));
}

inline void
take_sums(const std::uint64_t (*sums)[most_lanes], int level, int n_lags, LaneSums& out) {
    for (int k = 0; k < core::lags_in_level(level, n_lags); ++k)
        std::copy_n(sums[k], most_lanes, out.G2[core::first_lag(level) + k]);
}

/// Levels from `level` up, whose n blocks are in `columns`, as `short_levels` does them: those
/// whose blocks fit 16 bits. `small`: no sum over a pixel exceeds 16 bits, so that all levels do.
HWY_INLINE void upper_lane_levels(std::int16_t* columns,
                                  std::int64_t n,
                                  int level,
                                  std::int64_t largest,
                                  bool small,
                                  const LagLadder& ladder,
                                  LaneSums& out) {
    for (;; ++level, largest *= 2) {
        HWY_ALIGN std::uint64_t sums[8][most_lanes];
        for (int i = 0; i < (level == 0 ? 8 : 4); ++i)
            std::fill_n(sums[i], lanes_in_group(), 0);
        if (level == 0) {
            lane_dots<8>(columns, n, steps_of(largest, small), sums);
        } else {
            lane_dots<4>(columns, n, steps_of(largest, small), sums);
        }
        take_sums(sums, level, ladder.n_lags(), out);
        lane_edges(columns, columns, n, level, ladder.n_lags(), out);
        end_level(columns, n, level, n, out);
        if (out.end_level == ladder.n_levels || (!small && 2 * largest > largest_short)) return;
        n = halve_columns(columns, n, columns);
    }
}

/// All levels of a group; `columns` has room for those of its frames and keeps the last level.
template <class Fill>
HWY_INLINE void lane_levels(const Fill& fill,
                            std::int64_t largest,
                            bool small,
                            const LagLadder& ladder,
                            std::int16_t* columns,
                            LaneSums& out) {
    const std::int64_t n = ladder.n_frames;
    const int n_lags = ladder.n_lags();
    largest = std::max<std::int64_t>(largest, 1);
    if (n <= piece_frames || (!small && 2 * largest > largest_short)) {
        fill(0, n, columns);
        upper_lane_levels(columns, n, 0, largest, small, ladder, out);
        return;
    }
    HWY_ALIGN std::int16_t
        piece[((piece_frames + ahead_frames) / 2 + 2 * column_pad) * 2 * most_lanes];
    HWY_ALIGN std::uint64_t sums[8][most_lanes] = {};
    for (std::int64_t first = 0; first < n; first += piece_frames) {
        fill(first, std::min(piece_frames + ahead_frames, n - first), piece);
        const std::int64_t n_piece = std::min(piece_frames, n - first);
        lane_dots<8>(piece, n_piece, steps_of(largest, small), sums);
        halve_columns(piece, n_piece, columns + first / 2 * lanes_in_group());
    }
    take_sums(sums, 0, n_lags, out);
    const std::int64_t n_edge = 8;
    HWY_ALIGN std::int16_t last[(n_edge + 2 * column_pad) * 2 * most_lanes];
    fill(0, n_edge, piece);
    fill(n - n_edge, n_edge, last);
    lane_edges(piece, last, n_edge, 0, n_lags, out);
    end_level(last, n_edge, 0, n, out);
    if (out.end_level == ladder.n_levels) return;
    upper_lane_levels(columns, n / 2, 1, 2 * largest, small, ladder, out);
}

/// The sums of the levels from `first_level` on of one pixel of a group, which has `total` photons
/// in the blocks of that level. `columns` are as lane_levels left them.
inline void take_lane(const LaneSums& lanes,
                      const std::int16_t* columns,
                      std::int64_t lane,
                      int first_level,
                      std::uint64_t total,
                      const LagLadder& ladder,
                      RawVector<std::uint64_t>& wide_blocks,
                      LagSums& out) {
    out.wide = false;
    const int end_lag = std::min(ladder.n_lags(), core::first_lag(lanes.end_level));
    for (int i = core::first_lag(first_level); i < end_lag; ++i) {
        out.G2[i] = lanes.G2[i][lane];
        out.head[i] = static_cast<std::uint64_t>(lanes.head[i][lane]);
        out.tail[i] = static_cast<std::uint64_t>(lanes.tail[i][lane]);
    }
    for (int level = first_level; level < lanes.end_level; ++level) {
        out.total[level] = total;
        total -= static_cast<std::uint64_t>(lanes.odd[level][lane]);
    }
    if (lanes.end_level == ladder.n_levels) return;
    const std::int64_t n = lanes.n_blocks / 2;
    wide_blocks.resize(std::max(wide_blocks.size(), static_cast<std::size_t>(n)));
    for (std::int64_t j = 0; j < n; ++j) {
        const std::int16_t* pair = columns + 2 * (j * lanes_in_group() + lane);
        wide_blocks[static_cast<std::size_t>(j)] =
            static_cast<std::uint64_t>(pair[0]) + static_cast<std::uint64_t>(pair[1]);
    }
    wide_levels(wide_blocks.data(), n, lanes.end_level, total, ladder, out);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
