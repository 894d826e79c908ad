// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/local_flow.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/flow/flow.hpp"
#include "jobgen/flow/gather.hpp"
#include "jobgen/job_files.hpp"
#include "jobgen/local_actions.hpp"

#include <fnmatch.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

namespace {

/// The part of a document, made on the way if `make`; nullptr if it is not there.
Json* part_at(Json& document, const std::string& path, bool make) {
    if (path.rfind("$.", 0) != 0) {
        throw Error(ExitCode::data, "path '" + printable(path) + "' must begin with '$.'");
    }
    Json* at = &document;
    std::size_t i = 1;
    while (i < path.size()) {
        if (path[i] == '[') {
            const std::size_t end = path.find(']', i);
            const std::size_t index = std::strtoul(path.c_str() + i + 1, nullptr, 10);
            if (end == std::string::npos || !at->is_array() || index >= at->size()) {
                return nullptr;
            }
            at = &(*at)[index];
            i = end + 1;
            continue;
        }
        const std::size_t end = std::min(path.find_first_of(".[", i + 1), path.size());
        const std::string key = path.substr(i + 1, end - i - 1);
        if (make && at->is_null()) {
            *at = Json::object();
        }
        if (!at->is_object() || (!make && !at->contains(key))) {
            return nullptr;
        }
        at = &(*at)[key];
        i = end;
    }
    return at;
}

/// "name.$" takes a value from the document, at any depth.
Json resolved(const Json& value, const Json& document) {
    if (value.is_array()) {
        Json out = Json::array();
        for (const auto& item : value) {
            out.push_back(resolved(item, document));
        }
        return out;
    }
    if (!value.is_object()) {
        return value;
    }
    Json out = Json::object();
    for (const auto& [key, member] : value.items()) {
        if (key.ends_with(".$")) {
            out[key.substr(0, key.size() - 2)] = at_path(document, member.get<std::string>());
        } else if (key.ends_with(".=")) {
            throw Error(ExitCode::data,
                        "expression '" + printable(key) + "' cannot be evaluated here");
        } else {
            out[key] = resolved(member, document);
        }
    }
    return out;
}

const Json* optional_at(const Json& document, const std::string& path) {
    return part_at(const_cast<Json&>(document), path, false);
}

bool holds(const Json& rule, const Json& document) {
    if (rule.contains("And")) {
        for (const auto& part : rule["And"]) {
            if (!holds(part, document)) {
                return false;
            }
        }
        return true;
    }
    if (rule.contains("Or")) {
        for (const auto& part : rule["Or"]) {
            if (holds(part, document)) {
                return true;
            }
        }
        return false;
    }
    if (rule.contains("Not")) {
        return !holds(rule["Not"], document);
    }
    const std::string path = text_at(rule, "Variable");
    if (rule.contains("IsPresent")) {
        return (optional_at(document, path) != nullptr) == flag_at(rule, "IsPresent");
    }
    const Json& value = at_path(document, path);
    if (rule.contains("BooleanEquals")) {
        return value == rule["BooleanEquals"];
    }
    if (rule.contains("StringEquals")) {
        return value == rule["StringEquals"];
    }
    if (rule.contains("StringMatches")) {
        return value.is_string() && ::fnmatch(text_at(rule, "StringMatches").c_str(),
                                              value.get<std::string>().c_str(),
                                              0) == 0;
    }
    for (const char* name : {"NumericEquals", "NumericLessThan", "NumericGreaterThan"}) {
        if (rule.contains(name) && value.is_number() && rule[name].is_number()) {
            const double a = value.get<double>();
            const double b = rule[name].get<double>();
            return name[7] == 'E' ? a == b : name[7] == 'L' ? a < b : a > b;
        }
    }
    throw Error(ExitCode::data, "a rule of a Choice cannot be evaluated here: " + dump(rule, -1));
}

class Runner {
  public:
    explicit Runner(const LocalFlow& flow)
        : flow_(flow), state_file_(flow.run_dir + "/state.json") {
        std::error_code error;
        fs::create_directories(flow.run_dir, error);
        lock();
        if (fs::exists(state_file_)) {
            const Json saved = parse_json(read_text(state_file_), state_file_);
            if (saved.value("input", Json()) != flow.input ||
                saved.value("definition", Json()) != flow.definition) {
                throw Error(ExitCode::config,
                            "run directory " + printable(flow.run_dir) +
                                " belongs to another run; give another --run-dir");
            }
            document_ = saved.value("document", Json::object());
            next_ = text_at(saved, "next");
            status_ = text_at(saved, "status");
            states_ = saved.value("states", Json::array());
            failed_ = saved.value("failed_action", Json());
        } else {
            document_ = flow.input;
            document_["_context"] = {{"run_id", "local"}, {"flow_id", "local"}};
            next_ = text_at(flow.definition, "StartAt");
            status_ = "ACTIVE";
            save();
        }
    }
    ~Runner() {
        if (lock_ >= 0) {
            ::close(lock_);
        }
    }
    Runner(const Runner&) = delete;
    Runner& operator=(const Runner&) = delete;

