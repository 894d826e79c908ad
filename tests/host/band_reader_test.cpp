// SPDX-License-Identifier: BSD-3-Clause
#include "host/band_reader.hpp"

#include "host/errors.hpp"
#include "tests/host/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace {

using namespace xpcs;
using xpcs::testing::TempDir;

/// Two levels over 16 frames, two bins; a value is 1000 * bin + 100 * lag + age.
std::string made_up_band(const TempDir& dir, bool bad = false) {
    const std::string path = dir.file("band.hdf");
    const h5::File file = h5::create_file(path);
    const hid_t id = file.id();
    const std::string group = "/xpcs/twotime_multitau/";
    std::vector<std::int64_t> lags;
    for (int level = 0; level < 2; ++level) {
        const std::vector<int> channels =
            level == 0 ? std::vector<int>{1, 2, 3} : std::vector<int>{2, 3};
        const int width = 1 << level, blocks = 16 / width;
        std::vector<float> values;
        std::vector<std::int64_t> lag;
        std::vector<double> offset;
        for (const int channel : channels) {
            lag.push_back(channel * width);
            offset.push_back((1.0 + channel) * width / 2);
            if (level == 0 || channel * width > 3) {
                lags.push_back(lag.back());
            }
        }
        for (int bin = 0; bin < 2; ++bin) {
            for (std::size_t k = 0; k < channels.size(); ++k) {
                for (int j = 0; j < blocks; ++j) {
                    const bool there = j + channels[k] < blocks;
                    const double age = j * width + offset[k];
                    values.push_back(
                        there ? static_cast<float>(1000.0 * bin +
                                                   100.0 * static_cast<double>(lag[k]) + age)
                              : std::nanf(""));
                }
            }
        }
        const std::string at = group + "level_0" + std::to_string(level) + "/";
        h5::write<float>(
            id, at + "correlation", values, {2, channels.size(), static_cast<hsize_t>(blocks)});
        h5::write<std::int64_t>(id, at + "lag", lag);
        if (bad) {
            offset.pop_back();
        }
        h5::write<double>(id, at + "age_offset", offset);
    }
    h5::write<std::int64_t>(id, group + "processed_bins", {4, 7});
    h5::write<std::int64_t>(id, group + "delay_list", lags);
    h5::write<double>(
        id, group + "normalized_g2", std::vector<double>(2 * lags.size(), 1.5), {lags.size(), 2});
    h5::write<double>(id,
                      group + "normalized_g2_err",
                      std::vector<double>(2 * lags.size(), 0.1),
                      {lags.size(), 2});
    return path;
}

TEST(BandReader, PutsValuesAtTheirAge) {
    const TempDir dir;
    const auto maps = read_band(made_up_band(dir), 10, 16);
    ASSERT_EQ(maps.size(), 2U);
    EXPECT_EQ(maps[1].label, 7);
    EXPECT_EQ(maps[0].lag, (std::vector<std::int64_t>{1, 2, 3, 4, 6}));
    EXPECT_EQ(maps[0].values.cols, 16);
    EXPECT_EQ(maps[0].age_step, 1);
    for (std::int64_t row = 0; row < 5; ++row) {
        const double lag = static_cast<double>(maps[1].lag[static_cast<std::size_t>(row)]);
        int there = 0;
        for (std::int64_t k = 0; k < 16; ++k) {
            const double value = maps[1].values.at(row, k);
            if (std::isfinite(value)) {
                // Within a column, or within a block of two frames.
                EXPECT_NEAR(
                    value, 1000 + 100 * lag + static_cast<double>(k) + 0.5, lag < 4 ? 0.51 : 1.51);
                ++there;
            }
        }
        EXPECT_NEAR(there, 16 - lag, 2) << lag;
    }
}

TEST(BandReader, AveragesAgesIntoFewColumns) {
    const TempDir dir;
    const auto maps = read_band(made_up_band(dir), 1, 4);
    ASSERT_EQ(maps.size(), 1U);
    EXPECT_EQ(maps[0].age_step, 4);
    // Lag 1: ages 1 ... 15; the second column holds 4, 5, 6, 7.
    EXPECT_NEAR(maps[0].values.at(0, 1), 100 + 5.5, 1e-4);
}

TEST(BandReader, FilesWithoutOrWithBadBands) {
    const TempDir dir, other;
    const std::string path = other.file("none.hdf");
    h5::write_scalar<double>(h5::create_file(path).id(), "/x", 1);
    EXPECT_TRUE(read_band(path, 10).empty());
    EXPECT_THROW(read_band(made_up_band(dir, true), 10), Error);
}

}  // namespace
