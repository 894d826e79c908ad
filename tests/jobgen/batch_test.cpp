// SPDX-License-Identifier: BSD-3-Clause
// Batches, reprocessing and launches, as an operator starts them: the program itself is run.
#include "jobgen/batch.hpp"

#include "jobgen/launch.hpp"
#include "jobgen/run_finder.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>

namespace xpcs::jobgen {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::write_file;

struct Bench {
    TempDir dir;
    std::string bin = testing::make_programs(dir);
    std::string client = "client";

    Outcome jobgen(std::vector<std::string> args) {
        args.insert(args.begin(), std::string(XPCS_BIN_DIR) + "/xpcs-jobgen");
        const char* path = std::getenv("PATH");
        return testing::bash(args,
                             {{"PATH", bin + ":" + (path ? path : "")},
                              {"HOME", dir / "home"},
                              {"CALLS", dir / "calls"},
                              {"GLOBUS_CLI_CLIENT_ID", client},
                              {"GLOBUS_CLI_CLIENT_SECRET", client}},
                             120);
    }
    void runs(int n, const std::vector<int>& broken) {
        write_file(dir / "data/the_qmap.h5", "qmap");
        for (int i = 0; i < n; ++i) {
            const bool bad = std::find(broken.begin(), broken.end(), i) != broken.end();
            const std::string name = "r" + std::to_string(100 + i);
            write_file(dir / ("data/" + name + "/" + name + ".bin"), bad ? "fail 65" : "photons");
            write_file(dir / ("data/" + name + "/" + name + "_metadata.hdf"), "meta");
        }
    }
};

TEST(Batch, twenty_runs_with_two_broken_ones_and_resume_does_only_these) {
    Bench b;
    b.runs(20, {4, 11});
    const Outcome first = b.jobgen({"batch",
                                    b.dir / "data",
                                    "-q",
                                    b.dir / "data/the_qmap.h5",
                                    "-o",
                                    b.dir / "out",
                                    "--programs",
                                    b.bin,
                                    "--device",
                                    "cpu"});
    EXPECT_EQ(first.code, 65) << first.err;
    EXPECT_THAT(first.out, HasSubstr("20 runs: 18 done, 2 failed"));
    EXPECT_THAT(first.out, HasSubstr("r104: exit code 65: xpcs-corr: "));
    EXPECT_THAT(first.out, HasSubstr("broken on purpose"));
    const Outcome status = b.jobgen({"batch", "status", b.dir / "out/batch.json"});
    EXPECT_EQ(status.code, 65);
    EXPECT_THAT(status.out, HasSubstr("18 done, 2 failed"));
    write_file(b.dir / "data/r104/r104.bin", "photons");
    fs::remove(b.dir / "calls");
    const Outcome second = b.jobgen({"batch", "resume", b.dir / "out/batch.json"});
    EXPECT_EQ(second.code, 65);
    EXPECT_THAT(second.out, HasSubstr("19 done, 1 failed"));
    const std::string calls = read_text(b.dir / "calls");
    EXPECT_EQ(calls.find("r100.bin"), std::string::npos);
    EXPECT_NE(calls.find("r104.bin"), std::string::npos);
    write_file(b.dir / "data/r111/r111.bin", "photons");
    EXPECT_EQ(b.jobgen({"batch", "resume", b.dir / "out/batch.json"}).code, 0);
    const Outcome nothing = b.jobgen({"batch", "resume", b.dir / "out/batch.json"});
    EXPECT_EQ(nothing.code, 0);
    EXPECT_THAT(nothing.out, HasSubstr("20 runs: 20 done"));
    // Every run once, and a new batch does not take the manifest of an old one.
    EXPECT_FALSE(fs::exists(b.dir / "out/r100_results_1.hdf"));
    EXPECT_EQ(
        b.jobgen({"batch", b.dir / "data", "-q", b.dir / "data/the_qmap.h5", "-o", b.dir / "out"})
            .code,
        73);
}

TEST(Batch, a_run_that_waits_for_another_attempt_is_not_judged_by_its_last_one) {
    const TempDir dir;
    Manifest m;
    m.file = dir / "m.json";
    m.deployment = "local";
    DataSet d;
    d.run.name = "a";
    d.state = "failed";
    d.job = 0;
    m.datasets = {d};
    BatchJob job;
    job.datasets = {0};
    job.submission.run_dir = dir / "job";
    job.submission.scheduler = "shell";
    job.submission.job_id = std::to_string(::getpid());
    job.submission.pid = ::getpid();
    job.submission.pid_start = process_start(::getpid());
    m.jobs = {job};
    write_file(dir / "job/runs/1.json",
               R"({"state":"failed","exit_code":65,"number":1,"reason":"old"})");
    // The job's process is still there, its only run has failed and is to be tried again.
    reset_failed(m);
    refresh(m);
    EXPECT_FALSE(m.jobs[0].over);
    EXPECT_EQ(m.datasets[0].state, "pending");
    EXPECT_EQ(batch_code(m), 0);
}

TEST(Batch, lists_with_a_qmap_each_globs_and_layouts) {
    Bench b;
    b.runs(3, {});
    write_file(b.dir / "list.yaml",
               "- {raw: data/r100/r100.bin, qmap: data/the_qmap.h5}\n- {raw: data/r101/r101.bin, "
               "qmap: data/the_qmap.h5, output: other}\n");
    Outcome out = b.jobgen({"batch",
                            b.dir / "list.yaml",
                            "-o",
                            b.dir / "out",
                            "--layout",
                            "apart",
                            "--programs",
                            b.bin});
    EXPECT_EQ(out.code, 0) << out.err << out.out;
    EXPECT_TRUE(fs::exists(b.dir / "out/r100/r100_results.hdf"));
    EXPECT_TRUE(fs::exists(b.dir / "other/r101_results.hdf"));
    out = b.jobgen({"batch",
                    b.dir / "data/r10[12]/*.bin",
                    "-q",
                    b.dir / "data/the_qmap.h5",
                    "-o",
                    b.dir / "out2",
                    "-n"});
    EXPECT_EQ(out.code, 0);
    EXPECT_THAT(out.out, HasSubstr("2 runs, deployment local"));
    EXPECT_FALSE(fs::exists(b.dir / "out2"));
    out = b.jobgen({"batch", b.dir / "data/r100/r100.bin", "-o", b.dir / "out3"});
    EXPECT_EQ(out.code, 64);
    EXPECT_THAT(out.err, HasSubstr("has no q-map"));
    EXPECT_EQ(b.jobgen({"batch", b.dir / "nothing*", "-q", "q", "-o", b.dir / "out4"}).code, 66);
}

TEST(Batch, foreign_manifests_are_refused) {
    const TempDir dir;
    write_file(dir / "m.json", "{\"a\": 1}");
    EXPECT_THAT(error_of([&] { read_manifest(dir / "m.json"); }), HasSubstr("65 "));
    write_file(
        dir / "m.json",
        R"({"schema": 1, "kind": "xpcs batch", "datasets": [], "jobs": [{"datasets": [7]}]})");
    EXPECT_THAT(error_of([&] { read_manifest(dir / "m.json"); }), HasSubstr("not there"));
    EXPECT_THAT(error_of([&] { read_manifest(dir / "none.json"); }), HasSubstr("66 "));
}

TEST(Runs, raw_files_are_told_from_their_neighbours) {
    for (const char* good :
         {"a.bin", "a.bin.000", "a.imm", "a.h5", "a_master.h5", "a.tpx", "a.hdf"}) {
        EXPECT_TRUE(is_raw_name(good)) << good;
    }
    for (const char* bad : {"a.bin.001",
                            "a_metadata.hdf",
                            "a_results.hdf",
                            "a_results_1.hdf",
                            "a_data_000001.h5",
                            "eiger4m_qmap_d36.h5",
                            ".a.bin",
                            "a.txt",
                            "",
                            "a.png"}) {
        EXPECT_FALSE(is_raw_name(bad)) << bad;
    }
    const TempDir dir;
    // In sorted order the dot comes before the underscore; the kind decides, not the order.
    write_file(dir / "x/d1_metadata.hdf", "m");
    write_file(dir / "x/d1.bin.001", "r");
    write_file(dir / "x/d1.bin.000", "r");
    EXPECT_EQ(raw_in(dir / "x"), dir / "x/d1.bin.000");
    EXPECT_THAT(error_of([&] { raw_in(dir.path()); }), HasSubstr("holds no raw file"));
}

TEST(Reprocess, names_a_published_data_set_that_is_not_there) {
    Bench b;
    write_file(b.dir / "q.h5", "qmap");
    const Outcome out =
        b.jobgen({"reprocess", "--published", b.dir / "none", "-q", b.dir / "q.h5"});
    EXPECT_EQ(out.code, 66);
    EXPECT_THAT(out.err, HasSubstr("none: no such directory"));
}

TEST(Status, of_a_job_that_was_started_by_hand) {
    Bench b;
    for (const auto& [state, code] :
         std::vector<std::pair<std::string, int>>{{"done", 0}, {"failed", 65}}) {
        write_file(b.dir / "job/status.json",
                   "{\"state\": \"" + state + "\", \"exit_code\": " + std::to_string(code) +
                       ", \"scheduler\": \"shell\", \"job_id\": \"77\", \"pid\": 77}");
        const Outcome out = b.jobgen({"status", b.dir / "job"});
        EXPECT_EQ(out.code, code) << out.err;
        EXPECT_THAT(out.out, HasSubstr("77: " + state));
        const Outcome cancelled = b.jobgen({"cancel", b.dir / "job"});
        EXPECT_EQ(cancelled.code, 69);
        EXPECT_THAT(cancelled.err, HasSubstr("started by hand"));
    }
    write_file(b.dir / "empty/x", "");
    const Outcome none = b.jobgen({"status", b.dir / "empty"});
    EXPECT_EQ(none.code, 66);
    EXPECT_THAT(none.err, HasSubstr("neither submission.json"));
}

TEST(Reprocess, goes_beside_the_old_data_set) {
    Bench b;
    b.runs(1, {});
    write_file(b.dir / "pub/q1/r100/r100_results.hdf", "result old");
    write_file(b.dir / "pub/q1/r100/resources/r100_results/metadata.json",
               "{\"project_metadata\": {\"source_files\": {\"raw\": [\"" + b.dir / "data/r100" +
                   "\"]}}}");
    write_file(b.dir / "new_map.h5", "qmap");
    const std::vector<std::string> call{"reprocess",
                                        "--published",
                                        b.dir / "pub/q1/r100",
                                        "-q",
                                        b.dir / "new_map.h5",
                                        "--programs",
                                        b.bin,
                                        "--output",
                                        b.dir / "again.sh"};
    Outcome out = b.jobgen(call);
    EXPECT_EQ(out.code, 0) << out.err;
    EXPECT_EQ(testing::script_faults(b.dir / "again.sh"), "");
    EXPECT_EQ(testing::bash({"bash", b.dir / "again.sh"}).code, 0);
    EXPECT_TRUE(fs::exists(b.dir / "pub/q1/r100_new_map/r100_new_map_results.hdf"));
    EXPECT_EQ(read_text(b.dir / "pub/q1/r100/r100_results.hdf"), "result old");
    out = b.jobgen(call);
    EXPECT_EQ(out.code, 73);
    EXPECT_THAT(out.err, HasSubstr("never overwritten; give another -u SUFFIX"));
    out = b.jobgen({"reprocess",
                    "--via",
                    "flow",
                    "-r",
                    b.dir / "data/r100/r100.bin",
                    "-q",
                    b.dir / "new_map.h5",
                    "-u",
                    "v2",
                    "--experiment",
                    "exp"});
    EXPECT_EQ(out.code, 0) << out.err;
    const Json in = parse_json(out.out, "input")["input"];
    EXPECT_EQ(text_at(in, "dataset"), "r100_v2");
    const Json& gather = in["gather"][0]["kwargs"]["stdin"];
    EXPECT_EQ(text_at(gather, "title"), "r100 (v2)");
    EXPECT_EQ(gather["project_metadata"]["reprocessing"]["suffix"], "v2");
    EXPECT_EQ(gather["project_metadata"]["reprocessing"]["qmap"]["name"], "new_map");
}

TEST(Launch, as_the_data_management_system_calls_it) {
    Bench b;
    b.runs(1, {});
    Outcome out = b.jobgen({"launch",
                            "filePath:r100/r100.bin",
                            "fileDataDir:" + b.dir / "data",
                            "experimentName:comm202410",
                            "owner:8idiuser",
                            "-o",
                            b.dir / "out",
                            "--wait",
                            "--poll",
                            "0.2",
                            "--programs",
                            b.bin,
                            "--link",
                            "https://portal/"});
    EXPECT_EQ(out.code, 0) << out.err << out.out;
    EXPECT_THAT(out.out, HasSubstr("QMap File: " + b.dir / "data/the_qmap.h5\n"));
    EXPECT_THAT(out.out, HasSubstr("Flow Action ID: "));
    EXPECT_THAT(out.out, HasSubstr("URL: file://"));
    EXPECT_THAT(out.out, HasSubstr("Result: https://portal/r100"));
    EXPECT_THAT(out.out, HasSubstr("Status: done"));
    EXPECT_THAT(out.out, HasSubstr("Result File: " + b.dir / "out/r100_results.hdf"));
    out = b.jobgen({"launch",
                    b.dir / "data/r100/r100.bin",
                    "-o",
                    b.dir / "out3",
                    "--via",
                    "flow",
                    "--experiment",
                    "e",
                    "--programs",
                    b.bin});
    EXPECT_EQ(out.code, 0) << out.err << out.out;
    EXPECT_THAT(out.out, HasSubstr("Status: SUCCEEDED"));
    EXPECT_TRUE(fs::exists(b.dir / "out3/catalogue.jsonl"));
    write_file(b.dir / "data/r100/r100.bin", "fail 65");
    out = b.jobgen({"launch",
                    b.dir / "data/r100/r100.bin",
                    "-o",
                    b.dir / "out2",
                    "--wait",
                    "--poll",
                    "0.2",
                    "--programs",
                    b.bin});
    EXPECT_EQ(out.code, 65);
    EXPECT_THAT(out.out, HasSubstr("ERROR: "));
    EXPECT_EQ(b.jobgen({"launch", b.dir / "gone.bin", "-o", b.dir / "out2"}).code, 66);
    EXPECT_EQ(b.jobgen({"launch", "-o", b.dir / "out2"}).code, 64);
}

TEST(Launch, qmaps_near_the_data) {
    const TempDir dir;
    write_file(dir / "data/run/a.bin", "x");
    LaunchRequest r;
    r.raw = dir / "data/run/a.bin";
    EXPECT_THAT(error_of([&] { find_qmap(r, ""); }), HasSubstr("no q-map lies near"));
    write_file(dir / "data/my_qmap_1.h5", "x");
    EXPECT_EQ(find_qmap(r, ""), dir / "data/my_qmap_1.h5");
    write_file(dir / "data/my_qmap_2.hdf", "x");
    EXPECT_THAT(error_of([&] { find_qmap(r, ""); }), HasSubstr("has 2 q-maps"));
    EXPECT_EQ(find_qmap(r, "my_qmap_2.hdf"), dir / "data/my_qmap_2.hdf");
    EXPECT_EQ(find_qmap(r, "/x/y.h5"), "/x/y.h5");
}

TEST(Launch, watching_launches_each_finished_run_once_and_survives_restarts) {
    Bench b;
    b.runs(3, {1});
    const std::vector<std::string> call{"launch",
                                        "--watch",
                                        b.dir / "data",
                                        "--once",
                                        "--settle",
                                        "0",
                                        "-o",
                                        b.dir / "out",
                                        "--wait",
                                        "--poll",
                                        "0.2",
                                        "--programs",
                                        b.bin,
                                        "-q",
                                        b.dir / "data/the_qmap.h5"};
    EXPECT_EQ(b.jobgen(call).code, 1);
    EXPECT_TRUE(fs::exists(b.dir / "out/r100_results.hdf"));
    EXPECT_TRUE(fs::exists(b.dir / "out/r102_results.hdf"));
    fs::remove(b.dir / "calls");
    EXPECT_EQ(b.jobgen(call).code, 0);
    EXPECT_FALSE(fs::exists(b.dir / "calls"));
    b.runs(4, {});
    EXPECT_EQ(b.jobgen(call).code, 0);
    const std::string calls = read_text(b.dir / "calls");
    EXPECT_NE(calls.find("r103.bin"), std::string::npos);
    EXPECT_EQ(calls.find("r100.bin"), std::string::npos);
    // A run that is still being written waits.
    b.runs(5, {});
    std::vector<std::string> later = call;
    later[5] = "600";
    EXPECT_EQ(b.jobgen(later).code, 0);
    EXPECT_FALSE(fs::exists(b.dir / "out/r104_results.hdf"));
}

TEST(Launch, flows_through_the_globus_command_line) {
    Bench b;
    write_file(b.bin + "/globus",
               "#!/bin/bash\nprintf '%s\\n' \"$*\" >>\"$CALLS\"\n"
               "case \"$*\" in *'flows start'*) echo 5b7e6a3c-0000-4000-8000-000000000001 ;; *) "
               "echo SUCCEEDED ;; esac\n",
               true);
    write_file(b.dir / "site.yaml",
               "schema: 1\ndeployments:\n  mine:\n    extends: voyager-8idi-polaris\n    flow_id: "
               "72e6469a-cf30-46bc-bff4-94dca46f2459\n"
               "    compute: {function_id: dbc5e659-fab8-5822-8b79-f3fa77f27aa0}\n");
    b.runs(1, {});
    const Outcome out = b.jobgen({"launch",
                                  b.dir / "data/r100/r100.bin",
                                  "--deployments",
                                  b.dir / "site.yaml",
                                  "--deployment",
                                  "mine",
                                  "-o",
                                  b.dir / "out",
                                  "--experiment",
                                  "comm202410",
                                  "--cycle",
                                  "2025-1",
                                  "--skip-transfer-back",
                                  "--wait",
                                  "--poll",
                                  "0.1"});
    EXPECT_EQ(out.code, 0) << out.err;
    EXPECT_THAT(out.out, HasSubstr("Flow Action ID: 5b7e6a3c-0000-4000-8000-000000000001"));
    EXPECT_THAT(out.out, HasSubstr("URL: https://app.globus.org/runs/5b7e6a3c"));
    EXPECT_THAT(out.out, HasSubstr("Status: SUCCEEDED"));
    EXPECT_THAT(read_text(b.dir / "calls"),
                HasSubstr("flows start 72e6469a-cf30-46bc-bff4-94dca46f2459 --input "));
    EXPECT_THAT(read_text(b.dir / "calls"), HasSubstr("--tag xpcs"));
    const Outcome none = b.jobgen({"launch",
                                   b.dir / "data/r100/r100.bin",
                                   "--deployment",
                                   "voyager-8idi-polaris",
                                   "-o",
                                   b.dir / "out",
                                   "--experiment",
                                   "e",
                                   "--cycle",
                                   "2025-1",
                                   "--skip-transfer-back"});
    EXPECT_EQ(none.code, 78);
    EXPECT_THAT(none.err, HasSubstr("has no flow_id"));
    b.client.clear();
    const Outcome secret = b.jobgen({"launch",
                                     b.dir / "data/r100/r100.bin",
                                     "--deployments",
                                     b.dir / "site.yaml",
                                     "--deployment",
                                     "mine",
                                     "-o",
                                     b.dir / "out",
                                     "--experiment",
                                     "e",
                                     "--cycle",
                                     "2025-1",
                                     "--skip-transfer-back"});
    EXPECT_EQ(secret.code, 78);
    EXPECT_THAT(secret.err, HasSubstr("uses a service account: set GLOBUS_CLI_CLIENT_ID"));
}

TEST(Program, commands_and_their_faults) {
    Bench b;
    EXPECT_EQ(b.jobgen({}).code, 64);
    EXPECT_EQ(b.jobgen({"--help"}).code, 0);
    EXPECT_EQ(b.jobgen({"--version"}).code, 0);
    EXPECT_THAT(b.jobgen({"scrpt"}).err, HasSubstr("did you mean 'script'?"));
    for (const char* command : {"list",
                                "show",
                                "check",
                                "script",
                                "status",
                                "cancel",
                                "batch",
                                "reprocess",
                                "flow",
                                "run",
                                "launch"}) {
        const Outcome help = b.jobgen({command, "--help"});
        EXPECT_EQ(help.code, 0) << command;
        EXPECT_THAT(help.out, HasSubstr("Usage: xpcs-jobgen"));
    }
    EXPECT_THAT(b.jobgen({"show", "polaris"}).out, HasSubstr("/local/scratch"));
    EXPECT_THAT(b.jobgen({"script", "--deploymnt", "x"}).err, HasSubstr("did you mean"));
    EXPECT_EQ(b.jobgen({"script", "-r", "a.bin"}).code, 64);
    EXPECT_THAT(b.jobgen({"script",
                          "-r",
                          "a.bin",
                          "-q",
                          "q.h5",
                          "--walltime",
                          "3600",
                          "--deployment",
                          "polaris",
                          "--account",
                          "A"})
                    .err,
                HasSubstr("allowed: HH:MM:SS"));
    const Outcome printed = b.jobgen({"script", "-r", "a.bin", "-q", "q.h5", "-n"});
    EXPECT_EQ(printed.code, 0);
    EXPECT_THAT(printed.out, HasSubstr("#!/bin/bash"));
    EXPECT_EQ(b.jobgen({"status", b.dir.path()}).code, 66);
    EXPECT_EQ(b.jobgen({"status", "; reboot"}).code, 64);
    write_file(b.dir / "bad.yaml", "schema: 1\nmachnes: {}\n");
    EXPECT_EQ(b.jobgen({"check", b.dir / "bad.yaml"}).code, 78);
    EXPECT_EQ(b.jobgen({"flow", "check", b.dir / "bad.yaml"}).code, 65);
}

}  // namespace
}  // namespace xpcs::jobgen
