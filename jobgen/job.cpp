// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/job.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/shell.hpp"
#include "jobgen/site_check.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

int Job::n_elements() const {
    if (runs_per_element <= 0 || runs.empty()) {
        return 1;
    }
    const auto per = static_cast<std::size_t>(runs_per_element);
    return static_cast<int>((runs.size() + per - 1) / per);
}

std::string dataset_name(const std::string& raw, const std::string& rule) {
    const std::string file = raw.substr(raw.rfind('/') + 1);
    std::string name = file.substr(0, file.find('.'));
    if (rule == "stem") {
        name = file;
        // A module number first (.000), then the format.
        static const std::vector<std::string> known{".000",
                                                    ".001",
                                                    ".002",
                                                    ".003",
                                                    ".004",
                                                    ".005",
                                                    ".bin",
                                                    ".h5",
                                                    ".hdf",
                                                    ".hdf5",
                                                    ".imm",
                                                    ".tpx",
                                                    ".nxs"};
        for (int round = 0; round < 2; ++round) {
            for (const auto& end : known) {
                if (name.size() > end.size() && name.ends_with(end)) {
                    name.resize(name.size() - end.size());
                    break;
                }
            }
        }
    }
    if (name.empty() || name == "..") {
        throw Error(ExitCode::usage,
                    "raw file '" + printable(raw) +
                        "' gives no data set name; allowed: a file whose name does not begin "
                        "with a dot");
    }
    return name;
}

std::string qmap_name(const std::string& qmap) {
    const std::string file = qmap.substr(qmap.rfind('/') + 1);
    const std::size_t dot = file.rfind('.');
    return dot == std::string::npos || dot == 0 ? file : file.substr(0, dot);
}

std::string absolute_path(const std::string& path) {
    if (path.empty()) {
        return path;
    }
    std::string text = fs::absolute(fs::path(path)).lexically_normal().string();
    while (text.size() > 1 && text.back() == '/') {
        text.pop_back();
    }
    return text;
}

std::string fingerprint(const std::vector<std::string>& parts) {
    std::uint64_t hash = 14695981039346656037ULL;
    const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 1099511628211ULL; };
    for (const auto& part : parts) {
        for (const char c : part) {
            add(static_cast<unsigned char>(c));
        }
        add(0);
    }
    char text[20];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash));
    return text;
}

Run make_run(const RunConfig& config, const std::string& raw, const Deployment& deployment) {
    Run run;
    run.raw = absolute_path(raw);
    run.qmap = absolute_path(config.qmap);
    run.output = absolute_path(config.output);
    run.name = dataset_name(raw, deployment.dataset_name);
    run.overwrite = config.overwrite;
    RunConfig rest = config;
    rest.raw.clear();
    rest.qmap.clear();
    rest.output = RunConfig{}.output;
    rest.device.clear();
    rest.gpu_id = RunConfig{}.gpu_id;
    rest.overwrite = false;
    rest.dry_run = false;
    rest.metadata = absolute_path(config.metadata);
    rest.run_config_path = absolute_path(config.run_config_path);
    rest.summary = absolute_path(config.summary);
    rest.config_file.clear();  // its values are in the configuration already
    run.options = to_command_line(rest);
    std::vector<std::string> parts{run.raw, run.qmap, run.output};
    parts.insert(parts.end(), run.options.begin(), run.options.end());
    run.id = fingerprint(parts);
    return run;
}

namespace {

void check_texts(const Job& job) {
    if (!job.account.empty() && !is_word(job.account)) {
        throw Error(ExitCode::usage,
                    "account '" + printable(job.account) +
                        "' is not possible; allowed: letters, digits and . _ -");
    }
    for (const auto& id : job.dependency) {
        const bool good = !id.empty() && id[0] != '-' &&
                          id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                                               "XYZ0123456789._-[]") == std::string::npos;
        if (!good) {
            throw Error(ExitCode::usage,
                        "dependency '" + printable(id) +
                            "' is no job id; allowed: letters, digits and . _ - [ ]");
        }
    }
}

