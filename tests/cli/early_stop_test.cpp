// SPDX-License-Identifier: BSD-3-Clause
// Signals that come while the program is still setting up its libraries.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

/// Makes the next processes set up a library that takes a second for it.
class SlowStart {
  public:
    SlowStart() { ::setenv("LD_PRELOAD", XPCS_SLOW_START, 1); }
    ~SlowStart() { ::unsetenv("LD_PRELOAD"); }
    SlowStart(const SlowStart&) = delete;
    SlowStart& operator=(const SlowStart&) = delete;
};

TEST(EarlyStop, SigtermWhileLibrariesSetThemselvesUpGives75) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers set themselves up first";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    GTEST_SKIP() << "sanitizers set themselves up first";
#endif
#endif
    const SmallRun small(0.02);
    const auto before = snapshot(small.out);
    std::unique_ptr<Child> child;
    {
        const SlowStart slow;
        child = std::make_unique<Child>(small.arguments());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(600));
    ASSERT_TRUE(child->running());
    child->send(SIGTERM);
    const Outcome outcome = child->wait();
    EXPECT_EQ(outcome.signal, 0) << "ended by the signal itself";
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    EXPECT_EQ(snapshot(small.out), before);
}

}  // namespace
}  // namespace xpcs::testing
