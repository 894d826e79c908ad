// SPDX-License-Identifier: BSD-3-Clause
// Blocks that a GPU may decode: word by word the events that the reader's own decoder makes.
#include "host/readers/rigaku64.hpp"
#include "kernels/partition.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <algorithm>
#include <random>

namespace xpcs {
namespace {

using testing::Event;
using testing::TempDir;

constexpr std::int64_t frame_wrap = rigaku::frame_period;

/// Every pixel of the detector is kept, so that a slot is a pixel.
Partition all_pixels(const SourceInfo& info) {
    const std::vector<std::uint32_t> label(static_cast<std::size_t>(info.rows * info.cols), 1);
    return make_partition(info.rows, info.cols, label, label, 1, 1);
}

struct Blocks {
    int taken = 0;  ///< that a GPU may decode
    int left = 0;
};

/// Reads a source block by block and compares.
Blocks expect_same_events(FrameSource& source) {
    const Partition partition = all_pixels(source.info());
    Blocks blocks;
    RawBlock block;
    Chunk chunk;
    std::int64_t before = -1;
    while (source.next(block)) {
        DecodeCounts counts;
        source.decode(block, chunk, counts);
        const FrameSource::Undecoded words = source.undecoded(block);
        ++(words.words == nullptr ? blocks.left : blocks.taken);
        if (words.words == nullptr) continue;
        EXPECT_EQ(words.n * sizeof(std::uint64_t), block.bytes.size());
        WordBlock place = words.place;
        place.end_frame = INT64_MAX;
        std::vector<Event> got;
        std::int64_t zeros = 0, disorder = 0;
        before = place.frame_before;
        for (std::size_t i = 0; i < words.n; ++i) {
            const std::int64_t frame = place.epoch + rigaku::frame_of(words.words[i]);
            disorder += frame < before;
            before = frame;
            const DecodedWord decoded = decode_word(words.words[i], place, partition.groups.data());
            zeros += decoded.fate == WordFate::zero_count;
            if (decoded.fate != WordFate::kept) continue;
            got.emplace_back(EventWord::frame(decoded.word),
                             EventWord::slot(decoded.word),
                             EventWord::count(decoded.word));
        }
        std::vector<Event> expected;
        const auto& events = std::get<EventChunk>(chunk);
        for (std::size_t i = 0; i < events.size(); ++i) {
            expected.emplace_back(
                events.frame_base + events.frame[i], events.pixel[i], events.count[i]);
        }
        EXPECT_EQ(got, expected);
        EXPECT_EQ(zeros, counts.zero_count);
        EXPECT_EQ(disorder, counts.out_of_order);
    }
    return blocks;
}

class RigakuUndecoded : public ::testing::Test {
  protected:
    Blocks compare(const std::vector<Event>& events, std::int64_t block_words) {
        testing::write_words(path, testing::words_of(events));
        SourceOptions options;
        options.block_bytes = 8 * block_words;
        const auto source = open_rigaku64(path, options);
        source->set_shape(rigaku::module_rows, rigaku::module_cols);
        EXPECT_EQ(source->info().n_words, events.size());
        return expect_same_events(*source);
    }
    TempDir directory;
    std::string path = directory.file("run.bin");
};

TEST_F(RigakuUndecoded, EveryBlockOfAFileWithoutAWrap) {
    std::mt19937_64 random(21);
    std::vector<Event> events;
    for (std::int64_t i = 0; i < 4000; ++i) {
        const std::int64_t frame =
            i / 3 - (random() % 50 == 0 ? std::min<std::int64_t>(i / 3, 2) : 0);
        events.emplace_back(frame,
                            static_cast<std::uint32_t>(random() % (512 * 1024)),
                            static_cast<std::uint32_t>(random() % 5));
    }
    for (const std::int64_t block_words : {1, 7, 1000, 4000})
        EXPECT_EQ(compare(events, block_words).left, 0) << block_words;
}

TEST_F(RigakuUndecoded, NoneInWhichTheCounterWraps) {
    std::vector<Event> events;
    for (std::int64_t i = 0; i < 5000; ++i)
        events.emplace_back(frame_wrap - 2500 + i, static_cast<std::uint32_t>(i), 1);
    // One that comes late, from before the wrap.
    events.insert(events.begin() + 2600, Event{frame_wrap - 3, 9, 1});
    const Blocks blocks = compare(events, 1000);
    EXPECT_EQ(blocks.left, 1);
    EXPECT_EQ(blocks.taken, 5);
    EXPECT_EQ(compare(events, 10000).left, 1);
    // Blocks of one word never hold a wrap: each has an epoch of its own.
    EXPECT_EQ(compare(events, 1).left, 0);
}

TEST_F(RigakuUndecoded, FilesThatStillGrowAreLeftToTheHost) {
    testing::write_words(path, testing::words_of({{0, 1, 1}}));
    SourceOptions options;
    options.follow.on = true;
    EXPECT_EQ(open_rigaku64(path, options)->info().n_words, 0U);
}

TEST_F(RigakuUndecoded, ModulesOfThe3MLieWhereTheReaderPutsThem) {
    std::mt19937_64 random(22);
    for (int module = 0; module < rigaku::layout_3m::n_modules; ++module) {
        std::vector<Event> events;
        for (std::int64_t i = 0; i < 300; ++i) {
            events.emplace_back(i,
                                static_cast<std::uint32_t>(random() % rigaku::module_pixels),
                                1 + static_cast<std::uint32_t>(random() % 3));
        }
        testing::write_words(directory.file("run.bin.00" + std::to_string(module)),
                             testing::words_of(events, rigaku::module_offset));
    }
    SourceOptions options;
    options.block_bytes = 8 * 64;
    const auto source = open_rigaku3m(directory.file("run.bin.000"), options);
    EXPECT_EQ(source->info().n_words, 1800U);
    EXPECT_EQ(expect_same_events(*source).left, 0);
}

}  // namespace
}  // namespace xpcs
