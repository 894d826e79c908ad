// SPDX-License-Identifier: BSD-3-Clause
// The run directory of a job: what jobgen writes there and what the job reports.
#pragma once

#include "jobgen/job.hpp"

#include <string>
#include <vector>

namespace xpcs::jobgen {

/// One run as its state file says.
struct RunState {
    int number = 0;
    std::string state;  ///< "" = nothing known yet, running, done, failed, stopped
    int exit_code = 0;
    std::string step, name, raw, id, result, report, reason, note;
};

/// A job as its status files say (the sum over the elements of an array).
struct JobFiles {
    std::string state;  ///< "" = not started, running, done, failed, stopped
    int exit_code = 0;
    std::string reason, job_id, host, scheduler, name;
    long pid = 0;
    int elements = 0;  ///< status files found
    std::vector<RunState> runs;
};

/// What --submit noted.
struct Submission {
    std::string scheduler, job_id, name, deployment, script, run_dir;
    int runs = 0;
    int elements = 1;
    long pid = 0;
    unsigned long long pid_start = 0;
    bool cancelled = false;  ///< asked to stop, of a job without a scheduler
};

/// Writes text under a hidden name and renames it. Throws Error (cannot_create, io).
void write_text(const std::string& path, const std::string& text, bool executable = false);

/// Makes the run directory and the script in it; returns the script's path. A script of a job that
/// is queued is never touched: a different text gets a name of its own.
std::string write_script(const Job& job, const std::string& text);

void write_submission(const Submission& submission);
/// Throws Error (no_input, data).
Submission read_submission(const std::string& run_dir);
bool has_submission(const std::string& run_dir);

/// Never throws for missing or half-written files: what cannot be read is not known.
JobFiles read_job_files(const std::string& run_dir);

}  // namespace xpcs::jobgen
