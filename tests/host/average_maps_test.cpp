// SPDX-License-Identifier: BSD-3-Clause
// Two-time maps of an average against the mean of what was written.
#include "host/average.hpp"
#include "host/chunk_writer.hpp"
#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/result_file.hpp"
#include "host/result_paths.hpp"
#include "host/result_reader.hpp"
#include "kernels/twotime.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>

namespace {

using namespace xpcs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using xpcs::testing::TempDir;
namespace rp = result_path;

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Value of a map at row <= column. Sums of a few are exact in single precision.
using MapValue = std::function<float(std::size_t map, std::int64_t row, std::int64_t col)>;

class AverageOfMaps : public ::testing::Test {
  protected:
    /// A two-time result of n frames whose maps of bins 1 and 3 are `value`. Only tiles that begin
    /// at first_row or later are written, the others are 0.
    std::string add(int k, std::int64_t n, const MapValue& value, std::int64_t first_row = 0) {
        RunResult result = made_up_;
        result.config.type = AnalysisType::twotime;
        result.config.save_G2 = false;
        result.frames = {0, n, 1, 1, n, n, n};
        result.scattering.intensity.assign(static_cast<std::size_t>(n), 1);
        result.one_time.ladder = make_lag_ladder(n);
        TwotimeTable table;
        table.labels = {1, 3};
        table.natural = {0, 3};
        table.n_frames = n;
        for (std::int64_t i = 0; i < 2 * n; ++i)
            table.g2.push_back(1 + 0.25F * static_cast<float>(k));
        table.empty_frames = {0, 0};
        result.two_time = table;
        ResultFile file(result.config, "film_0000" + std::to_string(k), result.metadata.file);
        for (std::size_t map = 1; map <= 2; ++map) {
            const auto writer = file.twotime_map(map, n);
            const std::int64_t side = twotime_tile_side(n);
            for (std::int64_t row = first_row; row < n; row += side)
                for (std::int64_t col = row; col < n; col += side)
                    write_tile(*writer, n, map, {row, col}, value);
            writer->close();
        }
        file.write(result);
        files_.push_back(file.commit());
        return files_.back();
    }
    AverageReport run() {
        AverageOptions options;
        options.files = files_;
        options.output = dir_.file("out");
        return average(options);
    }
    static std::vector<float> map_of(const std::string& file, std::size_t map) {
        return h5::read<float>(h5::open_file(file).id(), twotime_map_path(map));
    }
    TempDir dir_;
    std::vector<std::string> files_;

