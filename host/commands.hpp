// SPDX-License-Identifier: BSD-3-Clause
// The sub-commands of xpcs-corr: a table, its help, and the one place where errors become exit
// codes.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace xpcs {

using CommandArgs = std::vector<std::string>;

struct Command {
    std::string name;
    std::string help;                            ///< one line
    std::function<int(const CommandArgs&)> run;  ///< exit status; --help is among its options
};

/// Runs the command that the first argument names; the first of the table if that is an option.
/// Knows --help, --version, "help" and "help COMMAND". Throws Error (usage).
int dispatch(const std::vector<Command>& commands, const CommandArgs& args);

/// Calls `work` and turns what it throws into a line on standard error and an exit status: Error
/// its own, memory 71, system errors 74, everything else 70. Standard output that cannot be written
/// is an error too (74), unless its reader has gone.
int guarded(const std::function<int()>& work);

std::string version_text();

/// The commands. Arguments without the command's name.
int cmd_correlate(const CommandArgs& args);
int cmd_simulate(const CommandArgs& args);
int cmd_make_qmap(const CommandArgs& args);
int cmd_benchmark(const CommandArgs& args);

}  // namespace xpcs
