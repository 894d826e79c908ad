// SPDX-License-Identifier: BSD-3-Clause
// One pixel whose frames carry weights, on the CPU; the same steps as multitau_pixel-inl.hpp in
// double precision. Included by each instruction set.

#if defined(XPCS_MULTITAU_WEIGHTED_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_WEIGHTED_INL
#undef XPCS_MULTITAU_WEIGHTED_INL
#else
#define XPCS_MULTITAU_WEIGHTED_INL
#endif

#include "kernels/multitau_pixel-inl.hpp"

#include <cstdint>
#include <vector>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

/// Frames left out, per level: [level][block] number of frames that take part, or empty if all do.
using FramesTaken = std::vector<std::vector<std::uint32_t>>;

/// A window that holds less than this part of a pixel is added up by itself: what is left when the
/// rest is subtracted from the whole would be rounded too much, and never exactly 0.
constexpr double small_part = 1.0 / 1024;

/// out[k] = sum_j b[j] b[j + x0 + k] for k < N, where `b` is zero behind its end. Then, in place,
/// b[j] = b[2j] + b[2j+1] for j < n / 2, zeros behind. Returns n / 2.
template <int N>
HWY_INLINE std::int64_t
dots_and_halve(double* b, std::int64_t n, int x0, double* HWY_RESTRICT out) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0;
    const auto add = [&](auto x, const double* y) HWY_ATTR {
        a0 = hn::MulAdd(x, hn::LoadU(d, y), a0);
        a1 = hn::MulAdd(x, hn::LoadU(d, y + 1), a1);
        a2 = hn::MulAdd(x, hn::LoadU(d, y + 2), a2);
        a3 = hn::MulAdd(x, hn::LoadU(d, y + 3), a3);
        if constexpr (N == 8) {
            a4 = hn::MulAdd(x, hn::LoadU(d, y + 4), a4);
            a5 = hn::MulAdd(x, hn::LoadU(d, y + 5), a5);
            a6 = hn::MulAdd(x, hn::LoadU(d, y + 6), a6);
            a7 = hn::MulAdd(x, hn::LoadU(d, y + 7), a7);
        }
    };
    for (std::int64_t i = 0; i < n; i += 2 * lanes) {
        const auto low = hn::LoadU(d, b + i), high = hn::LoadU(d, b + i + lanes);
        add(low, b + i + x0);
        add(high, b + i + lanes + x0);
        const auto sum = hn::Add(hn::ConcatEven(d, high, low), hn::ConcatOdd(d, high, low));
        hn::StoreU(sum, d, b + i / 2);  // what is read later lies behind
    }
    const auto total = [&](auto sum) HWY_ATTR { return hn::GetLane(hn::SumOfLanes(d, sum)); };
    out[0] = total(a0);
    out[1] = total(a1);
    out[2] = total(a2);
    out[3] = total(a3);
    if constexpr (N == 8) {
        out[4] = total(a4);
        out[5] = total(a5);
        out[6] = total(a6);
        out[7] = total(a7);
    }
    const std::int64_t m = n / 2;
    std::fill(b + m, b + m + std::min<std::int64_t>(m + 1, pad), 0.0);
    return m;
}

/// past and future of the lag of x blocks where frames are left out, from the blocks of its level:
/// a block counts with the frames of its partner block that take part.
HWY_INLINE void gapped_sums(const double* HWY_RESTRICT b,
                            const std::uint32_t* HWY_RESTRICT taken,
                            std::int64_t n,
                            std::int64_t x,
                            double& past,
                            double& future) {
    const hn::ScalableTag<double> d;
    const hn::Rebind<std::int32_t, decltype(d)> d32;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto frames = [&](std::int64_t j) HWY_ATTR {
        return hn::PromoteTo(d, hn::LoadU(d32, reinterpret_cast<const std::int32_t*>(taken) + j));
    };
    auto p = hn::Zero(d), f = hn::Zero(d);
    std::int64_t j = 0;
    for (; j + x + lanes <= n; j += lanes) {
        p = hn::MulAdd(hn::LoadU(d, b + j), frames(j + x), p);
        f = hn::MulAdd(hn::LoadU(d, b + j + x), frames(j), f);
    }
    past = hn::GetLane(hn::SumOfLanes(d, p));
    future = hn::GetLane(hn::SumOfLanes(d, f));
    for (; j + x < n; ++j) {
        past += b[j] * taken[j + x];
        future += b[j + x] * taken[j];
    }
}

