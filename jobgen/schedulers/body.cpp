// SPDX-License-Identifier: BSD-3-Clause
// The settings and runs of one job, as bash.
#include "jobgen/schedulers/scheduler.hpp"
#include "jobgen/shell.hpp"

#include <algorithm>

namespace xpcs::jobgen {

namespace {

using shell::quote;

std::string header(const Job& job) {
    std::string out;
    out += shell::comment("Made by xpcs-jobgen " + job.version + " for deployment " +
                          job.deployment.name + " (" + job.machine.name + ") with:");
    out += shell::comment("  " + quote(job.command));
    return out;
}

std::string set(const std::string& name, const std::string& value) {
    return name + "=" + (value.empty() ? "''" : quote(value)) + "\n";
}

std::string settings(const Job& job, const Dialect& dialect) {
    const bool bind = job.whole_nodes();
    std::string out;
    out += set("job_name", job.name);
    out += set("deployment", job.deployment.name);
    out += set("made_by", "xpcs-jobgen " + job.version);
    out += set("scheduler", to_string(job.machine.scheduler));
    out += set("run_dir", job.run_dir);
    out += "job_id=" + dialect.job_id + "\n";
    out += "array_index=" + (dialect.array_index.empty() ? "''" : dialect.array_index) + "\n";
    out += "restarts=" + dialect.restarts + "\n";
    out += set("nodes", std::to_string(job.nodes));
    out += set("launch_always", job.machine.launch_always ? "yes" : "no");
    // A queue that counts GPUs shows only those that were given, numbered from 0.
    const int gpus = !bind ? job.gpus : job.gpus > 0 ? job.gpus : job.machine.gpus_per_node;
    out += "gpus_per_node=" + std::to_string(gpus) + "  # -1: counted when the job starts\n";
    out +=
        "gpu_cpus=(" + (bind ? quote(job.machine.gpu_cpus) : "") + ")  # CPUs near GPU 0, 1...\n";
    out += set("device", job.device);
    out += "workers=" + std::to_string(job.workers) + "  # runs at the same time per GPU\n";
    out += set("node_local", job.machine.node_local);
    out += set("stage", job.stage_to_node ? "yes" : "no");
    out += set("report", job.report);
    out += set("programs", job.programs);
    out += "runs_per_element=" + std::to_string(job.is_array() ? job.runs_per_element : 0) + "\n";
    out += "max_restarts=3\n";
    return out;
}

std::string failed(const std::string& command) {
    return "give_up 69 " + quote("environment: " + command + " failed");
}

void add_environment(const Environment& environment, std::string& out) {
    for (const auto& [name, value] : environment.variables) {
        out += "    export " + name + "=" + (value.empty() ? "''" : quote(value)) + "\n";
    }
    const auto checked = [&out](const std::string& command) {
        out += "    " + command + " || " + failed(command) + "\n";
    };
    for (const auto& path : environment.module_paths) {
        checked("module use " + quote(path));
    }
    for (const auto& name : environment.modules) {
        checked("module load " + quote(name));
    }
    for (const auto& line : environment.setup) {
        // A line of its own: it may end in a comment or a semicolon, or be several lines.
        out += "    {\n" + line + "\n    } || " + failed(line) + "\n";
    }
}

std::string environment(const Job& job) {
    std::string out = "environment() {  # of the machine and the deployment\n"
                      "    set +eu  # module functions use unset variables\n";
    add_environment(job.machine.environment, out);
    add_environment(job.deployment.environment, out);
    return out + "    set -eu\n}\n";
}

std::string launcher(const Job& job, const Dialect& dialect) {
    const std::string threads = std::to_string(std::max(job.machine.threads_per_node, 1));
    const std::string hosts = dialect.node_file;
    std::string command = "\"$@\"";
    if (job.machine.launcher == "mpiexec") {
        command = "mpiexec -n \"$nodes\" --ppn 1 --depth=" + threads +
                  " --cpu-bind depth --hostfile \"" + hosts + "\" \"$@\"";
    } else if (job.machine.launcher == "mpirun") {
        command =
            "mpirun -hostfile \"" + hosts + "\" -n \"$nodes\" -npernode 1 --bind-to none \"$@\"";
    } else if (job.machine.launcher == "aprun") {
        command = "aprun -n \"$nodes\" -N 1 -d " + threads + " -j 4 -cc depth \"$@\"";
    } else if (job.machine.launcher == "srun") {
        command = "srun --nodes=\"$nodes\" --ntasks=\"$nodes\" --ntasks-per-node=1 "
                  "--cpus-per-task=" +
                  threads + " \"$@\"";
    }
    return "launch() {  # the same program once on every node\n    " + command + "\n}\n";
}

std::string requeue(const Dialect& dialect) {
    return "requeue() {  # puts this job back into the queue\n    " +
           (dialect.requeue.empty() ? "return 1" : dialect.requeue) + "\n}\n";
}

std::string runs(const Job& job) {
    std::string out = "n_runs=" + std::to_string(job.runs.size()) + "\n";
    out += "run_data() {  # run_data NUMBER: sets what belongs to one run\n    case $1 in\n";
    for (std::size_t i = 0; i < job.runs.size(); ++i) {
        const Run& run = job.runs[i];
        out += "    " + std::to_string(i + 1) + ")\n";
        out += "        name=" + quote(run.name) + " id=" + quote(run.id) +
               " overwrite=" + (run.overwrite ? "yes" : "no") + "\n";
        out += "        raw=" + quote(run.raw) + "\n";
        out += "        qmap=" + quote(run.qmap) + "\n";
        out += "        output=" + quote(run.output) + "\n";
        out += "        options=(" + quote(run.options) + ")\n";
        out += "        ;;\n";
    }
    return out + "    *) return 96 ;;\n    esac\n}\n";
}

}  // namespace

std::string body(const Job& job, const Dialect& dialect) {
    return header(job) + "\nset -euo pipefail\nshopt -s nullglob\numask o-w\n\n" +
           settings(job, dialect) + "\n" + environment(job) + "\n" + launcher(job, dialect) + "\n" +
           requeue(dialect) + "\n" + runs(job) + "\n" + program_text();
}

}  // namespace xpcs::jobgen
