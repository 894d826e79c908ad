// SPDX-License-Identifier: BSD-3-Clause
// Raw Timepix4 streams: the words alone, then files of them.
#include "host/readers/spidr4.hpp"

#include "host/readers/spidr4_word.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <algorithm>
#include <cstring>
#include <set>

namespace xpcs {
namespace {

using namespace spidr4;
using testing::Event;
using testing::expect_error;

// --- words -------------------------------------------------------------------------------------

TEST(Spidr4Word, FieldsLieWhereTheFormatSays) {
    // Bottom half, double column 5, group 2, superpixel 3, pixel 6: column 11, row 32 + 12 + 2.
    constexpr std::uint64_t address = 5ULL << 55 | 2ULL << 51 | 3ULL << 49 | 6ULL << 46;
    static_assert(place_of(address) == Place{46, 11});
    static_assert(place_of(1ULL << 63 | address) == Place{511 - 46, 447 - 11});
    static_assert(arrival_of(0b11ULL << 30) == 2 && arrival_of(0x8000ULL << 30) == 0xFFFF);
    static_assert(is_control(0xE0ULL << 55) && !is_control(0xDFULL << 55));
    static_assert(control_time(1ULL << 63 | 0xE0ULL << 55 | 123456789) == 123456789);
    // Start code 7 is 7 ticks, stop code 1 is 5; the rising counter counts 8 ticks.
    static_assert(fine_ticks(7ULL << 26 | 1ULL << 22 | 3ULL << 17) == 7 - 5 - 24);
    static_assert(group_of(7ULL << 60) == 7 && payload_words(7ULL << 60 | 42) == 42);
    static_assert(stream_of(0x1FFFULL << 32) == 0x1FFF);
    std::uint64_t mark = 0;
    std::memcpy(&mark, "SPIDR4\0\0", 8);
    EXPECT_EQ(mark, file_mark);
}

TEST(Spidr4Word, EveryPixelHasItsAddress) {
    std::set<std::uint64_t> seen;
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t col = 0; col < cols; ++col) {
            const std::uint64_t address = address_of({row, col});
            ASSERT_EQ(place_of(address), (Place{row, col}));
            ASSERT_EQ(half_of(address), row >= 256);
            ASSERT_FALSE(is_control(address));
            ASSERT_TRUE(seen.insert(address).second);
        }
    }
}

TEST(Spidr4Word, TimesSurviveInWholeTicks) {
    for (std::int64_t tick = 0; tick < 300; ++tick) {
        const std::uint64_t hit = make_hit({1, 1}, tick, 5);
        EXPECT_EQ(arrival_of(hit) * ticks_per_clock + fine_ticks(hit), tick);
    }
    const std::uint64_t late = make_hit({1, 1}, (3 * arrival_period + 7) * ticks_per_clock, 5);
    EXPECT_EQ(arrival_of(late), 7);
    for (std::uint32_t value = 0; value < 65536; ++value)
        ASSERT_EQ(gray_to_binary(binary_to_gray(value)), value);
}

TEST(Spidr4Word, ArrivalIsExtendedToTheNearestTime) {
    static_assert(extended(5, 0) == 5);
    static_assert(extended(5, 65530) == 65536 + 5);
    static_assert(extended(65530, 65536 + 5) == 65530);
    static_assert(extended(65530, 5) == 65530);  // there is no time before 0
    static_assert(extended(100, 10 * arrival_period + 32000) == 10 * arrival_period + 100);
    static_assert(extended(100, 10 * arrival_period + 40000) == 11 * arrival_period + 100);
}

// --- files -------------------------------------------------------------------------------------

class Spidr4 : public ::testing::Test {
  protected:
    std::string write(const std::vector<std::uint64_t>& words, const std::string& name = "a.tpx") {
        std::vector<std::uint64_t> all = {file_mark};
        all.insert(all.end(), words.begin(), words.end());
        const std::string path = directory_.file(name);
        testing::write_words(path, all);
        return path;
    }
    static std::vector<std::uint64_t> packet(std::vector<std::uint64_t> words,
                                             std::uint64_t group = 0) {
        words.insert(words.begin(), make_packet(group, 0, words.size()));
        return words;
    }
    testing::ReadEvents read(const std::string& path, std::int64_t* frames = nullptr) {
        const auto source = open_frame_source(path, options_);
        EXPECT_EQ(source->info().format, "timepix4");
        source->set_shape(512, 448);
        auto out = testing::read_events(*source);
        if (frames != nullptr) *frames = frames_seen(source->info(), out.counts.last_frame);
        std::sort(out.events.begin(), out.events.end());
        return out;
    }
    static constexpr std::int64_t us = 40 * ticks_per_clock;  ///< 1 microsecond

