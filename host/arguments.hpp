// SPDX-License-Identifier: BSD-3-Clause
// Command lines, read by a table of options, and the help made from the same table. The rules of
// writing are those of Python's argparse, which the production correlator uses: short options of
// two letters (-nf 0), negative numbers as values (-b -200), clusters of flags (-vw), --name=value,
// unambiguous beginnings of long names. In long names _ is the same as -.
#pragma once

#include "host/errors.hpp"
#include "host/option_table.hpp"

#include <string>
#include <vector>

namespace xpcs {

struct Assignment {
    std::size_t option = 0;  ///< index into the table
    std::string value;
    std::string as_written;  ///< "--begin-frame" or "-b", for messages
};

struct Arguments {
    std::vector<Assignment> assignments;  ///< in the order of the command line
    std::vector<std::string> positional;
    bool help = false;  ///< -h or --help was there; nothing else was checked
};

/// Throws Error (usage): unknown option (with the nearest known one), value missing, positional
/// argument where `takes_positional` is false.
Arguments parse_arguments(const std::vector<std::string>& args,
                          const std::vector<OptionSpec>& specs,
                          bool takes_positional = false);

/// Sets the values. A repeated option: the last one wins; a list collects all of them and replaces
/// what `config` had. Throws Error (usage) naming option, value and range.
template <class Config>
void apply(const Arguments& arguments, const OptionTable<Config>& table, Config& config) {
    std::vector<bool> seen(table.options().size(), false);
    for (const auto& [index, value, as_written] : arguments.assignments) {
        const auto& option = table.options().at(index);
        if (!seen[index]) {
            option.clear(config);
            seen[index] = true;
        }
        try {
            option.set(config, value);
        } catch (const BadValue& e) {
            throw Error(ExitCode::usage, as_written + " " + e.what());
        }
    }
}

/// "-b, --begin-frame N   First frame ..." in groups, at most 80 columns.
std::string options_help(const std::vector<OptionSpec>& specs);

/// The same as Markdown tables, one per group.
std::string options_markdown(const std::vector<OptionSpec>& specs);

/// " [frames, at least 1; default 1]"-like remark of the help text: unit, range, default.
std::string option_remark(const OptionSpec& spec);

/// Long names and aliases of all options, for did_you_mean.
std::vector<std::string> option_names(const std::vector<OptionSpec>& specs);

}  // namespace xpcs
