// SPDX-License-Identifier: BSD-3-Clause
// What a GPU does to each word of a file, on the CPU.
#include "kernels/event_words.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace xpcs::test {
namespace {

using rigaku::make_word;

TEST(EventWords, FieldsComeBack) {
    for (const std::uint32_t slot : {0U, 1U, 511U, EventWord::slot_limit - 1}) {
        for (const std::uint32_t frame : {0U, 1U, (1U << 28) - 1}) {
            for (const std::uint32_t count : {1U, 255U, 4095U}) {
                const std::uint64_t word = EventWord::pack(slot, frame, count);
                EXPECT_EQ(EventWord::slot(word), slot);
                EXPECT_EQ(EventWord::frame(word), frame);
                EXPECT_EQ(EventWord::count(word), count);
            }
        }
    }
}

TEST(EventWords, SortBySlotThenFrame) {
    EXPECT_LT(EventWord::pack(1, 99, 4095), EventWord::pack(2, 0, 1));
    EXPECT_LT(EventWord::pack(2, 3, 4095), EventWord::pack(2, 4, 1));
    // Dropped words behind all others.
    EXPECT_LT(EventWord::pack(7, (1U << 28) - 1, 4095), EventWord::pack(8, 0, 0));
}

class DecodeWord : public testing::Test {
  protected:
    DecodeWord() {
        // Pixel 3 and 70 are masked.
        std::vector<std::uint32_t> label(100, 1);
        label[3] = label[70] = 0;
        partition = make_partition(1, 100, label, label, 1, 1);
        block.map = {0, 100, 0, 0};
        block.end_frame = INT64_MAX;
    }
    DecodedWord decode(std::uint64_t word) const {
        return decode_word(word, block, partition.groups.data());
    }
    void expect_kept(std::uint64_t raw, std::uint32_t slot, std::uint32_t frame, std::uint32_t n) {
        const DecodedWord decoded = decode(raw);
        EXPECT_EQ(decoded.fate, WordFate::kept);
        EXPECT_EQ(decoded.word, EventWord::pack(slot, frame, n));
    }
    Partition partition;
    WordBlock block;
};

TEST_F(DecodeWord, KeepsEventsOnKeptPixels) {
    expect_kept(make_word(5, 0, 1), 0, 5, 1);
    expect_kept(make_word(6, 4, 4095), 3, 6, 4095);
    expect_kept(make_word(7, 99, 2), 97, 7, 2);
    for (std::uint32_t pixel = 0; pixel < 100; ++pixel) {
        const std::uint32_t slot = partition.slot_of(pixel);
        const DecodedWord decoded = decode(make_word(1, pixel, 1));
        EXPECT_EQ(decoded.fate == WordFate::kept, slot != Partition::not_kept) << pixel;
        if (slot != Partition::not_kept) {
            EXPECT_EQ(EventWord::slot(decoded.word), slot);
        }
    }
}

TEST_F(DecodeWord, BitsThatCarryNothingChangeNothing) {
    const std::uint64_t idle = std::uint64_t{0xF} << 12 | std::uint64_t{7} << 37;
    expect_kept(make_word(6, 4, 9) | idle, 3, 6, 9);
}

TEST_F(DecodeWord, TellsWhyAWordIsDropped) {
    block.begin_frame = 10;
    block.end_frame = 20;
    EXPECT_EQ(decode(make_word(12, 3, 1)).fate, WordFate::masked);
    EXPECT_EQ(decode(make_word(12, 70, 1)).fate, WordFate::masked);
    EXPECT_EQ(decode(make_word(12, 100, 1)).fate, WordFate::bad_index);
    EXPECT_EQ(decode(make_word(12, 4, 0)).fate, WordFate::zero_count);
    EXPECT_EQ(decode(make_word(9, 4, 1)).fate, WordFate::outside_frames);
    EXPECT_EQ(decode(make_word(20, 4, 1)).fate, WordFate::outside_frames);
    expect_kept(make_word(10, 4, 1), 3, 0, 1);
    expect_kept(make_word(19, 4, 1), 3, 9, 1);
    // As the CPU's reader and series have it: bad index, then count, pixel, frame.
    EXPECT_EQ(decode(make_word(9, 100, 0)).fate, WordFate::bad_index);
    EXPECT_EQ(decode(make_word(9, 3, 0)).fate, WordFate::zero_count);
    EXPECT_EQ(decode(make_word(9, 3, 1)).fate, WordFate::masked);
}

TEST_F(DecodeWord, AddsTheEpochUpToTheLastFrameThatFits) {
    block.epoch = 3 * rigaku::frame_period;
    block.begin_frame = block.epoch - 1;
    expect_kept(make_word(0, 4, 1), 3, 1, 1);
    block.begin_frame = 0;
    block.epoch = EventWord::frame_limit - rigaku::frame_period;
    expect_kept(make_word(rigaku::frame_period - 1, 4, 1), 3, (1U << 28) - 1, 1);
    block.epoch = EventWord::frame_limit;
    EXPECT_EQ(decode(make_word(0, 4, 1)).fate, WordFate::too_late);
}

TEST_F(DecodeWord, IndicesMapAsThoseOfAModule) {
    // Two rows of 1024 pixels at pixel 5 of a canvas with 16 pixels between the rows.
    std::vector<std::uint32_t> label(3000, 1);
    partition = make_partition(1, 3000, label, label, 1, 1);
    block.map = {1U << 20, 2048, 5, 16};
    expect_kept(make_word(1, (1U << 20) + 1023, 1), 5 + 1023, 1, 1);
    expect_kept(make_word(1, (1U << 20) + 1024, 1), 5 + 1024 + 16, 1, 1);
    EXPECT_EQ(decode(make_word(1, (1U << 20) + 2048, 1)).fate, WordFate::bad_index);
    EXPECT_EQ(decode(make_word(1, 5, 1)).fate, WordFate::bad_index);
}

}  // namespace
}  // namespace xpcs::test
