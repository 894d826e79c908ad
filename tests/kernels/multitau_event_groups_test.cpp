// SPDX-License-Identifier: BSD-3-Clause
// Groups of pixels with few events, pairs below a level and lanes from it up, give what each pixel
// gives from pairs of its events alone.
#include "kernels/multitau.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

constexpr double pairs_only = 1e9;

FrameWeights wavy_weights(std::int64_t n_frames) {
    FrameWeights weights;
    for (std::int64_t t = 0; t < n_frames; ++t)
        weights.weight.push_back(0.5 + static_cast<double>(t * 6007 % 1000) / 1000);
    return weights;
}

/// Groups that begin at low and at high levels, without and with weights, against pairs.
void expect_groups_right(const PixelSeries& series,
                         MultitauRequest request,
                         const std::string& what) {
    const FrameWeights weights = wavy_weights(request.frames.n_frames);
    for (const FrameWeights* of : {static_cast<const FrameWeights*>(nullptr), &weights}) {
        request.weights = of;
        request.dense_neighbours = pairs_only;
        const MultitauSums expected = cpu::multitau(series, request);
        for (const double neighbours : {0.0, 1e-9, 0.05, 0.3, 2.0, 10.0}) {
            request.dense_neighbours = neighbours;
            expect_equal_sums(expected,
                              cpu::multitau(series, request),
                              what + (of == nullptr ? "" : ", weights") + ", neighbours " +
                                  std::to_string(neighbours));
        }
    }
}

void expect_groups_right(const reference::Run& run,
                         const MultitauRequest& request,
                         const std::string& what) {
    expect_groups_right(sparse_series(run, partition_of(run), {}, 997), request, what);
}

TEST(EventGroups, NumbersOfPixelsAndLengths) {
    for (const std::int64_t n_pixels : {1, 2, 3, 15, 16, 17, 33, 70}) {
        for (const std::int64_t n_frames : {40, 1000, 4097}) {
            const reference::Run run = poisson_run(
                n_frames, n_pixels, 0.02, static_cast<std::uint64_t>(n_frames + n_pixels), 5);
            expect_groups_right(run,
                                request_for(n_frames),
                                std::to_string(n_pixels) + " pixels, T " +
                                    std::to_string(n_frames));
            if (HasFatalFailure()) return;
        }
    }
}

/// Gives a pixel so many photons without a new event.
void spread_photons(reference::Run& run, std::int64_t pixel, std::int64_t photons) {
    std::vector<std::int64_t> lit;
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        if (at(run, t, pixel) != 0) lit.push_back(t);
    }
    const auto n = static_cast<std::int64_t>(lit.size());
    for (const std::int64_t t : lit)
        at(run, t, pixel) = static_cast<double>(photons / n + (t == lit[0] ? photons % n : 0));
}

/// Such pixels are done by themselves; those beside them stay together.
TEST(EventGroups, PixelsThatDoNotFit) {
    reference::Run run = poisson_run(6000, 40, 0.01, 12, 4);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        at(run, t, 3) = t % 3 == 0 ? 1 : 0;  // hot
        at(run, t, 17) = 4095;               // hot, and its sums need 32 bits
    }
    for (std::int64_t t = 2000; t < 2100; ++t)
        at(run, t, 5) = 1 + static_cast<double>(t % 3);  // a burst
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        at(run, t, 8) = 0;                           // dark
        at(run, t, 20) = t % 100 == 0 ? 1000.0 : 0;  // few events, many photons
    }
    spread_photons(run, 21, 32767);  // as many as 16 bits hold
    spread_photons(run, 22, 32768);
    at(run, 3000, 24) = 20000;  // a block that 16 bits do not hold, of two samples that they do
    at(run, 3001, 24) = 20000;
    expect_groups_right(run, request_for(run.n_frames), "pixels that do not fit");
}

TEST(EventGroups, CountsOfAnySize) {
    for (const int count : {2, 5, 22, 23, 44, 45, 46, 127, 128, 200, 255}) {
        reference::Run run = poisson_run(3001, 50, 0.02, static_cast<std::uint64_t>(count), 5);
        for (double& value : run.counts)
            value = value == 0 ? 0 : count;
        expect_groups_right(run, request_for(run.n_frames), "counts of " + std::to_string(count));
    }
}

