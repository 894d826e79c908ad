// SPDX-License-Identifier: BSD-3-Clause
// A flow on this machine, end to end.
#include "jobgen/local_flow.hpp"

#include "jobgen/flow/flow.hpp"
#include "jobgen/process.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>

#include <sstream>

namespace xpcs::jobgen {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::write_file;

const char* const uuid_source = "11111111-1111-4111-8111-111111111111";
const char* const uuid_staging = "22222222-2222-4222-8222-222222222222";
const char* const uuid_publish = "33333333-3333-4333-8333-333333333333";

struct FlowPlace {
    TempDir dir;
    std::string bin = testing::make_programs(dir);
    Site site;
    LocalFlow flow;
    std::ostringstream log;
    Run run;
    flow::InputRequest request;

    FlowPlace() {
        fs::create_symlink(std::string(XPCS_BIN_DIR) + "/xpcs-jobgen", bin + "/xpcs-jobgen");
        const std::string d = dir.path();
        site = load_site_texts(
            {{"built", built_in_deployments()},
             {"test",
              "schema: 1\ncollections:\n  src: {id: " + std::string(uuid_source) + ", path: " + d +
                  "/src/}\n" + "  stage: {id: " + uuid_staging + ", path: " + d +
                  "/stage/}\n  pub: {id: " + uuid_publish + ", path: " + d +
                  "/pub/}\ndeployments:\n  test:\n    machine: localhost\n    source: src\n" +
                  "    staging: stage\n    publish: pub\n    staging_dir: " + d +
                  "/stage/xpcs\n    https_host: \"\"\n"}});
        write_file(dir / "src/2025-1/exp/data/a/a.bin", "photons");
        write_file(dir / "src/2025-1/exp/data/a/a_metadata.hdf", "meta");
        write_file(dir / "src/2025-1/exp/data/q_map.h5", "qmap");
        RunConfig config;
        config.qmap = dir / "src/2025-1/exp/data/q_map.h5";
        run = make_run(config, dir / "src/2025-1/exp/data/a/a.bin", site.deployment("test"));
        request.experiment = "exp";
        request.cycle = "2025-1";
        request.back = dir / "src/2025-1/exp/analysis";
        flow.definition = flow::definition("online", "here");
        make_input();
        flow.collections = {
            {uuid_source, d + "/src/"}, {uuid_staging, d + "/stage/"}, {uuid_publish, d + "/pub/"}};
        flow.run_dir = dir / "run";
        flow.catalogue = dir / "catalogue.jsonl";
        flow.time_scale = 0.001;
        flow.log = &log;
    }
    void make_input() { flow.input = flow::input(site, site.deployment("test"), run, request); }
    int execute() {
        // The steps find the stand-ins first.
        const char* before = std::getenv("PATH");
        const std::string old = before ? before : "";
        ::setenv("PATH", (bin + ":" + old).c_str(), 1);
        int code = -1;
        try {
            code = run_local(flow);
        } catch (...) {
            ::setenv("PATH", old.c_str(), 1);
            throw;
        }
        ::setenv("PATH", old.c_str(), 1);
        return code;
    }
};

TEST(LocalFlow, record_goes_into_the_catalogue_of_the_portal) {
    const std::string portal = testing::real_program("xpcs-portal");
    if (portal.empty()) GTEST_SKIP() << "xpcs-portal is not built";
    FlowPlace p;
    // The report stays with the stand-in: the result is none that a portal could read.
    const std::string stand_in = read_text(p.bin + "/xpcs-portal");
    write_file(p.bin + "/xpcs-portal",
               "#!/bin/bash\n[ \"$1\" = ingest ] && exec '" + portal + "' \"$@\"\n" +
                   stand_in.substr(stand_in.find('\n') + 1),
               true);
    p.flow.catalogue = p.dir / "catalogue.db";
    EXPECT_EQ(p.execute(), 0) << p.log.str();
    const Outcome found = run_program({portal, "search", "exp", "--catalogue", p.flow.catalogue});
    EXPECT_EQ(found.code, 0) << found.err;
    EXPECT_THAT(found.out, HasSubstr("XPCSDATA/Automate/2025-1/exp/q_map/a"));
    // A catalogue that cannot be written fails the flow.
    FlowPlace q;
    write_file(q.bin + "/xpcs-portal", read_text(p.bin + "/xpcs-portal"), true);
    write_file(q.dir / "catalogue.db", "no database");
    q.flow.catalogue = q.dir / "catalogue.db";
    EXPECT_NE(q.execute(), 0);
    EXPECT_EQ(read_text(q.dir / "catalogue.db"), "no database");
}

TEST(LocalFlow, from_raw_file_to_catalogue) {
    FlowPlace p;
    EXPECT_EQ(p.execute(), 0) << p.log.str();
    const std::string result = "/output/q_map/a/a_results.hdf";
    EXPECT_TRUE(fs::exists(p.dir / ("stage/xpcs/exp/a" + result)));
    EXPECT_TRUE(fs::exists(p.dir / "src/2025-1/exp/analysis/a_results.hdf"));
    EXPECT_TRUE(fs::exists(p.dir / "pub/XPCSDATA/Automate/2025-1/exp/q_map/a/a_results.hdf"));
    EXPECT_TRUE(fs::exists(
        p.dir / "pub/XPCSDATA/Automate/2025-1/exp/q_map/a/resources/a_results/page.html"));
    const Json record = parse_json(read_text(p.dir / "catalogue.jsonl"), "catalogue");
    EXPECT_EQ(text_at(record, "subject"),
              "globus://" + std::string(uuid_publish) + "/XPCSDATA/Automate/2025-1/exp/q_map/a");
    EXPECT_EQ(record["content"]["project_metadata"]["cycle"], "2025-1");
    EXPECT_EQ(record["content"]["project_metadata"]["analysis_type"][0], "Multitau");
    EXPECT_TRUE(fs::exists(p.dir / "run/permissions.jsonl"));
    EXPECT_THAT(p.log.str(), HasSubstr("SUCCEEDED"));
    // Again: nothing is done twice.
    EXPECT_EQ(p.execute(), 0);
    EXPECT_EQ(read_text(p.dir / "catalogue.jsonl").find('\n') + 1,
              read_text(p.dir / "catalogue.jsonl").size());
}

TEST(LocalFlow, a_failure_ends_with_its_reason_and_goes_on_when_repaired) {
    FlowPlace p;
    write_file(p.dir / "src/2025-1/exp/data/a/a.bin", "fail 65");
    EXPECT_EQ(p.execute(), 1);
    EXPECT_THAT(p.log.str(), HasSubstr("FAILED: Correlate: xpcs-corr: exit code 65"));
    EXPECT_THAT(p.log.str(), HasSubstr("broken on purpose"));
    EXPECT_FALSE(fs::exists(p.dir / "catalogue.jsonl"));
    EXPECT_FALSE(fs::exists(p.dir / "pub"));
    write_file(p.dir / "stage/xpcs/exp/a/input/a.bin", "photons");
    p.log.str("");
    EXPECT_EQ(p.execute(), 0);
    // The transfer in is not repeated.
    EXPECT_EQ(p.log.str().find("SourceTransfer"), std::string::npos);
}

TEST(LocalFlow, interrupted_runs_keep_their_state) {
    FlowPlace p;
    write_file(p.dir / "src/2025-1/exp/data/a/a.bin", "fail 75");
    EXPECT_THAT(error_of([&] { p.execute(); }), HasSubstr("75 xpcs-corr was stopped"));
    const Json state = testing::json_file(p.dir / "run/state.json");
    EXPECT_EQ(text_at(state, "status"), "ACTIVE");
    EXPECT_EQ(text_at(state, "next"), "Correlate");
    write_file(p.dir / "stage/xpcs/exp/a/input/a.bin", "photons");
    EXPECT_EQ(p.execute(), 0);
    p.request.cycle = "2025-2";
    p.make_input();
    EXPECT_THAT(error_of([&] { p.execute(); }), HasSubstr("belongs to another run"));
}

TEST(LocalFlow, success_without_a_result_is_a_failure) {
    FlowPlace p;
    write_file(p.dir / "src/2025-1/exp/data/a/a.bin", "empty");
    EXPECT_EQ(p.execute(), 1);
    EXPECT_THAT(p.log.str(), HasSubstr("holds no result"));
}

TEST(LocalFlow, missing_input_unknown_collection_and_switched_off_parts) {
    FlowPlace p;
    fs::remove(p.dir / "src/2025-1/exp/data/q_map.h5");
    EXPECT_EQ(p.execute(), 1);
    EXPECT_THAT(p.log.str(), HasSubstr("SourceTransfer: transfer: "));
    FlowPlace q;
    q.flow.collections.erase(uuid_staging);
    EXPECT_EQ(q.execute(), 1);
    EXPECT_THAT(q.log.str(), HasSubstr("has no directory here"));
    FlowPlace r;
    r.request.publish = false;
    r.request.transfer_back = false;
    r.make_input();
    EXPECT_EQ(r.execute(), 0);
    EXPECT_FALSE(fs::exists(r.dir / "pub"));
    EXPECT_FALSE(fs::exists(r.dir / "src/2025-1/exp/analysis"));
}

TEST(LocalFlow, hostile_names_stay_names) {
    FlowPlace p;
    const std::string name = "a $(touch touched);'\"\n\xc3\xbc";
    write_file(p.dir / ("src/data/" + name + "/" + name + ".bin"), "photons");
    RunConfig config;
    config.qmap = p.dir / "src/2025-1/exp/data/q_map.h5";
    p.run = make_run(
        config, p.dir / ("src/data/" + name + "/" + name + ".bin"), p.site.deployment("test"));
    p.make_input();
    EXPECT_EQ(p.execute(), 0) << p.log.str();
    EXPECT_TRUE(fs::exists(p.dir / ("pub/XPCSDATA/Automate/2025-1/exp/q_map/" + name)));
    for (const auto& entry : fs::recursive_directory_iterator(p.dir.path())) {
        EXPECT_NE(entry.path().filename(), "touched");
    }
    EXPECT_FALSE(fs::exists("touched"));
}

TEST(LocalFlow, a_batch_flow_tells_what_failed) {
    FlowPlace p;
    std::vector<jobgen::Run> runs;
    RunConfig config;
    config.qmap = p.dir / "src/2025-1/exp/data/q_map.h5";
    for (int i = 0; i < 5; ++i) {
        const std::string raw = p.dir / ("src/2025-1/exp/data/set/d" + std::to_string(i) + "/d" +
                                         std::to_string(i) + ".bin");
        write_file(raw, i == 3 ? "fail 65" : "photons");
        runs.push_back(make_run(config, raw, p.site.deployment("test")));
    }
    p.request.kind = "batch";
    p.request.staging_name = "b1";
    p.request.tasks = 2;
    p.flow.definition = flow::definition("batch", "here");
    p.flow.input = flow::batch_input(p.site, p.site.deployment("test"), runs, p.request);
    flow::check_input(p.flow.input, flow::input_schema("batch"));
    EXPECT_EQ(p.execute(), 1);
    EXPECT_THAT(p.log.str(), HasSubstr("4 of 5 data sets are done"));
    EXPECT_THAT(p.log.str(), HasSubstr("set/d3: "));
    EXPECT_THAT(p.log.str(), HasSubstr("broken on purpose"));
    EXPECT_TRUE(fs::exists(p.dir / "src/2025-1/exp/analysis/set/d4/d4_results.hdf"));
    EXPECT_FALSE(fs::exists(p.dir / "src/2025-1/exp/analysis/set/d3/d3_results.hdf"));
}

TEST(LocalFlow, a_failure_that_a_state_tells_is_tried_again) {
    FlowPlace p;
    // The access rules cannot be written: the action fails, and the flow goes on to a Fail state.
    fs::create_directories(p.dir / "run/permissions.jsonl");
    EXPECT_EQ(p.execute(), 1);
    EXPECT_THAT(p.log.str(), HasSubstr("FAILED: PermissionFailed"));
    p.log.str("");
    EXPECT_EQ(p.execute(), 1);
    EXPECT_THAT(p.log.str(), HasSubstr("FAILED: PermissionFailed"));
    fs::remove_all(p.dir / "run/permissions.jsonl");
    p.log.str("");
    EXPECT_EQ(p.execute(), 0) << p.log.str();
    EXPECT_TRUE(fs::exists(p.dir / "catalogue.jsonl"));
    EXPECT_EQ(p.log.str().find("SourceTransfer"), std::string::npos);
}

Json tiny(const Json& states) {
    return {{"StartAt", "A"}, {"States", states}};
}

TEST(LocalFlow, choices_waits_catches_and_fails) {
    FlowPlace p;
    p.flow.input = {{"input", {{"n", 3}, {"word", "abc"}, {"list", {1, 2}}}}};
    const auto outcome = [&](const Json& states) {
        fs::remove_all(p.dir / "run");
        p.flow.definition = tiny(states);
        p.log.str("");
        p.execute();
        return p.log.str();
    };
    const Json good{{"Type", "Pass"}, {"End", true}};
    const Json bad{{"Type", "Fail"}, {"Error", "Bad"}, {"Cause", "why"}};
    const auto choice = [&](const Json& rule) {
        Json r = rule;
        r["Next"] = "G";
        return outcome(
            {{"A", {{"Type", "Choice"}, {"Choices", Json::array({r})}, {"Default", "B"}}},
             {"G", good},
             {"B", bad}});
    };
    EXPECT_THAT(choice({{"Variable", "$.input.n"}, {"NumericGreaterThan", 2}}),
                HasSubstr("SUCCEEDED"));
    EXPECT_THAT(choice({{"Variable", "$.input.n"}, {"NumericLessThan", 2}}),
                HasSubstr("FAILED: Bad: why"));
    EXPECT_THAT(choice({{"Variable", "$.input.word"}, {"StringMatches", "a*"}}),
                HasSubstr("SUCCEEDED"));
    EXPECT_THAT(choice({{"Not", {{"Variable", "$.input.word"}, {"StringEquals", "abc"}}}}),
                HasSubstr("FAILED"));
    EXPECT_THAT(choice({{"Variable", "$.input.list[5]"}, {"IsPresent", false}}),
                HasSubstr("SUCCEEDED"));
    EXPECT_THAT(choice({{"Variable", "$.input.gone"}, {"StringEquals", "x"}}),
                HasSubstr("is not there"));
    EXPECT_THAT(outcome({{"A", {{"Type", "Wait"}, {"Seconds", 60}, {"Next", "G"}}}, {"G", good}}),
                HasSubstr("SUCCEEDED"));
    EXPECT_THAT(outcome({{"A", {{"Type", "Wait"}, {"SecondsPath", "$.input.n"}, {"Next", "G"}}},
                         {"G", good}}),
                HasSubstr("SUCCEEDED"));
    EXPECT_THAT(outcome({{"A", {{"Type", "Wait"}, {"SecondsPath", "$.input.word"}, {"Next", "G"}}},
                         {"G", good}}),
                HasSubstr("FAILED: A: a value has another type"));
    EXPECT_THAT(outcome({{"A", {{"Type", "Wait"}, {"TimestampPath", "$.input.n"}, {"Next", "G"}}},
                         {"G", good}}),
                HasSubstr("FAILED: A: a Wait for a time of day"));
    Json action{{"Type", "Action"},
                {"ActionUrl", "https://nowhere"},
                {"Parameters", Json::object()},
                {"WaitTime", 60},
                {"ExceptionOnActionFailure", true},
                {"ResultPath", "$.A"},
                {"Next", "G"}};
    EXPECT_THAT(outcome({{"A", action}, {"G", good}}),
                HasSubstr("FAILED: A: action https://nowhere"));
    action["Catch"] = Json::array(
        {{{"ErrorEquals", {"States.ALL"}}, {"Next", "B"}, {"ResultPath", "$.failure"}}});
    EXPECT_THAT(outcome({{"A", action}, {"G", good}, {"B", bad}}),
                HasSubstr("FAILED: Bad: why (action https://nowhere"));
    EXPECT_EQ(at_path(Json::parse(R"({"a": [{"b": 7}]})"), "$.a[0].b"), 7);
}

}  // namespace
}  // namespace xpcs::jobgen
