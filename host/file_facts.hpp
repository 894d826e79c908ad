// SPDX-License-Identifier: BSD-3-Clause
// What a result tells of the files, the machine and the time it came from.
#pragma once

#include "host/run_result.hpp"

#include <ctime>
#include <string>
#include <vector>

namespace xpcs {

std::string utc_text(std::time_t seconds);  ///< "2026-01-31T12:00:00Z"
std::string host_name();                    ///< "unknown" if the system does not say

/// Size and time of those of the files that exist.
std::vector<InputFile> stat_inputs(const std::vector<std::string>& paths);

}  // namespace xpcs
