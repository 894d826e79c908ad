// SPDX-License-Identifier: BSD-3-Clause
// What the beamline calls with a raw file. Its lines `Flow Action ID: `, `URL: ` and `Status: ` are
// read by the data-management workflow, so they keep their form.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "host/version.hpp"
#include "jobgen/commands.hpp"
#include "jobgen/flow_requests.hpp"
#include "jobgen/job_files.hpp"
#include "jobgen/launch.hpp"
#include "jobgen/local_flow.hpp"
#include "jobgen/process.hpp"
#include "jobgen/queue_client.hpp"
#include "jobgen/run_finder.hpp"
#include "jobgen/schedulers/scheduler.hpp"
#include "jobgen/shell.hpp"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <thread>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

namespace {

const CommandKind launch_kind{
    "launch", {"Job", "Flow", "Launch", "Waiting", "Local flow"}, true, false, true};

struct Launched {
    std::string id, url;
    std::string run_dir;  ///< of a job or of a flow that ran here
    bool flow = false;
    int code = 0;  ///< of a flow that ran here
};

void say(const std::string& text) {
    std::cout << text << std::endl;
}

Outcome globus(const std::vector<std::string>& arguments) {
    std::vector<std::string> command{"globus"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    RunOptions options;
    options.timeout_s = 300;
    if (find_program("globus").empty()) {
        throw Error(ExitCode::unavailable,
                    "program globus is not in PATH; it starts flows (--via job submits a job)");
    }
    return run_program(command, options);
}

/// A service account acts by itself; without its secret the command line would ask a person.
void check_account(const Deployment& d) {
    const char* id = std::getenv("GLOBUS_CLI_CLIENT_ID");
    const char* secret = std::getenv("GLOBUS_CLI_CLIENT_SECRET");
    if (d.service_account && (!id || !*id || !secret || !*secret)) {
        throw Error(ExitCode::config,
                    "deployment '" + d.name +
                        "' uses a service account: set GLOBUS_CLI_CLIENT_ID and "
                        "GLOBUS_CLI_CLIENT_SECRET");
    }
    if (d.compute.function_id.empty()) {
        throw Error(ExitCode::config,
                    "deployment '" + d.name +
                        "' has no function_id: register the body of `xpcs-jobgen flow function` "
                        "and note its id there");
    }
}

Launched
start_globus(const Site& site, const Deployment& d, const Options& options, const Run& run) {
    check_account(d);
    const flow::InputRequest request = flow_request(site, d, options, run);
    const Json input = flow::input(site, d, run, request);
    flow::check_input(input, flow::input_schema("online"));
    const std::string file = run.output + "/" + run.name + ".flow-input.json";
    write_text(file, dump(input) + "\n");
    const Json extra = flow::run_options(d, request, run.name);
    std::vector<std::string> arguments{
        "flows", "start", d.flow_id, "--input", file, "--label", text_at(extra, "label")};
    const auto add = [&](const char* option, const Json& values) {
        for (const auto& value : values) {
            arguments.push_back(option);
            arguments.push_back(value.get<std::string>());
        }
    };
    add("--tag", extra["tags"]);
    add("--monitor", extra["run_monitors"]);
    add("--manager", extra["run_managers"]);
    for (const char* word : {"--jmespath", "run_id", "-F", "unix"}) {
        arguments.push_back(word);
    }
    say("Submitting flow to Globus...");
    const Outcome outcome = globus(arguments);
    if (outcome.code != 0) {
        throw Error(ExitCode::unavailable,
                    "globus flows start, exit code " + std::to_string(outcome.code) + ": " +
                        printable(last_line(outcome.err)));
    }
    Launched launched;
    launched.flow = true;
    launched.id = last_line(outcome.out);
    launched.url = "https://app.globus.org/runs/" + launched.id;
    say("Flow successfully submitted to Globus.");
    return launched;
}

Launched start_here(const Site& site, const Deployment& d, const Options& options, const Run& run) {
    const flow::InputRequest request = flow_request(site, d, options, run);
    LocalFlow flow;
    flow.definition = flow::definition("online", d.compute.via);
    flow.input = flow::input(site, d, run, request);
    flow::check_input(flow.input, flow::input_schema("online"));
    flow.collections = local_collections(site, options.collections);
    flow.run_dir = run.output + "/" + shell::safe_name(run.name, 100) + "-" + run.id + ".flow";
    flow.catalogue = absolute_path(options.catalogue.empty() ? run.output + "/catalogue.jsonl"
                                                             : options.catalogue);
    flow.log = &std::cout;
    Launched launched;
    launched.flow = true;
    launched.id = run.id;
    launched.run_dir = flow.run_dir;
    launched.url = "file://" + flow.run_dir;
    say("Flow Action ID: " + launched.id);
    launched.code = run_local(flow);
    return launched;
}

Launched
submit_job(const Site& site, const CommandLine& command, const Deployment& d, const Run& run) {
    Job job = make_job(site, d.name, {run}, command.device, job_options(command.options, d));
    job.command = command.all;
    job.version = version();
    const Submission s = submit(job, write_script(job, script(job)));
    Launched launched;
    launched.id = s.job_id;
    launched.run_dir = job.run_dir;
    launched.url = "file://" + job.run_dir;
    return launched;
}

/// What goes wrong while waiting, once each time that it changes.
class Trouble {
  public:
    void tell(const std::string& what) {
        if (!what.empty() && what != told_) {
            std::cerr << "xpcs-jobgen: " << printable(what) << std::endl;
        }
        told_ = what;
    }

  private:
    std::string told_;
};

int wait_for_flow(const Launched& launched, double poll_s) {
    std::string before;
    Trouble trouble;
    while (true) {
        const Outcome outcome =
            globus({"flows", "run", "show", launched.id, "--jmespath", "status", "-F", "unix"});
        const std::string status = outcome.code == 0 ? last_line(outcome.out) : "";
        trouble.tell(outcome.code == 0
                         ? ""
                         : "globus flows run show, exit code " + std::to_string(outcome.code) +
                               ": " + last_line(outcome.err) + "; asked again");
        if (!status.empty() && status != before) {
            say("Status: " + status);
            before = status;
        }
        if (status == "SUCCEEDED") {
            return 0;
        }
        if (status == "FAILED") {
            return 1;
        }
        if (status == "INACTIVE") {
            return 2;
        }
        std::this_thread::sleep_for(std::chrono::duration<double>(poll_s));
    }
}

int wait_for_job(const Launched& launched, double poll_s) {
    const Submission submission = read_submission(launched.run_dir);
    std::string before;
    Trouble trouble;
    while (true) {
        const JobFiles files = read_job_files(launched.run_dir);
        const JobState state = overall(ask(submission), files);
        trouble.tell(state.unasked ? state.reason + "; asked again" : "");
        std::string now = to_string(state.phase);
        if (state.phase == Phase::running && !files.runs.empty()) {
            now += ", " + files.runs.front().step;
        }
        if (now != before) {
            say("Status: " + now + (state.reason.empty() ? "" : ": " + printable(state.reason)));
            before = now;
        }
        if (!state.active() && !state.unasked && state.phase != Phase::unknown) {
            for (const auto& run : files.runs) {
                say((run.state == "done" ? "Result File: " + run.result : "ERROR: " + run.reason));
            }
            return state.phase == Phase::done ? 0 : std::max(1, state.exit_code);
        }
        std::this_thread::sleep_for(std::chrono::duration<double>(poll_s));
    }
}

/// One raw file: find what belongs to it, start it, and wait if asked to.
int launch_one(const Site& site, const CommandLine& command, const LaunchRequest& request) {
    CommandLine own = command;
    own.config.raw = {request.raw};
    own.config.qmap = find_qmap(request, command.config.qmap);
    if (own.options.experiment.empty()) {
        own.options.experiment = request.experiment;
    }
    const std::string name = deployment_for(site, own.options, request.raw);
    const Deployment& d = site.deployment(name);
    check_config(own.config);
    const Run run = runs_of(own, d).front();
    say("Raw File: " + printable(run.raw));
    say("QMap File: " + printable(run.qmap));
    say("Deployment: " + name);
    const std::string via = !own.options.via.empty()            ? own.options.via
                            : d.compute.via == "globus-compute" ? "flow"
                                                                : "job";
    if (command.config.dry_run) {
        say("Via: " + via);
        return 0;
    }
    const bool remote = via == "flow" && d.compute.via == "globus-compute";
    if (remote && d.flow_id.empty()) {
        throw Error(ExitCode::config,
                    "deployment '" + name +
                        "' has no flow_id: deploy the flow with `globus flows "
                        "create` and note its id there, or use --via job");
    }
    const Launched launched = remote          ? start_globus(site, d, own.options, run)
                              : via == "flow" ? start_here(site, d, own.options, run)
                                              : submit_job(site, own, d, run);
    if (remote || !launched.flow) {
        say("Flow Action ID: " + launched.id);
    }
    say("URL: " + launched.url);
    if (!own.options.link.empty()) {
        say("Result: " + own.options.link + run.name);
    }
    if (via == "flow" && !remote) {
        say(std::string("Status: ") + (launched.code == 0 ? "SUCCEEDED" : "FAILED"));
        return launched.code;
    }
    if (!own.options.wait) {
        say("Status: ACTIVE");
        return 0;
    }
    return remote ? wait_for_flow(launched, own.options.poll_s)
                  : wait_for_job(launched, own.options.poll_s);
}

/// Launches what is finished below the directory; the number of failures.
int launch_new(const Site& site,
               const CommandLine& command,
               LaunchLog& log,
               std::map<std::string, Trouble>& waiting) {
    int failures = 0;
    for (const auto& raw : runs_below(command.options.watch, "")) {
        const std::string path = absolute_path(raw);
        if (log.launched(path) || !is_settled(path, command.options.settle_s)) {
            continue;
        }
        LaunchRequest request;
        request.raw = path;
        if (!waiting.count(path)) {
            log.note(path, "claimed");
        }
        try {
            failures += launch_one(site, command, request) != 0;
            log.note(path, "launched");
        } catch (const Error& error) {
            ++failures;
            const std::string what = path + ": " + error.what();
            if (error.code() == ExitCode::unavailable) {
                // A full queue or a scheduler that is away comes back; the run must not be lost.
                waiting[path].tell(what + "; tried again");
                continue;
            }
            // One bad run must not stop the others; it is told and not tried for ever.
            Trouble().tell(what);
            log.note(path, std::string("failed: ") + error.what());
        }
    }
    return failures;
}

int watch(const Site& site, const CommandLine& command) {
    const std::string file = command.config.output + "/launched.jsonl";
    LaunchLog log(absolute_path(file));
    std::cout << "watching " << printable(command.options.watch) << ", notes in " << printable(file)
              << std::endl;
    int failures = 0;
    std::map<std::string, Trouble> waiting;
    Trouble directory;
    for (bool first = true; first || !command.options.once; first = false) {
        if (!first) {
            std::this_thread::sleep_for(std::chrono::duration<double>(command.options.poll_s));
        }
        try {
            failures += launch_new(site, command, log, waiting);
            directory.tell("");
        } catch (const Error& error) {
            // A directory that was readable may be so again: what is moved away while it is listed,
            // or a file server that is away for a while, must not end the night's watch.
            if (first || error.code() != ExitCode::no_input) {
                throw;
            }
            directory.tell(std::string(error.what()) + "; looked at again");
        }
    }
    return failures ? 1 : 0;
}

}  // namespace

int launch_command(const Words& args) {
    const CommandLine command = parse_command(launch_kind, args);
    if (command.help) {
        std::cout << command_help(
            launch_kind,
            "Usage: xpcs-jobgen launch RAW|filePath:RAW [fileDataDir:DIR experimentName:NAME] "
            "[options]\n"
            "       xpcs-jobgen launch --watch DIR [options]\n\n"
            "Finds q-map and deployment of a raw file and starts its flow or job; one line per\n"
            "step. Without -q the q-map is the only one in the nearest directory above the raw\n"
            "file. --wait stays until the end.\n");
        return 0;
    }
    const Site site = site_of(command.options);
    if (!command.options.watch.empty()) {
        return watch(site, command);
    }
    return launch_one(site, command, launch_request(command.positional, command.config.raw));
}

}  // namespace xpcs::jobgen
