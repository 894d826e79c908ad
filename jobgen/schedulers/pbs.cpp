// SPDX-License-Identifier: BSD-3-Clause
// PBS Pro: directives stand at the top with nothing between them, none has a trailing comment, and
// values that would need quoting never reach one.
#include "jobgen/schedulers/scheduler.hpp"
#include "jobgen/shell.hpp"
#include "jobgen/site_check.hpp"

namespace xpcs::jobgen::pbs {

namespace {

std::string directives(const Job& job) {
    std::string out = "#!/bin/bash -l\n";
    const auto add = [&out](const std::string& text) { out += "#PBS " + text + "\n"; };
    add("-N " + job.name);
    add("-A " + job.account);
    add("-q " + job.queue.name);
    // In a queue that counts GPUs, a chunk is one GPU.
    const int chunks = job.whole_nodes() ? job.nodes : job.gpus;
    add("-l select=" + std::to_string(chunks) +
        (job.machine.select.empty() ? "" : ":" + job.machine.select));
    if (!job.machine.place_policy.empty() && job.whole_nodes()) {
        add("-l place=" + job.machine.place_policy);
    }
    add("-l walltime=" + walltime_text(job.walltime_s));
    if (!job.filesystems.empty()) {
        add("-l filesystems=" + joined(job.filesystems, ":"));
    }
    add("-j oe");
    if (shell::is_plain_path(job.run_dir)) {
        add("-o " + job.run_dir + "/");
    }
    // Arrays must be rerunnable; for the rest the deployment decides.
    add(job.deployment.requeue || job.is_array() ? "-r y" : "-r n");
    if (job.is_array()) {
        const std::string limit =
            job.array_limit > 0 ? std::string(1, '%').append(std::to_string(job.array_limit)) : "";
        add("-J 0-" + std::to_string(job.n_elements() - 1) + limit);
    }
    if (!job.dependency.empty()) {
        add("-W depend=afterok:" + joined(job.dependency, ":"));
    }
    return out;
}

}  // namespace

std::string script(const Job& job) {
    Dialect dialect;
    dialect.job_id = "${PBS_JOBID:-}";
    dialect.array_index = job.is_array() ? "${PBS_ARRAY_INDEX:-}" : "";
    dialect.node_file = "${PBS_NODEFILE:-}";
    return directives(job) + "\n" + body(job, dialect);
}

}  // namespace xpcs::jobgen::pbs
