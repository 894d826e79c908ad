// SPDX-License-Identifier: BSD-3-Clause
// The six files of the Rigaku 3M.
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>

namespace xpcs {
namespace {

using testing::Event;
using testing::expect_error;
using ::testing::HasSubstr;
using testing::read_events;
using testing::TempDir;
using testing::words_of;
using testing::write_bytes;
using testing::write_words;

class Rigaku3m : public ::testing::Test {
  protected:
    std::string module(int n) const { return directory.file("run.bin.00" + std::to_string(n)); }
    /// Every module: one event at its first pixel (count n + 1), one at its last.
    void write_all() const {
        for (int n = 0; n < 6; ++n) {
            write_words(
                module(n),
                words_of({{n, 0, static_cast<std::uint32_t>(n + 1)}, {10, 512 * 1024 - 1, 1}},
                         rigaku::module_offset));
        }
    }
    TempDir directory;
};

TEST_F(Rigaku3m, PlacesTheModulesOnTheCanvas) {
    write_all();
    // Any of the six is the argument.
    for (int n = 0; n < 6; ++n) {
        const auto source = open_frame_source(module(n), {});
        EXPECT_EQ(source->info().format, "rigaku3m");
        EXPECT_EQ(source->info().files.size(), 6U);
        EXPECT_EQ(source->info().rows, 1676);
        EXPECT_EQ(source->info().cols, 2100);
        auto got = read_events(*source);
        std::sort(got.events.begin(), got.events.end());
        const std::array<std::array<std::uint32_t, 2>, 6> origin = {
            {{0, 1076}, {582, 1076}, {1164, 1076}, {1164, 0}, {582, 0}, {0, 0}}};
        std::vector<Event> expected;
        for (std::uint32_t m = 0; m < 6; ++m) {
            const auto [row, col] = origin[m];
            expected.emplace_back(m, row * 2100 + col, m + 1);
            expected.emplace_back(10, (row + 511) * 2100 + col + 1023, 1);
        }
        std::sort(expected.begin(), expected.end());
        EXPECT_EQ(got.events, expected);
        EXPECT_EQ(got.counts.last_frame, 10);
    }
}

TEST_F(Rigaku3m, GapPixelsAreMarked) {
    write_all();
    const auto source = open_frame_source(module(0), {});
    const auto& gap = source->info().gap;
    ASSERT_EQ(gap.size(), 1676U * 2100U);
    for (std::size_t row = 0; row < 1676; ++row) {
        for (std::size_t col = 0; col < 2100; ++col) {
            const bool in_gap = (row >= 512 && row < 582) || (row >= 1094 && row < 1164) ||
                                (col >= 1024 && col < 1076);
            ASSERT_EQ(gap[row * 2100 + col], in_gap ? 1 : 0) << row << " " << col;
        }
    }
}

TEST_F(Rigaku3m, AllMissingModulesAreListed) {
    write_all();
    std::filesystem::remove(module(1));
    std::filesystem::remove(module(4));
    for (const int named : {0, 1}) {
        expect_error(ExitCode::no_input, {module(1), module(4), "--allow-missing-module"}, [&] {
            open_frame_source(module(named), {});
        });
    }
    expect_error(ExitCode::no_input, {"other.bin.000", "other.bin.005"}, [&] {
        open_frame_source(directory.file("other.bin.003"), {});
    });
}

TEST_F(Rigaku3m, AMissingModuleIsAllowedOnRequestAndMasked) {
    write_all();
    std::filesystem::remove(module(5));
    SourceOptions options;
    options.allow_missing_module = true;
    const auto source = open_frame_source(module(2), options);
    EXPECT_EQ(source->info().gap[0], 1);
    EXPECT_EQ(source->info().gap[1076], 0);
    ASSERT_FALSE(source->info().warnings.empty());
    EXPECT_THAT(source->info().warnings[0], HasSubstr(module(5)));
    EXPECT_EQ(read_events(*source).events.size(), 10U);
}

TEST_F(Rigaku3m, AnEmptyModuleIsAcceptedWithAWarning) {
    write_all();
    write_bytes(module(3), "", 0);
    const auto source = open_frame_source(module(3), {});
    ASSERT_EQ(source->info().warnings.size(), 1U);
    EXPECT_THAT(source->info().warnings[0], HasSubstr(module(3)));
    EXPECT_EQ(source->info().gap[1164 * 2100], 0);  // dark, but there
    EXPECT_EQ(read_events(*source).events.size(), 10U);
    for (int n = 0; n < 6; ++n) {
        write_bytes(module(n), "", 0);
    }
    expect_error(
        ExitCode::data, {"no events", "all modules"}, [&] { open_frame_source(module(0), {}); });
}

TEST_F(Rigaku3m, ShapeOfTheQMapMustBeTheCanvas) {
    write_all();
    const auto source = open_frame_source(module(0), {});
    source->set_shape(1676, 2100);
    expect_error(ExitCode::data, {"1676 x 2100", "2100 x 1676", "transposed"}, [&] {
        source->set_shape(2100, 1676);
    });
    expect_error(
        ExitCode::data, {"1676 x 2100", "512 x 1024"}, [&] { source->set_shape(512, 1024); });
}

TEST_F(Rigaku3m, SizeNotAMultipleOf8InOneModule) {
    write_all();
    std::filesystem::resize_file(module(2), 8 + 3);
    const auto source = open_frame_source(module(0), {});
    EXPECT_EQ(source->info().trailing_bytes, 3);
    EXPECT_EQ(read_events(*source).counts.last_frame, 10);
}

TEST_F(Rigaku3m, BlocksOfTheModulesKeepTogetherInTime) {
    for (int n = 0; n < 6; ++n) {
        std::vector<Event> events;
        for (std::int64_t frame = 0; frame < 1000; ++frame) {
            // Module 0 has ten times the events of the others.
            for (int i = 0; i < (n == 0 ? 10 : 1); ++i) {
                events.emplace_back(frame, static_cast<std::uint32_t>(i), 1);
            }
        }
        write_words(module(n), words_of(events, rigaku::module_offset));
    }
    SourceOptions options;
    options.block_bytes = 8 * 50;
    const auto got = read_events(*open_frame_source(module(0), options));
    std::int64_t reached = 0;
    for (const std::int64_t base : got.frame_bases) {
        EXPECT_GE(base, reached - 51);  // a block of the sparser modules covers 50 frames
        reached = std::max(reached, base);
    }
    EXPECT_EQ(got.events.size(), 15000U);
}

TEST_F(Rigaku3m, ReferenceRunHasAsManyEventsAsItsTruthSays) {
    const std::string folder = XPCS_SHARED_DIR "/reference/data/S-3m/";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no reference data";
    std::ifstream truth_file(folder + "S-3m_truth.json");
    const auto truth = nlohmann::json::parse(truth_file);
    const auto source = open_frame_source(folder + "S-3m.bin.002", {});
    const auto got = read_events(*source);
    // (the truth's own number of events includes those that fell into the gaps)
    EXPECT_EQ(static_cast<std::int64_t>(got.events.size()), truth["bytes"].get<std::int64_t>() / 8);
    EXPECT_EQ(got.counts.last_frame + 1, truth["frames"].get<std::int64_t>());
    std::map<std::uint32_t, int> frames_of;
    for (const auto& [frame, pixel, count] : got.events) {
        ASSERT_EQ(source->info().gap[pixel], 0) << pixel;
        ++frames_of[pixel];
    }
    for (const auto& hot : truth["hot_pixels"]) {
        EXPECT_GT(frames_of[hot.get<std::uint32_t>()], 30);
    }
}

}  // namespace
}  // namespace xpcs
