// SPDX-License-Identifier: BSD-3-Clause
// From the command line of `xpcs-corr correlate` to a checked RunConfig.
#pragma once

#include "host/run_config.hpp"

#include <string>
#include <vector>

namespace xpcs {

/// Command line over configuration file over defaults; nothing is checked beyond each value's own
/// range. Throws Error: usage, no_input and config (configuration file).
RunConfig parse_options(const std::vector<std::string>& args);

/// parse_options, then a list of raw files (-r NAMES.txt) is read, and what can be said before any
/// data is read is checked: see check_config(). Throws also Error (no_input) for a missing list.
RunConfig parse_correlate(const std::vector<std::string>& args);

/// Whether -h or --help is among the arguments.
bool asks_for_help(const std::vector<std::string>& args);

std::string correlate_help();

}  // namespace xpcs