  private:
    static void write_tile(ChunkWriter& writer,
                           std::int64_t n,
                           std::size_t map,
                           std::pair<std::int64_t, std::int64_t> at,
                           const MapValue& value) {
        const std::int64_t side = twotime_tile_side(n);
        std::vector<float> tile;
        for (std::int64_t row = at.first; row < at.first + side; ++row)
            for (std::int64_t col = at.second; col < at.second + side; ++col)
                tile.push_back(row <= col && col < n ? value(map, row, col) : 0);
        writer.write({static_cast<hsize_t>(at.first), static_cast<hsize_t>(at.second)},
                     tile.data());
    }
    RunResult made_up_ = xpcs::testing::made_up_result(dir_);
};

/// 1/64 steps; frame 5 is empty in the second file, frame 300 in all of them.
float made_up_value(int k, std::size_t map, std::int64_t row, std::int64_t col) {
    if (row == 300 || col == 300 || (k == 2 && (row == 5 || col == 5))) return nan;
    const std::int64_t mixed = 7 * row + 13 * col * (k + 1) + static_cast<std::int64_t>(map);
    return 1 + static_cast<float>(mixed % 257) / 64;
}

TEST_F(AverageOfMaps, IsTheMeanOfTheFiniteValues) {
    constexpr std::int64_t n = 601;  // three tiles a side, the last of them cut
    for (int k = 1; k <= 3; ++k) {
        add(k, n, [k](std::size_t map, std::int64_t row, std::int64_t col) {
            return made_up_value(k, map, row, col);
        });
    }
    const AverageReport report = run();
    ASSERT_EQ(report.n_kept(), 3U);
    EXPECT_THAT(ResultReader(report.result).data().two_time.map_bins, ElementsAre(1, 3));
    for (std::size_t map = 1; map <= 2; ++map) {
        const std::vector<float> mean = map_of(report.result, map);
        ASSERT_EQ(mean.size(), static_cast<std::size_t>(n * n));
        for (std::int64_t row = 0; row < n; ++row) {
            for (std::int64_t col = 0; col < n; ++col) {
                const float found = mean[static_cast<std::size_t>(row * n + col)];
                double sum = 0;
                int values = 0;
                for (int k = 1; k <= 3 && row <= col; ++k) {
                    const float value = made_up_value(k, map, row, col);
                    if (std::isnan(value)) continue;
                    sum += value;
                    ++values;
                }
                if (row > col) {
                    ASSERT_EQ(found, 0) << row << ", " << col;
                } else if (values == 0) {
                    ASSERT_TRUE(std::isnan(found)) << row << ", " << col;
                } else {
                    ASSERT_EQ(found, static_cast<float>(sum / values)) << row << ", " << col;
                }
            }
        }
    }
    const auto g2 = h5::read<float>(h5::open_file(report.result).id(), rp::twotime_g2.path);
    EXPECT_EQ(g2.front(), 1.5F);
    EXPECT_EQ(g2.back(), 1.5F);
}

TEST_F(AverageOfMaps, GoesOnWhereABandOfRowsEnds) {
    // 256 MiB hold 3840 rows of so many frames. What is above is left 0, which saves time.
    constexpr std::int64_t n = 4100, first_row = 3584;
    for (int k = 1; k <= 2; ++k) {
        const auto value = [k](std::size_t map, std::int64_t row, std::int64_t col) {
            return static_cast<float>(k) * static_cast<float>((row * 31 + col) % 1021) +
                   static_cast<float>(map);
        };
        add(k, n, value, first_row);
    }
    const AverageReport report = run();
    const std::vector<float> mean = map_of(report.result, 2);
    ASSERT_EQ(mean.size(), static_cast<std::size_t>(n * n));
    for (std::int64_t row = first_row - 1; row < n; ++row) {
        for (std::int64_t col = row; col < n; ++col) {
            const float base = static_cast<float>((row * 31 + col) % 1021);
            const float expected = row < first_row ? 0 : 1.5F * base + 2;
            ASSERT_EQ(mean[static_cast<std::size_t>(row * n + col)], expected)
                << row << ", " << col;
        }
    }
}

TEST_F(AverageOfMaps, OfDifferentSizesAreRefusedWithBoth) {
    const MapValue one = [](std::size_t, std::int64_t, std::int64_t) { return 1.0F; };
    add(1, 100, one);
    add(2, 101, one);
    const auto error = xpcs::testing::error_of([&] { run(); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), HasSubstr(files_[0]));
    EXPECT_THAT(error.what(), HasSubstr(files_[1]));
    EXPECT_THAT(error.what(), HasSubstr("101"));
    EXPECT_FALSE(std::filesystem::exists(dir_.file("out")));
}

TEST_F(AverageOfMaps, ThatAreNotWhatTheTablesSayAreRefused) {
    // Tables of two bins and 100 frames, but a map is missing, or has another size.
    const MapValue one = [](std::size_t, std::int64_t, std::int64_t) { return 1.0F; };
    const std::string damaged = add(1, 100, one);
    add(2, 100, one);
    std::swap(files_[0], files_[1]);  // the first one is whole
    for (const hsize_t side : {hsize_t{0}, hsize_t{99}, hsize_t{101}}) {
        {
            const h5::File file = h5::open_file_for_writing(damaged);
            const std::string path = twotime_map_path(2);
            if (h5::exists(file.id(), path)) h5::remove(file.id(), path);
            if (side > 0) {
                const std::vector<float> values(side * side, 1);
                h5::write<float>(file.id(), path, values, {side, side});
            }
        }
        const auto error = xpcs::testing::error_of([&] { run(); });
        EXPECT_EQ(error.code(), ExitCode::data) << side << ": " << error.what();
        EXPECT_THAT(error.what(), HasSubstr(damaged)) << side;
        EXPECT_THAT(error.what(), HasSubstr("c2_00002")) << side;
        EXPECT_TRUE(std::filesystem::is_empty(dir_.file("out"))) << side;
    }
}

}  // namespace
