// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic that the CPU and GPU twins of `multitau` share: which lags a pair of events feeds,
// from which level a pixel counts as dense, where the ladder's lags stand.
#pragma once

#include "kernels/hd.hpp"
#include "kernels/lag_ladder.hpp"

#include <cstddef>
#include <cstdint>

namespace xpcs::multitau_core {

/// First lag of level `level` in LagLadder::lags: level 0 has x = 1..8, the others x = 5..8.
XPCS_HD inline int first_lag(int level) {
    return level == 0 ? 0 : 4 + 4 * level;
}
/// Smallest x of a level.
XPCS_HD inline int first_blocks(int level) {
    return level == 0 ? 1 : 5;
}
/// Lags of a level that the ladder has (the last level may be cut).
XPCS_HD inline int lags_in_level(int level, int n_lags) {
    const int full = level == 0 ? 8 : 4;
    const int there = n_lags - first_lag(level);
    return there < full ? (there < 0 ? 0 : there) : full;
}

/// Number of bits of d, 0 for 0.
XPCS_HD inline int bit_width(std::uint32_t d) {
#if defined(__CUDA_ARCH__)
    return 32 - __clz(static_cast<int>(d));
#else
    return d == 0 ? 0 : 32 - __builtin_clz(d);
#endif
}

/// A pair of events at frames t0 <= t1 feeds at most two lags. With d = t1 - t0 of b bits, d >>
/// (b-3) is 4..7, so on level b-3 the blocks are 4..8 apart; on level b-4 they are 8..16 apart, of
/// which only 8 is a lag. Slots that are no lag (0; 4 above level 0; above 8) are collected and
/// ignored.
struct PairSlots {
    int level_a, blocks_a;
    int level_b, blocks_b;  ///< level_b = -1: none
};

XPCS_HD inline PairSlots pair_slots(std::uint32_t t0, std::uint32_t t1) {
    const int bits = bit_width(t1 - t0);
    PairSlots slots;
    slots.level_a = bits > 3 ? bits - 3 : 0;
    slots.blocks_a = static_cast<int>((t1 >> slots.level_a) - (t0 >> slots.level_a));
    slots.level_b = slots.level_a - 1;
    const int shift = slots.level_b > 0 ? slots.level_b : 0;
    slots.blocks_b = static_cast<int>((t1 >> shift) - (t0 >> shift));
    return slots;
}

/// Pairs further apart than this feed no level below `dense_level`: blocks <= 8 on level
/// dense_level - 1.
XPCS_HD inline std::uint64_t pair_reach(int dense_level) {
    return dense_level == 0 ? 0 : std::uint64_t{9} << (dense_level - 1);
}

/// The level from which a pixel of n events in T frames is correlated as a dense array; below it,
/// pair by pair. `neighbours` is the mean number of events within reach at which dense pays
/// (measured; see docs/performance.md). Small pixels never pay for an array.
XPCS_HD inline int choose_dense_level(std::int64_t n_events,
                                      std::int64_t n_frames,
                                      int n_levels,
                                      double neighbours,
                                      std::int64_t all_pairs_below) {
    if (n_events <= all_pairs_below) return n_levels;
    double expected = 9.0 * static_cast<double>(n_events) / static_cast<double>(n_frames);
    int level = 0;
    while (level < n_levels && expected < neighbours) {
        expected *= 2;
        ++level;
    }
    return level;
}

/// Where lag i of LagLadder::lags stands: its level and its blocks.
XPCS_HD inline int lag_level(int lag) {
    return lag < 8 ? 0 : (lag - 4) / 4;
}
XPCS_HD inline int lag_blocks(int lag) {
    return lag < 8 ? lag + 1 : 5 + lag % 4;
}
/// The lag of `blocks` blocks on `level`, or -1 if the ladder has none.
XPCS_HD inline int lag_index(int level, int blocks, int n_lags) {
    if (blocks < first_blocks(level) || blocks > 8) return -1;
    const int lag = first_lag(level) + blocks - first_blocks(level);
    return lag < n_lags ? lag : -1;
}

/// The lags below `dense_level` that a pair of events feeds; -1 for none. A level ends with its
/// last whole block.
struct PairLags {
    int a, b;
};

XPCS_HD inline PairLags
pair_lags(std::uint32_t t0, std::uint32_t t1, std::int64_t n_frames, int n_lags, int dense_level) {
    const PairSlots slots = pair_slots(t0, t1);
    PairLags lags{-1, -1};
    if (slots.level_a < dense_level && t1 >> slots.level_a < n_frames >> slots.level_a) {
        lags.a = lag_index(slots.level_a, slots.blocks_a, n_lags);
    }
    if (slots.level_b >= 0 && slots.level_b < dense_level &&
        t1 >> slots.level_b < n_frames >> slots.level_b) {
        lags.b = lag_index(slots.level_b, slots.blocks_b, n_lags);
    }
    return lags;
}

/// One analysis frame of one pixel in a word: frame above, count below.
XPCS_HD inline std::uint64_t pack_event(std::uint32_t frame, std::uint32_t count) {
    return std::uint64_t{frame} << 32 | count;
}

/// A pixel's events, ascending in time; frames count from `origin`.
struct EventSpan {
    const std::uint64_t* words = nullptr;
    std::uint32_t n = 0;
    std::uint32_t origin = 0;

