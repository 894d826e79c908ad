// SPDX-License-Identifier: BSD-3-Clause
// What schedulers answer, and what it means.
#include "host/text.hpp"
#include "jobgen/json.hpp"
#include "jobgen/queue_client.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

namespace xpcs::jobgen {

JobState::JobState() = default;
JobState::~JobState() = default;
JobState::JobState(const JobState& other) = default;
JobState::JobState(JobState&& other) noexcept = default;
JobState& JobState::operator=(const JobState& other) = default;
JobState& JobState::operator=(JobState&& other) noexcept = default;

std::string to_string(Phase phase) {
    switch (phase) {
    case Phase::unknown:
        return "unknown";
    case Phase::queued:
        return "queued";
    case Phase::held:
        return "held";
    case Phase::running:
        return "running";
    case Phase::done:
        return "done";
    case Phase::failed:
        return "failed";
    case Phase::cancelled:
        return "cancelled";
    }
    return "";
}

namespace {

/// An array is as far as its slowest element, and failed if any of them did.
void add_up(JobState& job) {
    if (job.elements.empty()) {
        return;
    }
    std::map<Phase, int> count;
    const JobState* bad = nullptr;
    for (const auto& [id, element] : job.elements) {
        ++count[element.phase];
        const bool failed = element.phase == Phase::failed || element.phase == Phase::cancelled;
        if (failed && !bad) {
            bad = &element;
            job.reason =
                "element " + id + ": " + (element.reason.empty() ? element.word : element.reason);
        }
    }
    const int all = static_cast<int>(job.elements.size());
    if (count[Phase::running] > 0 || (count[Phase::queued] > 0 && count[Phase::queued] < all)) {
        job.phase = Phase::running;
    } else if (count[Phase::queued] + count[Phase::held] > 0) {
        job.phase = count[Phase::held] > 0 ? Phase::held : Phase::queued;
    } else if (bad) {
        job.phase = count[Phase::failed] > 0 ? Phase::failed : Phase::cancelled;
        job.exit_code = bad->exit_code;
    } else if (count[Phase::done] == all) {
        job.phase = Phase::done;
        job.exit_code = 0;
    } else {
        job.phase = Phase::unknown;
    }
}

}  // namespace

std::string pbs_exit_text(long status) {
    static const std::map<long, std::string> negative{
        {-1, "PBS could not start it, before its files were set up"},
        {-2, "PBS could not start it, after its files were set up"},
        {-3, "PBS could not start it, may be tried again"},
        {-10, "PBS refused the user or group"},
        {-11, "rerun by PBS"},
        {-12, "checkpointing failed"},
        {-29, "walltime exceeded"}};
    if (status < 0) {
        const auto found = negative.find(status);
        return found != negative.end() ? found->second
                                       : "PBS could not run it (" + std::to_string(status) + ")";
    }
    if (status > 256) {
        return "ended by signal " + std::to_string(status - 256);
    }
    return status == 0 ? "" : "exit code " + std::to_string(status);
}

namespace {

/// Code of a script from PBS's Exit_status: signals as the shell counts them.
int pbs_code(long status) {
    return status < 0     ? 1
           : status > 256 ? static_cast<int>(128 + status - 256)
                          : static_cast<int>(status);
}

void pbs_finished(const Json& record, bool array, JobState& job) {
    const long substate = static_cast<long>(number_at(record, "substate"));
    if (substate == 91) {
        job.phase = Phase::cancelled;
        job.exit_code = 143;
        job.reason = "deleted";
        return;
    }
    const auto status = record.find("Exit_status");
    if (status == record.end() || !status->is_number()) {
        // So looks a job that was deleted because its dependency failed.
        job.phase = Phase::failed;
        job.exit_code = 1;
        job.reason = "ended without an exit status: it never ran";
        return;
    }
    const long code = status->get<long>();
    // The status of an array is that of the element that ended last; its substate is right.
    if (code == 0 && (substate == 92 || (!array && substate != 93))) {
        job.phase = Phase::done;
        return;
    }
    job.phase = Phase::failed;
    job.exit_code = code == 0 ? 1 : pbs_code(code);
    job.reason = code == 0 ? "an element of the array failed" : pbs_exit_text(code);
}

JobState pbs_record(const Json& record) {
    JobState job;
    job.word = text_at(record, "job_state");
    const bool array = text_at(record, "array") == "True";
    const std::string comment = text_at(record, "comment");
    if (job.word == "F" || job.word == "X") {
        pbs_finished(record, array, job);
    } else if (job.word == "H") {
        job.phase = Phase::held;
        job.reason = comment;
    } else if (job.word == "Q" || job.word == "W" || job.word == "T") {
        job.phase = Phase::queued;
        job.reason = comment;
    } else if (job.word == "R" || job.word == "E" || job.word == "S" || job.word == "U" ||
               job.word == "B") {
        job.phase = Phase::running;
    }
    return job;
}

}  // namespace

JobState parse_qstat(const std::string& text, const std::string& id) {
    Json answer;
    try {
        answer = parse_json(text, "qstat");
    } catch (const std::exception&) {
        JobState job;
        job.unasked = true;
        job.reason = "qstat gave no JSON";
        return job;
    }
    JobState job;
    if (!answer.is_object() || !answer.contains("Jobs") || !answer["Jobs"].is_object()) {
        job.reason = "not known to PBS (any more)";
        return job;
    }
    const std::string number = id.substr(0, id.find_first_of("[."));
    for (const auto& [key, record] : answer["Jobs"].items()) {
        if (!record.is_object() || key.substr(0, key.find_first_of("[.")) != number) {
            continue;
        }
        const std::size_t open = key.find('[');
        const bool element =
            open != std::string::npos && open + 1 < key.size() && key[open + 1] != ']';
        const bool asked = key == id || key.rfind(id + ".", 0) == 0;
        if (element && !asked) {
            job.elements.emplace_back(key.substr(0, key.find('.')), pbs_record(record));
        } else {
            const auto elements = std::move(job.elements);
            job = pbs_record(record);
            job.elements = elements;
        }
    }
    if (job.word.empty() && job.elements.empty()) {
        job.reason = "not known to PBS (any more)";
        return job;
    }
    add_up(job);
    return job;
}

namespace {

Phase slurm_phase(const std::string& word) {
    static const std::map<std::string, Phase> phases{
        {"PENDING", Phase::queued},       {"CONFIGURING", Phase::queued},
        {"REQUEUED", Phase::queued},      {"REQUEUE_FED", Phase::queued},
        {"REQUEUE_HOLD", Phase::held},    {"SPECIAL_EXIT", Phase::held},
        {"RUNNING", Phase::running},      {"COMPLETING", Phase::running},
        {"SUSPENDED", Phase::running},    {"STOPPED", Phase::running},
        {"RESIZING", Phase::running},     {"SIGNALING", Phase::running},
        {"STAGE_OUT", Phase::running},    {"COMPLETED", Phase::done},
        {"CANCELLED", Phase::cancelled},  {"FAILED", Phase::failed},
        {"TIMEOUT", Phase::failed},       {"NODE_FAIL", Phase::failed},
        {"OUT_OF_MEMORY", Phase::failed}, {"BOOT_FAIL", Phase::failed},
        {"DEADLINE", Phase::failed},      {"PREEMPTED", Phase::failed},
        {"REVOKED", Phase::failed}};
    const auto found = phases.find(word);
    return found == phases.end() ? Phase::unknown : found->second;
}

/// "3:0" and a state word to what it means.
void slurm_end(const std::string& exit_text, JobState& job) {
    const int code = std::atoi(exit_text.c_str());
    const std::size_t colon = exit_text.find(':');
    const int signal = colon == std::string::npos ? 0 : std::atoi(exit_text.c_str() + colon + 1);
    if (job.phase == Phase::done) {
        job.exit_code = 0;
    } else if (job.phase == Phase::failed || job.phase == Phase::cancelled) {
        // After a timeout the code is that of a trap: trust the state.
        job.exit_code = job.word != "FAILED" ? 1 : signal > 0 ? 128 + signal : std::max(code, 1);
        if (job.word == "TIMEOUT") {
            job.reason = "walltime exceeded";
        } else if (job.word == "FAILED") {
            job.reason = signal > 0 ? "ended by signal " + std::to_string(signal)
                                    : "exit code " + std::to_string(code);
        } else {
            std::string word = job.word;
            std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) {
                return c == '_' ? ' ' : static_cast<char>(std::tolower(c));
            });
            job.reason = word;
        }
    }
}

