// SPDX-License-Identifier: BSD-3-Clause
// script, status, cancel.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "host/version.hpp"
#include "jobgen/cli.hpp"
#include "jobgen/commands.hpp"
#include "jobgen/job_files.hpp"
#include "jobgen/process.hpp"
#include "jobgen/queue_client.hpp"
#include "jobgen/schedulers/scheduler.hpp"

#include <filesystem>
#include <iostream>

namespace xpcs::jobgen {

namespace {

const CommandKind script_kind{"script", {"Job"}, true, true, false};

void warn(const Job& job) {
    for (const auto& warning : job.warnings) {
        std::cerr << "xpcs-jobgen: warning: " << warning << "\n";
    }
}

int write_or_submit(const Job& job, const CommandLine& command) {
    const std::string text = script(job);
    warn(job);
    const Options& options = command.options;
    if (command.config.dry_run) {
        std::cout << text;
        return 0;
    }
    if (!options.script_file.empty()) {
        write_text(options.script_file, text, true);
    }
    if (options.submit) {
        const Submission s = submit(job, write_script(job, text));
        std::cout << s.job_id << "\n";
        std::cerr << "xpcs-jobgen: job " << s.job_id << " submitted, state and logs in "
                  << printable(job.run_dir) << "\n";
        return 0;
    }
    if (options.script_file.empty()) {
        std::cout << text;
        return 0;
    }
    // The scheduler needs the directory of its log before the job starts.
    if (job.machine.scheduler != Scheduler::shell) {
        std::error_code error;
        std::filesystem::create_directories(job.run_dir, error);
        if (error) {
            std::cerr << "xpcs-jobgen: warning: create " << printable(job.run_dir)
                      << " before submitting: " << error.message() << "\n";
        }
    }
    return 0;
}

}  // namespace

int script_command(const Words& args) {
    const CommandLine command = parse_command(script_kind, args);
    if (command.help) {
        std::cout << command_help(
            script_kind,
            "Usage: xpcs-jobgen script --deployment NAME -r RAW... -q QMAP [options]\n\n"
            "A job script for one or several runs, on standard output or with --output in a\n"
            "file; with --submit it goes to the scheduler and the id of the job is printed.\n");
        return 0;
    }
    const Site site = site_of(command.options);
    const std::string name = deployment_for(site, command.options, command.config.raw.front());
    const Deployment& deployment = site.deployment(name);
    Job job = make_job(site,
                       name,
                       runs_of(command, deployment),
                       command.device,
                       job_options(command.options, deployment));
    job.command = command.all;
    job.version = version();
    return write_or_submit(job, command);
}

namespace {

/// A job whose script somebody started by hand (`bash job.sh`, `qsub job.sh`): its own state says
/// what it is. Its process cannot be told from a later one of the same number.
Submission unsubmitted(const std::string& run_dir) {
    const JobFiles files = read_job_files(run_dir);
    if (files.state.empty()) {
        throw Error(ExitCode::no_input,
                    printable(run_dir) +
                        ": no job: neither submission.json (by --submit) nor status.json (by the "
                        "script) is there");
    }
    Submission s;
    s.scheduler = files.scheduler.empty() ? "shell" : files.scheduler;
    s.job_id = files.job_id;
    s.name = files.name;
    s.run_dir = run_dir;
    s.elements = files.elements;
    if (s.scheduler == "shell" && files.state == "running") {
        s.pid = files.pid;
        s.pid_start = process_start(files.pid);
    }
    return s;
}

/// A run directory, or an id together with --deployment or what its form says.
Submission find_submission(const CommandLine& command) {
    if (command.positional.size() != 1) {
        throw Error(ExitCode::usage, "one job id or run directory expected");
    }
    const std::string& word = command.positional.front();
    if (std::filesystem::is_directory(word)) {
        const std::string run_dir = absolute_path(word);
        return has_submission(run_dir) ? read_submission(run_dir) : unsubmitted(run_dir);
    }
    if (parse_job_id(word) != word) {
        throw Error(ExitCode::usage,
                    "'" + printable(word) + "' is neither a job id nor a run directory");
    }
    Submission s;
    s.job_id = word;
    if (!command.options.deployment.empty()) {
        const Site site = site_of(command.options);
        s.scheduler =
            to_string(site.machine_of(site.deployment(command.options.deployment)).scheduler);
    } else if (!find_program("scontrol").empty() && word.find('.') == std::string::npos) {
        s.scheduler = "slurm";
    } else if (!find_program("qstat").empty()) {
        s.scheduler = "pbs";
    } else {
        throw Error(ExitCode::unavailable,
                    "job " + word +
                        ": no scheduler is installed here; give the run directory instead");
    }
    if (s.scheduler == "shell") {
        throw Error(ExitCode::usage, "without a scheduler, give the run directory of the job");
    }
    return s;
}

void print_runs(const JobFiles& files) {
    for (const auto& run : files.runs) {
        std::cout << "  " << run.number << " " << printable(run.name) << ": "
                  << (run.state.empty() ? "unknown" : run.state);
        if (run.state == "running") {
            std::cout << " (" << run.step << ")";
        }
        if (!run.result.empty()) {
            std::cout << " " << printable(run.result);
        }
        if (!run.reason.empty()) {
            std::cout << ", at " << run.step << ", exit code " << run.exit_code << ": "
                      << printable(run.reason);
        }
        if (!run.note.empty()) {
            std::cout << " (" << printable(run.note) << ")";
        }
        std::cout << "\n";
    }
}

int status_code(const JobState& state) {
    switch (state.phase) {
    case Phase::failed:
        return state.exit_code > 0 && state.exit_code < 256 ? state.exit_code : 1;
    case Phase::cancelled:
        return static_cast<int>(ExitCode::interrupted);
    case Phase::unknown:
        return static_cast<int>(ExitCode::unavailable);
    default:
        return 0;
    }
}

}  // namespace

int status_command(const Words& args) {
    const CommandKind kind{"status", {"Job"}, false, false, true};
    const CommandLine command = parse_command(kind, args);
    if (command.help) {
        std::cout << "Usage: xpcs-jobgen status JOBID|RUNDIR [--deployment NAME]\n\n"
                     "The state of a job and of each of its runs. Exit code: 0 queued, running or "
                     "done;\nthe code of the job if it failed; 75 cancelled; 69 not known.\n";
        return 0;
    }
    Submission submission = find_submission(command);
    JobState state = ask(submission);
    if (submission.run_dir.empty() && !state.run_dir.empty() && has_submission(state.run_dir)) {
        submission.run_dir = state.run_dir;
    }
    JobFiles files;
    if (!submission.run_dir.empty()) {
        files = read_job_files(submission.run_dir);
        state = overall(state, files);
    }
    std::cout << submission.job_id << ": " << to_string(state.phase);
    if (!state.word.empty() && submission.scheduler != "shell") {
        std::cout << " (" << submission.scheduler << ": " << state.word << ")";
    }
    if (status_code(state) != 0 && state.phase != Phase::unknown) {
        std::cout << ", exit code " << status_code(state);
    }
    std::cout << (state.reason.empty() ? "" : ": " + printable(state.reason)) << "\n";
    print_runs(files);
    return status_code(state);
}

int cancel_command(const Words& args) {
    const CommandKind kind{"cancel", {"Job"}, false, false, true};
    const CommandLine command = parse_command(kind, args);
    if (command.help) {
        std::cout << "Usage: xpcs-jobgen cancel JOBID|RUNDIR [--deployment NAME]\n\n"
                     "Stops a job. Its runs that are done stay done.\n";
        return 0;
    }
    const Submission submission = find_submission(command);
    if (submission.scheduler == "shell" && !has_submission(submission.run_dir)) {
        throw Error(ExitCode::unavailable,
                    "job " + submission.job_id +
                        " was started by hand, not by --submit: stop its script where it runs");
    }
    cancel(submission);
    std::cout << submission.job_id << ": cancel requested\n";
    return 0;
}

}  // namespace xpcs::jobgen
