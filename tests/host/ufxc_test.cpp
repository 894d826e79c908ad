// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/ufxc.hpp"

#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <algorithm>

namespace xpcs {
namespace {

using testing::Event;
using testing::expect_error;

class Ufxc : public ::testing::Test {
  protected:
    std::string write(const std::string& name, const std::vector<Event>& events) {
        std::vector<std::uint32_t> words;
        for (const auto& [frame, index, count] : events)
            words.push_back(ufxc::make_word(frame, index, count));
        const std::string path = directory_.file(name);
        testing::write_bytes(path, words.data(), 4 * words.size());
        return path;
    }
    testing::TempDir directory_;
};

TEST(UfxcWord, Fields) {
    const std::uint32_t word = 0xFFE00000U | 2U << 15 | 129;
    EXPECT_EQ(ufxc::frame_of(word), 2047U);
    EXPECT_EQ(ufxc::count_of(word), 2U);
    EXPECT_EQ(ufxc::index_of(word), 129U);
    EXPECT_EQ(ufxc::pixel_of(129), 257U);  // row 1, column 1
    EXPECT_EQ(ufxc::pixel_of(32767), 32767U);
}

TEST_F(Ufxc, CounterIsUnwrappedFromItsFirstFrame) {
    // Counter from 1990; wraps twice; index 128 is row 0, column 1.
    const std::vector<Event> raw = {{1990, 0, 1},
                                    {2040, 128, 3},
                                    {2050, 1, 2},
                                    {2900, 3, 1},
                                    {3500, 2, 1},
                                    {4100, 0, 0},
                                    {4101, 0, 1}};
    for (const std::int64_t block : {4, 8, 12, 1 << 20}) {
        SourceOptions options;
        options.block_bytes = block;
        const auto source = open_frame_source(write("a.ufxc", raw), options);
        EXPECT_EQ(source->info().format, "ufxc");
        source->set_shape(128, 256);
        const auto read = testing::read_events(*source);
        EXPECT_EQ(
            read.events,
            (std::vector<Event>{
                {0, 0, 1}, {50, 1, 3}, {60, 256, 2}, {910, 768, 1}, {1510, 512, 1}, {2111, 0, 1}}));
        EXPECT_EQ(read.counts.zero_count, 1);
    }
}

TEST_F(Ufxc, ContentDecidesWhereTheNameDoesNot) {
    std::vector<Event> raw;
    for (std::int64_t frame = 0; frame < 3000; ++frame)
        raw.emplace_back(frame, static_cast<std::uint32_t>(frame * 7919 % 32768), 1 + frame % 3);
    const auto source = open_frame_source(write("run.dat", raw), {});
    EXPECT_EQ(source->info().format, "ufxc");
    EXPECT_EQ(testing::read_events(*source).events.size(), 3000U);
    expect_error(
        ExitCode::data, {"128 x 256", "512 x 1024"}, [&] { source->set_shape(512, 1024); });
}

/// A dump of 3 frames with `p` of 1000 pixels lit, and what is in it.
template <class Sample>
std::vector<Event> write_dump(const std::string& path, std::uint64_t per_mille) {
    std::vector<Sample> values;
    std::vector<Event> events;
    std::uint64_t state = 11;
    for (std::int64_t frame = 0; frame < 3; ++frame) {
        for (std::uint32_t index = 0; index < 32768; ++index) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            const auto lit = static_cast<Sample>((state >> 40) % 1000 < per_mille);
            const auto count = static_cast<Sample>(lit * (1 + (state >> 20) % 3));
            values.push_back(count);
            // Column-major: index 1 is row 1 of column 0.
            if (count > 0) events.emplace_back(frame, index % 128 * 256 + index / 128, count);
        }
    }
    testing::write_bytes(path, values.data(), values.size() * sizeof(Sample));
    std::sort(events.begin(), events.end());
    return events;
}

TEST_F(Ufxc, DenseDumpsAreToldFromStreamsByTheirContent) {
    const std::string path = directory_.file("old.ufxc");
    for (const std::uint64_t per_mille : {1U, 20U, 100U, 300U, 900U}) {
        SCOPED_TRACE(per_mille);
        for (const bool wide : {true, false}) {
            const auto want = wide ? write_dump<std::uint16_t>(path, per_mille)
                                   : write_dump<std::uint8_t>(path, per_mille);
            const auto source = open_frame_source(path, {});
            EXPECT_EQ(source->info().format, wide ? "ufxc-dense16" : "ufxc-dense8");
            EXPECT_EQ(source->info().n_frames, 3);
            EXPECT_THAT(source->info().warnings.front(), ::testing::HasSubstr("assumption"));
            auto got = testing::read_events(*source).events;
            std::sort(got.begin(), got.end());
            EXPECT_EQ(got, want);
        }
    }
}

TEST_F(Ufxc, TheNameOfADumpSaysItsWidth) {
    const std::string path = directory_.file("old.u8.ufxc");
    write_dump<std::uint16_t>(path, 100);
    EXPECT_EQ(open_frame_source(path, {})->info().n_frames, 6);
    testing::write_bytes(path, std::string(32769, '\1').data(), 32769);
    expect_error(
        ExitCode::data, {"old.u8.ufxc", "32769", "32768"}, [&] { open_frame_source(path, {}); });
}

TEST_F(Ufxc, AStreamOfTheSizeOfADumpStaysAStream) {
    std::vector<Event> raw;
    for (std::int64_t frame = 0; frame < 8192; ++frame)
        raw.emplace_back(frame, static_cast<std::uint32_t>(frame * 7919 % 32768), 1 + frame % 3);
    EXPECT_EQ(open_frame_source(write("same.ufxc", raw), {})->info().format, "ufxc");
}

}  // namespace
}  // namespace xpcs