    SourceOptions options_;
    testing::TempDir directory_;
};

TEST_F(Spidr4, HitsOfBothHalvesFallIntoBinsFromTheSynchronisation) {
    const std::int64_t start = 1000 * us;
    const std::string path = write(packet({
        make_control(heartbeat, 1, 900 * 40),  // not the start: a synchronisation follows
        make_control(time_sync, 0, 1000 * 40),
        make_hit({3, 7}, start + us - 1, 5),  // the last tick of bin 0
        make_hit({3, 7}, start + us, 5),      // the first of bin 1
        make_hit({300, 9}, start + us + 5, 5),
        make_hit({3, 7}, start + us + 9, 5),  // twice in a bin: summed later
        make_hit({3, 8}, start - us, 5),      // before the start
        make_control(shutter_open, 0, 7),     // no time of ours
        make_control(heartbeat, 0, 1005 * 40),
    }));
    // The first mark of time is that of the heartbeat.
    std::int64_t frames = 0;
    auto got = read(path, &frames);
    EXPECT_EQ(frames, 105);
    EXPECT_EQ(std::get<0>(got.events.front()), 99);

    const std::string synced = write(packet({
        make_control(time_sync, 0, 1000 * 40),
        make_control(heartbeat, 1, 1000 * 40),
        make_hit({3, 7}, start + us - 1, 5),
        make_hit({3, 7}, start + us, 5),
        make_hit({300, 9}, start + us + 5, 5),
        make_hit({3, 7}, start + us + 9, 5),
        make_hit({3, 8}, start - us, 5),
        make_control(shutter_open, 0, 7),
        make_control(heartbeat, 0, 1005 * 40),
    }));
    got = read(synced, &frames);
    const std::uint32_t a = 3 * 448 + 7, b = 300 * 448 + 9;
    EXPECT_EQ(got.events, (std::vector<Event>{{0, a, 1}, {1, a, 1}, {1, a, 1}, {1, b, 1}}));
    EXPECT_EQ(got.counts.before_start, 1);
    EXPECT_EQ(frames, 5);  // the heartbeat opens bin 5, which is incomplete
}

TEST_F(Spidr4, HeartbeatsCarryTheClockOverItsWraps) {
    // 65536 units of 25 ns are 1.6384 ms: two hits 1 s apart, each after a heartbeat of its half.
    std::vector<std::uint64_t> words = {make_control(time_sync, 0, 0)};
    for (std::int64_t ms = 1; ms <= 1000; ++ms) {
        for (const int half : {0, 1})
            words.push_back(make_control(heartbeat, half, ms * 40000));
        if (ms % 100 == 0) words.push_back(make_hit({ms / 2, 1}, ms * 1000 * us, 5));
    }
    words.push_back(make_control(heartbeat, 0, 40000 * 2000));
    options_.bin_time_s = 1e-3;
    std::vector<Event> want;
    for (std::int64_t ms = 100; ms <= 1000; ms += 100)
        want.emplace_back(ms, static_cast<std::uint32_t>(ms / 2 * 448 + 1), 1);
    for (const std::int64_t block : {8, 24, 800, 1 << 20}) {
        options_.block_bytes = block;
        std::int64_t frames = 0;
        EXPECT_EQ(read(write(packet(words)), &frames).events, want) << block;
        EXPECT_EQ(frames, 2000);
    }
}

