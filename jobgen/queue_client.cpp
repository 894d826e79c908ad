// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/queue_client.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/process.hpp"
#include "jobgen/site_check.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <map>

namespace xpcs::jobgen {

namespace {

constexpr double answer_s = 120;  // no scheduler command may hang for ever

Outcome question(const std::vector<std::string>& command, const std::string& directory = "") {
    RunOptions options;
    options.timeout_s = answer_s;
    options.directory = directory;
    Outcome outcome = run_program(command, options);
    if (outcome.code == 127 && find_program(command.front()).empty()) {
        throw Error(ExitCode::unavailable,
                    "program " + command.front() +
                        " is not in PATH: this machine has no such scheduler");
    }
    if (outcome.code == 124) {
        outcome.err = "no answer within " + std::to_string(static_cast<int>(answer_s)) + " s";
    }
    return outcome;
}

Outcome call(const std::vector<std::string>& command, const std::string& directory = "") {
    Outcome outcome = question(command, directory);
    if (outcome.code == 124) {
        throw Error(ExitCode::unavailable, command.front() + " gave " + outcome.err);
    }
    return outcome;
}

std::string pbs_hint(int code) {
    static const std::map<int, std::string> hints{
        {32, "account, walltime or file systems are missing, or the site refuses them"},
        {170, "the queue is not known"},
        {174, "the queue is only reached by routing"},
        {175, "root may not submit"},
        {187, "a resource is not known"},
        {188, "over the limits of the queue or the server"}};
    const auto found = hints.find(code);
    return found == hints.end() ? "" : " (" + found->second + ")";
}

std::vector<std::string> submit_command(Scheduler kind, const std::string& script) {
    return kind == Scheduler::slurm ? std::vector<std::string>{"sbatch", "--parsable", script}
                                    : std::vector<std::string>{"qsub", script};
}

void refuse_second(const Job& job) {
    if (!has_submission(job.run_dir)) {
        return;
    }
    const Submission before = read_submission(job.run_dir);
    const JobState state = ask(before);
    if (state.unasked) {
        throw Error(ExitCode::unavailable,
                    "whether job " + before.job_id + " in " + printable(job.run_dir) +
                        " is over is not known: " + state.reason);
    }
    if (state.active()) {
        throw Error(ExitCode::config,
                    "job " + before.job_id + " in " + printable(job.run_dir) +
                        " is not over yet; cancel it first, or give another --run-dir");
    }
}

}  // namespace

void check_machine_in_service(const Job& job) {
    if (job.machine.retired) {
        throw Error(ExitCode::config,
                    "machine " + job.machine.name + " is retired: nothing can be submitted there");
    }
}

namespace {

/// Slurm takes a job that it does not know, a mistyped one too, as one that has succeeded.
void warn_of_unknown(const std::vector<std::string>& dependency) {
    for (const auto& id : dependency) {
        const Outcome now = question({"scontrol", "-o", "show", "job", id});
        if (now.code != 0 && now.err.find("Invalid job id") != std::string::npos) {
            std::cerr << "xpcs-jobgen: warning: job " << printable(id)
                      << " is not known to Slurm (any more), which takes the dependency as met\n";
        }
    }
}

}  // namespace

Submission submit(const Job& job, const std::string& script) {
    check_machine_in_service(job);
    refuse_second(job);
    Submission s;
    s.scheduler = to_string(job.machine.scheduler);
    s.name = job.name;
    s.deployment = job.deployment.name;
    s.script = script;
    s.run_dir = job.run_dir;
    s.runs = static_cast<int>(job.runs.size());
    s.elements = job.n_elements();
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(job.run_dir, ignored)) {
        // What an earlier job said of itself is not this one's state.
        if (entry.path().filename().string().rfind("status", 0) == 0) {
            std::filesystem::remove(entry.path(), ignored);
        }
    }
    if (job.machine.scheduler == Scheduler::shell) {
        s.pid = start_detached({"/bin/bash", script}, job.run_dir);
        s.pid_start = process_start(s.pid);
        s.job_id = std::to_string(s.pid);
    } else {
        if (job.machine.scheduler == Scheduler::slurm) {
            warn_of_unknown(job.dependency);
        }
        const auto command = submit_command(job.machine.scheduler, script);
        const Outcome outcome = call(command, job.run_dir);
        s.job_id = parse_job_id(outcome.out);
        if (outcome.code != 0 || s.job_id.empty()) {
            const bool pbs = job.machine.scheduler == Scheduler::pbs;
            throw Error(ExitCode::unavailable,
                        command.front() + " refused the job, exit code " +
                            std::to_string(outcome.code) + (pbs ? pbs_hint(outcome.code) : "") +
                            ": " + printable(last_line(outcome.err)));
        }
    }
    write_submission(s);
    return s;
}