TEST(EventGroups, ExcludedPixelsSlicesAndSegments) {
    const reference::Run run = poisson_run(2003, 75, 0.03, 4, 10);
    for_slices_and_segments(run, [&](const MultitauRequest& request, const char* what) {
        expect_groups_right(run, request, what);
    });
}

TEST(EventGroups, PhotonsOfSegments) {
    const reference::Run run = poisson_run(503, 70, 0.05, 15, 7);
    std::vector<std::uint8_t> excluded(70, 0);
    for (const std::size_t p : {3, 20, 21, 69})
        excluded[p] = 1;
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    MultitauRequest request = request_for(run.n_frames);
    request.excluded = &excluded;
    for (const int n_segments : {1, 3, 4, 10, 16, 17, 50}) {
        request.n_segments = n_segments;
        request.segment_frames = run.n_frames / n_segments;
        std::vector<std::uint64_t> expected(partition.n_static *
                                            static_cast<std::size_t>(n_segments));
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            if (excluded[static_cast<std::size_t>(p)] != 0) continue;
            const std::size_t bin = partition.static_bin[static_cast<std::size_t>(p)];
            for (std::int64_t t = 0; t < n_segments * request.segment_frames; ++t) {
                const auto k = static_cast<std::size_t>(t / request.segment_frames);
                expected[bin * static_cast<std::size_t>(n_segments) + k] +=
                    static_cast<std::uint64_t>(run.at(t, p));
            }
        }
        expect_same(expected,
                    cpu::multitau(series, request).segment_photons,
                    std::to_string(n_segments) + " segments");
    }
}

TEST(EventGroups, SelectedAndAveragedFrames) {
    const reference::Run run = poisson_run(3001, 35, 0.05, 8, 3);
    for (const auto& [begin, stride, average] : {std::array<std::int64_t, 3>{0, 2, 1},
                                                 std::array<std::int64_t, 3>{7, 1, 3},
                                                 std::array<std::int64_t, 3>{5, 2, 4}}) {
        MultitauRequest request = request_for((run.n_frames - begin) / (stride * average) - 1);
        request.frames.begin = begin;
        request.frames.stride = stride;
        request.frames.average = average;
        expect_groups_right(
            run, request, "every " + std::to_string(stride) + ", by " + std::to_string(average));
    }
}

TEST(EventGroups, EventsThatAreNotPacked) {
    const reference::Run run = poisson_run(70000, 19, 0.002, 31, 2);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition, {}, 1000000);
    ASSERT_FALSE(series.pieces()[0].wide.empty());
    expect_groups_right(series, request_for(run.n_frames), "wide records");
}

TEST(EventGroups, FramesThatAreLeftOut) {
    const reference::Run run = poisson_run(1500, 20, 0.03, 14, 4);
    FrameWeights weights = wavy_weights(run.n_frames);
    for (const std::size_t t : {0, 7, 800, 801, 1499})
        weights.weight[t] = 0;
    weights.any_left_out = true;
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    MultitauRequest request = request_for(run.n_frames);
    request.weights = &weights;
    request.dense_neighbours = pairs_only;
    const MultitauSums expected = cpu::multitau(series, request);
    request.dense_neighbours = 0;
    expect_equal_sums(expected, cpu::multitau(series, request), "frames left out");
}

/// Neighbours whose last and first events lie in the same frame share none.
TEST(EventGroups, NeighboursInOneFrameAreNoDuplicates) {
    reference::Run run = empty_run(500, 33, 4);
    for (std::int64_t p = 0; p < run.n_pixels; ++p) {
        at(run, 100, p) = 1;
        if (p % 4 == 0) at(run, 50, p) = 2;
        if (p % 3 == 0) at(run, 400, p) = 1;
    }
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    EXPECT_EQ(cpu::multitau(series, request_for(run.n_frames)).duplicates, 0);
}

}  // namespace
}  // namespace xpcs::test
