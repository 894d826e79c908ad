// SPDX-License-Identifier: BSD-3-Clause
#include "host/errors.hpp"
#include "host/text.hpp"
#include "host/umask.hpp"
#include "host/version.hpp"
#include "jobgen/commands.hpp"

#include <exception>
#include <iostream>
#include <new>

namespace {

using xpcs::jobgen::Words;

struct Command {
    const char* name;
    const char* about;
    int (*run)(const Words&);
};

const Command commands[] = {
    {"list", "every deployment, one line each", xpcs::jobgen::list_command},
    {"show", "one deployment with everything that belongs to it", xpcs::jobgen::show_command},
    {"check", "read deployments files and say what is wrong", xpcs::jobgen::check_command},
    {"script", "a job script for runs; --submit hands it over", xpcs::jobgen::script_command},
    {"status", "the state of a job, by id or run directory", xpcs::jobgen::status_command},
    {"cancel", "stop a job, by id or run directory", xpcs::jobgen::cancel_command},
    {"batch", "many runs: submit, status, resume", xpcs::jobgen::batch_command},
    {"reprocess",
     "a published data set again, beside the old one",
     xpcs::jobgen::reprocess_command},
    {"flow", "definition, input and input schema of a Globus flow", xpcs::jobgen::flow_command},
    {"run", "execute a flow on this machine", xpcs::jobgen::run_command},
    {"launch", "what the beamline calls with a raw file", xpcs::jobgen::launch_command},
    {"step", "one step of a flow, called by its compute steps", xpcs::jobgen::step_command},
};

std::string usage() {
    std::string text = "Usage: xpcs-jobgen COMMAND [options]\n\n"
                       "From a run and deployments.yaml to job scripts, Globus flows and "
                       "batches.\n\n";
    for (const auto& command : commands) {
        std::string name = command.name;
        name.resize(12, ' ');
        text += "  " + name + command.about + "\n";
    }
    return text + "\nxpcs-jobgen COMMAND --help explains a command.\n";
}

int dispatch(const Words& args) {
    if (args.empty()) {
        std::cerr << usage();
        return static_cast<int>(xpcs::ExitCode::usage);
    }
    const std::string& word = args.front();
    if (word == "-h" || word == "--help" || word == "help") {
        std::cout << usage();
        return 0;
    }
    if (word == "--version") {
        std::cout << "xpcs-jobgen " << xpcs::version() << " (" << xpcs::build_commit() << ")\n";
        return 0;
    }
    Words known;
    for (const auto& command : commands) {
        if (word == command.name) {
            return command.run(Words(args.begin() + 1, args.end()));
        }
        known.push_back(command.name);
    }
    throw xpcs::Error(xpcs::ExitCode::usage,
                      "command '" + xpcs::printable(word) + "' is not known" +
                          xpcs::did_you_mean(word, known) + "; see xpcs-jobgen --help");
}

}  // namespace

int main(int argc, char** argv) {
    xpcs::others_write_nothing();
    try {
        return dispatch(Words(argv + 1, argv + argc));
    } catch (const xpcs::Error& error) {
        std::cerr << "xpcs-jobgen: " << error.what() << "\n";
        return error.exit_status();
    } catch (const std::bad_alloc&) {
        std::cerr << "xpcs-jobgen: not enough memory\n";
        return static_cast<int>(xpcs::ExitCode::no_memory);
    } catch (const std::exception& error) {
        std::cerr << "xpcs-jobgen: " << xpcs::printable(error.what()) << "\n";
        return static_cast<int>(xpcs::ExitCode::internal);
    }
}
