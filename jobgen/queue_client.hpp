// SPDX-License-Identifier: BSD-3-Clause
// Handing jobs to the schedulers, asking for them and cancelling them, each through its own
// commands. The answers are parsed by functions that are tested on recorded ones.
#pragma once

#include "jobgen/job.hpp"
#include "jobgen/job_files.hpp"

#include <string>
#include <vector>

namespace xpcs::jobgen {

enum class Phase { unknown, queued, held, running, done, failed, cancelled };
std::string to_string(Phase phase);

struct JobState {
    Phase phase = Phase::unknown;
    int exit_code = 0;     ///< of the script, when it ended
    std::string word;      ///< what the scheduler calls it
    std::string reason;    ///< why it waits or failed
    std::string run_dir;   ///< if the scheduler tells
    bool unasked = false;  ///< the scheduler could not be asked: unlike a job that it does not know
    std::vector<std::pair<std::string, JobState>> elements;  ///< of an array, by id

    JobState();  // these are defined where the type is complete, which clang 14 asks for
    ~JobState();
    JobState(const JobState& other);
    JobState(JobState&& other) noexcept;
    JobState& operator=(const JobState& other);
    JobState& operator=(JobState&& other) noexcept;

    bool active() const {
        return phase == Phase::queued || phase == Phase::held || phase == Phase::running;
    }
};

/// Throws Error (config) for a machine that is retired.
void check_machine_in_service(const Job& job);

/// Hands the script to the scheduler of the job's machine. Throws Error (unavailable) with the
/// scheduler's own words, (config) for a retired machine.
Submission submit(const Job& job, const std::string& script);

/// What the scheduler says. `id` as submit() gave it.
JobState ask(const Submission& job);
/// Throws Error (unavailable).
void cancel(const Submission& job);

/// The scheduler's word together with the job's own files: done only if both agree, so a job that
/// left no result is never called done.
JobState overall(const JobState& queue, const JobFiles& files);

// Parsers of answers.
JobState parse_qstat(const std::string& json, const std::string& id);
JobState parse_scontrol(const std::string& text);
JobState parse_sacct(const std::string& text);
/// Header line, then one line with id and state; "" is a job that is gone.
JobState parse_cobalt_qstat(const std::string& text, const std::string& id);
JobState parse_cobaltlog(const std::string& text);
/// Job id in the answer of qsub or sbatch --parsable, "" if there is none.
std::string parse_job_id(const std::string& text);

/// Why PBS did not run a job or how it ended, for people.
std::string pbs_exit_text(long exit_status);

}  // namespace xpcs::jobgen
