// SPDX-License-Identifier: BSD-3-Clause
#include "portal/jobs.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "portal/child_process.hpp"
#include "portal/report.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>

namespace xpcs::portal {

namespace {

namespace fs = std::filesystem;

constexpr int most_running = 4;
constexpr int most_waiting = 200;
constexpr int unknown_job = static_cast<int>(ExitCode::unavailable);  ///< of xpcs-jobgen status

/// Words that begin like an option, and anything but plain characters, are refused: the words go to
/// another program.
void check_word(const std::string& name, const std::string& value) {
    const bool plain = !value.empty() && value.size() <= 100 && value.front() != '-' &&
                       value.front() != '.' &&
                       std::all_of(value.begin(), value.end(), [](unsigned char c) {
                           return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
                       });
    if (!plain) {
        throw Error(ExitCode::usage,
                    name + " '" + printable(value, 100) +
                        "': letters, digits and _ - . are allowed, at most 100");
    }
}

std::string last_line(std::string text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
        text.pop_back();
    }
    return text.substr(text.find_last_of('\n') == std::string::npos ? 0
                                                                    : text.find_last_of('\n') + 1);
}

std::string output_of(const JobRequest& request) {
    return request.published + "_" + request.suffix;
}

/// NAME.job below the output of a submitted job; "" if it is not there.
std::string job_directory(const std::string& output) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(output, error)) {
        if (entry.path().extension() == ".job" && entry.is_directory()) {
            return entry.path().string();
        }
    }
    return "";
}

/// Not in hidden directories: there a job keeps what is not ready.
std::string result_in(const std::string& directory) {
    std::error_code error;
    fs::recursive_directory_iterator it(directory, error), end;
    for (; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (name.starts_with(".")) {
            it.disable_recursion_pending();
        } else if (name.ends_with("_results.hdf") && it->is_regular_file(error)) {
            return it->path().string();
        }
    }
    return "";
}

}  // namespace

Jobs::Jobs(std::string jobgen,
           std::vector<std::string> deployments,
           std::string catalogue,
           std::chrono::seconds patience)
    : jobgen_(std::move(jobgen)), deployments_(std::move(deployments)),
      catalogue_(std::move(catalogue)), patience_(patience) {}

Jobs::~Jobs() {
    stop_.request_stop();
    threads_.clear();  // waits for them while what they look at is still there
}

std::vector<std::string> Jobs::command(const JobRequest& request) const {
    check_word("suffix", request.suffix);
    check_word("deployment", request.deployment);
    if (request.type != "Multitau" && request.type != "Twotime" && request.type != "Both") {
        throw Error(ExitCode::usage,
                    "type '" + printable(request.type, 100) +
                        "': Multitau, Twotime or Both is expected");
    }
    std::vector<std::string> words{jobgen_,
                                   "reprocess",
                                   "--published",
                                   request.published,
                                   "--raw",
                                   request.raw,
                                   "--qmap",
                                   request.qmap,
                                   "--suffix",
                                   request.suffix,
                                   "--type",
                                   request.type,
                                   "--deployment",
                                   request.deployment,
                                   "--report",
                                   "off"};
    words.insert(words.end(), request.options.begin(), request.options.end());
    for (const std::string& file : deployments_) {
        words.insert(words.end(), {"--deployments", file});
    }
    return words;
}

std::string Jobs::preview(const JobRequest& request) const {
    const ChildResult result = run_child(command(request), 30);
    if (result.status != 0) {
        throw Error(ExitCode::usage, printable(last_line(result.output), 1000));
    }
    return result.output;
}

std::int64_t Jobs::start(const JobRequest& request) {
    command(request);  // the words are good, or nothing starts
    const std::lock_guard lock(mutex_);
    const auto open = std::count_if(
        states_.begin(), states_.end(), [](const auto& entry) { return !entry.second.ended; });
    if (open >= most_waiting) {
        throw Error(ExitCode::unavailable,
                    std::to_string(open) + " jobs are under way; try again when some have ended");
    }
    const std::int64_t id = next_++;
    states_[id] = {request.title + " (" + request.suffix + ")", "waiting", "", 0, false};
    threads_.emplace_back([this, id, request] {
        if (!wait_for_turn(id)) {
            return;
        }
        try {
            work(id, request);
        } catch (const std::exception& error) {
            set(id, "failed", std::string("\n") + error.what() + "\n");
        }
        const std::lock_guard own(mutex_);
        --running_;
        turn_.notify_one();
    });
    return id;
}

/// False if the portal ends first.
bool Jobs::wait_for_turn(std::int64_t id) {
    std::unique_lock lock(mutex_);
    if (!turn_.wait(lock, stop_.get_token(), [this] { return running_ < most_running; })) {
        return false;
    }
    ++running_;
    states_[id].state = "submitting";
    return true;
}

