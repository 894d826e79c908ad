// SPDX-License-Identifier: BSD-3-Clause
// flow definition | input | schema | function | check, and run.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/commands.hpp"
#include "jobgen/flow_requests.hpp"
#include "jobgen/local_flow.hpp"
#include "jobgen/process.hpp"

#include <chrono>
#include <ctime>
#include <filesystem>
#include <iostream>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

namespace {

const CommandKind flow_kind{"flow", {"Job", "Flow", "Batch"}, true, false, true};

/// The directory below the cycle, as in .../2025-1/comm202503/data/...
std::string experiment_of(const std::string& raw, const std::vector<std::string>& prefixes) {
    for (const auto& prefix : prefixes) {
        if (raw.rfind(prefix, 0) == 0) {
            const std::size_t cycle_end = raw.find('/', prefix.size());
            const std::size_t end = raw.find('/', cycle_end + 1);
            if (cycle_end != std::string::npos && end != std::string::npos) {
                return raw.substr(cycle_end + 1, end - cycle_end - 1);
            }
        }
    }
    return "";
}

/// The run cycle of today: three per year.
std::string cycle_of_today() {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    return std::to_string(utc.tm_year + 1900) + "-" + std::to_string(utc.tm_mon / 4 + 1);
}

}  // namespace

flow::InputRequest flow_request(const Site& site,
                                const Deployment& deployment,
                                const Options& options,
                                const Run& run) {
    flow::InputRequest r;
    const bool here = deployment.compute.via == "here";
    r.kind = options.kind;
    r.experiment = options.experiment;
    if (r.experiment.empty()) {
        r.experiment = experiment_of(run.raw, site.cycle_prefixes);
    }
    if (r.experiment.empty() && here) {
        r.experiment = "local";
    }
    if (!options.cycle.empty()) {
        r.cycle = flow::checked_cycle(options.cycle);
    } else if (r.kind != "batch") {
        try {
            r.cycle = flow::cycle_of(run.raw, site.cycle_prefixes);
        } catch (const Error&) {
            if (!here) {
                throw;
            }
            r.cycle = cycle_of_today();
        }
    }
    r.back = options.back;
    r.transfer_back = !options.skip_back && !(here && options.back.empty());
    r.publish = !options.no_publish;
    r.title = options.title;
    r.user = user_name();
    r.function_id = options.function_id;
    r.groups = options.groups;
    r.tasks = options.tasks;
    r.staging_name = options.name;
    return r;
}

Json flow_input(const Site& site,
                const Deployment& deployment,
                const Options& options,
                const std::vector<Run>& runs) {
    const flow::InputRequest request = flow_request(site, deployment, options, runs.front());
    if (options.kind == "batch") {
        return flow::batch_input(site, deployment, runs, request);
    }
    if (runs.size() != 1) {
        throw Error(ExitCode::usage,
                    std::to_string(runs.size()) +
                        " raw files are named; allowed: one, or --kind batch");
    }
    return flow::input(site, deployment, runs.front(), request);
}

std::map<std::string, std::string> local_collections(const Site& site, const std::string& file) {
    std::map<std::string, std::string> found;
    for (const auto& [key, collection] : site.collections) {
        found[collection.id] = collection.path;
    }
    if (file.empty()) {
        return found;
    }
    const Raw raw = parse_yaml(read_text(file), file);
    for (const auto& [name, value] : raw.members) {
        const auto known = site.collections.find(name);
        const std::string directory = absolute_path(text_of(value, "collection '" + name + "'"));
        found[known == site.collections.end() ? name : known->second.id] = directory;
    }
    return found;
}

