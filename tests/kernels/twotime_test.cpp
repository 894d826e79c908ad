// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/twotime.hpp"

#include "kernels/twotime_multitau.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <mutex>
#include <set>

#include "reference/twotime.hpp"
#include "series_fixture.hpp"

namespace xpcs::test {

namespace {

/// x is a float (6e-8), and so is a stored C (6e-8); dense sums over 64 floats add a few 1e-7.
constexpr double close = 1e-6;

struct Map {
    TwotimeBin bin;
    std::vector<float> c;  ///< [T][T] as stored
    std::int64_t n_tiles = 0;
    float at(std::int64_t t1, std::int64_t t2, std::int64_t T) const {
        return c[static_cast<std::size_t>(t1 * T + t2)];
    }
};

TwotimeRequest request_of(std::int64_t n_frames, TwotimeSmooth smooth, TwotimeEngine engine) {
    TwotimeRequest request;
    request.frames.n_frames = n_frames;
    request.smooth = smooth;
    request.engine = engine;
    return request;
}

Map correlate(const PixelSeries& series, std::uint32_t bin, TwotimeRequest request) {
    const std::int64_t T = request.frames.n_frames;
    const std::int64_t side = twotime_tile_side(T);
    Map map;
    map.c.assign(static_cast<std::size_t>(T * T), -1.0F);
    std::mutex mutex;
    request.tile = [&](const TwotimeTile& tile) {
        const std::lock_guard held(mutex);
        ++map.n_tiles;
        for (std::int64_t r = 0; r < side && tile.first_row + r < T; ++r) {
            for (std::int64_t c = 0; c < side && tile.first_col + c < T; ++c) {
                map.c[static_cast<std::size_t>((tile.first_row + r) * T + tile.first_col + c)] =
                    tile.values[r * side + c];
            }
        }
    };
    map.bin = cpu::twotime(series, bin, request);
    return map;
}

void expect_value(double found, double expected, const std::string& where) {
    if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(found)) << where << ": " << found;
    } else {
        EXPECT_NEAR(found, expected, close * std::max(1.0, std::abs(expected))) << where;
    }
}

void expect_same(const Map& map, const reference::TwoTime& expected) {
    const std::int64_t T = expected.n_frames;
    const std::int64_t side = twotime_tile_side(T);
    const std::int64_t blocks = (T + side - 1) / side;
    EXPECT_EQ(map.n_tiles, blocks * (blocks + 1) / 2);
    for (std::int64_t t1 = 0; t1 < T; ++t1) {
        for (std::int64_t t2 = t1; t2 < T; ++t2) {
            expect_value(map.at(t1, t2, T),
                         expected.at(t1, t2),
                         "C(" + std::to_string(t1) + "," + std::to_string(t2) + ")");
            if (t2 > t1 && t2 / side == t1 / side) {
                EXPECT_EQ(map.at(t2, t1, T), 0.0F);
            }
        }
    }
    ASSERT_EQ(map.bin.g2.size(), expected.g2.size());
    for (std::size_t k = 0; k < expected.g2.size(); ++k)
        expect_value(map.bin.g2[k], expected.g2[k], "g2 " + std::to_string(k));
    ASSERT_EQ(map.bin.g2_segments.size(), expected.segments.size());
    for (std::size_t i = 0; i < expected.segments.size(); ++i)
        expect_value(map.bin.g2_segments[i], expected.segments[i], "segment " + std::to_string(i));
}

/// The golden series of docs/numerics.md, in one dynamic bin.
reference::Run golden_run() {
    reference::Run run = empty_run(20, 6, 2);
    std::uint64_t x = 12345;
    for (double& count : run.counts) {
        x = (1103515245 * x + 12345) % (std::uint64_t{1} << 31);
        count = static_cast<double>((x >> 16) % 4);
    }
    run.dynamic_label = {1, 1, 1, 1, 1, 1};
    return run;
}

struct Case {
    TwotimeSmooth smooth;
    reference::Smooth expected;
};
constexpr Case smoothings[] = {{TwotimeSmooth::static_bin, reference::Smooth::static_bin},
                               {TwotimeSmooth::dynamic_bin, reference::Smooth::dynamic_bin},
                               {TwotimeSmooth::time, reference::Smooth::time},
                               {TwotimeSmooth::none, reference::Smooth::none}};