namespace {

/// Not a word about the job: what was true of it may still be.
JobState not_asked(const std::string& program, const Outcome& outcome) {
    JobState job;
    job.unasked = true;
    job.reason = program + " could not be asked, exit code " + std::to_string(outcome.code) + ": " +
                 printable(last_line(outcome.err));
    return job;
}

JobState ask_slurm(const std::string& id) {
    const Outcome now = question({"scontrol", "-o", "show", "job", id});
    if (now.code == 0) {
        JobState job = parse_scontrol(now.out);
        const std::string key = " Command=";
        if (const std::size_t at = now.out.find(key); at != std::string::npos) {
            const std::size_t end = now.out.find(" WorkDir=", at);
            const std::string script = now.out.substr(at + key.size(), end - at - key.size());
            job.run_dir = std::filesystem::path(script).parent_path().string();
        }
        return job;
    }
    const Outcome past =
        question({"sacct", "-X", "-n", "-P", "-j", id, "-o", "JobID,State,ExitCode,Restarts"});
    if (past.code != 0) {
        // Many sites have no accounting; whether the job is known is for scontrol to say.
        const bool answered = now.err.find("Invalid job id") != std::string::npos;
        return answered ? parse_sacct("") : not_asked("scontrol", now);
    }
    return parse_sacct(past.out);
}

JobState ask_pbs(const std::string& id) {
    std::vector<std::string> command{"qstat", "-x", "-f", "-F", "json", id};
    if (id.find("[]") != std::string::npos) {
        command.insert(command.begin() + 2, "-t");
    }
    const Outcome outcome = question(command);
    // 153: not known; 35: over and no history.
    if (outcome.code == 153 || outcome.code == 35) {
        return parse_qstat("{}", id);
    }
    return outcome.code == 0 ? parse_qstat(outcome.out, id) : not_asked("qstat", outcome);
}

JobState ask_cobalt(const Submission& job) {
    const Outcome outcome = call({"qstat", "--header", "JobID:State", job.job_id});
    JobState state = parse_cobalt_qstat(outcome.out, job.job_id);
    const std::string log = job.run_dir + "/cobalt-" + job.job_id + ".cobaltlog";
    if (state.phase == Phase::unknown && std::filesystem::exists(log)) {
        return parse_cobaltlog(read_text(log));
    }
    return state;
}

/// The machine on which a job without a scheduler runs, if that is not this one.
std::string other_machine(const JobFiles& files) {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return files.state == "running" && files.host != name.data() ? files.host : "";
}

/// Whether a job that left no final state had been asked to stop.
bool was_cancelled(const Submission& job) {
    if (!has_submission(job.run_dir)) {
        return job.cancelled;
    }
    const Submission now = read_submission(job.run_dir);
    return now.cancelled && now.job_id == job.job_id;
}

JobState ask_shell(const Submission& job) {
    JobState state;
    if (job.pid > 0 && process_start(job.pid) == job.pid_start && job.pid_start != 0) {
        state.phase = Phase::running;
        return state;
    }
    const JobFiles files = read_job_files(job.run_dir);
    if (const std::string machine = other_machine(files); !machine.empty()) {
        state.unasked = true;
        state.reason = "it runs on " + machine + ", or has died there: ask on that machine";
        return state;
    }
    state.word = files.state;
    state.exit_code = files.exit_code;
    state.reason = files.reason;
    if (files.state == "done") {
        state.phase = Phase::done;
    } else if (files.state == "failed" || files.state == "stopped") {
        state.phase = files.state == "failed" ? Phase::failed : Phase::cancelled;
    } else if (was_cancelled(job)) {
        // Before it could listen, or say what became of it.
        state.phase = Phase::cancelled;
        state.exit_code = 75;
    } else {
        state.phase = Phase::failed;
        state.exit_code = 70;
        state.reason = "its process ended without a state";
    }
    return state;
}

}  // namespace