std::string field_of(const std::string& line, const std::string& name) {
    const std::string key = " " + name + "=";
    const std::size_t at = (" " + line).find(key);
    if (at == std::string::npos) {
        return "";
    }
    const std::size_t start = at + key.size() - 1;
    return line.substr(start, line.find(' ', start) - start);
}

JobState slurm_record(const std::string& line) {
    JobState job;
    job.word = field_of(line, "JobState");
    job.phase = slurm_phase(job.word);
    const std::string reason = field_of(line, "Reason");
    if (job.active() && reason != "None") {
        job.reason = reason;
        // These never start by themselves.
        if (reason == "JobHeldUser" || reason == "JobHeldAdmin" ||
            reason.find("DependencyNeverSatisfied") != std::string::npos) {
            job.phase = Phase::held;
        }
    }
    slurm_end(field_of(line, "ExitCode"), job);
    return job;
}

}  // namespace

JobState parse_scontrol(const std::string& text) {
    JobState job;
    std::istringstream lines(text);
    int records = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.rfind("JobId=", 0) != 0) {
            continue;
        }
        ++records;
        const std::string array = field_of(line, "ArrayTaskId");
        if (array.empty()) {
            job = slurm_record(line);
        } else {
            job.elements.emplace_back(array, slurm_record(line));
        }
    }
    add_up(job);
    if (records == 0) {
        job.reason = "not known to Slurm (any more)";
    }
    return job;
}

