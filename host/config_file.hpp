// SPDX-License-Identifier: BSD-3-Clause
// Options from a file, JSON or YAML. Its keys are the long names of the options, written with _ or
// -, so that a configuration of the production correlator is read as it is.
#pragma once

#include "host/errors.hpp"
#include "host/option_table.hpp"

#include <string>
#include <vector>

namespace xpcs {

struct FileValue {
    std::size_t option = 0;           ///< index into the table
    std::vector<std::string> values;  ///< one, or those of a list
    std::string where;                ///< "run.json:12: begin_frame", for messages
};

/// Reads the file: JSON if its name ends in .json or its content starts with '{' (and the name does
/// not end in .yaml or .yml), else YAML. Types are kept: a number in quotes is a text. null means
/// "not given". Throws Error: no_input (missing, unreadable), config (malformed, unknown key with
/// the nearest known one, key twice, value of the wrong type).
std::vector<FileValue> read_config_file(const std::string& path,
                                        const std::vector<OptionSpec>& specs);

/// Sets the values of a file. Throws Error (config).
template <class Config>
void apply(const std::vector<FileValue>& file, const OptionTable<Config>& table, Config& config) {
    for (const auto& entry : file) {
        const auto& option = table.options().at(entry.option);
        option.clear(config);
        try {
            for (const auto& value : entry.values) {
                option.set(config, value);
            }
        } catch (const BadValue& e) {
            throw Error(ExitCode::config, entry.where + ": " + e.what());
        }
    }
}

}  // namespace xpcs
