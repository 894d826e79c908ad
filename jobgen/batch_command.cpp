// SPDX-License-Identifier: BSD-3-Clause
// batch, batch status, batch resume.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/batch.hpp"
#include "jobgen/cli.hpp"
#include "jobgen/commands.hpp"
#include "jobgen/run_finder.hpp"
#include "jobgen/schedulers/scheduler.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>
#include <thread>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

namespace {

const CommandKind batch_kind{"batch", {"Job", "Batch", "Waiting"}, true, false, true};

struct Wanted {
    std::string raw, qmap, output;
};

/// A list of runs: lines `RAW` or `RAW<tab>QMAP`, or YAML with raw, qmap, output of each.
std::vector<Wanted> read_list(const std::string& file) {
    const fs::path base = fs::absolute(file).parent_path();
    const auto full = [&](const std::string& path) {
        return path.empty() || path[0] == '/' ? path : (base / path).lexically_normal().string();
    };
    std::vector<Wanted> found;
    const std::string text = read_text(file);
    if (file.ends_with(".yaml") || file.ends_with(".yml") || file.ends_with(".json")) {
        const Raw raw = parse_yaml(text, file);
        if (raw.kind != Raw::Kind::list) {
            refuse(raw.place, "a list of runs expected, each {raw, qmap, output} or a path");
        }
        for (const Raw& item : raw.items) {
            Wanted w;
            if (item.kind == Raw::Kind::scalar) {
                w.raw = full(item.text);
            }
            for (const auto& [key, value] : item.members) {
                const std::string path = full(text_of(value, key));
                if (key == "raw") {
                    w.raw = path;
                } else if (key == "qmap") {
                    w.qmap = path;
                } else if (key == "output") {
                    w.output = path;
                } else {
                    refuse(value.place,
                           "key '" + printable(key) + "' is not known; allowed: raw, qmap, output");
                }
            }
            if (w.raw.empty()) {
                refuse(item.place, "a run without `raw`");
            }
            found.push_back(w);
        }
        return found;
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();  // a list from Windows
        }
        if (line.empty() || line[0] == '#') {
            continue;
        }
        const std::size_t tab = line.find('\t');
        found.push_back({full(line.substr(0, tab)),
                         tab == std::string::npos ? "" : full(line.substr(tab + 1)),
                         ""});
    }
    return found;
}

bool is_list(const std::string& path) {
    for (const char* end : {".txt", ".tsv", ".yaml", ".yml", ".json"}) {
        if (path.ends_with(end)) {
            return true;
        }
    }
    return false;
}

std::vector<Wanted> find_runs(const CommandLine& command) {
    std::vector<Wanted> found;
    std::vector<std::string> places = command.positional;
    places.insert(places.end(), command.config.raw.begin(), command.config.raw.end());
    for (const auto& place : places) {
        const auto paths = matches(place);
        if (paths.empty()) {
            throw Error(ExitCode::no_input,
                        "'" + printable(place) + "': no such file or directory");
        }
        for (const auto& path : paths) {
            if (fs::is_directory(path)) {
                for (const auto& raw : runs_below(path, command.options.pattern)) {
                    found.push_back({absolute_path(raw), "", ""});
                }
            } else if (is_list(path)) {
                const auto listed = read_list(path);
                found.insert(found.end(), listed.begin(), listed.end());
            } else {
                found.push_back({absolute_path(path), "", ""});
            }
        }
    }
    std::set<std::string> seen;
    std::vector<Wanted> once;
    for (const auto& w : found) {
        if (seen.insert(w.raw + "\n" + w.qmap).second) {
            once.push_back(w);
        }
    }
    if (once.empty()) {
        throw Error(ExitCode::no_input,
                    "no raw file was found; allowed: directories, globs, lists, files");
    }
    return once;
}

