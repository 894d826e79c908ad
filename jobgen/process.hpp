// SPDX-License-Identifier: BSD-3-Clause
// Running other programs: arguments as they are, never through a shell.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace xpcs::jobgen {

struct Outcome {
    int code = 0;     ///< exit code; 128 + n after signal n; 127 when there is no such program
    std::string out;  ///< standard output (at most 64 MiB)
    std::string err;  ///< standard error (at most 1 MiB)
};

struct RunOptions {
    std::string input;         ///< standard input
    std::string directory;     ///< "" = the current one
    bool show_errors = false;  ///< standard error goes to ours instead of Outcome::err
    double timeout_s = 0;      ///< 0 = none; then TERM, and KILL after five seconds
    std::vector<std::pair<std::string, std::string>> variables;
};

/// Throws Error (unavailable) when no process can be started.
Outcome run_program(const std::vector<std::string>& command, const RunOptions& options = {});

/// Starts it in a session of its own, input and output at /dev/null, and returns its process id.
long start_detached(const std::vector<std::string>& command, const std::string& directory);

/// Whether a program of that name is in PATH; its path, or "".
std::string find_program(const std::string& name);

/// Directory of the running executable.
std::string own_directory();

/// Start time of a process in clock ticks since boot, 0 if there is none: tells a process from a
/// later one with the same id.
unsigned long long process_start(long pid);

/// Login name of the user.
std::string user_name();

/// Last non-empty line, for messages.
std::string last_line(const std::string& text);

}  // namespace xpcs::jobgen
