// SPDX-License-Identifier: BSD-3-Clause
// Runs a program, without a shell.
#pragma once

#include <string>
#include <vector>

namespace xpcs::portal {

struct ChildResult {
    int status = 0;      ///< exit status; 128 + signal
    std::string output;  ///< standard output and error together, at most 64 KiB
    bool timed_out = false;
};

/// Standard input is /dev/null; ended (SIGKILL) after `timeout_s`. A signal that stops us is sent
/// on as SIGTERM, and after three seconds as SIGKILL. Throws Error: unavailable if the program
/// cannot be started, interrupted after a signal.
ChildResult run_child(const std::vector<std::string>& command, double timeout_s);

}  // namespace xpcs::portal
