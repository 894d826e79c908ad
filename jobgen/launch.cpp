// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/launch.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/flow/gather.hpp"
#include "jobgen/job.hpp"
#include "jobgen/json.hpp"
#include "jobgen/site_check.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

LaunchRequest launch_request(const std::vector<std::string>& words,
                             const std::vector<std::string>& raw_options) {
    LaunchRequest request;
    std::string directory;
    std::vector<std::string> plain = raw_options;
    for (const auto& word : words) {
        const std::size_t colon = word.find(':');
        const std::string key = colon == std::string::npos ? "" : word.substr(0, colon);
        const std::string value = colon == std::string::npos ? "" : word.substr(colon + 1);
        if (key == "filePath") {
            plain.push_back(value);
        } else if (key == "fileDataDir") {
            directory = value;
        } else if (key == "experimentName") {
            request.experiment = value;
        } else if (key == "qmap" || key == "qmapFile") {
            request.qmap = value;
        } else if (!key.empty() && key.find('/') == std::string::npos && is_variable_name(key)) {
            continue;  // a pair of the data-management system that means nothing here
        } else {
            plain.push_back(word);
        }
    }
    if (plain.size() != 1) {
        throw Error(ExitCode::usage,
                    "launch takes one raw file, " + std::to_string(plain.size()) +
                        " are named; allowed: RAW or filePath:RAW");
    }
    request.raw = plain.front();
    if (!request.raw.empty() && request.raw[0] != '/' && !directory.empty()) {
        request.raw = directory + "/" + request.raw;
    }
    request.raw = absolute_path(request.raw);
    if (!fs::is_regular_file(request.raw)) {
        throw Error(ExitCode::no_input, "raw file '" + printable(request.raw) + "' does not exist");
    }
    return request;
}

namespace {

std::vector<std::string> qmaps_in(const fs::path& directory) {
    static const std::regex name("qmap.*\\.(h5|hdf|hdf5)$", std::regex::icase);
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        if (entry.is_regular_file() && std::regex_search(entry.path().filename().string(), name)) {
            found.push_back(entry.path().string());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace

std::string find_qmap(const LaunchRequest& request, const std::string& given) {
    const std::string named = request.qmap.empty() ? given : request.qmap;
    if (!named.empty() && named.find('/') == std::string::npos) {
        // A bare name lies beside the data, as the workflow has it.
        for (fs::path at = fs::path(request.raw).parent_path(); at.has_relative_path();
             at = at.parent_path()) {
            if (fs::is_regular_file(at / named)) {
                return (at / named).string();
            }
        }
    }
    if (!named.empty()) {
        return absolute_path(named);
    }
    int levels = 0;
    for (fs::path at = fs::path(request.raw).parent_path(); at.has_relative_path() && levels < 3;
         at = at.parent_path(), ++levels) {
        const auto found = qmaps_in(at);
        if (found.size() == 1) {
            return found.front();
        }
        if (found.size() > 1) {
            throw Error(ExitCode::usage,
                        "directory " + printable(at.string()) + " has " +
                            std::to_string(found.size()) +
                            " q-maps; give one of them with -q: " + printable(joined(found)));
        }
    }
    throw Error(ExitCode::usage,
                "no q-map lies near " + printable(request.raw) + "; give one with -q");
}

bool is_settled(const std::string& raw, double seconds) {
    const fs::path path(raw);
    std::string name = path.filename().string();
    name.resize(std::min(name.size(), name.find('.')));
    if (name.ends_with("_master")) {
        name.resize(name.size() - 7);
    }
    const auto now = fs::file_time_type::clock::now();
    std::error_code error;
    if (fs::file_size(path, error) == 0 || error) {
        return false;
    }
    for (const auto& entry : fs::directory_iterator(path.parent_path(), error)) {
        if (entry.path().filename().string().rfind(name, 0) != 0) {
            continue;
        }
        const auto changed = entry.last_write_time(error);
        if (error || std::chrono::duration<double>(now - changed).count() < seconds) {
            return false;
        }
    }
    return true;
}

LaunchLog::LaunchLog(const std::string& file) : file_(file) {
    std::error_code error;
    fs::create_directories(fs::path(file).parent_path(), error);
    fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd_ < 0) {
        throw Error(ExitCode::cannot_create, printable(file) + ": cannot be written");
    }
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        ::close(fd_);
        throw Error(ExitCode::interrupted, printable(file) + " is in use by another watcher");
    }
    std::istringstream lines(read_text(file));
    for (std::string line; std::getline(lines, line);) {
        const Json json = Json::parse(line, nullptr, false);
        const std::string state = json.is_object() ? text_at(json, "state") : "";
        if (!state.empty() && state != "claimed") {
            known_.insert(text_at(json, "raw"));
        }
    }
}

LaunchLog::~LaunchLog() {
    ::close(fd_);
}

void LaunchLog::note(const std::string& raw, const std::string& state) {
    const std::string line =
        dump(Json{{"raw", raw}, {"state", state}, {"time", flow::utc_now()}}, -1) + "\n";
    if (::write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
        ::fsync(fd_) != 0) {
        throw Error(ExitCode::io, printable(file_) + ": cannot be written");
    }
    if (state != "claimed") {
        known_.insert(raw);
    }
}

}  // namespace xpcs::jobgen
