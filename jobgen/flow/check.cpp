// SPDX-License-Identifier: BSD-3-Clause
// The checks of a definition that its published schema lacks.
#include "host/text.hpp"
#include "jobgen/flow/flow.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>

namespace xpcs::jobgen::flow {

namespace {

struct Edge {
    std::string to;
    std::string result;  ///< what is in the state after this edge, "" = nothing new
};

std::vector<Edge> edges_of(const Json& state) {
    std::vector<Edge> edges;
    const std::string result = text_at(state, "ResultPath");
    if (state.contains("Next")) {
        edges.push_back({text_at(state, "Next"), result});
    }
    if (state.contains("Choices") && state["Choices"].is_array()) {
        for (const auto& rule : state["Choices"]) {
            edges.push_back({text_at(rule, "Next"), ""});
        }
    }
    if (state.contains("Default")) {
        edges.push_back({text_at(state, "Default"), ""});
    }
    if (state.contains("Catch") && state["Catch"].is_array()) {
        for (const auto& entry : state["Catch"]) {
            edges.push_back({text_at(entry, "Next"), text_at(entry, "ResultPath")});
        }
    }
    return edges;
}

/// "$.a.b[0].c" -> {"a", "b", "[]", "c"}
std::vector<std::string> parts_of(const std::string& path) {
    std::vector<std::string> parts;
    std::string part;
    const auto finish = [&] {
        if (!part.empty()) {
            parts.push_back(part);
            part.clear();
        }
    };
    for (std::size_t i = 1; i < path.size(); ++i) {
        if (path[i] == '.') {
            finish();
        } else if (path[i] == '[') {
            finish();
            parts.push_back("[]");
            i = std::min(path.find(']', i), path.size());
        } else {
            part += path[i];
        }
    }
    finish();
    return parts;
}

/// Paths that a state reads. A rule that asks IsPresent reads nothing, and guards the rest of its
/// And.
void paths_in(const Json& value, std::vector<std::string>& out) {
    if (value.is_array()) {
        for (const auto& item : value) {
            paths_in(item, out);
        }
    }
    if (!value.is_object()) {
        return;
    }
    for (const auto& [key, member] : value.items()) {
        if (key.ends_with(".$") && member.is_string()) {
            out.push_back(member.get<std::string>());
        } else {
            paths_in(member, out);
        }
    }
}

void rule_paths(const Json& rule, std::set<std::string> guarded, std::vector<std::string>& out) {
    if (rule.contains("And") && rule["And"].is_array()) {
        for (const auto& part : rule["And"]) {
            if (flag_at(part, "IsPresent")) {
                guarded.insert(text_at(part, "Variable"));
            }
            rule_paths(part, guarded, out);
        }
        return;
    }
    if (rule.contains("Or") && rule["Or"].is_array()) {
        for (const auto& part : rule["Or"]) {
            rule_paths(part, guarded, out);
        }
    }
    if (rule.contains("Not")) {
        rule_paths(rule["Not"], guarded, out);
    }
    const std::string variable = text_at(rule, "Variable");
    if (!variable.empty() && !rule.contains("IsPresent") && !guarded.count(variable)) {
        out.push_back(variable);
    }
}

std::vector<std::string> reads_of(const Json& state) {
    std::vector<std::string> out;
    if (state.contains("Parameters")) {
        paths_in(state["Parameters"], out);
    }
    for (const char* key : {"InputPath", "SecondsPath", "TimestampPath"}) {
        if (state.contains(key)) {
            out.push_back(text_at(state, key));
        }
    }
    if (state.contains("Choices") && state["Choices"].is_array()) {
        for (const auto& rule : state["Choices"]) {
            rule_paths(rule, {}, out);
        }
    }
    return out;
}

/// The schema of a part of the input, null if it allows no such part.
Json schema_at(Json schema, const std::vector<std::string>& parts) {
    for (const auto& part : parts) {
        if (part == "[]") {
            schema = schema.contains("items") ? Json(schema["items"]) : Json();
        } else {
            schema = schema.contains("properties") && schema["properties"].contains(part)
                         ? Json(schema["properties"][part])
                         : Json();
        }
        if (schema.is_null()) {
            return schema;
        }
    }
    return schema;
}

class Checker {
  public:
    Checker(const Json& definition, const Json& schema)
        : definition_(definition), schema_(schema),
          states_(definition.is_object() ? definition.value("States", Json::object()) : Json()) {}

    std::vector<std::string> faults() {
        if (!definition_.is_object() || !states_.is_object() || states_.empty()) {
            return {"a definition has StartAt and States"};
        }
        start_ = text_at(definition_, "StartAt");
        if (!states_.contains(start_)) {
            add("StartAt", "state '" + start_ + "' does not exist" + nearest_state(start_));
        }
        for (const auto& [name, state] : states_.items()) {
            check_state(name, state);
        }
        if (faults_.empty()) {
            check_graph();
            check_paths();
        }
        return faults_;
    }

