// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/local_actions.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/flow/paths.hpp"
#include "jobgen/process.hpp"

#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

namespace {

std::string directory_of(const LocalFlow& flow, const std::string& id, const std::string& path) {
    const auto found = flow.collections.find(id);
    if (found == flow.collections.end()) {
        throw Error(ExitCode::data,
                    "collection " + printable(id) +
                        " has no directory here; allowed: those of deployments.yaml and of "
                        "--collections");
    }
    Collection collection;
    collection.key = id;
    collection.path = found->second;
    return flow::to_posix(collection, path);
}

/// A file appears complete or not at all, as with a real transfer.
void place_copy(const fs::path& from, const fs::path& to) {
    std::error_code error;
    fs::create_directories(to.parent_path(), error);
    const bool same = fs::exists(to) && fs::equivalent(from, to, error);
    if (same) {
        return;
    }
    const fs::path hidden =
        to.parent_path() / ("." + to.filename().string() + "." + std::to_string(::getpid()));
    error.clear();
    fs::copy_file(from, hidden, fs::copy_options::overwrite_existing, error);
    if (!error) {
        fs::rename(hidden, to, error);
    }
    if (error) {
        std::error_code ignored;
        fs::remove(hidden, ignored);
        throw Error(ExitCode::io,
                    "transfer of " + printable(from.string()) + " to " + printable(to.string()) +
                        ": " + error.message());
    }
}

Json transfer(const LocalFlow& flow, const Json& body) {
    long files = 0;
    for (const auto& item : body.value("DATA", Json::array())) {
        const fs::path from =
            directory_of(flow, text_at(body, "source_endpoint"), text_at(item, "source_path"));
        const fs::path to = directory_of(
            flow, text_at(body, "destination_endpoint"), text_at(item, "destination_path"));
        if (!fs::exists(from)) {
            throw Error(ExitCode::no_input,
                        "transfer: " + printable(from.string()) + " does not exist");
        }
        if (fs::is_directory(from) != flag_at(item, "recursive")) {
            throw Error(ExitCode::data,
                        "transfer: " + printable(from.string()) +
                            (fs::is_directory(from) ? " is a directory and recursive is false"
                                                    : " is a file and recursive is true"));
        }
        if (!fs::is_directory(from)) {
            place_copy(from, to);
            ++files;
            continue;
        }
        std::error_code error;
        fs::create_directories(to, error);
        // The list first: a destination inside the source must not grow while it is read.
        std::vector<fs::path> found;
        for (const auto& entry : fs::recursive_directory_iterator(
                 from, fs::directory_options::follow_directory_symlink)) {
            if (entry.is_regular_file()) {
                found.push_back(entry.path());
            }
        }
        for (const auto& path : found) {
            place_copy(path, to / fs::relative(path, from));
            ++files;
        }
    }
    return {{"files", files}};
}

/// One line at the end of a file that several processes may write.
void append_line(const std::string& path, const std::string& line) {
    std::error_code error;
    fs::create_directories(fs::path(path).parent_path(), error);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    const std::string text = line + "\n";
    const bool good = fd >= 0 && ::flock(fd, LOCK_EX) == 0 &&
                      ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                      ::fsync(fd) == 0;
    if (fd >= 0) {
        ::close(fd);
    }
    if (!good) {
        throw Error(ExitCode::io, printable(path) + ": cannot be written");
    }
}

Json permission(const LocalFlow& flow, const Json& body) {
    append_line(flow.run_dir + "/permissions.jsonl", dump(body, -1));
    return {{"code", "Created"}};
}

/// As our registered function does it.
Json run_task(const Json& kwargs) {
    std::vector<std::string> argv;
    for (const auto& word : kwargs.value("argv", Json::array())) {
        argv.push_back(word.get<std::string>());
    }
    if (argv.empty()) {
        throw Error(ExitCode::data, "compute: a task without a command");
    }
    RunOptions options;
    const char* path = std::getenv("PATH");
    options.variables = {{"PATH", (path ? std::string(path) + ":" : "") + own_directory()}};
    const std::string beside = own_directory() + "/" + argv.front();
    // Our own steps are those of this program; the others are taken from beside it at last.
    const bool ours = argv.front() == "xpcs-jobgen";
    if (argv.front().find('/') == std::string::npos &&
        (ours || find_program(argv.front()).empty()) && ::access(beside.c_str(), X_OK) == 0) {
        argv.front() = beside;
    }
    if (kwargs.contains("stdin")) {
        options.input = dump(kwargs["stdin"], -1);
    }
    const Outcome outcome = run_program(argv, options);
    if (outcome.code == static_cast<int>(ExitCode::interrupted)) {
        throw Error(ExitCode::interrupted,
                    fs::path(argv.front()).filename().string() + " was stopped");
    }
    if (outcome.code != 0 && (!kwargs.contains("check") || flag_at(kwargs, "check"))) {
        throw Error(ExitCode::data,
                    fs::path(argv.front()).filename().string() + ": exit code " +
                        std::to_string(outcome.code) + ": " + printable(last_line(outcome.err)));
    }
    Json result = Json::object();
    try {
        const Json line = Json::parse(last_line(outcome.out));
        result = line.is_object() ? line : Json{{"value", line}};
    } catch (const nlohmann::json::exception&) {
        result["last_line"] = printable(last_line(outcome.out));
    }
    result["exit_code"] = outcome.code;
    return result;
}

Json compute(const Json& body) {
    Json results = Json::array();
    std::string trouble;
    for (const auto& task : body.value("tasks", Json::array())) {
        try {
            results.push_back({{"output", run_task(task.value("kwargs", Json::object()))}});
        } catch (const Error& error) {
            if (error.code() == ExitCode::interrupted) {
                throw;
            }
            // The other tasks run all the same, as they would elsewhere.
            trouble += (trouble.empty() ? "" : "; ") + std::string(error.what());
        }
    }
    if (!trouble.empty()) {
        throw Error(ExitCode::data, trouble);
    }
    return {{"results", results}};
}

/// Into the portal's catalogue if that is what the file is called, else as a line of JSON.
Json ingest(const LocalFlow& flow, const Json& body) {
    if (text_at(body, "subject").empty() || !body.contains("content")) {
        throw Error(ExitCode::data, "ingest: subject and content are needed");
    }
    if (fs::path(flow.catalogue).extension() != ".db") {
        append_line(flow.catalogue, dump(body, -1));
        return {{"catalogue", flow.catalogue}};
    }
    const std::string record = flow.run_dir + "/record.json";
    fs::remove(record);
    append_line(record, dump(body, -1));
    run_task({{"argv", {"xpcs-portal", "ingest", record, "--catalogue", flow.catalogue}}});
    return {{"catalogue", flow.catalogue}};
}

}  // namespace

Json local_action(const LocalFlow& flow, const std::string& url, const Json& body) {
    if (url == "https://transfer.actions.globus.org/transfer/") {
        return transfer(flow, body);
    }
    if (url == "https://transfer.actions.globus.org/manage_permission") {
        return permission(flow, body);
    }
    if (url == "https://compute.actions.globus.org/v3") {
        return compute(body);
    }
    if (url == "https://actions.globus.org/search/ingest") {
        return ingest(flow, body);
    }
    throw Error(ExitCode::data, "action " + printable(url) + " cannot be done here");
}

}  // namespace xpcs::jobgen
