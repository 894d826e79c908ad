// SPDX-License-Identifier: BSD-3-Clause
// CPU = GPU on seeded series of many shapes.
#include "kernels/multitau.hpp"
#include "kernels/reduce.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>

#include "empty_windows.hpp"
#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

/// All ways in: events, frames as events, frames as rows; several thresholds of the dense level.
void expect_twins_agree(const reference::Run& run, const std::string& what) {
    const Partition partition = partition_of(run);
    MultitauRequest request = request_for(run.n_frames);
    const PixelSeries events = sparse_series(run, partition);
    for (const double neighbours : {1e-9, 0.7, 1e9}) {
        request.dense_neighbours = neighbours;
        expect_equal_twins(
            events, request, what + ", events, neighbours " + std::to_string(neighbours));
    }
    request.dense_neighbours = 0;
    expect_equal_twins(
        dense_series<std::uint16_t>(run, partition, true), request, what + ", frames as events");
    expect_equal_twins(
        dense_series<std::uint32_t>(run, partition, false), request, what + ", rows");
}

class MultitauGpu : public GpuTest {};
class MultitauGpuLengths : public GpuTest, public testing::WithParamInterface<std::int64_t> {};

TEST_P(MultitauGpuLengths, EveryEngineEqualsTheCpu) {
    for (const double mean : {0.003, 0.05, 3.0}) {
        const auto seed =
            static_cast<std::uint64_t>(static_cast<double>(GetParam()) * 1000 + mean * 100);
        expect_twins_agree(poisson_run(GetParam(), 13, mean, seed, 3),
                           "T " + std::to_string(GetParam()) + ", mean " + std::to_string(mean) +
                               ", seed " + std::to_string(seed));
    }
}

INSTANTIATE_TEST_SUITE_P(
    T,
    MultitauGpuLengths,
    testing::Values(2, 3, 4, 5, 8, 9, 15, 17, 31, 32, 33, 64, 100, 129, 1000, 1025, 4099));

TEST_F(MultitauGpu, NumbersOfEventsAroundAWarpEqualTheCpu) {
    for (const int n_events : {0, 1, 2, 7, 8, 9, 31, 32, 33, 63, 64, 65, 255, 256, 257}) {
        reference::Run run = empty_run(3001, 6, 2);
        std::mt19937_64 random(static_cast<std::uint64_t>(n_events) + 77);
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            for (int e = 0; e < n_events; ++e)
                at(run, static_cast<std::int64_t>(random() % 3001), p) += 1;
        }
        expect_twins_agree(run, std::to_string(n_events) + " events");
    }
}

TEST_F(MultitauGpu, BurstsAndEmptyEndsEqualTheCpu) {
    reference::Run run = empty_run(6000, 5);
    for (std::int64_t t = 0; t < 200; ++t)
        at(run, t, 0) = 1;
    for (std::int64_t t = 5700; t < 6000; ++t)
        at(run, t, 1) = 2;
    for (std::int64_t t = 3000; t < 3400; ++t)
        at(run, t, 2) = 1 + static_cast<double>(t % 3);
    at(run, 0, 3) = 1;
    at(run, 5999, 3) = 7;
    expect_twins_agree(run, "bursts");
}

TEST_F(MultitauGpu, HotAndBrightPixelsEqualTheCpu) {
    reference::Run run = poisson_run(5003, 6, 0.02, 5, 2);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        at(run, t, 0) = 1;                              // fires in every frame
        at(run, t, 1) = static_cast<double>(t % 4096);  // every 12-bit count
        at(run, t, 2) = t % 7 == 0 ? 4095 : 0;
        at(run, t, 3) = 300;  // two records each
    }
    expect_twins_agree(run, "hot pixels");
    for (std::int64_t t = 0; t < run.n_frames; ++t)
        at(run, t, 3) = 65000;  // hundreds of records each: no level is sparse
    const Partition partition = partition_of(run);
    const PixelSeries events = dense_series<std::uint16_t>(run, partition, true);
    expect_equal_twins(events, request_for(run.n_frames), "bright events");
    const PixelSeries rows = dense_series<std::uint16_t>(run, partition, false);
    expect_equal_twins(rows, request_for(run.n_frames), "bright rows");
}

