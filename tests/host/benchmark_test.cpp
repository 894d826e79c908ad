// SPDX-License-Identifier: BSD-3-Clause
// The benchmark's own proof: data that are what they claim, a direct curve that is right, and a
// check that refuses wrong results.
#include "host/benchmark_check.hpp"
#include "host/benchmark_data.hpp"
#include "host/qmap.hpp"
#include "host/readers/rigaku_word.hpp"
#include "tests/host/temp_dir.hpp"
#include "tests/reference/reference.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <set>

namespace {

using namespace xpcs;
using xpcs::testing::TempDir;

BenchmarkSet small_set() {
    BenchmarkSet set;
    set.name = "small";
    set.n_frames = 64;
    set.occupancy = 0.01;
    set.n_hot = 20;
    return set;
}

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Benchmark, DataAreWhatTheyClaim) {
    const TempDir dir;
    const BenchmarkFiles files = make_benchmark_files(small_set(), dir.path(), 7, 1);
    const std::string bytes = bytes_of(files.raw);
    ASSERT_EQ(bytes.size(), files.raw_bytes);
    ASSERT_EQ(static_cast<std::int64_t>(bytes.size() / 8), files.truth.n_events);
    // 0.01 of 524288 pixels in 64 frames, and 20 hot ones in nine of ten: 335544 + 1152, sigma 580.
    EXPECT_NEAR(static_cast<double>(files.truth.n_events), 336696, 5 * 580);

    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    std::vector<std::uint64_t> photons(64, 0);
    std::uint64_t checked = 0, expected = 0;
    const std::set<std::uint32_t> pixels(files.truth.pixel.begin(), files.truth.pixel.end());
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
        std::uint64_t word = 0;
        bytes.copy(reinterpret_cast<char*>(&word), 8, at);
        EXPECT_TRUE(seen.emplace(rigaku::frame_of(word), rigaku::index_of(word)).second);
        photons.at(rigaku::frame_of(word)) += rigaku::count_of(word);
        if (pixels.count(rigaku::index_of(word)) > 0) checked += rigaku::count_of(word);
    }
    for (const std::uint8_t count : files.truth.counts)
        expected += count;
    EXPECT_EQ(photons, files.truth.frame_photons);
    EXPECT_EQ(checked, expected);
}

TEST(Benchmark, TheSameSeedGivesTheSameBytesOnAnyNumberOfThreads) {
    const TempDir one, two;
    const BenchmarkFiles a = make_benchmark_files(small_set(), one.path(), 7, 1);
    const BenchmarkFiles b = make_benchmark_files(small_set(), two.path(), 7, 2);
    EXPECT_EQ(bytes_of(a.raw), bytes_of(b.raw));
    const BenchmarkFiles c = make_benchmark_files(small_set(), two.path(), 8, 2);
    EXPECT_NE(bytes_of(a.raw), bytes_of(c.raw));
}

TEST(Benchmark, TheCheckedPixelsHaveTheLastBinForThemselves) {
    const TempDir dir;
    const BenchmarkFiles files = make_benchmark_files(small_set(), dir.path(), 7, 2);
    const QMap qmap = load_qmap(files.qmap);
    std::vector<std::uint32_t> last;
    for (std::size_t i = 0; i < qmap.dynamic_roi_map.size(); ++i) {
        if (qmap.dynamic_roi_map[i] == qmap.n_dynamic())
            last.push_back(static_cast<std::uint32_t>(i));
    }
    EXPECT_EQ(last, files.truth.pixel);
    EXPECT_GE(last.size(), 320U);
}

TEST(Benchmark, DirectCurveIsThatOfTheOracle) {
    const TempDir dir;
    const BenchmarkFiles files = make_benchmark_files(small_set(), dir.path(), 7, 2);
    const BenchmarkTruth& truth = files.truth;
    reference::Run run;
    run.n_frames = truth.n_frames;
    run.n_pixels = static_cast<std::int64_t>(truth.pixel.size());
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        for (std::int64_t p = 0; p < run.n_pixels; ++p)
            run.counts.push_back(truth.counts[static_cast<std::size_t>(p * run.n_frames + t)]);
    }
    for (const int bin : truth.bin) {
        run.static_label.push_back(bin + 1);
        run.dynamic_label.push_back(1);
    }
    const reference::OneTime expected = reference::multitau(run);
    const DirectCurve direct = direct_g2(truth, false);
    ASSERT_EQ(direct.lag.size(), expected.lags.size());
    for (std::size_t i = 0; i < direct.lag.size(); ++i) {
        EXPECT_EQ(direct.lag[i], expected.lags[i].frames);
        // Sums of fewer than 1e6 terms in double.
        EXPECT_NEAR(direct.g2[i], expected.g2[i], 1e-10 * std::abs(expected.g2[i])) << i;
    }
}

}  // namespace
