// SPDX-License-Identifier: BSD-3-Clause
// reference = CPU: every integer sum of every pixel, on series of many shapes.
#include "kernels/multitau.hpp"

#include "kernels/reduce.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "empty_windows.hpp"
#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

/// Every pixel is a static bin of its own here, so that the bin sums are the pixel sums.
void expect_pixel_sums(const reference::Run& run,
                       const MultitauSums& sums,
                       const std::string& what) {
    const auto n_lags = sums.whole.pairs.size();
    for (std::int64_t p = 0; p < run.n_pixels; ++p) {
        const reference::Sums expected = reference::pixel_sums(run, p);
        ASSERT_EQ(expected.G2.size(), n_lags);
        for (std::size_t i = 0; i < n_lags; ++i) {
            const std::size_t at = static_cast<std::size_t>(p) * n_lags + i;
            const std::string where = what + ", pixel " + std::to_string(p) + ", lag " +
                                      std::to_string(sums.whole.ladder.lags[i].frames);
            ASSERT_EQ(static_cast<double>(sums.whole.G2[at]), expected.G2[i]) << where;
            ASSERT_EQ(static_cast<double>(sums.whole.past[at]), expected.past[i]) << where;
            ASSERT_EQ(static_cast<double>(sums.whole.future[at]), expected.future[i]) << where;
        }
    }
}

/// All ways in: events, frames as events, frames as rows; several thresholds of the dense level.
void expect_all_engines(const reference::Run& run, const std::string& what) {
    const Partition partition = partition_of(run);
    MultitauRequest request = request_for(run.n_frames);
    request.threads = 2;
    const PixelSeries events = sparse_series(run, partition);
    for (const double neighbours : {1e-9, 0.1, 0.7, 5.0, 1e9}) {
        request.dense_neighbours = neighbours;
        expect_pixel_sums(run,
                          cpu::multitau(events, request),
                          what + ", events, neighbours " + std::to_string(neighbours));
    }
    request.dense_neighbours = 0;
    expect_pixel_sums(run,
                      cpu::multitau(dense_series<std::uint16_t>(run, partition, true), request),
                      what + ", frames as events");
    expect_pixel_sums(run,
                      cpu::multitau(dense_series<std::uint32_t>(run, partition, false), request),
                      what + ", rows");
}

class Lengths : public testing::TestWithParam<std::int64_t> {};

TEST_P(Lengths, SparseSeriesEqualsTheReference) {
    for (const double mean : {0.003, 0.05, 0.4, 3.0}) {
        const auto seed =
            static_cast<std::uint64_t>(static_cast<double>(GetParam()) * 1000 + mean * 100);
        expect_all_engines(poisson_run(GetParam(), 13, mean, seed),
                           "T " + std::to_string(GetParam()) + ", mean " + std::to_string(mean) +
                               ", seed " + std::to_string(seed));
    }
}

INSTANTIATE_TEST_SUITE_P(Multitau,
                         Lengths,
                         testing::Values(2,
                                         3,
                                         4,
                                         5,
                                         7,
                                         8,
                                         9,
                                         15,
                                         16,
                                         17,
                                         31,
                                         32,
                                         33,
                                         63,
                                         64,
                                         65,
                                         100,
                                         127,
                                         129,
                                         257,
                                         1000,
                                         1025,
                                         2049,
                                         4099));

TEST(Multitau, NumbersOfEventsAroundAVectorEqualTheReference) {
    for (const int n_events : {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65}) {
        reference::Run run = empty_run(3001, 6);
        std::mt19937_64 random(static_cast<std::uint64_t>(n_events) + 77);
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            for (int e = 0; e < n_events; ++e) {
                at(run, static_cast<std::int64_t>(random() % 3001), p) += 1;
            }
        }
        expect_all_engines(run, std::to_string(n_events) + " events");
    }
}

TEST(Multitau, PairsAroundPowersOfTwoEqualTheReference) {
    // Eight events are correlated pair by pair on every level, however far apart they are.
    std::vector<std::int64_t> distances;
    for (int k = 3; k <= 16; ++k) {
        for (const std::int64_t off : {-1, 0, 1})
            distances.push_back((std::int64_t{1} << k) + off);
    }
    reference::Run run = empty_run((std::int64_t{1} << 17) + 3, 8);
    for (std::size_t i = 0; i < distances.size(); ++i) {
        const auto p = static_cast<std::int64_t>(i % 8);
        at(run, 5 * p + 1, p) = 2;
        at(run, 5 * p + 1 + distances[i], p) += 1 + static_cast<double>(i % 3);
    }
    const Partition partition = partition_of(run);
    expect_pixel_sums(run,
                      cpu::multitau(sparse_series(run, partition), request_for(run.n_frames)),
                      "powers of two");
}