TEST_F(Spidr4, BinsAreWholeTicksHoweverLongTheRun) {
    // After 2^40 ticks (215 s) a bin boundary is still exact.
    const std::int64_t bin = 1961;  // 383 ns
    options_.bin_time_s = 383e-9;
    const std::int64_t far = (std::int64_t{1} << 40) / bin * bin;
    const std::int64_t clock = far / ticks_per_clock;
    const std::string path = write(packet({make_control(time_sync, 0, 0),
                                           make_control(heartbeat, 0, clock),
                                           make_hit({1, 1}, far - 1, 5),
                                           make_hit({1, 2}, far, 5),
                                           make_control(heartbeat, 0, clock + 400)}));
    const auto source = open_frame_source(path, options_);
    EXPECT_DOUBLE_EQ(source->info().frame_time_s, 1961 / 5.12e9);
    EXPECT_THAT(source->info().warnings,
                ::testing::Contains(::testing::HasSubstr("1961 ticks of 25 ns / 128")));
    EXPECT_EQ(read(path).events,
              (std::vector<Event>{{far / bin - 1, 449, 1}, {far / bin, 450, 1}}));
}

TEST_F(Spidr4, DigitalPixelsAndUserPacketsAreSkipped) {
    std::vector<std::uint64_t> words = packet({make_hit({9, 9}, 5, 5)}, group_user);
    const auto ours = packet({make_hit({1, 4}, 5, 5),
                              make_hit({511, 447}, 5, 5),
                              make_hit({4, 1}, 5, 5),
                              make_control(heartbeat, 0, 80)});
    words.insert(words.end(), ours.begin(), ours.end());
    const std::string path = write(words);
    EXPECT_EQ(read(path).events, (std::vector<Event>{{0, 4 * 448 + 1, 1}}));
    options_.run_config_path = directory_.file("run.json");
    const std::string text = R"({"detector": "TIMEPIX4", "digital_pixels": "keep", "bias": 50})";
    testing::write_bytes(options_.run_config_path, text.data(), text.size());
    EXPECT_EQ(read(path).events.size(), 3U);
    EXPECT_THAT(open_frame_source(path, options_)->info().warnings,
                ::testing::Contains(::testing::HasSubstr("without a meaning here: bias")));
}

TEST_F(Spidr4, RunConfigurationOfAnotherKindIsRefused) {
    const std::string path = write(packet({make_hit({1, 1}, 5, 5)}));
    options_.run_config_path = directory_.file("run.json");
    const auto refuse = [&](const std::string& text, const std::string& word) {
        testing::write_bytes(options_.run_config_path, text.data(), text.size());
        expect_error(
            ExitCode::config, {"run.json", word}, [&] { open_frame_source(path, options_); });
    };
    refuse("[1, 2]", "JSON object");
    refuse("{\"detector\": ", "JSON object");
    refuse(R"({"detector": "Timepix3"})", "'Timepix3'");
    refuse(R"({"digital_pixels": 3})", "skip or keep");
    std::filesystem::remove(options_.run_config_path);
    expect_error(ExitCode::no_input, {"run.json"}, [&] { open_frame_source(path, options_); });
}

TEST_F(Spidr4, UnknownPacketsAndCutOnesAreNamed) {
    expect_error(ExitCode::data, {"a.tpx", "group 3", "byte 8"}, [&] {
        read(write(packet({make_hit({1, 1}, 5, 5)}, 3)));
    });
    auto cut = packet({make_hit({1, 1}, 5, 5), make_control(heartbeat, 0, 80)});
    cut.front() += 5;
    const std::string path = write(cut);
    expect_error(ExitCode::data, {"lacks 5 words", "--allow-truncated"}, [&] { read(path); });
    options_.allow_truncated = true;
    EXPECT_EQ(read(path).events.size(), 1U);
    expect_error(ExitCode::data, {"512 x 448", "256 x 256"}, [&] {
        open_frame_source(path, options_)->set_shape(256, 256);
    });
}

TEST_F(Spidr4, TheHalvesMayBeTwoFiles) {
    const std::string bottom = write(packet({make_control(time_sync, 0, 0),
                                             make_hit({1, 1}, 3 * us, 5),
                                             make_control(heartbeat, 0, 400)}),
                                     "half0.tpx");
    const std::string top = write(packet({make_control(time_sync, 1, 0),
                                          make_hit({500, 1}, 2 * us, 5),
                                          make_control(heartbeat, 1, 400)}),
                                  "half1.tpx");
    options_.more_files = {top};
    EXPECT_EQ(read(bottom).events, (std::vector<Event>{{2, 500 * 448 + 1, 1}, {3, 449, 1}}));
}

}  // namespace
}  // namespace xpcs
