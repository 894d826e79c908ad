// SPDX-License-Identifier: BSD-3-Clause
// Four levels of one pixel in one pass over its frames: what a GPU thread does with frames as they
// lie in a file, where neighbouring threads read neighbouring pixels.
//
// A pass takes n blocks v_t of 2^base frames (base = 0: the frames) and gives, for the levels base
// ... base + 3, G2 of each lag (lag_sums.hpp), and the sums of 16 blocks, which the next pass takes
// from level base + 4 on. Blocks that a run does not fill are no blocks: with 2^l blocks of the
// pass to one of level base + l, level base + l has floor(n / 2^l).
//
// Two forms: ByteLevels for frames of at most 31 photons a pixel, where four blocks of any of the
// four levels lie in the bytes of a word and one instruction adds up four products; ValueLevels for
// all others and for counts with weights. Integers are exact; doubles are added in the order of
// time.
#pragma once

#include "kernels/hd.hpp"
#include "kernels/multitau_core.hpp"

#include <cmath>
#include <cstdint>

namespace xpcs::frame_levels {

namespace core = multitau_core;

constexpr int n_levels = 4;                 ///< of a pass
constexpr int block_frames = 16;            ///< 2^n_levels blocks are one of the next pass
constexpr int n_sums = 8 + 3 * 4;           ///< lags of a pass from frames; later passes have 16
constexpr std::uint32_t most_in_byte = 31;  ///< 8 frames of this fit a byte
constexpr int byte_chunk = 32;              ///< frames that ByteLevels takes at a time
constexpr int value_chunk = 64;             ///< blocks that ValueLevels takes at a time
/// Frames after which the 32-bit sums of ByteLevels have to be taken: 4 * 248^2 for 32 frames.
constexpr std::int64_t byte_frames = std::int64_t{1} << 18;
static_assert(std::uint64_t{4} * 248 * 248 * (byte_frames / 32) < (std::uint64_t{1} << 32));

/// sum + a0 b0 + a1 b1 + a2 b2 + a3 b3 of the bytes.
XPCS_HD inline std::uint32_t dot_bytes(std::uint32_t a, std::uint32_t b, std::uint32_t sum) {
#if defined(__CUDA_ARCH__)
    return __dp4a(a, b, sum);
#else
    for (int shift = 0; shift < 32; shift += 8)
        sum += ((a >> shift) & 0xFFU) * ((b >> shift) & 0xFFU);
    return sum;
#endif
}

/// The four bytes that lie n bytes (1, 2 or 3) before `word`, `before` being the word before it.
/// Time runs from the lowest byte up.
XPCS_HD inline std::uint32_t bytes_before(std::uint32_t before, std::uint32_t word, int n) {
#if defined(__CUDA_ARCH__)
    return __funnelshift_l(before, word, static_cast<unsigned>(8 * n));
#else
    return word << 8 * n | before >> (32 - 8 * n);
#endif
}

/// Bytes 0 and 2 of a, then of b.
XPCS_HD inline std::uint32_t even_bytes(std::uint32_t a, std::uint32_t b) {
#if defined(__CUDA_ARCH__)
    return __byte_perm(a, b, 0x6420);
#else
    return (a & 0xFFU) | (a >> 8 & 0xFF00U) | (b & 0xFFU) << 16 | (b & 0xFF0000U) << 8;
#endif
}
/// Bytes 1 and 3 of a, then of b.
XPCS_HD inline std::uint32_t odd_bytes(std::uint32_t a, std::uint32_t b) {
#if defined(__CUDA_ARCH__)
    return __byte_perm(a, b, 0x7531);
#else
    return even_bytes(a >> 8, b >> 8);
#endif
}

/// The first n of the four bytes, zeros for the others; n may be below 0 or above 4.
XPCS_HD inline std::uint32_t first_bytes(std::uint32_t word, int n) {
    if (n >= 4) return word;
    return n <= 0 ? 0 : word & ((std::uint32_t{1} << 8 * n) - 1);
}

/// Photons in the first n of the frames of some words, four to a word.
template <int n_words>
XPCS_HD std::uint32_t photons_of_first(const std::uint32_t (&words)[n_words], int n) {
    std::uint32_t sum = 0;
    XPCS_UNROLL
    for (int i = 0; i < n_words; ++i)
        sum = dot_bytes(first_bytes(words[i], n - 4 * i), 0x01010101U, sum);
    return sum;
}

/// Where the sum of the lag of x blocks on level base + level stands in a pass.
XPCS_HD constexpr int sum_index(bool from_frames, int level, int x) {
    if (level == 0) return from_frames ? x - 1 : x - 5;
    return (from_frames ? 8 : 4) + 4 * (level - 1) + x - 5;
}
/// The lag of LagLadder of a sum of a pass.
XPCS_HD inline int lag_of_sum(int base, int sum) {
    return base == 0 ? sum : core::first_lag(base) + sum;
}
XPCS_HD inline int sums_of_pass(int base) {
    return base == 0 ? n_sums : n_sums - 4;
}

/// One pixel whose frames hold at most most_in_byte photons. Begins with zeros before the first
/// frame.
struct ByteLevels {
    std::uint32_t before[n_levels][2] = {};  ///< the last word of a level, and the one before
    std::uint32_t sums[n_sums] = {};         ///< G2, by sum_index

