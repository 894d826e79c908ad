// SPDX-License-Identifier: BSD-3-Clause
// The steps that a flow runs where the data lie. Each prints one line of JSON as its result and
// ends with an exit code that fails the flow's step.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "host/version.hpp"
#include "jobgen/cli.hpp"
#include "jobgen/commands.hpp"
#include "jobgen/flow/flow.hpp"
#include "jobgen/flow/gather.hpp"
#include "jobgen/job_files.hpp"
#include "jobgen/process.hpp"
#include "jobgen/queue_client.hpp"
#include "jobgen/run_finder.hpp"
#include "jobgen/schedulers/scheduler.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <thread>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

namespace {

int print(const Json& json) {
    std::cout << dump(json, -1) << "\n";
    return 0;
}

Json standard_input() {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    return parse_json(text, "standard input");
}

std::string need(const Words& args, std::size_t i, const std::string& what) {
    if (args.size() <= i) {
        throw Error(ExitCode::usage, "step " + args.front() + " needs " + what);
    }
    return args[i];
}

/// The newest result file of a directory.
std::string result_in(const std::string& directory) {
    std::vector<std::pair<fs::file_time_type, std::string>> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_regular_file() && name[0] != '.' && entry.path().extension() == ".hdf" &&
            name.find("_results") != std::string::npos) {
            found.emplace_back(entry.last_write_time(), entry.path().string());
        }
    }
    if (found.empty()) {
        throw Error(ExitCode::no_input,
                    "directory " + printable(directory) + " holds no result (*_results.hdf)");
    }
    return std::max_element(found.begin(), found.end())->second;
}

void need_success(const Outcome& outcome, const std::string& what) {
    if (outcome.code != 0) {
        const bool sysexit = outcome.code >= 64 && outcome.code <= 78;
        throw Error(sysexit ? static_cast<ExitCode>(outcome.code) : ExitCode::internal,
                    what + ", exit code " + std::to_string(outcome.code) + ": " +
                        printable(last_line(outcome.err)));
    }
}

int verify_step(const Words& args) {
    const std::string result = result_in(need(args, 1, "a directory"));
    need_success(run_program({"xpcs-corr", "inspect", "--require-result", result}),
                 "result " + printable(result) + " does not pass inspection");
    return print({{"result", result}});
}

int report_step(const Words& args) {
    const std::string directory = need(args, 1, "a directory");
    const std::string when = args.size() > 2 ? args[2] : "auto";
    const std::string result = result_in(directory);
    if (when == "off") {
        return print({{"report", ""}, {"note", "no report wanted"}});
    }
    if (find_program("xpcs-portal").empty()) {
        if (when == "required") {
            throw Error(ExitCode::unavailable, "program xpcs-portal is not in PATH");
        }
        return print({{"report", ""}, {"note", "program xpcs-portal is not in PATH"}});
    }
    const std::string target = directory + "/resources/" + fs::path(result).stem().string();
    std::error_code ignored;
    fs::create_directories(fs::path(target).parent_path(), ignored);
    need_success(run_program({"xpcs-portal", "report", result, "-o", target}),
                 "report of " + printable(result));
    return print({{"report", target}});
}

int gather_step() {
    return print(flow::gather(standard_input(), flow::utc_now()));
}

int ask_step(const Words& args) {
    const std::string run_dir = absolute_path(need(args, 1, "a run directory"));
    const Submission submission = read_submission(run_dir);
    JobState answer = ask(submission);
    // The flow gives up a job that cannot be asked for, so a scheduler that restarts gets a minute.
    for (int pause_s = 1; answer.unasked && pause_s <= 64; pause_s *= 4) {
        std::this_thread::sleep_for(std::chrono::seconds(pause_s));
        answer = ask(submission);
    }
    if (answer.unasked) {
        throw Error(ExitCode::unavailable, answer.reason);
    }
    const JobState state = overall(answer, read_job_files(run_dir));
    return print({{"phase", to_string(state.phase)},
                  {"job_id", submission.job_id},
                  {"exit_code", state.exit_code},
                  {"reason", printable(state.reason)}});
}

std::string run_dir_of(const std::string& base, const std::string& part) {
    return base + "/.batch-" + part + ".job";
}

