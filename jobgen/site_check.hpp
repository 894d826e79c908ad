// SPDX-License-Identifier: BSD-3-Clause
// What a deployments file may say: words, references between entries, requests that a machine can
// fulfil.
#pragma once

#include "jobgen/deployment.hpp"

#include <map>
#include <string>
#include <vector>

namespace xpcs::jobgen {

/// "a, b, c"
std::string joined(const std::vector<std::string>& words, const std::string& separator = ", ");

/// The keys.
template <class T>
std::vector<std::string> names_of(const std::map<std::string, T>& map) {
    std::vector<std::string> names;
    names.reserve(map.size());
    for (const auto& [name, value] : map) {
        names.push_back(name);
    }
    return names;
}

bool is_variable_name(const std::string& name);
bool is_uuid(const std::string& text);
/// Letters, digits and . _ - , not beginning with '-'; refuses everything else.
void check_word(const std::string& name, const Place& place, const std::string& what);
bool is_word(const std::string& name);
/// A uuid, or "" for an empty value.
std::string uuid_of(const Raw& raw, const std::string& what);

Scheduler scheduler_named(const std::string& name);

/// References, and every request against the limits of machine and queue.
void check_site(const Site& site);

/// What is asked of a queue. `count` is nodes, or GPUs in a queue that counts GPUs.
struct Request {
    std::string queue;
    long walltime_s = 0;
    int nodes = 1;
    int gpus = 0;
    std::vector<std::string> filesystems;
};

/// "" or why the machine cannot fulfil it, with what is allowed.
std::string impossible(const Machine& machine, const Request& request, std::string& field);

}  // namespace xpcs::jobgen
