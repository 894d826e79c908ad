// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/batch.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "host/version.hpp"
#include "jobgen/queue_client.hpp"
#include "jobgen/schedulers/scheduler.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace xpcs::jobgen {

namespace {

Json to_json(const JobOptions& o) {
    return {{"queue", o.queue},
            {"account", o.account},
            {"walltime_s", o.walltime_s},
            {"nodes", o.nodes},
            {"gpus", o.gpus},
            {"filesystems", o.filesystems},
            {"dependency", o.dependency},
            {"name", o.name},
            {"report", o.report},
            {"programs", o.programs},
            {"workers", o.workers},
            {"stage_given", o.stage_given},
            {"stage_to_node", o.stage_to_node}};
}

std::vector<std::string> words_at(const Json& json, const std::string& key) {
    std::vector<std::string> words;
    if (json.is_object() && json.contains(key) && json[key].is_array()) {
        for (const auto& word : json[key]) {
            words.push_back(word.is_string() ? word.get<std::string>() : "");
        }
    }
    return words;
}

JobOptions job_options_from(const Json& json) {
    JobOptions o;
    o.queue = text_at(json, "queue");
    o.account = text_at(json, "account");
    o.walltime_s = static_cast<long>(number_at(json, "walltime_s"));
    o.nodes = static_cast<int>(number_at(json, "nodes"));
    o.gpus = static_cast<int>(number_at(json, "gpus"));
    o.filesystems = words_at(json, "filesystems");
    o.dependency = words_at(json, "dependency");
    o.name = text_at(json, "name");
    o.report = text_at(json, "report");
    o.programs = text_at(json, "programs");
    o.workers = std::max(1, static_cast<int>(number_at(json, "workers")));
    o.stage_given = flag_at(json, "stage_given");
    o.stage_to_node = flag_at(json, "stage_to_node");
    return o;
}

Json to_json(const DataSet& d) {
    return {{"name", d.run.name},
            {"state", d.state},
            {"reason", d.reason},
            {"exit_code", d.exit_code},
            {"job", d.job},
            {"result", d.result},
            {"raw", d.run.raw},
            {"qmap", d.run.qmap},
            {"output", d.run.output},
            {"options", d.run.options},
            {"overwrite", d.run.overwrite},
            {"id", d.run.id}};
}

DataSet data_set_from(const Json& json) {
    DataSet d;
    d.run.name = text_at(json, "name");
    d.state = text_at(json, "state");
    d.reason = text_at(json, "reason");
    d.exit_code = static_cast<int>(number_at(json, "exit_code"));
    d.job = json.contains("job") ? static_cast<int>(number_at(json, "job")) : -1;
    d.result = text_at(json, "result");
    d.run.raw = text_at(json, "raw");
    d.run.qmap = text_at(json, "qmap");
    d.run.output = text_at(json, "output");
    d.run.options = words_at(json, "options");
    d.run.overwrite = flag_at(json, "overwrite");
    d.run.id = text_at(json, "id");
    return d;
}

}  // namespace

std::map<std::string, int> Manifest::count() const {
    std::map<std::string, int> by_state;
    for (const auto& d : datasets) {
        ++by_state[d.state];
    }
    return by_state;
}

Manifest read_manifest(const std::string& file) {
    const Json json = parse_json(read_text(file), file);
    if (text_at(json, "kind") != "xpcs batch" || number_at(json, "schema") != 1 ||
        !json.contains("datasets") || !json["datasets"].is_array()) {
        throw Error(ExitCode::data, printable(file) + ": no manifest of a batch");
    }
    Manifest m;
    m.file = file;
    m.deployment = text_at(json, "deployment");
    m.deployment_files = words_at(json, "deployment_files");
    m.options = job_options_from(json.value("options", Json::object()));
    m.device = text_at(json, "device");
    m.runs_per_job = static_cast<int>(number_at(json, "runs_per_job"));
    m.active_jobs = static_cast<int>(number_at(json, "active_jobs"));
    m.array = flag_at(json, "array");
    for (const auto& entry : json["datasets"]) {
        m.datasets.push_back(data_set_from(entry));
    }
    for (const auto& entry : json.value("jobs", Json::array())) {
        BatchJob job;
        job.over = flag_at(entry, "over");
        const std::string run_dir = text_at(entry, "run_dir");
        if (has_submission(run_dir)) {
            job.submission = read_submission(run_dir);
        }
        job.submission.run_dir = run_dir;
        for (const auto& index : entry.value("datasets", Json::array())) {
            const int i = index.is_number_integer() ? index.get<int>() : -1;
            if (i < 0 || i >= static_cast<int>(m.datasets.size())) {
                throw Error(ExitCode::data,
                            printable(file) + ": a job names a data set that is not there");
            }
            job.datasets.push_back(i);
        }
        m.jobs.push_back(job);
    }
    return m;
}

