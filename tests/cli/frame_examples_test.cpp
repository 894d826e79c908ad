// SPDX-License-Identifier: BSD-3-Clause
// Every worked example of frame selection (docs/numerics.md) through the program: which frames of
// 20 end up in which output frame shows in the intensities.
#include <gtest/gtest.h>

#include "analysis_fixture.hpp"

namespace xpcs::testing {
namespace {

/// Frame t holds 2^t mod 251 on every pixel: twenty different numbers.
double level(std::size_t t) {
    unsigned value = 1;
    for (std::size_t i = 0; i < t; ++i)
        value = value * 2 % 251;
    return value;
}

struct Example {
    std::string begin, end, stride, average;
    std::vector<std::vector<std::size_t>> frames;
};

std::vector<std::vector<std::size_t>>
each(std::size_t first, std::size_t end, std::size_t step = 1) {
    std::vector<std::vector<std::size_t>> out;
    for (std::size_t t = first; t < end; t += step)
        out.push_back({t});
    return out;
}

class FrameExamples : public ::testing::TestWithParam<bool> {
  protected:
    FrameExamples() {
        if (GetParam()) {
            std::vector<std::uint16_t> samples;
            for (std::size_t t = 0; t < 20; ++t)
                samples.insert(samples.end(), 2048, static_cast<std::uint16_t>(level(t)));
            small.write_dense(samples, 20);
            return;
        }
        std::vector<Event> events;
        for (std::int64_t t = 0; t < 20; ++t) {
            for (std::uint32_t p = 0; p < 2048; ++p)
                events.emplace_back(t, p, static_cast<std::uint32_t>(level(std::size_t(t))));
        }
        small.write_events(events);
    }
    SmallRun small;
};

TEST_P(FrameExamples, OfTwentyFrames) {
    const std::vector<Example> examples = {
        {"0", "-1", "1", "1", each(0, 20)},
        {"0", "-1", "3", "1", each(0, 18, 3)},
        {"0",
         "-1",
         "1",
         "3",
         {{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {9, 10, 11}, {12, 13, 14}, {15, 16, 17}}},
        {"0", "-1", "2", "3", {{0, 2, 4}, {6, 8, 10}, {12, 14, 16}}},
        {"1", "-1", "2", "3", {{1, 3, 5}, {7, 9, 11}, {13, 15, 17}}},
        {"5", "10", "1", "1", each(5, 10)},
        {"-5", "-1", "1", "1", each(15, 20)},
        {"-50", "-1", "1", "1", each(0, 20)},
        {"0", "0", "1", "1", each(0, 20)},
        {"0", "100", "1", "1", each(0, 20)}};
    for (const Example& e : examples) {
        SCOPED_TRACE(e.begin + " " + e.end + " " + e.stride + " " + e.average);
        small.expect_done({}, {"-b", e.begin, "-e", e.end, "-f", e.stride, "-a", e.average});
        const auto found = small.read(intensity_path);
        ASSERT_EQ(found.size(), 2 * e.frames.size());
        for (std::size_t k = 0; k < e.frames.size(); ++k) {
            double mean = 0;
            for (const std::size_t t : e.frames[k])
                mean += level(t) / static_cast<double>(e.frames[k].size());
            EXPECT_EQ(found[k], static_cast<double>(k));
            EXPECT_NEAR(found[e.frames.size() + k], mean, 1e-6 * mean);
        }
    }
    for (const Arguments& none : {Arguments{"-b", "25"},
                                  {"-b", "10", "-e", "5"},
                                  {"-b", "5", "-e", "5"},
                                  {"-e", "-3"},
                                  {"-e", "5", "-f", "2", "-a", "3"}}) {
        EXPECT_EQ(small.correlate(none).exit_code, static_cast<int>(ExitCode::config));
    }
}

INSTANTIATE_TEST_SUITE_P(Files, FrameExamples, ::testing::Values(false, true), [](const auto& c) {
    return std::string(c.param ? "Frames" : "Events");
});

}  // namespace
}  // namespace xpcs::testing
