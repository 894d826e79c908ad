// SPDX-License-Identifier: BSD-3-Clause
#include "host/stop.hpp"

#include "host/errors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

namespace {

using namespace xpcs;
using ::testing::ExitedWithCode;
using ::testing::HasSubstr;

// Each signal in a process of its own: handlers must not leak into the other tests.
[[noreturn]] void stop_by(int signal) {
    install_stop_handlers();
    if (stop_requested()) {
        std::_Exit(1);
    }
    raise(signal);
    if (!stop_requested()) {
        std::_Exit(2);
    }
    try {
        throw_if_stopped();
    } catch (const Error& e) {
        const std::string message = e.what();
        ::write(STDERR_FILENO, message.data(), message.size()) < 0 ? std::_Exit(3)
                                                                   : std::_Exit(e.exit_status());
    }
    std::_Exit(4);
}

TEST(StopDeathTest, FirstSignalAsksAndIsNamed) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(stop_by(SIGTERM), ExitedWithCode(75), "stopped by SIGTERM; no result was written");
    EXPECT_EXIT(stop_by(SIGINT), ExitedWithCode(75), "SIGINT");
    EXPECT_EXIT(stop_by(SIGHUP), ExitedWithCode(75), "SIGHUP");
    EXPECT_EXIT(stop_by(SIGXCPU), ExitedWithCode(75), "SIGXCPU");
}

TEST(StopDeathTest, SameSignalTwiceInARowIsOneWish) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            install_stop_handlers();
            raise(SIGTERM);
            raise(SIGTERM);
            std::_Exit(stop_requested() ? 7 : 8);
        },
        ExitedWithCode(7),
        "");
}

TEST(StopDeathTest, SecondSignalLaterEndsAtOnce) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            install_stop_handlers();
            raise(SIGTERM);
            for (int i = 0; i < 12; ++i) {
                ::usleep(100000);
            }
            raise(SIGINT);
            std::_Exit(9);
        },
        ExitedWithCode(75),
        "");
}

TEST(StopDeathTest, IgnoredSignalsStayIgnoredAndPipesReportErrors) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            signal(SIGINT, SIG_IGN);
            signal(SIGHUP, SIG_IGN);
            install_stop_handlers();
            raise(SIGINT);
            raise(SIGHUP);
            raise(SIGXFSZ);
            int ends[2];
            if (stop_requested() || ::pipe(ends) != 0) {
                std::_Exit(1);
            }
            ::close(ends[0]);
            const bool broken = ::write(ends[1], "x", 1) == -1 && errno == EPIPE;
            std::_Exit(broken ? 0 : 2);
        },
        ExitedWithCode(0),
        "");
}

TEST(Stop, NothingIsThrownUnlessAsked) {
    EXPECT_FALSE(stop_requested());
    EXPECT_NO_THROW(throw_if_stopped());
    request_stop(SIGTERM);
    EXPECT_TRUE(stop_requested());
    EXPECT_THROW(throw_if_stopped(), Error);
    request_stop(0);
    EXPECT_NO_THROW(throw_if_stopped());
}

}  // namespace
