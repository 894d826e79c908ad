// SPDX-License-Identifier: BSD-3-Clause
#include "host/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <thread>

namespace {

using namespace xpcs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogTest : public ::testing::Test {
  protected:
    void SetUp() override {
        Log::clear_warnings();
        Log::set_sink([this](const std::string& line) { lines_.push_back(line); });
    }
    void TearDown() override {
        Log::set_sink({});
        Log::configure(LogLevel::info, false);
        Log::clear_warnings();
    }
    std::vector<std::string> lines_;
};

TEST_F(LogTest, TextLinesAreShort) {
    Log::configure(LogLevel::info, false);
    Log::debug("hidden");
    Log::info("reading a.bin");
    Log::warning("odd");
    Log::error("gone");
    EXPECT_THAT(lines_,
                ElementsAre("xpcs-corr: reading a.bin",
                            "xpcs-corr: warning: odd",
                            "xpcs-corr: error: gone"));
}

TEST_F(LogTest, LevelsFollowTheConfiguration) {
    RunConfig c;
    c.verbose = true;
    Log::configure(c);
    EXPECT_TRUE(Log::shows(LogLevel::debug));
    c.log_level = "error";
    Log::configure(c);
    EXPECT_FALSE(Log::shows(LogLevel::warning));
    EXPECT_TRUE(Log::shows(LogLevel::error));
    EXPECT_FALSE(Log::is_json());
    c.log_format = "json";
    Log::configure(c);
    EXPECT_TRUE(Log::is_json());
}

TEST_F(LogTest, WarningsAreKeptOnceWhateverTheLevel) {
    Log::configure(LogLevel::error, false);
    Log::warning("b");
    Log::warning("a\n{}");
    Log::warning("b");
    EXPECT_THAT(lines_, IsEmpty());
    EXPECT_THAT(Log::warnings(), ElementsAre("b", "a\\n{}"));
    Log::clear_warnings();
    EXPECT_THAT(Log::warnings(), IsEmpty());
}

TEST_F(LogTest, JsonLinesParseWhateverTheMessage) {
    Log::configure(LogLevel::debug, true);
    const std::string hostile = "file '\x1b[2J\n\"\\ {} %s \xFF' \xE2\x82\xAC";
    Log::info(hostile);
    Log::debug("x");
    ASSERT_EQ(lines_.size(), 2u);
    for (const auto& line : lines_) {
        EXPECT_EQ(line.find('\n'), std::string::npos);
        EXPECT_EQ(line.find('\x1b'), std::string::npos);
    }
    const auto first = nlohmann::json::parse(lines_[0]);
    EXPECT_EQ(first["level"], "info");
    EXPECT_EQ(first["message"], "file '\\x1b[2J\\n\"\\ {} %s \\xff' \xE2\x82\xAC");
    EXPECT_GE(first["elapsed_s"].get<double>(), 0);
    EXPECT_EQ(first["time"].get<std::string>().size(),
              std::string("2024-01-01T00:00:00.000Z").size());
    EXPECT_EQ(nlohmann::json::parse(lines_[1])["level"], "debug");
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
    Log::configure(LogLevel::info, false);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([] {
            for (int i = 0; i < 200; ++i) {
                Log::info("abcdefghij");
                Log::warning("w");
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(lines_.size(), 1600u);
    EXPECT_EQ(std::count(lines_.begin(), lines_.end(), "xpcs-corr: abcdefghij"), 800);
    EXPECT_THAT(Log::warnings(), ElementsAre("w"));
}

}  // namespace
