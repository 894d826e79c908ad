// SPDX-License-Identifier: BSD-3-Clause
// Slurm: directives in column 0 before the first command.
#include "jobgen/schedulers/scheduler.hpp"
#include "jobgen/shell.hpp"
#include "jobgen/site_check.hpp"

#include <algorithm>

namespace xpcs::jobgen::slurm {

namespace {

// So long before the end of the walltime the script is told to stop cleanly.
constexpr long warning_s = 120;

void add_resources(const Job& job, std::string& out) {
    const auto add = [&out](const std::string& text) { out += "#SBATCH --" + text + "\n"; };
    const Machine& m = job.machine;
    add("nodes=" + std::to_string(job.nodes));
    add("ntasks-per-node=1");
    if (job.whole_nodes()) {
        if (m.threads_per_node > 0) {
            add("cpus-per-task=" + std::to_string(m.threads_per_node));
        }
        // Some, if some are asked for; else all that a node has.
        const int gpus = job.gpus > 0 ? job.gpus : std::max(m.gpus_per_node, 0);
        if (gpus > 0) {
            add("gpus-per-node=" + std::to_string(gpus));
            add("gpu-bind=none");
        }
        return;
    }
    if (job.queue.cpus_per_gpu > 0) {
        add("cpus-per-task=" + std::to_string(job.queue.cpus_per_gpu * job.gpus));
    }
    add("gpus=" + std::to_string(job.gpus));
}

std::string directives(const Job& job) {
    std::string out = "#!/bin/bash\n";
    const auto add = [&out](const std::string& text) { out += "#SBATCH --" + text + "\n"; };
    add("job-name=" + job.name);
    if (!job.account.empty()) {
        add("account=" + job.account);
    }
    add(job.machine.queue_option + "=" + job.queue.name);
    if (!job.machine.constraint.empty()) {
        add("constraint=" + job.machine.constraint);
    }
    add_resources(job, out);
    add("time=" + walltime_text(job.walltime_s));
    if (shell::is_plain_path(job.run_dir)) {
        add("output=" + job.run_dir + (job.is_array() ? "/slurm-%A_%a.out" : "/slurm-%j.out"));
    }
    add("open-mode=append");
    add(job.deployment.requeue ? "requeue" : "no-requeue");
    add("signal=B:USR1@" + std::to_string(std::min(warning_s, job.walltime_s / 4)));
    if (job.is_array()) {
        const std::string limit =
            job.array_limit > 0 ? std::string(1, '%').append(std::to_string(job.array_limit)) : "";
        add("array=0-" + std::to_string(job.n_elements() - 1) + limit);
    }
    if (!job.dependency.empty()) {
        add("dependency=afterok:" + joined(job.dependency, ":"));
        add("kill-on-invalid-dep=yes");
    }
    return out;
}

}  // namespace

std::string script(const Job& job) {
    Dialect dialect;
    dialect.job_id =
        job.is_array() ? "${SLURM_ARRAY_JOB_ID:-}_${SLURM_ARRAY_TASK_ID:-}" : "${SLURM_JOB_ID:-}";
    dialect.array_index = job.is_array() ? "${SLURM_ARRAY_TASK_ID:-}" : "";
    dialect.restarts = "${SLURM_RESTART_COUNT:-0}";
    dialect.requeue = job.deployment.requeue ? "scontrol requeue \"$SLURM_JOB_ID\"" : "";
    return directives(job) + "\n" + body(job, dialect);
}

}  // namespace xpcs::jobgen::slurm