    int run() {
        if (status_ == "SUCCEEDED") {
            say("SUCCEEDED before, " + flow_.run_dir);
            return 0;
        }
        if (status_ == "FAILED") {
            // What failed is tried again; what was done stays done.
            if (!failed_.is_null() && text_at(definition_of(next_), "Type") == "Fail") {
                next_ = text_at(failed_, "state");
                document_ = failed_["document"];
            }
            say("goes on at " + next_);
            status_ = "ACTIVE";
        }
        while (status_ == "ACTIVE") {
            step();
        }
        say(status_ + (reason_.empty() ? "" : ": " + reason_));
        return status_ == "SUCCEEDED" ? 0 : 1;
    }

  private:
    void lock() {
        lock_ = ::open((flow_.run_dir + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (lock_ < 0) {
            throw Error(ExitCode::cannot_create,
                        "run directory " + printable(flow_.run_dir) + " cannot be written");
        }
        if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
            throw Error(ExitCode::interrupted,
                        "run directory " + printable(flow_.run_dir) + " is in use by another run");
        }
    }
    void say(const std::string& text) const {
        if (flow_.log) {
            *flow_.log << text << std::endl;
        }
    }
    void save() {
        const Json saved{{"status", status_},
                         {"next", next_},
                         {"reason", reason_},
                         {"states", states_},
                         {"document", document_},
                         {"failed_action", failed_},
                         {"input", flow_.input},
                         {"definition", flow_.definition}};
        write_text(state_file_, dump(saved) + "\n");
    }
    const Json& definition_of(const std::string& name) const {
        const Json& states = flow_.definition["States"];
        if (!states.contains(name)) {
            throw Error(ExitCode::data, "state '" + printable(name) + "' does not exist");
        }
        return states[name];
    }
    void fail(const std::string& reason) {
        status_ = "FAILED";
        reason_ = reason;
    }
    void put(const Json& state, const Json& value) {
        const std::string path = text_at(state, "ResultPath");
        if (!path.empty()) {
            Json* target = part_at(document_, path, true);
            if (!target) {
                throw Error(ExitCode::data, "ResultPath '" + printable(path) + "' cannot be set");
            }
            *target = value;
        }
    }
    void lead_on(const Json& state) {
        if (flag_at(state, "End")) {
            status_ = "SUCCEEDED";
        } else {
            next_ = text_at(state, "Next");
        }
    }

    void step() {
        const std::string name = next_;
        const Json& state = definition_of(name);
        const auto start = std::chrono::steady_clock::now();
        const std::string started = flow::utc_now();
        try {
            enter(name, state);
        } catch (const Error& error) {
            if (error.code() == ExitCode::interrupted) {
                save();
                throw;
            }
            caught(name, state, error);
        } catch (const Json::exception& error) {
            caught(name,
                   state,
                   Error(ExitCode::data,
                         "a value has another type than expected: " + printable(error.what())));
        }
        const double s =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        states_.push_back({{"state", name}, {"started", started}, {"seconds", s}});
        if (dump(document_, -1).size() > flow::most_state_bytes) {
            fail("the state of the run is larger than " + std::to_string(flow::most_state_bytes) +
                 " bytes after " + name);
        }
        save();
        char line[256];
        std::snprintf(line,
                      sizeof line,
                      "%s %-22s %8.2f s",
                      started.substr(0, 19).c_str(),
                      name.substr(0, 100).c_str(),
                      s);
        say(line);
    }
    void enter(const std::string& name, const Json& state) {
        const std::string type = text_at(state, "Type");
        if (type == "Fail") {
            const Json* failure = optional_at(document_, "$.failure.Cause");
            fail(text_at(state, "Error") + ": " + text_at(state, "Cause") +
                 (failure ? " (" + failure->get<std::string>() + ")" : ""));
        } else if (type == "Choice") {
            next_ = text_at(state, "Default");
            for (const auto& rule : state["Choices"]) {
                if (holds(rule, document_)) {
                    next_ = text_at(rule, "Next");
                    break;
                }
            }
        } else if (type == "Wait") {
            if (!state.contains("Seconds") && !state.contains("SecondsPath")) {
                throw Error(ExitCode::data, "a Wait for a time of day cannot be done here");
            }
            const double seconds =
                state.contains("Seconds")
                    ? number_at(state, "Seconds")
                    : at_path(document_, text_at(state, "SecondsPath")).get<double>();
            std::this_thread::sleep_for(std::chrono::duration<double>(seconds * flow_.time_scale));
            lead_on(state);
        } else if (type == "Action") {
            act(name, state);
            lead_on(state);
        } else {
            Json value = state.contains("Result") ? state["Result"] : Json::object();
            if (state.contains("Parameters")) {
                value = resolved(state["Parameters"], document_);
            }
            put(state, value);
            lead_on(state);
        }
    }
    void act(const std::string& name, const Json& state) {
        const Json body = state.contains("InputPath")
                              ? at_path(document_, text_at(state, "InputPath"))
                              : resolved(state["Parameters"], document_);
        Json result{{"action_id", name}, {"status", "SUCCEEDED"}};
        try {
            result["details"] = local_action(flow_, text_at(state, "ActionUrl"), body);
            if (!failed_.is_null() && failed_["state"] == name) failed_ = Json();
        } catch (const Error& error) {
            if (error.code() == ExitCode::interrupted) throw;
            failed_ = {{"state", name}, {"document", document_}};
            if (flag_at(state, "ExceptionOnActionFailure")) throw;
            result["status"] = "FAILED";
            result["details"] = {{"code", "Failed"}, {"description", error.what()}};
        }
        put(state, result);
    }
    /// To the state that Catch names, else the run is over.
    void caught(const std::string& name, const Json& state, const Error& error) {
        if (state.contains("Catch")) {
            const Json& entry = state["Catch"][0];
            const std::string path = text_at(entry, "ResultPath");
            if (Json* target = part_at(document_, path, true)) {
                *target = {{"Error", "ActionFailedException"}, {"Cause", error.what()}};
            }
            next_ = text_at(entry, "Next");
            return;
        }
        fail(name + ": " + error.what());
    }

    const LocalFlow& flow_;
    std::string state_file_;
    Json document_, states_ = Json::array();
    Json failed_;  ///< the last action that failed, and the document before it; null: none
    std::string next_, status_, reason_;
    int lock_ = -1;
};

}  // namespace

const Json& at_path(const Json& document, const std::string& path) {
    const Json* found = optional_at(document, path);
    if (!found) {
        throw Error(ExitCode::data, "'" + printable(path) + "' is not there");
    }
    return *found;
}

int run_local(const LocalFlow& flow) {
    const auto faults = flow::faults(flow.definition, Json());
    if (!faults.empty()) {
        throw Error(ExitCode::data, "definition: " + faults.front());
    }
    return Runner(flow).run();
}

}  // namespace xpcs::jobgen
