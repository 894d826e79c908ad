// SPDX-License-Identifier: BSD-3-Clause
// --summary FILE: everything that the log says about a program call, as JSON (docs/summary.md).
#pragma once

#include "host/run_config.hpp"
#include "host/run_result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace xpcs {

/// One entry per raw file, in the order of their end. Text that is not UTF-8 appears escaped;
/// numbers that are not finite appear as null.
class Summary {
  public:
    explicit Summary(const RunConfig& config);
    ~Summary();
    Summary(const Summary&) = delete;
    Summary& operator=(const Summary&) = delete;

    void done(const RunResult& result, const std::string& result_path);
    /// `exit_code` 75 makes the state "interrupted", others "failed".
    void failed(const std::string& raw,
                int exit_code,
                const std::string& error,
                const std::vector<std::string>& warnings);

    /// 0; 75 if a run was interrupted; else the code of the first run that failed.
    int exit_code() const;
    std::string text() const;
    /// Atomically. Throws Error (cannot_create, io). Nothing without --summary.
    void write() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace xpcs