Manifest new_manifest(const CommandLine& command, const Site& site) {
    const auto wanted = find_runs(command);
    Manifest m;
    m.deployment = deployment_for(site, command.options, wanted.front().raw);
    const Deployment& deployment = site.deployment(m.deployment);
    m.options = job_options(command.options, deployment);
    for (const auto& file : command.options.deployments) {
        m.deployment_files.push_back(absolute_path(file));
    }
    m.device = command.device;
    m.runs_per_job = command.options.runs_per_job;
    m.active_jobs = command.options.active_jobs;
    m.array = command.options.array;
    std::set<std::string> used;
    for (const auto& w : wanted) {
        RunConfig config = command.config;
        config.raw = {w.raw};
        config.qmap = w.qmap.empty() ? config.qmap : w.qmap;
        if (config.qmap.empty()) {
            throw Error(ExitCode::usage,
                        "run '" + printable(w.raw) +
                            "' has no q-map; allowed: -q FILE, or one in the list");
        }
        check_config(config);
        if (!w.output.empty()) {
            config.output = w.output;
        } else if (command.options.layout == "apart") {
            std::string directory = config.output + "/" + dataset_name(w.raw, "stem");
            for (int n = 2; !used.insert(directory).second; ++n) {
                directory =
                    config.output + "/" + dataset_name(w.raw, "stem") + "-" + std::to_string(n);
            }
            config.output = directory;
        }
        DataSet d;
        d.run = make_run(config, w.raw, deployment);
        m.datasets.push_back(d);
    }
    m.file = absolute_path(command.options.manifest.empty() ? command.config.output + "/batch.json"
                                                            : command.options.manifest);
    return m;
}

/// Two that work on one manifest would submit everything twice.
class ManifestLock {
  public:
    explicit ManifestLock(const std::string& file) {
        std::error_code error;
        fs::create_directories(fs::path(file).parent_path(), error);
        fd_ = ::open((file + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd_ >= 0 && ::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
            ::close(fd_);
            throw Error(ExitCode::interrupted,
                        "manifest " + printable(file) + " is in use by another xpcs-jobgen");
        }
    }
    ~ManifestLock() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    bool held() const { return fd_ >= 0; }
    ManifestLock(const ManifestLock&) = delete;
    ManifestLock& operator=(const ManifestLock&) = delete;

  private:
    int fd_ = -1;
};

std::string counts_text(const Manifest& m) {
    const auto count = m.count();
    std::string text = std::to_string(m.datasets.size()) + " runs:";
    for (const char* state : {"done", "failed", "running", "submitted", "pending"}) {
        if (const auto found = count.find(state); found != count.end()) {
            text.append(1, ' ').append(std::to_string(found->second)).append(1, ' ');
            text.append(state).append(1, ',');
        }
    }
    text.pop_back();
    return text;
}

void print_failures(const Manifest& m) {
    for (const auto& d : m.datasets) {
        if (d.state == "failed") {
            std::cout << "  " << printable(d.run.name) << ": exit code " << d.exit_code << ": "
                      << printable(d.reason) << "\n";
        }
    }
}

bool open_ones(const Manifest& m) {
    const auto count = m.count();
    // A job may still be at its last words when its last run is done.
    return count.count("pending") || count.count("submitted") || count.count("running") ||
           std::any_of(m.jobs.begin(), m.jobs.end(), [](const BatchJob& job) { return !job.over; });
}

void tell_unasked(const Manifest& m) {
    if (!m.unasked.empty()) {
        std::cerr << "xpcs-jobgen: warning: " << printable(m.unasked)
                  << "; its jobs count as what they were" << std::endl;
    }
}

int work(Manifest& m, const Site& site, const CommandLine& command) {
    const bool here = site.machine_of(site.deployment(m.deployment)).scheduler == Scheduler::shell;
    const bool wait = command.options.wait || here;
    const double pause = here ? std::min(command.options.poll_s, 0.5) : command.options.poll_s;
    using clock = std::chrono::steady_clock;
    constexpr std::chrono::seconds between_lines(5);
    std::string shown;
    auto shown_at = clock::now() - between_lines;
    std::string told;
    submit_more(m, site, command.all);
    while (wait && open_ones(m)) {
        refresh(m);
        write_manifest(m);
        if (m.unasked != told) {
            tell_unasked(m);
            told = m.unasked;
        }
        submit_more(m, site, command.all);
        const std::string now = counts_text(m);
        if (now != shown && (!open_ones(m) || clock::now() - shown_at >= between_lines)) {
            std::cout << now << std::endl;
            shown = now;
            shown_at = clock::now();
        }
        if (open_ones(m)) {
            std::this_thread::sleep_for(std::chrono::duration<double>(pause));
        }
    }
    if (shown.empty()) {
        std::cout << counts_text(m) << "\n";
    }
    print_failures(m);
    std::cout << "manifest " << printable(m.file) << "\n";
    return batch_code(m);
}

Manifest open_manifest(const CommandLine& command) {
    const std::string file =
        command.positional.size() > 1 ? command.positional[1] : command.options.manifest;
    if (file.empty()) {
        throw Error(ExitCode::usage, "the manifest of the batch is not named");
    }
    return read_manifest(absolute_path(file));
}

/// What was found out goes into the manifest, unless somebody works on it and does so himself.
void keep(const Manifest& m, const std::string& as_read) {
    try {
        const ManifestLock lock(m.file);
        if (lock.held() && read_text(m.file) == as_read) {
            write_manifest(m);
        }
    } catch (const Error&) {  // also who may only look gets an answer
    }
}

/// A batch goes on with what it was begun with, and with what of a job is given anew.
void take_anew(Manifest& m, const Site& site, const CommandLine& command) {
    const Options& o = command.options;
    if (command.correlator_given || !o.deployment.empty()) {
        throw Error(ExitCode::usage,
                    "resume keeps deployment, runs and options of the correlation; allowed: "
                    "options of the job, as --walltime");
    }
    const JobOptions given = job_options(o, site.deployment(m.deployment));
    JobOptions& kept = m.options;
    const auto text = [](std::string& to, const std::string& from) {
        to = from.empty() ? to : from;
    };
    text(kept.queue, given.queue);
    text(kept.account, given.account);
    text(kept.name, given.name);
    text(kept.report, given.report);
    text(kept.programs, absolute_path(o.programs));
    kept.walltime_s = given.walltime_s > 0 ? given.walltime_s : kept.walltime_s;
    kept.nodes = given.nodes > 0 ? given.nodes : kept.nodes;
    kept.gpus = given.gpus >= 0 ? given.gpus : kept.gpus;
    kept.filesystems = given.filesystems.empty() ? kept.filesystems : given.filesystems;
    kept.dependency = given.dependency.empty() ? kept.dependency : given.dependency;
    kept.workers = given.workers > 1 ? given.workers : kept.workers;
    if (given.stage_given) {
        kept.stage_given = true;
        kept.stage_to_node = given.stage_to_node;
    }
    m.runs_per_job = o.runs_per_job > 0 ? o.runs_per_job : m.runs_per_job;
    m.active_jobs = o.active_jobs > 0 ? o.active_jobs : m.active_jobs;
    m.array = m.array || o.array;
}

Site site_of_manifest(const Manifest& m, const Options& options) {
    Options all = options;
    all.deployments.insert(
        all.deployments.begin(), m.deployment_files.begin(), m.deployment_files.end());
    return site_of(all);
}

int print_plan(const Manifest& m) {
    for (const auto& d : m.datasets) {
        std::cout << printable(d.run.raw) << " -> " << printable(d.run.output) << "\n";
    }
    std::cout << m.datasets.size() << " runs, deployment " << m.deployment << ", manifest "
              << printable(m.file) << "\n";
    return 0;
}

}  // namespace