    XPCS_HD std::uint32_t frame(std::uint32_t i) const {
        return static_cast<std::uint32_t>(words[i] >> 32) - origin;
    }
    XPCS_HD std::uint32_t count(std::uint32_t i) const {
        return static_cast<std::uint32_t>(words[i]);
    }
    /// First event at or after `t`, n if there is none.
    XPCS_HD std::uint32_t lower_bound(std::int64_t t) const {
        std::uint32_t first = 0, last = n;
        while (first < last) {
            const std::uint32_t middle = first + (last - first) / 2;
            if (frame(middle) < t) {
                first = middle + 1;
            } else {
                last = middle;
            }
        }
        return first;
    }
};

/// What the events of a pixel count.
struct EventCounts {
    EventSpan events;
    XPCS_HD std::uint64_t operator()(std::uint32_t i) const { return events.count(i); }
};
/// What they count with the weights of their frames.
struct EventValues {
    EventSpan events;
    const double* weight;  ///< [n_frames]
    XPCS_HD double operator()(std::uint32_t i) const {
        return events.count(i) * weight[events.frame(i)];
    }
};

/// Photons in the earlier and in the later frames of a lag.
template <class Sum>
struct WindowSums {
    Sum past, future;
};

/// Counted from both ends, so it costs as many steps as there are events within the lag of an end.
/// `total` is the sum of value(i) over all events. Exactly 0 where no event lies in the window.
template <class Sum, class Value>
XPCS_HD inline WindowSums<Sum> window_sums(
    const EventSpan& events, const Value& value, Sum total, int lag, std::int64_t n_frames) {
    const int level = lag_level(lag);
    const std::int64_t blocks = lag_blocks(lag);
    const std::int64_t n_blocks = n_frames >> level;
    Sum head = 0, tail = 0;
    std::uint32_t first = 0;
    for (; first < events.n && events.frame(first) < blocks << level; ++first)
        head += value(first);
    std::uint32_t i = events.n;
    for (; i > 0 && events.frame(i - 1) >= n_blocks << level; --i)
        total -= value(i - 1);
    const std::uint32_t last = i;
    for (; i > 0 && events.frame(i - 1) >= (n_blocks - blocks) << level; --i)
        tail += value(i - 1);
    return {i > 0 ? total - tail : Sum{0}, last > first ? total - head : Sum{0}};
}

/// Pixel g2 = n G2 / (past future); `signal` false (and 0) where a window is empty.
struct PixelRatio {
    double value;
    bool signal;
};

XPCS_HD inline PixelRatio pixel_ratio(double G2, double past, double future, double pairs) {
    const double product = past * future;
    if (!(product > 0)) return {0.0, false};
    return {G2 * pairs / product, true};
}

}  // namespace xpcs::multitau_core
