// SPDX-License-Identifier: BSD-3-Clause
// One job: the runs it correlates, what it asks of the scheduler, and where things lie.
#pragma once

#include "host/run_config.hpp"
#include "jobgen/deployment.hpp"

#include <string>
#include <vector>

namespace xpcs::jobgen {

/// One run of the beamline to be correlated.
struct Run {
    std::string raw;                   ///< absolute
    std::string qmap;                  ///< absolute
    std::string output;                ///< absolute directory of the result
    std::string name;                  ///< of the data set, for people
    std::vector<std::string> options;  ///< of xpcs-corr, without -r -q -o and the device
    bool overwrite = false;
    std::string id;  ///< 16 hex digits of everything above: what is finished stays finished
};

/// What may be asked for instead of the deployment's values.
struct JobOptions {
    std::string queue;
    std::string account;
    long walltime_s = 0;
    int nodes = 0;
    int gpus = -1;
    std::vector<std::string> filesystems;
    std::vector<std::string> dependency;  ///< job ids that must succeed before
    std::string name;
    std::string run_dir;
    std::string report;        ///< auto | required | off
    std::string programs;      ///< directory of the programs
    int workers = 1;           ///< runs at the same time per GPU (or on the CPU)
    int runs_per_element = 0;  ///< > 0: a job array, so many runs per element
    int array_limit = 0;       ///< array elements at the same time; 0 = the queue's limit
    bool again = false;        ///< correlate although it was done before
    bool stage_given = false;
    bool stage_to_node = false;
};

struct Job {
    Deployment deployment;
    Machine machine;
    Queue queue;  ///< empty name without a scheduler
    std::string account;
    long walltime_s = 0;
    int nodes = 1;
    int gpus = 0;
    std::vector<std::string> filesystems;
    std::vector<std::string> dependency;
    std::string name;     ///< safe for every scheduler
    std::string run_dir;  ///< absolute: script, status and logs
    std::string report;
    std::string programs;
    std::string device;  ///< "" = as the machine has, else cpu, gpu:N, gpu:all
    int workers = 1;
    int runs_per_element = 0;
    int array_limit = 0;
    bool stage_to_node = false;
    std::vector<Run> runs;
    std::vector<std::string> command;  ///< that made it
    std::string version;
    std::vector<std::string> warnings;

    int n_elements() const;  ///< of the array; 1 = a plain job
    bool is_array() const { return n_elements() > 1; }
    bool whole_nodes() const { return !queue.by_gpu; }
};

/// How a raw file names its data set: "first-dot" (up to the first dot, as the beamline does) or
/// "stem" (without the known extensions). Throws Error (usage) when nothing is left.
std::string dataset_name(const std::string& raw, const std::string& rule);

/// q-map name without its last extension.
std::string qmap_name(const std::string& qmap);

/// Absolute, without "." and ".."; relative to the current directory. Does not look at the disk.
std::string absolute_path(const std::string& path);

/// 16 hex digits (FNV-1a), for names; not for security.
std::string fingerprint(const std::vector<std::string>& parts);

/// One run from a configuration: options checked, paths absolute.
Run make_run(const RunConfig& config, const std::string& raw, const Deployment& deployment);

/// Throws Error (config) when the deployment's machine cannot fulfil it, (usage) on a bad value.
/// `device_given`: -i or --device was on the command line.
Job make_job(const Site& site,
             const std::string& deployment,
             const std::vector<Run>& runs,
             const std::string& device,
             const JobOptions& options);

}  // namespace xpcs::jobgen
