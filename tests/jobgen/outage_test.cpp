// SPDX-License-Identifier: BSD-3-Clause
// Schedulers that are away for a while, commands that were refused and are given again.
#include "jobgen/batch.hpp"
#include "jobgen/queue_client.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

namespace xpcs::jobgen {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::write_file;

/// A desk of an operator where a Slurm or a PBS seems to be installed, which can be away.
struct OperatorsDesk {
    TempDir dir;
    std::string bin = testing::make_programs(dir);

    OperatorsDesk() {
        write_file(
            bin + "/sbatch",
            "#!/bin/bash\nif [ -e \"$AWAY.full\" ]; then echo 'sbatch: error: too many jobs' "
            ">&2; exit 1; fi\necho submitted >>\"$CALLS\"\necho 4242\n",
            true);
        write_file(bin + "/scontrol",
                   "#!/bin/bash\nif [ -e \"$AWAY\" ]; then echo 'slurm_load_jobs error: Unable to "
                   "contact slurm controller (connect failure)' >&2; exit 1; fi\n"
                   "if [ -e \"$AWAY.over\" ]; then echo 'slurm_load_jobs error: Invalid job id "
                   "specified' >&2; exit 1; fi\n"
                   "echo 'JobId=4242 JobName=x JobState=PENDING Reason=Priority ExitCode=0:0'\n",
                   true);
        write_file(bin + "/sacct",
                   "#!/bin/bash\necho 'Slurm accounting storage is disabled' >&2; exit 1\n",
                   true);
        write_file(bin + "/qsub", "#!/bin/bash\necho 7.server\n", true);
        write_file(dir / "data/the_qmap.h5", "qmap");
        write_file(dir / "data/r1/r1.bin", "photons");
    }
    Outcome jobgen(std::vector<std::string> args) {
        args.insert(args.begin(), std::string(XPCS_BIN_DIR) + "/xpcs-jobgen");
        const char* path = std::getenv("PATH");
        return testing::bash(args,
                             {{"PATH", bin + ":" + (path ? path : "")},
                              {"CALLS", dir / "calls"},
                              {"AWAY", dir / "away"}},
                             120);
    }
    Outcome batch(std::vector<std::string> more) {
        std::vector<std::string> args{
            "batch", dir / "data", "-q", dir / "data/the_qmap.h5", "-o", dir / "out"};
        args.insert(args.end(), more.begin(), more.end());
        return jobgen(args);
    }
    /// A job script of one run.
    Outcome script(const std::vector<std::string>& more) {
        std::vector<std::string> args{"script",
                                      "-r",
                                      dir / "data/r1/r1.bin",
                                      "-q",
                                      dir / "data/the_qmap.h5",
                                      "-o",
                                      dir / "out",
                                      "--run-dir",
                                      dir / "job"};
        args.insert(args.end(), more.begin(), more.end());
        return jobgen(args);
    }
    std::string manifest() { return dir / "out/batch.json"; }
};

TEST(Outage, a_job_that_cannot_be_asked_for_is_not_over) {
    OperatorsDesk d;
    ASSERT_EQ(d.batch({"--deployment", "perlmutter"}).code, 0);
    write_file(d.dir / "away", "");
    const Outcome away = d.jobgen({"batch", "status", d.manifest()});
    EXPECT_EQ(away.code, 0) << away.out;
    EXPECT_THAT(away.out, HasSubstr("1 submitted"));
    EXPECT_THAT(away.err, HasSubstr("Unable to contact slurm controller"));
    // The same job must not get into the queue a second time.
    EXPECT_EQ(d.jobgen({"batch", "resume", d.manifest()}).code, 0);
    EXPECT_EQ(read_text(d.dir / "calls"), "submitted\n");
    const Outcome one = d.jobgen({"status", "4242", "--deployment", "perlmutter"});
    EXPECT_EQ(one.code, 69);
    EXPECT_THAT(one.out, HasSubstr("could not be asked"));
    fs::remove(d.dir / "away");
    EXPECT_THAT(d.jobgen({"batch", "status", d.manifest()}).out, HasSubstr("1 submitted"));
    // One that Slurm does not know is over, and without a state it has failed.
    write_file(d.dir / "away.over", "");
    const Outcome over = d.jobgen({"batch", "status", d.manifest()});
    EXPECT_THAT(over.out, HasSubstr("1 failed"));
    EXPECT_THAT(over.out, HasSubstr("not known to Slurm"));
}

TEST(Outage, pbs_that_does_not_answer_says_nothing_of_a_job) {
    OperatorsDesk d;
    write_file(d.bin + "/qstat",
               "#!/bin/bash\necho 'Connection refused' >&2\n"
               "echo 'qstat: cannot connect to server polaris (errno=111)' >&2; exit 111\n",
               true);
    ASSERT_EQ(d.batch({"--deployment", "polaris", "--account", "A"}).code, 0);
    EXPECT_THAT(d.jobgen({"batch", "status", d.manifest()}).out, HasSubstr("1 submitted"));
    write_file(d.bin + "/qstat", "#!/bin/bash\necho 'qstat: Unknown Job Id' >&2; exit 153\n", true);
    EXPECT_THAT(d.jobgen({"batch", "status", d.manifest()}).out, HasSubstr("1 failed"));
}

TEST(Outage, a_flow_asks_again_before_it_gives_up_a_job) {
    OperatorsDesk d;
    const Outcome made = d.script({"--deployment", "perlmutter", "--submit"});
    ASSERT_EQ(made.code, 0) << made.err;
    write_file(d.bin + "/scontrol",
               "#!/bin/bash\nif mkdir \"$AWAY.once\" 2>/dev/null; then echo 'Unable to contact' "
               ">&2; exit 1; fi\necho 'JobId=4242 JobState=PENDING Reason=Priority ExitCode=0:0'\n",
               true);
    const Outcome out = d.jobgen({"step", "ask", d.dir / "job"});
    EXPECT_EQ(out.code, 0) << out.err;
    EXPECT_EQ(text_at(parse_json(out.out, "step"), "phase"), "queued");
}

TEST(Outage, a_second_job_waits_for_what_is_known_of_the_first) {
    OperatorsDesk d;
    const std::vector<std::string> call{"--deployment", "perlmutter", "--submit"};
    ASSERT_EQ(d.script(call).code, 0);
    write_file(d.dir / "away", "");
    const Outcome second = d.script(call);
    EXPECT_EQ(second.code, 69);
    EXPECT_THAT(second.err, HasSubstr("is over is not known"));
    EXPECT_EQ(read_text(d.dir / "calls"), "submitted\n");
}

TEST(Outage, a_job_without_scheduler_on_another_machine_is_not_over) {
    OperatorsDesk d;
    Submission s;
    s.scheduler = "shell";
    s.job_id = "4000000";
    s.pid = 4'000'000;
    s.pid_start = 1;
    s.run_dir = d.dir / "job";
    write_submission(s);
    write_file(d.dir / "job/status.json",
               R"({"state":"running","exit_code":0,"host":"the-other-one"})");
    EXPECT_TRUE(ask(s).unasked);
    const Outcome status = d.jobgen({"status", d.dir / "job"});
    EXPECT_EQ(status.code, 69);
    EXPECT_THAT(status.out, HasSubstr("runs on the-other-one"));
    EXPECT_THAT(d.jobgen({"cancel", d.dir / "job"}).err, HasSubstr("on that machine"));
}

TEST(Outage, dependencies_that_schedulers_take_lightly_are_told) {
    OperatorsDesk d;
    write_file(d.dir / "away.over", "");
    const auto told = [&](const std::string& deployment,
                          const std::string& dependency,
                          const std::string& how) {
        return d
            .script({"--account", "A", "--deployment", deployment, "--dependency", dependency, how})
            .err;
    };
    EXPECT_THAT(told("perlmutter", "77", "--submit"), HasSubstr("job 77 is not known to Slurm"));
    EXPECT_THAT(told("polaris", "77[].server", "-n"), HasSubstr("the element that ended last"));
}

TEST(Refused, a_batch_leaves_no_manifest_in_the_way_of_the_next_try) {
    OperatorsDesk d;
    const Outcome refused = d.batch({"--deployment", "polaris"});
    EXPECT_EQ(refused.code, 78);
    EXPECT_THAT(refused.err, HasSubstr("give --account"));
    EXPECT_FALSE(fs::exists(d.manifest()));
    EXPECT_EQ(d.batch({"--deployment", "thetagpu", "--account", "A"}).code, 78);
    EXPECT_EQ(d.batch({"--deployment", "polaris", "--account", "A", "-n", "--queue", "no"}).code,
              78);
    EXPECT_EQ(d.batch({"--deployment", "polaris", "--account", "A"}).code, 0);
}

TEST(Refused, resume_takes_what_is_given_anew_and_refuses_what_it_keeps) {
    OperatorsDesk d;
    write_file(d.dir / "away.full", "");
    EXPECT_EQ(d.batch({"--deployment", "perlmutter"}).code, 69);
    fs::remove(d.dir / "away.full");
    EXPECT_EQ(d.jobgen({"batch", "resume", d.manifest(), "--walltime", "1000:00:00"}).code, 78);
    EXPECT_EQ(d.jobgen({"batch", "resume", d.manifest(), "-t", "Twotime"}).code, 64);
    EXPECT_EQ(d.jobgen({"batch", "resume", d.manifest(), "--deployment", "polaris"}).code, 64);
    const Outcome out =
        d.jobgen({"batch", "resume", d.manifest(), "--walltime", "02:15:00", "--account", "m1_g"});
    EXPECT_EQ(out.code, 0) << out.err;
    const std::string script = read_text(d.dir / "out/batch.jobs/0002/job.sh");
    EXPECT_THAT(script, HasSubstr("#SBATCH --time=02:15:00\n"));
    EXPECT_THAT(script, HasSubstr("#SBATCH --account=m1_g\n"));
    // And keeps it.
    const Json kept = testing::json_file(d.manifest());
    EXPECT_EQ(number_at(kept["options"], "walltime_s"), 8100);
}

TEST(Refused, status_never_writes_over_what_another_has_done_meanwhile) {
    OperatorsDesk d;
    ASSERT_EQ(d.batch({"--deployment", "perlmutter"}).code, 0);
    // While the question is under way, somebody else goes on with the batch.
    write_file(d.bin + "/scontrol",
               "#!/bin/bash\nsed -i 's/\"array\": false/\"array\": true/' \"" + d.manifest() +
                   "\"\necho 'JobId=4242 JobState=RUNNING Reason=None ExitCode=0:0'\n",
               true);
    EXPECT_EQ(d.jobgen({"batch", "status", d.manifest()}).code, 0);
    EXPECT_TRUE(flag_at(testing::json_file(d.manifest()), "array"));
    // Who may only look gets an answer too.
    write_file(d.manifest() + ".lock", "");
    const TempDir readable;
    fs::copy(d.dir / "out", readable / "out", fs::copy_options::recursive);
    fs::permissions(readable / "out", fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_EQ(d.jobgen({"batch", "status", readable / "out/batch.json"}).code, 0);
    fs::permissions(readable / "out", fs::perms::owner_all);
}

TEST(Refused, what_no_queue_behind_a_routing_one_takes) {
    OperatorsDesk d;
    const auto asked = [&](const std::string& nodes, const std::string& walltime) {
        return d.script({"--deployment",
                         "polaris",
                         "--account",
                         "A",
                         "--queue",
                         "prod",
                         "--nodes",
                         nodes,
                         "--walltime",
                         walltime,
                         "-n"});
    };
    EXPECT_EQ(asked("10", "03:00:00").code, 0);
    EXPECT_EQ(asked("25", "06:00:00").code, 0);
    EXPECT_EQ(asked("100", "24:00:00").code, 0);
    const Outcome vanishes = asked("24", "03:00:01");
    EXPECT_EQ(vanishes.code, 78);
    EXPECT_THAT(vanishes.err, HasSubstr("allowed in queue 'small': 00:05:00 to 03:00:00"));
    write_file(d.dir / "site.yaml",
               "schema: 1\nmachines:\n  polaris:\n    queues:\n      mine: {routes: [smal]}\n");
    EXPECT_THAT(d.jobgen({"check", d.dir / "site.yaml"}).err, HasSubstr("did you mean 'small'?"));
}

TEST(Refused, lists_from_windows_name_the_same_files) {
    OperatorsDesk d;
    write_file(d.dir / "list.txt", "data/r1/r1.bin\tdata/the_qmap.h5\r\n\r\n");
    const Outcome out =
        d.jobgen({"batch", d.dir / "list.txt", "-o", d.dir / "out", "--programs", d.bin});
    EXPECT_EQ(out.code, 0) << out.out << out.err;
    EXPECT_TRUE(fs::exists(d.dir / "out/r1_results.hdf"));
}

TEST(Refused, reprocess_without_action_writes_nothing) {
    OperatorsDesk d;
    const Outcome out = d.jobgen({"reprocess",
                                  "--published",
                                  d.dir / "pub/r1",
                                  "-r",
                                  d.dir / "data/r1/r1.bin",
                                  "-q",
                                  d.dir / "data/the_qmap.h5",
                                  "-n",
                                  "--output",
                                  d.dir / "again.sh"});
    EXPECT_EQ(out.code, 0) << out.err;
    EXPECT_THAT(out.out, HasSubstr("#!/bin/bash"));
    EXPECT_FALSE(fs::exists(d.dir / "again.sh"));
}

TEST(Outage, a_watch_loses_no_run_to_a_full_queue_or_a_directory_that_comes_back) {
    OperatorsDesk d;
    write_file(d.dir / "away.full", "");
    const std::vector<std::string> call{"launch",
                                        "--watch",
                                        d.dir / "data",
                                        "--once",
                                        "--settle",
                                        "0",
                                        "-o",
                                        d.dir / "out",
                                        "-q",
                                        d.dir / "data/the_qmap.h5",
                                        "--deployment",
                                        "perlmutter"};
    const Outcome full = d.jobgen(call);
    EXPECT_EQ(full.code, 1);
    EXPECT_THAT(full.err, HasSubstr("too many jobs; tried again"));
    fs::remove(d.dir / "away.full");
    EXPECT_EQ(d.jobgen(call).code, 0);
    EXPECT_EQ(d.jobgen(call).code, 0);
    EXPECT_EQ(read_text(d.dir / "calls"), "submitted\n");
    // The directory goes away and comes back with another run while somebody watches.
    std::vector<std::string> on = call;
    on.erase(on.begin() + 3);
    on.insert(on.end(), {"--poll", "0.1"});
    std::string words;
    for (const auto& word : on) {
        words += " '" + word + "'";
    }
    write_file(d.dir / "hidden/r2/r2.bin", "photons");
    const Outcome out =
        testing::bash({"bash",
                       "-c",
                       "'" + std::string(XPCS_BIN_DIR) + "/xpcs-jobgen'" + words +
                           " & sleep 1; mv '" + d.dir / "data" + "' '" + d.dir / "elsewhere" +
                           "'; sleep 1; cp -r '" + d.dir / "elsewhere" + "' '" + d.dir / "data" +
                           "'; cp -r '" + d.dir / "hidden/r2" + "' '" + d.dir / "data" +
                           "'; for i in $(seq 100); do sleep 0.1; [ $(wc -l <\"$CALLS\")"
                           " = 2 ] && break; done; kill $!; wait $!; true"},
                      {{"PATH", d.bin + ":" + std::getenv("PATH")},
                       {"CALLS", d.dir / "calls"},
                       {"AWAY", d.dir / "away"}},
                      60);
    EXPECT_THAT(out.err, HasSubstr("looked at again"));
    EXPECT_EQ(read_text(d.dir / "calls"), "submitted\nsubmitted\n") << out.out << out.err;
}

TEST(Refused, launch_again_correlates_again) {
    OperatorsDesk d;
    std::vector<std::string> call{"launch",
                                  d.dir / "data/r1/r1.bin",
                                  "-q",
                                  d.dir / "data/the_qmap.h5",
                                  "-o",
                                  d.dir / "out",
                                  "--wait",
                                  "--poll",
                                  "0.1",
                                  "--programs",
                                  d.bin};
    EXPECT_EQ(d.jobgen(call).code, 0);
    EXPECT_EQ(d.jobgen(call).code, 0);
    EXPECT_FALSE(fs::exists(d.dir / "out/r1_results_1.hdf"));
    call.emplace_back("--again");
    EXPECT_EQ(d.jobgen(call).code, 0);
    EXPECT_TRUE(fs::exists(d.dir / "out/r1_results_1.hdf"));
}

}  // namespace
}  // namespace xpcs::jobgen