HWY_INLINE double sum_blocks(const double* HWY_RESTRICT b, std::int64_t n) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto s0 = hn::Zero(d), s1 = s0;
    std::int64_t j = 0;
    for (; j + 2 * lanes <= n; j += 2 * lanes) {
        s0 = hn::Add(s0, hn::LoadU(d, b + j));
        s1 = hn::Add(s1, hn::LoadU(d, b + j + lanes));
    }
    double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(s0, s1)));
    for (; j < n; ++j)
        sum += b[j];
    return sum;
}

/// past and future of the lags of one level from its n blocks, whose sum is `inside`; `whole` is
/// that of the pixel.
HWY_INLINE void edge_windows(const double* b,
                             std::int64_t n,
                             int level,
                             int n_lags,
                             double inside,
                             double whole,
                             WeightedLagSums& out) {
    const int first = core::first_lag(level), x0 = core::first_blocks(level);
    const int n_x = core::lags_in_level(level, n_lags);
    double head = 0, tail = 0;
    for (int x = 1; x < x0 + n_x; ++x) {
        head += b[x - 1];
        tail += b[n - x];
        if (x < x0) continue;
        double past = inside - tail, future = inside - head;
        if (past < small_part * whole) past = sum_blocks(b, n - x);
        if (future < small_part * whole) future = sum_blocks(b + x, n - x);
        out.past[first + x - x0] = past;
        out.future[first + x - x0] = future;
    }
}

/// The same where frames are left out.
HWY_INLINE void gapped_edges(const double* b,
                             std::int64_t n,
                             int level,
                             int n_lags,
                             const FramesTaken& taken,
                             WeightedLagSums& out) {
    const int first = core::first_lag(level), x0 = core::first_blocks(level);
    const double share = 1.0 / static_cast<double>(std::int64_t{1} << level);
    for (int k = 0; k < core::lags_in_level(level, n_lags); ++k) {
        double past = 0, future = 0;
        gapped_sums(b, taken[static_cast<std::size_t>(level)].data(), n, x0 + k, past, future);
        out.past[first + k] = past * share;
        out.future[first + k] = future * share;
    }
}

/// Levels `level` and up from an array of n blocks with `pad` zeros behind; `whole` is the sum of
/// the pixel.
HWY_INLINE void real_levels(double* b,
                            std::int64_t n,
                            int level,
                            double whole,
                            const LagLadder& ladder,
                            const FramesTaken& taken,
                            WeightedLagSums& out) {
    const int n_lags = ladder.n_lags();
    double inside = sum_blocks(b, n);
    for (; level < ladder.n_levels; ++level) {
        if (taken.empty()) {
            edge_windows(b, n, level, n_lags, inside, whole, out);
        } else {
            gapped_edges(b, n, level, n_lags, taken, out);
        }
        if (n % 2 == 1) inside -= b[n - 1];
        double sums[8];
        n = level == 0 ? dots_and_halve<8>(b, n, 1, sums) : dots_and_halve<4>(b, n, 5, sums);
        std::copy(sums, sums + core::lags_in_level(level, n_lags), out.G2 + core::first_lag(level));
    }
}

HWY_INLINE double sum_events(const double* HWY_RESTRICT v, std::size_t first, std::size_t end) {
    return first < end ? sum_blocks(v + first, static_cast<std::int64_t>(end - first)) : 0.0;
}

/// past and future of the lags before `end_lag`: the whole without what lies outside of the window,
/// of which both ends only move one way.
inline void weighted_windows(const std::uint32_t* t,
                             const double* v,
                             std::size_t n,
                             double whole,
                             const LagLadder& ladder,
                             int end_lag,
                             WeightedLagSums& out) {
    std::size_t past_end = n, first = 0, end = n;
    double tail = 0, head = 0, beyond = 0;
    for (int i = 0; i < end_lag; ++i) {
        const Lag& lag = ladder.lags[static_cast<std::size_t>(i)];
        const std::int64_t n_blocks = ladder.n_blocks(lag.level);
        const std::int64_t window = (n_blocks - lag.blocks) << lag.level;
        const std::int64_t inside = n_blocks << lag.level;
        while (past_end > 0 && t[past_end - 1] >= window)
            tail += v[--past_end];
        while (end > 0 && t[end - 1] >= inside)
            beyond += v[--end];
        while (first < n && t[first] < lag.frames)
            head += v[first++];
        double past = whole - tail, future = whole - head - beyond;
        if (past < small_part * whole) past = sum_events(v, 0, past_end);
        if (future < small_part * whole) future = sum_events(v, first, end);
        out.past[i] = past;
        out.future[i] = future;
    }
}

