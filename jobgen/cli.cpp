// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/cli.hpp"

#include "host/arguments.hpp"
#include "host/errors.hpp"
#include "host/options.hpp"
#include "host/text.hpp"
#include "jobgen/process.hpp"
#include "jobgen/site_check.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>

namespace xpcs::jobgen {

namespace {

OptionSpec spec(const std::string& group,
                const std::string& name,
                const std::string& metavar,
                const std::string& help) {
    OptionSpec s;
    s.group = group;
    s.name = name;
    s.metavar = metavar;
    s.help = help;
    if (metavar.empty()) {
        s.kind = ValueKind::flag;
    }
    return s;
}

OptionSpec counted(OptionSpec s, double least) {
    s.minimum = least;
    return s;
}

OptionSpec choice(OptionSpec s, std::vector<std::string> words) {
    s.choices = std::move(words);
    return s;
}

using O = Options;
using Rows = std::vector<Option<Options>>;

void add_job_rows(Rows& rows) {
    const std::string g = "Job";
    const auto text = [&](const char* n, std::string O::*m, const char* v, const char* h) {
        rows.push_back(option_row(spec(g, n, v, h), m));
    };
    const auto flag = [&](const char* n, bool O::*m, const char* h) {
        rows.push_back(option_row(spec(g, n, "", h), m));
    };
    text("deployment", &O::deployment, "NAME", "Entry of deployments.yaml; see xpcs-jobgen list.");
    text("queue", &O::queue, "NAME", "Instead of the deployment's queue.");
    text("account", &O::account, "NAME", "Allocation that pays.");
    text("walltime", &O::walltime, "HH:MM:SS", "Instead of the deployment's walltime.");
    rows.push_back(option_row(counted(spec(g, "nodes", "N", "Number of nodes."), 0), &O::nodes));
    rows.push_back(option_row(
        counted(spec(g, "gpus", "N", "GPUs, in a queue that counts them; else of each node."), -1),
        &O::gpus));
    text("filesystems", &O::filesystems, "A,B", "File systems that the job needs.");
    text("dependency", &O::dependency, "ID,ID", "Start only when these jobs have succeeded.");
    text("name", &O::name, "TEXT", "Name of the job.");
    text("run-dir",
         &O::run_dir,
         "DIR",
         "Script, states and logs of the job; default OUTPUT/NAME.job.");
    rows.push_back(option_row(
        counted(spec(g, "workers", "N", "Runs at the same time on each GPU, or on the CPU."), 1),
        &O::workers));
    rows.push_back(option_row(
        choice(spec(g, "report", "WHEN", "Make a report: auto where xpcs-portal is installed."),
               {"", "auto", "required", "off"}),
        &O::report));
    text("programs", &O::programs, "DIR", "Where xpcs-corr and xpcs-portal are; default PATH.");
    flag("stage", &O::stage, "Copy the input to node-local disk first.");
    flag("no-stage", &O::no_stage, "Read the input in place.");
    flag("again", &O::again, "Correlate although it was done before.");
    text("output", &O::script_file, "FILE", "Write the script there (the results go to -o DIR).");
    flag("submit", &O::submit, "Hand the job to the scheduler and print its id.");
}

void add_batch_rows(Rows& rows) {
    const std::string g = "Batch";
    rows.push_back(
        option_row(spec(g, "manifest", "FILE", "State of every data set."), &O::manifest));
    rows.push_back(
        option_row(spec(g, "pattern", "GLOB", "File names taken from a directory, e.g. '*.bin'."),
                   &O::pattern));
    rows.push_back(
        option_row(choice(spec(g,
                               "layout",
                               "HOW",
                               "Results all in -o DIR (together) or in DIR/<data set> (apart)."),
                          {"together", "apart"}),
                   &O::layout));
    rows.push_back(option_row(counted(spec(g,
                                           "runs-per-job",
                                           "N",
                                           "Runs in one job or array element; 0 = one for each "
                                           "GPU of the job and worker, without a scheduler all."),
                                      0),
                              &O::runs_per_job));
    rows.push_back(option_row(
        counted(
            spec(g, "active-jobs", "N", "Jobs queued or running at once; 0 = the queue's limit."),
            0),
        &O::active_jobs));
    rows.push_back(option_row(
        spec(g, "array", "", "One job array instead of several jobs, where there are arrays."),
        &O::array));
}

void add_wait_rows(Rows& rows) {
    const std::string g = "Waiting";
    rows.push_back(
        option_row(spec(g, "wait", "", "Stay until it is over, showing progress."), &O::wait));
    OptionSpec poll = counted(spec(g, "poll", "SECONDS", "Time between two questions."), 0);
    poll.above_minimum = true;
    rows.push_back(option_row(poll, &O::poll_s));
}

void add_launch_rows(Rows& rows) {
    const std::string g = "Launch";
    rows.push_back(option_row(
        choice(spec(g, "via", "HOW", "A flow, or a job of the scheduler."), {"", "flow", "job"}),
        &O::via));
    rows.push_back(
        option_row(spec(g, "watch", "DIR", "Launch each run that is finished there, exactly once."),
                   &O::watch));
    rows.push_back(option_row(
        counted(spec(g, "settle", "SECONDS", "A run is finished when its files rested so long."),
                0),
        &O::settle_s));
    rows.push_back(option_row(spec(g, "once", "", "Look once instead of for ever."), &O::once));
    rows.push_back(option_row(
        spec(g, "link", "URL", "Where results are shown; the data set is appended."), &O::link));
}

void add_flow_rows(Rows& rows) {
    const std::string g = "Flow";
    const auto text = [&](const char* n, std::string O::*m, const char* v, const char* h) {
        rows.push_back(option_row(spec(g, n, v, h), m));
    };
    rows.push_back(
        option_row(choice(spec(g, "kind", "KIND", "Which flow."), {"online", "batch", "reprocess"}),
                   &O::kind));
    text("experiment", &O::experiment, "NAME", "Experiment, e.g. comm202410.");
    text("cycle", &O::cycle, "YYYY-N", "Run cycle; default from the raw path.");
    text("back", &O::back, "DIR", "Directory at the source that gets the results back.");
    rows.push_back(
        option_row(spec(g, "group", "UUID", "Globus groups that may see the result."), &O::groups));
    rows.push_back(option_row(spec(g, "skip-transfer-back", "", "Send nothing back to the source."),
                              &O::skip_back));
    rows.push_back(option_row(spec(g, "no-publish", "", "Do not publish."), &O::no_publish));
    text("title", &O::title, "TEXT", "Title of the published record.");
    text("function-id", &O::function_id, "UUID", "Id of our registered Globus Compute function.");
    rows.push_back(option_row(
        counted(spec(g, "tasks", "N", "Compute tasks that share the runs of a batch."), 1),
        &O::tasks));
}

void add_run_rows(Rows& rows) {
    const std::string g = "Local flow";
    const auto text = [&](const char* n, std::string O::*m, const char* v, const char* h) {
        rows.push_back(option_row(spec(g, n, v, h), m));
    };
    text("input", &O::input, "FILE", "Input of the flow.");
    text("collections",
         &O::collections,
         "FILE",
         "Directories that stand for collections; default: as in deployments.yaml.");
    text("catalogue",
         &O::catalogue,
         "FILE",
         "Where ingested records go: the portal's catalogue if the name ends in .db, else lines "
         "of JSON; default catalogue.jsonl.");
}

void add_reprocess_rows(Rows& rows) {
    const std::string g = "Reprocessing";
    rows.push_back(
        option_row(spec(g, "published", "DIR", "The published data set that is processed again."),
                   &O::published));
}

const OptionTable<Options>& own_table() {
    static const OptionTable<Options> table = [] {
        Rows rows;
        OptionSpec files =
            spec("General", "deployments", "FILE", "Deployments of the site; may be repeated.");
        rows.push_back(option_row(files, &O::deployments));
        add_job_rows(rows);
        add_batch_rows(rows);
        add_wait_rows(rows);
        add_launch_rows(rows);
        add_flow_rows(rows);
        add_run_rows(rows);
        add_reprocess_rows(rows);
        return OptionTable<Options>(std::move(rows));
    }();
    return table;
}

bool takes(const CommandKind& kind, const OptionSpec& option) {
    return option.group == "General" ||
           std::find(kind.groups.begin(), kind.groups.end(), option.group) != kind.groups.end();
}

/// The options of a command: ours, then the correlator's. --output is ours; the correlator's
/// directory keeps -o and is --output-dir here.
struct Merged {
    std::vector<OptionSpec> specs;
    std::vector<std::size_t> own;         ///< index into own_table() of the first specs
    std::vector<std::size_t> correlator;  ///< index into run_options() of the rest
};

Merged merged(const CommandKind& kind) {
    Merged all;
    const auto own = own_table().specs();
    for (std::size_t i = 0; i < own.size(); ++i) {
        if (takes(kind, own[i])) {
            all.specs.push_back(own[i]);
            // One value each: more would swallow what follows.
            if (all.specs.back().kind == ValueKind::list) {
                all.specs.back().kind = ValueKind::text;
            }
            all.own.push_back(i);
        }
    }
    if (kind.correlator) {
        const auto theirs = run_options().specs();
        for (std::size_t i = 0; i < theirs.size(); ++i) {
            all.specs.push_back(theirs[i]);
            if (theirs[i].name == "output") {
                all.specs.back().name = "output-dir";
            }
            all.correlator.push_back(i);
        }
    }
    return all;
}

void read_correlator(const std::vector<std::string>& args,
                     const CommandKind& kind,
                     CommandLine& out) {
    out.correlator_given = !args.empty();
    if (!kind.correlator) {
        return;
    }
    if (kind.need_runs) {
        out.config = parse_correlate(args);
    } else {
        out.config = parse_options(args);
    }
}

}  // namespace

CommandLine parse_command(const CommandKind& kind, const std::vector<std::string>& args) {
    const Merged all = merged(kind);
    const Arguments arguments = parse_arguments(args, all.specs, kind.positional);
    CommandLine out;
    out.all = {"xpcs-jobgen", kind.name};
    out.all.insert(out.all.end(), args.begin(), args.end());
    out.help = arguments.help;
    out.positional = arguments.positional;
    if (out.help) {
        return out;
    }
    Arguments ours;
    std::vector<std::string> theirs;
    for (const auto& assignment : arguments.assignments) {
        if (assignment.option < all.own.size()) {
            ours.assignments.push_back(
                {all.own[assignment.option], assignment.value, assignment.as_written});
            continue;
        }
        const auto& name =
            run_options().options()[all.correlator[assignment.option - all.own.size()]].spec.name;
        theirs.push_back("--" + name + "=" + assignment.value);
        if (name == "device" || name == "gpu-id") {
            out.device = "given";
        }
    }
    apply(ours, own_table(), out.options);
    read_correlator(theirs, kind, out);
    if (!out.device.empty()) {
        out.device = device_of(out.config);
    }
    return out;
}

std::string command_help(const CommandKind& kind, const std::string& usage) {
    return usage + "\n" + options_help(merged(kind).specs) +
           "\n  -h, --help              Show this text.\n";
}

Site site_of(const Options& options) {
    std::vector<std::string> files;
    if (const char* listed = std::getenv("XPCS_DEPLOYMENTS")) {
        std::istringstream parts(listed);
        for (std::string part; std::getline(parts, part, ':');) {
            if (!part.empty()) {
                files.push_back(part);
            }
        }
    }
    files.insert(files.end(), options.deployments.begin(), options.deployments.end());
    return load_site(files);
}

std::string deployment_for(const Site& site, const Options& options, const std::string& raw) {
    const std::string path = absolute_path(raw);
    for (const auto& rule : site.path_rules) {
        std::string below = rule.below;
        while (below.size() > 1 && below.back() == '/') {
            below.pop_back();
        }
        if (path.rfind(below + "/", 0) == 0) {
            return rule.deployment;
        }
    }
    const std::string name =
        options.deployment.empty() ? site.default_deployment : options.deployment;
    return site.deployment(name).name;
}

namespace {

std::vector<std::string> split(const std::string& text, const std::string& separators) {
    std::vector<std::string> parts;
    std::string part;
    for (const char c : text + separators.substr(0, 1)) {
        if (separators.find(c) == std::string::npos) {
            part += c;
        } else if (!part.empty()) {
            parts.push_back(std::move(part));
            part.clear();
        }
    }
    return parts;
}

}  // namespace

JobOptions job_options(const Options& options, const Deployment& deployment) {
    JobOptions job;
    job.queue = options.queue;
    job.account = options.account;
    if (!options.walltime.empty()) {
        job.walltime_s = parse_walltime(options.walltime);
        if (job.walltime_s <= 0) {
            throw Error(ExitCode::usage,
                        "--walltime is '" + printable(options.walltime) + "'; allowed: HH:MM:SS");
        }
    }
    job.nodes = options.nodes;
    job.gpus = options.gpus;
    job.filesystems = split(options.filesystems, ",:");
    job.dependency = split(options.dependency, ",: ");
    job.name = options.name;
    job.run_dir = options.run_dir;
    job.report = options.report;
    job.workers = options.workers;
    job.programs = absolute_path(options.programs);
    // Where none is in PATH, the programs that were built with this one are meant.
    if (job.programs.empty() && deployment.programs.empty() && deployment.machine == "localhost" &&
        find_program("xpcs-corr").empty() &&
        ::access((own_directory() + "/xpcs-corr").c_str(), X_OK) == 0) {
        job.programs = own_directory();
    }
    if (options.stage && options.no_stage) {
        throw Error(ExitCode::usage, "--stage and --no-stage exclude each other");
    }
    job.stage_given = options.stage || options.no_stage;
    job.stage_to_node = options.stage;
    return job;
}

std::vector<Run> runs_of(const CommandLine& command, const Deployment& deployment) {
    std::vector<Run> runs;
    for (const auto& raw : command.config.raw) {
        runs.push_back(make_run(command.config, raw, deployment));
        if (command.options.again) {
            const auto now = std::chrono::system_clock::now().time_since_epoch().count();
            runs.back().id = fingerprint({runs.back().id, std::to_string(now)});
        }
    }
    return runs;
}

}  // namespace xpcs::jobgen
