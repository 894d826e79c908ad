// SPDX-License-Identifier: BSD-3-Clause
#include "host/progress.hpp"

#include "host/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <mutex>
#include <thread>
#include <vector>

namespace {

using namespace xpcs;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Progress, TextSaysOnlyWhatIsKnown) {
    EXPECT_EQ(progress_text({}), "0 %");
    EXPECT_EQ(progress_text({0.5, 0, 0, 10}), "50 %, 10 s left");
    EXPECT_EQ(progress_text({0.25, 40'000'000, 4'000'000'000, 2}),
              "25 %, 2e+07 events/s, 2.00 GB/s, 6 s left");
    EXPECT_EQ(progress_text({1, 10, 0, 10}), "100 %, 1 events/s");
    EXPECT_EQ(progress_text({0.01, 0, 0, 10}), "1 %, 17 min left");
    EXPECT_EQ(progress_text({0.01, 0, 0, 1000}), "1 %, 27 h 30 min left");
    EXPECT_EQ(progress_text({0.999, 0, 0, 0}), "99 %");
    EXPECT_EQ(progress_text({std::numeric_limits<double>::quiet_NaN(), 0, 0, 5}), "0 %");
    EXPECT_THAT(progress_text({7, 0, 0, 5}), StartsWith("100 %"));
}

TEST(Progress, BarFitsTheTerminal) {
    EXPECT_EQ(progress_bar("reading", {0.5, 0, 0, 10}, 80),
              "reading [============>           ] 50 %, 10 s left");
    EXPECT_THAT(progress_bar("x", {1, 0, 0, 1}, 80), HasSubstr("[========================]"));
    for (const int columns : {0, 1, 2, 20, 40}) {
        EXPECT_LT(progress_bar("reading", {0.5, 1, 1, 10}, columns).size(),
                  static_cast<std::size_t>(std::max(columns, 1)));
    }
}

TEST(Progress, BarOnlyOnATerminal) {
    using Show = Progress::Show;
    EXPECT_EQ(Progress::choose("auto", true, false), Show::bar);
    EXPECT_EQ(Progress::choose("auto", false, false), Show::lines);
    EXPECT_EQ(Progress::choose("auto", true, true), Show::lines);
    EXPECT_EQ(Progress::choose("always", false, false), Show::bar);
    EXPECT_EQ(Progress::choose("always", true, true), Show::lines);
    EXPECT_EQ(Progress::choose("never", true, false), Show::nothing);
}

TEST(Progress, CountsFromManyThreadsAndLogsLines) {
    std::mutex mutex;
    std::vector<std::string> lines;
    Log::configure(LogLevel::info, false);
    Log::set_sink([&](const std::string& line) {
        std::lock_guard<std::mutex> lock(mutex);
        lines.push_back(line);
    });
    {
        Progress progress("reading",
                          Progress::Show::lines,
                          std::chrono::milliseconds(1),
                          std::chrono::milliseconds(5));
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                for (int i = 0; i < 10000; ++i) {
                    progress.add(1, 8);
                }
            });
        }
        for (auto& thread : threads) {
            thread.join();
        }
        progress.set_fraction(0.5);
        EXPECT_EQ(progress.state().events, 40000);
        EXPECT_EQ(progress.state().bytes, 320000);
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        bool seen = false;
        while (!seen && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            std::lock_guard<std::mutex> lock(mutex);
            for (const auto& line : lines) {
                seen = seen || line.find("reading: 50 %, ") != std::string::npos;
            }
        }
        EXPECT_TRUE(seen);
    }
    Log::set_sink({});
}

TEST(Progress, EndsAtOnceAlthoughTheNextLineIsFarAway) {
    const auto start = std::chrono::steady_clock::now();
    { Progress progress("x", Progress::Show::lines, std::chrono::hours(1), std::chrono::hours(1)); }
    { Progress progress("x", "never"); }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

}  // namespace
