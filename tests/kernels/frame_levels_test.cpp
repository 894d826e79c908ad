// SPDX-License-Identifier: BSD-3-Clause
// Levels four at a time against their definition, sums and windows.
#include "kernels/frame_levels.hpp"

#include "kernels/lag_ladder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace xpcs::frame_levels {
namespace {

using Series = std::vector<std::uint32_t>;

Series random_series(std::int64_t n, std::uint32_t most, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    Series v(static_cast<std::size_t>(n));
    for (std::uint32_t& value : v)
        value = random() % 5 == 0 ? most : static_cast<std::uint32_t>(random() % (most + 1));
    return v;
}

/// Blocks of 2^level values; what fills no block is left out.
template <class Value>
std::vector<Value> blocks_of(const std::vector<Value>& v, int level) {
    std::vector<Value> blocks(v.size() >> level, Value{0});
    for (std::size_t t = 0; t >> level < blocks.size(); ++t)
        blocks[t >> level] += v[t];
    return blocks;
}

template <class Sum, class Value>
Sum product_sum(const std::vector<Value>& blocks, int x) {
    Sum sum = 0;
    for (std::size_t j = static_cast<std::size_t>(x); j < blocks.size(); ++j)
        sum +=
            static_cast<Sum>(blocks[j]) * static_cast<Sum>(blocks[j - static_cast<std::size_t>(x)]);
    return sum;
}

/// Lengths around every kind of end.
const std::vector<std::int64_t> lengths = {1,  2,  7,  8,  15, 16, 17, 24, 31,  32,  33,  47,
                                           48, 63, 64, 65, 79, 80, 95, 96, 127, 128, 257, 1000};

TEST(FrameLevels, BytesGiveTheSumsOfFourLevels) {
    for (const std::int64_t n : lengths) {
        const Series v = random_series(n, most_in_byte, static_cast<std::uint64_t>(n));
        ByteLevels pixel;
        Series next;
        for (std::int64_t t = 0; t < n; t += byte_chunk) {
            const int there = static_cast<int>(std::min<std::int64_t>(byte_chunk, n - t));
            std::uint32_t words[8] = {}, blocks[2];
            for (int i = 0; i < there; ++i)
                words[i / 4] |= v[static_cast<std::size_t>(t + i)] << 8 * (i % 4);
            if (there == byte_chunk) {
                pixel.take<true>(words, there, blocks);
            } else {
                pixel.take<false>(words, there, blocks);
            }
            next.insert(next.end(), blocks, blocks + 2);
        }
        const Series expected = blocks_of(v, n_levels);
        ASSERT_GE(next.size(), expected.size());
        for (std::size_t i = 0; i < next.size(); ++i)
            EXPECT_EQ(next[i], i < expected.size() ? expected[i] : 0) << n << ", block " << i;
        for (int level = 0; level < n_levels; ++level) {
            for (int x = level == 0 ? 1 : 5; x <= 8; ++x)
                EXPECT_EQ(pixel.sums[sum_index(true, level, x)],
                          product_sum<std::uint64_t>(blocks_of(v, level), x))
                    << n << " frames, level " << level << ", x " << x;
        }
    }
}

template <class Value, class Sum, bool from_frames>
void expect_value_levels(const std::vector<Value>& v) {
    ValueLevels<Value, Sum, from_frames> pixel;
    std::vector<Value> next;
    const auto n = static_cast<std::int64_t>(v.size());
    for (std::int64_t t = 0; t < n; t += value_chunk) {
        const auto load = [&](int part, Value(&now)[8]) {
            for (int i = 0; i < 8; ++i) {
                const auto at = static_cast<std::size_t>(t + 8 * part + i);
                now[i] = at < v.size() ? v[at] : Value{0};
            }
        };
        Value blocks[4];
        if (n - t >= value_chunk) {
            pixel.template take<true>(load, value_chunk, blocks);
        } else {
            pixel.template take<false>(load, static_cast<int>(n - t), blocks);
        }
        next.insert(next.end(), blocks, blocks + 4);
    }
    const std::vector<Value> expected = blocks_of(v, n_levels);
    for (std::size_t i = 0; i < next.size(); ++i) {
        const auto want = static_cast<double>(i < expected.size() ? expected[i] : Value{0});
        EXPECT_NEAR(static_cast<double>(next[i]), want, 1e-12 * want) << n << ", block " << i;
    }
    for (int level = 0; level < n_levels; ++level) {
        for (int x = level == 0 && from_frames ? 1 : 5; x <= 8; ++x) {
            const auto want = product_sum<Sum>(blocks_of(v, level), x);
            const Sum got = pixel.sums[sum_index(from_frames, level, x)];
            if constexpr (std::is_same_v<Sum, double>) {
                EXPECT_NEAR(got, want, 1e-12 * want) << n << ", level " << level << ", x " << x;
            } else {
                EXPECT_EQ(got, want) << n << ", level " << level << ", x " << x;
            }
        }
    }
}

TEST(FrameLevels, ValuesGiveTheSumsOfFourLevels) {
    for (const std::int64_t n : lengths) {
        const Series large = random_series(n, 0xFFFF, static_cast<std::uint64_t>(n) + 7);
        expect_value_levels<std::uint32_t, std::uint64_t, true>(large);
        expect_value_levels<std::uint32_t, std::uint64_t, false>(large);
        std::vector<double> weighted(large.begin(), large.end());
        for (std::size_t t = 0; t < weighted.size(); ++t)
            weighted[t] *= 0.5 + 0.01 * static_cast<double>(t % 70);
        expect_value_levels<double, double, true>(weighted);
        expect_value_levels<double, double, false>(weighted);
    }
}

TEST(FrameLevels, SumsOfAPassAreTheLagsOfItsLevels) {
    const LagLadder ladder = make_lag_ladder(1 << 20);
    for (const int base : {0, 4, 8}) {
        for (int i = 0; i < sums_of_pass(base); ++i) {
            const Lag& lag = ladder.lags[static_cast<std::size_t>(lag_of_sum(base, i))];
            EXPECT_EQ(sum_index(base == 0, lag.level - base, lag.blocks), i) << base;
        }
    }
}

TEST(FrameLevels, WindowsAreThoseOfTheLags) {
    for (const int base : {0, 4}) {
        for (const std::int64_t n : lengths) {
            const Series v = random_series(n, 9, static_cast<std::uint64_t>(n) + 70);
            const std::int64_t frames = n << base;
            if (frames < 2) continue;
            const LagLadder ladder = make_lag_ladder(frames);
            const auto sum_of = [&](std::int64_t begin, std::int64_t end) {
                EXPECT_TRUE(begin >= 0 && end <= n && end - begin <= edge_blocks) << n;
                std::uint64_t sum = 0;
                for (std::int64_t t = begin; t < end; ++t)
                    sum += v.at(static_cast<std::size_t>(t));
                return sum;
            };
            std::uint64_t total = 0;
            for (const std::uint32_t value : v)
                total += value;
            const auto head = [&](int k) { return sum_of(0, k); };
            const auto tail = [&](int k) { return sum_of(n - k, n); };
            std::vector<std::uint64_t> past, future;
            past_windows(base, ladder.n_lags(), n, total, tail, [&](int lag, std::uint64_t sum) {
                EXPECT_EQ(lag, core::first_lag(base) + static_cast<int>(past.size()));
                past.push_back(sum);
            });
            future_windows(
                base, ladder.n_lags(), n, total, head, tail, [&](int lag, std::uint64_t sum) {
                    EXPECT_EQ(lag, core::first_lag(base) + static_cast<int>(future.size()));
                    future.push_back(sum);
                });
            const int n_lags =
                std::clamp(ladder.n_lags() - core::first_lag(base), 0, sums_of_pass(base));
            ASSERT_EQ(past.size(), static_cast<std::size_t>(n_lags));
            ASSERT_EQ(future.size(), past.size());
            for (std::size_t i = 0; i < past.size(); ++i) {
                const Lag& lag = ladder.lags[static_cast<std::size_t>(core::first_lag(base)) + i];
                const Series blocks = blocks_of(v, lag.level - base);
                const auto x = static_cast<std::size_t>(lag.blocks);
                std::uint64_t expected_past = 0, expected_future = 0;
                for (std::size_t j = 0; j < blocks.size(); ++j) {
                    if (j + x < blocks.size()) expected_past += blocks[j];
                    if (j >= x) expected_future += blocks[j];
                }
                EXPECT_EQ(past[i], expected_past) << n << ", lag " << i;
                EXPECT_EQ(future[i], expected_future) << n << ", lag " << i;
            }
        }
    }
}

TEST(FrameLevels, PhotonsOfTheFirstFrames) {
    const Series v = random_series(32, 255, 3);
    std::uint32_t words[8] = {};
    for (std::size_t i = 0; i < v.size(); ++i)
        words[i / 4] |= v[i] << 8 * (i % 4);
    std::uint32_t sum = 0;
    for (int n = 0; n <= 32; ++n) {
        EXPECT_EQ(photons_of_first(words, n), sum) << n;
        if (n < 32) sum += v[static_cast<std::size_t>(n)];
    }
}

/// The largest sums that 32 bits have to hold before they are taken.
TEST(FrameLevels, SumsOfBytesHoldTheirFrames) {
    ByteLevels pixel;
    const std::uint32_t word = 0x01010101U * most_in_byte;
    const std::uint32_t words[8] = {word, word, word, word, word, word, word, word};
    std::uint32_t blocks[2];
    for (std::int64_t t = 0; t < byte_frames; t += byte_chunk)
        pixel.take<true>(words, byte_chunk, blocks);
    for (int level = 0; level < n_levels; ++level) {
        const std::uint64_t block = std::uint64_t{most_in_byte} << level;
        const std::uint64_t pairs = (std::uint64_t{byte_frames} >> level) - 8;
        EXPECT_EQ(pixel.sums[sum_index(true, level, 8)], block * block * pairs) << level;
    }
}

}  // namespace
}  // namespace xpcs::frame_levels