constexpr TwotimeEngine engines[] = {
    TwotimeEngine::automatic, TwotimeEngine::sparse, TwotimeEngine::dense};

/// Frames with sparse and with hot pixels, so that the automatic choice uses both engines.
reference::Run mixed_run(std::int64_t n_frames, std::int64_t n_pixels, std::uint64_t seed) {
    reference::Run run = poisson_run(n_frames, n_pixels, 0.1, seed, 5);
    std::mt19937_64 random(seed + 1);
    std::poisson_distribution<int> hot(3.0);
    for (std::int64_t t = 0; t < n_frames; ++t)
        for (std::int64_t p = 0; p < n_pixels; p += 4)
            at(run, t, p) = hot(random);
    return run;
}

}  // namespace

TEST(Twotime, GoldenVector) {
    const reference::Run run = golden_run();
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    for (const TwotimeEngine engine : engines) {
        const Map map = correlate(series, 0, request_of(20, TwotimeSmooth::none, engine));
        EXPECT_NEAR(map.at(0, 0, 20), 1.836734694, 2e-7);
        EXPECT_NEAR(map.at(0, 1, 20), 0.666666667, 1e-7);
        EXPECT_NEAR(map.at(0, 19, 20), 0.857142857, 1e-7);
        EXPECT_NEAR(map.at(5, 7, 20), 0.928571429, 1e-7);
        EXPECT_NEAR(map.bin.g2[0], 1.609354132, 1e-9);
        EXPECT_NEAR(map.bin.g2[1], 0.939985112, 1e-9);
        EXPECT_NEAR(map.bin.g2[2], 0.897489680, 1e-9);
        EXPECT_NEAR(map.bin.g2[19], 0.857142857, 1e-9);
        EXPECT_EQ(map.bin.photons, 173);
        EXPECT_EQ(map.bin.n_static, 3);
    }
}

TEST(Twotime, EnginesAndSmoothingsMatchTheReference) {
    const reference::Run run = mixed_run(70, 40, 11);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    for (const Case& one : smoothings) {
        for (std::uint32_t bin = 0; bin < partition.n_dynamic; ++bin) {
            const auto expected = reference::twotime(run, static_cast<int>(bin) + 1, one.expected);
            for (const TwotimeEngine engine : engines) {
                SCOPED_TRACE("bin " + std::to_string(bin));
                const Map map = correlate(series, bin, request_of(70, one.smooth, engine));
                expect_same(map, expected);
                if (engine == TwotimeEngine::sparse) {
                    EXPECT_EQ(map.bin.dense_pixels, 0);
                }
                if (engine == TwotimeEngine::dense) {
                    EXPECT_EQ(map.bin.dense_pixels, map.bin.n_pixels);
                }
                if (engine == TwotimeEngine::automatic) {
                    EXPECT_GT(map.bin.dense_pixels, 0);
                    EXPECT_LT(map.bin.dense_pixels, map.bin.n_pixels);
                }
            }
        }
    }
}

TEST(Twotime, SquaresOfManyFramesFitTogether) {
    for (const std::int64_t T : {255, 256, 257, 513, 700}) {
        SCOPED_TRACE(T);
        const reference::Run run = mixed_run(T, 12, static_cast<std::uint64_t>(T));
        const Partition partition = partition_of(run);
        const PixelSeries series = sparse_series(run, partition);
        const auto expected = reference::twotime(run, 1, reference::Smooth::none);
        expect_same(
            correlate(series, 0, request_of(T, TwotimeSmooth::none, TwotimeEngine::automatic)),
            expected);
    }
}

TEST(Twotime, ManyDensePixelsAreAddedUpInParts) {
    const reference::Run run = poisson_run(33, 600, 2.0, 5, 300);
    const Partition partition = partition_of(run);
    const PixelSeries series = dense_series<std::uint8_t>(run, partition, false);
    const auto expected = reference::twotime(run, 1, reference::Smooth::static_bin);
    const Map map =
        correlate(series, 0, request_of(33, TwotimeSmooth::static_bin, TwotimeEngine::automatic));
    EXPECT_EQ(map.bin.dense_pixels, 600);
    expect_same(map, expected);
}

