// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/job_files.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/json.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

void write_text(const std::string& path, const std::string& text, bool executable) {
    const fs::path target(path);
    std::error_code error;
    if (target.has_parent_path()) {
        fs::create_directories(target.parent_path(), error);
    }
    std::string name(1, '.');
    name.append(target.filename().string()).append(1, '.').append(std::to_string(::getpid()));
    const std::string hidden = (target.parent_path() / name.append(".tmp")).string();
    const auto fail = [&](ExitCode code, const std::string& what) {
        const std::string why = std::strerror(errno);
        ::unlink(hidden.c_str());
        throw Error(code, printable(path) + ": cannot be " + what + ": " + why);
    };
    const int fd =
        ::open(hidden.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, executable ? 0777 : 0666);
    if (fd < 0) {
        fail(ExitCode::cannot_create, "created");
    }
    std::size_t written = 0;
    while (written < text.size()) {
        const ssize_t n = ::write(fd, text.data() + written, text.size() - written);
        if (n < 0 && errno != EINTR) {
            ::close(fd);
            fail(ExitCode::io, "written");
        }
        written += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    if (::fsync(fd) != 0 || ::close(fd) != 0 || ::rename(hidden.c_str(), path.c_str()) != 0) {
        fail(ExitCode::io, "written");
    }
}

std::string write_script(const Job& job, const std::string& text) {
    std::error_code error;
    fs::create_directories(job.run_dir + "/runs", error);
    if (error) {
        throw Error(ExitCode::cannot_create,
                    "run directory " + printable(job.run_dir) + ": " + error.message());
    }
    std::string path = job.run_dir + "/job.sh";
    for (int n = 2; fs::exists(path) && read_text(path) != text; ++n) {
        path = job.run_dir + "/job-" + std::to_string(n) + ".sh";
    }
    write_text(path, text, true);
    return path;
}

void write_submission(const Submission& s) {
    const Json json{{"schema", 1},
                    {"scheduler", s.scheduler},
                    {"job_id", s.job_id},
                    {"name", s.name},
                    {"deployment", s.deployment},
                    {"script", s.script},
                    {"run_dir", s.run_dir},
                    {"runs", s.runs},
                    {"elements", s.elements},
                    {"pid", s.pid},
                    {"pid_start", s.pid_start},
                    {"cancelled", s.cancelled}};
    write_text(s.run_dir + "/submission.json", dump(json) + "\n");
}

bool has_submission(const std::string& run_dir) {
    std::error_code error;
    return fs::exists(run_dir + "/submission.json", error);
}

Submission read_submission(const std::string& run_dir) {
    const std::string file = run_dir + "/submission.json";
    const Json json = parse_json(read_text(file), file);
    Submission s;
    s.scheduler = text_at(json, "scheduler");
    s.job_id = text_at(json, "job_id");
    s.name = text_at(json, "name");
    s.deployment = text_at(json, "deployment");
    s.script = text_at(json, "script");
    s.run_dir = run_dir;
    s.runs = static_cast<int>(number_at(json, "runs"));
    s.elements = static_cast<int>(number_at(json, "elements"));
    s.pid = static_cast<long>(number_at(json, "pid"));
    s.pid_start = static_cast<unsigned long long>(number_at(json, "pid_start"));
    s.cancelled = json.contains("cancelled") && json["cancelled"] == true;
    if (s.scheduler.empty() || s.job_id.empty()) {
        throw Error(ExitCode::data, printable(file) + ": scheduler and job_id are missing");
    }
    return s;
}

namespace {

Json json_or_null(const std::string& path) {
    try {
        return parse_json(read_text(path), path);
    } catch (const Error&) {
        return {};
    }
}

RunState run_state(const Json& json) {
    RunState run;
    run.number = static_cast<int>(number_at(json, "number"));
    run.state = text_at(json, "state");
    run.exit_code = static_cast<int>(number_at(json, "exit_code"));
    run.step = text_at(json, "step");
    run.name = text_at(json, "name");
    run.raw = text_at(json, "raw");
    run.id = text_at(json, "id");
    run.result = text_at(json, "result");
    run.report = text_at(json, "report");
    run.reason = text_at(json, "reason");
    run.note = text_at(json, "note");
    return run;
}

/// One of several elements: what is worst, or what is still going on.
void add_element(JobFiles& files, const Json& json) {
    const std::string state = text_at(json, "state");
    if (state.empty()) {
        return;
    }
    const auto rank = [](const std::string& s) {
        return s == "failed" ? 3 : s == "running" ? 4 : s == "stopped" ? 2 : s == "done" ? 1 : 0;
    };
    ++files.elements;
    files.job_id = text_at(json, "job_id");
    files.host = text_at(json, "host");
    files.scheduler = text_at(json, "scheduler");
    files.name = text_at(json, "name");
    files.pid = static_cast<long>(number_at(json, "pid"));
    if (rank(state) > rank(files.state)) {
        files.state = state;
        files.exit_code = static_cast<int>(number_at(json, "exit_code"));
        files.reason = text_at(json, "reason");
    }
}

}  // namespace

JobFiles read_job_files(const std::string& run_dir) {
    JobFiles files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(run_dir, error)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind("status", 0) == 0 && name.ends_with(".json")) {
            add_element(files, json_or_null(entry.path().string()));
        }
    }
    for (const auto& entry : fs::directory_iterator(run_dir + "/runs", error)) {
        if (entry.path().extension() == ".json") {
            const Json json = json_or_null(entry.path().string());
            if (json.is_object()) {
                files.runs.push_back(run_state(json));
            }
        }
    }
    std::sort(files.runs.begin(), files.runs.end(), [](const RunState& a, const RunState& b) {
        return a.number < b.number;
    });
    return files;
}

}  // namespace xpcs::jobgen
