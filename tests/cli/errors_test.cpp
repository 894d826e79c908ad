// SPDX-License-Identifier: BSD-3-Clause
// --errors: the extra errors of g2 in the result, against the oracle.
#include <gtest/gtest.h>

#include "analysis_fixture.hpp"
#include "reference/extra.hpp"

namespace xpcs::testing {
namespace {

TEST(ErrorsOption, StoresTheOtherErrorsBesideTheCompatibleOne) {
    SmallRun small(0.1);
    // 16 static bins in 2 dynamic ones: enough for a scatter over static bins.
    small.qmap = banded_qmap(32, 64, 16);
    for (std::uint32_t& label : small.qmap.dynamic_roi_map)
        label = (label + 3) / 4;
    small.qmap.dynamic_num_pts = {2, 1};
    small.qmap.dynamic_v_list[0] = {0.001, 0.002};
    small.qmap.dynamic_index_mapping = {0, 1};
    small.write_qmap();
    small.expect_done();
    const auto g2_err = small.read(g2_err_path);
    const reference::Errors expected =
        reference::errors(oracle_of(small, poisson_events(400, 2048, 0.1, 7)));
    for (const Arguments& more : {Arguments{"--errors"}, Arguments{"--errors", "-G"}}) {
        small.expect_done({}, more);
        EXPECT_EQ(small.read(g2_err_path), g2_err);
        // Means of pixels are float32 before their differences are taken.
        const std::string group = "/xpcs/multitau/";
        expect_close(small.read(group + "g2_err_static_scatter"), expected.static_scatter, 1e-5);
        expect_close(small.read(group + "g2_err_delta"), expected.delta, 1e-5);
        expect_close(small.read(group + "g2_err_shot_noise"), expected.shot_noise, 1e-5);
    }
    small.expect_refused(ExitCode::config, {"--errors", "Twotime"}, {"--errors", "-t", "Twotime"});
}

}  // namespace
}  // namespace xpcs::testing
