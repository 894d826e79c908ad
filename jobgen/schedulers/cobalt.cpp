// SPDX-License-Identifier: BSD-3-Clause
// Cobalt: directives from line 2 without a break, split at blanks, nothing can be quoted. The
// script is not copied when it is submitted, so it must not change afterwards.
#include "jobgen/schedulers/scheduler.hpp"
#include "jobgen/site_check.hpp"

namespace xpcs::jobgen::cobalt {

namespace {

std::string directives(const Job& job) {
    std::string out = "#!/bin/bash\n";
    const auto add = [&out](const std::string& text) { out += "#COBALT " + text + "\n"; };
    add("-t " + walltime_text(job.walltime_s));
    add("-n " + std::to_string(job.whole_nodes() ? job.nodes : job.gpus));
    add("-q " + job.queue.name);
    add("-A " + job.account);
    add("--jobname " + job.name);
    std::vector<std::string> attributes = job.machine.attributes;
    if (!job.filesystems.empty()) {
        attributes.push_back("filesystems=" + joined(job.filesystems, ","));
    }
    if (!attributes.empty()) {
        add("--attrs " + joined(attributes, ":"));
    }
    add("-O " + job.run_dir + "/cobalt-$jobid");
    if (!job.dependency.empty()) {
        add("--dependencies " + joined(job.dependency, ":"));
    }
    return out;
}

}  // namespace

std::string script(const Job& job) {
    Dialect dialect;
    dialect.job_id = "${COBALT_JOBID:-}";
    dialect.node_file = "${COBALT_NODEFILE:-}";
    return directives(job) + "\n" + body(job, dialect);
}

}  // namespace xpcs::jobgen::cobalt
