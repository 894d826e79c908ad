// SPDX-License-Identifier: BSD-3-Clause
// One exit code per kind of failure (sysexits.h); thrown anywhere, caught once in main().
#pragma once

#include <stdexcept>
#include <string>

namespace xpcs {

enum class ExitCode : int {
    ok = 0,
    usage = 64,          ///< wrong command line
    data = 65,           ///< input data wrong
    no_input = 66,       ///< input missing
    unavailable = 69,    ///< device or service not there
    internal = 70,       ///< our own fault
    no_memory = 71,      ///< not enough memory
    cannot_create = 73,  ///< output cannot be created
    io = 74,             ///< I/O error while writing
    interrupted = 75,    ///< stopped by a signal, safe to run again
    config = 78,         ///< configuration or combination of options impossible
};

/// The message is one line: the thing, its value, what is allowed, the file.
class Error : public std::runtime_error {
  public:
    Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
    ExitCode code() const noexcept { return code_; }
    int exit_status() const noexcept { return static_cast<int>(code_); }

  private:
    ExitCode code_;
};

}  // namespace xpcs
