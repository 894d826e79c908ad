// SPDX-License-Identifier: BSD-3-Clause
// Pixels that count in many frames, a group of them at a time: each has a 32-bit lane of every
// vector. No sum goes across lanes, no load lies in two cache lines, and what is done once per
// level is done for all of them at once. Compiled once per instruction set.
//
// A group is an array of columns: column k holds the samples 2k (low half of the lane) and 2k + 1
// of every pixel. With E(k) the column and O(k) that of the samples 2k + 1 and 2k + 2,
//   G2(2j) = sum_k E(k) . E(k + j),   G2(2j + 1) = sum_k E(k) . O(k + j)
// where the dot is that of the two halves. Weighted values are doubles, a vector per frame.

#if defined(XPCS_MULTITAU_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_LANES_INL
#undef XPCS_MULTITAU_LANES_INL
#else
#define XPCS_MULTITAU_LANES_INL
#endif

#include "kernels/multitau_pixel-inl.hpp"
#include "kernels/multitau_weighted-inl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

static_assert(HWY_MAX_BYTES <= 4 * most_lanes, "a group fits the arrays of LaneSums");

/// Columns of zeros behind the last one.
constexpr std::int64_t column_pad = 8;

HWY_INLINE std::int64_t lanes_in_group() {
    return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<std::int32_t>()));
}

/// Halves of lanes in the columns of n frames.
HWY_INLINE std::size_t columns_size(std::int64_t n) {
    return static_cast<std::size_t>(((n + 1) / 2 + column_pad) * 2 * lanes_in_group());
}

/// 16 bytes from each of the pixels j, j + 4, j + 8, ...: a block of the vector for each.
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const std::byte* const* row, std::int64_t offset) {
    if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) == 16) {
        return hn::LoadU(d, reinterpret_cast<const hn::TFromD<D>*>(row[0] + offset));
    } else {
        const hn::Half<D> half;
        constexpr std::size_t blocks = hn::MaxLanes(d) * sizeof(hn::TFromD<D>) / 16;
        return hn::Combine(
            d, load_blocks(half, row + 2 * blocks, offset), load_blocks(half, row, offset));
    }
}

/// Clears what lies behind n frames.
HWY_INLINE void end_columns(std::int16_t* columns, std::int64_t n) {
    const hn::ScalableTag<std::int32_t> d;
    auto* column = reinterpret_cast<std::int32_t*>(columns);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    if (n % 2 == 1) {
        std::int32_t* last = column + n / 2 * lanes;
        hn::Store(hn::And(hn::Load(d, last), hn::Set(d, 0xFFFF)), d, last);
    }
    for (std::int64_t k = (n + 1) / 2; k < (n + 1) / 2 + column_pad; ++k)
        hn::Store(hn::Zero(d), d, column + k * lanes);
}

/// Columns of rows of n samples, none above `largest_short`; a row can be read to a multiple of 16
/// bytes.
template <class Sample>
HWY_INLINE void
columns_of_rows(const std::byte* const* row, std::int64_t n, std::int16_t* HWY_RESTRICT columns) {
    static_assert(sizeof(Sample) <= 2);
    const hn::ScalableTag<std::uint32_t> d;
    const hn::Repartition<std::uint64_t, decltype(d)> d64;
    const hn::Repartition<std::uint8_t, decltype(d)> d8;
    auto* out = reinterpret_cast<std::uint32_t*>(columns);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    HWY_ALIGN constexpr std::uint8_t low_bytes[16] = {
        0, 255, 1, 255, 4, 255, 5, 255, 8, 255, 9, 255, 12, 255, 13, 255};
    HWY_ALIGN constexpr std::uint8_t high_bytes[16] = {
        2, 255, 3, 255, 6, 255, 7, 255, 10, 255, 11, 255, 14, 255, 15, 255};
    const auto low = hn::LoadDup128(d8, low_bytes), high = hn::LoadDup128(d8, high_bytes);
    const auto put = [&](auto four_bytes) HWY_ATTR {
        if constexpr (sizeof(Sample) == 1) {
            const auto bytes = hn::BitCast(d8, four_bytes);
            hn::Store(hn::BitCast(d, hn::TableLookupBytesOr0(bytes, low)), d, out);
            hn::Store(hn::BitCast(d, hn::TableLookupBytesOr0(bytes, high)), d, out + lanes);
            out += 2 * lanes;
        } else {
            hn::Store(hn::BitCast(d, four_bytes), d, out);
            out += lanes;
        }
    };
    for (std::int64_t at = 0; at < n * static_cast<std::int64_t>(sizeof(Sample)); at += 16) {
        const auto a = load_blocks(d, row, at), b = load_blocks(d, row + 1, at);
        const auto c = load_blocks(d, row + 2, at), e = load_blocks(d, row + 3, at);
        const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
        const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
        const auto ce0 = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
        const auto ce1 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
        put(hn::InterleaveLower(d64, ab0, ce0));
        put(hn::InterleaveUpper(d64, ab0, ce0));
        put(hn::InterleaveLower(d64, ab1, ce1));
        put(hn::InterleaveUpper(d64, ab1, ce1));
    }
    end_columns(columns, n);
}