TEST(Multitau, WeightedWindowsWithoutPhotonsAreExactlyZero) {
    expect_empty_windows_are_zero(
        [](const auto& series, const auto& request) { return cpu::multitau(series, request); });
}

TEST(Multitau, TilesAreAddedUpBundleByBundle) {
    const std::int64_t n_pixels = bundle_tiles * tile_pixels + 3 * tile_pixels + 20;
    reference::Run run = empty_run(20, n_pixels, 40);
    std::mt19937_64 random(5);
    for (std::int64_t i = 0; i < 4 * n_pixels; ++i) {
        at(run,
           static_cast<std::int64_t>(random() % 20),
           static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n_pixels))) += 1;
    }
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    const FrameWeights weights = make_frame_weights(series.frame_photons().to_vector());
    MultitauRequest request = request_for(20);
    request.weights = &weights;
    const MultitauSums whole = cpu::multitau(series, request);
    const auto bundles = [](const std::vector<PackedTile>& tiles) {
        std::vector<std::int64_t> found;
        for (const PackedTile& tile : tiles)
            found.push_back(tile.bundle);
        return found;
    };
    EXPECT_EQ(bundles(whole.whole.ratio_tiles), (std::vector<std::int64_t>{0, 1}));
    EXPECT_EQ(bundles(whole.whole.weighted_tiles), (std::vector<std::int64_t>{0, 1}));
    // A range that begins within a bundle leaves its first tiles as they are, until those before
    // them are there: the sums are the same bit for bit.
    SeriesRange first, second;
    first.end_tile = second.first_tile = 50;
    MultitauSums parts = cpu::multitau(sparse_series(run, partition, first), request);
    const MultitauSums later = cpu::multitau(sparse_series(run, partition, second), request);
    EXPECT_EQ(parts.whole.ratio_tiles.size(), 1U);
    EXPECT_EQ(later.whole.ratio_tiles.size(), 14U + 1U);
    parts.merge(later);
    EXPECT_EQ(bundles(parts.whole.ratio_tiles), (std::vector<std::int64_t>{0, 1}));
    EXPECT_EQ(bundles(parts.whole.weighted_tiles), (std::vector<std::int64_t>{0, 1}));
    const OneTime a = reduce(whole.whole, partition), b = reduce(parts.whole, partition);
    EXPECT_EQ(std::memcmp(a.g2.data(), b.g2.data(), 8 * a.g2.size()), 0);
    EXPECT_EQ(std::memcmp(a.g2_err.data(), b.g2_err.data(), 8 * a.g2_err.size()), 0);
}

TEST(Multitau, BurstsAndEmptyEndsEqualTheReference) {
    reference::Run run = empty_run(6000, 5);
    for (std::int64_t t = 0; t < 200; ++t)
        at(run, t, 0) = 1;
    for (std::int64_t t = 5700; t < 6000; ++t)
        at(run, t, 1) = 2;
    for (std::int64_t t = 3000; t < 3400; ++t)
        at(run, t, 2) = 1 + static_cast<double>(t % 3);
    at(run, 0, 3) = 1;
    at(run, 5999, 3) = 7;
    expect_all_engines(run, "bursts");
}

TEST(Multitau, HotAndBrightPixelsEqualTheReference) {
    reference::Run run = poisson_run(5003, 6, 0.02, 5);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        at(run, t, 0) = 1;                              // fires in every frame
        at(run, t, 1) = static_cast<double>(t % 4096);  // every 12-bit count
        at(run, t, 2) = t % 7 == 0 ? 4095 : 0;
        at(run, t, 3) = 300;  // total above 16 bits
    }
    expect_all_engines(run, "hot pixels");
}

TEST(Multitau, SumsBeyond32BitsEqualTheReference) {
    reference::Run run = empty_run(3000, 3);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        at(run, t, 0) = 4095;
        at(run, t, 1) = t % 2 == 0 ? 65000 : 1;
        at(run, t, 2) = t % 100 == 0 ? 30000 : 0;
    }
    expect_all_engines(run, "bright");
}

TEST(Multitau, SumsBeyond64BitsAreExact) {
    // 400 frames of 4e9: G2 of level 0 is 399 * 1.6e19, above 2^64.
    const Partition partition = make_partition(1, 1, {1}, {1}, 1, 1);
    PieceScratch scratch;
    PixelSeries series(partition, {}, true);
    DenseChunk chunk;
    chunk.n_frames = 400;
    chunk.n_pixels = 1;
    chunk.sample_bytes = 4;
    chunk.allocate(1600);
    std::fill_n(reinterpret_cast<std::uint32_t*>(chunk.store.data()), 400, 4000000000U);
    series.append(make_piece(chunk, partition, {}, false, scratch));
    const MultitauSums sums = cpu::multitau(series, request_for(400));
    EXPECT_TRUE(sums.whole.G2[0] == uint128{399} * 4000000000U * 4000000000U);
    EXPECT_TRUE(sums.whole.past[0] == uint128{399} * 4000000000U);
    const OneTime g2 = reduce(sums.whole, partition);
    for (const double value : g2.g2)
        EXPECT_NEAR(value, 1.0, 1e-14);
}