    /// Takes four blocks of a level.
    template <int level>
    XPCS_HD void take_word(std::uint32_t word) {
        const std::uint32_t last = before[level][0], second = before[level][1];
        constexpr int at = sum_index(true, level, level == 0 ? 1 : 5);
        std::uint32_t* out = sums + at;
        if constexpr (level == 0) {
            out[0] = dot_bytes(word, bytes_before(last, word, 1), out[0]);
            out[1] = dot_bytes(word, bytes_before(last, word, 2), out[1]);
            out[2] = dot_bytes(word, bytes_before(last, word, 3), out[2]);
            out[3] = dot_bytes(word, last, out[3]);
            out += 4;
        }
        out[0] = dot_bytes(word, bytes_before(second, last, 1), out[0]);
        out[1] = dot_bytes(word, bytes_before(second, last, 2), out[1]);
        out[2] = dot_bytes(word, bytes_before(second, last, 3), out[2]);
        out[3] = dot_bytes(word, second, out[3]);
        before[level][1] = last;
        before[level][0] = word;
    }

    /// Takes 32 frames, four to a word, of which the run has the first n; those behind are 0. Puts
    /// the sums of 16 frames into blocks, 0 where a block is not full.
    template <bool whole>
    XPCS_HD void take(const std::uint32_t (&words)[8], int n, std::uint32_t (&blocks)[2]) {
        take_level<0, 8, whole>(words, n, blocks);
    }

  private:
    template <int level, int n_words, bool whole>
    XPCS_HD void
    take_level(const std::uint32_t (&words)[n_words], int n, std::uint32_t (&blocks)[2]) {
        XPCS_UNROLL
        for (int i = 0; i < n_words; ++i)
            take_word<level>(words[i]);
        if constexpr (level + 1 < n_levels) {
            std::uint32_t halves[n_words / 2];
            XPCS_UNROLL
            for (int i = 0; i < n_words / 2; ++i) {
                // No byte carries into the next: each holds at most 8 * 31.
                const std::uint32_t a = words[2 * i], b = words[2 * i + 1];
                halves[i] = even_bytes(a + (a >> 8), b + (b >> 8));
                if constexpr (!whole)
                    halves[i] = first_bytes(halves[i], (n >> (level + 1)) - 4 * i);
            }
            take_level<level + 1, n_words / 2, whole>(halves, n, blocks);
        } else {
            blocks[0] = whole || n >= 16 ? dot_bytes(words[0], 0x00000101U, 0) : 0;
            blocks[1] = whole || n >= 32 ? dot_bytes(words[0], 0x01010000U, 0) : 0;
        }
    }
};

/// sum + a b; doubles are rounded once.
XPCS_HD inline std::uint64_t add_product(std::uint64_t sum, std::uint32_t a, std::uint32_t b) {
    return sum + std::uint64_t{a} * b;
}
XPCS_HD inline double add_product(double sum, double a, double b) {
#if defined(__CUDA_ARCH__)
    return __fma_rn(a, b, sum);
#else
    return std::fma(a, b, sum);
#endif
}

/// One pixel of any values: Value uint32 and Sum uint64, where no sum of blocks passes 32 bits, or
/// both double.
template <class Value, class Sum, bool from_frames>
struct ValueLevels {
    Value before[n_levels][8] = {};
    Sum sums[n_sums] = {};  ///< G2, by sum_index