/// Columns of the counts of n frames, each `pitch` bytes behind the one before.
HWY_INLINE void columns_of_cells(const std::uint8_t* HWY_RESTRICT cell,
                                 std::int64_t pitch,
                                 std::int64_t n,
                                 std::int16_t* HWY_RESTRICT columns) {
    const hn::ScalableTag<std::int32_t> d;
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    auto* out = reinterpret_cast<std::int32_t*>(columns);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto frame = [&](std::int64_t t)
                           HWY_ATTR { return hn::PromoteTo(d, hn::LoadU(d8, cell + t * pitch)); };
    for (std::int64_t t = 0; t + 1 < n; t += 2)
        hn::Store(hn::Or(frame(t), hn::ShiftLeft<16>(frame(t + 1))), d, out + t / 2 * lanes);
    if (n % 2 == 1) hn::Store(frame(n - 1), d, out + n / 2 * lanes);
    end_columns(columns, n);
}

/// The sum of samples [first, end) of each pixel; it fits 31 bits.
HWY_INLINE void sum_columns(const std::int16_t* HWY_RESTRICT columns,
                            std::int64_t first,
                            std::int64_t end,
                            std::uint64_t* HWY_RESTRICT out) {
    const hn::ScalableTag<std::int32_t> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto* column = reinterpret_cast<const std::int32_t*>(columns);
    const auto low = hn::Set(d, 0xFFFF);
    auto even = hn::Zero(d), odd = even;
    const auto add = [&](std::int64_t k, bool with_even, bool with_odd) HWY_ATTR {
        const auto both = hn::Load(d, column + k * lanes);
        if (with_even) even = hn::Add(even, hn::And(both, low));
        if (with_odd) odd = hn::Add(odd, hn::ShiftRight<16>(both));
    };
    if (first >= end) {
        std::fill_n(out, lanes, 0);
        return;
    }
    if (first % 2 == 1) add(first / 2, false, true);
    for (std::int64_t k = (first + 1) / 2; k < end / 2; ++k)
        add(k, true, true);
    if (end % 2 == 1) add(end / 2, true, false);
    HWY_ALIGN std::int32_t sums[most_lanes];
    hn::Store(hn::Add(even, odd), d, sums);
    std::copy_n(sums, lanes, out);
}

/// out[i] of each lane: G2 of the N lags from x0 = 1 (N = 8) or 5 (N = 4) on. Lanes are emptied
/// into 64 bits every `steps` columns.
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
    for (int i = 0; i < N; ++i)
        std::fill_n(out[i], most_lanes, 0);
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
        if constexpr (N == 8) {
            empty(a0, 0);
            empty(a1, 1);
            empty(a2, 2);
            empty(a3, 3);
        }
        empty(a4, N - 4);
        empty(a5, N - 3);
        empty(a6, N - 2);
        empty(a7, N - 1);
    }
}

/// Sample t of every pixel.
template <class D32>
HWY_INLINE hn::Vec<D32> sample_at(D32 d, const std::int16_t* columns, std::int64_t t) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto column = hn::Load(d, reinterpret_cast<const std::int32_t*>(columns) + t / 2 * lanes);
    return t % 2 == 0 ? hn::And(column, hn::Set(d, 0xFFFF)) : hn::ShiftRight<16>(column);
}

