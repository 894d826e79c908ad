// SPDX-License-Identifier: BSD-3-Clause
// The arithmetic that CPU and GPU share, against its definition.
#include "kernels/multitau_core.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace xpcs::multitau_core {
namespace {

TEST(MultitauCore, LagNumbersAgreeWithTheLadder) {
    for (const std::int64_t n_frames : {2, 4, 7, 9, 13, 64, 1000, 123457}) {
        const LagLadder ladder = make_lag_ladder(n_frames);
        for (int i = 0; i < ladder.n_lags(); ++i) {
            const Lag& lag = ladder.lags[static_cast<std::size_t>(i)];
            EXPECT_EQ(lag_level(i), lag.level) << i;
            EXPECT_EQ(lag_blocks(i), lag.blocks) << i;
            EXPECT_EQ(lag_index(lag.level, lag.blocks, ladder.n_lags()), i);
        }
        const int n = ladder.n_lags();
        EXPECT_EQ(lag_index(lag_level(n), lag_blocks(n), n), -1);
        EXPECT_EQ(lag_index(0, 0, n), -1);
        EXPECT_EQ(lag_index(0, 9, n), -1);
        EXPECT_EQ(lag_index(1, 4, n), -1);
    }
}

TEST(MultitauCore, PairsFeedTheLagsOfTheirBlocks) {
    std::mt19937_64 random(11);
    for (const std::int64_t n_frames : {9, 100, 1023, 5001}) {
        const LagLadder ladder = make_lag_ladder(n_frames);
        for (int trial = 0; trial < 3000; ++trial) {
            auto t0 = static_cast<std::uint32_t>(random() % static_cast<std::uint64_t>(n_frames));
            auto t1 = static_cast<std::uint32_t>(random() % static_cast<std::uint64_t>(n_frames));
            if (trial % 3 == 0) {
                t1 = static_cast<std::uint32_t>(
                    std::min<std::int64_t>(n_frames - 1, t0 + random() % 40));
            }
            if (t0 > t1) std::swap(t0, t1);
            const int dense_level =
                static_cast<int>(random() % static_cast<std::uint64_t>(ladder.n_levels + 1));
            std::multiset<int> expected, got;
            for (int i = 0; i < ladder.n_lags(); ++i) {
                const Lag& lag = ladder.lags[static_cast<std::size_t>(i)];
                if (lag.level >= dense_level) break;
                if (t1 >> lag.level >= ladder.n_blocks(lag.level)) continue;
                if ((t1 >> lag.level) - (t0 >> lag.level) ==
                    static_cast<std::uint32_t>(lag.blocks)) {
                    expected.insert(i);
                    EXPECT_LT(t1 - t0, pair_reach(dense_level));
                }
            }
            const PairLags lags = pair_lags(t0, t1, n_frames, ladder.n_lags(), dense_level);
            if (lags.a >= 0) got.insert(lags.a);
            if (lags.b >= 0) got.insert(lags.b);
            EXPECT_EQ(got, expected) << t0 << " " << t1 << " of " << n_frames;
        }
    }
}

std::vector<std::uint64_t> random_events(std::mt19937_64& random, std::int64_t end, int one_in) {
    std::vector<std::uint64_t> words;
    for (std::int64_t t = 0; t < end; ++t) {
        if (random() % static_cast<std::uint64_t>(one_in) != 0) continue;
        words.push_back(pack_event(static_cast<std::uint32_t>(t),
                                   1 + static_cast<std::uint32_t>(random() % 4)));
    }
    return words;
}

TEST(MultitauCore, EventSpansFindTheirFrames) {
    std::mt19937_64 random(12);
    const std::vector<std::uint64_t> words = random_events(random, 500, 7);
    const EventSpan all{words.data(), static_cast<std::uint32_t>(words.size()), 0};
    for (std::int64_t t = 0; t <= 501; ++t) {
        const std::uint32_t i = all.lower_bound(t);
        EXPECT_TRUE(i == all.n || all.frame(i) >= t);
        EXPECT_TRUE(i == 0 || all.frame(i - 1) < t);
    }
    const std::uint32_t first = all.lower_bound(100);
    const EventSpan later{words.data() + first, all.n - first, 100};
    EXPECT_EQ(later.frame(0) + 100, all.frame(first));
    EXPECT_EQ(later.count(0), all.count(first));
    EXPECT_EQ(EventSpan{}.lower_bound(3), 0U);
}

TEST(MultitauCore, WindowSumsAreTheSumsOverTheirBlocks) {
    std::mt19937_64 random(13);
    for (const std::int64_t n_frames : {2, 5, 9, 37, 1000, 1029}) {
        const LagLadder ladder = make_lag_ladder(n_frames);
        for (const int one_in : {1, 5, 100, 100000}) {
            const std::vector<std::uint64_t> words = random_events(random, n_frames, one_in);
            const EventSpan events{words.data(), static_cast<std::uint32_t>(words.size()), 0};
            std::uint64_t total = 0;
            for (std::uint32_t i = 0; i < events.n; ++i)
                total += events.count(i);
            for (int i = 0; i < ladder.n_lags(); ++i) {
                const Lag& lag = ladder.lags[static_cast<std::size_t>(i)];
                std::uint64_t past = 0, future = 0;
                for (std::uint32_t e = 0; e < events.n; ++e) {
                    const std::int64_t block = events.frame(e) >> lag.level;
                    if (block < lag.n_pairs) past += events.count(e);
                    if (block >= lag.blocks && block < ladder.n_blocks(lag.level)) {
                        future += events.count(e);
                    }
                }
                const auto sums =
                    window_sums<std::uint64_t>(events, EventCounts{events}, total, i, n_frames);
                EXPECT_EQ(sums.past, past) << "T " << n_frames << ", lag " << i;
                EXPECT_EQ(sums.future, future) << "T " << n_frames << ", lag " << i;
            }
        }
    }
}

TEST(MultitauCore, WeightedWindowsAreExactlyZeroWithoutEvents) {
    // 0.1 + 0.2 + 0.7 - 0.7 - 0.2 - 0.1 is not 0 in every order of doubles.
    const std::vector<double> weight{0.1, 0.2, 0.7, 0.3, 0.9, 0.6, 0.4, 0.1, 0.2, 0.7};
    const std::int64_t n_frames = 10;
    const auto windows = [&](const std::vector<std::uint32_t>& frames, int lag) {
        std::vector<std::uint64_t> words;
        double total = 0;
        for (const std::uint32_t t : frames) {
            words.push_back(pack_event(t, 1));
            total += weight[t];
        }
        const EventSpan events{words.data(), static_cast<std::uint32_t>(words.size()), 0};
        return window_sums<double>(
            events, EventValues{events, weight.data()}, total, lag, n_frames);
    };
    for (int lag = 0; lag < 5; ++lag) {  // lag + 1 frames
        EXPECT_EQ(windows({7, 8, 9}, lag).past == 0.0, lag >= 2) << lag;
        EXPECT_EQ(windows({0, 1, 2}, lag).future == 0.0, lag >= 2) << lag;
        EXPECT_NEAR(windows({0, 1, 2}, lag).past, 1.0, 1e-15) << lag;
        EXPECT_NEAR(windows({7, 8, 9}, lag).future, 1.0, 1e-15) << lag;
    }
    EXPECT_NEAR(windows({0, 4, 9}, 0).past, 1.0, 1e-15);
    EXPECT_NEAR(windows({0, 4, 9}, 0).future, 1.6, 1e-15);
}

TEST(MultitauCore, RatiosWithoutSignalCountAsNone) {
    const PixelRatio ratio = pixel_ratio(6.0, 2.0, 4.0, 3.0);
    EXPECT_TRUE(ratio.signal);
    EXPECT_DOUBLE_EQ(ratio.value, 2.25);
    EXPECT_FALSE(pixel_ratio(0.0, 0.0, 4.0, 3.0).signal);
    EXPECT_EQ(pixel_ratio(0.0, 3.0, 0.0, 3.0).value, 0.0);
}

}  // namespace
}  // namespace xpcs::multitau_core
