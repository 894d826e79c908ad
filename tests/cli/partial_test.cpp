// SPDX-License-Identifier: BSD-3-Clause
// -np and --partial: curves of slices and of growing spans, against the oracle.
#include "host/h5.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "analysis_fixture.hpp"

namespace xpcs::testing {
namespace {

constexpr const char* partial_path = "/xpcs/multitau/normalized_g2_partial";
constexpr const char* partial_err_path = "/xpcs/multitau/normalized_g2_partial_err";
constexpr const char* labels_path = "/xpcs/multitau/normalized_g2_partial_labels";

class Partial : public ::testing::Test {
  protected:
    std::string kind() const {
        const h5::File file = h5::open_file(small.result());
        const h5::Dataset dataset = h5::open_dataset(file.id(), partial_path);
        return h5::read_string_attribute(dataset.id(), "kind").value_or("");
    }
    std::vector<double> curve(const std::string& path, std::size_t k, std::size_t n) const {
        const auto all = small.read(path);
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(k * (all.size() / n));
        return {first, first + static_cast<std::ptrdiff_t>(all.size() / n)};
    }

    SmallRun small{0.1};
    std::vector<Event> events = poisson_events(400, 2048, 0.1, 7);
};

TEST_F(Partial, CurvesAreThoseOfTheOracle) {
    const reference::Run run = oracle_of(small, events);
    for (const bool cumulative : {false, true}) {
        small.expect_done({}, {"-np", "3", "--partial", cumulative ? "cumulative" : "slices"});
        EXPECT_EQ(kind(), cumulative ? "cumulative" : "slices");
        EXPECT_EQ(small.read(labels_path), (std::vector<double>{133, 266, 400}));
        for (std::size_t k = 0; k < 3; ++k) {
            const auto at = [](std::size_t j) { return static_cast<std::int64_t>(400 * j / 3); };
            auto expected = reference::multitau(
                reference::select(run, cumulative ? 0 : at(k), at(k + 1), 1, 1));
            const std::vector<double> ours = curve(partial_path, k, 3);
            // Lags that the span is too short for are NaN, to the end of the common list.
            expected.g2.resize(ours.size(), std::nan(""));
            expected.g2_err.resize(ours.size(), std::nan(""));
            expect_close(ours, expected.g2);
            expect_close(curve(partial_err_path, k, 3), expected.g2_err, 1e-5, 1e-7);
        }
    }
}

TEST_F(Partial, TheLastCumulativeCurveIsThatOfTheRun) {
    for (const char* nf : {"0", "1"}) {
        small.expect_done({}, {"-np", "4", "--partial", "cumulative", "-nf", nf});
        EXPECT_EQ(curve(partial_path, 3, 4), small.read(g2_path));
        EXPECT_EQ(curve(partial_err_path, 3, 4), small.read(g2_err_path));
    }
}

TEST_F(Partial, SlicesOfFewerThanTwoFramesAreRefused) {
    small.expect_done({}, {"-np", "200"});
    small.expect_refused(ExitCode::config, {"-np 201", "400 frames", "2 frames"}, {"-np", "201"});
    small.expect_refused(
        ExitCode::config, {"-np 9000000000000000000", "2 frames"}, {"-np", "9000000000000000000"});
    small.expect_refused(ExitCode::config, {"--partial", "-np"}, {"--partial", "cumulative"});
    small.expect_refused(
        ExitCode::usage, {"--partial", "slices"}, {"-np", "2", "--partial", "both"});
}

}  // namespace
}  // namespace xpcs::testing
