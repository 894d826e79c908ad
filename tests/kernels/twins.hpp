// SPDX-License-Identifier: BSD-3-Clause
// CPU = GPU: integer sums bit by bit, sums of doubles to rounding.
#pragma once

#include "kernels/device.hpp"
#include "kernels/multitau.hpp"
#include "kernels/partition.hpp"
#include "kernels/pixel_series.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

namespace xpcs::test {

/// Smaller sizes for runs under compute-sanitizer, which are slower by a factor of 10 to 100.
inline bool small_sizes() {
    return std::getenv("XPCS_TEST_SMALL") != nullptr;
}

class GpuTest : public testing::Test {
  protected:
    void SetUp() override {
        const GpuProbe found = gpu::probe();
        if (found.gpus.empty()) GTEST_SKIP() << "no GPU to test: " << found.note;
    }
};

/// Sums of doubles of all tiles, by [array][bin][lag].
inline std::vector<double>
fold_tiles(const std::vector<PackedTile>& tiles, int arrays, std::uint32_t n_bins, int n_lags) {
    const auto lags = static_cast<std::size_t>(n_lags);
    std::vector<double> out(static_cast<std::size_t>(arrays) * n_bins * lags, 0.0);
    for (const PackedTile& tile : tiles) {
        EXPECT_EQ(tile.values.size(), tile.bins.size() * static_cast<std::size_t>(arrays) * lags);
        const double* in = tile.values.data();
        for (const std::uint32_t bin : tile.bins) {
            for (std::size_t a = 0; a < static_cast<std::size_t>(arrays); ++a) {
                for (std::size_t i = 0; i < lags; ++i)
                    out[(a * n_bins + bin) * lags + i] += *in++;
            }
        }
    }
    return out;
}

/// Both are sums of up to some 10^5 products of non-negative terms, added in different orders: each
/// order is off by less than the number of terms times 2^-53, so 1e-10 leaves a wide margin. What
/// is exactly zero in one must be so in the other: it means "no signal".
inline void
expect_close(const std::vector<double>& a, const std::vector<double>& b, const std::string& what) {
    ASSERT_EQ(a.size(), b.size()) << what;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ASSERT_EQ(a[i] == 0, b[i] == 0) << what << " at " << i << ": " << a[i] << ", " << b[i];
        ASSERT_NEAR(a[i], b[i], 1e-10 * std::abs(a[i])) << what << " at " << i;
    }
}

template <class T>
void expect_same(const std::vector<T>& a, const std::vector<T>& b, const std::string& what) {
    ASSERT_EQ(a.size(), b.size()) << what;
    for (std::size_t i = 0; i < a.size(); ++i)
        ASSERT_TRUE(a[i] == b[i]) << what << " at " << i;
}

inline void expect_equal_bins(const BinSums& cpu, const BinSums& gpu, const std::string& what) {
    expect_same(cpu.G2, gpu.G2, what + ": G2");
    expect_same(cpu.past, gpu.past, what + ": past");
    expect_same(cpu.future, gpu.future, what + ": future");
    expect_same(cpu.pairs, gpu.pairs, what + ": pairs");
    expect_same(cpu.n_pixels, gpu.n_pixels, what + ": n_pixels");
    expect_same(cpu.n_signal, gpu.n_signal, what + ": n_signal");
    const int n_lags = cpu.ladder.n_lags();
    ASSERT_EQ(n_lags, gpu.ladder.n_lags()) << what;
    expect_close(fold_tiles(cpu.ratio_tiles, 2, cpu.n_dynamic, n_lags),
                 fold_tiles(gpu.ratio_tiles, 2, gpu.n_dynamic, n_lags),
                 what + ": ratios");
    ASSERT_EQ(cpu.weighted, gpu.weighted);
    expect_close(fold_tiles(cpu.weighted_tiles, 3, cpu.n_static, n_lags),
                 fold_tiles(gpu.weighted_tiles, 3, gpu.n_static, n_lags),
                 what + ": weighted sums");
}

inline void
expect_equal_sums(const MultitauSums& cpu, const MultitauSums& gpu, const std::string& what) {
    expect_equal_bins(cpu.whole, gpu.whole, what + ", whole");
    ASSERT_EQ(cpu.partial.size(), gpu.partial.size()) << what;
    for (std::size_t k = 0; k < cpu.partial.size(); ++k) {
        expect_equal_bins(cpu.partial[k], gpu.partial[k], what + ", slice " + std::to_string(k));
    }
    expect_same(cpu.partial_begin, gpu.partial_begin, what + ": partial_begin");
    expect_same(cpu.pixel_photons, gpu.pixel_photons, what + ": pixel_photons");
    expect_same(cpu.segment_photons, gpu.segment_photons, what + ": segment_photons");
    EXPECT_EQ(cpu.duplicates, gpu.duplicates) << what;
    EXPECT_EQ(cpu.events_used, gpu.events_used) << what;
}

/// Means of all pixels as they were handed over, [n_lags][n_pixels] tile after tile.
struct CollectedMeans {
    std::vector<std::int64_t> first_slot;
    std::vector<double> G2, past, future;

    std::function<void(const PixelMeans&)> callback() {
        return [this](const PixelMeans& means) {
            first_slot.push_back(means.first_slot);
            G2.insert(G2.end(), means.G2.begin(), means.G2.end());
            past.insert(past.end(), means.past.begin(), means.past.end());
            future.insert(future.end(), means.future.begin(), means.future.end());
        };
    }
};

/// Both twins on one series, with means; what the GPU gave.
inline MultitauSums expect_equal_twins(const PixelSeries& series,
                                       MultitauRequest request,
                                       const std::string& what,
                                       const std::vector<int>& devices = {0}) {
    CollectedMeans cpu_means, gpu_means;
    request.threads = 2;
    request.pixel_means = cpu_means.callback();
    const MultitauSums cpu = cpu::multitau(series, request);
    request.pixel_means = gpu_means.callback();
    MultitauSums gpu = gpu::multitau(series, request, devices);
    expect_equal_sums(cpu, gpu, what);
    expect_same(cpu_means.first_slot, gpu_means.first_slot, what + ": tiles of means");
    // float: rounding once more may move the last bit.
    const auto close = [&](const std::vector<double>& a, const std::vector<double>& b) {
        ASSERT_EQ(a.size(), b.size()) << what;
        for (std::size_t i = 0; i < a.size(); ++i)
            ASSERT_NEAR(a[i], b[i], 1.2e-7 * std::abs(a[i])) << what << ": means at " << i;
    };
    close(cpu_means.G2, gpu_means.G2);
    close(cpu_means.past, gpu_means.past);
    close(cpu_means.future, gpu_means.future);
    return gpu;
}

}  // namespace xpcs::test
