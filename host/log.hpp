// SPDX-License-Identifier: BSD-3-Clause
// What the program says on standard error, for people or for machines. Thread-safe. Every message
// stays on one line and cannot carry control characters to the terminal, whatever a file is called.
#pragma once

#include "host/run_config.hpp"

#include <functional>
#include <string>
#include <vector>

namespace xpcs {

enum class LogLevel { debug, info, warning, error };

class Log {
  public:
    /// Level and format of a configuration: --log-level, -v (debug unless another level than the
    /// default was asked for), --log-format.
    static void configure(const RunConfig& config);
    static void configure(LogLevel level, bool json);

    static void debug(const std::string& message);
    static void info(const std::string& message);
    /// Also kept, whatever the level: see warnings().
    static void warning(const std::string& message);
    static void error(const std::string& message);

    /// All warnings since the last clear_warnings(), each text once, in order of first appearance.
    static std::vector<std::string> warnings();
    /// For programs that do several runs: each result carries its own.
    static void clear_warnings();

    static bool is_json();
    static bool shows(LogLevel level);

    /// Writes bytes to standard error between messages (the progress bar). `transient` says that
    /// the line is wiped before the next message.
    static void write_raw(const std::string& bytes, bool transient);

    /// Sends every finished line (without its end) elsewhere; an empty function restores standard
    /// error. For tests.
    static void set_sink(std::function<void(const std::string&)> sink);
};

}  // namespace xpcs
