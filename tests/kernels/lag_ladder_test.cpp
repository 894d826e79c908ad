// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/lag_ladder.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "reference/reference.hpp"

namespace xpcs {
namespace {

std::vector<std::int64_t> lag_frames(std::int64_t n) {
    std::vector<std::int64_t> out;
    for (const Lag& lag : make_lag_ladder(n).lags)
        out.push_back(lag.frames);
    return out;
}

TEST(LagLadder, HasTheLagsOfThePublishedTable) {
    using Lags = std::vector<std::int64_t>;
    EXPECT_EQ(lag_frames(5), (Lags{1, 2, 3, 4}));
    EXPECT_EQ(lag_frames(7), (Lags{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(lag_frames(8), (Lags{1, 2, 3, 4, 5, 6, 7}));
    EXPECT_EQ(lag_frames(9), (Lags{1, 2, 3, 4, 5, 6, 7, 8}));
    EXPECT_EQ(lag_frames(15), (Lags{1, 2, 3, 4, 5, 6, 7, 8, 10, 12}));
    EXPECT_EQ(lag_frames(16), (Lags{1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14}));
    EXPECT_EQ(lag_frames(100).size(), 21U);
    EXPECT_EQ(lag_frames(100).back(), 80);
    EXPECT_EQ(lag_frames(1000).size(), 34U);
    EXPECT_EQ(lag_frames(20000).size(), 52U);
    EXPECT_EQ(lag_frames(20000).back(), 16384);
    EXPECT_EQ(lag_frames(100000).size(), 61U);
    EXPECT_EQ(lag_frames(100000).back(), 81920);
}

TEST(LagLadder, HasTheEffectiveLengthsOfThePublishedTable) {
    const LagLadder ladder = make_lag_ladder(1000);
    EXPECT_EQ(ladder.lags[0].n_pairs, 999);
    EXPECT_EQ(ladder.lags[8].n_pairs, 495);    // level 1, x = 5
    EXPECT_EQ(ladder.lags.back().n_pairs, 1);  // level 7, x = 6
    EXPECT_EQ(ladder.lags.back().level, 7);
}

TEST(LagLadder, ShortRunsHaveOnlyLagsBelowTheirLength) {
    EXPECT_EQ(lag_frames(2), (std::vector<std::int64_t>{1}));
    EXPECT_EQ(lag_frames(4), (std::vector<std::int64_t>{1, 2, 3}));
    EXPECT_THROW(make_lag_ladder(1), std::invalid_argument);
    EXPECT_THROW(make_lag_ladder(-5), std::invalid_argument);
}

TEST(LagLadder, EqualsTheReferenceForEveryLengthUpTo3000) {
    for (std::int64_t n = 2; n <= 3000; ++n) {
        const LagLadder ladder = make_lag_ladder(n);
        const auto expected = reference::ladder(n);
        ASSERT_EQ(ladder.lags.size(), expected.size()) << n;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            ASSERT_EQ(ladder.lags[i].level, expected[i].level) << n;
            ASSERT_EQ(ladder.lags[i].blocks, expected[i].blocks) << n;
            ASSERT_EQ(ladder.lags[i].frames, expected[i].frames) << n;
            ASSERT_EQ(ladder.lags[i].n_pairs, expected[i].pairs) << n;
            ASSERT_LT(ladder.lags[i].level, ladder.n_levels);
        }
    }
}

}  // namespace
}  // namespace xpcs
