// SPDX-License-Identifier: BSD-3-Clause
// g2, its error, partial curves and their invariances, against the direct definitions.
#include "kernels/reduce.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "reference/extra.hpp"
#include "series_fixture.hpp"

namespace xpcs::test {
namespace {

/// Doubles that went another way: rounding of sums of up to 1e5 terms.
constexpr double rounding = 1e-10;

void expect_same_curve(const OneTime& ours,
                       const reference::OneTime& expected,
                       const std::string& what,
                       double relative = rounding) {
    ASSERT_EQ(ours.g2.size(), expected.g2.size()) << what;
    for (std::size_t i = 0; i < ours.g2.size(); ++i) {
        ASSERT_EQ(std::isnan(ours.g2[i]), std::isnan(expected.g2[i])) << what << " " << i;
        if (!std::isnan(expected.g2[i])) {
            ASSERT_NEAR(ours.g2[i], expected.g2[i], relative * expected.g2[i]) << what << " " << i;
        }
        ASSERT_EQ(std::isnan(ours.g2_err[i]), std::isnan(expected.g2_err[i])) << what << " " << i;
        if (!std::isnan(expected.g2_err[i])) {
            // The variance is a difference of sums of squares: where it is 0, sqrt(2^-53) is left.
            ASSERT_NEAR(ours.g2_err[i], expected.g2_err[i], 1e-6 * expected.g2_err[i] + 3e-8)
                << what << " " << i;
        }
    }
}

OneTime
curve(const reference::Run& run, const FrameWeights* weights = nullptr, bool dense = false) {
    const Partition partition = partition_of(run);
    MultitauRequest request = request_for(run.n_frames);
    request.weights = weights;
    const PixelSeries series =
        dense ? dense_series<std::uint16_t>(run, partition, false) : sparse_series(run, partition);
    return reduce(cpu::multitau(series, request).whole, partition);
}

std::vector<std::uint64_t> photons_of(const reference::Run& run) {
    std::vector<std::uint64_t> photons(static_cast<std::size_t>(run.n_frames), 0);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            if (run.static_label[static_cast<std::size_t>(p)] == 0) continue;
            photons[static_cast<std::size_t>(t)] += static_cast<std::uint64_t>(run.at(t, p));
        }
    }
    return photons;
}

/// Partitions of 60 pixels: one bin, one pixel a bin, uneven bins, masked pixels, bins with holes.
std::vector<std::pair<std::vector<int>, std::vector<int>>> partitions() {
    std::vector<std::pair<std::vector<int>, std::vector<int>>> all(5);
    for (int p = 0; p < 60; ++p) {
        all[0].first.push_back(1);
        all[0].second.push_back(1);
        all[1].first.push_back(p + 1);
        all[1].second.push_back(p / 7 + 1);
        const int uneven = p < 1 ? 1 : p < 5 ? 2 : p < 30 ? 3 : 4;
        all[2].first.push_back(uneven);
        all[2].second.push_back(uneven <= 2 ? 1 : uneven - 1);
        const bool masked = p % 5 == 2;
        all[3].first.push_back(masked ? 0 : p / 6 + 1);
        all[3].second.push_back(masked ? 0 : p / 12 + 1);
        all[4].first.push_back(2 * (p / 10) + 2);  // odd labels empty
        all[4].second.push_back(p < 30 ? 1 : 3);   // label 2 empty
    }
    return all;
}

TEST(Reduce, CurveAndErrorEqualTheReferenceOnManyPartitions) {
    std::uint64_t seed = 100;
    for (const auto& [s, d] : partitions()) {
        for (const double mean : {0.01, 0.5, 20.0}) {
            reference::Run run = poisson_run(515, 60, mean, ++seed);
            run.static_label = s;
            run.dynamic_label = d;
            const auto expected = reference::multitau(run);
            const std::string what = "seed " + std::to_string(seed);
            expect_same_curve(curve(run), expected, what + " events");
            expect_same_curve(curve(run, nullptr, true), expected, what + " rows");
        }
    }
}