    /// Takes 64 blocks: load(i, values) gives the blocks 8 i ... 8 i + 7, of which the run has the
    /// first n, 0 behind. Puts the sums of 16 into blocks, 0 where one is not full.
    template <bool whole, class Load>
    XPCS_HD void take(const Load& load, int n, Value (&blocks)[4]) {
        take_level<n_levels - 1, whole>(load, 0, n, blocks);
    }

  private:
    /// Eight blocks of a level, the `part`th of the chunk; halves: the same as four of the next.
    template <int level, bool whole, class Load>
    XPCS_HD void take_level(const Load& load, int part, int n, Value (&halves)[4]) {
        Value now[8];
        if constexpr (level == 0) {
            load(part, now);
        } else {
            Value first[4], second[4];
            take_level<level - 1, whole>(load, 2 * part, n, first);
            take_level<level - 1, whole>(load, 2 * part + 1, n, second);
            XPCS_UNROLL
            for (int i = 0; i < 4; ++i) {
                now[i] = first[i];
                now[4 + i] = second[i];
            }
        }
        multiply<level>(now);
        XPCS_UNROLL
        for (int i = 0; i < 4; ++i) {
            const bool full = whole || 8 * part + 2 * i + 2 <= n >> level;
            halves[i] = full ? now[2 * i] + now[2 * i + 1] : Value{0};
        }
    }

    template <int level>
    XPCS_HD void multiply(const Value (&now)[8]) {
        constexpr int x0 = level == 0 && from_frames ? 1 : 5;
        Sum* out = sums + sum_index(from_frames, level, x0);
        XPCS_UNROLL
        for (int i = 0; i < 8; ++i) {
            XPCS_UNROLL
            for (int x = x0; x <= 8; ++x) {
                const Value partner =
                    i >= x ? now[i >= x ? i - x : 0] : before[level][(8 + i - x) & 7];
                out[x - x0] = add_product(out[x - x0], now[i], partner);
            }
        }
        XPCS_UNROLL
        for (int i = 0; i < 8; ++i)
            before[level][i] = now[i];
    }
};

/// Blocks at either end of a pass that the windows of its lags leave out, at most.
constexpr int edge_blocks = 8 * 8 + 7;

/// Where a lag of a pass over n blocks stands among them.
struct LagSpan {
    int blocks;  ///< that the lag is long
    int rest;    ///< of the n, that fill no block of the lag's level
};
XPCS_HD inline LagSpan lag_span(int base, int lag, std::int64_t n) {
    const int level = core::lag_level(lag) - base;
    return {core::lag_blocks(lag) << level, static_cast<int>(n & ((std::int64_t{1} << level) - 1))};
}

/// past of the lags of a pass over n blocks: `total` is the sum of all, tail(k) that of the last k,
/// k at most edge_blocks and n. Calls write(lag, past) for the lags below n_lags.
template <class Sum, class Tail, class Write>
XPCS_HD void past_windows(
    int base, int n_lags, std::int64_t n, Sum total, const Tail& tail, const Write& write) {
    for (int i = 0; i < sums_of_pass(base) && lag_of_sum(base, i) < n_lags; ++i) {
        const int lag = lag_of_sum(base, i);
        const LagSpan span = lag_span(base, lag, n);
        write(lag, total - tail(span.rest + span.blocks));
    }
}
/// The same of future: head(k) is the sum of the first k, dropped(k) that of the last k < 8.
template <class Sum, class Head, class Dropped, class Write>
XPCS_HD void future_windows(int base,
                            int n_lags,
                            std::int64_t n,
                            Sum total,
                            const Head& head,
                            const Dropped& dropped,
                            const Write& write) {
    for (int i = 0; i < sums_of_pass(base) && lag_of_sum(base, i) < n_lags; ++i) {
        const int lag = lag_of_sum(base, i);
        const LagSpan span = lag_span(base, lag, n);
        write(lag, total - dropped(span.rest) - head(span.blocks));
    }
}

}  // namespace xpcs::frame_levels