namespace {

int print_definition(const CommandLine& command, const Site& site) {
    const Deployment& deployment = site.deployment(
        command.options.deployment.empty() ? site.default_deployment : command.options.deployment);
    std::cout << dump(flow::definition(command.options.kind, deployment.compute.via)) << "\n";
    return 0;
}

int print_input(const CommandLine& command, const Site& site) {
    if (command.config.raw.empty() || command.config.qmap.empty()) {
        throw Error(ExitCode::usage, "flow input needs -r RAW and -q QMAP");
    }
    const std::string name = deployment_for(site, command.options, command.config.raw.front());
    const Deployment& deployment = site.deployment(name);
    const Json input = flow_input(site, deployment, command.options, runs_of(command, deployment));
    flow::check_input(input, flow::input_schema(command.options.kind));
    if (deployment.compute.via == "globus-compute" && deployment.compute.function_id.empty() &&
        command.options.function_id.empty()) {
        std::cerr << "xpcs-jobgen: warning: deployment '" << name
                  << "' has no function_id, so this input cannot be run by Globus yet "
                     "(--function-id, xpcs-jobgen flow function)\n";
    }
    std::cout << dump(input) << "\n";
    return 0;
}

int check_files(const CommandLine& command) {
    int bad = 0;
    for (std::size_t i = 1; i < command.positional.size(); ++i) {
        const std::string& file = command.positional[i];
        const Json json = parse_json(read_text(file), file);
        std::vector<std::string> found;
        if (json.contains("States")) {
            found = flow::faults(json, Json());
        } else {
            try {
                flow::check_input(json, flow::input_schema(command.options.kind));
            } catch (const Error& error) {
                found.push_back(error.what());
            }
        }
        for (const auto& fault : found) {
            std::cout << file << ": " << fault << "\n";
        }
        bad += !found.empty();
    }
    return bad ? static_cast<int>(ExitCode::data) : 0;
}

}  // namespace

int flow_command(const Words& args) {
    const CommandLine command = parse_command(flow_kind, args);
    const std::string what = command.positional.empty() ? "" : command.positional.front();
    if (command.help) {
        std::cout << command_help(
            flow_kind,
            "Usage: xpcs-jobgen flow definition|schema|function [--kind KIND] [--deployment NAME]\n"
            "       xpcs-jobgen flow input -r RAW -q QMAP [--deployment NAME] [options]\n"
            "       xpcs-jobgen flow check FILE...\n\n"
            "The parts of a Globus flow as JSON; `function` is the body that registers the\n"
            "Globus Compute function which the flow calls.\n");
        return 0;
    }
    if (what == "schema") {
        std::cout << dump(flow::input_schema(command.options.kind)) << "\n";
        return 0;
    }
    if (what == "function") {
        std::cout << dump(flow::function_registration()) << "\n";
        return 0;
    }
    if (what == "check") {
        return check_files(command);
    }
    const Site site = site_of(command.options);
    if (what == "definition") {
        return print_definition(command, site);
    }
    if (what == "input") {
        return print_input(command, site);
    }
    const Words known{"definition", "input", "schema", "function", "check"};
    throw Error(ExitCode::usage,
                "flow '" + printable(what) + "' is not known" + did_you_mean(what, known) +
                    "; allowed: definition, input, schema, function, check");
}

int run_command(const Words& args) {
    const CommandKind kind{"run", {"Local flow", "Job", "Flow"}, false, false, true};
    const CommandLine command = parse_command(kind, args);
    if (command.help) {
        std::cout << command_help(
            kind,
            "Usage: xpcs-jobgen run DEFINITION --input INPUT [--run-dir DIR]\n\n"
            "Execute a flow on this machine: transfers are copies, compute steps run here, the\n"
            "record goes into a catalogue file. The run directory keeps the state; the same\n"
            "command goes on with an interrupted or failed run. DEFINITION is a file, or the\n"
            "word online or batch for the flow itself.\n");
        return 0;
    }
    if (command.positional.size() != 1 || command.options.input.empty()) {
        throw Error(ExitCode::usage, "run takes a definition and --input FILE");
    }
    const std::string& word = command.positional.front();
    LocalFlow flow;
    const bool built_in = !fs::exists(word) && (word == "online" || word == "batch");
    flow.definition = built_in ? flow::definition(word, "here") : parse_json(read_text(word), word);
    flow.input = parse_json(read_text(command.options.input), command.options.input);
    if (!flow.input.is_object()) {
        throw Error(ExitCode::data,
                    printable(command.options.input) + ": the input of a flow is an object");
    }
    if (built_in) {
        flow::check_input(flow.input, flow::input_schema(word));
    }
    const Site site = site_of(command.options);
    flow.collections = local_collections(site, command.options.collections);
    const std::string dataset =
        flow.input.contains("input") ? text_at(flow.input["input"], "dataset") : "flow";
    flow.run_dir = absolute_path(command.options.run_dir.empty()
                                     ? "flow-" + fs::path(dataset).filename().string()
                                     : command.options.run_dir);
    flow.catalogue = absolute_path(command.options.catalogue.empty() ? "catalogue.jsonl"
                                                                     : command.options.catalogue);
    flow.log = &std::cout;
    return run_local(flow);
}

}  // namespace xpcs::jobgen