TEST(Reduce, BinsWithoutSignalAreLeftOutAndCounted) {
    reference::Run run = poisson_run(100, 8, 1.0, 5, 2);  // 4 static, 2 dynamic bins
    for (std::int64_t t = 0; t < 100; ++t)
        at(run, t, 0) = at(run, t, 1) = 0;  // static bin 1 dark
    for (std::int64_t t = 50; t < 100; ++t)
        at(run, t, 7) = 0;
    const OneTime ours = curve(run);
    expect_same_curve(ours, reference::multitau(run), "dark bin");
    for (std::size_t lag = 0; lag < ours.static_without_signal.size(); ++lag) {
        EXPECT_EQ(ours.static_without_signal[lag], 1);
        EXPECT_GE(ours.pixels_without_signal[lag], 2);
    }
    EXPECT_EQ(ours.pixels_without_signal[0], 2);
    // Lag 80 (level 4): past are the first 16 frames, future the last ones, where pixel 7 is dark.
    EXPECT_EQ(ours.ladder.lags.back().frames, 80);
    EXPECT_EQ(ours.pixels_without_signal.back(), 3);
}

TEST(Reduce, NoSignalAtAllIsNan) {
    reference::Run run = empty_run(50, 4, 2);
    for (const double value : curve(run).g2)
        EXPECT_TRUE(std::isnan(value));
    at(run, 10, 1) = 1;
    const OneTime ours = curve(run);
    for (std::size_t i = 0; i < ours.g2.size(); ++i)
        EXPECT_TRUE(std::isnan(ours.g2_err[i])) << "one pixel with signal has no scatter";
}

TEST(Reduce, FrameNormalisationEqualsTheReference) {
    for (const double mean : {0.3, 5.0}) {
        reference::Run run = poisson_run(300, 40, mean, 77, 5);
        for (std::int64_t t = 0; t < run.n_frames; ++t) {  // a drifting, flickering source
            for (std::int64_t p = 0; p < run.n_pixels; ++p) {
                at(run, t, p) = std::round(at(run, t, p) * (1 + 0.01 * static_cast<double>(t)) *
                                           (t % 3 == 0 ? 2 : 1));
            }
        }
        const FrameWeights weights = make_frame_weights(photons_of(run));
        ASSERT_FALSE(weights.any_left_out);
        const auto expected = reference::multitau(reference::normalised(run));
        expect_same_curve(curve(run, &weights), expected, "events");
        expect_same_curve(curve(run, &weights, true), expected, "rows");
    }
}

/// Pairs in which a frame is left out contribute to neither sum nor number of pairs; blocks of
/// several frames are sums over those that are there.
TEST(Reduce, FramesLeftOutCountInNoAverageOfLevel0) {
    reference::Run run = poisson_run(200, 30, 2.0, 13, 3);
    for (const std::int64_t t : {0, 17, 18, 60, 199}) {
        for (std::int64_t p = 0; p < run.n_pixels; ++p)
            at(run, t, p) = 0;
    }
    const auto photons = photons_of(run);
    const FrameWeights weights = make_frame_weights(photons);
    ASSERT_TRUE(weights.any_left_out);
    const OneTime ours = curve(run, &weights);
    const OneTime rows = curve(run, &weights, true);
    for (std::size_t i = 0; ours.ladder.lags[i].level == 0; ++i) {
        const std::int64_t x = ours.ladder.lags[i].blocks;
        for (int d = 1; d <= 5; ++d) {
            double sum_g2 = 0;
            for (int s = 2 * d - 1; s <= 2 * d; ++s) {
                double G2 = 0, past = 0, future = 0, pairs = 0;
                for (std::int64_t t = 0; t + x < 200; ++t) {
                    const double a = weights.weight[static_cast<std::size_t>(t)];
                    const double b = weights.weight[static_cast<std::size_t>(t + x)];
                    if (a == 0 || b == 0) continue;
                    ++pairs;
                    for (std::int64_t p = 3 * (s - 1); p < 3 * s; ++p) {
                        G2 += a * run.at(t, p) * b * run.at(t + x, p) / 3;
                        past += a * run.at(t, p) / 3;
                        future += b * run.at(t + x, p) / 3;
                    }
                }
                sum_g2 += pairs * G2 / (past * future);
            }
            const std::size_t at_bin = i * 5 + static_cast<std::size_t>(d - 1);
            EXPECT_NEAR(ours.g2[at_bin], sum_g2 / 2, 1e-10) << "lag " << x << " bin " << d;
            EXPECT_NEAR(rows.g2[at_bin], sum_g2 / 2, 1e-10) << "lag " << x << " bin " << d;
        }
    }
    for (const double value : ours.g2)
        EXPECT_NEAR(value, 1, 0.5);
}

