// SPDX-License-Identifier: BSD-3-Clause
// list, show, check: looking at the sites.
#include "host/errors.hpp"
#include "jobgen/cli.hpp"
#include "jobgen/commands.hpp"

#include <iostream>

namespace xpcs::jobgen {

int list_command(const Words& args) {
    const CommandKind kind{"list", {}, false, false, false};
    const CommandLine command = parse_command(kind, args);
    if (command.help) {
        std::cout << command_help(kind,
                                  "Usage: xpcs-jobgen list [--deployments FILE]\n\n"
                                  "Every deployment, one line each.\n");
        return 0;
    }
    std::cout << list_text(site_of(command.options));
    return 0;
}

int show_command(const Words& args) {
    const CommandKind kind{"show", {}, false, false, true};
    const CommandLine command = parse_command(kind, args);
    if (command.help) {
        std::cout << command_help(kind,
                                  "Usage: xpcs-jobgen show NAME [--deployments FILE]\n\n"
                                  "One deployment with its machine and collections.\n");
        return 0;
    }
    if (command.positional.size() != 1) {
        throw Error(ExitCode::usage, "show takes one name of a deployment; see xpcs-jobgen list");
    }
    std::cout << show_text(site_of(command.options), command.positional.front());
    return 0;
}

int check_command(const Words& args) {
    const CommandKind kind{"check", {}, false, false, true};
    CommandLine command = parse_command(kind, args);
    if (command.help) {
        std::cout << command_help(kind,
                                  "Usage: xpcs-jobgen check FILE...\n\n"
                                  "Read deployments files on top of the built-in ones and "
                                  "say what is wrong.\n");
        return 0;
    }
    auto& files = command.options.deployments;
    files.insert(files.end(), command.positional.begin(), command.positional.end());
    const Site site = site_of(command.options);
    std::cout << "good: " << site.deployments.size() << " deployments, " << site.machines.size()
              << " machines, " << site.collections.size() << " collections in";
    for (const auto& file : site.files) {
        std::cout << " " << file;
    }
    std::cout << "\n";
    return 0;
}

}  // namespace xpcs::jobgen
