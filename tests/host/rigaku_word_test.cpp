// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/rigaku_word.hpp"

#include <gtest/gtest.h>

namespace xpcs::rigaku {
namespace {

TEST(RigakuWord, FieldsLieWhereTheFormatSays) {
    constexpr std::uint64_t word = (0xABCDEFULL << 40) | (0x12345ULL << 16) | 0xFEDULL;
    static_assert(frame_of(word) == 0xABCDEF);
    static_assert(index_of(word) == 0x12345);
    static_assert(count_of(word) == 0xFED);
}

TEST(RigakuWord, UnusedBitsDoNotMatter) {
    constexpr std::uint64_t word = make_word(7, 11, 13);
    constexpr std::uint64_t noise = 0xF000ULL | (7ULL << 37);
    EXPECT_EQ(word & noise, 0U);
    EXPECT_EQ(frame_of(word | noise), 7U);
    EXPECT_EQ(index_of(word | noise), 11U);
    EXPECT_EQ(count_of(word | noise), 13U);
}

TEST(RigakuWord, LargestValuesKeepTheirBits) {
    const std::uint64_t word = make_word(frame_period - 1, index_limit - 1, count_limit - 1);
    EXPECT_EQ(frame_of(word), 0xFFFFFFU);  // unsigned: frames from 2^23 on are positive
    EXPECT_EQ(index_of(word), 0x1FFFFFU);
    EXPECT_EQ(count_of(word), 4095U);
    EXPECT_EQ(frame_of(make_word(frame_period + 5, 0, 1)), 5U);
}

TEST(RigakuFrameCounter, UnwrapsABackwardStepAboveTwoToThe23) {
    FrameCounter counter;
    EXPECT_EQ(counter.advance(0xFFFFFF), 0xFFFFFF);
    EXPECT_EQ(counter.advance(0), frame_period);
    EXPECT_EQ(counter.advance(wrap_threshold), frame_period + wrap_threshold);
    // A step back by exactly 2^23 is disorder, one more is a wrap.
    EXPECT_EQ(counter.advance(0), frame_period);
    counter = FrameCounter(wrap_threshold + 1);
    EXPECT_EQ(counter.advance(0), frame_period);
}

TEST(RigakuFrameCounter, ALateRecordAfterAWrapBelongsBeforeIt) {
    FrameCounter counter(frame_period);
    EXPECT_EQ(counter.advance(0xFFFFFF), frame_period - 1);
    EXPECT_EQ(counter.advance(1), frame_period + 1);
}

TEST(RigakuFrameCounter, ALongGapBeforeAnyWrapIsAGap) {
    FrameCounter counter(0);
    EXPECT_EQ(counter.advance(wrap_threshold + 100), wrap_threshold + 100);
}

TEST(Rigaku3mLayout, OriginsAndCanvas) {
    static_assert(layout_3m::rows == 1676 && layout_3m::cols == 2100);
    const std::int64_t expected[6][2] = {
        {0, 1076}, {582, 1076}, {1164, 1076}, {1164, 0}, {582, 0}, {0, 0}};
    for (int n = 0; n < 6; ++n) {
        EXPECT_EQ(layout_3m::origin(n).row, expected[n][0]) << n;
        EXPECT_EQ(layout_3m::origin(n).col, expected[n][1]) << n;
    }
}

}  // namespace
}  // namespace xpcs::rigaku
