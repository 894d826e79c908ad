// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/bundle_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

namespace xpcs::test {
namespace {

constexpr std::uint32_t n_bins_of_sums = 9;
const std::vector<BundleSums::Shape> two_kinds{{4, 2, n_bins_of_sums}, {3, 3, n_bins_of_sums}};

/// Sums of very different size, in some of the bins: their order shows in the last bits.
std::vector<PackedTile> sums_of_tile(std::int64_t tile) {
    std::mt19937_64 random(static_cast<std::uint64_t>(tile) + 1);
    std::vector<PackedTile> out;
    for (const BundleSums::Shape& shape : two_kinds) {
        PackedTile sums;
        sums.bundle = tile / bundle_tiles;
        for (std::uint32_t bin = 0; bin < shape.n_bins; ++bin) {
            if (random() % 2 == 0) sums.bins.push_back((bin * 4 + 5) % shape.n_bins);
        }
        std::lognormal_distribution<double> value(0, 12);
        sums.values.resize(sums.bins.size() * shape.n_lags *
                           static_cast<std::size_t>(shape.arrays));
        for (double& v : sums.values)
            v = value(random);
        out.push_back(std::move(sums));
    }
    return out;
}

/// [bins][arrays][lags] of a kind, all tiles one after the other, whatever bundle they are of.
std::vector<double> in_order(std::size_t kind, std::int64_t first, std::int64_t end) {
    const BundleSums::Shape& shape = two_kinds[kind];
    const std::size_t stride = shape.n_lags * static_cast<std::size_t>(shape.arrays);
    std::vector<double> out(shape.n_bins * stride, 0.0);
    for (std::int64_t tile = first; tile < end; ++tile) {
        const PackedTile sums = sums_of_tile(tile)[kind];
        for (std::size_t k = 0; k < sums.values.size(); ++k)
            out[sums.bins[k / stride] * stride + k % stride] += sums.values[k];
    }
    return out;
}

std::vector<double> unpacked(const PackedTile& sums, std::size_t kind) {
    const BundleSums::Shape& shape = two_kinds[kind];
    const std::size_t stride = shape.n_lags * static_cast<std::size_t>(shape.arrays);
    std::vector<double> out(shape.n_bins * stride, 0.0);
    for (std::size_t k = 0; k < sums.values.size(); ++k)
        out[sums.bins[k / stride] * stride + k % stride] = sums.values[k];
    return out;
}

TEST(BundleSums, AreTheSameInWhateverOrderTilesCome) {
    const std::int64_t end = 2 * bundle_tiles + 7;
    std::vector<std::int64_t> order(static_cast<std::size_t>(end));
    std::iota(order.begin(), order.end(), 0);
    std::mt19937_64 random(3);
    for (int trial = 0; trial < 4; ++trial) {
        BundleSums sums(0, end, two_kinds);
        for (const std::int64_t tile : order)
            sums.add(tile, sums_of_tile(tile));
        const auto all = sums.take();
        for (std::size_t kind = 0; kind < two_kinds.size(); ++kind) {
            ASSERT_EQ(all[kind].size(), 3U);
            for (std::int64_t b = 0; b < 3; ++b) {
                const PackedTile& of_bundle = all[kind][static_cast<std::size_t>(b)];
                EXPECT_EQ(of_bundle.bundle, b);
                EXPECT_EQ(unpacked(of_bundle, kind),
                          in_order(kind, b * bundle_tiles, std::min(end, (b + 1) * bundle_tiles)));
            }
        }
        if (trial == 0) std::reverse(order.begin(), order.end());
        if (trial > 0) std::shuffle(order.begin(), order.end(), random);
    }
}

TEST(BundleSums, AreTheSameFromSeveralThreads) {
    const std::int64_t end = bundle_tiles;
    for (int trial = 0; trial < 10; ++trial) {
        BundleSums sums(0, end, two_kinds);
        std::vector<std::thread> threads;
        for (std::int64_t t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (std::int64_t tile = t; tile < end; tile += 4)
                    sums.add(tile, sums_of_tile(tile));
            });
        }
        for (std::thread& thread : threads)
            thread.join();
        const auto all = sums.take();
        ASSERT_EQ(all[0].size(), 1U);
        EXPECT_EQ(unpacked(all[0][0], 0), in_order(0, 0, end));
        EXPECT_EQ(unpacked(all[1][0], 1), in_order(1, 0, end));
    }
}

/// The tiles before them are in another range: what would be added up here were not their order.
TEST(BundleSums, ThatBeginElsewhereStayApart) {
    const std::int64_t first = bundle_tiles - 3, end = bundle_tiles + 2;
    BundleSums sums(first, end, two_kinds);
    for (std::int64_t tile = end - 1; tile >= first; --tile)
        sums.add(tile, sums_of_tile(tile));
    const auto all = sums.take();
    ASSERT_EQ(all[0].size(), 3U + 1U);
    for (std::int64_t k = 0; k < 3; ++k)
        EXPECT_EQ(unpacked(all[0][static_cast<std::size_t>(k)], 0),
                  in_order(0, first + k, first + k + 1));
    EXPECT_EQ(unpacked(all[0][3], 0), in_order(0, bundle_tiles, end));
}

}  // namespace
}  // namespace xpcs::test
