// SPDX-License-Identifier: BSD-3-Clause
// What a launch needs to find out, and what it remembers.
#pragma once

#include <set>
#include <string>
#include <vector>

namespace xpcs::jobgen {

struct LaunchRequest {
    std::string raw;
    std::string experiment;
    std::string qmap;  ///< name or path, if the caller gave one
};

/// From plain arguments and `filePath:… fileDataDir:… experimentName:…` pairs. Throws Error
/// (usage).
LaunchRequest launch_request(const std::vector<std::string>& words,
                             const std::vector<std::string>& raw_options);

/// The q-map: as given, else the only one in the nearest directory above the raw file that has any.
/// Throws Error (usage) when there is none or several.
std::string find_qmap(const LaunchRequest& request, const std::string& given);

/// Whether no file of the run changed during the last `seconds`.
bool is_settled(const std::string& raw, double seconds);

/// Which runs were launched; survives restarts. A run that was claimed when the machine went down
/// is launched again: a job that is there already refuses to be submitted twice.
class LaunchLog {
  public:
    /// Throws Error (interrupted) when another one watches with the same notes.
    explicit LaunchLog(const std::string& file);
    ~LaunchLog();
    LaunchLog(const LaunchLog&) = delete;
    LaunchLog& operator=(const LaunchLog&) = delete;
    bool launched(const std::string& raw) const { return known_.count(raw) > 0; }
    void note(const std::string& raw, const std::string& state);

  private:
    std::string file_;
    std::set<std::string> known_;
    int fd_ = -1;
};

}  // namespace xpcs::jobgen