TEST(Multitau, AveragedFramesAreSummedUpTo32Bits) {
    const Partition partition = make_partition(1, 1, {1}, {1}, 1, 1);
    const auto run = [&](std::uint32_t sample) {
        DenseChunk chunk;
        chunk.n_frames = 40;
        chunk.n_pixels = 1;
        chunk.sample_bytes = 4;
        chunk.allocate(160);
        std::fill_n(reinterpret_cast<std::uint32_t*>(chunk.store.data()), 40, sample);
        PixelSeries series(partition, {}, true);
        PieceScratch scratch;
        series.append(make_piece(chunk, partition, {}, false, scratch));
        MultitauRequest request = request_for(20);
        request.frames.average = 2;
        return cpu::multitau(series, request);
    };
    const uint128 block{4294967294U};
    EXPECT_TRUE(run(2147483647U).whole.G2[0] == 19 * block * block);
    EXPECT_THROW(run(2147483648U), std::overflow_error);  // not a count of 0
}

/// Sums of two and more frames are held in bytes, 16 or 32 bits.
TEST(Multitau, AveragedFramesOfAnySizeEqualTheReference) {
    for (const int largest : {7, 15, 16, 127, 128, 255, 300, 32767, 32768, 65534, 70000}) {
        reference::Run run = poisson_run(411, 70, 0.8, 31, 7);
        std::mt19937_64 random(33);
        for (int k = 0; k < 50; ++k)
            at(run,
               static_cast<std::int64_t>(random() % 411),
               static_cast<std::int64_t>(random() % 70)) = largest;
        const Partition partition = partition_of(run);
        for (const std::int64_t average : {2, 3, 17}) {
            const reference::Run selected = reference::select(run, 0, 411, 1, average);
            MultitauRequest request = request_for(selected.n_frames);
            request.frames.average = average;
            const auto what =
                "up to " + std::to_string(largest) + ", by " + std::to_string(average);
            const MultitauSums expected = cpu::multitau(sparse_series(run, partition), request);
            MultitauSums sums =
                cpu::multitau(dense_series<std::uint32_t>(run, partition, false), request);
            sums.events_used = expected.events_used;
            sums.duplicates = expected.duplicates;
            expect_equal_sums(expected, sums, what);
        }
    }
}

TEST(Multitau, DuplicatesAddUpAndAreCounted) {
    const Partition partition = make_partition(1, 2, {1, 2}, {1, 1}, 2, 1);
    EventChunk chunk;
    for (const auto& [pixel, frame, count] : {std::array{0U, 3U, 1U},
                                              std::array{0U, 3U, 2U},
                                              std::array{1U, 4U, 600U},
                                              std::array{0U, 9U, 5U},
                                              std::array{0U, 9U, 5U}}) {
        chunk.pixel.push_back(pixel);
        chunk.frame.push_back(frame);
        chunk.count.push_back(count);
    }
    PieceScratch scratch;
    PixelSeries series(partition, {}, false);
    series.append(make_piece(chunk, partition, {}, scratch));
    EXPECT_EQ(series.counts().events, 5);
    EXPECT_EQ(series.counts().photons, 613);
    EXPECT_EQ(series.counts().split_records, 2);  // 600 = 255 + 255 + 90
    reference::Run run = empty_run(20, 2);
    at(run, 3, 0) = 3;
    at(run, 9, 0) = 10;
    at(run, 4, 1) = 600;
    const MultitauSums sums = cpu::multitau(series, request_for(20));
    expect_pixel_sums(run, sums, "duplicates");
    EXPECT_EQ(sums.duplicates - series.counts().split_records, 2);
}

TEST(Multitau, FramesInAnyOrderGiveTheSameSums) {
    const reference::Run run = poisson_run(700, 11, 0.1, 3);
    const Partition partition = partition_of(run);
    std::vector<EventChunk> chunks = event_chunks(run, 100000);
    ASSERT_EQ(chunks.size(), 1U);
    EventChunk& chunk = chunks[0];
    std::mt19937_64 random(4);
    for (std::size_t i = chunk.size(); i-- > 1;) {
        const std::size_t j = random() % (i + 1);
        std::swap(chunk.pixel[i], chunk.pixel[j]);
        std::swap(chunk.frame[i], chunk.frame[j]);
        std::swap(chunk.count[i], chunk.count[j]);
    }
    PieceScratch scratch;
    PixelSeries series(partition, {}, false);
    series.append(make_piece(chunk, partition, {}, scratch));
    expect_pixel_sums(run, cpu::multitau(series, request_for(700)), "shuffled");
}

