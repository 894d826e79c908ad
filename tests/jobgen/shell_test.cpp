// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/shell.hpp"

#include "tests/jobgen/support.hpp"

namespace xpcs::jobgen {
namespace {

const std::vector<std::string> hostile{
    "a b",          "it's",     "\"double\"", "$(touch x)",  "`touch x`", ";touch x", "a\nb",
    "a\n#PBS -l x", "-rf",      "--help",     "über µ 測定", "",          "*",        "~",
    "~root",        "a\\b",     "a\tb\r",     "\x01\x7f",    "!!",        "#x",       "a'b\nc\\d$e",
    "{a,b}",        "[ab]",     "a=b",        "=ls",         "%s",        "\xff\xfe", "$'x'",
    "\\n",          "a&b|c>d<e"};

TEST(Shell, every_quoted_word_comes_back_as_it_was) {
    const testing::TempDir dir;
    for (const auto& word : hostile) {
        const std::string quoted = shell::quote(word);
        EXPECT_EQ(quoted.find('\n'), std::string::npos);
        RunOptions options;
        options.directory = dir.path();
        const Outcome out = run_program({"bash", "-c", "printf %s " + quoted}, options);
        EXPECT_EQ(out.code, 0);
        EXPECT_EQ(out.out, word) << quoted;
    }
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Shell, random_bytes_come_back) {
    unsigned state = 7;
    for (int round = 0; round < 40; ++round) {
        std::string word;
        for (int i = 0; i < 60; ++i) {
            state = state * 1664525u + 1013904223u;
            const char c = static_cast<char>(state >> 24);
            word += c ? c : 'x';
        }
        EXPECT_EQ(run_program({"bash", "-c", "printf %s " + shell::quote(word)}).out, word);
    }
}

TEST(Shell, zero_bytes_are_refused) {
    EXPECT_EQ(testing::error_of([] { shell::quote(std::string("a\0b", 3)); }).substr(0, 2), "64");
}

TEST(Shell, comments_and_names_stay_harmless) {
    for (const auto& word : hostile) {
        const std::string text = shell::comment(word);
        EXPECT_EQ(text.find('\n'), text.size() - 1);
        EXPECT_EQ(text.substr(0, 2), "# ");
        const std::string name = shell::safe_name(word, 15);
        EXPECT_FALSE(name.empty());
        EXPECT_LE(name.size(), 15u);
        EXPECT_TRUE(std::isalpha(static_cast<unsigned char>(name[0])));
        EXPECT_TRUE(shell::is_plain_path(name));
    }
    EXPECT_FALSE(shell::is_plain_path("/a b"));
    EXPECT_FALSE(shell::is_plain_path("/a%j"));
    EXPECT_TRUE(shell::is_plain_path("/a/b-1_2.x"));
}

}  // namespace
}  // namespace xpcs::jobgen
