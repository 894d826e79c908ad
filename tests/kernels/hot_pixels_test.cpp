// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/hot_pixels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace xpcs {
namespace {

Partition two_bins(std::int64_t n) {
    std::vector<std::uint32_t> label(static_cast<std::size_t>(n));
    for (std::size_t p = 0; p < label.size(); ++p)
        label[p] = p < label.size() / 2 ? 1 : 2;
    return make_partition(1, n, label, label, 2, 2);
}

TEST(HotPixels, AreFoundPerStaticBin) {
    // 500 counts are usual in the second bin and an outlier in the first.
    std::mt19937_64 random(11);
    std::poisson_distribution<int> low(20), high(500);
    std::vector<std::uint64_t> photons;
    for (int p = 0; p < 2000; ++p) {
        photons.push_back(static_cast<std::uint64_t>(p < 1000 ? low(random) : high(random)));
    }
    photons[17] = 500;
    photons[999] = 100000;
    photons[1500] = 18000;
    EXPECT_EQ(find_hot_pixels(two_bins(2000), photons, {}),
              (std::vector<std::uint32_t>{17, 999, 1500}));
}

TEST(HotPixels, ManyDoNotHideEachOther) {
    std::vector<std::uint64_t> photons(1000, 3);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t p = 0; p < 200; ++p) {
        photons[p] = 20000;
        expected.push_back(p);
    }
    EXPECT_EQ(find_hot_pixels(two_bins(1000), photons, {}), expected);
}

TEST(HotPixels, StaticSpeckleOfFullContrastIsNotHot) {
    std::mt19937_64 random(5);
    std::exponential_distribution<double> intensity(1.0 / 300);
    std::vector<std::uint64_t> photons(100000);
    for (auto& p : photons)
        p = static_cast<std::uint64_t>(intensity(random));
    EXPECT_LE(find_hot_pixels(two_bins(100000), photons, {}).size(), 1U);
}

TEST(HotPixels, FewCountsAndSmallBinsHaveNone) {
    std::vector<std::uint64_t> photons(1000, 0);
    photons[3] = 20;  // 20 counts are the least that can be hot
    EXPECT_TRUE(find_hot_pixels(two_bins(1000), photons, {}).empty());
    photons[3] = 21;
    EXPECT_EQ(find_hot_pixels(two_bins(1000), photons, {}), (std::vector<std::uint32_t>{3}));
    std::vector<std::uint8_t> excluded(1000, 0);
    excluded[3] = 1;
    EXPECT_TRUE(find_hot_pixels(two_bins(1000), photons, excluded).empty());
    EXPECT_TRUE(find_hot_pixels(two_bins(8), {1, 1, 1, 9000, 1, 1, 1, 1}, {}).empty());
}

/// The rule as it is written down, in doubles.
std::vector<std::uint32_t> hot_by_sorting(const std::vector<std::uint64_t>& photons) {
    const auto middle_of = [](std::vector<double> values) {
        std::sort(values.begin(), values.end());
        return values[values.size() / 2];
    };
    std::vector<double> values(photons.begin(), photons.end());
    const double middle = middle_of(values);
    for (double& value : values)
        value = std::abs(value - middle);
    const double spread = std::max({1.4826 * middle_of(values), std::sqrt(middle), 1.0});
    std::vector<std::uint32_t> hot;
    for (std::uint32_t slot = 0; slot < photons.size(); ++slot) {
        if (static_cast<double>(photons[slot]) > middle + hot_threshold * spread)
            hot.push_back(slot);
    }
    return hot;
}

TEST(HotPixels, SmallAndLargeCountsFollowTheRule) {
    std::mt19937_64 random(23);
    for (const std::size_t n : {5, 6, 99, 1000}) {
        const std::vector<std::uint32_t> label(n, 1);
        const Partition partition =
            make_partition(1, static_cast<std::int64_t>(n), label, label, 1, 1);
        for (const double mean : {0.2, 3.0, 40.0, 700.0, 3e6}) {
            for (const double spread : {0.0, 0.1, 3.0}) {
                std::vector<std::uint64_t> photons(n);
                for (auto& value : photons) {
                    const double tail = std::exponential_distribution<double>(1.0)(random);
                    std::poisson_distribution<std::uint64_t> counts(mean * (1 + spread * tail));
                    value = counts(random);
                }
                photons[n / 2] += static_cast<std::uint64_t>(15 * std::sqrt(mean) + 15);
                EXPECT_EQ(find_hot_pixels(partition, photons, {}), hot_by_sorting(photons))
                    << n << " pixels, mean " << mean << ", spread " << spread;
            }
        }
    }
}

}  // namespace
}  // namespace xpcs