TEST(Multitau, BlocksThatSpanManyFramesEqualTheReference) {
    reference::Run run = empty_run(70000, 2);  // more frames than a narrow record holds
    std::mt19937_64 random(9);
    for (int e = 0; e < 300; ++e)
        at(run, static_cast<std::int64_t>(random() % 70000), e % 2) += 1;
    at(run, 69999, 0) = 1000;
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition, {}, 1000000);
    ASSERT_FALSE(series.pieces()[0].wide.empty());
    expect_pixel_sums(run, cpu::multitau(series, request_for(70000)), "wide records");
    EXPECT_EQ(series.frame_photons()[69999], 1000U);
}

TEST(Multitau, SelectionStrideAndAverageEqualTheReference) {
    const reference::Run run = poisson_run(1003, 7, 0.3, 21);
    const Partition partition = partition_of(run);
    for (const auto& [begin, end, stride, average] : {std::array<std::int64_t, 4>{0, 1003, 3, 1},
                                                      std::array<std::int64_t, 4>{0, 1003, 1, 3},
                                                      std::array<std::int64_t, 4>{5, 900, 2, 3},
                                                      std::array<std::int64_t, 4>{37, 800, 1, 1}}) {
        const reference::Run selected = reference::select(run, begin, end, stride, average);
        MultitauRequest request = request_for(selected.n_frames);
        request.frames.begin = begin;
        request.frames.stride = stride;
        request.frames.average = average;
        SeriesRange range;
        expect_pixel_sums(selected,
                          cpu::multitau(sparse_series(run, partition, range), request),
                          "events, all read");
        range.begin_frame = begin;
        range.end_frame = end;
        expect_pixel_sums(
            selected, cpu::multitau(sparse_series(run, partition, range), request), "events, cut");
        expect_pixel_sums(
            selected,
            cpu::multitau(dense_series<std::uint8_t>(run, partition, false, range), request),
            "rows, cut");
    }
}

TEST(Multitau, GoldenVector) {
    reference::Run run = empty_run(20, 6);
    run.static_label = {1, 1, 2, 2, 3, 3};
    run.dynamic_label = {1, 1, 1, 1, 2, 2};
    std::uint64_t x = 12345;
    for (double& count : run.counts) {
        x = (1103515245 * x + 12345) % (1ULL << 31);
        count = static_cast<double>((x >> 16) % 4);
    }
    ASSERT_EQ(run.counts[3], 2);
    const double expected[12][2] = {{0.950166866, 0.796897443},
                                    {0.817269945, 1.005194805},
                                    {1.125208936, 0.989090909},
                                    {0.979921999, 0.954474097},
                                    {0.964402285, 1.157941437},
                                    {0.952279202, 0.766925065},
                                    {1.024878372, 1.240909091},
                                    {0.972940026, 0.953310105},
                                    {0.973715651, 0.983772819},
                                    {1.070591631, 1.077922078},
                                    {0.917105263, 1.0},
                                    {1.055555556, 0.857142857}};
    const Partition partition = partition_of(run);
    for (const bool dense : {false, true}) {
        const PixelSeries series = dense ? dense_series<std::uint8_t>(run, partition, false)
                                         : sparse_series(run, partition);
        MultitauRequest request = request_for(20);
        std::vector<float> G2, past, future;
        request.pixel_means = [&](const PixelMeans& means) {
            G2 = means.G2;
            past = means.past;
            future = means.future;
        };
        const MultitauSums sums = cpu::multitau(series, request);
        const OneTime g2 = reduce(sums.whole, partition);
        ASSERT_EQ(g2.g2.size(), 24U);
        for (std::size_t i = 0; i < 12; ++i) {
            EXPECT_NEAR(g2.g2[2 * i], expected[i][0], 5e-10) << i;
            EXPECT_NEAR(g2.g2[2 * i + 1], expected[i][1], 5e-10) << i;
        }
        EXPECT_NEAR(G2[0], 1.421052632, 1e-7);  // pixel 0, lag 1
        EXPECT_NEAR(past[0], 1.157894737, 1e-7);
        EXPECT_NEAR(future[0], 1.315789474, 1e-7);
        EXPECT_NEAR(G2[11 * 6], 1.375, 1e-7);  // pixel 0, lag 16
        EXPECT_NEAR(past[11 * 6], 1.0, 1e-7);
        EXPECT_NEAR(future[11 * 6], 1.25, 1e-7);
    }
}

}  // namespace
}  // namespace xpcs::test