/// head and tail of one level, as `edges` has them.
HWY_INLINE void
lane_edges(const std::int16_t* columns, std::int64_t n, int level, int n_lags, LaneSums& out) {
    const hn::ScalableTag<std::int32_t> d;
    const int x0 = core::first_blocks(level);
    const int n_x = core::lags_in_level(level, n_lags);
    auto head = hn::Zero(d), tail = head;
    for (int x = 1; x < x0 + n_x; ++x) {
        head = hn::Add(head, sample_at(d, columns, x - 1));
        tail = hn::Add(tail, sample_at(d, columns, n - x));
        if (x < x0) continue;
        hn::Store(head, d, out.head[core::first_lag(level) + x - x0]);
        hn::Store(tail, d, out.tail[core::first_lag(level) + x - x0]);
    }
}

/// In place: samples 2j and 2j + 1 become sample j, for j < n / 2. Returns n / 2.
HWY_INLINE std::int64_t halve_columns(std::int16_t* columns, std::int64_t n) {
    const hn::ScalableTag<std::int32_t> d;
    const hn::Repartition<std::int16_t, decltype(d)> d16;
    auto* column = reinterpret_cast<std::int32_t*>(columns);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto one = hn::Set(d16, 1);
    const auto sum = [&](std::int64_t k) HWY_ATTR {
        return add_products(d, hn::Load(d16, columns + 2 * k * lanes), one, hn::Zero(d));
    };
    const std::int64_t m = n / 2;
    for (std::int64_t j = 0; j < m / 2; ++j) {
        const auto pair = hn::Or(sum(2 * j), hn::ShiftLeft<16>(sum(2 * j + 1)));
        hn::Store(pair, d, column + j * lanes);
    }
    if (m % 2 == 1) hn::Store(sum(m - 1), d, column + m / 2 * lanes);
    for (std::int64_t k = (m + 1) / 2; k < (m + 1) / 2 + column_pad; ++k)
        hn::Store(hn::Zero(d), d, column + k * lanes);
    return m;
}

/// Levels from 0 up, as `short_levels` does them: those whose blocks fit 16 bits. `small`: no sum
/// over a pixel exceeds 16 bits, so that all levels do.
HWY_INLINE void lane_levels(std::int16_t* columns,
                            std::int64_t largest,
                            bool small,
                            const LagLadder& ladder,
                            LaneSums& out) {
    const hn::ScalableTag<std::int32_t> d;
    const int n_lags = ladder.n_lags();
    std::int64_t n = ladder.n_frames;
    largest = std::max<std::int64_t>(largest, 1);
    for (int level = 0;; ++level) {
        const std::int64_t steps =
            small ? std::numeric_limits<std::int64_t>::max()
                  : std::max<std::int64_t>(1, 2147483647 / (2 * largest * largest));
        HWY_ALIGN std::uint64_t sums[8][most_lanes];
        if (level == 0) {
            lane_dots<8>(columns, n, steps, sums);
        } else {
            lane_dots<4>(columns, n, steps, sums);
        }
        const int first = core::first_lag(level);
        for (int k = 0; k < core::lags_in_level(level, n_lags); ++k)
            std::copy_n(sums[k], most_lanes, out.G2[first + k]);
        lane_edges(columns, n, level, n_lags, out);
        if (n % 2 == 1) {
            hn::Store(sample_at(d, columns, n - 1), d, out.odd[level]);
        } else {
            hn::Store(hn::Zero(d), d, out.odd[level]);
        }
        out.end_level = level + 1;
        out.n_blocks = n;
        if (out.end_level == ladder.n_levels || (!small && 2 * largest > largest_short)) return;
        n = halve_columns(columns, n);
        largest *= 2;
    }
}