JobState ask(const Submission& job) {
    switch (scheduler_named(job.scheduler)) {
    case Scheduler::slurm:
        return ask_slurm(job.job_id);
    case Scheduler::pbs:
        return ask_pbs(job.job_id);
    case Scheduler::cobalt:
        return ask_cobalt(job);
    case Scheduler::shell:
        break;
    }
    return ask_shell(job);
}

namespace {

/// Of use only if the job leaves no state: a full disk keeps nobody from cancelling.
void note_cancel(Submission job) {
    if (!has_submission(job.run_dir)) {
        return;
    }
    job.cancelled = true;
    try {
        write_submission(job);
    } catch (const Error& error) {
        std::cerr << "xpcs-jobgen: warning: " << error.what() << "\n";
    }
}

}  // namespace

void cancel(const Submission& job) {
    if (job.scheduler == "shell") {
        const std::string machine = other_machine(read_job_files(job.run_dir));
        if (!machine.empty()) {
            throw Error(ExitCode::unavailable,
                        "job " + job.job_id + " runs on " + printable(machine) +
                            ": cancel it on that machine");
        }
        const bool same = job.pid > 0 && process_start(job.pid) == job.pid_start;
        if (same) {
            note_cancel(job);
        }
        if (!same || ::kill(static_cast<pid_t>(job.pid), SIGTERM) != 0) {
            throw Error(ExitCode::unavailable,
                        "job " + job.job_id + " is over: there is no such process any more");
        }
        return;
    }
    const std::string program = job.scheduler == "slurm" ? "scancel" : "qdel";
    const Outcome outcome = call({program, job.job_id});
    if (outcome.code != 0) {
        throw Error(ExitCode::unavailable,
                    program + " " + job.job_id + ", exit code " + std::to_string(outcome.code) +
                        ": " + printable(last_line(outcome.err)));
    }
}

JobState overall(const JobState& queue, const JobFiles& files) {
    JobState state = queue;
    if (queue.phase == Phase::done && files.state != "done") {
        state.phase = Phase::failed;
        state.exit_code = files.exit_code > 0 ? files.exit_code : 70;
        state.reason = "the scheduler calls it done, but the job wrote no result (its state is '" +
                       (files.state.empty() ? "none" : files.state) + "')";
    } else if (queue.phase == Phase::unknown && !files.state.empty()) {
        // Older than the scheduler remembers: the files know.
        state.exit_code = files.exit_code;
        state.phase = files.state == "done"      ? Phase::done
                      : files.state == "failed"  ? Phase::failed
                      : files.state == "stopped" ? Phase::cancelled
                                                 : Phase::unknown;
        state.reason = queue.unasked ? queue.reason : files.reason;
    } else if (queue.phase == Phase::failed && !files.reason.empty() &&
               files.reason != queue.reason) {
        state.reason = queue.reason + (queue.reason.empty() ? "" : "; ") + files.reason;
    }
    return state;
}

}  // namespace xpcs::jobgen
