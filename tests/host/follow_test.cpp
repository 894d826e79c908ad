// SPDX-License-Identifier: BSD-3-Clause
// Files that grow while they are read.
#include "host/readers/follow.hpp"

#include "host/metadata.hpp"
#include "host/stop.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <thread>

namespace {

using namespace xpcs;
using namespace xpcs::testing;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

void append(const std::string& path, const void* bytes, std::size_t n) {
    std::ofstream out(path, std::ios::binary | std::ios::app);
    out.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(n));
    ASSERT_TRUE(out.good());
}

/// 300 frames of 40 events, each frame of its own pixels.
std::vector<Event> events_of_a_run() {
    std::vector<Event> events;
    for (std::int64_t frame = 0; frame < 300; ++frame) {
        for (std::uint32_t k = 0; k < 40; ++k)
            events.emplace_back(
                frame, (k * 6007 + static_cast<std::uint32_t>(frame)) % 524288, 1 + k % 3);
    }
    return events;
}

/// Writes words in small steps that cut records in the middle, as a detector's buffers do.
std::thread play(const std::string& path, std::vector<std::uint64_t> words) {
    return std::thread([path, words = std::move(words)] {
        const auto* bytes = reinterpret_cast<const char*>(words.data());
        const std::size_t n = words.size() * 8, step = n / 20 + 3;
        for (std::size_t at = 0; at < n; at += step) {
            append(path, bytes + at, std::min(step, n - at));
            std::this_thread::sleep_for(milliseconds(15));
        }
    });
}

SourceOptions following(double quiet_s, const std::string& metadata = "") {
    SourceOptions options;
    options.follow = {true, quiet_s, metadata};
    options.block_bytes = 4096;
    return options;
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

TEST(Follow, EventsOfAGrowingFileAllComeInOrderUntilTheMetadataAppear) {
    const TempDir dir;
    const std::string raw = dir.file("run.bin"), metadata = own_metadata(raw);
    const std::vector<Event> events = events_of_a_run();
    Clock::time_point written;
    std::thread writer([&] {
        std::this_thread::sleep_for(milliseconds(50));  // the reader is there first
        play(raw, words_of(events)).join();
        written = Clock::now();
        write_bytes(metadata, "x", 1);
    });
    wait_for_raw(raw);
    const auto source = open_frame_source(raw, following(60, metadata));
    const ReadEvents read = read_events(*source);
    writer.join();
    EXPECT_LT(seconds_since(written), 5) << "the quiet time was waited for";
    EXPECT_EQ(read.events, events);
    EXPECT_EQ(read.counts.last_frame, 299);
}

TEST(Follow, TheLastFrameAskedForIsTheEnd) {
    const TempDir dir;
    const std::string raw = dir.file("run.bin");
    const std::vector<Event> events = events_of_a_run();
    write_words(raw, words_of({events.front()}));
    std::thread writer = play(raw, words_of({events.begin() + 1, events.end()}));
    SourceOptions options = following(60);
    options.n_frames = 300;
    const auto start = Clock::now();
    const ReadEvents read = read_events(*open_frame_source(raw, options));
    writer.join();
    EXPECT_LT(seconds_since(start), 20);
    EXPECT_EQ(read.events, events);
}

TEST(Follow, AQuietFileIsComplete) {
    const TempDir dir;
    const std::string raw = dir.file("run.bin");
    const std::vector<Event> events = events_of_a_run();
    write_words(raw, words_of(events));
    const auto start = Clock::now();
    const ReadEvents read = read_events(*open_frame_source(raw, following(0.4)));
    EXPECT_GE(seconds_since(start), 0.4);
    EXPECT_EQ(read.events, events);
}

TEST(Follow, MetadataFromBeforeTheRunAreNoSignOfItsEnd) {
    const TempDir dir;
    const std::string raw = dir.file("run.bin"), metadata = own_metadata(raw);
    write_bytes(metadata, "x", 1);
    const std::vector<Event> events = events_of_a_run();
    write_words(raw, words_of({events.front()}));
    std::thread writer([&] {
        std::this_thread::sleep_for(milliseconds(500));  // longer than a file needs to rest
        play(raw, words_of({events.begin() + 1, events.end()})).join();
    });
    const ReadEvents read = read_events(*open_frame_source(raw, following(2, metadata)));
    writer.join();
    EXPECT_EQ(read.events, events);
}

TEST(Follow, ModulesThatStartDarkFindTheirPlaceLater) {
    const TempDir dir;
    std::vector<std::string> files;
    for (int module = 0; module < 6; ++module) {
        files.push_back(dir.file("run.bin.00" + std::to_string(module)));
        write_bytes(files.back(), "", 0);
    }
    const std::vector<Event> early = {{0, 5, 1}, {7, 6, 2}}, late = {{3, 9, 1}};
    write_words(files[0], words_of(early, rigaku::module_offset));
    std::thread writer([&] {
        std::this_thread::sleep_for(milliseconds(100));
        write_words(files[4], words_of(late, rigaku::module_offset));
    });
    const ReadEvents read = read_events(*open_frame_source(files[0], following(0.6)));
    writer.join();
    EXPECT_EQ(read.counts.records, 3);
    EXPECT_EQ(read.counts.bad_index, 0);
    const std::uint32_t place = 582 * 2100 + 9;  // module 4: left column, second row
    EXPECT_THAT(read.events, ::testing::Contains(Event(3, place, 1)));
}

TEST(Follow, ARecordCutOffAtTheEndIsIgnoredOrRefused) {
    const TempDir dir;
    const std::string raw = dir.file("run.bin");
    write_words(raw, words_of({{0, 1, 1}, {1, 2, 1}}));
    append(raw, "abc", 3);
    EXPECT_EQ(read_events(*open_frame_source(raw, following(0.3))).counts.records, 2);
    SourceOptions strict = following(0.3);
    strict.strict = true;
    const auto source = open_frame_source(raw, strict);
    expect_error(ExitCode::data, {"3 bytes after the last whole record"}, [&] {
        RawBlock block;
        while (source->next(block)) {
        }
    });
}

TEST(Follow, AShorterFileIsAnError) {
    const TempDir dir;
    const std::string raw = dir.file("run.bin");
    write_words(raw, words_of({{0, 1, 1}, {1, 2, 1}}));
    const auto source = open_frame_source(raw, following(5));
    write_words(raw, words_of({{0, 1, 1}}));
    RawBlock block;
    expect_error(ExitCode::data, {"shorter"}, [&] { source->next(block); });
}

TEST(Follow, ASignalEndsTheWait) {
    const TempDir dir;
    request_stop(SIGTERM);
    expect_error(ExitCode::interrupted, {}, [&] { wait_for_raw(dir.file("never.bin")); });
    request_stop(0);
}

}  // namespace
