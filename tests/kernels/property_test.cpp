// SPDX-License-Identifier: BSD-3-Clause
// What must hold of the sums of any run. Runs are drawn anew every time; the seed is printed, and
// XPCS_TEST_SEED=N has a failure again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iostream>
#include <random>

#include "series_fixture.hpp"

namespace xpcs {
namespace {

using namespace test;

class Property : public ::testing::Test {
  protected:
    Property() {
        const char* given = std::getenv("XPCS_TEST_SEED");
        seed_ = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
        random_.seed(seed_);
        std::cout << "XPCS_TEST_SEED=" << seed_ << "\n";
        RecordProperty("seed", std::to_string(seed_));
    }
    std::int64_t between(std::int64_t low, std::int64_t high) {
        return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
    }
    /// Of 2 to 700 frames and some hundred pixels, from almost empty to a count in every frame.
    reference::Run any_run() {
        const double mean =
            std::pow(10.0, std::uniform_real_distribution<double>(-3, 0.5)(random_));
        return poisson_run(between(2, 700), between(1, 60) * 2, mean, random_(), between(1, 9));
    }
    static BinSums sums_of(const reference::Run& run,
                           std::size_t chunk_events = 1000,
                           int threads = 0,
                           bool dense = false,
                           std::int64_t frames_per_chunk = 37) {
        const Partition partition = partition_of(run);
        MultitauRequest request = request_for(run.n_frames);
        request.threads = threads;
        const PixelSeries series =
            dense ? dense_series<std::uint16_t>(run, partition, false, {}, frames_per_chunk)
                  : sparse_series(run, partition, {}, chunk_events);
        return cpu::multitau(series, request).whole;
    }
    static void expect_equal(const BinSums& a, const BinSums& b) {
        EXPECT_TRUE(a.G2 == b.G2);
        EXPECT_TRUE(a.past == b.past);
        EXPECT_TRUE(a.future == b.future);
        EXPECT_TRUE(a.n_signal == b.n_signal);
    }

    std::uint64_t seed_;
    std::mt19937_64 random_;
};

TEST_F(Property, SumsDoNotDependOnChunksThreadsAndEngines) {
    for (int round = 0; round < 10; ++round) {
        const reference::Run run = any_run();
        const BinSums first = sums_of(run, 1'000'000, 1);
        for (const int threads : {2, 3, 7}) {
            expect_equal(first, sums_of(run, static_cast<std::size_t>(between(1, 300)), threads));
            expect_equal(first, sums_of(run, 0, threads, true, between(1, 100)));
        }
    }
}

TEST_F(Property, ScalingTheCountsScalesTheSums) {
    for (int round = 0; round < 10; ++round) {
        reference::Run run = any_run();
        const BinSums before = sums_of(run);
        const std::int64_t factor = between(2, 9);
        for (double& count : run.counts)
            count *= static_cast<double>(factor);
        const BinSums after = sums_of(run);
        const auto f = static_cast<std::uint64_t>(factor);
        for (std::size_t i = 0; i < before.G2.size(); ++i) {
            ASSERT_TRUE(after.G2[i] == before.G2[i] * f * f) << i;
            ASSERT_TRUE(after.past[i] == before.past[i] * f) << i;
            ASSERT_TRUE(after.future[i] == before.future[i] * f) << i;
        }
    }
}

TEST_F(Property, PermutingPixelsWithinABinChangesNothing) {
    for (int round = 0; round < 10; ++round) {
        const reference::Run run = any_run();
        reference::Run other = run;
        std::vector<std::int64_t> order(static_cast<std::size_t>(run.n_pixels));
        for (std::size_t p = 0; p < order.size(); ++p)
            order[p] = static_cast<std::int64_t>(p);
        for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
            while (end < order.size() && run.static_label[end] == run.static_label[begin])
                ++end;
            std::shuffle(order.begin() + static_cast<std::ptrdiff_t>(begin),
                         order.begin() + static_cast<std::ptrdiff_t>(end),
                         random_);
        }
        for (std::int64_t t = 0; t < run.n_frames; ++t) {
            for (std::int64_t p = 0; p < run.n_pixels; ++p)
                at(other, t, p) = run.at(t, order[static_cast<std::size_t>(p)]);
        }
        expect_equal(sums_of(run), sums_of(other));
    }
}

TEST_F(Property, EmptyFramesInFrontAddNothingButPairs) {
    constexpr std::int64_t empty = 1024;  // whole blocks on every level of the shorter run
    for (int round = 0; round < 5; ++round) {
        const reference::Run run = any_run();
        reference::Run later = run;
        later.n_frames += empty;
        later.counts.insert(
            later.counts.begin(), static_cast<std::size_t>(empty * run.n_pixels), 0.0);
        const BinSums a = sums_of(run), b = sums_of(later);
        const auto lags_a = static_cast<std::size_t>(a.ladder.n_lags());
        const auto lags_b = static_cast<std::size_t>(b.ladder.n_lags());
        for (std::size_t s = 0; s < a.n_static; ++s) {
            for (std::size_t i = 0; i < lags_a; ++i) {
                ASSERT_TRUE(a.G2[s * lags_a + i] == b.G2[s * lags_b + i]) << i;
                ASSERT_TRUE(a.past[s * lags_a + i] == b.past[s * lags_b + i]) << i;
                ASSERT_TRUE(a.future[s * lags_a + i] <= b.future[s * lags_b + i]) << i;
                ASSERT_EQ(b.pairs[i] - a.pairs[i],
                          static_cast<double>(empty >> a.ladder.lags[i].level));
            }
        }
    }
}

TEST_F(Property, ARunSplitIntoRangesOfPixelsIsTheSumOfThem) {
    for (int round = 0; round < 3; ++round) {
        const reference::Run run =
            poisson_run(between(2, 60), 3000, 0.05, random_(), between(100, 900));
        const Partition partition = partition_of(run);
        const BinSums whole = sums_of(run);
        SeriesRange first, second;
        const std::int64_t cut = between(1, 4);
        first.end_tile = second.first_tile = cut;
        const MultitauRequest request = request_for(run.n_frames);
        MultitauSums sums = cpu::multitau(sparse_series(run, partition, first), request);
        sums.merge(cpu::multitau(sparse_series(run, partition, second), request));
        expect_equal(whole, sums.whole);
    }
}

}  // namespace
}  // namespace xpcs
