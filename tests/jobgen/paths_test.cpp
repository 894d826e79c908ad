// SPDX-License-Identifier: BSD-3-Clause
// Paths in collections, cycles, experiments and the staging layout: every worked example, with the
// intended differences from the earlier system named where they are tested.
#include "jobgen/flow/paths.hpp"

#include "jobgen/cli.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>

namespace xpcs::jobgen::flow {
namespace {

using jobgen::testing::error_of;
using ::testing::HasSubstr;

Collection solar() {
    Collection c;
    c.key = "solar";
    c.path = "/share/solar_data/";
    return c;
}

TEST(Paths, to_collection) {
    const Collection c = solar();
    EXPECT_EQ(to_collection(c, "/share/solar_data/orbits/p.tar.gz"), "/orbits/p.tar.gz");
    EXPECT_EQ(to_collection(c, "/share//solar_data//a//b/"), "/a/b");
    // Intended: "/" instead of "/.".
    EXPECT_EQ(to_collection(c, "/share/solar_data"), "/");
    EXPECT_EQ(to_collection(c, "/share/solar_data/"), "/");
    // Intended: ".." is refused instead of passed on.
    EXPECT_THAT(error_of([&] { to_collection(c, "/share/solar_data/../x"); }),
                HasSubstr("64 path"));
    EXPECT_THAT(error_of([&] { to_collection(c, "/share/solar_data2/x"); }),
                HasSubstr("lies outside collection solar; allowed: below /share/solar_data/"));
    EXPECT_THAT(error_of([&] { to_collection(c, "relative"); }), HasSubstr("is relative"));
    Collection root;
    root.path = "/";
    EXPECT_EQ(to_collection(root, "/a/b"), "/a/b");
    EXPECT_EQ(to_collection(root, "/"), "/");
    EXPECT_THAT(error_of([&] { to_collection(root, "a/b"); }), HasSubstr("is relative"));
}

TEST(Paths, to_posix_is_the_way_back) {
    const Collection c = solar();
    // Intended: the original left the base out.
    EXPECT_EQ(to_posix(c, "/orbits/p"), "/share/solar_data/orbits/p");
    EXPECT_EQ(to_posix(c, "/"), "/share/solar_data");
    EXPECT_THAT(error_of([&] { to_posix(c, "orbits"); }), HasSubstr("must begin with '/'"));
    EXPECT_THAT(error_of([&] { to_posix(c, "/a/../../etc"); }), HasSubstr("'..'"));
    for (const char* path :
         {"/share/solar_data/a/b", "/share/solar_data", "/share/solar_data/a b"}) {
        EXPECT_EQ(to_posix(c, to_collection(c, path)), path);
    }
}

TEST(Paths, cycles) {
    const std::vector<std::string> prefixes{"/gdata/dm/8IDI/", "/8IDI/"};
    const auto cycle = [&](const std::string& raw) { return cycle_of(raw, prefixes); };
    EXPECT_EQ(cycle("/gdata/dm/8IDI/2025-1/experiment202503/data/foo-bar-baz/foo-bar-baz.bin.000"),
              "2025-1");
    EXPECT_EQ(cycle("/gdata/dm/8IDI/2024-3/comm202410/data/G001/G001.h5"), "2024-3");
    EXPECT_EQ(cycle("/gdata/dm/8IDI/2015-1/x/data/a/a.h5"), "2015-1");
    EXPECT_EQ(cycle("/gdata/dm/8IDI/2049-3/x/data/a/a.h5"), "2049-3");
    EXPECT_EQ(cycle("/gdata/dm/8IDI/2025-01/x/a.h5"), "2025-01");
    // Intended: also below /8IDI/, where the batches lie.
    EXPECT_EQ(cycle("/8IDI/2025-2/tempus202507-merge/data/x/x.h5"), "2025-2");
    for (const char* bad : {"/gdata/dm/8IDI/2025-4/x/a",
                            "/gdata/dm/8IDI/2025-0/x/a",
                            "/gdata/dm/8IDI/2014-1/x/a",
                            "/gdata/dm/8IDI/2050-1/x/a",
                            "/gdata/dm/8IDI/2025-1-extra/x/a",
                            "/gdata/dm/8IDI/notes/x",
                            "/gdata/dm/8IDI",
                            "",
                            "relative/2025-1/x",
                            // Intended: blanks around a cycle are refused.
                            "/gdata/dm/8IDI/ 2025-1 /x/a",
                            "/gdata/dm/XPCS8/2024-1/comm202401/data/a/a.h5"}) {
        EXPECT_THAT(error_of([&] { cycle(bad); }), HasSubstr("give it with --cycle")) << bad;
    }
    EXPECT_EQ(checked_cycle("2025-2"), "2025-2");
    // Intended: a cycle that was given is checked too.
    EXPECT_THAT(error_of([] { checked_cycle("banana"); }), HasSubstr("allowed: YYYY-N"));
    EXPECT_THAT(error_of([] { checked_cycle("2025-1/../x"); }), HasSubstr("allowed: YYYY-N"));
}

TEST(Paths, experiments) {
    for (const auto& [in, out] :
         std::vector<std::pair<std::string, std::string>>{{"milliron202503", "milliron"},
                                                          {"comm202410", "comm"},
                                                          {"zhang202402_2", "zhang"},
                                                          {"tempus202507-merge", "tempus"},
                                                          {"ABCxyz", "ABCxyz"},
                                                          {"a1b2", "a"},
                                                          {"e-123", "e"},
                                                          {"m\xc3\xbcller202503", "m"},
                                                          {"202503milliron", "202503milliron"},
                                                          {"_foo", "_foo"},
                                                          {"", ""}}) {
        EXPECT_EQ(experiment_letters(in), out);
    }
}

LayoutRequest request() {
    LayoutRequest r;
    r.raw = "/gdata/dm/8IDI/2024-3/comm202410/data/G001_436_PorousGlass-08000/"
            "G001_436_PorousGlass-08000.h5";
    r.qmap = "/gdata/dm/8IDI/2024-3/comm202410/data/eiger4m_qmap_1018_hongrui_d36.h5";
    r.experiment = "comm202410";
    r.cycle = "2024-3";
    return r;
}

TEST(Paths, layout_of_the_fourth_example) {
    const Site site = load_site({});
    LayoutRequest r;
    r.raw = "/eagle/XPCS-DATA-DYS/XPCSDATA/2024-2/zhang202402_2/H001_27445_QZ_XPCS_test-01000/"
            "H001_27445_QZ_XPCS_test-01000.h5";
    r.qmap = "/eagle/XPCS-DATA-DYS/XPCSDATA/partitionMapLibrary/2024-2/zhang_qmap_S270_D54.h5";
    r.back = "/eagle/XPCS-DATA-DYS/XPCSDATA/2024-2/zhang202402_2/ALCF_results";
    r.experiment = "zhang202402_2";
    r.cycle = "2024-2";
    const Layout l = layout(site, site.deployment("aps8idi-polaris"), r);
    EXPECT_EQ(l.raw_source_path, "/XPCSDATA/2024-2/zhang202402_2/H001_27445_QZ_XPCS_test-01000");
    EXPECT_EQ(l.qmap_source_path, "/XPCSDATA/partitionMapLibrary/2024-2/zhang_qmap_S270_D54.h5");
    EXPECT_EQ(l.back_path, "/XPCSDATA/2024-2/zhang202402_2/ALCF_results");
    EXPECT_EQ(l.publish_path, "/XPCSDATA/Automate/2024-2/zhang202402_2/zhang_qmap_S270_D54");
}

TEST(Paths, layout_refuses_what_would_mix_or_leave_data_sets) {
    const Site site = load_site({});
    const Deployment& d = site.deployment("voyager-xpcs8-polaris");
    const auto fault = [&](auto change) {
        LayoutRequest r = request();
        r.raw = "/gdata/dm/XPCS8/2024-3/x/data/a/a.h5";
        r.qmap = "/gdata/dm/XPCS8/2024-3/x/data/q.h5";
        change(r);
        return error_of([&] { layout(site, d, r); });
    };
    EXPECT_EQ(fault([](LayoutRequest&) {}), "no error");
    EXPECT_THAT(fault([](LayoutRequest& r) { r.raw += "/"; }), HasSubstr("no data set name"));
    EXPECT_THAT(fault([](LayoutRequest& r) { r.raw = "/gdata/dm/XPCS8/a/.h5"; }),
                HasSubstr("no data set name"));
    EXPECT_THAT(fault([](LayoutRequest& r) { r.raw = "/elsewhere/a.h5"; }),
                HasSubstr("lies outside collection voyager_xpcs8"));
    EXPECT_THAT(fault([](LayoutRequest& r) { r.qmap = "/elsewhere/q.h5"; }),
                HasSubstr("lies outside"));
    EXPECT_THAT(fault([](LayoutRequest& r) { r.back = "/elsewhere"; }), HasSubstr("lies outside"));
    EXPECT_THAT(fault([](LayoutRequest& r) { r.raw = "a/a.h5"; }), HasSubstr("is relative"));
    EXPECT_THAT(fault([](LayoutRequest& r) { r.experiment = "/x"; }),
                HasSubstr("allowed: a name without '/'"));
    EXPECT_THAT(fault([](LayoutRequest& r) { r.experiment = ".."; }),
                HasSubstr("allowed: a name without '/'"));
    EXPECT_THAT(fault([](LayoutRequest& r) { r.experiment = ""; }), HasSubstr("--experiment"));
    EXPECT_THAT(error_of([&] { layout(site, site.deployment("talc-prod"), request()); }),
                HasSubstr("names no source collection"));
}

TEST(Paths, path_rules_choose_the_deployment) {
    const Site site = load_site({});
    Options options;
    EXPECT_EQ(deployment_for(site, options, "/data/a.h5"), "local");
    options.deployment = "voyager-8idi-polaris";
    EXPECT_EQ(deployment_for(site, options, "/data/a.h5"), "voyager-8idi-polaris");
    EXPECT_EQ(deployment_for(site, options, "/gdata/dm/XPCS8/2024-1/x/data/a/a.h5"),
              "voyager-xpcs8-polaris");
    options.deployment = "nope";
    EXPECT_EQ(deployment_for(site, options, "/gdata/dm/XPCS8/2024-1/a.h5"),
              "voyager-xpcs8-polaris");
    EXPECT_THAT(error_of([&] { deployment_for(site, options, ""); }),
                HasSubstr("deployment 'nope' is not known"));
}

}  // namespace
}  // namespace xpcs::jobgen::flow
