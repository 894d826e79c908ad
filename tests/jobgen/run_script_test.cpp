// SPDX-License-Identifier: BSD-3-Clause
// Job scripts at work: the shell dialect is executed with programs that stand in for the real ones.
#include "jobgen/job_files.hpp"
#include "jobgen/queue_client.hpp"
#include "jobgen/schedulers/scheduler.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <csignal>
#include <regex>
#include <thread>

namespace xpcs::jobgen {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::write_file;

struct Work {
    TempDir dir;
    std::string bin = testing::make_programs(dir);
    Site site = testing::built_in_site();
    std::string qmap = dir / "qmap.h5";
    RunConfig config;
    JobOptions options;
    std::vector<Run> runs;

    Work() {
        write_file(qmap, "qmap");
        config.qmap = qmap;
        config.output = dir / "out";
        options.programs = bin;
        options.run_dir = dir / "job";
    }
    std::string add(const std::string& name, const std::string& content) {
        const std::string raw = dir / ("data/" + name);
        write_file(raw, content);
        runs.push_back(make_run(config, raw, site.deployment("local")));
        return raw;
    }
    Job job(const std::string& device = "cpu") {
        Job made = make_job(site, "local", runs, device, options);
        made.version = "1";
        return made;
    }
    std::string write(const std::string& device = "cpu") {
        const Job made = job(device);
        return write_script(made, script(made));
    }
    Outcome execute(const std::string& device = "cpu") {
        return testing::bash({"bash", write(device)}, {{"CALLS", dir / "calls"}});
    }
    Json state(int number) {
        return testing::json_file(dir / ("job/runs/" + std::to_string(number) + ".json"));
    }
};

TEST(RunScript, one_run_ends_with_result_report_and_state) {
    Work w;
    w.add("run_1.bin", "photons");
    const Outcome out = w.execute();
    EXPECT_EQ(out.code, 0) << out.err;
    EXPECT_TRUE(fs::exists(w.dir / "out/run_1_results.hdf"));
    EXPECT_TRUE(fs::exists(w.dir / "out/resources/run_1_results/metadata.json"));
    const Json state = w.state(1);
    EXPECT_EQ(text_at(state, "state"), "done");
    EXPECT_EQ(text_at(state, "result"), w.dir / "out/run_1_results.hdf");
    EXPECT_EQ(text_at(state, "report"), w.dir / "out/resources/run_1_results");
    EXPECT_FALSE(text_at(state, "finished").empty());
    const Json job = testing::json_file(w.dir / "job/status.json");
    EXPECT_EQ(text_at(job, "state"), "done");
    EXPECT_EQ(number_at(job, "done"), 1);
    // Nothing else is left behind.
    for (const auto& entry : fs::directory_iterator(w.dir / "out")) {
        EXPECT_NE(entry.path().filename().string()[0], '.') << entry.path();
    }
}

TEST(RunScript, a_failure_gives_its_exit_code_and_reason_and_the_rest_is_done) {
    Work w;
    w.add("a.bin", "photons");
    w.add("b.bin", "fail 65");
    w.add("c.bin", "photons");
    const Outcome out = w.execute();
    EXPECT_EQ(out.code, 65);
    EXPECT_EQ(text_at(w.state(1), "state"), "done");
    EXPECT_EQ(text_at(w.state(3), "state"), "done");
    EXPECT_EQ(text_at(w.state(2), "state"), "failed");
    EXPECT_EQ(number_at(w.state(2), "exit_code"), 65);
    EXPECT_THAT(text_at(w.state(2), "reason"), HasSubstr("broken on purpose"));
    EXPECT_FALSE(fs::exists(w.dir / "out/b_results.hdf"));
}

TEST(RunScript, never_green_without_a_result) {
    Work w;
    w.add("a.bin", "empty");
    EXPECT_EQ(w.execute().code, 70);
    EXPECT_THAT(text_at(w.state(1), "reason"), HasSubstr("left 0 result files"));
    Work missing;
    missing.add("a.bin", "x");
    fs::remove(missing.dir / "data/a.bin");
    EXPECT_EQ(missing.execute().code, 66);
    Work no_program;
    no_program.options.programs = no_program.dir / "nowhere";
    no_program.add("a.bin", "x");
    const Outcome out = testing::bash({"bash", no_program.write()}, {{"PATH", "/usr/bin:/bin"}});
    EXPECT_EQ(out.code, 69);
    EXPECT_THAT(text_at(no_program.state(1), "reason"), HasSubstr("xpcs-corr is not in PATH"));
}

TEST(RunScript, a_rerun_does_only_what_is_missing) {
    Work w;
    w.add("a.bin", "photons");
    const std::string broken = w.add("b.bin", "fail 74");
    EXPECT_EQ(w.execute().code, 74);
    const auto before = fs::last_write_time(w.dir / "out/a_results.hdf");
    write_file(broken, "photons");
    fs::remove(w.dir / "calls");
    EXPECT_EQ(w.execute().code, 0);
    const std::string calls = read_text(w.dir / "calls");
    EXPECT_EQ(calls.find("a.bin"), std::string::npos);
    EXPECT_NE(calls.find("b.bin"), std::string::npos);
    EXPECT_EQ(fs::last_write_time(w.dir / "out/a_results.hdf"), before);
    EXPECT_THAT(text_at(w.state(1), "note"), HasSubstr("done before"));
    // A third time: nothing at all, and no second result.
    fs::remove(w.dir / "calls");
    EXPECT_EQ(w.execute().code, 0);
    EXPECT_FALSE(fs::exists(w.dir / "calls"));
    EXPECT_FALSE(fs::exists(w.dir / "out/a_results_1.hdf"));
    // A result that was damaged meanwhile is made again.
    write_file(w.dir / "out/a_results.hdf", "rubbish");
    EXPECT_EQ(w.execute().code, 0);
    EXPECT_TRUE(fs::exists(w.dir / "out/a_results_1.hdf"));
}

TEST(RunScript, another_job_never_overwrites_unless_asked) {
    Work w;
    w.add("a.bin", "photons");
    EXPECT_EQ(w.execute().code, 0);
    Work other;
    other.config = w.config;
    other.config.begin_frame = 5;
    other.runs.push_back(make_run(other.config, w.dir / "data/a.bin", w.site.deployment("local")));
    EXPECT_EQ(other.execute().code, 0);
    EXPECT_TRUE(fs::exists(w.dir / "out/a_results_1.hdf"));
    other.config.begin_frame = 6;
    other.config.overwrite = true;
    other.options.run_dir = other.dir / "job2";
    other.runs = {make_run(other.config, w.dir / "data/a.bin", w.site.deployment("local"))};
    EXPECT_EQ(other.execute().code, 0);
    EXPECT_FALSE(fs::exists(w.dir / "out/a_results_2.hdf"));
}

TEST(RunScript, report_missing_is_said_and_required_is_a_failure) {
    Work w;
    fs::remove(w.bin + "/xpcs-portal");
    w.add("a.bin", "photons");
    EXPECT_EQ(testing::bash({"bash", w.write()}, {{"PATH", "/usr/bin:/bin"}}).code, 0);
    EXPECT_THAT(text_at(w.state(1), "note"), HasSubstr("no report"));
    w.options.report = "required";
    EXPECT_EQ(testing::bash({"bash", w.write()}, {{"PATH", "/usr/bin:/bin"}}).code, 69);
    // The result stays, and only the report is made when the program is there.
    testing::make_programs(w.dir);
    fs::remove(w.dir / "calls");
    EXPECT_EQ(w.execute().code, 0);
    EXPECT_FALSE(fs::exists(w.dir / "calls"));
    EXPECT_TRUE(fs::exists(w.dir / "out/resources/a_results/page.html"));
}

TEST(RunScript, a_signal_stops_it_with_75_and_a_rerun_finishes) {
    Work w;
    w.add("a.bin", "photons");
    const std::string slow = w.add("b.bin", "sleep 30");
    w.add("c.bin", "photons");
    const std::string path = w.write();
    const auto start = std::chrono::steady_clock::now();
    std::thread killer([&] {
        for (int i = 0; i < 200 && !fs::exists(w.dir / "job/runs/2.json"); ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        if (const long pid = read_job_files(w.dir / "job").pid; pid > 0) {
            ::kill(static_cast<pid_t>(pid), SIGTERM);
        }
    });
    const Outcome out = testing::bash({"bash", path});
    killer.join();
    EXPECT_EQ(out.code, 75) << out.err;
    const double s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    EXPECT_LT(s, 12);
    EXPECT_EQ(text_at(w.state(2), "state"), "stopped");
    EXPECT_EQ(text_at(testing::json_file(w.dir / "job/status.json"), "state"), "stopped");
    write_file(slow, "photons");
    EXPECT_EQ(testing::bash({"bash", path}).code, 0);
    EXPECT_EQ(text_at(w.state(1), "note"), "done before");
    EXPECT_EQ(text_at(w.state(3), "state"), "done");
}

TEST(RunScript, the_same_job_never_runs_twice_at_once) {
    Work w;
    w.add("a.bin", "sleep 3");
    const std::string path = w.write();
    const long pid = start_detached({"bash", path}, w.dir.path());
    for (int i = 0; i < 100 && !fs::exists(w.dir / "job/runs/1.json"); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    const Outcome second = testing::bash({"bash", path});
    EXPECT_EQ(second.code, 75);
    EXPECT_THAT(second.err, HasSubstr("running already"));
    ::kill(static_cast<pid_t>(pid), SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
}

TEST(RunScript, one_process_per_gpu_and_all_gpus_are_used) {
    Work w;
    for (int i = 0; i < 8; ++i) {
        w.add("r" + std::to_string(i) + ".bin", "sleep 0.5");
    }
    const std::string path = w.write("");
    EXPECT_EQ(testing::bash({"bash", path}, {{"CUDA_VISIBLE_DEVICES", "0,1,2,3"}}).code, 0);
    std::map<std::string, int> used;
    for (int i = 0; i < 8; ++i) {
        const std::string text = read_text(w.dir / ("out/r" + std::to_string(i) + "_results.hdf"));
        ++used[text.substr(text.find("gpu "))];
    }
    EXPECT_EQ(used.size(), 4u);
}

TEST(RunScript, hostile_names_in_every_field_run_nothing) {
    Work w;
    const std::string marker = w.dir / "touched";
    const std::string evil = "$(touch " + marker + ");`touch " + marker + "`;'\"\n ü -rf";
    w.config.qmap = w.dir / ("q/" + evil.substr(0, 60) + "/q map'.h5");
    // Slashes of the marker would make directories; a relative marker does the same harm.
    const std::string name = "a $(touch touched)`touch touched`;touch touched;'\"\n\tü*?[x] -rf";
    w.config.qmap = w.dir / (name + " q.h5");
    write_file(w.config.qmap, "qmap");
    w.config.output = w.dir / ("out " + name);
    w.config.suffix = "s $(touch touched)";
    w.options.run_dir = w.dir / ("job " + name);
    w.options.name = name;
    w.add(name + ".bin", "photons");
    const Job job = w.job();
    const std::string path = write_script(job, script(job));
    EXPECT_EQ(testing::script_faults(path), "");
    RunOptions options;
    options.directory = w.dir.path();
    const Outcome out = run_program({"bash", path}, options);
    EXPECT_EQ(out.code, 0) << out.err;
    EXPECT_FALSE(fs::exists(w.dir / "touched"));
    const JobFiles files = read_job_files(job.run_dir);
    ASSERT_EQ(files.runs.size(), 1u);
    EXPECT_EQ(files.runs[0].state, "done") << files.runs[0].reason;
    EXPECT_EQ(files.runs[0].raw, w.runs[0].raw);
    EXPECT_TRUE(fs::exists(files.runs[0].result));
    for (const auto& entry : fs::recursive_directory_iterator(w.dir.path())) {
        EXPECT_NE(entry.path().filename(), "touched") << entry.path();
    }
}

TEST(RunScript, input_is_staged_to_the_node_when_it_fits) {
    Work w;
    fs::create_directories(w.dir / "node");
    w.add("run/run_a.bin", "photons");
    write_file(w.dir / "data/run/run_a_metadata.hdf", "meta");
    Job job = w.job();
    job.machine.node_local = w.dir / "node";
    job.stage_to_node = true;
    const std::string path = write_script(job, script(job));
    EXPECT_EQ(testing::bash({"bash", path}).code, 0);
    EXPECT_THAT(read_text(w.dir / "out/run_a_results.hdf"),
                HasSubstr("result of " + w.dir / "node/xpcs-"));
    EXPECT_TRUE(fs::is_empty(w.dir / "node"));
    job.machine.node_local = w.dir / "absent";
    job.run_dir = w.dir / "job2";
    EXPECT_EQ(testing::bash({"bash", write_script(job, script(job))}).code, 0);
    EXPECT_THAT(text_at(testing::json_file(w.dir / "job2/runs/1.json"), "note"),
                HasSubstr("read in place"));
}

TEST(RunScript, an_array_element_does_its_part) {
    Work w;
    for (int i = 0; i < 5; ++i) {
        w.add("r" + std::to_string(i) + ".bin", i == 4 ? "fail 65" : "photons");
    }
    w.options.runs_per_element = 2;
    w.options.account = "A";
    Job job = make_job(w.site, "polaris", w.runs, "cpu", w.options);
    ASSERT_EQ(job.n_elements(), 3);
    const std::string path = write_script(job, script(job));
    const auto element = [&](const std::string& index) {
        return testing::bash({"bash", path},
                             {{"PBS_ARRAY_INDEX", index}, {"PBS_JOBID", "7[" + index + "].s"}})
            .code;
    };
    EXPECT_EQ(element("0"), 0);
    EXPECT_FALSE(fs::exists(w.dir / "out/r2_results.hdf"));
    EXPECT_EQ(element("1"), 0);
    EXPECT_EQ(element("2"), 65);
    EXPECT_EQ(element("3"), 96);
    EXPECT_EQ(element(""), 96);
    const JobFiles files = read_job_files(w.dir / "job");
    EXPECT_EQ(files.elements, 3);
    EXPECT_EQ(files.state, "failed");
    EXPECT_EQ(files.runs.size(), 5u);
}

TEST(RunScript, a_failing_environment_is_a_failed_job) {
    Work w;
    w.add("a.bin", "photons");
    Job job = w.job();
    job.deployment.environment.variables = {{"MINE", "a $(touch touched) b"}};
    job.deployment.environment.setup = {"test \"$MINE\" = 'a $(touch touched) b'",
                                        "true  # a comment",
                                        "A=1;",
                                        "if true; then\n    A=2\nfi\n"};
    EXPECT_EQ(testing::bash({"bash", write_script(job, script(job))}).code, 0);
    const auto fails = [&](const std::string& name, int code) {
        job.run_dir = w.dir / name;
        EXPECT_EQ(testing::bash({"bash", write_script(job, script(job))}).code, code);
        const Json state = testing::json_file(w.dir / (name + "/status.json"));
        EXPECT_EQ(text_at(state, "state"), code == 75 ? "stopped" : "failed");
        EXPECT_EQ(number_at(state, "exit_code"), code);
        return text_at(state, "reason");
    };
    job.deployment.environment.modules = {"no such"};
    EXPECT_EQ(fails("module", 69), "environment: module load 'no such' failed");
    job.deployment.environment.modules = {};
    job.deployment.environment.setup = {"exit 3"};
    EXPECT_EQ(fails("exit", 69), "environment: it ended the script with exit code 3");
    job.deployment.environment.setup = {"kill -TERM $$"};
    EXPECT_EQ(fails("signal", 75), "signal TERM with 1 runs missing");
}

// bash 5.2 loses a signal, or ends without a word, when a trap is due while it parses $(...).
TEST(RunScript, a_signal_at_any_time_leaves_a_state) {
    Work w;
    w.add("a.bin", "sleep 1");
    int n_stopped = 0;
    for (const std::string program : {"mkdir", "mv"}) {
        for (int call = 1; call <= 4; ++call) {
            const std::string name = program + std::to_string(call);
            w.options.run_dir = w.dir / name;
            w.options.programs = w.dir / ("bin-" + name);
            fs::copy(w.bin, w.options.programs);
            // The CALLth call of the program asks the job to stop, unless its result is there.
            write_file(w.options.programs + "/" + program,
                       "#!/bin/bash\nPATH=${PATH#*:}\necho >>\"$RUN_DIR.calls\"\n"
                       "if [[ $(wc -l <\"$RUN_DIR.calls\") == " +
                           std::to_string(call) +
                           " && ! -e $RUN_DIR.out/a_results.hdf ]]; then\n"
                           "    : >\"$RUN_DIR.asked\"\n    kill -TERM \"$JOB\"\nfi\nexec " +
                           program + " \"$@\"\n",
                       true);
            Job job = w.job();
            job.runs[0].output = job.run_dir + ".out";
            job.deployment.environment.setup = {"export JOB=$$ RUN_DIR=" + job.run_dir};
            const int code = testing::bash({"bash", write_script(job, script(job))}).code;
            const JobFiles files = read_job_files(job.run_dir);
            const bool asked = fs::exists(job.run_dir + ".asked");
            EXPECT_EQ(files.state, asked ? "stopped" : "done") << name;
            EXPECT_EQ(files.exit_code, asked ? 75 : 0) << name;
            EXPECT_EQ(code, files.exit_code) << name;
            n_stopped += asked;
        }
    }
    EXPECT_GE(n_stopped, 6);
    const std::string text = script(w.job());
    const std::size_t from = text.find("# ---- states");
    const std::string listens = text.substr(from, text.find("\nset_up() {") - from);
    EXPECT_FALSE(std::regex_search(listens, std::regex(R"(\$\([^(]|[<>]\()")));
}

TEST(RunScript, submitted_in_the_background_asked_and_cancelled) {
    Work w;
    w.add("a.bin", "sleep 20");
    const Job job = w.job();
    const std::string path = write_script(job, script(job));
    const Submission s = submit(job, path);
    for (int i = 0; i < 100 && read_job_files(job.run_dir).state != "running"; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    EXPECT_EQ(ask(read_submission(job.run_dir)).phase, Phase::running);
    EXPECT_THAT(testing::error_of([&] { submit(job, path); }), HasSubstr("is not over yet"));
    cancel(s);
    JobState state;
    for (int i = 0; i < 100; ++i) {
        state = ask(s);
        if (!state.active()) {
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    EXPECT_EQ(state.phase, Phase::cancelled) << state.reason;
    EXPECT_EQ(state.exit_code, 75) << state.reason;
    EXPECT_THAT(testing::error_of([&] { cancel(s); }), HasSubstr("69 job"));
    // Before it can listen: there is no state, and it has not failed.
    w.options.run_dir = w.dir / "at once";
    Job other = w.job();
    const Submission early = submit(other, write_script(other, script(other)));
    cancel(early);
    for (int i = 0; i < 100 && ask(early).active(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    state = ask(read_submission(other.run_dir));
    EXPECT_EQ(state.phase, Phase::cancelled) << state.reason;
    EXPECT_EQ(state.exit_code, 75);
    // Nothing can be written there, and it is stopped all the same.
    w.options.run_dir = w.dir / "full";
    other = w.job();
    const Submission last = submit(other, write_script(other, script(other)));
    for (int i = 0; i < 100 && read_job_files(other.run_dir).state != "running"; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    fs::remove(other.run_dir + "/submission.json");
    fs::create_directories(other.run_dir + "/submission.json/in the way");
    cancel(last);
    for (int i = 0; i < 100 && ask(last).active(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    EXPECT_EQ(ask(last).phase, Phase::cancelled);
}

}  // namespace
}  // namespace xpcs::jobgen