void check_scheduler(const Job& job) {
    const Scheduler kind = job.machine.scheduler;
    if (kind == Scheduler::shell) {
        if (!job.dependency.empty()) {
            throw Error(ExitCode::config,
                        "deployment '" + job.deployment.name +
                            "' has no scheduler, so a job cannot wait for another one");
        }
        return;
    }
    if (kind != Scheduler::slurm && job.account.empty()) {
        throw Error(ExitCode::config,
                    "deployment '" + job.deployment.name + "' names no account and " +
                        to_string(kind) + " needs one: give --account");
    }
    if (kind == Scheduler::cobalt && !shell::is_plain_path(job.run_dir)) {
        throw Error(ExitCode::config,
                    "run directory '" + printable(job.run_dir) +
                        "' is not possible with Cobalt; allowed: letters, digits and / . _ + - =");
    }
}

void check_array(Job& job) {
    if (!job.is_array()) {
        return;
    }
    const Scheduler kind = job.machine.scheduler;
    if (kind == Scheduler::shell || kind == Scheduler::cobalt) {
        job.runs_per_element = 0;  // one job goes through all of them
        return;
    }
    if (job.nodes > 1) {
        throw Error(ExitCode::config,
                    "an array element has one node; nodes is " + std::to_string(job.nodes));
    }
    const int limit = job.queue.array_limit;
    if (limit == 1) {
        throw Error(ExitCode::config,
                    "queue '" + job.queue.name + "' takes no job array; runs per element is " +
                        std::to_string(job.runs_per_element) + ", allowed: all runs in one job");
    }
    if (job.array_limit == 0 || (limit > 0 && job.array_limit > limit)) {
        job.array_limit = limit;
    }
    if (job.n_elements() > 10'000) {
        throw Error(ExitCode::config,
                    "a job array of " + std::to_string(job.n_elements()) +
                        " elements is too large; allowed: 10000");
    }
}

}  // namespace

Job make_job(const Site& site,
             const std::string& deployment,
             const std::vector<Run>& runs,
             const std::string& device,
             const JobOptions& options) {
    Job job;
    job.deployment = site.deployment(deployment);
    job.machine = site.machine_of(job.deployment);
    const Deployment& d = job.deployment;
    const std::string queue = options.queue.empty() ? d.queue : options.queue;
    job.account = options.account.empty() ? d.account : options.account;
    job.walltime_s = options.walltime_s > 0 ? options.walltime_s : d.walltime_s;
    job.nodes = options.nodes > 0 ? options.nodes : d.nodes;
    job.gpus = options.gpus >= 0 ? options.gpus : d.gpus;
    job.filesystems = options.filesystems.empty() ? d.filesystems : options.filesystems;
    std::string field;
    const Request request{queue, job.walltime_s, job.nodes, job.gpus, job.filesystems};
    if (const auto trouble = impossible(job.machine, request, field); !trouble.empty()) {
        throw Error(ExitCode::config, "deployment '" + d.name + "': " + trouble);
    }
    if (const auto found = job.machine.queues.find(queue); found != job.machine.queues.end()) {
        job.queue = found->second;
    }
    job.dependency = options.dependency;
    job.report = options.report.empty() ? d.report : options.report;
    job.programs = options.programs.empty() ? d.programs : options.programs;
    job.device = device;
    job.workers = options.workers;
    job.runs_per_element = options.runs_per_element;
    job.array_limit = options.array_limit;
    job.stage_to_node = options.stage_given ? options.stage_to_node : d.stage_to_node;
    job.runs = runs;
    if (runs.empty()) {
        throw Error(ExitCode::usage, "no raw file is named; allowed: -r FILE...");
    }
    const std::string wanted = options.name.empty() ? "xpcs-" + runs.front().name : options.name;
    job.name = shell::safe_name(wanted, 120);
    job.run_dir = absolute_path(
        options.run_dir.empty() ? runs.front().output + "/" + job.name + ".job" : options.run_dir);
    if (job.machine.retired) {
        job.warnings.push_back("machine " + job.machine.name +
                               " is retired: the script cannot be submitted there");
    }
    check_texts(job);
    check_scheduler(job);
    check_array(job);
    const bool of_array = std::any_of(job.dependency.begin(),
                                      job.dependency.end(),
                                      [](const auto& id) { return id.find('[') != id.npos; });
    if (of_array && job.machine.scheduler == Scheduler::pbs) {
        job.warnings.emplace_back("PBS judges an array by the element that ended last: the job may "
                                  "start although another one failed");
    }
    return job;
}

}  // namespace xpcs::jobgen