Job batch_job(const CommandLine& command, const Json& request) {
    const std::string base = text_at(request, "base");
    if (base.empty() || !request.contains("items") || !request["items"].is_array()) {
        throw Error(ExitCode::data, "standard input: base and items are missing");
    }
    const Site site = site_of(command.options);
    const Deployment& deployment =
        site.deployment(command.options.deployment.empty() ? "local" : command.options.deployment);
    Words options;
    for (const auto& option : request.value("options", Json::array())) {
        options.push_back(option.get<std::string>());
    }
    std::vector<Run> runs;
    for (const auto& entry : request["items"]) {
        const std::string item = entry.get<std::string>();
        Run run;
        run.name = item;
        run.qmap = text_at(request, "qmap");
        run.output = base + "/output/" + item;
        run.options = options;
        run.overwrite = true;
        try {
            run.raw = raw_in(base + "/" + item + "/input");
        } catch (const Error&) {
            run.raw = base + "/" + item + "/input/(no raw file)";  // fails with its reason
        }
        std::vector<std::string> parts{run.raw, run.qmap, run.output};
        parts.insert(parts.end(), options.begin(), options.end());
        run.id = fingerprint(parts);
        runs.push_back(run);
    }
    JobOptions wanted = job_options(command.options, deployment);
    wanted.run_dir = run_dir_of(base, std::to_string(static_cast<int>(number_at(request, "part"))));
    wanted.report = "off";
    Job job = make_job(site, deployment.name, runs, "", wanted);
    job.command = command.all;
    job.version = version();
    return job;
}

/// One part of a batch: every data set, as a job script that runs here or is submitted. Data sets
/// that fail do not fail the step; `summary` tells of them.
int batch_step(const Words& args) {
    const CommandKind kind{"step batch", {"Job"}, false, false, false};
    const CommandLine command = parse_command(kind, Words(args.begin() + 1, args.end()));
    const Job job = batch_job(command, standard_input());
    const std::string path = write_script(job, script(job));
    if (command.options.submit) {
        return print({{"job_id", submit(job, path).job_id}, {"run_dir", job.run_dir}});
    }
    RunOptions options;
    options.show_errors = true;
    const Outcome outcome = run_program({"/bin/bash", path}, options);
    if (outcome.code == static_cast<int>(ExitCode::interrupted)) {
        throw Error(ExitCode::interrupted, "stopped, safe to run again");
    }
    int done = 0, failed = 0;
    for (const auto& run : read_job_files(job.run_dir).runs) {
        done += run.state == "done";
        failed += run.state == "failed";
    }
    return print({{"done", done}, {"failed", failed}});
}

/// Fails with the reasons when any data set of the batch is not done.
int summary_step(const Words& args) {
    const std::string base = need(args, 1, "a directory");
    const int expected = std::atoi(need(args, 2, "the number of data sets").c_str());
    int done = 0;
    std::string reasons;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(base, error)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind(".batch-", 0) != 0) {
            continue;
        }
        for (const auto& run : read_job_files(entry.path().string()).runs) {
            done += run.state == "done";
            if (run.state != "done" && reasons.size() < 4000) {
                reasons += (reasons.empty() ? "" : "; ") + run.name + ": " +
                           (run.reason.empty() ? run.state : run.reason);
            }
        }
    }
    if (done < expected) {
        throw Error(ExitCode::data,
                    std::to_string(done) + " of " + std::to_string(expected) +
                        " data sets are done: " + printable(reasons, 5000));
    }
    return print({{"done", done}});
}

}  // namespace

int step_command(const Words& args) {
    const std::string step = args.empty() ? "" : args.front();
    if (step == "verify") {
        return verify_step(args);
    }
    if (step == "report") {
        return report_step(args);
    }
    if (step == "gather") {
        return gather_step();
    }
    if (step == "ask") {
        return ask_step(args);
    }
    if (step == "batch") {
        return batch_step(args);
    }
    if (step == "summary") {
        return summary_step(args);
    }
    throw Error(ExitCode::usage,
                "step '" + printable(step) +
                    "' is not known; allowed: verify, report, gather, ask, batch, summary");
}

}  // namespace xpcs::jobgen
