// SPDX-License-Identifier: BSD-3-Clause
// Options that change nothing in this run: said before data are read, rather than left to be found
// out from a result. Impossible combinations are check_config()'s.
#pragma once

#include "host/readers/frame_source.hpp"
#include "host/run_config.hpp"

#include <string>
#include <vector>

namespace xpcs {

/// Of the command line alone, one line each.
std::vector<std::string> options_without_effect(const RunConfig& config);

/// The same once the format of the raw file is known.
std::vector<std::string> options_without_effect(const RunConfig& config, const SourceInfo& source);

}  // namespace xpcs
