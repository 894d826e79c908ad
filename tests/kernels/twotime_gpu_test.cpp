// SPDX-License-Identifier: BSD-3-Clause
// Two-time maps: CPU = GPU to the rounding of a float, both close to the float64 reference.
#include "kernels/twotime.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <random>
#include <stdexcept>
#include <string>

#include "reference/twotime.hpp"
#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

struct TwinMap {
    TwotimeBin bin;
    std::vector<float> c;  ///< [T][T]
    std::int64_t n_tiles = 0;
};

template <class Correlate>
TwinMap make_map(TwotimeRequest request, const Correlate& correlate) {
    const std::int64_t T = request.frames.n_frames, side = twotime_tile_side(T);
    TwinMap map;
    map.c.assign(static_cast<std::size_t>(T * T), -1.0F);
    std::mutex mutex;
    request.tile = [&](const TwotimeTile& tile) {
        const std::lock_guard held(mutex);
        ++map.n_tiles;
        for (std::int64_t r = 0; r < side && tile.first_row + r < T; ++r) {
            for (std::int64_t c = 0; c < side && tile.first_col + c < T; ++c)
                map.c[static_cast<std::size_t>((tile.first_row + r) * T + tile.first_col + c)] =
                    tile.values[r * side + c];
        }
    };
    map.bin = correlate(request);
    return map;
}

void expect_value(double found, double expected, double close, const std::string& where) {
    if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(found)) << where << ": " << found;
    } else {
        ASSERT_NEAR(found, expected, close * std::max(1.0, std::abs(expected))) << where;
    }
}

void expect_equal(const TwinMap& cpu, const TwinMap& gpu, const std::string& what) {
    EXPECT_EQ(cpu.n_tiles, gpu.n_tiles) << what;
    EXPECT_EQ(cpu.bin.n_pixels, gpu.bin.n_pixels) << what;
    EXPECT_EQ(cpu.bin.photons, gpu.bin.photons) << what;
    EXPECT_EQ(cpu.bin.empty_frames, gpu.bin.empty_frames) << what;
    EXPECT_EQ(cpu.bin.n_static, gpu.bin.n_static) << what;
    for (std::size_t i = 0; i < cpu.c.size() && !testing::Test::HasFatalFailure(); ++i)
        expect_value(gpu.c[i], cpu.c[i], 1e-6, what + ": C " + std::to_string(i));
    ASSERT_EQ(cpu.bin.g2.size(), gpu.bin.g2.size());
    for (std::size_t k = 0; k < cpu.bin.g2.size(); ++k)
        expect_value(gpu.bin.g2[k], cpu.bin.g2[k], 1e-6, what + ": g2 " + std::to_string(k));
    ASSERT_EQ(cpu.bin.g2_segments.size(), gpu.bin.g2_segments.size());
    for (std::size_t i = 0; i < cpu.bin.g2_segments.size(); ++i) {
        expect_value(gpu.bin.g2_segments[i],
                     cpu.bin.g2_segments[i],
                     1e-6,
                     what + ": segment " + std::to_string(i));
    }
}

/// A series and the partition that it refers to.
struct Data {
    Partition partition;
    PixelSeries series;
    explicit Data(const reference::Run& run)
        : partition(partition_of(run)), series(sparse_series(run, partition, {}, 100000)) {}
};

class TwotimeGpu : public GpuTest {
  protected:
    /// Both twins on every dynamic bin, every smoothing; returns the last map of the GPU.
    TwinMap
    expect_twins(const PixelSeries& series, std::int64_t n_frames, const std::string& what) {
        gpu::TwotimeMaps maps(0);
        TwinMap last;
        for (const TwotimeSmooth smooth : {TwotimeSmooth::static_bin,
                                           TwotimeSmooth::dynamic_bin,
                                           TwotimeSmooth::time,
                                           TwotimeSmooth::none}) {
            TwotimeRequest request;
            request.frames.n_frames = n_frames;
            request.smooth = smooth;
            for (std::uint32_t bin = 0; bin < series.partition().n_dynamic; ++bin) {
                if (HasFatalFailure()) return last;
                const TwinMap cpu =
                    make_map(request, [&](const auto& r) { return cpu::twotime(series, bin, r); });
                last = make_map(request,
                                [&](const auto& r) { return maps.correlate(series, bin, r); });
                expect_equal(cpu,
                             last,
                             what + ", smoothing " + std::to_string(static_cast<int>(smooth)) +
                                 ", bin " + std::to_string(bin));
            }
        }
        return last;
    }
};

TEST_F(TwotimeGpu, LengthsAroundTilesAndSquaresEqualTheCpu) {
    for (const std::int64_t n_frames : {2, 5, 31, 63, 64, 65, 128, 255, 256, 257, 300, 513}) {
        const reference::Run run = poisson_run(n_frames, 90, 0.7, 3 + n_frames, 20);
        expect_twins(Data(run).series, n_frames, "T " + std::to_string(n_frames));
    }
}