TEST(Reduce, ExcludedPixelsAreAsIfMasked) {
    reference::Run run = poisson_run(300, 40, 0.7, 3, 4);
    const Partition partition = partition_of(run);
    std::vector<std::uint8_t> excluded(40, 0);
    excluded[0] = excluded[3] = excluded[39] = 1;
    for (std::size_t p = 20; p < 24; ++p)
        excluded[p] = 1;  // a whole static bin
    MultitauRequest request = request_for(300);
    request.excluded = &excluded;
    reference::Run masked = run;
    for (std::size_t p = 0; p < 40; ++p) {
        if (excluded[p] == 1) masked.static_label[p] = masked.dynamic_label[p] = 0;
    }
    const auto expected = reference::multitau(masked);
    for (const bool dense : {false, true}) {
        const PixelSeries series = dense ? dense_series<std::uint8_t>(run, partition, false)
                                         : sparse_series(run, partition);
        const MultitauSums sums = cpu::multitau(series, request);
        expect_same_curve(reduce(sums.whole, partition), expected, dense ? "rows" : "events");
        EXPECT_EQ(sums.whole.n_pixels[5], 0);
        EXPECT_EQ(sums.pixel_photons[0], 0U);
    }
}

TEST(Reduce, PartialCurvesAreThoseOfTheSlicesAsRunsOfTheirOwn) {
    const reference::Run run = poisson_run(503, 24, 0.8, 8, 3);
    const Partition partition = partition_of(run);
    for (const bool cumulative : {false, true}) {
        for (const int n : {1, 2, 3, 7}) {
            MultitauRequest request = request_for(503);
            request.n_partial = n;
            request.partial_cumulative = cumulative;
            for (const bool dense : {false, true}) {
                const PixelSeries series = dense ? dense_series<std::uint8_t>(run, partition, false)
                                                 : sparse_series(run, partition);
                const MultitauSums sums = cpu::multitau(series, request);
                const PartialG2 partial = reduce_partial(sums, partition);
                const std::size_t n_values = partial.g2.size() / static_cast<std::size_t>(n);
                ASSERT_EQ(partial.end_frame.size(), static_cast<std::size_t>(n));
                for (int k = 0; k < n; ++k) {
                    const std::int64_t begin = cumulative ? 0 : 503 * k / n,
                                       end = 503 * (k + 1) / n;
                    EXPECT_EQ(partial.end_frame[static_cast<std::size_t>(k)], end);
                    const auto alone =
                        reference::multitau(reference::select(run, begin, end, 1, 1));
                    for (std::size_t i = 0; i < n_values; ++i) {
                        const double ours = partial.g2[static_cast<std::size_t>(k) * n_values + i];
                        const double err =
                            partial.g2_err[static_cast<std::size_t>(k) * n_values + i];
                        if (i >= alone.g2.size()) {
                            EXPECT_TRUE(std::isnan(ours)) << "beyond the slice";
                            EXPECT_TRUE(std::isnan(err));
                            continue;
                        }
                        EXPECT_NEAR(ours, alone.g2[i], rounding * alone.g2[i]);
                        EXPECT_NEAR(err, alone.g2_err[i], 1e-6 * alone.g2_err[i] + 3e-8);
                    }
                }
            }
        }
    }
}

