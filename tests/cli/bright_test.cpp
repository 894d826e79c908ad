// SPDX-License-Identifier: BSD-3-Clause
// Bright sparse runs are kept as whole frames: the same result as from events, in every number that
// does not come of weights, and the same where frames cannot be had.
#include <gtest/gtest.h>

#include <algorithm>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

class Bright : public ::testing::Test {
  protected:
    static constexpr const char* engine_path = "/xpcs/multitau/config/engine_used";

    Bright() {
        for (std::size_t p = 0; p < 300; ++p)
            small.qmap.mask[p * 6] = 0;
        small.write_qmap();
        small.write_events(events);
    }
    std::map<std::string, std::string> datasets(const Arguments& more, const std::string& engine) {
        Arguments all = more;
        all.insert(all.end(), {"-w", "--engine", engine});
        const Outcome outcome = small.correlate(all);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        log = outcome.err;
        return numeric_datasets(small.result());
    }
    std::string engine_used() const {
        const h5::File file = h5::open_file(small.result());
        return h5::read_string(file.id(), engine_path);
    }
    /// Also the counts of what was dropped.
    void expect_same_as_events(const Arguments& options, const std::string& used = "dense") {
        std::string text;
        for (const std::string& word : options)
            text += word + " ";
        SCOPED_TRACE(text);
        const auto expected = datasets(options, "sparse");
        EXPECT_EQ(engine_used(), "sparse");
        const auto got = datasets(options, "auto");
        EXPECT_EQ(engine_used(), used);
        ASSERT_EQ(got.size(), expected.size());
        for (const auto& [name, bytes] : expected)
            EXPECT_TRUE(got.contains(name) && got.at(name) == bytes) << name;
    }
    SmallRun small;
    std::vector<Event> events = poisson_events(SmallRun::n_frames, 2048, 0.15, 9);
    std::string log;
};

TEST_F(Bright, TheSameResultAsFromEvents) {
    expect_same_as_events({});
    expect_same_as_events({"-G", "-np", "3", "--errors"});
    expect_same_as_events({"-np", "4", "--partial", "cumulative", "--threads", "1"});
    expect_same_as_events({"--mask-hot"});
}

TEST_F(Bright, OfSomeFrames) {
    expect_same_as_events({"-b", "13", "-e", "390"});
    expect_same_as_events({"-b", "13", "-e", "390", "-f", "2", "-a", "3"});
    expect_same_as_events({"-a", "7", "--mask-hot"});
    expect_same_as_events({"-b", "-100"});
    expect_same_as_events({"-b", "-150", "-e", "380", "-f", "2"});
    expect_same_as_events({"--n-frames", "500"});
    expect_same_as_events({"--n-frames", "350"});
    expect_same_as_events({"-b", "380", "--n-frames", "410"});
}

TEST_F(Bright, LargeCountsTakeWiderSamples) {
    events = poisson_events(SmallRun::n_frames, 2048, 0.3, 10);
    for (std::size_t i = 0; i < events.size(); i += 1001)
        std::get<2>(events[i]) = static_cast<std::uint32_t>(16 + i % 230);
    small.write_events(events);
    expect_same_as_events({});
    expect_same_as_events({"-G", "-a", "2"});
}

TEST_F(Bright, WeightsOnlyRound) {
    datasets({"-nf", "1"}, "sparse");
    const auto expected = small.read(g2_path);
    datasets({"-nf", "1"}, "auto");
    EXPECT_EQ(engine_used(), "dense");
    const auto got = small.read(g2_path);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_NEAR(got[i], expected[i], 1e-6 * expected[i]) << i;
}

TEST_F(Bright, DimFilesStayEvents) {
    std::erase_if(events, [](const Event& e) { return std::get<1>(e) % 4 != 0; });
    small.write_events(events);
    expect_same_as_events({}, "sparse");
}

TEST_F(Bright, WhatCannotBeFramesIsReadAgainAsEvents) {
    const std::size_t late = events.size() - 40;
    const std::vector<Event> good = events;
    const auto expect_read_again = [&](const std::vector<Event>& with) {
        small.write_events(with);
        expect_same_as_events({"-G", "-np", "2"}, "sparse");
        EXPECT_NE(log.find("starting again with single events"), std::string::npos) << log;
    };
    std::swap(events[late], events[late - 300]);  // out of order
    expect_read_again(events);
    events = good;
    events.insert(events.begin() + static_cast<std::ptrdiff_t>(late), events[late]);  // twice
    expect_read_again(events);
    events = good;
    std::get<2>(events[late]) = 700;
    expect_read_again(events);
}

}  // namespace
}  // namespace xpcs::testing
