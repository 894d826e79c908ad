// SPDX-License-Identifier: BSD-3-Clause
// Events kept, masked and outside the frames, where counts above 255 take several records.
#include <gtest/gtest.h>

#include <algorithm>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

constexpr std::uint32_t hot_pixel = 700;

struct Tally {
    std::int64_t kept = 0, masked = 0, outside = 0;
};

class Counts : public ::testing::Test {
  protected:
    Counts() {
        std::erase_if(events, [](const Event& e) {
            return std::get<1>(e) == hot_pixel || std::get<1>(e) == 9;
        });
        for (std::int64_t t = 0; t < SmallRun::n_frames; ++t) {
            events.emplace_back(t, hot_pixel, 300);
            if (t % 70 == 1) events.emplace_back(t, 9, 1000);
        }
        std::sort(events.begin(), events.end());
        small.write_events(events);
    }
    /// Frames 13, 15, ... of 13 to 389, three at a time: the last three would end behind 389.
    Tally expected(bool mask_hot) const {
        Tally tally;
        for (const auto& [frame, pixel, count] : events) {
            if (frame < 13 || frame >= 390) {
                ++tally.outside;
            } else if (mask_hot && (pixel == hot_pixel || pixel == 9)) {
                ++tally.masked;
            } else {
                const bool used = (frame - 13) % 2 == 0 && (frame - 13) / 6 < 62;
                ++(used ? tally.kept : tally.outside);
            }
        }
        return tally;
    }
    void expect_counts(const Arguments& options, const Tally& tally) {
        Arguments all{"-b", "13", "-e", "390", "-f", "2", "-a", "3"};
        all.insert(all.end(), options.begin(), options.end());
        small.expect_done({}, all);
        const auto number = [&](const char* name) {
            return small.read(std::string("/xpcs/provenance/counts/") + name).at(0);
        };
        EXPECT_EQ(number("events_kept"), static_cast<double>(tally.kept));
        EXPECT_EQ(number("dropped_events_masked"), static_cast<double>(tally.masked));
        EXPECT_EQ(number("dropped_events_outside_frames"), static_cast<double>(tally.outside));
        EXPECT_EQ(number("duplicates_summed"), 0);
    }
    SmallRun small;
    std::vector<Event> events = poisson_events(SmallRun::n_frames, 2048, 0.02, 9);
};

TEST_F(Counts, EventsNotRecordsWithStrideAndAverage) {
    for (const char* nf : {"0", "1"})
        expect_counts({"-nf", nf}, expected(false));
}

TEST_F(Counts, EventsNotRecordsOfMaskedHotPixels) {
    expect_counts({"--mask-hot"}, expected(true));
    expect_counts({"--mask-hot", "-t", "Twotime"}, expected(true));
}

// A dense file of the same counts, as events and as rows.
TEST_F(Counts, OfWholeFramesWithStrideAndAverage) {
    std::vector<std::uint16_t> samples(SmallRun::n_frames * 2048, 0);
    for (const auto& [frame, pixel, count] : events)
        samples[static_cast<std::size_t>(frame) * 2048 + pixel] = static_cast<std::uint16_t>(count);
    small.write_dense(samples, SmallRun::n_frames);
    for (const bool mask_hot : {false, true}) {
        Tally tally = expected(mask_hot);
        tally.outside = -tally.kept;  // frames before and behind the range are not read
        for (const auto& [frame, pixel, count] : events) {
            const bool masked = mask_hot && (pixel == hot_pixel || pixel == 9);
            tally.outside += frame >= 13 && frame < 390 && !masked;
        }
        for (const char* engine : {"sparse", "dense"}) {
            Arguments options{"--engine", engine, "-w"};
            if (mask_hot) options.emplace_back("--mask-hot");
            SCOPED_TRACE(engine);
            expect_counts(options, tally);
        }
    }
}

}  // namespace
}  // namespace xpcs::testing