TEST_F(MultitauGpu, LevelsLongerThanAWindowEqualTheCpu) {
    // Windows hold 1024 and 8192 blocks of counts, 512 and 2048 with weights: both sides of each.
    const std::int64_t n_frames = small_sizes() ? 9001 : 40003;
    const reference::Run run = poisson_run(n_frames, 4, 0.3, 81, 2);
    const Partition partition = partition_of(run);
    const PixelSeries events = sparse_series(run, partition, {}, 5000);
    const PixelSeries rows = dense_series<std::uint8_t>(run, partition, false, {}, 4096);
    for (const std::int64_t n :
         {std::int64_t{1032}, std::int64_t{8192}, std::int64_t{8201}, n_frames}) {
        MultitauRequest request = request_for(n);
        expect_equal_twins(events, request, "events, T " + std::to_string(n));
        expect_equal_twins(rows, request, "rows, T " + std::to_string(n));
        std::vector<std::uint64_t> photons = events.frame_photons().to_vector();
        photons.resize(static_cast<std::size_t>(n));
        const FrameWeights weights = make_frame_weights(photons);
        request.weights = &weights;
        expect_equal_twins(events, request, "weighted events, T " + std::to_string(n));
        expect_equal_twins(rows, request, "weighted rows, T " + std::to_string(n));
    }
}

TEST_F(MultitauGpu, RowsOfEveryWidthEqualTheCpu) {
    for (const double mean : {0.01, 2.0, 200.0}) {
        const reference::Run run = poisson_run(1003, 70, mean, 31, 5);
        const Partition partition = partition_of(run);
        const MultitauRequest request = request_for(1003);
        expect_equal_twins(dense_series<std::uint8_t>(run, partition, false), request, "u8");
        expect_equal_twins(dense_series<std::uint16_t>(run, partition, false), request, "u16");
        expect_equal_twins(dense_series<std::uint32_t>(run, partition, false), request, "u32");
    }
}

TEST_F(MultitauGpu, SumsBeyond64BitsAreExact) {
    const Partition partition = make_partition(1, 3, {1, 2, 2}, {1, 1, 1}, 2, 1);
    PieceScratch scratch;
    DenseChunk chunk;
    chunk.n_frames = 400;
    chunk.n_pixels = 3;
    chunk.sample_bytes = 4;
    chunk.allocate(4800);
    auto* samples = reinterpret_cast<std::uint32_t*>(chunk.store.data());
    for (std::size_t t = 0; t < 400; ++t) {
        samples[3 * t] = 4000000000U;  // 399 * 1.6e19 is above 2^64
        samples[3 * t + 1] = t % 3 == 0 ? 123456789U : 0U;
        samples[3 * t + 2] = static_cast<std::uint32_t>(t);
    }
    PixelSeries rows(partition, {}, true);
    rows.append(make_piece(chunk, partition, {}, false, scratch));
    MultitauRequest request = request_for(400);
    request.n_partial = 3;
    const MultitauSums sums = expect_equal_twins(rows, request, "wide rows");
    EXPECT_TRUE(sums.whole.G2[0] == uint128{399} * 4000000000U * 4000000000U);

    EventChunk sparse;  // long, so that a record holds 24 bits of a count
    for (std::uint32_t frame = 0; frame < 40000; frame += 1000) {
        for (const std::uint32_t pixel : {0U, 1U, 2U}) {
            sparse.pixel.push_back(pixel);
            sparse.frame.push_back(frame + pixel);
            sparse.count.push_back(pixel == 0 ? 4000000000U - frame : frame + 1);
        }
    }
    PixelSeries events(partition, {}, false);
    events.append(make_piece(sparse, partition, {}, scratch));
    request = request_for(40000);
    request.n_partial = 3;
    expect_equal_twins(events, request, "wide events");
    request.frames.stride = 2;
    request.frames.average = 5;
    request.frames.n_frames = 4000;
    expect_equal_twins(events, request, "wide events, averaged");
}

