// SPDX-License-Identifier: BSD-3-Clause
// Groups of pixels, correlated lane by lane, give what single pixels give: rows of each width and
// events in many frames, held against pairs of events.
#include "kernels/multitau.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

constexpr double all_pairs = 1e9, all_dense = 1e-9;

/// Every way through the lanes against pairs of events.
void expect_lanes_right(const reference::Run& run,
                        MultitauRequest request,
                        const std::string& what) {
    const Partition partition = partition_of(run);
    const PixelSeries events = sparse_series(run, partition, {}, 997);
    request.dense_neighbours = all_pairs;
    MultitauSums expected = cpu::multitau(events, request);
    request.dense_neighbours = all_dense;
    expect_equal_sums(expected, cpu::multitau(events, request), what + ", events");
    expected.events_used = expected.duplicates = 0;  // rows have no events
    const double largest = *std::max_element(run.counts.begin(), run.counts.end());
    if (largest < 255) {
        expect_equal_sums(expected,
                          cpu::multitau(dense_series<std::uint8_t>(run, partition, false), request),
                          what + ", bytes");
    }
    expect_equal_sums(expected,
                      cpu::multitau(dense_series<std::uint32_t>(run, partition, false), request),
                      what + ", as wide as needed");
}

FrameWeights uneven_weights(std::int64_t n_frames) {
    FrameWeights weights;
    for (std::int64_t t = 0; t < n_frames; ++t)
        weights.weight.push_back(0.5 + static_cast<double>(t * 7919 % 1000) / 1000);
    return weights;
}

TEST(Lanes, EveryLength) {
    std::vector<std::int64_t> lengths(48);
    std::iota(lengths.begin(), lengths.end(), 2);
    lengths.insert(lengths.end(),
                   {63, 64, 65, 127, 129, 255, 256, 257, 258, 511, 512, 513, 770, 1023, 1025});
    for (const std::int64_t n : lengths) {
        for (const double mean : {0.1, 3.0}) {
            const reference::Run run =
                poisson_run(n, 37, mean, static_cast<std::uint64_t>(n) + 5, 5);
            const FrameWeights weights = uneven_weights(n);
            const std::string what = "T " + std::to_string(n) + ", mean " + std::to_string(mean);
            MultitauRequest request = request_for(n);
            expect_lanes_right(run, request, what);
            request.weights = &weights;
            expect_lanes_right(run, request, what + ", weights");
            if (HasFatalFailure()) return;
        }
    }
}

TEST(Lanes, SeveralTiles) {
    const reference::Run run = poisson_run(300, 1100, 0.4, 3, 100);
    const FrameWeights weights = uneven_weights(run.n_frames);
    MultitauRequest request = request_for(run.n_frames);
    request.threads = 2;
    expect_lanes_right(run, request, "counts");
    request.weights = &weights;
    expect_lanes_right(run, request, "weights");
}

TEST(Lanes, ExcludedPixelsSlicesAndSegments) {
    const reference::Run run = poisson_run(403, 75, 0.6, 4, 10);
    for_slices_and_segments(run, [&](const MultitauRequest& request, const char* what) {
        expect_lanes_right(run, request, what);
    });
}

TEST(Lanes, PixelsWithoutCounts) {
    reference::Run run = poisson_run(200, 64, 1.5, 6, 8);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        for (std::int64_t p = 16; p < 40; ++p)
            at(run, t, p) = 0;
    }
    expect_lanes_right(run, request_for(run.n_frames), "an empty group");
}

/// Blocks of what level need 64 bits depends on the largest sample and the total.
TEST(Lanes, CountsOfAnySize) {
    for (const int largest : {40, 250, 5000, 11585, 11586, 23170, 23171, 40000, 65534}) {
        reference::Run run = empty_run(333, 18, 6);  // a whole group and a part of one
        std::mt19937_64 random(8);
        for (double& count : run.counts)
            count = static_cast<double>(random() % static_cast<std::uint64_t>(largest));
        at(run, 5, 3) = largest;
        const FrameWeights weights = uneven_weights(run.n_frames);
        MultitauRequest request = request_for(run.n_frames);
        expect_lanes_right(run, request, "counts up to " + std::to_string(largest));
        request.weights = &weights;
        expect_lanes_right(run, request, "weighted counts up to " + std::to_string(largest));
    }
}

/// The sums of lanes are emptied before they pass 32 bits.
TEST(Lanes, ManyLargeCounts) {
    reference::Run run = empty_run(700, 17);  // more than two pieces of a group
    for (std::size_t i = 0; i < run.counts.size(); ++i)
        run.counts[i] = 23000 + static_cast<double>(i % 171);
    expect_lanes_right(run, request_for(run.n_frames), "700 counts of 23 000");
}

/// Sums of bytes are emptied before they pass 16 bits, and blocks leave the bytes in time.
TEST(Lanes, CountsAroundTheLargestOfBytes) {
    for (const int count : {1, 11, 15, 16, 22, 23, 44, 45, 46, 63, 64, 127, 128, 129}) {
        reference::Run run = empty_run(601, 35, 5);
        for (double& c : run.counts)
            c = count;
        expect_lanes_right(run, request_for(run.n_frames), "all " + std::to_string(count));
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            for (std::int64_t t = 0; t < run.n_frames; ++t)
                at(run, t, p) = (t + p) % 5 == 0 ? count : (t + p) % 3;
        }
        expect_lanes_right(run, request_for(run.n_frames), "up to " + std::to_string(count));
    }
}

