// SPDX-License-Identifier: BSD-3-Clause
#include "host/text.hpp"

#include <gtest/gtest.h>

namespace {

using namespace xpcs;

TEST(Text, NearestWordOnlyWhenNearEnough) {
    const std::vector<std::string> words = {"begin-frame", "end-frame", "raw"};
    EXPECT_EQ(nearest("begni-frame", words), "begin-frame");
    EXPECT_EQ(nearest("row", words), "raw");
    EXPECT_EQ(nearest("something-else", words), "");
    EXPECT_EQ(did_you_mean("rwa", words), " (did you mean 'raw'?)");
    EXPECT_EQ(did_you_mean("zzzzzzzz", words), "");
}

TEST(Text, PrintableKeepsTextAndEscapesWhatMovesATerminal) {
    EXPECT_EQ(printable("a b\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
              "a b\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
    EXPECT_EQ(printable("\x1b[2J\x7f"), "\\x1b[2J\\x7f");
    EXPECT_EQ(printable("\xC2\x9B"
                        "2J"),
              "\\xc2\\x9b2J");
    EXPECT_EQ(printable("\xE2\x80\xAE"), "\\xe2\\x80\\xae");
    EXPECT_EQ(printable(std::string("\0x", 2)), "\\x00x");
}

TEST(Text, PrintableEscapesWhatIsNotUtf8) {
    EXPECT_EQ(printable("\xFF"), "\\xff");
    EXPECT_EQ(printable("\xC3"), "\\xc3");
    EXPECT_EQ(printable("\xC0\xAF"), "\\xc0\\xaf");
    EXPECT_EQ(printable("\xED\xA0\x80"), "\\xed\\xa0\\x80");
    EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    EXPECT_EQ(printable("\xE2\x82z"), "\\xe2\\x82z");
}

TEST(Text, PrintableCutsBetweenCharacters) {
    EXPECT_EQ(printable("abcdef", 3), "abc...");
    EXPECT_EQ(printable("abc", 3), "abc");
    EXPECT_EQ(printable("ab\xC3\xA9z", 3), "ab\xC3\xA9...");
}

}  // namespace