TEST_F(TwotimeGpu, EqualsTheReference) {
    reference::Run run = poisson_run(70, 40, 1.5, 17, 7);
    for (int& label : run.dynamic_label)
        label = 1;
    for (std::int64_t p = 0; p < run.n_pixels; ++p)
        at(run, 33, p) = 0;  // an empty frame
    const Data data(run);
    const PixelSeries& series = data.series;
    TwotimeRequest request;
    request.frames.n_frames = run.n_frames;
    gpu::TwotimeMaps maps(0);
    const TwinMap map =
        make_map(request, [&](const auto& r) { return maps.correlate(series, 0, r); });
    const reference::TwoTime expected = reference::twotime(run, 1, reference::Smooth::static_bin);
    for (std::int64_t t1 = 0; t1 < run.n_frames; ++t1) {
        for (std::int64_t t2 = t1; t2 < run.n_frames; ++t2) {
            if (HasFatalFailure()) return;
            expect_value(map.c[static_cast<std::size_t>(t1 * run.n_frames + t2)],
                         expected.at(t1, t2),
                         2e-7,
                         std::to_string(t1) + ", " + std::to_string(t2));
        }
    }
    EXPECT_EQ(map.bin.empty_frames, 1);
}

TEST_F(TwotimeGpu, BrightPixelsTakeSeveralDigits) {
    reference::Run run = poisson_run(130, 60, 0.3, 23, 15);
    std::mt19937_64 random(5);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        at(run, t, 3) = static_cast<double>(random() % 300);
        at(run, t, 20) = static_cast<double>(random() % 70000);
        at(run, t, 41) = 4.0e9;
    }
    const Partition partition = partition_of(run);
    expect_twins(dense_series<std::uint32_t>(run, partition, false), 130, "bright");
}

TEST_F(TwotimeGpu, ManyPixelsAndStripsEqualTheCpu) {
    const std::int64_t n_frames = small_sizes() ? 300 : 5000;  // 5000: more than one strip
    const reference::Run run = poisson_run(n_frames, 600, 0.02, 29, 200);
    expect_twins(Data(run).series, n_frames, "strips");
}

TEST_F(TwotimeGpu, BuffersAreUsedAgainForSmallerAndLargerRuns) {
    gpu::TwotimeMaps maps(0);
    for (const std::int64_t n_frames : {400, 30, 700}) {
        const reference::Run run = poisson_run(n_frames, 100, 0.5, 31, 10);
        const Data data(run);
        const PixelSeries& series = data.series;
        TwotimeRequest request;
        request.frames.n_frames = n_frames;
        for (const std::uint32_t bin : {0U, 4U}) {
            expect_equal(
                make_map(request, [&](const auto& r) { return cpu::twotime(series, bin, r); }),
                make_map(request, [&](const auto& r) { return maps.correlate(series, bin, r); }),
                "T " + std::to_string(n_frames));
        }
    }
}

TEST_F(TwotimeGpu, TheSameBytesEveryTime) {
    const reference::Run run = poisson_run(400, 300, 0.2, 37, 50);
    const Data data(run);
    const PixelSeries& series = data.series;
    TwotimeRequest request;
    request.frames.n_frames = run.n_frames;
    gpu::TwotimeMaps maps(0);
    const auto map = [&] {
        return make_map(request, [&](const auto& r) { return maps.correlate(series, 1, r); });
    };
    const TwinMap first = map(), second = map();
    EXPECT_EQ(first.c, second.c);
    EXPECT_EQ(first.bin.g2, second.bin.g2);
    EXPECT_EQ(first.bin.g2_segments, second.bin.g2_segments);
}

TEST_F(TwotimeGpu, ExcludedPixelsAndABinWithoutPhotons) {
    reference::Run run = poisson_run(80, 12, 0.5, 41, 3);
    for (std::int64_t t = 0; t < run.n_frames; ++t)
        for (std::int64_t p = 6; p < 12; ++p)
            at(run, t, p) = 0;
    const Data data(run);
    const PixelSeries& series = data.series;
    std::vector<std::uint8_t> excluded(12, 0);
    excluded[2] = 1;
    TwotimeRequest request;
    request.frames.n_frames = run.n_frames;
    request.excluded = &excluded;
    gpu::TwotimeMaps maps(0);
    const auto same = [&](std::uint32_t bin, const std::string& what) {
        expect_equal(
            make_map(request, [&](const auto& r) { return cpu::twotime(series, bin, r); }),
            make_map(request, [&](const auto& r) { return maps.correlate(series, bin, r); }),
            what + " " + std::to_string(bin));
    };
    same(0, "bin");
    same(1, "bin");
    // No pixel is left: nothing to multiply, and no C.
    excluded.assign(12, 1);
    same(0, "excluded bin");
}

TEST_F(TwotimeGpu, AStopFromACallbackLeavesTheObjectUsable) {
    const reference::Run run = poisson_run(600, 50, 0.5, 43, 50);
    const Data data(run);
    const PixelSeries& series = data.series;
    TwotimeRequest request;
    request.frames.n_frames = run.n_frames;
    gpu::TwotimeMaps maps(0);
    TwotimeRequest stopped = request;
    stopped.tile = [](const TwotimeTile&) { throw std::runtime_error("stop"); };
    EXPECT_THROW(maps.correlate(series, 0, stopped), std::runtime_error);
    expect_equal(make_map(request, [&](const auto& r) { return cpu::twotime(series, 0, r); }),
                 make_map(request, [&](const auto& r) { return maps.correlate(series, 0, r); }),
                 "after a stop");
}

}  // namespace
}  // namespace xpcs::test