std::vector<std::pair<std::int64_t, JobState>> Jobs::latest() {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::int64_t, JobState>> out;
    for (auto it = states_.rbegin(); it != states_.rend() && out.size() < 100; ++it) {
        out.push_back(*it);
    }
    return out;
}

std::vector<std::string> Jobs::deployments() {
    {
        const std::lock_guard lock(mutex_);
        if (!names_.empty()) {
            return names_;
        }
    }
    std::vector<std::string> words{jobgen_, "list"}, names;
    for (const std::string& file : deployments_) {
        words.insert(words.end(), {"--deployments", file});
    }
    const ChildResult result = run_child(words, 30);
    std::istringstream lines(result.status == 0 ? result.output : "");
    std::string line;
    std::getline(lines, line);  // heads of the columns
    while (std::getline(lines, line)) {
        const std::string name = line.substr(0, line.find(' '));
        if (!name.empty() && name != "*" && line.find("(retired)") == std::string::npos) {
            names.push_back(name);
        }
    }
    const std::lock_guard lock(mutex_);
    return names_ = names;
}

JobState Jobs::state(std::int64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = states_.find(id);
    return found == states_.end() ? JobState{} : found->second;
}

void Jobs::set(std::int64_t id,
               const std::string& state,
               const std::string& log,
               std::int64_t run) {
    const std::lock_guard lock(mutex_);
    JobState& entry = states_[id];
    entry.state = state;
    entry.log += printable(log, 4000).empty() ? "" : log.substr(0, 20'000);
    entry.run = run;
    entry.ended = state == "done" || state == "failed";
}

void Jobs::work(std::int64_t id, const JobRequest& request) {
    std::vector<std::string> words = command(request);
    words.emplace_back("--submit");
    const ChildResult submitted = run_child(words, 600);
    if (submitted.status != 0) {
        return set(id, "failed", submitted.output);
    }
    const std::string job = last_line(submitted.output);
    set(id, "running", "job " + job + "\n");
    std::string told;
    // By its directory: a job without a scheduler has no other lasting name.
    const std::string where = job_directory(output_of(request));
    std::vector<std::string> ask{
        jobgen_, "status", where.empty() ? job : where, "--deployment", request.deployment};
    for (const std::string& file : deployments_) {
        ask.insert(ask.end(), {"--deployments", file});
    }
    // Who asks a scheduler all the time is a burden to it: less and less often, at last once a
    // minute.
    using Clock = std::chrono::steady_clock;
    std::chrono::seconds pause{1};
    auto due = Clock::now(), known = due;
    while (!stop_.stop_requested()) {
        if (Clock::now() >= due) {
            const ChildResult status = run_child(ask, 300);
            if (status.output != told) {
                told = status.output;
                set(id, "running", told);
            }
            if (status.status != 0 && status.status != unknown_job) {
                return set(id, "failed", "\nthe job failed\n");
            }
            if (status.status == 0) known = Clock::now();
            due = Clock::now() + pause;
            pause = std::min(2 * pause, std::chrono::seconds{60});
        }
        // The result appears complete or not at all: it is the sign that the job has done its work.
        if (!result_in(output_of(request)).empty()) {
            break;
        }
        // A scheduler that is down comes back; a job that it has lost does not, and others wait.
        if (Clock::now() - known > patience_) {
            return set(id, "failed", "\nno result, and nobody knows the job any more\n");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(700));
    }
    if (stop_.stop_requested()) {
        return;
    }
    set(id, "reporting", "result " + result_in(output_of(request)) + "\n");
    // The report is made by a process of its own: HDF5 and the pages of the portal do not wait.
    const ChildResult report = run_child({"/proc/self/exe",
                                          "report",
                                          result_in(output_of(request)),
                                          "-o",
                                          output_of(request) + "/report"},
                                         300);
    set(id, "reporting", report.output);
    DirectoryOptions options;
    options.visible_to = request.visible_to;
    options.experiment = request.experiment;
    options.cycle = request.cycle;
    options.organisation = request.organisation;
    json document = document_of(output_of(request), options);
    document["content"]["project_metadata"]["reprocessing"] = {
        {"of", request.subject},
        {"suffix", request.suffix},
        {"qmap", {{"name", fs::path(request.qmap).filename().string()}}}};
    Catalogue catalogue(catalogue_);
    catalogue.ingest(document);
    Viewer everybody;
    everybody.everything = true;
    const auto stored = catalogue.latest(text_of(document["subject"]), everybody);
    set(id, "done", "", stored ? stored->hit.id : 0);
}

}  // namespace xpcs::portal
