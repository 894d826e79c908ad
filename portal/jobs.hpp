// SPDX-License-Identifier: BSD-3-Clause
// Reprocessing: hands a job over with xpcs-jobgen, watches it, reports and ingests its result.
#pragma once

#include "portal/files.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace xpcs::portal {

struct JobRequest {
    std::string published;  ///< directory of the data set that is processed again
    std::string raw, qmap, suffix, type, deployment;
    std::vector<std::string> options;  ///< further words for the correlator, checked
    std::string title;                 ///< of the run, for people
    std::vector<std::string> visible_to;
    std::string experiment, cycle, organisation;
    std::string subject;  ///< of the old record
};

struct JobState {
    std::string title;
    std::string state;  ///< "waiting", "submitting", "running", "reporting", "done", "failed"
    std::string log;
    std::int64_t run = 0;  ///< of the catalogue, when done
    bool ended = false;
};

class Jobs {
  public:
    /// `patience`: for so long nobody may know a job whose result is not there; then it has failed.
    Jobs(std::string jobgen,
         std::vector<std::string> deployments,
         std::string catalogue,
         std::chrono::seconds patience = std::chrono::hours{24});
    ~Jobs();
    Jobs(const Jobs&) = delete;
    Jobs& operator=(const Jobs&) = delete;

    /// The job script, nothing submitted. Throws Error (usage) with what xpcs-jobgen says.
    std::string preview(const JobRequest& request) const;
    /// Starts; four run at the same time, others wait. Throws Error (unavailable) if too many do.
    std::int64_t start(const JobRequest& request);
    /// Empty state for an unknown id.
    JobState state(std::int64_t id);
    /// The latest hundred, the newest first.
    std::vector<std::pair<std::int64_t, JobState>> latest();
    /// Names of the deployments that xpcs-jobgen knows; asked once.
    std::vector<std::string> deployments();

  private:
    std::vector<std::string> command(const JobRequest& request) const;
    bool wait_for_turn(std::int64_t id);
    void work(std::int64_t id, const JobRequest& request);
    void
    set(std::int64_t id, const std::string& state, const std::string& log, std::int64_t run = 0);

    std::string jobgen_;
    std::vector<std::string> deployments_;
    std::string catalogue_;
    std::chrono::seconds patience_;
    std::vector<std::string> names_;  ///< of deployments
    std::mutex mutex_;
    std::condition_variable_any turn_;
    int running_ = 0;
    std::map<std::int64_t, JobState> states_;
    std::vector<std::jthread> threads_;
    std::int64_t next_ = 1;
    std::stop_source stop_;
};

}  // namespace xpcs::portal