void write_manifest(const Manifest& m) {
    Json datasets = Json::array();
    for (const auto& d : m.datasets) {
        datasets.push_back(to_json(d));
    }
    Json jobs = Json::array();
    for (const auto& job : m.jobs) {
        jobs.push_back({{"job_id", job.submission.job_id},
                        {"run_dir", job.submission.run_dir},
                        {"over", job.over},
                        {"datasets", job.datasets}});
    }
    const Json json{{"schema", 1},
                    {"kind", "xpcs batch"},
                    {"deployment", m.deployment},
                    {"deployment_files", m.deployment_files},
                    {"device", m.device},
                    {"runs_per_job", m.runs_per_job},
                    {"active_jobs", m.active_jobs},
                    {"array", m.array},
                    {"options", to_json(m.options)},
                    {"datasets", datasets},
                    {"jobs", jobs}};
    write_text(m.file, dump(json, 1) + "\n");
}

namespace {

/// What the job's own files say of a run, once the job is over also of runs without a state.
void read_run(DataSet& d, const RunState* run, const JobState& state, bool over) {
    if (run) {
        d.state = run->state == "done" ? "done" : run->state == "failed" ? "failed" : "running";
        d.result = run->result;
        d.reason = run->reason;
        d.exit_code = run->exit_code;
    }
    if (!over || d.state == "done" || d.state == "failed") {
        return;
    }
    d.state = "failed";
    d.exit_code = state.exit_code > 0 ? state.exit_code : 75;
    if (d.reason.empty()) {
        d.reason = state.phase == Phase::cancelled ? "its job was cancelled"
                   : state.reason.empty()          ? "its job ended before it"
                                                   : state.reason;
    }
}

}  // namespace

void refresh(Manifest& m) {
    m.unasked.clear();
    for (std::size_t j = 0; j < m.jobs.size(); ++j) {
        BatchJob& job = m.jobs[j];
        if (job.over) {
            continue;
        }
        JobState state;
        if (job.submission.job_id.empty()) {
            state.phase = Phase::failed;
            state.reason = "its job was not submitted";
        } else {
            state = ask(job.submission);
        }
        const JobFiles files = read_job_files(job.submission.run_dir);
        // A scheduler that forgot it leaves the word to the files.
        const bool unknown_and_open = state.phase == Phase::unknown && files.state == "running";
        // One that could not be asked has said nothing: only the job's own last word counts.
        const bool said = files.elements >= job.submission.elements &&
                          (files.state == "done" || files.state == "failed");
        if (state.unasked) {
            m.unasked = state.reason;
        }
        const bool no_word = state.unasked && !said;
        state = overall(state, files);
        const bool over = !state.active() && !unknown_and_open && !no_word;
        for (std::size_t n = 0; n < job.datasets.size(); ++n) {
            DataSet& d = m.datasets[static_cast<std::size_t>(job.datasets[n])];
            // A run that waits for another attempt is not what its last job says of it.
            if (d.job != static_cast<int>(j) || (d.state != "submitted" && d.state != "running")) {
                continue;
            }
            const RunState* found = nullptr;
            for (const auto& run : files.runs) {
                found = run.number == static_cast<int>(n) + 1 ? &run : found;
            }
            read_run(d, found, state, over);
        }
        job.over = over;
    }
}

void reset_failed(Manifest& m) {
    for (auto& d : m.datasets) {
        if (d.state == "failed") {
            d.state = "pending";
            d.job = -1;
            d.exit_code = 0;
            d.reason.clear();
        }
    }
}

