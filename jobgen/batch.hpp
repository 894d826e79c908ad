// SPDX-License-Identifier: BSD-3-Clause
// Many runs: a manifest keeps the state of each, jobs are submitted as the limit allows, and what
// failed or is missing can be done again.
#pragma once

#include "jobgen/job.hpp"
#include "jobgen/job_files.hpp"
#include "jobgen/json.hpp"

#include <map>
#include <string>
#include <vector>

namespace xpcs::jobgen {

struct DataSet {
    Run run;
    std::string state = "pending";  ///< pending, submitted, running, done, failed
    std::string reason, result;
    int exit_code = 0;
    int job = -1;  ///< index into Manifest::jobs of the last attempt
};

struct BatchJob {
    Submission submission;
    std::vector<int> datasets;  ///< run number n of the job is datasets[n - 1]
    bool over = false;
};

struct Manifest {
    std::string file;
    std::string deployment;
    std::vector<std::string> deployment_files;
    JobOptions options;
    std::string device;
    int runs_per_job = 0;
    int active_jobs = 0;
    bool array = false;
    std::vector<DataSet> datasets;
    std::vector<BatchJob> jobs;
    std::string unasked;  ///< why the last refresh() knows less than it should; not kept

    std::map<std::string, int> count() const;  ///< data sets by state
};

Manifest read_manifest(const std::string& file);
void write_manifest(const Manifest& manifest);

/// Throws Error (config, usage) when the jobs of pending data sets could not be submitted.
void check_jobs(const Manifest& manifest,
                const Site& site,
                const std::vector<std::string>& command);

/// Asks the schedulers and reads the state files.
void refresh(Manifest& manifest);

/// Submits jobs for pending data sets as far as the limit of active jobs allows; the number of jobs
/// submitted.
int submit_more(Manifest& manifest, const Site& site, const std::vector<std::string>& command);

/// What failed becomes pending again.
void reset_failed(Manifest& manifest);

/// 0 when everything is done or still on its way, else the exit code of the first failure.
int batch_code(const Manifest& manifest);

}  // namespace xpcs::jobgen