int batch_command(const Words& args) {
    const CommandLine command = parse_command(batch_kind, args);
    if (command.help) {
        std::cout << command_help(
            batch_kind,
            "Usage: xpcs-jobgen batch PLACE... -q QMAP -o DIR [options]\n"
            "       xpcs-jobgen batch status MANIFEST\n"
            "       xpcs-jobgen batch resume MANIFEST [--wait]\n\n"
            "PLACE is a directory tree, a glob, a raw file, or a list (.txt: RAW or RAW<tab>QMAP\n"
            "per line; .yaml: raw, qmap, output). The manifest (default DIR/batch.json) keeps the\n"
            "state of every run; resume does what failed or is missing.\n");
        return 0;
    }
    const std::string word = command.positional.empty() ? "" : command.positional.front();
    if (word == "status" && !fs::exists(word)) {
        Manifest m = open_manifest(command);
        const std::string as_read = read_text(m.file);
        refresh(m);
        keep(m, as_read);
        tell_unasked(m);
        std::cout << counts_text(m) << "\n";
        print_failures(m);
        return batch_code(m);
    }
    if (word == "resume" && !fs::exists(word)) {
        const std::string file = open_manifest(command).file;
        const ManifestLock lock(file);
        Manifest m = read_manifest(file);  // not before nobody else can write it
        const Site site = site_of_manifest(m, command.options);
        take_anew(m, site, command);
        refresh(m);
        tell_unasked(m);
        reset_failed(m);
        check_jobs(m, site, command.all);
        write_manifest(m);
        return work(m, site, command);
    }
    const Site site = site_of(command.options);
    Manifest m = new_manifest(command, site);
    // A batch that no scheduler takes leaves no manifest in the way of the corrected command.
    check_jobs(m, site, command.all);
    if (command.config.dry_run) {
        return print_plan(m);
    }
    const ManifestLock lock(m.file);
    if (fs::exists(m.file)) {
        throw Error(ExitCode::cannot_create,
                    "manifest " + printable(m.file) +
                        " exists; allowed: `batch resume`, or another --manifest");
    }
    write_manifest(m);
    return work(m, site, command);
}

}  // namespace xpcs::jobgen
