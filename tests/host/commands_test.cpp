// SPDX-License-Identifier: BSD-3-Clause
#include "host/commands.hpp"

#include "host/errors.hpp"
#include "host/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <new>
#include <system_error>

namespace {

using namespace xpcs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Commands : public ::testing::Test {
  protected:
    void SetUp() override {
        Log::configure(LogLevel::info, false);
        Log::set_sink([this](const std::string& line) { lines_.push_back(line); });
    }
    void TearDown() override { Log::set_sink({}); }

    int call(const CommandArgs& args) {
        called_.clear();
        return dispatch({{"correlate", "first", remember("correlate")},
                         {"make-qmap", "second", remember("make-qmap")}},
                        args);
    }
    std::function<int(const CommandArgs&)> remember(const std::string& name) {
        return [this, name](const CommandArgs& args) {
            called_ = {name};
            called_.insert(called_.end(), args.begin(), args.end());
            return 3;
        };
    }
    CommandArgs called_;
    std::vector<std::string> lines_;
};

TEST_F(Commands, FirstArgumentNamesTheCommandOrIsAnOptionOfTheFirst) {
    EXPECT_EQ(call({"make-qmap", "-o", "x"}), 3);
    EXPECT_THAT(called_, ElementsAre("make-qmap", "-o", "x"));
    call({"-r", "a"});
    EXPECT_THAT(called_, ElementsAre("correlate", "-r", "a"));
    call({"correlate"});
    EXPECT_THAT(called_, ElementsAre("correlate"));
    call({"help", "make-qmap"});
    EXPECT_THAT(called_, ElementsAre("make-qmap", "--help"));
}

TEST_F(Commands, HelpAndVersion) {
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(call({"--help"}), 0);
    EXPECT_THAT(::testing::internal::GetCapturedStdout(), HasSubstr("make-qmap   second"));
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(call({"--version"}), 0);
    const std::string version = ::testing::internal::GetCapturedStdout();
    for (const char* part : {"xpcs-corr ", "commit ", "CUDA ", "HDF5 1."}) {
        EXPECT_THAT(version, HasSubstr(part));
    }
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(call({}), 64);
    EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("Usage:"));
    EXPECT_TRUE(called_.empty());
}

TEST_F(Commands, UnknownCommandsAreRefusedWithTheNearest) {
    EXPECT_EQ(guarded([&] { return call({"make-qmpa"}); }), 64);
    EXPECT_EQ(guarded([&] { return call({"help", "zzzzzzzzzz"}); }), 64);
    EXPECT_EQ(guarded([&] { return call({"help", "a", "b"}); }), 64);
    EXPECT_THAT(lines_[0], HasSubstr("unknown command 'make-qmpa' (did you mean 'make-qmap'?)"));
    EXPECT_THAT(lines_[1], HasSubstr("'xpcs-corr help' lists"));
}

TEST_F(Commands, EveryKindOfFailureHasItsStatusAndOneLine) {
    const auto status = [&](auto thrower) {
        return guarded([&]() -> int {
            thrower();
            return 0;
        });
    };
    EXPECT_EQ(status([] {}), 0);
    EXPECT_EQ(guarded([] { return 65; }), 65);
    EXPECT_EQ(status([] { throw Error(ExitCode::data, "a\nb"); }), 65);
    EXPECT_EQ(status([] { throw std::bad_alloc(); }), 71);
    EXPECT_EQ(status([] {
                  throw std::filesystem::filesystem_error(
                      "x", std::make_error_code(std::errc::io_error));
              }),
              74);
    EXPECT_EQ(status([] {
                  throw std::system_error(std::make_error_code(std::errc::no_space_on_device));
              }),
              74);
    EXPECT_EQ(status([] { throw std::logic_error("bug"); }), 70);
    EXPECT_EQ(status([] { throw 5; }), 70);
    ASSERT_EQ(lines_.size(), 6u);
    EXPECT_EQ(lines_[0], "xpcs-corr: error: a\\nb");
    for (const auto& line : lines_) {
        EXPECT_EQ(line.rfind("xpcs-corr: error: ", 0), 0u);
        EXPECT_EQ(line.find('\n'), std::string::npos);
    }
}

}  // namespace