TEST(Twotime, EmptyFramesAreNanAndLeftOutOfTheMeans) {
    for (const std::int64_t empty : {0, 7, 29}) {
        reference::Run run = mixed_run(30, 10, 3);
        for (std::int64_t p = 0; p < run.n_pixels; ++p)
            at(run, empty, p) = 0;
        const Partition partition = partition_of(run);
        const PixelSeries series = sparse_series(run, partition);
        for (const TwotimeEngine engine : engines) {
            const Map map = correlate(series, 0, request_of(30, TwotimeSmooth::static_bin, engine));
            EXPECT_EQ(map.bin.empty_frames, 1);
            for (std::int64_t t = 0; t < 30; ++t) {
                EXPECT_TRUE(std::isnan(map.at(std::min(t, empty), std::max(t, empty), 30)));
            }
            expect_same(map, reference::twotime(run, 1, reference::Smooth::static_bin));
        }
    }
}

TEST(Twotime, NoCountsAtAllIsNanEverywhere) {
    const reference::Run run = empty_run(12, 4, 4);
    const Partition partition = partition_of(run);
    const Map map = correlate(sparse_series(run, partition),
                              0,
                              request_of(12, TwotimeSmooth::static_bin, TwotimeEngine::automatic));
    EXPECT_EQ(map.bin.empty_frames, 12);
    for (const double g2 : map.bin.g2)
        EXPECT_TRUE(std::isnan(g2));
}

TEST(Twotime, AStaticBinWithoutCountsTakesNoPart) {
    reference::Run run = poisson_run(25, 10, 2.0, 9, 5);
    for (std::int64_t p = 5; p < 10; ++p)
        at(run, 4, p) = 0;  // static bin 2 is dark in frame 4, and bin 1 is not
    const Partition partition = partition_of(run);
    expect_same(correlate(sparse_series(run, partition),
                          0,
                          request_of(25, TwotimeSmooth::static_bin, TwotimeEngine::sparse)),
                reference::twotime(run, 1, reference::Smooth::static_bin));
}

TEST(Twotime, FramesAreSelectedAndAveraged) {
    const reference::Run run = mixed_run(60, 10, 21);
    const reference::Run selected = reference::select(run, 5, 60, 2, 3);
    const Partition partition = partition_of(run);
    const auto expected = reference::twotime(selected, 1, reference::Smooth::static_bin);
    for (const bool dense : {false, true}) {
        const PixelSeries series = dense ? dense_series<std::uint16_t>(run, partition, false)
                                         : sparse_series(run, partition);
        TwotimeRequest request = request_of(9, TwotimeSmooth::static_bin, TwotimeEngine::automatic);
        request.frames = {5, 2, 3, 9};
        expect_same(correlate(series, 0, request), expected);
    }
}

TEST(Twotime, ExcludedPixelsTakeNoPart) {
    reference::Run run = mixed_run(20, 10, 8);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    std::vector<std::uint8_t> excluded(10, 0);
    excluded[3] = 1;
    TwotimeRequest request = request_of(20, TwotimeSmooth::static_bin, TwotimeEngine::automatic);
    request.excluded = &excluded;
    run.dynamic_label[3] = 0;
    run.static_label[3] = 0;
    expect_same(correlate(series, 0, request),
                reference::twotime(run, 1, reference::Smooth::static_bin));
}

TEST(Twotime, SameBitsForAnyNumberOfThreads) {
    const reference::Run run = mixed_run(600, 30, 4);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    TwotimeRequest request = request_of(600, TwotimeSmooth::static_bin, TwotimeEngine::automatic);
    request.threads = 1;
    const Map one = correlate(series, 0, request);
    for (const int threads : {2, 3, 8}) {
        request.threads = threads;
        const Map many = correlate(series, 0, request);
        EXPECT_EQ(one.c, many.c);
        EXPECT_EQ(one.bin.g2, many.bin.g2);
        EXPECT_EQ(one.bin.g2_segments, many.bin.g2_segments);
    }
}