namespace {

int runs_per_job(const Manifest& m, const Job& example) {
    if (m.runs_per_job > 0) {
        return m.runs_per_job;
    }
    if (example.machine.scheduler == Scheduler::shell) {
        return static_cast<int>(m.datasets.size());
    }
    const int gpus = example.whole_nodes()
                         ? example.nodes * std::max(1, example.machine.gpus_per_node)
                         : std::max(1, example.gpus);
    return gpus * m.options.workers;
}

std::string next_run_dir(const Manifest& m) {
    char number[16];
    std::snprintf(number, sizeof number, "%04zu", m.jobs.size() + 1);
    const std::filesystem::path file(m.file);
    return (file.parent_path() / (file.stem().string() + ".jobs") / number).string();
}

/// A result that only lacks its report is not made again.
void keep_results(const Manifest& m, const BatchJob& job) {
    for (std::size_t n = 0; n < job.datasets.size(); ++n) {
        const DataSet& d = m.datasets[static_cast<std::size_t>(job.datasets[n])];
        if (!d.result.empty()) {
            write_text(job.submission.run_dir + "/runs/" + std::to_string(n + 1) + ".result",
                       d.run.id + "\n" + d.result + std::string(1, '\0'));
        }
    }
}

Job job_of(const Manifest& m,
           const Site& site,
           const std::vector<int>& datasets,
           int per_element,
           const std::vector<std::string>& command) {
    JobOptions options = m.options;
    options.run_dir = next_run_dir(m);
    options.runs_per_element = per_element;
    if (options.name.empty()) {
        options.name = std::filesystem::path(m.file).stem().string();
    }
    options.name += "-" + std::to_string(m.jobs.size() + 1);
    std::vector<Run> runs;
    runs.reserve(datasets.size());
    for (const int i : datasets) {
        runs.push_back(m.datasets[static_cast<std::size_t>(i)].run);
    }
    Job job = make_job(site, m.deployment, runs, m.device, options);
    job.command = command;
    job.version = version();
    return job;
}

void submit_one(Manifest& m, const Job& job, const std::vector<int>& datasets) {
    BatchJob entry;
    entry.datasets = datasets;
    entry.submission.run_dir = job.run_dir;
    const std::string path = write_script(job, script(job));
    keep_results(m, entry);
    m.jobs.push_back(entry);
    for (const int i : datasets) {
        DataSet& d = m.datasets[static_cast<std::size_t>(i)];
        d.job = static_cast<int>(m.jobs.size()) - 1;
        d.state = "submitted";
    }
    // Noted before it is submitted, so that no job is ever forgotten or submitted twice.
    write_manifest(m);
    try {
        m.jobs.back().submission = submit(job, path);
    } catch (const Error& error) {
        m.jobs.back().over = true;
        for (const int i : datasets) {
            DataSet& d = m.datasets[static_cast<std::size_t>(i)];
            d.state = "failed";
            d.reason = error.what();
            d.exit_code = error.exit_status();
        }
        write_manifest(m);
        throw;
    }
    write_manifest(m);
}

}  // namespace

namespace {

std::vector<int> pending_ones(const Manifest& m) {
    std::vector<int> pending;
    for (std::size_t i = 0; i < m.datasets.size(); ++i) {
        if (m.datasets[i].state == "pending") {
            pending.push_back(static_cast<int>(i));
        }
    }
    return pending;
}

}  // namespace

void check_jobs(const Manifest& m, const Site& site, const std::vector<std::string>& command) {
    const auto pending = pending_ones(m);
    if (!pending.empty()) {
        const Job example = job_of(m, site, {pending.front()}, 0, command);
        check_machine_in_service(example);
        if (m.array) {
            job_of(m, site, pending, runs_per_job(m, example), command);
        }
    }
}

int submit_more(Manifest& m, const Site& site, const std::vector<std::string>& command) {
    std::vector<int> pending = pending_ones(m);
    if (pending.empty()) {
        return 0;
    }
    const Job example = job_of(m, site, {pending.front()}, 0, command);
    const int per_job = runs_per_job(m, example);
    int limit = m.active_jobs;
    if (limit == 0) {
        limit = example.machine.scheduler == Scheduler::shell ? 1 : example.queue.jobs_limit;
    }
    int active = 0;
    for (const auto& job : m.jobs) {
        active += !job.over;
    }
    int submitted = 0;
    while (!pending.empty() && (limit == 0 || active < limit)) {
        const std::size_t n =
            m.array ? pending.size() : std::min<std::size_t>(per_job, pending.size());
        const std::vector<int> mine(pending.begin(), pending.begin() + static_cast<long>(n));
        pending.erase(pending.begin(), pending.begin() + static_cast<long>(n));
        submit_one(m, job_of(m, site, mine, m.array ? per_job : 0, command), mine);
        ++active;
        ++submitted;
    }
    return submitted;
}

int batch_code(const Manifest& m) {
    for (const auto& d : m.datasets) {
        if (d.state == "failed") {
            return d.exit_code > 0 && d.exit_code < 256 ? d.exit_code : 1;
        }
    }
    return 0;
}

}  // namespace xpcs::jobgen