/// The sums of one pixel of a group. `columns` are as lane_levels left them.
inline void take_lane(const LaneSums& lanes,
                      const std::int16_t* columns,
                      std::int64_t lane,
                      std::uint64_t total,
                      const LagLadder& ladder,
                      RawVector<std::uint64_t>& wide_blocks,
                      LagSums& out) {
    out.wide = false;
    const int end_lag = std::min(ladder.n_lags(), core::first_lag(lanes.end_level));
    for (int i = 0; i < end_lag; ++i) {
        out.G2[i] = lanes.G2[i][lane];
        out.head[i] = static_cast<std::uint64_t>(lanes.head[i][lane]);
        out.tail[i] = static_cast<std::uint64_t>(lanes.tail[i][lane]);
    }
    for (int level = 0; level < lanes.end_level; ++level) {
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

// ------------------------------------------------------------------------- weighted frames

/// Frames as vectors of doubles, for the lower (part = 0) or the upper lanes of a group. Returns
/// their sum.
template <class D>
HWY_INLINE hn::Vec<D> weigh_columns(D d,
                                    const std::int16_t* HWY_RESTRICT columns,
                                    const double* HWY_RESTRICT weight,
                                    std::int64_t n,
                                    int part,
                                    double* HWY_RESTRICT out) {
    const hn::Rebind<std::int32_t, decltype(d)> d32;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto* column = reinterpret_cast<const std::int32_t*>(columns) + part * lanes;
    const auto low = hn::Set(d32, 0xFFFF);
    auto even_sum = hn::Zero(d), odd_sum = even_sum;
    const auto put = [&](auto count, std::int64_t t, auto& sum) HWY_ATTR {
        const auto value = hn::Mul(hn::PromoteTo(d, count), hn::Set(d, weight[t]));
        sum = hn::Add(sum, value);
        hn::Store(value, d, out + t * lanes);
    };
    for (std::int64_t t = 0; t + 1 < n; t += 2) {
        const auto both = hn::Load(d32, column + t * lanes);
        put(hn::And(both, low), t, even_sum);
        put(hn::ShiftRight<16>(both), t + 1, odd_sum);
    }
    if (n % 2 == 1) put(hn::Load(d32, column + (n - 1) * lanes), n - 1, even_sum);
    for (std::int64_t t = n; t <= n + column_pad; ++t)
        hn::Store(hn::Zero(d), d, out + t * lanes);
    return hn::Add(even_sum, odd_sum);
}

/// As dots_and_halve, each pixel by itself. Returns n / 2.
template <int N>
HWY_INLINE std::int64_t
real_dots_and_halve(double* b, std::int64_t n, double (*HWY_RESTRICT out)[most_lanes]) {
    constexpr int x0 = N == 8 ? 1 : 5;
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto block = [&](std::int64_t j) HWY_ATTR { return hn::Load(d, b + j * lanes); };
    const auto zero = hn::Zero(d);
    // Two sums of each lag: one alone would wait for itself.
    auto a0 = zero, a1 = zero, a2 = zero, a3 = zero, a4 = zero, a5 = zero, a6 = zero, a7 = zero;
    auto b0 = zero, b1 = zero, b2 = zero, b3 = zero;
    for (std::int64_t j = 0; j < n; j += 2) {
        const auto x = block(j), y = block(j + 1);  // 0 behind the end
        a0 = hn::MulAdd(x, block(j + x0), a0);
        a1 = hn::MulAdd(x, block(j + x0 + 1), a1);
        a2 = hn::MulAdd(x, block(j + x0 + 2), a2);
        a3 = hn::MulAdd(x, block(j + x0 + 3), a3);
        if constexpr (N == 8) {
            a4 = hn::MulAdd(x, block(j + x0 + 4), a4);
            a5 = hn::MulAdd(x, block(j + x0 + 5), a5);
            a6 = hn::MulAdd(x, block(j + x0 + 6), a6);
            a7 = hn::MulAdd(x, block(j + x0 + 7), a7);
            a0 = hn::MulAdd(y, block(j + x0 + 1), a0);
            a1 = hn::MulAdd(y, block(j + x0 + 2), a1);
            a2 = hn::MulAdd(y, block(j + x0 + 3), a2);
            a3 = hn::MulAdd(y, block(j + x0 + 4), a3);
            a4 = hn::MulAdd(y, block(j + x0 + 5), a4);
            a5 = hn::MulAdd(y, block(j + x0 + 6), a5);
            a6 = hn::MulAdd(y, block(j + x0 + 7), a6);
            a7 = hn::MulAdd(y, block(j + x0 + 8), a7);
        } else {
            b0 = hn::MulAdd(y, block(j + x0 + 1), b0);
            b1 = hn::MulAdd(y, block(j + x0 + 2), b1);
            b2 = hn::MulAdd(y, block(j + x0 + 3), b2);
            b3 = hn::MulAdd(y, block(j + x0 + 4), b3);
        }
        hn::Store(hn::Add(x, y), d, b + j / 2 * lanes);  // what is read later lies behind
    }
    hn::Store(hn::Add(a0, b0), d, out[0]);
    hn::Store(hn::Add(a1, b1), d, out[1]);
    hn::Store(hn::Add(a2, b2), d, out[2]);
    hn::Store(hn::Add(a3, b3), d, out[3]);
    if constexpr (N == 8) {
        hn::Store(a4, d, out[4]);
        hn::Store(a5, d, out[5]);
        hn::Store(a6, d, out[6]);
        hn::Store(a7, d, out[7]);
    }
    const std::int64_t m = n / 2;
    for (std::int64_t j = m; j <= m + column_pad; ++j)
        hn::Store(zero, d, b + j * lanes);
    return m;
}

/// The sum of blocks [first, end) of every pixel.
template <class D>
HWY_INLINE hn::Vec<D>
lane_sum(D d, const double* HWY_RESTRICT b, std::int64_t first, std::int64_t end) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    std::int64_t j = first;
    for (; j + 4 <= end; j += 4) {
        s0 = hn::Add(s0, hn::Load(d, b + j * lanes));
        s1 = hn::Add(s1, hn::Load(d, b + (j + 1) * lanes));
        s2 = hn::Add(s2, hn::Load(d, b + (j + 2) * lanes));
        s3 = hn::Add(s3, hn::Load(d, b + (j + 3) * lanes));
    }
    for (; j < end; ++j)
        s0 = hn::Add(s0, hn::Load(d, b + j * lanes));
    return hn::Add(hn::Add(s0, s1), hn::Add(s2, s3));
}

/// Weighted sums of half the lanes of a group, into out.*[lag][first_lane ...], from their frames
/// and the sum of these.
template <class D>
HWY_INLINE void real_lane_levels(D d,
                                 double* b,
                                 hn::Vec<D> whole,
                                 const LagLadder& ladder,
                                 std::int64_t first_lane,
                                 WeightedLaneSums& out) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const int n_lags = ladder.n_lags();
    std::int64_t n = ladder.n_frames;
    const auto least = hn::Mul(whole, hn::Set(d, small_part));
    auto inside = whole;
    for (int level = 0; level < ladder.n_levels; ++level) {
        const int x0 = core::first_blocks(level), first = core::first_lag(level);
        const int n_x = core::lags_in_level(level, n_lags);
        auto head = hn::Zero(d), tail = head;
        // See edge_windows: what is left of a pixel by subtraction would be rounded too much.
        const auto window = [&](auto outside, std::int64_t begin, std::int64_t end) HWY_ATTR {
            const auto rest = hn::Sub(inside, outside);
            const auto rounded = hn::Lt(rest, least);
            if (hn::AllFalse(d, rounded)) return rest;
            return hn::IfThenElse(rounded, lane_sum(d, b, begin, end), rest);
        };
        for (int x = 1; x < x0 + n_x; ++x) {
            head = hn::Add(head, hn::Load(d, b + (x - 1) * lanes));
            tail = hn::Add(tail, hn::Load(d, b + (n - x) * lanes));
            if (x < x0) continue;
            const int lag = first + x - x0;
            hn::StoreU(window(tail, 0, n - x), d, out.past[lag] + first_lane);
            hn::StoreU(window(head, x, n), d, out.future[lag] + first_lane);
        }
        if (n % 2 == 1) inside = hn::Sub(inside, hn::Load(d, b + (n - 1) * lanes));
        HWY_ALIGN double sums[8][most_lanes];
        n = level == 0 ? real_dots_and_halve<8>(b, n, sums) : real_dots_and_halve<4>(b, n, sums);
        for (int k = 0; k < n_x; ++k)
            std::copy_n(sums[k], lanes, out.G2[first + k] + first_lane);
    }
}

/// The same for weighted sums.
inline void
take_lane(const WeightedLaneSums& lanes, std::int64_t lane, int n_lags, WeightedLagSums& out) {
    for (int i = 0; i < n_lags; ++i) {
        out.G2[i] = lanes.G2[i][lane];
        out.past[i] = lanes.past[i][lane];
        out.future[i] = lanes.future[i][lane];
    }
}

/// Weighted sums of a group.
HWY_INLINE void correlate_columns_weighted(const std::int16_t* columns,
                                           const double* weight,
                                           const LagLadder& ladder,
                                           PixelScratch& scratch,
                                           WeightedLaneSums& out) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t n = ladder.n_frames;
    double* b = scratch.real_blocks.of(static_cast<std::size_t>((n + 2 + column_pad) * lanes));
    for (int part = 0; part < 2; ++part) {
        const auto whole = weigh_columns(d, columns, weight, n, part, b);
        real_lane_levels(d, b, whole, ladder, part * lanes, out);
    }
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