TEST(Twotime, FewFramesHaveNoSegments) {
    const reference::Run run = poisson_run(4, 10, 2.0, 2, 5);
    const Partition partition = partition_of(run);
    const Map map = correlate(sparse_series(run, partition),
                              0,
                              request_of(4, TwotimeSmooth::none, TwotimeEngine::automatic));
    EXPECT_EQ(map.bin.segment_frames, 0);
    EXPECT_TRUE(map.bin.g2_segments.empty());
    expect_same(map, reference::twotime(run, 1, reference::Smooth::none));
}

TEST(TwotimeMultitau, LevelsAndChannels) {
    const auto levels = band_levels(100, 4);
    ASSERT_EQ(levels.size(), 4U);  // at level 4 there are 6 blocks, and channel 8 is the first
    EXPECT_EQ(levels[0].channels.size(), 15U);
    EXPECT_EQ(levels[1].channels.front(), 8);
    EXPECT_EQ(levels[1].channels.back(), 15);
    EXPECT_EQ(levels[3].n_blocks, 12);
    EXPECT_EQ(levels[3].channels.back(), 11);
    EXPECT_TRUE(band_levels(1, 4).empty());
    EXPECT_EQ(band_levels(2, 4).front().channels, std::vector<std::int32_t>{1});
}

TEST(TwotimeMultitau, MatchesTheReference) {
    for (const std::int64_t T : {17, 100, 4500}) {
        reference::Run run = poisson_run(T, 6, 0.3, static_cast<std::uint64_t>(T), 3);
        for (std::int64_t p = 0; p < run.n_pixels; ++p)
            at(run, 5, p) = 0;
        const Partition partition = partition_of(run);
        const PixelSeries series = sparse_series(run, partition);
        for (const int depth : {2, 4}) {
            BandRequest request;
            request.frames.n_frames = T;
            request.depth = depth;
            std::size_t n_levels = 0;
            std::vector<double> means;
            request.level = [&](const BandLevel& level, const std::vector<float>& c2) {
                EXPECT_EQ(level.level, static_cast<int>(n_levels++));
                for (std::size_t k = 0; k < level.channels.size(); ++k) {
                    const auto expected = reference::band(run, 1, level.level, level.channels[k]);
                    const float* found = c2.data() + k * static_cast<std::size_t>(level.n_blocks);
                    double sum = 0, n = 0;
                    for (std::size_t j = 0; j < static_cast<std::size_t>(level.n_blocks); ++j) {
                        if (j >= expected.size()) {
                            ASSERT_TRUE(std::isnan(found[j]));
                            continue;
                        }
                        expect_value(found[j], expected[j], "block " + std::to_string(j));
                        if (!std::isnan(expected[j])) {
                            sum += expected[j];
                            n += 1;
                        }
                    }
                    means.push_back(sum / n);
                }
            };
            const BandBin bin = cpu::twotime_multitau(series, 0, request);
            EXPECT_EQ(n_levels, band_levels(T, depth).size());
            ASSERT_EQ(bin.g2.size(), means.size());
            for (std::size_t i = 0; i < means.size(); ++i) {
                if (!std::isnan(means[i])) {
                    EXPECT_NEAR(bin.g2[i], means[i], 1e-6 * (1 + means[i]));
                }
                if (i > 0) {
                    EXPECT_GT(bin.lag[i], bin.lag[i - 1]);
                }
            }
        }
    }
}

TEST(TwotimeMultitau, SameBitsForAnyNumberOfThreads) {
    const reference::Run run = poisson_run(9000, 20, 0.2, 77, 20);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    const auto all = [&](int threads) {
        BandRequest request;
        request.frames.n_frames = 9000;
        request.threads = threads;
        std::vector<float> values;
        request.level = [&](const BandLevel&, const std::vector<float>& c2) {
            for (const float v : c2)
                values.push_back(std::isnan(v) ? -1.0F : v);
        };
        cpu::twotime_multitau(series, 0, request);
        return values;
    };
    EXPECT_EQ(all(1), all(4));
}

}  // namespace xpcs::test
