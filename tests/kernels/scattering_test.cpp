// SPDX-License-Identifier: BSD-3-Clause
// Image, curve, segments and intensity against their definitions.
#include "kernels/scattering.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "series_fixture.hpp"

namespace xpcs::test {
namespace {

TEST(Segments, AreAtMost16OfTwoToThePFrames) {
    for (std::int64_t n = 1; n < 5000; ++n) {
        const SegmentPlan plan = plan_segments(n);
        EXPECT_EQ(plan.frames & (plan.frames - 1), 0);
        EXPECT_EQ(plan.n_segments, n / plan.frames);
        EXPECT_LE(plan.n_segments, 16);
        if (n > 16) {
            EXPECT_GE(plan.n_segments, 8);
            EXPECT_GT(n / (plan.frames / 2), 16) << "p is the smallest";
        } else {
            EXPECT_EQ(plan.n_segments, n);
        }
    }
    EXPECT_EQ(plan_segments(100000).n_segments, 12);
    EXPECT_EQ(plan_segments(100000).frames, 8192);
}

class MeanScattering : public ::testing::TestWithParam<int> {};

TEST_P(MeanScattering, EqualsTheDefinitions) {
    const int average = GetParam();
    reference::Run raw = poisson_run(330, 40, 1.3, 9, 5);
    raw.static_label[7] = raw.dynamic_label[7] = 0;  // masked
    const Partition partition = partition_of(raw);
    const reference::Run run = reference::select(raw, 0, 330, 1, average);
    MultitauRequest request = request_for(run.n_frames);
    request.frames.average = average;
    const SegmentPlan segments = plan_segments(run.n_frames);
    request.n_segments = segments.n_segments;
    request.segment_frames = segments.frames;
    for (const bool dense : {false, true}) {
        const PixelSeries series = dense ? dense_series<std::uint16_t>(raw, partition, false)
                                         : sparse_series(raw, partition);
        const MultitauSums sums = cpu::multitau(series, request);
        std::vector<std::uint64_t> photons(static_cast<std::size_t>(run.n_frames), 0);
        for (std::int64_t t = 0; t < run.n_frames; ++t) {
            for (std::int64_t p = 0; p < 40; ++p) {
                if (p != 7)
                    photons[static_cast<std::size_t>(t)] +=
                        static_cast<std::uint64_t>(run.at(t, p));
            }
        }
        const Scattering out = make_scattering(partition, sums, photons, segments, average);

        const auto mean = [&](std::int64_t p, std::int64_t begin, std::int64_t end) {
            double sum = 0;
            for (std::int64_t t = begin; t < end; ++t)
                sum += run.at(t, p) / average;
            return sum / static_cast<double>(end - begin);
        };
        for (std::int64_t p = 0; p < 40; ++p) {
            const double expected = p == 7 ? 0 : mean(p, 0, run.n_frames);
            EXPECT_NEAR(out.saxs_2d[static_cast<std::size_t>(p)], expected, 1e-12);
        }
        for (int s = 0; s < 8; ++s) {
            const auto bin_mean = [&](std::int64_t begin, std::int64_t end) {
                double sum = 0;
                int n = 0;
                for (std::int64_t p = 5 * s; p < 5 * (s + 1); ++p) {
                    if (p == 7) continue;
                    sum += mean(p, begin, end);
                    ++n;
                }
                return sum / n;
            };
            EXPECT_NEAR(out.saxs_1d[static_cast<std::size_t>(s)], bin_mean(0, run.n_frames), 1e-12);
            ASSERT_EQ(out.n_segments, segments.n_segments);
            for (int k = 0; k < segments.n_segments; ++k) {
                EXPECT_NEAR(out.saxs_1d_segments[static_cast<std::size_t>(k * 8 + s)],
                            bin_mean(k * segments.frames, (k + 1) * segments.frames),
                            1e-12);
            }
        }
        ASSERT_EQ(out.intensity.size(), photons.size());
        for (std::size_t t = 0; t < photons.size(); ++t) {
            EXPECT_NEAR(
                out.intensity[t], static_cast<double>(photons[t]) / (39.0 * average), 1e-12);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Averages, MeanScattering, testing::Values(1, 2, 3));

TEST(Segments, TheLastOfARunWithoutMultitauTakesTheRest) {
    EXPECT_EQ(plan_twotime_segments(9).n_segments, 0);
    const reference::Run run = poisson_run(327, 12, 1.1, 6, 3);
    const Partition partition = partition_of(run);
    const SegmentPlan plan = plan_twotime_segments(327);
    ASSERT_EQ(plan.n_segments, 10);
    ASSERT_EQ(plan.frames, 32);
    FrameMap frames;
    frames.n_frames = 327;
    const std::vector<std::uint8_t> none(12, 0);
    const MultitauSums sums = count_photons(sparse_series(run, partition), frames, none, plan, 1);
    const std::vector<std::uint64_t> frame_photons(327, 1);
    const Scattering out = make_scattering(partition, sums, frame_photons, plan, 1);
    for (std::int64_t k = 0; k < 10; ++k) {
        const std::int64_t end = k == 9 ? 327 : 32 * (k + 1);
        for (std::int64_t s = 0; s < 4; ++s) {
            double photons = 0;
            for (std::int64_t t = 32 * k; t < end; ++t) {
                for (std::int64_t p = 3 * s; p < 3 * (s + 1); ++p)
                    photons += run.at(t, p);
            }
            EXPECT_NEAR(out.saxs_1d_segments[static_cast<std::size_t>(4 * k + s)],
                        photons / (3 * static_cast<double>(end - 32 * k)),
                        1e-12)
                << "segment " << k;
        }
    }
}

TEST(Scattering, BinWithoutPixelsIsNanAndExcludedPixelsAreNot) {
    reference::Run run = poisson_run(64, 12, 1.0, 4, 3);
    for (std::size_t p = 3; p < 6; ++p)
        run.static_label[p] = run.dynamic_label[p] = 0;
    const Partition partition = partition_of(run);
    std::vector<std::uint8_t> excluded(9, 0);
    excluded[0] = 1;
    MultitauRequest request = request_for(64);
    request.excluded = &excluded;
    const SegmentPlan plan = plan_segments(64);
    const std::vector<std::uint64_t> frame_photons(64, 8);
    EXPECT_THROW(make_scattering(partition,
                                 cpu::multitau(sparse_series(run, partition), request),
                                 frame_photons,
                                 plan,
                                 1),
                 std::invalid_argument)
        << "segments that were not asked for";
    request.n_segments = plan.n_segments;
    request.segment_frames = plan.frames;
    const MultitauSums sums = cpu::multitau(sparse_series(run, partition), request);
    const Scattering out = make_scattering(partition, sums, frame_photons, plan, 1);
    EXPECT_TRUE(std::isnan(out.saxs_1d[1]));
    EXPECT_EQ(out.saxs_2d[0], 0);
    double expected = 0;
    for (std::int64_t t = 0; t < 64; ++t)
        expected += (run.at(t, 1) + run.at(t, 2)) / 128;
    EXPECT_NEAR(out.saxs_1d[0], expected, 1e-12);
    EXPECT_NEAR(out.intensity[0], 1.0, 1e-12) << "8 photons on the 8 pixels that take part";
}

}  // namespace
}  // namespace xpcs::test
