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

/// G2 of the levels `level` and up from an array of n blocks with `pad` zeros behind.
HWY_INLINE void
real_levels(double* b, std::int64_t n, int level, const LagLadder& ladder, double* G2) {
    for (; level < ladder.n_levels; ++level) {
        double sums[8];
        if (level == 0) {
            dots<8>(b, n, 1, sums);
        } else {
            dots<4>(b, n, 5, sums);
        }
        std::copy(
            sums, sums + core::lags_in_level(level, ladder.n_lags()), G2 + core::first_lag(level));
        n /= 2;
        for (std::int64_t j = 0; j < n; ++j)
            b[j] = b[2 * j] + b[2 * j + 1];
        std::fill(b + n, b + n + std::min<std::int64_t>(n + 1, pad), 0.0);
    }
}

/// past and future from running sums over the events: both ends of both windows only move one way,
/// so each is found by a walk along the series.
inline void weighted_windows(const std::uint32_t* t,
                             const double* v,
                             std::size_t n,
                             const LagLadder& ladder,
                             PixelScratch& scratch,
                             WeightedLagSums& out) {
    scratch.prefix.resize(std::max(scratch.prefix.size(), n + 1));
    double* sum = scratch.prefix.data();
    sum[0] = 0;
    for (std::size_t i = 0; i < n; ++i)
        sum[i + 1] = sum[i] + v[i];
    std::size_t past_end = n, first = 0, end = n;
    for (int i = 0; i < ladder.n_lags(); ++i) {
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

/// The same where frames are left out: an event counts with the share of frames of its partner
/// block that take part.
inline void gapped_windows(const std::uint32_t* t,
                           const double* v,
                           std::size_t n,
                           const LagLadder& ladder,
                           const FramesTaken& taken,
                           WeightedLagSums& out) {
    for (int i = 0; i < ladder.n_lags(); ++i) {
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
    if (taken.empty()) {
        weighted_windows(t, v, n, ladder, scratch, out);
    } else {
        gapped_windows(t, v, n, ladder, taken, out);
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
    real_levels(b, n_blocks, level, ladder, out.G2);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
