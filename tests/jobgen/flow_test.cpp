// SPDX-License-Identifier: BSD-3-Clause
// Definitions and inputs of flows: against the schema, against our own checks, and against what the
// earlier system produced for real runs.
#include "jobgen/flow/flow.hpp"

#include "jobgen/flow/gather.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>

namespace xpcs::jobgen::flow {
namespace {

namespace fs = std::filesystem;
using jobgen::testing::error_of;
using ::testing::HasSubstr;

const std::string shared = XPCS_SHARED_DIR;

const std::vector<std::pair<std::string, std::string>> flows{{"online", "globus-compute"},
                                                             {"online", "job"},
                                                             {"online", "here"},
                                                             {"batch", "globus-compute"},
                                                             {"batch", "job"}};

TEST(FlowDefinition, golden_and_without_faults) {
    for (const auto& [kind, via] : flows) {
        const Json d = definition(kind, via);
        EXPECT_THAT(faults(d, input_schema(kind)), ::testing::IsEmpty()) << kind << " " << via;
        jobgen::testing::expect_golden("flows/" + kind + "-" + via + ".definition.json",
                                       dump(d) + "\n");
    }
    for (const char* kind : {"online", "batch"}) {
        jobgen::testing::expect_golden(std::string("flows/") + kind + ".schema.json",
                                       dump(input_schema(kind)) + "\n");
    }
    jobgen::testing::expect_golden("flows/function.json", dump(function_registration()) + "\n");
}

TEST(FlowDefinition, fits_the_published_schema) {
    const std::string file = shared + "/flow-definition.schema.json";
    if (!fs::exists(file)) {
        GTEST_SKIP() << file << " is not here";
    }
    const Json schema = jobgen::testing::json_file(file);
    for (const auto& [kind, via] : flows) {
        EXPECT_THAT(schema_faults(definition(kind, via), schema), ::testing::IsEmpty())
            << kind << " " << via;
    }
    Json broken = definition("online", "job");
    broken["States"]["Done"]["Bogus"] = 1;
    EXPECT_THAT(schema_faults(broken, schema), ::testing::Not(::testing::IsEmpty()));
}

TEST(FlowDefinition, never_swallows_a_failure) {
    for (const auto& [kind, via] : flows) {
        const Json d = definition(kind, via);
        for (const auto& [name, state] : d["States"].items()) {
            if (text_at(state, "Type") != "Action" || flag_at(state, "ExceptionOnActionFailure")) {
                continue;
            }
            // Only where the very next state looks at what happened.
            const Json& next = d["States"][text_at(state, "Next")];
            EXPECT_EQ(text_at(next, "Type"), "Choice") << name;
            EXPECT_EQ(text_at(d["States"][text_at(next, "Default")], "Type"), "Fail") << name;
        }
    }
}

TEST(FlowDefinition, faults_are_found) {
    const Json schema = input_schema("online");
    const auto first = [&](auto change) {
        Json d = definition("online", "globus-compute");
        change(d["States"], d);
        const auto found = faults(d, schema);
        return found.empty() ? std::string("none") : found.front();
    };
    EXPECT_THAT(first([](Json& s, Json&) { s["Verify"]["Next"] = "Reprot"; }),
                HasSubstr("leads to 'Reprot', which does not exist (did you mean 'Report'?)"));
    EXPECT_THAT(first([](Json&, Json& d) { d["StartAt"] = "Nowhere"; }),
                HasSubstr("'Nowhere' does not exist"));
    EXPECT_THAT(first([](Json& s, Json&) {
                    s["Lonely"] = {{"Type", "Pass"}, {"End", true}};
                }),
                HasSubstr("Lonely: nothing leads to this state"));
    EXPECT_THAT(first([](Json& s, Json&) {
                    s["Verify"]["Next"] = "TransferBackWanted";
                    s.erase("Report");
                    s.erase("GatherMetadata");
                }),
                HasSubstr("GatherMetadata"));
    EXPECT_THAT(first([](Json& s, Json&) { s["Verify"].erase("ExceptionOnActionFailure"); }),
                HasSubstr("ExceptionOnActionFailure is missing"));
    EXPECT_THAT(first([](Json& s, Json&) { s["Verify"].erase("ResultPath"); }),
                HasSubstr("ResultPath is missing"));
    EXPECT_THAT(
        first([](Json& s, Json&) { s["Verify"]["Parameters"]["tasks.$"] = "$.input.verfy"; }),
        HasSubstr("which the input schema does not know"));
    EXPECT_THAT(
        first([](Json& s, Json&) { s["Verify"]["Parameters"]["tasks.$"] = "input.verify"; }),
        HasSubstr("must begin with '$.'"));
    EXPECT_THAT(first([](Json& s, Json&) {
                    s["Done"] = {{"Type", "Pass"}, {"Next", "Done"}};
                }),
                HasSubstr("no state ends the run"));
    EXPECT_THAT(first([](Json& s, Json&) { s["Verify"].erase("Parameters"); }),
                HasSubstr("exactly one of Parameters and InputPath"));
    EXPECT_THAT(first([](Json& s, Json&) { s["Verify"]["Parameters"]["tasks.$"] = 5; }),
                HasSubstr("'tasks.$' must be a path"));
    EXPECT_THAT(first([](Json& s, Json&) { s["PublishWanted"].erase("Choices"); }),
                HasSubstr("Choices must be a list of rules"));
    EXPECT_THAT(first([](Json& s, Json&) {
                    s["Done"] = {{"Type", "Wait"}, {"Next", "Done"}};
                }),
                HasSubstr("exactly one of Seconds"));
    EXPECT_THAT(first([](Json& s, Json&) { s["Done"]["Type"] = "Succeed"; }),
                HasSubstr("type 'Succeed' is not known"));
    EXPECT_THAT(first([](Json& s, Json&) { s["PublishWanted"]["Choices"][0]["Next"] = "Gone"; }),
                HasSubstr("'Gone'"));
    // Read before it is produced, because one way leads around the producer.
    EXPECT_THAT(first([](Json& s, Json&) {
                    s["Report"]["Next"] = "TransferBackWanted";
                    s["TransferBackWanted"]["Default"] = "GatherMetadata";
                    s["GatherMetadata"]["Next"] = "PublishWanted";
                }),
                HasSubstr("reads '$.GatherMetadata.details.results[0].output.transfer', which is "
                          "not certainly there"));
    EXPECT_FALSE(faults(Json(5), Json()).empty());
    EXPECT_FALSE(faults(Json::object(), Json()).empty());
}

// ---- inputs -----------------------------------------------------------------------------------

struct Golden {
    const char* name;
    const char* deployment;
    const char* experiment;
    const char* cycle;
};

class GoldenInputs : public ::testing::TestWithParam<Golden> {};

Run golden_run(const Json& meta, const Deployment& deployment) {
    RunConfig config;
    std::string raw;
    const Json& argv = meta["argv"];
    for (std::size_t i = 0; i + 1 < argv.size(); ++i) {
        const std::string word = argv[i];
        if (word == "-r") {
            raw = argv[i + 1];
        } else if (word == "-q") {
            config.qmap = argv[i + 1];
        }
    }
    return make_run(config, raw, deployment);
}

std::string word_after(const Json& meta, const std::string& option) {
    for (std::size_t i = 0; i + 1 < meta["argv"].size(); ++i) {
        if (meta["argv"][i] == option) {
            return meta["argv"][i + 1];
        }
    }
    return "";
}

TEST_P(GoldenInputs, come_out_as_before_except_for_what_is_named_here) {
    const std::string base = shared + "/golden/" + GetParam().name;
    if (!fs::exists(base + ".input.json")) {
        GTEST_SKIP() << base << " is not here";
    }
    const Json old = jobgen::testing::json_file(base + ".input.json")["input"];
    const Json meta = jobgen::testing::json_file(base + ".meta.json");
    const Site site = load_site({});
    const Deployment& d = site.deployment(GetParam().deployment);
    InputRequest request;
    request.experiment = GetParam().experiment;
    request.cycle = GetParam().cycle;
    request.user = "user";
    request.back = word_after(meta, "-o");
    request.transfer_back = !request.back.empty();
    if (const auto group = word_after(meta, "--group"); !group.empty()) {
        request.groups = {group};
    }
    const jobgen::Run run = golden_run(meta, d);
    const Json all = input(site, d, run, request);
    check_input(all, input_schema("online"));
    const Json& in = all["input"];
    const Json& gather = in["gather"][0]["kwargs"]["stdin"];

    // Transfers: the same; the fields are named as the action takes them.
    EXPECT_EQ(in["source_transfer"]["source_endpoint"],
              old["source_transfer"]["source_endpoint_id"]);
    EXPECT_EQ(in["source_transfer"]["destination_endpoint"],
              old["source_transfer"]["destination_endpoint_id"]);
    EXPECT_EQ(in["source_transfer"]["DATA"], old["source_transfer"]["transfer_items"]);
    EXPECT_EQ(in["transfer_back"], old["enable_result_transfer"]);
    if (request.transfer_back) {
        EXPECT_EQ(in["result_transfer"]["source_endpoint"],
                  old["result_transfer"]["source_endpoint_id"]);
        EXPECT_EQ(in["result_transfer"]["destination_endpoint"],
                  old["result_transfer"]["destination_endpoint_id"]);
        Json item = old["result_transfer"]["transfer_items"][0];
        // Intended: a directory goes back as a directory; as it was, the transfer could not work.
        item["recursive"] = true;
        EXPECT_EQ(in["result_transfer"]["DATA"][0], item);
    } else {
        // Intended: no transfer with an empty destination is described when none is wanted.
        EXPECT_FALSE(in.contains("result_transfer"));
    }
    // Compute: the command line has the same files. Intended: queue and walltime are those of the
    // deployment (nersc had a queue that does not exist there), walltime as HH:MM:SS.
    const Json& argv = in["correlate"][0]["kwargs"]["argv"];
    const Json& corr = old["boost_corr"];
    EXPECT_EQ(argv[0], "xpcs-corr");
    EXPECT_EQ(argv[2], corr["raw"]);
    EXPECT_EQ(argv[4], corr["qmap"]);
    EXPECT_EQ(argv[6], corr["output"]);
    EXPECT_EQ(in["compute"]["endpoint_id"], old["compute_endpoint"]);
    EXPECT_EQ(in["compute"]["user_endpoint_config"]["nodes_per_block"],
              old["compute_nodes_per_block"]);
    if (std::string(GetParam().deployment) != "nersc") {
        EXPECT_EQ(in["compute"]["user_endpoint_config"]["queue"], old["compute_queue"]);
        EXPECT_EQ(in["compute"]["user_endpoint_config"]["walltime"], "01:00:00");
    }
    // Publication: the same, field by field.
    const Json& publish = old["publishv2"];
    for (const char* key : {"dataset",
                            "destination",
                            "source_collection",
                            "source_collection_basepath",
                            "destination_collection",
                            "index",
                            "visible_to",
                            "metadata_file"}) {
        EXPECT_EQ(gather[key], publish[key]) << key;
    }
    EXPECT_EQ(gather["https_host"], publish["destination_url_hostname"]);
    for (const auto& [key, value] : old["webplot_extra_metadata"].items()) {
        EXPECT_EQ(gather["project_metadata"][key], value) << key;
    }
    // Intended: what the portals' facets read is added.
    EXPECT_EQ(gather["project_metadata"].size(), old["webplot_extra_metadata"].size() + 3);
    EXPECT_EQ(gather["project_metadata"]["parent"], GetParam().experiment);
    // Intended: every group that sees the record may also read the files.
    EXPECT_EQ(in["publish"]["permissions"].size(), publish["visible_to"].size());
    for (const auto& rule : in["publish"]["permissions"]) {
        EXPECT_EQ(text_at(rule, "path"),
                  publish["destination"].get<std::string>() + "/" + text_at(in, "dataset") + "/");
    }
    const Json options = run_options(d, request, run.name);
    EXPECT_EQ(options["label"], meta["label"]);
    EXPECT_EQ(options["tags"], meta["tags"]);
    EXPECT_EQ(options["run_monitors"], meta["run_monitors"]);
    jobgen::testing::expect_golden(std::string("flows/") + GetParam().name + ".input.json",
                                   dump(all) + "\n");
}

INSTANTIATE_TEST_SUITE_P(
    golden,
    GoldenInputs,
    ::testing::Values(
        Golden{"run1_voyager8idi_eiger", "voyager-8idi-polaris", "comm202410", "2024-3"},
        Golden{"run2_voyagerxpcs8_rigaku_twotime",
               "voyager-xpcs8-polaris",
               "milliron202503",
               "2025-1"},
        Golden{"run3_nersc_cpu_skip_back", "nersc", "tempus202507-merge", "2025-2"}));

std::vector<Run> many_runs(int n, const Deployment& d) {
    RunConfig config;
    config.qmap = "/8IDI/2025-2/tempus202507-merge/data/timepix_Sq90_Dq9_log.hdf";
    std::vector<Run> runs;
    for (int i = 0; i < n; ++i) {
        char name[200];
        std::snprintf(name,
                      sizeof name,
                      "/8IDI/2025-2/tempus202507-merge/data/converted/Ha0277_PO2_a0002_f2000000/"
                      "Eb0082_D20_a0011_f2000000_r%05d_t76ns",
                      i + 1);
        runs.push_back(make_run(config, name, d));
    }
    return runs;
}

TEST(FlowBatch, golden_transfers_and_a_batch_of_200_fits) {
    const Site site = load_site({});
    const Deployment& d = site.deployment("voyager-8idi-polaris");
    InputRequest request;
    request.kind = "batch";
    request.staging_name = "debug-2025-2-tempus202507-merge-3";
    request.transfer_back = false;
    const Json small = batch_input(site, d, many_runs(2, d), request);
    check_input(small, input_schema("batch"));
    const std::string file = shared + "/golden/batch_part0.input.json";
    if (fs::exists(file)) {
        const Json old = jobgen::testing::json_file(file)["input"]["source_transfer"];
        EXPECT_EQ(nlohmann::json::parse(dump(small["input"]["source_transfer"]["DATA"])),
                  nlohmann::json::parse(dump(old["transfer_items"])));
    }
    request.transfer_back = true;
    request.back = "/8IDI/2025-2/tempus202507-merge/analysis";
    const Json large = batch_input(site, d, many_runs(200, d), request);
    check_input(large, input_schema("batch"));
    EXPECT_LT(dump(large, -1).size(), 120'000u);
    std::size_t items = 0;
    for (const auto& task : large["input"]["correlate"]) {
        items += task["kwargs"]["stdin"]["items"].size();
    }
    EXPECT_EQ(items, 200u);
    EXPECT_THAT(error_of([&] {
                    check_input(batch_input(site, d, many_runs(600, d), request),
                                input_schema("batch"));
                }),
                HasSubstr("make smaller batches"));
    auto mixed = many_runs(2, d);
    mixed[1].raw = "/8IDI/c/f/data/sub2/d2";
    EXPECT_THAT(error_of([&] { batch_input(site, d, mixed, request); }),
                HasSubstr("does not lie below"));
}

TEST(FlowInput, wrong_inputs_are_refused_before_the_run) {
    const Site site = load_site({});
    const Deployment& d = site.deployment("voyager-8idi-polaris");
    RunConfig config;
    config.qmap = "/gdata/q.h5";
    InputRequest request;
    request.experiment = "comm202410";
    request.cycle = "2024-3";
    const jobgen::Run run = make_run(config, "/gdata/dm/8IDI/2024-3/comm202410/data/a/a.h5", d);
    EXPECT_THAT(error_of([&] { input(site, d, run, request); }),
                HasSubstr("--back DIR, or --skip-transfer-back"));
    request.transfer_back = false;
    const Json good = input(site, d, run, request);
    const Json schema = input_schema("online");
    check_input(good, schema);
    const auto refused = [&](auto change) {
        Json bad = good;
        change(bad["input"]);
        EXPECT_THAT(error_of([&] { check_input(bad, schema); }),
                    HasSubstr("65 input of the flow: "));
    };
    refused([](Json& in) { in.erase("source_transfer"); });
    refused([](Json& in) { in["surprise"] = 1; });
    refused([](Json& in) { in["source_transfer"]["source_endpoint"] = "not-a-uuid"; });
    refused([](Json& in) { in["source_transfer"]["DATA"] = Json::array(); });
    refused([](Json& in) { in["source_transfer"]["DATA"][0]["source_path"] = "relative"; });
    refused([](Json& in) { in["transfer_back"] = "yes"; });
    refused([](Json& in) { in["transfer_back"] = true; });  // and nowhere to
    refused([](Json& in) { in.erase("correlate"); });
    refused([](Json& in) { in["compute"]["user_endpoint_config"]["walltime"] = "3600"; });
    request.groups = {"nobody"};
    EXPECT_THAT(error_of([&] { input(site, d, run, request); }), HasSubstr("--group is 'nobody'"));
}

// ---- publication ------------------------------------------------------------------------------

std::string from_hex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return out;
}

TEST(FlowGather, golden_record_of_a_published_data_set) {
    if (!fs::exists(shared + "/golden/publish_run1.files.json")) {
        GTEST_SKIP() << "golden files are not here";
    }
    const Json files = jobgen::testing::json_file(shared + "/golden/publish_run1.files.json");
    const Json old = jobgen::testing::json_file(shared + "/golden/publish_run1.gather_output.json");
    const jobgen::testing::TempDir dir;
    const std::string base = dir.path();
    const std::string dataset = base + "/xpcs_staging/comm202410/G001_436_PorousGlass-08000/output/"
                                       "eiger4m_qmap_1018_hongrui_d36/G001_436_PorousGlass-08000";
    for (const auto& [name, content] : files.items()) {
        jobgen::testing::write_file(dataset + "/" + name,
                                    content.contains("hex") ? from_hex(content["hex"])
                                                            : text_at(content, "text"));
    }
    const Json request{
        {"dataset", dataset},
        {"destination", "/XPCSDATA/Automate/2024-3/comm202410/eiger4m_qmap_1018_hongrui_d36"},
        {"source_collection", "98d26f35-e5d5-4edd-becf-a75520656c64"},
        {"source_collection_basepath", base},
        {"destination_collection", "74defd5b-5f61-42fc-bcc4-834c9f376a4f"},
        {"index", "4428cfe6-611b-48db-81b2-167a7d9710ea"},
        {"visible_to", {"urn:globus:groups:id:368beb47-c9c5-11e9-b455-0efb3ba9a670"}},
        {"https_host", "https://g-f6125.fd635.8443.data.globus.org"},
        {"metadata_file", dataset + "/resources/G001_436_PorousGlass-08000_results/metadata.json"}};
    Json made = gather(request, "2025-01-02T03:04:05.678901Z");
    // Intended: the name under which portals look for the creator.
    EXPECT_EQ(made["search"]["content"]["dc"]["creators"][0]["creatorName"], "8-ID");
    made["search"]["content"]["dc"]["creators"][0].erase("creatorName");
    EXPECT_EQ(nlohmann::json::parse(dump(made, -1)), nlohmann::json::parse(dump(old, -1)));
    Json outside = request;
    outside["source_collection_basepath"] = "/elsewhere";
    EXPECT_THAT(error_of([&] { gather(outside, "2025"); }), HasSubstr("lies outside"));
    Json missing = request;
    missing["dataset"] = dataset + "/nothing";
    EXPECT_THAT(error_of([&] { gather(missing, "2025"); }), HasSubstr("66 data set"));
    jobgen::testing::write_file(
        dataset + "/resources/G001_436_PorousGlass-08000_results/metadata.json", "{broken");
    EXPECT_THAT(error_of([&] { gather(request, "2025"); }), HasSubstr("not JSON"));
}

TEST(FlowFunction, registration_holds_the_source_that_runs) {
    const Json body = function_registration();
    const std::string code = text_at(body, "function_code");
    const std::size_t line = code.find('\n');
    EXPECT_EQ(std::stoul(code.substr(0, line)), code.size() - line - 1);
    EXPECT_EQ(code.substr(line + 1, 12), "st\nxpcs_run:");
    if (find_program("python3").empty()) {
        GTEST_SKIP() << "python3 is not here";
    }
    const auto call = [](const std::string& expression) {
        return run_program({"python3", "-c", function_source() + "\nprint(" + expression + ")"});
    };
    EXPECT_EQ(call("xpcs_run(['echo', '{\"a\": 1}'])['a']").out, "1\n");
    EXPECT_EQ(call("xpcs_run(['cat'], stdin={'b': 2})['b']").out, "2\n");
    EXPECT_EQ(call("xpcs_run(['echo', '$(touch x)'])['last_line']").out, "$(touch x)\n");
    EXPECT_THAT(call("xpcs_run(['sh', '-c', 'echo why >&2; exit 3'])").err,
                HasSubstr("RuntimeError: sh: exit code 3: why"));
    EXPECT_EQ(call("xpcs_run(['false'], check=False)['exit_code']").out, "1\n");
}

}  // namespace
}  // namespace xpcs::jobgen::flow