TEST(Reduce, PermutingPixelsWithinABinChangesNothing) {
    const reference::Run run = poisson_run(400, 50, 0.4, 21, 10);
    reference::Run permuted = run;
    std::vector<std::int64_t> order(50);
    std::iota(order.begin(), order.end(), 0);
    std::mt19937_64 random(4);
    for (std::int64_t bin = 0; bin < 5; ++bin)
        std::shuffle(order.begin() + 10 * bin, order.begin() + 10 * (bin + 1), random);
    for (std::int64_t t = 0; t < 400; ++t) {
        for (std::int64_t p = 0; p < 50; ++p)
            at(permuted, t, p) = run.at(t, order[static_cast<std::size_t>(p)]);
    }
    const OneTime a = curve(run), b = curve(permuted);
    EXPECT_EQ(a.g2, b.g2);  // integer sums: bit for bit
    for (std::size_t i = 0; i < a.g2_err.size(); ++i)
        EXPECT_NEAR(a.g2_err[i], b.g2_err[i], 1e-9);
}

TEST(Reduce, ScalingTheCountsChangesNothing) {
    const reference::Run run = poisson_run(400, 50, 0.4, 22, 10);
    reference::Run scaled = run;
    for (double& count : scaled.counts)
        count *= 37;
    const OneTime a = curve(run), b = curve(scaled);
    for (std::size_t i = 0; i < a.g2.size(); ++i) {
        EXPECT_NEAR(a.g2[i], b.g2[i], 1e-14 * a.g2[i]);
        EXPECT_NEAR(a.g2_err[i], b.g2_err[i], 1e-9);
    }
}

TEST(Reduce, TimeReversalSwapsPastAndFuture) {
    const reference::Run run = poisson_run(64, 12, 0.9, 23, 3);  // a power of two: blocks agree
    reference::Run back = run;
    for (std::int64_t t = 0; t < 64; ++t) {
        for (std::int64_t p = 0; p < 12; ++p)
            at(back, t, p) = run.at(63 - t, p);
    }
    const Partition partition = partition_of(run);
    const auto a = cpu::multitau(sparse_series(run, partition), request_for(64));
    const auto b = cpu::multitau(sparse_series(back, partition), request_for(64));
    EXPECT_TRUE(a.whole.G2 == b.whole.G2);
    EXPECT_TRUE(a.whole.past == b.whole.future);
    EXPECT_TRUE(a.whole.future == b.whole.past);
}

