// SPDX-License-Identifier: BSD-3-Clause
// q-maps of the layouts before the present one.
#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/qmap.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xpcs {
namespace {

using ::testing::HasSubstr;

const std::vector<std::int32_t> dynamic_map = {0, 1, 1, 2, 3, 4};
const std::vector<std::int32_t> static_map = {0, 1, 2, 3, 4, 5};

/// 2 x 3 pixels, 2 x 2 dynamic and 5 x 1 static bins.
std::string write_data_layout(const testing::TempDir& dir, bool per_bin) {
    const std::string path = dir.file("old.h5");
    const h5::File file = h5::create_file(path);
    const auto put = [&](const std::string& name, const std::vector<double>& values) {
        h5::write(file.id(), "/data/" + name, values, {1, values.size()});
    };
    h5::write(file.id(), "/data/dynamicMap", dynamic_map, {2, 3});
    h5::write(file.id(), "/data/staticMap", static_map, {2, 3});
    h5::write(file.id(), "/data/mask", std::vector<std::int32_t>{0, 1, 1, 1, 1, 0}, {2, 3});
    if (per_bin) {
        put("dqval", {0.01, 0.03, 0.05, 0.07});
        put("dphival", {10, 20, 30, 40});
    } else {
        put("dqval", {0.02, 0.06});
        put("dphival", {20, 30});
    }
    put("sqval", {1, 2, 3, 4, 5});
    put("sphival", {0});
    put("dnoq", {2});
    put("dnophi", {2});
    put("snoq", {5});
    put("snophi", {1});
    put("x0", {12.5});
    put("y0", {-3});
    return path;
}

TEST(OlderQMap, DataLayoutWithCentresPerAxisOrPerBin) {
    for (const bool per_bin : {false, true}) {
        const testing::TempDir dir;
        const QMap qmap = load_qmap(write_data_layout(dir, per_bin));
        EXPECT_EQ(qmap.rows, 2);
        EXPECT_EQ(qmap.cols, 3);
        EXPECT_EQ(qmap.dynamic_roi_map, (std::vector<std::uint32_t>{0, 1, 1, 2, 3, 4}));
        EXPECT_EQ(qmap.static_roi_map, (std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5}));
        EXPECT_EQ(qmap.mask, (std::vector<std::uint8_t>{0, 1, 1, 1, 1, 0}));
        EXPECT_EQ(qmap.n_dynamic(), 4U);
        EXPECT_EQ(qmap.n_static(), 5U);
        EXPECT_NEAR(qmap.dynamic_centre(1, 0), 0.02, 1e-12);
        EXPECT_NEAR(qmap.dynamic_centre(4, 0), 0.06, 1e-12);
        EXPECT_NEAR(qmap.dynamic_centre(3, 1), 20, 1e-12);
        EXPECT_NEAR(qmap.dynamic_centre(4, 1), 30, 1e-12);
        EXPECT_EQ(qmap.static_centre(5, 0), 5);
        EXPECT_EQ(qmap.beam_center_x, 12.5);
        EXPECT_EQ(qmap.beam_center_y, -3);
        EXPECT_THAT(qmap.warnings.at(0), HasSubstr("/data layout"));
    }
}

TEST(OlderQMap, XpcsAndFebruaryLayouts) {
    for (const std::string group : {"/xpcs/", "/qmap/"}) {
        const testing::TempDir dir;
        const std::string path = dir.file("old.h5");
        {
            const h5::File file = h5::create_file(path);
            h5::write(file.id(), group + "dqmap", dynamic_map, {2, 3});
            h5::write(file.id(), group + "sqmap", static_map, {2, 3});
            h5::write(file.id(), group + "dqlist", std::vector<double>{0.1, 0.2, 0.3, 0.4}, {1, 4});
            h5::write(file.id(), group + "dphilist", std::vector<double>{0, 0, 0, 0}, {1, 4});
        }
        const QMap qmap = load_qmap(path);
        EXPECT_EQ(qmap.mask, (std::vector<std::uint8_t>{0, 1, 1, 1, 1, 1}));
        EXPECT_EQ(qmap.n_dynamic(), 4U);
        EXPECT_EQ(qmap.dynamic_centre(3, 0), 0.3);
        EXPECT_THAT(qmap.warnings.at(0), HasSubstr(group.substr(0, 5)));
    }
}

TEST(OlderQMap, WrongLabelsAreStillNamed) {
    const testing::TempDir dir;
    const std::string path = dir.file("old.h5");
    {
        const h5::File file = h5::create_file(path);
        h5::write(file.id(), "/xpcs/dqmap", std::vector<double>{0, 1, 1.5, 2}, {2, 2});
        h5::write(file.id(), "/xpcs/sqmap", std::vector<double>{0, 1, 1, 2}, {2, 2});
    }
    const Error error = testing::error_of([&] { load_qmap(path); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), HasSubstr("fractional"));
    EXPECT_THAT(error.what(), HasSubstr("row 1, column 0"));
}

}  // namespace
}  // namespace xpcs
