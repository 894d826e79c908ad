// SPDX-License-Identifier: BSD-3-Clause
#include "host/options.hpp"

#include "host/arguments.hpp"
#include "host/config_file.hpp"
#include "host/errors.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <fstream>

namespace xpcs {

namespace {

// Settings of the production correlator that make no sense here, and what to do instead.
std::string counterpart(const std::string& word) {
    if (word.rfind("pbs", 0) == 0) {
        return "job submission is done by xpcs-jobgen";
    }
    if (word == "batch-size" || word == "num-loaders") {
        return "it is chosen by the program; remove it";
    }
    return word == "num-segments" ? "give each segment its own run with -b and -e" : "";
}

/// "-i -3", "-i-3", "--gpu-id=-3": there the production correlator submits batch jobs.
bool asks_to_submit(const std::vector<std::string>& args, std::size_t at) {
    std::string arg = args[at];
    std::replace(arg.begin(), arg.end(), '_', '-');
    const bool alone = arg == "-i" || arg == "--gpu-id";
    return (alone && at + 1 < args.size() && args[at + 1] == "-3") || arg == "-i-3" ||
           arg == "-i=-3" || arg == "--gpu-id=-3";
}

void refuse_without_counterpart(const std::vector<std::string>& args) {
    for (std::size_t at = 0; at < args.size(); ++at) {
        const std::string& arg = args[at];
        if (arg == "--") {
            return;
        }
        if (asks_to_submit(args, at)) {
            throw Error(ExitCode::usage, "-i -3 has no counterpart here: " + counterpart("pbs"));
        }
        if (arg.rfind("--", 0) == 0) {
            std::string word = arg.substr(2, arg.find('=') - 2);
            std::replace(word.begin(), word.end(), '_', '-');
            if (const auto hint = counterpart(word); !hint.empty()) {
                throw Error(ExitCode::usage,
                            "option --" + word + " has no counterpart here: " + hint);
            }
        }
    }
}

bool names_a_list(const std::string& raw) {
    return raw.size() > 4 && raw.compare(raw.size() - 4, 4, ".txt") == 0;
}

std::vector<std::string> read_list(const std::string& path) {
    std::ifstream file(path);
    if (!file) {
        throw Error(ExitCode::no_input,
                    "cannot read the list of raw files '" + printable(path) + "'");
    }
    std::vector<std::string> names;
    for (std::string line; std::getline(file, line);) {
        const auto first = line.find_first_not_of(" \t\r");
        if (first != std::string::npos) {
            names.push_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
        }
    }
    if (names.empty()) {
        throw Error(ExitCode::data, "the list of raw files '" + printable(path) + "' is empty");
    }
    return names;
}

}  // namespace

RunConfig parse_options(const std::vector<std::string>& args) {
    refuse_without_counterpart(args);
    const auto& table = run_options();
    const Arguments arguments = parse_arguments(args, table.specs());
    // Once on its own for the name of the file, and because a fault of the command line should be
    // told before one of the file.
    RunConfig alone;
    apply(arguments, table, alone);
    if (alone.config_file.empty()) {
        return alone;
    }
    RunConfig config;
    apply(read_config_file(alone.config_file, table.specs()), table, config);
    apply(arguments, table, config);
    return config;
}

RunConfig parse_correlate(const std::vector<std::string>& args) {
    RunConfig config = parse_options(args);
    if (config.raw.size() == 1 && names_a_list(config.raw.front())) {
        config.raw = read_list(config.raw.front());
    }
    check_config(config);
    return config;
}

bool asks_for_help(const std::vector<std::string>& args) {
    refuse_without_counterpart(args);  // before they are called unknown
    return parse_arguments(args, run_options().specs()).help;
}

std::string correlate_help() {
    return "Usage: xpcs-corr [correlate] -r FILE... -q FILE [options]\n\n"
           "Correlate a run: from the raw file of a detector and a q-map to a result file.\n\n" +
           options_help(run_options().specs()) + "\n  -h, --help              Show this text.\n";
}

}  // namespace xpcs
