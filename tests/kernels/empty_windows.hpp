// SPDX-License-Identifier: BSD-3-Clause
// Weighted pixels with photons at one end only: what is left of the whole without them must not be
// a rounding error.
#pragma once

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {

/// `twin` correlates a series as a request says.
template <class Twin>
void expect_empty_windows_are_zero(const Twin& twin) {
    for (const double mean : {0.02, 0.5}) {
        reference::Run run = empty_run(4000, 4);
        std::mt19937_64 random(17);
        std::poisson_distribution<int> counts(mean);
        for (std::int64_t t = 0; t < 400; ++t) {
            at(run, t, 0) = counts(random);
            at(run, 3600 + t, 1) = counts(random);
            at(run, 1800 + t, 2) = counts(random);
        }
        at(run, 7, 3) = 3;
        at(run, 2, 0) = at(run, 3999, 1) = 1;
        std::vector<double> weight;
        for (std::int64_t t = 0; t < run.n_frames; ++t)
            weight.push_back(0.7 + 1e-3 * static_cast<double>(t % 599));
        const FrameWeights weights{weight, false};
        const Partition partition = partition_of(run);
        MultitauRequest request = request_for(run.n_frames);
        request.weights = &weights;
        reference::Run weighted = run;
        for (std::int64_t t = 0; t < run.n_frames; ++t) {
            for (std::int64_t p = 0; p < run.n_pixels; ++p)
                at(weighted, t, p) *= weight[static_cast<std::size_t>(t)];
        }
        for (const bool rows : {false, true}) {
            const PixelSeries series = rows ? dense_series<std::uint16_t>(run, partition, false)
                                            : sparse_series(run, partition);
            const MultitauSums sums = twin(series, request);
            const int n_lags = sums.whole.ladder.n_lags();
            const std::vector<double> got =
                fold_tiles(sums.whole.weighted_tiles, 3, partition.n_static, n_lags);
            std::int64_t n_empty = 0;
            for (std::int64_t p = 0; p < run.n_pixels; ++p) {
                const reference::Sums expected = reference::pixel_sums(weighted, p);
                for (int i = 0; i < n_lags; ++i) {
                    const auto value = [&](std::int64_t array) {
                        return got[static_cast<std::size_t>((array * run.n_pixels + p) * n_lags +
                                                            i)];
                    };
                    const auto lag = static_cast<std::size_t>(i);
                    const std::string where = "pixel " + std::to_string(p) + ", lag " +
                                              std::to_string(i) + (rows ? ", rows" : ", events");
                    ASSERT_NEAR(value(0), expected.G2[lag], 1e-11 * expected.G2[lag]) << where;
                    ASSERT_NEAR(value(1), expected.past[lag], 1e-11 * expected.past[lag]) << where;
                    ASSERT_NEAR(value(2), expected.future[lag], 1e-11 * expected.future[lag])
                        << where;
                    n_empty += expected.past[lag] == 0 || expected.future[lag] == 0;
                }
            }
            EXPECT_GT(n_empty, 20);
        }
    }
}

}  // namespace xpcs::test
