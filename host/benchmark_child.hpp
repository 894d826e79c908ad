// SPDX-License-Identifier: BSD-3-Clause
// A child process whose time and memory are watched.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

struct ChildRun {
    int status = 0;  ///< exit status; 128 + signal if it was killed
    double wall_s = 0;
    double cpu_s = 0;              ///< of all its threads, user and system
    std::uint64_t peak_bytes = 0;  ///< resident; looked at every 5 ms
};

/// Runs this very program with `args`; what it prints goes to `log`. If this process is asked to
/// stop, the child is stopped too and Error (interrupted) thrown. Throws Error (internal) if it
/// cannot be started.
ChildRun run_self(const std::vector<std::string>& args, const std::string& log);

}  // namespace xpcs