TEST_F(MultitauGpu, SumsOfBrightPixelsOfManyTilesCarryExactly) {
    // One bin over 9 tiles, one bright pixel in each: the low words of their sums overflow.
    constexpr std::int64_t n_pixels = 9 * tile_pixels, n_frames = 40;
    const std::vector<std::uint32_t> label(static_cast<std::size_t>(n_pixels), 1);
    const Partition partition = make_partition(9, tile_pixels, label, label, 1, 1);
    DenseChunk chunk;
    chunk.n_frames = n_frames;
    chunk.n_pixels = n_pixels;
    chunk.sample_bytes = 4;
    chunk.allocate(static_cast<std::size_t>(4 * n_frames * n_pixels));
    auto* samples = reinterpret_cast<std::uint32_t*>(chunk.store.data());
    std::fill_n(samples, n_frames * n_pixels, 0U);
    std::mt19937_64 random(71);
    for (std::int64_t t = 0; t < n_frames; ++t) {
        for (std::int64_t tile = 0; tile < 9; ++tile) {
            samples[t * n_pixels + tile * tile_pixels + 5] =
                4000000000U + static_cast<std::uint32_t>(random() % 200000000);
        }
    }
    PieceScratch scratch;
    PixelSeries series(partition, {}, true);
    series.append(make_piece(chunk, partition, {}, false, scratch));
    expect_equal_twins(series, request_for(n_frames), "bright tiles");
}

TEST_F(MultitauGpu, DuplicatesAndSplitCountsEqualTheCpu) {
    const Partition partition = make_partition(1, 2, {1, 2}, {1, 1}, 2, 1);
    EventChunk chunk;
    std::mt19937_64 random(6);
    for (std::uint32_t frame = 0; frame < 50; ++frame) {
        for (int i = 0; i < 6; ++i) {
            chunk.pixel.push_back(static_cast<std::uint32_t>(random() % 2));
            chunk.frame.push_back(frame);
            chunk.count.push_back(1 + static_cast<std::uint32_t>(random() % 700));
        }
    }
    PieceScratch scratch;
    PixelSeries series(partition, {}, false);
    series.append(make_piece(chunk, partition, {}, scratch));
    const MultitauSums sums = expect_equal_twins(series, request_for(50), "duplicates");
    EXPECT_GT(sums.duplicates, 200);
}

TEST_F(MultitauGpu, FramesInAnyOrderEqualTheCpu) {
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
    ASSERT_FALSE(series.ordered());
    expect_equal_twins(series, request_for(700), "shuffled");
}

TEST_F(MultitauGpu, WideRecordsEqualTheCpu) {
    reference::Run run = empty_run(70000, 2);  // more frames than a narrow record holds
    std::mt19937_64 random(9);
    for (int e = 0; e < 300; ++e)
        at(run, static_cast<std::int64_t>(random() % 70000), e % 2) += 1;
    at(run, 69999, 0) = 1000;
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition, {}, 1000000);
    ASSERT_FALSE(series.pieces()[0].wide.empty());
    expect_equal_twins(series, request_for(70000), "wide records");
}

TEST_F(MultitauGpu, SelectionStrideAndAverageEqualTheCpu) {
    const reference::Run run = poisson_run(1003, 7, 0.3, 21, 2);
    const Partition partition = partition_of(run);
    for (const auto& [begin, end, stride, average] : {std::array<std::int64_t, 4>{0, 1003, 3, 1},
                                                      std::array<std::int64_t, 4>{0, 1003, 1, 3},
                                                      std::array<std::int64_t, 4>{5, 900, 2, 3},
                                                      std::array<std::int64_t, 4>{37, 800, 1, 1}}) {
        MultitauRequest request = request_for((end - begin) / (stride * average));
        request.frames.begin = begin;
        request.frames.stride = stride;
        request.frames.average = average;
        SeriesRange range;
        expect_equal_twins(sparse_series(run, partition, range), request, "events, all read");
        expect_equal_twins(
            dense_series<std::uint8_t>(run, partition, false, range), request, "rows, all read");
        range.begin_frame = begin;
        range.end_frame = end;
        expect_equal_twins(sparse_series(run, partition, range), request, "events, cut");
        expect_equal_twins(
            dense_series<std::uint16_t>(run, partition, false, range), request, "rows, cut");
    }
}

TEST_F(MultitauGpu, SlicesSegmentsAndExcludedPixelsEqualTheCpu) {
    reference::Run run = poisson_run(1207, 23, 0.2, 41, 4);
    for (std::int64_t t = 0; t < run.n_frames; ++t)
        at(run, t, 3) = 5;
    const Partition partition = partition_of(run);
    std::vector<std::uint8_t> excluded(23, 0);
    excluded[3] = excluded[22] = 1;
    for (const bool cumulative : {false, true}) {
        MultitauRequest request = request_for(run.n_frames);
        request.n_partial = 5;
        request.partial_cumulative = cumulative;
        request.n_segments = 9;
        request.segment_frames = 128;
        request.excluded = &excluded;
        expect_equal_twins(sparse_series(run, partition), request, "events");
        expect_equal_twins(dense_series<std::uint16_t>(run, partition, false), request, "rows");
    }
}

