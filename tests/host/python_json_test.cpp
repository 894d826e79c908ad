// SPDX-License-Identifier: BSD-3-Clause
// What the content hash of a q-map is made of.
#include "host/python_json.hpp"

#include "host/sha256.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace xpcs {
namespace {

TEST(PythonJson, NumbersAreLaidOutAsPythonDoes) {
    using python_json::number;
    EXPECT_EQ(number(10), "10.0");
    EXPECT_EQ(number(0), "0.0");
    EXPECT_EQ(number(-0.0), "-0.0");
    EXPECT_EQ(number(7.5e-05), "7.5e-05");
    EXPECT_EQ(number(0.0001), "0.0001");
    EXPECT_EQ(number(0.1 + 0.2), "0.30000000000000004");
    EXPECT_EQ(number(123456.789), "123456.789");
    EXPECT_EQ(number(1e15), "1000000000000000.0");
    EXPECT_EQ(number(1e16), "1e+16");
    EXPECT_EQ(number(1.5e300), "1.5e+300");
    EXPECT_EQ(number(5e-324), "5e-324");
    EXPECT_EQ(number(-1234.5), "-1234.5");
    EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "Infinity");
    EXPECT_EQ(number(std::nan("")), "NaN");
}

TEST(PythonJson, StringsAreAscii) {
    using python_json::string;
    EXPECT_EQ(string("a\"\\/\n\x01\x7F"), "\"a\\\"\\\\/\\n\\u0001\\u007f\"");
    EXPECT_EQ(string("\xC3\x85\xE2\x81\xBB"), "\"\\u00c5\\u207b\"");
    EXPECT_EQ(string("\xF0\x9F\x98\x80"), "\"\\ud83d\\ude00\"");
    EXPECT_EQ(string("\xFF\xC3"), "\"\\udcff\\udcc3\"");
    EXPECT_EQ(string("\xE0\x80\x80"), "\"\\udce0\\udc80\\udc80\"");  // overlong
    EXPECT_EQ(python_json::list(std::vector<std::int64_t>{36, 1}), "[36, 1]");
    EXPECT_EQ(python_json::list(std::vector<std::string>{}), "[]");
}

TEST(Sha256, KnownDigests) {
    Sha256 empty;
    EXPECT_EQ(empty.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    Sha256 abc;
    abc.add("a");
    abc.add("bc");
    EXPECT_EQ(abc.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace xpcs
