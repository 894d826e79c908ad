// SPDX-License-Identifier: BSD-3-Clause
#include "host/commands.hpp"
#include "host/early_stop.hpp"
#include "host/errors.hpp"
#include "host/h5_links.hpp"
#include "host/text.hpp"
#include "host/umask.hpp"
#include "host/version.hpp"
#include "portal/cmd_catalogue.hpp"
#include "portal/cmd_report.hpp"
#include "portal/cmd_serve.hpp"

#include <iostream>

namespace {

using xpcs::Command;

int run_command(const std::vector<Command>& commands, const xpcs::CommandArgs& args) {
    const std::string name = args.empty() ? "--help" : args.front();
    if (name == "--version") {
        std::cout << "xpcs-portal " << xpcs::version() << "\n";
        return 0;
    }
    if (name == "--help" || name == "-h" || name == "help") {
        std::cout << "usage: xpcs-portal COMMAND ...\n\nLooks at XPCS results.\n\n";
        for (const Command& command : commands) {
            std::cout << "  " << command.name << std::string(10 - command.name.size(), ' ')
                      << command.help << "\n";
        }
        std::cout << "\n'xpcs-portal COMMAND --help' tells the options of a command.\n";
        return 0;
    }
    std::vector<std::string> names;
    for (const Command& command : commands) {
        if (command.name == name) {
            return command.run({args.begin() + 1, args.end()});
        }
        names.push_back(command.name);
    }
    throw xpcs::Error(xpcs::ExitCode::usage,
                      "unknown command '" + xpcs::printable(name) + "'" +
                          xpcs::did_you_mean(name, names) + "; 'xpcs-portal --help' lists them");
}

}  // namespace

int main(int argc, char** argv) {
    using namespace xpcs;
    install_stop_handlers();
    others_write_nothing();
    h5::links_stay_inside();  // files of many hands, shown to many eyes
    const std::vector<Command> commands = {
        {"report", "a page, pictures and tables of one result", portal::cmd_report},
        {"ingest", "put results and published records into a catalogue", portal::cmd_ingest},
        {"search", "look into a catalogue", portal::cmd_search},
        {"export", "write records for a Globus index", portal::cmd_export},
        {"remove", "take a record out of a catalogue", portal::cmd_remove},
        {"serve", "show a catalogue in the browser", portal::cmd_serve},
        {"user", "add a user of the portal", portal::cmd_user},
    };
    return guarded(
        [&] { return run_command(commands, CommandArgs(argv + (argc > 0 ? 1 : 0), argv + argc)); });
}