  private:
    void add(const std::string& where, const std::string& what) {
        faults_.push_back(printable(where + ": " + what));
    }
    std::string nearest_state(const std::string& name) const {
        std::vector<std::string> names;
        for (const auto& entry : states_.items()) {
            names.push_back(entry.key());
        }
        return did_you_mean(name, names);
    }
    void check_state(const std::string& name, const Json& state) {
        static const std::set<std::string> types{
            "Action", "Choice", "Pass", "Wait", "ExpressionEval", "Fail"};
        const std::string type = text_at(state, "Type");
        if (!types.count(type)) {
            add(name, "type '" + type + "' is not known");
            return;
        }
        for (const auto& edge : edges_of(state)) {
            if (!states_.contains(edge.to)) {
                add(name,
                    "leads to '" + edge.to + "', which does not exist" + nearest_state(edge.to));
            }
        }
        if (type == "Action") {
            if (!state.contains("ExceptionOnActionFailure")) {
                add(name,
                    "ExceptionOnActionFailure is missing; its default is not the same everywhere");
            }
            if (!state.contains("WaitTime") || number_at(state, "WaitTime") <= 0) {
                add(name, "WaitTime must be a positive number of seconds");
            }
            if (!state.contains("ResultPath")) {
                add(name, "ResultPath is missing: the result would replace the whole state");
            }
        }
        if (type == "Action" && state.contains("Parameters") == state.contains("InputPath")) {
            add(name, "exactly one of Parameters and InputPath is needed");
        }
        if (type == "Choice" && (!state.contains("Choices") || !state["Choices"].is_array() ||
                                 state["Choices"].empty())) {
            add(name, "Choices must be a list of rules");
        }
        if (type == "Wait" && state.contains("Seconds") + state.contains("SecondsPath") +
                                      state.contains("Timestamp") +
                                      state.contains("TimestampPath") !=
                                  1) {
            add(name, "exactly one of Seconds, SecondsPath, Timestamp and TimestampPath is needed");
        }
        if (state.contains("Parameters")) {
            check_parameters(name, state["Parameters"]);
        }
        if (state.contains("Catch")) {
            for (const auto& entry : state["Catch"]) {
                if (!entry.contains("ResultPath")) {
                    add(name, "Catch without ResultPath: the error would replace the whole state");
                }
            }
        }
        const bool ends = flag_at(state, "End") || type == "Fail";
        if (type != "Choice" && ends == state.contains("Next")) {
            add(name, "exactly one of Next and End (true) is needed");
        }
    }
    void check_parameters(const std::string& name, const Json& value) {
        if (!value.is_structured()) {
            return;
        }
        for (const auto& [key, member] : value.items()) {
            if (value.is_object() && key.ends_with(".$") && !member.is_string()) {
                add(name, "'" + key + "' must be a path");
            }
            check_parameters(name, member);
        }
    }
    void check_graph() {
        std::set<std::string> reached;
        bool end = false;
        const std::function<void(const std::string&)> visit = [&](const std::string& name) {
            if (!reached.insert(name).second) {
                return;
            }
            end = end || flag_at(states_[name], "End");
            for (const auto& edge : edges_of(states_[name])) {
                visit(edge.to);
            }
        };
        visit(start_);
        for (const auto& entry : states_.items()) {
            if (!reached.count(entry.key())) {
                add(entry.key(), "nothing leads to this state");
            }
        }
        if (!end) {
            add(start_, "no state ends the run successfully");
        }
    }
    /// What is certainly there when a state begins: the intersection over all ways to it.
    void check_paths() {
        std::map<std::string, std::optional<std::set<std::string>>> before;
        before[start_] = std::set<std::string>{"input", "_context"};
        std::vector<std::string> open{start_};
        while (!open.empty()) {
            const std::string name = open.back();
            open.pop_back();
            for (const auto& edge : edges_of(states_[name])) {
                std::set<std::string> after = *before[name];
                const auto parts = parts_of(edge.result);
                if (!parts.empty()) {
                    after.insert(parts.front());
                }
                auto& known = before[edge.to];
                std::set<std::string> merged;
                if (known) {
                    for (const auto& entry : *known) {
                        if (after.count(entry)) {
                            merged.insert(entry);
                        }
                    }
                } else {
                    merged = after;
                }
                if (!known || merged != *known) {
                    known = merged;
                    open.push_back(edge.to);
                }
            }
        }
        for (const auto& entry : states_.items()) {
            for (const auto& path : reads_of(entry.value())) {
                check_path(entry.key(), path, *before[entry.key()]);
            }
        }
    }
    void check_path(const std::string& name,
                    const std::string& path,
                    const std::set<std::string>& there) {
        const auto parts = parts_of(path);
        if (path.rfind("$.", 0) != 0 || parts.empty()) {
            add(name, "path '" + path + "' must begin with '$.'");
        } else if (!there.count(parts.front())) {
            add(name, "reads '" + path + "', which is not certainly there");
        } else if (parts.front() == "input" && !schema_.is_null() &&
                   schema_at(schema_, parts).is_null()) {
            add(name, "reads '" + path + "', which the input schema does not know");
        }
    }

    const Json& definition_;
    const Json& schema_;
    Json states_;
    std::string start_;
    std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> faults(const Json& definition, const Json& schema) {
    return Checker(definition, schema).faults();
}

}  // namespace xpcs::jobgen::flow
