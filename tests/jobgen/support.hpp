// SPDX-License-Identifier: BSD-3-Clause
// What the tests of jobgen share: a directory that vanishes, programs that stand in for the
// correlator, and running things.
#pragma once

#include "host/errors.hpp"
#include "jobgen/deployment.hpp"
#include "jobgen/job.hpp"
#include "jobgen/json.hpp"
#include "jobgen/process.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace xpcs::jobgen::testing {

class TempDir {
  public:
    TempDir();
    ~TempDir();
    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

void write_file(const std::string& path, const std::string& text, bool executable = false);

/// A directory with `xpcs-corr` and `xpcs-portal` that behave like the real ones as far as a job
/// script sees: a result file, exit codes, SIGTERM. Raw files steer them by their content: "fail N"
/// exits N, "sleep S" takes S seconds, "empty" leaves no result.
std::string make_programs(const TempDir& dir, bool with_portal = true);

/// The real programs if they were built, else "".
std::string real_program(const std::string& name);

Outcome bash(const std::vector<std::string>& command,
             const std::vector<std::pair<std::string, std::string>>& variables = {},
             double timeout_s = 60);

/// The message of the Error that `call` throws, with the code in front: "78 ...".
template <class Call>
std::string error_of(Call call) {
    try {
        call();
    } catch (const Error& error) {
        return std::to_string(error.exit_status()) + " " + error.what();
    }
    return "no error";
}

Site built_in_site();

/// A job of the deployment for the raw files, with options that make its text the same everywhere.
Job sample_job(const Site& site,
               const std::string& deployment,
               const std::vector<std::string>& raws,
               JobOptions options = {});

/// shellcheck and bash -n; "" if both are content.
std::string script_faults(const std::string& script);

/// Compares with tests/golden/NAME; with XPCS_UPDATE_GOLDEN=1 writes it instead.
void expect_golden(const std::string& name, const std::string& text);

Json json_file(const std::string& path);

}  // namespace xpcs::jobgen::testing