/// Whatever the pixels before them left in the buffers.
TEST(Lanes, FramesWithoutAPieceAreDark) {
    constexpr std::int64_t in_chunk = 37;
    reference::Run run = poisson_run(400, 200, 0.7, 15, 6);
    const auto is_dark = [](std::int64_t t) {
        const std::int64_t chunk = t / in_chunk;
        return chunk == 0 || chunk == 3 || chunk == 4 || chunk == 10;
    };
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        for (std::int64_t p = 0; p < run.n_pixels && is_dark(t); ++p)
            at(run, t, p) = 0;
    }
    const Partition partition = partition_of(run);
    PixelSeries series(partition, {}, true);
    PieceScratch scratch;
    for (const DenseChunk& chunk : dense_chunks<std::uint8_t>(run, in_chunk)) {
        if (!is_dark(chunk.first_frame))
            series.append(make_piece(chunk, partition, {}, false, scratch));
    }
    MultitauRequest request = request_for(run.n_frames);
    request.n_segments = 10;
    request.segment_frames = 40;
    const MultitauSums expected =
        cpu::multitau(dense_series<std::uint32_t>(run, partition, false), request);
    expect_equal_sums(expected, cpu::multitau(series, request), "dark frames");
}

TEST(Lanes, AnExcludedBrightPixelAmongBytes) {
    reference::Run run = poisson_run(600, 48, 0.7, 14, 6);
    for (std::int64_t t = 0; t < run.n_frames; ++t)
        at(run, t, 21) = 200 + static_cast<double>(t % 50);
    std::vector<std::uint8_t> excluded(48, 0);
    excluded[21] = 1;
    MultitauRequest request = request_for(run.n_frames);
    request.excluded = &excluded;
    expect_lanes_right(run, request, "an excluded pixel of 200 to 249");
}

/// Sums of bytes leave 32 bits, too: 45 photons in each of 2 200 000 frames.
TEST(Lanes, SumsOfBytesBeyond32Bits) {
    constexpr std::int64_t n_frames = 2'200'000;
    constexpr std::uint8_t count = 45;
    const Partition partition = make_partition(1, 1, {1}, {1}, 1, 1);
    DenseChunk chunk;
    chunk.n_frames = n_frames;
    chunk.n_pixels = chunk.sample_bytes = 1;
    chunk.allocate(n_frames);
    std::fill_n(reinterpret_cast<std::uint8_t*>(chunk.store.data()), n_frames, count);
    PixelSeries series(partition, {}, true);
    PieceScratch scratch;
    series.append(make_piece(chunk, partition, {}, false, scratch));
    const MultitauSums sums = cpu::multitau(series, request_for(n_frames));
    for (std::size_t i = 0; i < sums.whole.pairs.size(); ++i) {
        const Lag& lag = sums.whole.ladder.lags[i];
        const auto block = static_cast<uint128>(count) << lag.level;
        ASSERT_TRUE(sums.whole.G2[i] == block * block * static_cast<uint128>(lag.n_pairs)) << i;
    }
}

TEST(Lanes, OneBrightPixelAmongMany) {
    reference::Run run = poisson_run(500, 48, 0.5, 9, 6);
    for (std::int64_t t = 0; t < run.n_frames; ++t)
        at(run, t, 20) = 240;
    expect_lanes_right(run, request_for(run.n_frames), "120 000 photons on one pixel");
}

TEST(Lanes, FramesThatAreLeftOut) {
    const reference::Run run = poisson_run(301, 33, 0.8, 10, 4);
    FrameWeights weights = uneven_weights(run.n_frames);
    for (std::size_t t = 40; t < 47; ++t)
        weights.weight[t] = 0;
    MultitauRequest request = request_for(run.n_frames);
    request.weights = &weights;
    expect_lanes_right(run, request, "gaps");
}

/// A window that is left with nothing, or next to nothing, of a bright pixel.
TEST(Lanes, WeightedWindowsThatAreNearlyEmpty) {
    reference::Run run = empty_run(400, 20);
    std::mt19937_64 random(11);
    for (std::int64_t p = 0; p < 20; ++p) {
        for (std::int64_t t = 0; t < 4 + p; ++t)
            at(run, p % 2 == 0 ? t : 399 - t, p) = static_cast<double>(random() % 20);
        at(run, 200, p) = p % 3 == 0 ? 1 : 0;
    }
    const FrameWeights weights = uneven_weights(run.n_frames);
    MultitauRequest request = request_for(run.n_frames);
    request.weights = &weights;
    expect_lanes_right(run, request, "counts at one end");
}

/// Frames selected or averaged are summed up on the way into the lanes.
TEST(Lanes, SelectedFrames) {
    const reference::Run run = poisson_run(410, 40, 0.9, 12, 4);
    MultitauRequest request = request_for(100);
    request.frames = {6, 2, 2, 100};
    expect_lanes_right(run, request, "every second pair");
}

}  // namespace
}  // namespace xpcs::test
