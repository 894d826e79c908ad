// SPDX-License-Identifier: BSD-3-Clause
// The story of a run: from a configuration to a result file.
#pragma once

#include "host/run_config.hpp"

namespace xpcs {

/// Does every run of a checked configuration (or prints its plan, with dry_run). Exit status: 0, or
/// that of the runs that failed. Throws Error.
int run_correlate(const RunConfig& config);

}  // namespace xpcs