JobState parse_sacct(const std::string& text) {
    JobState job;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::vector<std::string> part(1);
        for (const char c : line) {
            if (c == '|') {
                part.emplace_back();
            } else {
                part.back() += c;
            }
        }
        if (part.size() < 3) {
            continue;
        }
        JobState record;
        record.word = part[1].substr(0, part[1].find(' '));
        record.phase = slurm_phase(record.word);
        slurm_end(part[2], record);
        if (part[0].find('_') == std::string::npos) {
            const auto elements = std::move(job.elements);
            job = record;
            job.elements = elements;
        } else {
            job.elements.emplace_back(part[0].substr(part[0].find('_') + 1), record);
        }
    }
    add_up(job);
    if (job.word.empty() && job.elements.empty()) {
        job.reason = "not known to Slurm (any more)";
    }
    return job;
}

JobState parse_cobalt_qstat(const std::string& text, const std::string& id) {
    JobState job;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string first, state;
        words >> first >> state;
        if (first != id) {
            continue;
        }
        job.word = state;
        if (state == "queued" || state == "dep_hold") {
            job.phase = Phase::queued;
        } else if (state.find("hold") != std::string::npos || state == "dep_fail") {
            job.phase = Phase::held;
            job.reason = state == "dep_fail" ? "a job that it waits for has failed" : "";
        } else if (state == "done") {
            job.phase = Phase::unknown;  // the log knows how
        } else if (!state.empty()) {
            job.phase = Phase::running;
        }
    }
    return job;
}

JobState parse_cobaltlog(const std::string& text) {
    JobState job;
    static const std::string normal = "task completed normally with an exit code of ";
    if (const std::size_t at = text.rfind(normal); at != std::string::npos) {
        job.exit_code = std::atoi(text.c_str() + at + normal.size());
        job.phase = job.exit_code == 0 ? Phase::done : Phase::failed;
        job.reason = job.exit_code == 0 ? "" : "exit code " + std::to_string(job.exit_code);
    }
    const std::pair<const char*, const char*> ends[] = {
        {"maximum execution time exceeded", "walltime exceeded"},
        {"user delete requested", "deleted"},
        {"execution failure", "could not be run"}};
    for (const auto& [phrase, reason] : ends) {
        if (text.find(phrase) != std::string::npos) {
            job.phase = std::string(reason) == "deleted" ? Phase::cancelled : Phase::failed;
            job.exit_code = 1;
            job.reason = reason;
        }
    }
    return job;
}

std::string parse_job_id(const std::string& text) {
    std::istringstream lines(text);
    std::string id;
    for (std::string line; std::getline(lines, line);) {
        const std::string word = line.substr(0, line.find(';'));  // sbatch: JOBID;CLUSTER
        const bool good = !word.empty() && std::isdigit(static_cast<unsigned char>(word[0])) &&
                          word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
                                                 "WXYZ0123456789._-[]") == std::string::npos;
        id = good ? word : id;
    }
    return id;
}

}  // namespace xpcs::jobgen