TEST_F(MultitauGpu, WeightsEqualTheCpu) {
    for (const double mean : {0.004, 0.2, 2.0}) {
        for (const bool gaps : {false, true}) {
            reference::Run run = poisson_run(1501, 19, mean, 51, 3);
            for (std::int64_t t = 0; t < run.n_frames; ++t)
                at(run, t, 0) = 1 + static_cast<double>(t % 5);  // no frame is empty
            if (gaps) {
                for (std::int64_t t = 0; t < run.n_frames; ++t) {
                    const bool empty = t < 17 || t % 31 == 4 || t > 1490;
                    for (std::int64_t p = 0; empty && p < run.n_pixels; ++p)
                        at(run, t, p) = 0;
                }
            }
            const Partition partition = partition_of(run);
            const PixelSeries events = sparse_series(run, partition);
            std::vector<std::uint64_t> photons = events.frame_photons().to_vector();
            photons.resize(static_cast<std::size_t>(run.n_frames), 0);
            const FrameWeights weights = make_frame_weights(photons);
            ASSERT_EQ(weights.any_left_out, gaps);
            MultitauRequest request = request_for(run.n_frames);
            request.weights = &weights;
            request.n_partial = 3;
            const std::string what = "mean " + std::to_string(mean) + (gaps ? ", gaps" : "");
            for (const double neighbours : {1e-9, 0.7, 1e9}) {
                request.dense_neighbours = neighbours;
                expect_equal_twins(events, request, what + ", events");
            }
            request.dense_neighbours = 0;
            expect_equal_twins(
                dense_series<std::uint16_t>(run, partition, false), request, what + ", rows");
        }
    }
}

// A monitor leaves out frames that do have photons, and its weights are not those of the photons.
TEST_F(MultitauGpu, WeightedWindowsWithoutPhotonsAreExactlyZero) {
    expect_empty_windows_are_zero(
        [](const auto& series, const auto& request) { return gpu::multitau(series, request); });
}

TEST_F(MultitauGpu, WeightsOfAMonitorEqualTheCpu) {
    for (const double mean : {0.03, 2.0}) {
        reference::Run run = poisson_run(251, 9, mean, 53, 3);
        FrameWeights weights;
        weights.any_left_out = true;
        for (std::int64_t t = 0; t < run.n_frames; ++t) {
            const bool left_out = t < 3 || t % 31 == 4 || t > 246;
            weights.weight.push_back(left_out ? 0 : 0.7 + 0.1 * static_cast<double>(t % 7));
            if (!left_out) at(run, t, 2) = 0;  // a pixel with photons in these frames alone
        }
        const Partition partition = partition_of(run);
        std::vector<std::uint8_t> excluded(9, 0);
        excluded[5] = 1;
        for (const bool cumulative : {false, true}) {
            MultitauRequest request = request_for(run.n_frames);
            request.weights = &weights;
            request.excluded = &excluded;
            request.n_partial = 3;
            request.partial_cumulative = cumulative;
            const std::string what = "mean " + std::to_string(mean);
            const PixelSeries events = sparse_series(run, partition);
            for (const double neighbours : {1e-9, 0.7, 1e9}) {
                request.dense_neighbours = neighbours;
                expect_equal_twins(events, request, what + ", events");
            }
            request.dense_neighbours = 0;
            expect_equal_twins(
                dense_series<std::uint16_t>(run, partition, false), request, what + ", rows");
        }
    }
}

/// Several tiles, with bins that cross them, a range of tiles, and a few hot pixels.
reference::Run many_tiles(std::int64_t n_pixels) {
    reference::Run run = empty_run(600, n_pixels, 97);
    std::mt19937_64 random(61);
    for (std::int64_t i = 0; i < n_pixels * 12; ++i) {
        at(run,
           static_cast<std::int64_t>(random() % 600),
           static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n_pixels))) += 1;
    }
    for (std::int64_t t = 0; t < 600; ++t)
        at(run, t, 700) = 3;
    return run;
}

