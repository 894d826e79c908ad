// SPDX-License-Identifier: BSD-3-Clause
// Groups of pixels (multitau_lanes-inl.hpp) whose frames carry weights: doubles, a vector per frame
// and half of the lanes. Each pixel is added up by itself, in the order of time. Compiled once per
// instruction set.

#if defined(XPCS_MULTITAU_REAL_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_REAL_LANES_INL
#undef XPCS_MULTITAU_REAL_LANES_INL
#else
#define XPCS_MULTITAU_REAL_LANES_INL
#endif

#include "kernels/multitau_lanes-inl.hpp"
#include "kernels/multitau_weighted-inl.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

constexpr std::int64_t block_pad = 9;  ///< blocks of zeros behind the last one

template <class D>
HWY_INLINE void end_blocks(D d, double* b, std::int64_t n) {
    for (std::int64_t j = n; j < n + block_pad; ++j)
        hn::Store(hn::Zero(d), d, b + j * static_cast<std::int64_t>(hn::Lanes(d)));
}

/// Frames [first, end) of columns times their weights, for the lower (part = 0) or the upper lanes
/// of a group; `first` is even. Returns their sum.
template <class D>
HWY_INLINE hn::Vec<D> weigh_columns(D d,
                                    const std::int16_t* HWY_RESTRICT columns,
                                    const double* HWY_RESTRICT weight,
                                    std::int64_t first,
                                    std::int64_t end,
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
    for (std::int64_t t = first; t + 1 < end; t += 2) {
        const auto both = hn::Load(d32, column + t * lanes);
        put(hn::And(both, low), t, even_sum);
        put(hn::ShiftRight<16>(both), t + 1, odd_sum);
    }
    if ((end - first) % 2 == 1) put(hn::Load(d32, column + (end - 1) * lanes), end - 1, even_sum);
    return hn::Add(even_sum, odd_sum);
}

/// Adds to out[i] of each pixel: the products of the first n blocks with those x0 + i later, i < N,
/// where x0 = 1 (N = 8) or 5 (N = 4). Blocks 2j and 2j + 1 become block j of `halves`, which may be
/// `b`, for j < n / 2.
template <int N, class D>
HWY_INLINE void real_dots_and_halve(
    D d, const double* b, std::int64_t n, double* halves, double (*HWY_RESTRICT out)[most_lanes]) {
    constexpr int x0 = N == 8 ? 1 : 5;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto block = [&](std::int64_t j) HWY_ATTR { return hn::Load(d, b + j * lanes); };
    const auto zero = hn::Zero(d);
    // Two sums of each lag: one alone would wait for itself.
    auto a0 = hn::Load(d, out[0]), a1 = hn::Load(d, out[1]);
    auto a2 = hn::Load(d, out[2]), a3 = hn::Load(d, out[3]);
    auto a4 = hn::Load(d, out[N - 4]), a5 = hn::Load(d, out[N - 3]);
    auto a6 = hn::Load(d, out[N - 2]), a7 = hn::Load(d, out[N - 1]);
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
        hn::Store(hn::Add(x, y), d, halves + j / 2 * lanes);  // what is read later lies behind
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
    end_blocks(d, halves, n / 2);
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

/// past and future of one level from its first and last blocks; `inside` is the sum of its blocks.
/// See edge_windows: what is left of a pixel by subtraction would be rounded too much, `direct`
/// adds up blocks [begin, end).
template <class D, class Direct>
HWY_INLINE void real_windows(D d,
                             const double* first_blocks,
                             const double* end_of_blocks,
                             std::int64_t n,
                             int level,
                             int n_lags,
                             hn::Vec<D> inside,
                             hn::Vec<D> least,
                             const Direct& direct,
                             std::int64_t first_lane,
                             WeightedLaneSums& out) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const int x0 = core::first_blocks(level);
    const int n_x = core::lags_in_level(level, n_lags);
    const auto window = [&](auto outside, std::int64_t begin, std::int64_t end) HWY_ATTR {
        const auto rest = hn::Sub(inside, outside);
        const auto rounded = hn::Lt(rest, least);
        if (hn::AllFalse(d, rounded)) return rest;
        return hn::IfThenElse(rounded, direct(begin, end), rest);
    };
    auto head = hn::Zero(d), tail = head;
    for (int x = 1; x < x0 + n_x; ++x) {
        head = hn::Add(head, hn::Load(d, first_blocks + (x - 1) * lanes));
        tail = hn::Add(tail, hn::Load(d, end_of_blocks - x * lanes));
        if (x < x0) continue;
        const int lag = core::first_lag(level) + x - x0;
        hn::StoreU(window(tail, 0, n - x), d, out.past[lag] + first_lane);
        hn::StoreU(window(head, x, n), d, out.future[lag] + first_lane);
    }
}

HWY_INLINE void take_real_sums(const double (*sums)[most_lanes],
                               int level,
                               int n_lags,
                               std::int64_t n_lanes,
                               std::int64_t first_lane,
                               WeightedLaneSums& out) {
    for (int k = 0; k < core::lags_in_level(level, n_lags); ++k)
        std::copy_n(sums[k], n_lanes, out.G2[core::first_lag(level) + k] + first_lane);
}

