// SPDX-License-Identifier: BSD-3-Clause
// One Rigaku file. Test names follow the lines of the table of edge cases.
#include "host/readers/rigaku64.hpp"

#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <algorithm>
#include <filesystem>
#include <random>

namespace xpcs {
namespace {

using ::testing::ElementsAre;
using testing::Event;
using testing::expect_error;
using ::testing::HasSubstr;
using testing::read_events;
using testing::TempDir;
using testing::words_of;
using testing::write_bytes;
using testing::write_words;

constexpr std::int64_t wrap = rigaku::frame_period;

class Rigaku64 : public ::testing::Test {
  protected:
    std::unique_ptr<FrameSource> source(const std::vector<std::uint64_t>& words,
                                        const SourceOptions& options = {}) {
        write_words(path, words);
        return open_rigaku64(path, options);
    }
    testing::ReadEvents read(const std::vector<std::uint64_t>& words,
                             const SourceOptions& options = {}) {
        return read_events(*source(words, options));
    }
    TempDir directory;
    std::string path = directory.file("run.bin");
};

/// Seeded, mostly ascending events; counts 0 ... 4095, some frames out of order.
std::vector<Event>
random_events(std::size_t n, std::uint64_t seed, double mean_step, bool ordered) {
    std::mt19937_64 random(seed);
    std::vector<Event> events;
    double frame = 0;
    for (std::size_t i = 0; i < n; ++i) {
        frame += mean_step * 2.0 * static_cast<double>(random() % 1000) / 999.0;
        std::int64_t at = static_cast<std::int64_t>(frame);
        if (!ordered && random() % 50 == 0) at = std::max<std::int64_t>(0, at - 3);
        const std::uint32_t count = random() % 20 == 0 ? random() % 4096 : 1 + random() % 3;
        events.emplace_back(at, static_cast<std::uint32_t>(random() % (512 * 1024)), count);
    }
    return events;
}

/// The rules word by word, without tiles: what any block size must give.
std::vector<Event> without_zeros(const std::vector<Event>& events) {
    std::vector<Event> kept;
    for (const Event& event : events) {
        if (std::get<2>(event) > 0) kept.push_back(event);
    }
    return kept;
}

TEST_F(Rigaku64, DecodesWhatWasWrittenWhateverTheBlockSize) {
    for (const bool ordered : {true, false}) {
        const auto events = random_events(5000, 11, 0.3, ordered);
        for (const std::int64_t block_bytes : {8, 24, 8000, 8192, 1 << 20}) {
            SourceOptions options;
            options.block_bytes = block_bytes;
            const auto got = read(words_of(events), options);
            EXPECT_EQ(got.events, without_zeros(events)) << block_bytes;
            EXPECT_EQ(got.counts.records, 5000);
        }
    }
}

TEST_F(Rigaku64, CountsOfADecodeEqualADirectCount) {
    const auto events = random_events(20000, 12, 0.5, false);
    DecodeCounts expected;
    std::int64_t before = -1;
    for (const auto& [frame, pixel, count] : events) {
        expected.zero_count += count == 0;
        expected.at_maximum_3 += count == 3;
        expected.at_maximum_15 += count == 15;
        expected.at_maximum_255 += count == 255;
        expected.at_maximum_4095 += count == 4095;
        expected.largest_count = std::max<std::int64_t>(expected.largest_count, count);
        expected.last_frame = std::max(expected.last_frame, frame);
        expected.out_of_order += frame < before;
        before = frame;
    }
    for (const std::int64_t block_bytes : {800, 1 << 20}) {
        SourceOptions options;
        options.block_bytes = block_bytes;
        const auto got = read(words_of(events), options).counts;
        EXPECT_EQ(got.zero_count, expected.zero_count);
        EXPECT_EQ(got.at_maximum_3, expected.at_maximum_3);
        EXPECT_EQ(got.at_maximum_15, expected.at_maximum_15);
        EXPECT_EQ(got.at_maximum_255, expected.at_maximum_255);
        EXPECT_EQ(got.at_maximum_4095, expected.at_maximum_4095);
        EXPECT_EQ(got.largest_count, expected.largest_count);
        EXPECT_EQ(got.last_frame, expected.last_frame);
        EXPECT_EQ(got.out_of_order, expected.out_of_order) << block_bytes;
    }
}

TEST_F(Rigaku64, RawFileMissing) {
    expect_error(ExitCode::no_input, {"absent.bin", "No such file"}, [&] {
        open_rigaku64(directory.file("absent.bin"), {});
    });
}

TEST_F(Rigaku64, RawFileEmpty) {
    write_bytes(path, "", 0);
    expect_error(
        ExitCode::data, {"run.bin", "no events", "0 bytes"}, [&] { open_rigaku64(path, {}); });
    write_bytes(path, "1234567", 7);
    expect_error(
        ExitCode::data, {"run.bin", "no events", "7 bytes"}, [&] { open_rigaku64(path, {}); });
}

TEST_F(Rigaku64, SizeNotAMultipleOf8) {
    std::vector<std::uint64_t> words = words_of({{0, 1, 1}, {1, 2, 1}, {2, 3, 1}});
    write_bytes(path, words.data(), 2 * 8 + 5);
    const auto file = open_rigaku64(path, {});
    EXPECT_EQ(file->info().trailing_bytes, 5);
    ASSERT_EQ(file->info().warnings.size(), 1U);
    EXPECT_THAT(file->info().warnings[0], HasSubstr("5 bytes"));
    write_bytes(path, words.data(), 2 * 8 + 5);
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    ASSERT_TRUE(file->next(block));
    file->decode(block, chunk, counts);
    EXPECT_EQ(counts.records, 2);
    EXPECT_EQ(counts.last_frame, 1);  // not the frame of a misaligned word
    SourceOptions strict;
    strict.strict = true;
    expect_error(ExitCode::data, {"run.bin", "5 bytes"}, [&] { open_rigaku64(path, strict); });
}

TEST_F(Rigaku64, E15FramesOutOfOrderAreCountedAndKept) {
    const auto got = read(words_of({{5, 1, 1}, {3, 1, 1}, {4, 1, 1}, {4, 2, 1}, {2, 9, 1}}));
    EXPECT_EQ(got.counts.out_of_order, 2);
    EXPECT_EQ(got.frame_bases, std::vector<std::int64_t>{2});
    EXPECT_EQ(got.events[0], Event(5, 1, 1));
    EXPECT_EQ(got.events[4], Event(2, 9, 1));
}

TEST_F(Rigaku64, DisorderBetweenBlocksIsCounted) {
    SourceOptions options;
    options.block_bytes = 8;
    EXPECT_EQ(read(words_of({{5, 1, 1}, {3, 1, 1}, {4, 1, 1}}), options).counts.out_of_order, 1);
}

TEST_F(Rigaku64, LastRecordNotTheHighestFrame) {
    EXPECT_EQ(read(words_of({{0, 1, 1}, {90, 1, 1}, {20, 1, 1}})).counts.last_frame, 90);
}

TEST_F(Rigaku64, Count0IsDroppedAndExtendsTheFrames) {
    const auto got = read(words_of({{0, 1, 1}, {1, 1, 0}, {2, 3, 2}, {70, 3, 0}}));
    EXPECT_THAT(got.events, ElementsAre(Event(0, 1, 1), Event(2, 3, 2)));
    EXPECT_EQ(got.counts.zero_count, 2);
    EXPECT_EQ(got.counts.last_frame, 70);
}

TEST_F(Rigaku64, CountAbove255KeepsTwelveBits) {
    const auto got = read(words_of({{0, 1, 256}, {1, 1, 300}, {2, 1, 4095}}));
    EXPECT_THAT(got.events, ElementsAre(Event(0, 1, 256), Event(1, 1, 300), Event(2, 1, 4095)));
    EXPECT_EQ(got.counts.at_maximum_4095, 1);
}

TEST_F(Rigaku64, DuplicatesAreDeliveredBoth) {
    EXPECT_EQ(read(words_of({{4, 7, 1}, {4, 7, 2}})).events.size(), 2U);
}

TEST_F(Rigaku64, FrameCounterWrap) {
    std::vector<Event> events;
    for (std::int64_t frame = wrap - 700; frame < wrap + 700; ++frame) {
        events.emplace_back(frame, static_cast<std::uint32_t>(frame & 1023), 1);
    }
    events.emplace_back(2 * wrap - (1 << 21), 1, 1);  // no photon for 87 % of the period
    events.emplace_back(2 * wrap + 2, 1, 1);
    for (const std::int64_t block_bytes : {8, 80, 1 << 20}) {
        SourceOptions options;
        options.block_bytes = block_bytes;
        const auto got = read(words_of(events), options);
        EXPECT_EQ(got.events, events) << block_bytes;
        EXPECT_EQ(got.counts.last_frame, 2 * wrap + 2);
        EXPECT_EQ(got.counts.counter_wraps, 2);
        EXPECT_EQ(got.counts.out_of_order, 0);
    }
}

TEST_F(Rigaku64, SeveralWrapsWithinOneBlockAreFollowed) {
    // 50 000 frames from record to record: a block of 131 072 words spans 390 wraps. The frames
    // of a chunk must stay within 2^32, so the blocks are smaller here.
    std::vector<Event> events;
    for (std::int64_t i = 0; i < 3000; ++i) {
        events.emplace_back(i * 50'000, 5, 1);
    }
    SourceOptions options;
    options.block_bytes = 8 * 1500;
    const auto got = read(words_of(events), options);
    EXPECT_EQ(got.events, events);
    EXPECT_EQ(got.counts.counter_wraps, 2999 * 50'000LL / wrap);
}

TEST_F(Rigaku64, E15DisorderAroundAWrapIsNotAnotherWrap) {
    const std::vector<Event> events = {
        {wrap - 2, 1, 1}, {wrap, 1, 1}, {wrap - 1, 2, 1}, {wrap + 1, 3, 1}, {wrap - 1, 4, 1}};
    for (const std::int64_t block_bytes : {8, 16, 1 << 20}) {
        SourceOptions options;
        options.block_bytes = block_bytes;
        const auto got = read(words_of(events), options);
        EXPECT_EQ(got.events, events) << block_bytes;
        EXPECT_EQ(got.counts.out_of_order, 2);
        EXPECT_EQ(got.counts.counter_wraps, 1);
    }
}

TEST_F(Rigaku64, AWrapWithinAFewWordsIsFollowed) {
    // In four steps the counter goes once around and comes back to where it was.
    std::vector<Event> events;
    for (int i = 0; i < 200; ++i) {
        events.emplace_back(100 + i, 1, 1);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        std::get<0>(events[70 + i]) += static_cast<std::int64_t>(i) * 5'000'000;
    }
    for (std::size_t i = 74; i < events.size(); ++i) {
        std::get<0>(events[i]) += wrap;
    }
    const auto got = read(words_of(events));
    EXPECT_EQ(got.events, events);
    EXPECT_EQ(got.counts.counter_wraps, 1);
}

TEST_F(Rigaku64, PixelIndexBeyondTheDetector) {
    const auto words = words_of({{0, 1, 1}, {3, 1200, 1}, {4, 2, 1}});
    const auto small = source(words);
    small->set_shape(30, 40);
    expect_error(ExitCode::data, {"run.bin", "record 1", "index 1200", "frame 3", "30 x 40"}, [&] {
        read_events(*small);
    });
    SourceOptions options;
    options.drop_bad_index = true;
    const auto dropping = source(words, options);
    dropping->set_shape(30, 40);
    const auto got = read_events(*dropping);
    EXPECT_EQ(got.counts.bad_index, 1);
    EXPECT_THAT(got.events, ElementsAre(Event(0, 1, 1), Event(4, 2, 1)));
}

TEST_F(Rigaku64, ModuleOffsetOfAWholeFileIsSubtracted) {
    const std::vector<Event> events = {{0, 0, 1}, {1, 512 * 1024 - 1, 2}};
    EXPECT_EQ(read(words_of(events, rigaku::module_offset)).events, events);
}

TEST_F(Rigaku64, MixedModuleOffset) {
    auto words = words_of({{0, 1, 1}, {0, 2, 1}});
    words.push_back(rigaku::make_word(1, rigaku::module_offset + 3, 1));
    expect_error(
        ExitCode::data, {"run.bin", "record 2", "mixed module offset"}, [&] { read(words); });
    std::reverse(words.begin(), words.end());
    expect_error(
        ExitCode::data, {"run.bin", "record 1", "mixed module offset"}, [&] { read(words); });
}

TEST_F(Rigaku64, ALargeShapeUsesAllIndices) {
    const std::vector<Event> events = {{0, rigaku::module_offset + 7, 1}, {1, 3, 1}};
    const auto large = source(words_of(events));
    large->set_shape(1400, 1400);
    EXPECT_EQ(read_events(*large).events, events);
    expect_error(ExitCode::data, {"1500 x 1500", "21-bit"}, [&] { large->set_shape(1500, 1500); });
}

TEST_F(Rigaku64, FrameTokenOfTheNameIsAHint) {
    const std::string named = directory.file("E0173_H06-c6_a0009_f100000_r00001.bin");
    write_words(named, words_of({{0, 0, 1}}));
    EXPECT_EQ(open_rigaku64(named, {})->info().n_frames_hint, 100000);
    EXPECT_EQ(source(words_of({{0, 0, 1}}))->info().n_frames_hint, 0);
}

TEST_F(Rigaku64, AFileThatIsCutWhileItIsRead) {
    SourceOptions options;
    options.block_bytes = 80;
    const auto file = source(words_of(random_events(100, 3, 1, true)), options);
    RawBlock block;
    ASSERT_TRUE(file->next(block));
    std::filesystem::resize_file(path, 100);
    expect_error(ExitCode::data, {"run.bin", "800 bytes"}, [&] {
        while (file->next(block)) {
        }
    });
}

TEST_F(Rigaku64, AFileThatGrowsWhileItIsRead) {
    const auto file = source(words_of(random_events(100, 3, 1, true)));
    RawBlock block;
    ASSERT_TRUE(file->next(block));
    std::filesystem::resize_file(path, 1600);
    expect_error(ExitCode::data, {"run.bin", "800 bytes", "1600 now"}, [&] { file->next(block); });
}

TEST_F(Rigaku64, ReferenceRunHasItsEventsInOrder) {
    const std::string reference = XPCS_SHARED_DIR "/reference/data/rigaku-250/rigaku-250.bin";
    if (!std::filesystem::exists(reference)) GTEST_SKIP() << "no reference data";
    const auto file = open_rigaku64(reference, {});
    const auto got = read_events(*file);
    EXPECT_EQ(got.counts.records, 10518680 / 8);
    EXPECT_EQ(got.counts.last_frame, 249);
    EXPECT_EQ(got.counts.out_of_order, 0);
    EXPECT_EQ(got.counts.bad_index, 0);
    EXPECT_NEAR(static_cast<double>(got.events.size()) / (512.0 * 1024 * 250), 0.01, 0.001);
}

}  // namespace
}  // namespace xpcs