/// Several passes over the file, a range of tiles each, are one piece, bit for bit.
TEST(Reduce, MergedTileRangesEqualOnePiece) {
    const reference::Run run = poisson_run(200, 2700, 0.3, 31, 100);  // 6 tiles
    const Partition partition = partition_of(run);
    ASSERT_EQ(n_tiles(partition), 6);
    const FrameWeights weights = make_frame_weights(photons_of(run));
    for (const bool weighted : {false, true}) {
        MultitauRequest request = request_for(200);
        request.weights = weighted ? &weights : nullptr;
        request.n_partial = 2;
        request.n_segments = 12;
        request.segment_frames = 16;
        const auto sums_of = [&](std::int64_t first, std::int64_t end, int threads) {
            SeriesRange range;
            range.first_tile = first;
            range.end_tile = end;
            request.threads = threads;
            return cpu::multitau(sparse_series(run, partition, range), request);
        };
        const MultitauSums whole = sums_of(0, 6, 1);
        for (const std::vector<std::int64_t>& cuts :
             {std::vector<std::int64_t>{0, 1, 6}, {0, 2, 4, 6}, {0, 1, 2, 3, 4, 5, 6}}) {
            MultitauSums merged = sums_of(cuts[0], cuts[1], 2);
            for (std::size_t i = 1; i + 1 < cuts.size(); ++i)
                merged.merge(sums_of(cuts[i], cuts[i + 1], 3));
            EXPECT_TRUE(merged.whole.G2 == whole.whole.G2);
            EXPECT_TRUE(merged.whole.past == whole.whole.past);
            EXPECT_TRUE(merged.whole.future == whole.whole.future);
            EXPECT_EQ(merged.pixel_photons, whole.pixel_photons);
            EXPECT_EQ(merged.segment_photons, whole.segment_photons);
            EXPECT_EQ(merged.events_used, whole.events_used);
            const OneTime a = reduce(whole.whole, partition), b = reduce(merged.whole, partition);
            EXPECT_EQ(a.g2, b.g2);
            EXPECT_EQ(a.g2_err, b.g2_err);
            const PartialG2 c = reduce_partial(whole, partition);
            const PartialG2 d = reduce_partial(merged, partition);
            EXPECT_TRUE(std::equal(c.g2.begin(), c.g2.end(), d.g2.begin(), [](double x, double y) {
                return x == y || (std::isnan(x) && std::isnan(y));
            }));
        }
    }
}

/// A monitor leaves out frames that have photons: they must not show at any level.
TEST(Reduce, LitFramesLeftOutEqualTheReference) {
    for (const double mean : {0.03, 0.9, 300.0}) {
        const reference::Run run = poisson_run(301, 24, mean, 91, 3);
        FrameWeights weights;
        weights.any_left_out = true;
        for (std::int64_t t = 0; t < run.n_frames; ++t) {
            const bool out = t == 0 || t == 300 || t % 13 == 5 || (t >= 64 && t < 96);
            weights.weight.push_back(out ? 0 : 0.7 + 0.01 * static_cast<double>(t % 50));
        }
        const auto expected = reference::weighted(run, weights.weight);
        const Partition partition = partition_of(run);
        const auto expect_same = [&](const PixelSeries& series, double neighbours) {
            MultitauRequest request = request_for(run.n_frames);
            request.weights = &weights;
            request.dense_neighbours = neighbours;
            const OneTime ours = reduce(cpu::multitau(series, request).whole, partition);
            ASSERT_EQ(ours.pairs.size(), expected.pairs.size());
            for (std::size_t i = 0; i < ours.pairs.size(); ++i)
                EXPECT_NEAR(ours.pairs[i], expected.pairs[i], 1e-12 * expected.pairs[i]);
            ASSERT_EQ(ours.g2.size(), expected.g2.size());
            for (std::size_t i = 0; i < ours.g2.size(); ++i) {
                ASSERT_EQ(std::isnan(ours.g2[i]), std::isnan(expected.g2[i])) << mean << " " << i;
                if (!std::isnan(ours.g2[i])) {
                    EXPECT_NEAR(ours.g2[i], expected.g2[i], rounding * expected.g2[i]) << i;
                }
            }
        };
        for (const double neighbours : {1e-9, 0.7, 1e9})
            expect_same(sparse_series(run, partition), neighbours);
        expect_same(dense_series<std::uint16_t>(run, partition, false), 0);
    }
}

TEST(FrameWeights, AreMeanOverPhotons) {
    const FrameWeights weights = make_frame_weights({2, 0, 4, 6});
    EXPECT_TRUE(weights.any_left_out);
    EXPECT_EQ(weights.weight, (std::vector<double>{2, 0, 1, 4.0 / 6}));
    EXPECT_EQ(make_frame_weights({0, 0}).weight, (std::vector<double>{0, 0}));
    EXPECT_FALSE(make_frame_weights({5}).any_left_out);
}

}  // namespace
}  // namespace xpcs::test