/// The same for the lags before `end_lag` where frames are left out: an event counts with the share
/// of frames of its partner block that take part.
inline void gapped_windows(const std::uint32_t* t,
                           const double* v,
                           std::size_t n,
                           const LagLadder& ladder,
                           const FramesTaken& taken,
                           int end_lag,
                           WeightedLagSums& out) {
    for (int i = 0; i < end_lag; ++i) {
        const Lag& lag = ladder.lags[static_cast<std::size_t>(i)];
        const std::vector<std::uint32_t>& frames = taken[static_cast<std::size_t>(lag.level)];
        const std::int64_t n_blocks = ladder.n_blocks(lag.level);
        const double share = 1.0 / static_cast<double>(std::int64_t{1} << lag.level);
        double past = 0, future = 0;
        for (std::size_t e = 0; e < n; ++e) {
            const std::int64_t block = t[e] >> lag.level;
            if (block >= n_blocks) break;
            if (block + lag.blocks < n_blocks) past += v[e] * frames[block + lag.blocks];
            if (block >= lag.blocks) future += v[e] * frames[block - lag.blocks];
        }
        out.past[i] = past * share;
        out.future[i] = future * share;
    }
}

/// The levels below dense_level, as lower_levels has them; `whole` is the sum of the values.
inline bool lower_levels_weighted(const std::uint32_t* t,
                                  const double* v,
                                  std::size_t n,
                                  double whole,
                                  int dense_level,
                                  const LagLadder& ladder,
                                  const FramesTaken& taken,
                                  PixelScratch& scratch,
                                  WeightedLagSums& out) {
    if (dense_level == 0) return true;
    const std::size_t n_whole = whole_events(t, n, dense_level, ladder);
    if (!pair_products<double>(
            t, v, n, n_whole, dense_level, ladder, scratch, scratch.slot_sums_real)) {
        return false;
    }
    take_slots(scratch.slot_sums_real, dense_level, ladder.n_lags(), out.G2);
    const int end_lag = std::min(ladder.n_lags(), core::first_lag(dense_level));
    if (taken.empty()) {
        weighted_windows(t, v, n, whole, ladder, end_lag, out);
    } else {
        gapped_windows(t, v, n, ladder, taken, end_lag, out);
    }
    return true;
}

/// Correlates one pixel's weighted events: frames t ascending in [0, T), values v > 0.
inline void correlate_events_weighted(const std::uint32_t* t,
                                      const double* v,
                                      std::size_t n,
                                      const LagLadder& ladder,
                                      double neighbours,
                                      const FramesTaken& taken,
                                      PixelScratch& scratch,
                                      WeightedLagSums& out) {
    int level = core::choose_dense_level(static_cast<std::int64_t>(n),
                                         ladder.n_frames,
                                         ladder.n_levels,
                                         neighbours,
                                         all_pairs_below);
    const double whole = sum_blocks(v, static_cast<std::int64_t>(n));
    while (!lower_levels_weighted(t, v, n, whole, level, ladder, taken, scratch, out))
        level = std::max(0, level - 2);
    if (level >= ladder.n_levels) return;

    const std::int64_t n_blocks = ladder.n_blocks(level);
    const auto size = static_cast<std::size_t>(n_blocks + pad);
    double* b = scratch.real_blocks.of(size);
    std::fill(b, b + size, 0.0);
    for (std::size_t i = 0; i < n; ++i)
        b[t[i] >> level] += v[i];
    b[n_blocks] = 0;
    real_levels(b, n_blocks, level, whole, ladder, taken, out);
}

/// Correlates one pixel's samples row[0 .. T-1] of 8, 16 or 32 bits times weight[0 .. T-1].
template <class Sample>
HWY_INLINE void correlate_row_weighted(const Sample* HWY_RESTRICT row,
                                       const double* HWY_RESTRICT weight,
                                       const LagLadder& ladder,
                                       const FramesTaken& taken,
                                       PixelScratch& scratch,
                                       WeightedLagSums& out) {
    const std::int64_t n = ladder.n_frames;
    double* HWY_RESTRICT b = scratch.real_blocks.of(static_cast<std::size_t>(n + pad));
    for (std::int64_t t = 0; t < n; ++t)
        b[t] = row[t] * weight[t];
    std::fill(b + n, b + n + pad, 0.0);
    real_levels(b, n, 0, sum_blocks(b, n), ladder, taken, out);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
