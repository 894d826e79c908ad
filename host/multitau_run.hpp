// SPDX-License-Identifier: BSD-3-Clause
// The data of one run: read, correlate, reduce; pass by pass if memory is short.
#pragma once

#include "host/result_file.hpp"
#include "host/run_setup.hpp"

#include <string>

namespace xpcs {

/// Fills setup.result; with -G also writes the per-pixel sums to `file`, and two-time analyses
/// write their maps there (needed only then). Throws Error.
void run_multitau(RunSetup& setup, ResultFile* file);

/// What was kept and dropped, in one line.
std::string run_report(const RunResult& result);

}  // namespace xpcs