/// Levels from `level` up of half the lanes, from the n blocks of that level and their sum.
template <class D>
HWY_INLINE void upper_real_levels(D d,
                                  double* b,
                                  std::int64_t n,
                                  int level,
                                  hn::Vec<D> inside,
                                  hn::Vec<D> least,
                                  const LagLadder& ladder,
                                  std::int64_t first_lane,
                                  WeightedLaneSums& out) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    for (; level < ladder.n_levels; ++level) {
        const auto direct = [&](std::int64_t begin, std::int64_t end)
                                HWY_ATTR { return lane_sum(d, b, begin, end); };
        real_windows(
            d, b, b + n * lanes, n, level, ladder.n_lags(), inside, least, direct, first_lane, out);
        if (n % 2 == 1) inside = hn::Sub(inside, hn::Load(d, b + (n - 1) * lanes));
        HWY_ALIGN double sums[8][most_lanes] = {};
        if (level == 0) {
            real_dots_and_halve<8>(d, b, n, b, sums);
        } else {
            real_dots_and_halve<4>(d, b, n, b, sums);
        }
        take_real_sums(sums, level, ladder.n_lags(), lanes, first_lane, out);
        n /= 2;
    }
}

/// All levels of a group. `b` has room for n_frames + 4 * block_pad vectors.
template <class Fill>
HWY_INLINE void weighted_lane_levels(const Fill& fill,
                                     const double* weight,
                                     const LagLadder& ladder,
                                     double* b,
                                     WeightedLaneSums& out) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t n = ladder.n_frames;
    constexpr std::int64_t reach = piece_frames + ahead_frames;
    HWY_ALIGN std::int16_t columns[(reach / 2 + 2 * column_pad) * 2 * most_lanes];
    HWY_ALIGN double values[(reach + block_pad) * most_lanes / 2];
    double* halves[2] = {b, b + (n / 2 + 2 * block_pad) * lanes};
    HWY_ALIGN double sums[2][8][most_lanes] = {};
    auto low_sum = hn::Zero(d), high_sum = low_sum;
    for (std::int64_t first = 0; first < n; first += piece_frames) {
        const std::int64_t n_piece = std::min(piece_frames, n - first);
        const std::int64_t n_reach = std::min(reach, n - first);
        fill(first, n_reach, columns);
        for (int part = 0; part < 2; ++part) {
            const double* w = weight + first;
            const auto sum = weigh_columns(d, columns, w, 0, n_piece, part, values);
            if (n_reach > n_piece) weigh_columns(d, columns, w, n_piece, n_reach, part, values);
            end_blocks(d, values, n_reach);
            (part == 0 ? low_sum : high_sum) = hn::Add(part == 0 ? low_sum : high_sum, sum);
            real_dots_and_halve<8>(
                d, values, n_piece, halves[part] + first / 2 * lanes, sums[part]);
        }
    }
    const std::int64_t n_edge = std::min<std::int64_t>(n, 8);
    HWY_ALIGN double last[8 * most_lanes / 2];
    for (int part = 0; part < 2; ++part) {
        const auto whole = part == 0 ? low_sum : high_sum;
        const auto least = hn::Mul(whole, hn::Set(d, small_part));
        const std::int64_t first_lane = part * lanes;
        fill(n - n_edge, n_edge, columns);
        weigh_columns(d, columns, weight + n - n_edge, 0, n_edge, part, last);
        fill(0, n_edge, columns);
        weigh_columns(d, columns, weight, 0, n_edge, part, values);
        const auto direct = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
            HWY_ALIGN std::int16_t some[(piece_frames / 2 + 2 * column_pad) * 2 * most_lanes];
            HWY_ALIGN double unused[piece_frames * most_lanes / 2];
            auto sum = hn::Zero(d);
            for (std::int64_t at = begin; at < end; at += piece_frames) {
                const std::int64_t n_some = std::min(piece_frames, end - at);
                fill(at, n_some, some);
                sum = hn::Add(sum, weigh_columns(d, some, weight + at, 0, n_some, part, unused));
            }
            return sum;
        };
        real_windows(d,
                     values,
                     last + n_edge * lanes,
                     n,
                     0,
                     ladder.n_lags(),
                     whole,
                     least,
                     direct,
                     first_lane,
                     out);
        take_real_sums(sums[part], 0, ladder.n_lags(), lanes, first_lane, out);
        auto inside = whole;
        if (n % 2 == 1) inside = hn::Sub(inside, hn::Load(d, last + (n_edge - 1) * lanes));
        upper_real_levels(d, halves[part], n / 2, 1, inside, least, ladder, first_lane, out);
    }
}

/// The same for weighted sums.
inline void take_lane(const WeightedLaneSums& lanes,
                      std::int64_t lane,
                      int first_level,
                      int n_lags,
                      WeightedLagSums& out) {
    for (int i = core::first_lag(first_level); i < n_lags; ++i) {
        out.G2[i] = lanes.G2[i][lane];
        out.past[i] = lanes.past[i][lane];
        out.future[i] = lanes.future[i][lane];
    }
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
