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

/// out[k] = sum_j b[j] b[j + x0 + k] for k < N; `b` is zero behind its end.
template <int N>
HWY_INLINE void
dots(const double* HWY_RESTRICT b, std::int64_t n, int x0, double* HWY_RESTRICT out) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    auto a0 = hn::Zero(d), a1 = a0, a2 = a0, a3 = a0;
    for (int k = 0; k < N; k += 4) {
        a0 = a1 = a2 = a3 = hn::Zero(d);
        for (std::int64_t i = 0; i < n; i += lanes) {
            const auto x = hn::LoadU(d, b + i);
            const double* y = b + i + x0 + k;
            a0 = hn::MulAdd(x, hn::LoadU(d, y), a0);
            a1 = hn::MulAdd(x, hn::LoadU(d, y + 1), a1);
            a2 = hn::MulAdd(x, hn::LoadU(d, y + 2), a2);
            a3 = hn::MulAdd(x, hn::LoadU(d, y + 3), a3);
        }
        out[k] = hn::GetLane(hn::SumOfLanes(d, a0));
        out[k + 1] = hn::GetLane(hn::SumOfLanes(d, a1));
        out[k + 2] = hn::GetLane(hn::SumOfLanes(d, a2));
        out[k + 3] = hn::GetLane(hn::SumOfLanes(d, a3));
    }
}

/// In place: b[j] = b[2j] + b[2j+1] for j < n / 2, zeros behind.
HWY_INLINE std::int64_t halve(double* b, std::int64_t n) {
    const hn::ScalableTag<double> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const std::int64_t m = n / 2;
    std::int64_t j = 0;
    for (; j + lanes <= m; j += lanes) {
        const auto low = hn::LoadU(d, b + 2 * j), high = hn::LoadU(d, b + 2 * j + lanes);
        hn::StoreU(hn::Add(hn::ConcatEven(d, high, low), hn::ConcatOdd(d, high, low)), d, b + j);
    }
    for (; j < m; ++j)
        b[j] = b[2 * j] + b[2 * j + 1];
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

/// past and future of the lags of one level from its n blocks: the shortest windows, then block by
/// block to longer ones. Nothing is subtracted, so a window without photons is exactly 0.
HWY_INLINE void
edge_windows(const double* b, std::int64_t n, int level, int n_lags, WeightedLagSums& out) {
    const int first = core::first_lag(level), x0 = core::first_blocks(level);
    const int last = x0 + core::lags_in_level(level, n_lags) - 1;  // blocks of the longest lag, < n
    double past, future;
    if (n >= 2 * last) {
        const double middle = sum_blocks(b + last, n - 2 * last);
        past = sum_blocks(b, last) + middle;
        future = middle + sum_blocks(b + n - last, last);
    } else {
        past = sum_blocks(b, n - last);
        future = sum_blocks(b + last, n - last);
    }
    for (int x = last;; --x) {
        out.past[first + x - x0] = past;
        out.future[first + x - x0] = future;
        if (x == x0) return;
        past += b[n - x];
        future += b[x - 1];
    }
}

/// Levels `level` and up from an array of n blocks with `pad` zeros behind.
HWY_INLINE void real_levels(double* b,
                            std::int64_t n,
                            int level,
                            const LagLadder& ladder,
                            const FramesTaken& taken,
                            WeightedLagSums& out) {
    for (; level < ladder.n_levels; ++level) {
        const int n_x = core::lags_in_level(level, ladder.n_lags());
        const int first = core::first_lag(level);
        double sums[8];
        if (level == 0) {
            dots<8>(b, n, 1, sums);
        } else {
            dots<4>(b, n, 5, sums);
        }
        std::copy(sums, sums + n_x, out.G2 + first);
        if (taken.empty()) edge_windows(b, n, level, ladder.n_lags(), out);
        for (int k = 0; !taken.empty() && k < n_x; ++k) {
            double past = 0, future = 0;
            gapped_sums(b,
                        taken[static_cast<std::size_t>(level)].data(),
                        n,
                        core::first_blocks(level) + k,
                        past,
                        future);
            const double share = 1.0 / static_cast<double>(std::int64_t{1} << level);
            out.past[first + k] = past * share;
            out.future[first + k] = future * share;
        }
        n = halve(b, n);
    }
}

/// past and future of the lags before `end_lag` from running sums over the events: both ends of
/// both windows only move one way, so each is found by a walk along the series.
inline void weighted_windows(const std::uint32_t* t,
                             const double* v,
                             std::size_t n,
                             const LagLadder& ladder,
                             int end_lag,
                             PixelScratch& scratch,
                             WeightedLagSums& out) {
    if (end_lag == 0) return;
    scratch.prefix.resize(std::max(scratch.prefix.size(), n + 1));
    double* sum = scratch.prefix.data();
    sum[0] = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum[i + 1] = sum[i] + v[i];
    std::size_t past_end = n, first = 0, end = n;
    for (int i = 0; i < end_lag; ++i) {
        const Lag& lag = ladder.lags[static_cast<std::size_t>(i)];
        const std::int64_t n_blocks = ladder.n_blocks(lag.level);
        const std::int64_t window = (n_blocks - lag.blocks) << lag.level;
        const std::int64_t whole = n_blocks << lag.level;
        while (past_end > 0 && t[past_end - 1] >= window)
            --past_end;
        while (end > 0 && t[end - 1] >= whole)
            --end;
        while (first < n && t[first] < lag.frames)
            ++first;
        out.past[i] = sum[past_end];
        out.future[i] = first < end ? sum[end] - sum[first] : 0.0;
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
    while (level > 0 && !pair_products<double>(t,
                                               v,
                                               n,
                                               whole_events(t, n, level, ladder),
                                               level,
                                               ladder,
                                               scratch.hit,
                                               scratch.slot_sums_real)) {
        level = std::max(0, level - 2);
    }
    take_slots(scratch.slot_sums_real, level, ladder.n_lags(), out.G2);
    const int end_lag = std::min(ladder.n_lags(), level == 0 ? 0 : core::first_lag(level));
    if (taken.empty()) {
        weighted_windows(t, v, n, ladder, end_lag, scratch, out);
    } else {
        gapped_windows(t, v, n, ladder, taken, end_lag, out);
    }
    if (level >= ladder.n_levels) return;

    const std::int64_t n_blocks = ladder.n_blocks(level);
    const auto size = static_cast<std::size_t>(n_blocks + pad);
    scratch.real_blocks.resize(std::max(scratch.real_blocks.size(), size));
    double* b = scratch.real_blocks.data();
    std::fill(b, b + size, 0.0);
    for (std::size_t i = 0; i < n; ++i)
        b[t[i] >> level] += v[i];
    b[n_blocks] = 0;
    real_levels(b, n_blocks, level, ladder, taken, out);
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
    const auto size = static_cast<std::size_t>(n + pad);
    scratch.real_blocks.resize(std::max(scratch.real_blocks.size(), size));
    double* HWY_RESTRICT b = scratch.real_blocks.data();
    for (std::int64_t t = 0; t < n; ++t)
        b[t] = row[t] * weight[t];
    std::fill(b + n, b + n + pad, 0.0);
    real_levels(b, n, 0, ladder, taken, out);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
