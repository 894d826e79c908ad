// SPDX-License-Identifier: BSD-3-Clause
// Rows of the option tables of the smaller commands.
#pragma once

#include "host/option_table.hpp"

#include <string>

namespace xpcs {

inline OptionSpec command_option(const char* name, const char* metavar, const char* help) {
    OptionSpec spec;
    spec.name = name;
    spec.metavar = metavar;
    spec.help = help;
    spec.group = "Options";
    return spec;
}

inline OptionSpec
command_option(const char* name, char letter, const char* metavar, const char* help) {
    OptionSpec spec = command_option(name, metavar, help);
    spec.short_name.assign(1, letter);
    return spec;
}

inline OptionSpec command_flag(const char* name, const char* help) {
    OptionSpec spec = command_option(name, "", help);
    spec.kind = ValueKind::flag;
    return spec;
}

inline OptionSpec overwrite_flag() {
    OptionSpec spec = command_flag("overwrite", "Replace an existing file.");
    spec.short_name.assign(1, 'w');
    return spec;
}

}  // namespace xpcs
