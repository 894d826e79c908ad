// SPDX-License-Identifier: BSD-3-Clause
// The small run of the program as the oracle sees it.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "cli_fixture.hpp"
#include "reference/reference.hpp"

namespace xpcs::testing {

/// 400 frames of 2048 pixels and the labels of the q-map.
inline reference::Run oracle_of(const SmallRun& small, const std::vector<Event>& events) {
    reference::Run run;
    run.n_frames = SmallRun::n_frames;
    run.n_pixels = SmallRun::rows * SmallRun::cols;
    run.counts.assign(static_cast<std::size_t>(run.n_frames * run.n_pixels), 0.0);
    for (const auto& [frame, pixel, count] : events)
        run.counts[static_cast<std::size_t>(frame * run.n_pixels + pixel)] += count;
    for (std::size_t p = 0; p < small.qmap.mask.size(); ++p) {
        const bool used = small.qmap.mask[p] != 0;
        run.static_label.push_back(used ? static_cast<int>(small.qmap.static_roi_map[p]) : 0);
        run.dynamic_label.push_back(used ? static_cast<int>(small.qmap.dynamic_roi_map[p]) : 0);
    }
    return run;
}

/// Stored as float32: 6e-8 relative. NaN where and only where the other is.
inline void expect_close(const std::vector<double>& ours,
                         const std::vector<double>& expected,
                         double relative = 1e-6,
                         double absolute = 0) {
    ASSERT_EQ(ours.size(), expected.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
        ASSERT_EQ(std::isnan(ours[i]), std::isnan(expected[i])) << i;
        if (!std::isnan(ours[i])) {
            ASSERT_NEAR(ours[i], expected[i], relative * std::abs(expected[i]) + absolute) << i;
        }
    }
}

}  // namespace xpcs::testing
