// SPDX-License-Identifier: BSD-3-Clause
// What schedulers answered, and what it means.
#include "jobgen/queue_client.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>

namespace xpcs::jobgen {
namespace {

using ::testing::HasSubstr;

std::string record(const std::string& id, const std::string& fields) {
    return "\"" + id + "\": {" + fields + "}";
}

std::string answer(const std::string& records) {
    return "{\"timestamp\": 1, \"pbs_version\": \"23.06\", \"Jobs\": {" + records + "}}";
}

JobState pbs(const std::string& fields) {
    return parse_qstat(answer(record("7.server", fields)), "7.server");
}

TEST(QueueAnswers, pbs_ends) {
    JobState s = pbs("\"job_state\": \"F\", \"substate\": 92, \"Exit_status\": 0");
    EXPECT_EQ(s.phase, Phase::done);
    s = pbs("\"job_state\": \"F\", \"substate\": 93, \"Exit_status\": 3");
    EXPECT_EQ(s.phase, Phase::failed);
    EXPECT_EQ(s.exit_code, 3);
    s = pbs("\"job_state\": \"F\", \"substate\": 93, \"Exit_status\": -29");
    EXPECT_EQ(s.phase, Phase::failed);
    EXPECT_EQ(s.reason, "walltime exceeded");
    EXPECT_GT(s.exit_code, 0);
    s = pbs("\"job_state\": \"F\", \"substate\": 91, \"Exit_status\": 271");
    EXPECT_EQ(s.phase, Phase::cancelled);
    s = pbs("\"job_state\": \"F\", \"substate\": 93, \"Exit_status\": 265");
    EXPECT_EQ(s.exit_code, 137);
    EXPECT_EQ(s.reason, "ended by signal 9");
    // Deleted because its dependency failed: looks finished unless the status is asked for.
    s = pbs("\"job_state\": \"F\", \"substate\": 92");
    EXPECT_EQ(s.phase, Phase::failed);
    EXPECT_THAT(s.reason, HasSubstr("never ran"));
    for (const int code : {-1, -2, -3, -10, -11, -12, -77}) {
        s = pbs("\"job_state\": \"F\", \"substate\": 93, \"Exit_status\": " + std::to_string(code));
        EXPECT_EQ(s.phase, Phase::failed) << code;
        EXPECT_FALSE(s.reason.empty());
    }
}

TEST(QueueAnswers, pbs_while_it_waits_and_runs) {
    EXPECT_EQ(pbs("\"job_state\": \"Q\", \"comment\": \"Not Running: Insufficient amount of "
                  "resource: ngpus\"")
                  .reason,
              "Not Running: Insufficient amount of resource: ngpus");
    const JobState down = pbs("\"job_state\": \"Q\", \"comment\": \"Can Never Run: Insufficient "
                              "amount of server resource: eagle_fs (True != False)\"");
    EXPECT_EQ(down.phase, Phase::queued);
    EXPECT_THAT(down.reason, HasSubstr("eagle_fs"));
    EXPECT_EQ(pbs("\"job_state\": \"R\", \"run_count\": 2").phase, Phase::running);
    EXPECT_EQ(pbs("\"job_state\": \"E\"").phase, Phase::running);
    EXPECT_EQ(pbs("\"job_state\": \"W\"").phase, Phase::queued);
    EXPECT_EQ(pbs("\"job_state\": \"T\"").phase, Phase::queued);
    EXPECT_EQ(pbs("\"job_state\": \"S\"").phase, Phase::running);
    const JobState held =
        pbs("\"job_state\": \"H\", \"comment\": \"job held, too many failed attempts to run\"");
    EXPECT_EQ(held.phase, Phase::held);
    EXPECT_EQ(pbs("\"job_state\": \"M\"").phase, Phase::unknown);
}

TEST(QueueAnswers, pbs_arrays_lie_about_their_status) {
    const auto array = [](const std::string& fields, const std::string& more = "") {
        return parse_qstat(answer(record("9[].server", "\"array\": \"True\", " + fields) + more),
                           "9[].server");
    };
    EXPECT_EQ(array("\"job_state\": \"B\"").phase, Phase::running);
    EXPECT_EQ(array("\"job_state\": \"F\", \"substate\": 92, \"Exit_status\": 0").phase,
              Phase::done);
    // The element that ended last was well, another one was not.
    EXPECT_EQ(array("\"job_state\": \"F\", \"substate\": 93, \"Exit_status\": 0").phase,
              Phase::failed);
    const std::string good =
        ", " + record("9[0].server", "\"job_state\": \"X\", \"substate\": 92, \"Exit_status\": 0");
    const std::string bad =
        ", " + record("9[1].server", "\"job_state\": \"X\", \"substate\": 93, \"Exit_status\": 5");
    const std::string waits = ", " + record("9[2].server", "\"job_state\": \"Q\"");
    JobState s = array("\"job_state\": \"F\", \"substate\": 92, \"Exit_status\": 0", good + bad);
    EXPECT_EQ(s.phase, Phase::failed);
    EXPECT_EQ(s.exit_code, 5);
    EXPECT_THAT(s.reason, HasSubstr("9[1]"));
    EXPECT_EQ(array("\"job_state\": \"B\"", good + bad + waits).phase, Phase::running);
    EXPECT_EQ(array("\"job_state\": \"F\", \"substate\": 92, \"Exit_status\": 0", good).phase,
              Phase::done);
}

TEST(QueueAnswers, pbs_unknown_and_broken_answers) {
    EXPECT_EQ(parse_qstat("{}", "7").phase, Phase::unknown);
    EXPECT_EQ(parse_qstat("qstat: Unknown Job Id 7", "7").phase, Phase::unknown);
    EXPECT_EQ(parse_qstat("", "7").phase, Phase::unknown);
    EXPECT_EQ(parse_qstat("[1, 2]", "7").phase, Phase::unknown);
    EXPECT_EQ(parse_qstat(answer(record("8.server", "\"job_state\": \"F\"")), "7").phase,
              Phase::unknown);
    EXPECT_EQ(pbs("\"job_state\": 5").phase, Phase::unknown);
    // Lossy JSON: numbers where texts stood.
    EXPECT_EQ(pbs("\"job_state\": \"R\", \"Variable_List\": {\"A\": 7, \"B\": \"\xff\"}").phase,
              Phase::running);
    // A short id finds the full one.
    EXPECT_EQ(parse_qstat(answer(record("7.server", "\"job_state\": \"R\"")), "7").phase,
              Phase::running);
}

JobState slurm(const std::string& fields) {
    return parse_scontrol("JobId=5 JobName=x " + fields + "\n");
}

TEST(QueueAnswers, slurm_states) {
    EXPECT_EQ(slurm("JobState=COMPLETED Reason=None ExitCode=0:0").phase, Phase::done);
    JobState s = slurm("JobState=FAILED Reason=NonZeroExitCode ExitCode=3:0");
    EXPECT_EQ(s.phase, Phase::failed);
    EXPECT_EQ(s.exit_code, 3);
    EXPECT_EQ(slurm("JobState=FAILED ExitCode=0:9").exit_code, 137);
    s = slurm("JobState=TIMEOUT ExitCode=75:0");
    EXPECT_EQ(s.phase, Phase::failed);
    EXPECT_EQ(s.reason, "walltime exceeded");
    EXPECT_EQ(slurm("JobState=CANCELLED ExitCode=0:15").phase, Phase::cancelled);
    EXPECT_EQ(slurm("JobState=PENDING Reason=Resources").phase, Phase::queued);
    s = slurm("JobState=PENDING Reason=DependencyNeverSatisfied");
    EXPECT_EQ(s.phase, Phase::held);
    EXPECT_EQ(s.reason, "DependencyNeverSatisfied");
    for (const char* word : {"NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "PREEMPTED"}) {
        EXPECT_EQ(slurm(std::string("JobState=") + word + " ExitCode=0:0").phase, Phase::failed)
            << word;
    }
    for (const char* word : {"RUNNING", "COMPLETING", "SUSPENDED", "STAGE_OUT"}) {
        EXPECT_EQ(slurm(std::string("JobState=") + word).phase, Phase::running) << word;
    }
    EXPECT_EQ(parse_scontrol("").phase, Phase::unknown);
}

TEST(QueueAnswers, slurm_arrays_have_no_state_of_their_own) {
    const std::string good = "JobId=3 ArrayJobId=2 ArrayTaskId=0 JobState=COMPLETED ExitCode=0:0\n";
    const std::string bad = "JobId=4 ArrayJobId=2 ArrayTaskId=7 JobState=FAILED ExitCode=5:0\n";
    const std::string waits =
        "JobId=2 ArrayJobId=2 ArrayTaskId=8-9 JobState=PENDING Reason=JobArrayTaskLimit\n";
    JobState s = parse_scontrol(good + bad);
    EXPECT_EQ(s.phase, Phase::failed);
    EXPECT_EQ(s.exit_code, 5);
    EXPECT_EQ(parse_scontrol(good + bad + waits).phase, Phase::running);
    EXPECT_EQ(parse_scontrol(good + good).phase, Phase::done);
}

TEST(QueueAnswers, sacct) {
    EXPECT_EQ(parse_sacct("5|COMPLETED|0:0|0\n").phase, Phase::done);
    EXPECT_EQ(parse_sacct("5|CANCELLED by 1000|0:0|0\n").phase, Phase::cancelled);
    EXPECT_EQ(parse_sacct("5_0|COMPLETED|0:0|0\n5_1|TIMEOUT|0:0|0\n").phase, Phase::failed);
    EXPECT_EQ(parse_sacct("").phase, Phase::unknown);
}

TEST(QueueAnswers, cobalt) {
    EXPECT_EQ(parse_cobalt_qstat("JobID  State\n====\n12  running\n", "12").phase, Phase::running);
    EXPECT_EQ(parse_cobalt_qstat("JobID State\n12 dep_fail\n", "12").phase, Phase::held);
    EXPECT_EQ(parse_cobalt_qstat("JobID State\n12 user_hold\n", "12").phase, Phase::held);
    EXPECT_EQ(parse_cobalt_qstat("", "12").phase, Phase::unknown);
    EXPECT_EQ(parse_cobaltlog("... task completed normally with an exit code of 0; ...").phase,
              Phase::done);
    EXPECT_EQ(parse_cobaltlog("task completed normally with an exit code of 65;").exit_code, 65);
    EXPECT_EQ(parse_cobaltlog("maximum execution time exceeded; initiating job termination").phase,
              Phase::failed);
    EXPECT_EQ(parse_cobaltlog("user delete requested with signal SIGTERM").phase, Phase::cancelled);
    EXPECT_EQ(parse_cobaltlog("").phase, Phase::unknown);
}

TEST(QueueAnswers, job_ids) {
    EXPECT_EQ(parse_job_id("123.polaris-pbs-01\n"), "123.polaris-pbs-01");
    EXPECT_EQ(parse_job_id("7[].server\n"), "7[].server");
    EXPECT_EQ(parse_job_id("42;cluster\n"), "42");
    EXPECT_EQ(parse_job_id("site message\n99\n"), "99");
    EXPECT_EQ(parse_job_id("sbatch: error: no"), "");
}

TEST(QueueAnswers, done_needs_the_jobs_own_word) {
    JobState queue;
    queue.phase = Phase::done;
    JobFiles files;
    EXPECT_EQ(overall(queue, files).phase, Phase::failed);
    EXPECT_EQ(overall(queue, files).exit_code, 70);
    files.state = "done";
    EXPECT_EQ(overall(queue, files).phase, Phase::done);
    queue.phase = Phase::unknown;
    EXPECT_EQ(overall(queue, files).phase, Phase::done);
    files.state = "failed";
    files.exit_code = 65;
    EXPECT_EQ(overall(queue, files).exit_code, 65);
    // The reasons of both are told, but none twice.
    queue.phase = Phase::failed;
    queue.reason = "walltime exceeded";
    files.reason = "run 1 failed";
    EXPECT_EQ(overall(queue, files).reason, "walltime exceeded; run 1 failed");
    queue.reason = files.reason;
    EXPECT_EQ(overall(queue, files).reason, "run 1 failed");
}

}  // namespace
}  // namespace xpcs::jobgen
