// SPDX-License-Identifier: BSD-3-Clause
// The command line of xpcs-jobgen: its own options beside those of the correlator, which are read
// by the correlator's own table.
#pragma once

#include "host/option_table.hpp"
#include "host/run_config.hpp"
#include "jobgen/job.hpp"

#include <string>
#include <vector>

namespace xpcs::jobgen {

struct Options {
    std::string deployment;
    std::vector<std::string> deployments;  ///< files of a site
    std::string queue, account, walltime, filesystems, dependency, name, run_dir, programs;
    std::string report;
    int nodes = 0;
    int gpus = -1;
    int workers = 1;
    bool stage = false, no_stage = false, again = false;
    std::string script_file;  ///< --output
    bool submit = false;

    // batch, launch
    std::string manifest, pattern, layout = "together";
    int runs_per_job = 0, active_jobs = 0;
    bool array = false, wait = false;
    double poll_s = 30;
    std::string watch, link;
    double settle_s = 30;
    bool once = false;
    std::string via;

    // flows
    std::string experiment, cycle, back, kind = "online", title, catalogue, collections;
    std::vector<std::string> groups;
    bool skip_back = false, no_publish = false;
    std::string input, function_id, check_file, published;
    int tasks = 4;
};

struct CommandLine {
    Options options;
    RunConfig config;  ///< of the correlator
    bool correlator_given = false;
    std::string device;  ///< "" unless -i or --device was there
    std::vector<std::string> positional;
    std::vector<std::string> all;  ///< with the program name, for the header of scripts
    bool help = false;
};

/// `groups`: which of our option groups the command takes. With `correlator`, also those of
/// xpcs-corr; `need_runs` checks them (-r and -q there, combinations possible).
struct CommandKind {
    std::string name;
    std::vector<std::string> groups;
    bool correlator = false;
    bool need_runs = false;
    bool positional = false;
};

/// Throws Error (usage, config, no_input).
CommandLine parse_command(const CommandKind& kind, const std::vector<std::string>& args);

std::string command_help(const CommandKind& kind, const std::string& usage);

/// Files of --deployments and of XPCS_DEPLOYMENTS.
Site site_of(const Options& options);

/// The deployment asked for, after the path rules of the site.
std::string deployment_for(const Site& site, const Options& options, const std::string& raw);

/// What --queue, --nodes... say.
JobOptions job_options(const Options& options, const Deployment& deployment);

/// Absolute path to what names a raw file relative to the current directory, one run each.
std::vector<Run> runs_of(const CommandLine& command, const Deployment& deployment);

}  // namespace xpcs::jobgen