TEST_F(MultitauGpu, ManyTilesAndSmallMemoryEqualTheCpu) {
    const reference::Run run = many_tiles(small_sizes() ? 1700 : 5000);
    const Partition partition = partition_of(run);
    MultitauRequest request = request_for(600);
    request.n_segments = 9;
    request.segment_frames = 64;
    for (const bool dense : {false, true}) {
        const PixelSeries series = dense ? dense_series<std::uint8_t>(run, partition, false)
                                         : sparse_series(run, partition);
        request.device_memory_bytes = 0;
        expect_equal_twins(series, request, "all at once");
        request.device_memory_bytes = std::uint64_t{6} << 20;  // a tile or two at a time
        expect_equal_twins(series, request, "tile by tile");
        request.device_memory_bytes = 1000000;
        EXPECT_THROW(gpu::multitau(series, request), DeviceOutOfMemory);
    }
    SeriesRange range;
    range.first_tile = 1;
    range.end_tile = 3;
    request.device_memory_bytes = 0;
    expect_equal_twins(sparse_series(run, partition, range), request, "tiles 1 and 2");
    expect_equal_twins(dense_series<std::uint8_t>(run, partition, false, range), request, "rows");
}

/// As integers: NaN equals itself.
std::vector<std::uint64_t> bits(const std::vector<double>& values) {
    std::vector<std::uint64_t> out(values.size());
    std::memcpy(out.data(), values.data(), 8 * values.size());
    return out;
}

TEST_F(MultitauGpu, RunsGiveTheSameBytes) {
    // More than a bundle, so that small memory cuts one: the tiles are then added on the host.
    const reference::Run run = many_tiles(small_sizes() ? 1700 : bundle_tiles * tile_pixels + 1700);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    const FrameWeights weights = make_frame_weights(series.frame_photons().to_vector());
    MultitauRequest request = request_for(600);
    request.weights = &weights;
    const OneTime first = reduce(gpu::multitau(series, request).whole, partition);
    for (const std::uint64_t memory :
         {std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{24} << 20}) {
        request.device_memory_bytes = memory;
        const OneTime again = reduce(gpu::multitau(series, request).whole, partition);
        expect_same(bits(first.g2), bits(again.g2), "g2");
        expect_same(bits(first.g2_err), bits(again.g2_err), "errors");
    }
}

TEST_F(MultitauGpu, AllDevicesGiveTheBytesOfOne) {
    const GpuProbe found = gpu::probe();
    if (found.gpus.size() < 2) GTEST_SKIP() << "one GPU only";
    std::vector<int> devices;
    for (const GpuInfo& info : found.gpus)
        devices.push_back(info.index);
    const reference::Run run = many_tiles(5000);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    MultitauRequest request = request_for(600);
    request.device_memory_bytes = std::uint64_t{6} << 20;
    const MultitauSums all = expect_equal_twins(series, request, "all", devices);
    const MultitauSums one = gpu::multitau(series, request, {devices[0]});
    expect_same(bits(reduce(all.whole, partition).g2_err),
                bits(reduce(one.whole, partition).g2_err),
                "errors");
}

TEST_F(MultitauGpu, EmptySeriesAndEmptyPixelsEqualTheCpu) {
    const reference::Run run = empty_run(50, 600, 100);
    const Partition partition = partition_of(run);
    expect_equal_twins(PixelSeries(partition, {}, false), request_for(50), "no piece, events");
    expect_equal_twins(PixelSeries(partition, {}, true), request_for(50), "no piece, rows");
    expect_equal_twins(dense_series<std::uint8_t>(run, partition, false), request_for(50), "zeros");
    SeriesRange none;
    none.end_tile = 0;
    expect_equal_twins(PixelSeries(partition, none, false), request_for(50), "no tile");
}

TEST_F(MultitauGpu, ProgressCountsPixelsAndMayStopTheRun) {
    const reference::Run run = many_tiles(1700);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    MultitauRequest request = request_for(600);
    request.device_memory_bytes = std::uint64_t{6} << 20;
    std::int64_t pixels = 0;
    request.progress = [&](std::int64_t n) { pixels += n; };
    gpu::multitau(series, request);
    EXPECT_EQ(pixels, 1700);
    request.progress = [](std::int64_t) { throw std::runtime_error("stop"); };
    EXPECT_THROW(gpu::multitau(series, request), std::runtime_error);
    request.progress = nullptr;
    expect_equal_twins(series, request, "after a stop");
}

}  // namespace
}  // namespace xpcs::test
