// SPDX-License-Identifier: BSD-3-Clause
// A published data set again, with another q-map or options, beside the old one.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "host/version.hpp"
#include "jobgen/commands.hpp"
#include "jobgen/flow_requests.hpp"
#include "jobgen/job_files.hpp"
#include "jobgen/queue_client.hpp"
#include "jobgen/run_finder.hpp"
#include "jobgen/schedulers/scheduler.hpp"

#include <filesystem>
#include <iostream>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

namespace {

const CommandKind reprocess_kind{
    "reprocess", {"Job", "Flow", "Launch", "Reprocessing"}, true, false, false};

/// The raw file that a published data set came from, as its metadata say.
std::string raw_of(const std::string& published, const Site& site, const Deployment& deployment) {
    std::error_code error;
    if (!fs::is_directory(published, error)) {
        throw Error(ExitCode::no_input, "data set " + printable(published) + ": no such directory");
    }
    for (const auto& entry : fs::recursive_directory_iterator(published, error)) {
        if (entry.path().filename() != "metadata.json") {
            continue;
        }
        const Json json = parse_json(read_text(entry.path().string()), entry.path().string());
        const Json project = json.value("project_metadata", Json::object());
        const Json sources = project.value("source_files", Json::object());
        const Json raw = sources.value("raw", Json::array());
        if (!raw.empty() && raw[0].is_string()) {
            const std::string path =
                flow::to_posix(site.collection_of(deployment, "source"), raw[0].get<std::string>());
            return fs::is_directory(path) ? raw_in(path) : path;
        }
    }
    throw Error(ExitCode::usage,
                "data set " + printable(published) +
                    " does not say what it was made from; give the raw file with -r");
}

std::string new_name(const std::string& published, const std::string& suffix) {
    const fs::path old = absolute_path(published);
    std::string name = (old.parent_path() / (old.filename().string() + "_" + suffix)).string();
    if (fs::exists(name)) {
        throw Error(ExitCode::cannot_create,
                    "data set " + printable(name) +
                        " exists already and is never overwritten; give another -u SUFFIX");
    }
    return name;
}

int print_flow(const CommandLine& command, const Site& site, const Deployment& d, const Run& run) {
    Options options = command.options;
    options.kind = "reprocess";
    flow::InputRequest request = flow_request(site, d, options, run);
    request.suffix = command.config.suffix;
    if (request.title.empty()) {
        request.title = run.name + " (" + request.suffix + ")";
    }
    const Json input = flow::input(site, d, run, request);
    flow::check_input(input, flow::input_schema("online"));
    std::cout << dump(input) << "\n";
    return 0;
}

}  // namespace

int reprocess_command(const Words& args) {
    CommandLine command = parse_command(reprocess_kind, args);
    if (command.help) {
        std::cout << command_help(
            reprocess_kind,
            "Usage: xpcs-jobgen reprocess --published DIR -q QMAP [-u SUFFIX] [-r RAW] [options]\n"
            "       xpcs-jobgen reprocess --via flow -r RAW -q QMAP -u SUFFIX [options]\n\n"
            "The new data set gets the old one's name with _SUFFIX (default: the q-map's name)\n"
            "and never replaces anything. Prints a job script (--submit hands it over), or with\n"
            "--via flow the input of the flow.\n");
        return 0;
    }
    RunConfig& config = command.config;
    const std::string& published = command.options.published;
    if (config.qmap.empty()) {
        throw Error(ExitCode::usage, "reprocess needs -q QMAP");
    }
    if (config.suffix.empty()) {
        config.suffix = qmap_name(config.qmap);
    }
    const Site site = site_of(command.options);
    const std::string first = config.raw.empty() ? published : config.raw.front();
    const Deployment& d = site.deployment(deployment_for(site, command.options, first));
    if (config.raw.empty()) {
        if (published.empty()) {
            throw Error(ExitCode::usage, "reprocess needs --published DIR or -r RAW");
        }
        config.raw = {raw_of(published, site, d)};
    }
    config.overwrite = false;
    check_config(config);
    if (command.options.via == "flow") {
        return print_flow(command, site, d, make_run(config, config.raw.front(), d));
    }
    if (!published.empty()) {
        config.output = new_name(published, config.suffix);
    }
    Job job = make_job(
        site, d.name, runs_of(command, d), command.device, job_options(command.options, d));
    job.command = command.all;
    job.version = version();
    const std::string text = script(job);
    for (const auto& warning : job.warnings) {
        std::cerr << "xpcs-jobgen: warning: " << warning << "\n";
    }
    const std::string& file = command.options.script_file;
    if (!file.empty() && !config.dry_run) {
        write_text(file, text, true);
    }
    if (command.options.submit && !config.dry_run) {
        std::cout << submit(job, write_script(job, text)).job_id << "\n";
    } else if (file.empty() || config.dry_run) {
        std::cout << text;
    }
    return 0;
}

}  // namespace xpcs::jobgen
