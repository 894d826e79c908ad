// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/site_check.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cctype>

namespace xpcs::jobgen {

std::string joined(const std::vector<std::string>& words, const std::string& separator) {
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : separator) + word;
    }
    return text;
}

bool is_variable_name(const std::string& name) {
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0]))) {
        return false;
    }
    return std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return c == '_' || (c < 128 && std::isalnum(c));
    });
}

bool is_word(const std::string& name) {
    return !name.empty() && name[0] != '-' && name.size() <= 200 &&
           std::all_of(name.begin(), name.end(), [](unsigned char c) {
               return (c < 128 && std::isalnum(c)) || c == '.' || c == '_' || c == '-';
           });
}

void check_word(const std::string& name, const Place& place, const std::string& what) {
    if (!is_word(name)) {
        refuse(place,
               what + " is '" + printable(name) +
                   "'; allowed: letters, digits and . _ - (not first)");
    }
}

bool is_uuid(const std::string& text) {
    if (text.size() != 36) {
        return false;
    }
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        const auto c = static_cast<unsigned char>(text[i]);
        if (dash ? c != '-' : !(std::isdigit(c) || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

std::string uuid_of(const Raw& raw, const std::string& what) {
    std::string text = text_of(raw, what);
    if (!text.empty() && !is_uuid(text)) {
        refuse(raw.place,
               what + " is '" + printable(text) +
                   "'; allowed: a uuid, 8-4-4-4-12 digits from 0-9a-f");
    }
    return text;
}

std::string to_string(Scheduler scheduler) {
    switch (scheduler) {
    case Scheduler::shell:
        return "shell";
    case Scheduler::slurm:
        return "slurm";
    case Scheduler::pbs:
        return "pbs";
    case Scheduler::cobalt:
        return "cobalt";
    }
    return "";
}

Scheduler scheduler_named(const std::string& name) {
    if (name == "slurm") {
        return Scheduler::slurm;
    }
    if (name == "pbs") {
        return Scheduler::pbs;
    }
    return name == "cobalt" ? Scheduler::cobalt : Scheduler::shell;
}

namespace {

template <class T>
void check_reference(const std::map<std::string, T>& map,
                     const std::string& name,
                     const Place& place,
                     const std::string& what) {
    if (name.empty() || map.count(name)) {
        return;
    }
    const auto known = names_of(map);
    refuse(place,
           what + " '" + printable(name) + "' is not known" + did_you_mean(name, known) +
               "; allowed: " + joined(known));
}

std::vector<std::string> open_queues(const Machine& machine) {
    std::vector<std::string> names;
    for (const auto& [name, queue] : machine.queues) {
        if (queue.direct && queue.closed.empty()) {
            names.push_back(name);
        }
    }
    return names;
}

std::string queue_trouble(const Machine& machine, const std::string& name) {
    const auto open = open_queues(machine);
    const auto found = machine.queues.find(name);
    if (name.empty()) {
        return "no queue is named; allowed on " + machine.name + ": " + joined(open);
    }
    if (found == machine.queues.end()) {
        return "queue '" + printable(name) + "' is not known on " + machine.name +
               did_you_mean(name, open) + "; allowed: " + joined(open);
    }
    if (!found->second.closed.empty()) {
        return "queue '" + name + "' is closed: " + found->second.closed +
               "; allowed: " + joined(open);
    }
    if (!found->second.direct) {
        return "queue '" + name + "' takes no job directly; allowed: " + joined(open);
    }
    return "";
}

std::string count_trouble(const Machine& machine, const Queue& queue, const Request& request) {
    if (queue.by_gpu) {
        std::vector<std::string> allowed;
        for (const int count : queue.counts) {
            allowed.push_back(std::to_string(count));
            if (count == request.gpus) {
                return request.nodes == 1
                           ? ""
                           : "nodes is " + std::to_string(request.nodes) + "; allowed in queue '" +
                                 queue.name + "', which counts GPUs: 1";
            }
        }
        return "gpus is " + std::to_string(request.gpus) + "; allowed in queue '" + queue.name +
               "': " + joined(allowed);
    }
    if (request.nodes < queue.min_count ||
        (queue.max_count > 0 && request.nodes > queue.max_count)) {
        return "nodes is " + std::to_string(request.nodes) + "; allowed in queue '" + queue.name +
               "': " + std::to_string(queue.min_count) + " to " + std::to_string(queue.max_count);
    }
    if (machine.gpus_per_node >= 0 && request.gpus > machine.gpus_per_node) {
        return "gpus is " + std::to_string(request.gpus) + "; allowed on " + machine.name +
               ": at most " + std::to_string(machine.gpus_per_node) + " of each node";
    }
    return "";
}

std::string walltime_trouble(const Queue& queue, long seconds) {
    if (seconds >= queue.min_walltime_s &&
        (queue.max_walltime_s == 0 || seconds <= queue.max_walltime_s)) {
        return "";
    }
    return "walltime is " + walltime_text(seconds) + "; allowed in queue '" + queue.name +
           "': " + walltime_text(queue.min_walltime_s) + " to " +
           walltime_text(queue.max_walltime_s);
}

/// A job that fits none of the queues behind a routing one gets an id and vanishes.
std::string route_trouble(const Machine& machine, const Queue& queue, const Request& request) {
    std::string tried;
    for (const auto& name : queue.routes) {
        const Queue& behind = machine.queues.at(name);
        const std::string trouble = count_trouble(machine, behind, request).empty()
                                        ? walltime_trouble(behind, request.walltime_s)
                                        : "";
        if (count_trouble(machine, behind, request).empty() && trouble.empty()) {
            return "";
        }
        tried += trouble.empty() ? "" : (tried.empty() ? "" : "; ") + trouble;
    }
    return queue.routes.empty()
               ? ""
               : "no queue to which '" + queue.name + "' hands its jobs takes " +
                     std::to_string(request.nodes) + " nodes for " +
                     walltime_text(request.walltime_s) + (tried.empty() ? "" : ": " + tried);
}

std::string filesystem_trouble(const Machine& machine, const std::vector<std::string>& names) {
    for (const auto& name : names) {
        const auto& known = machine.filesystems;
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return "file system '" + printable(name) + "' does not exist on " + machine.name +
                   did_you_mean(name, known) +
                   "; allowed: " + (known.empty() ? "none" : joined(known));
        }
    }
    return "";
}

}  // namespace

std::string impossible(const Machine& machine, const Request& request, std::string& field) {
    if (machine.scheduler == Scheduler::shell) {
        field = "nodes";
        return request.nodes == 1 ? ""
                                  : "nodes is " + std::to_string(request.nodes) +
                                        "; allowed without a scheduler: 1";
    }
    field = "queue";
    if (auto trouble = queue_trouble(machine, request.queue); !trouble.empty()) {
        return trouble;
    }
    const Queue& queue = machine.queues.at(request.queue);
    field = queue.by_gpu ? "gpus" : "nodes";
    if (auto trouble = count_trouble(machine, queue, request); !trouble.empty()) {
        return trouble;
    }
    field = "walltime";
    if (auto trouble = walltime_trouble(queue, request.walltime_s); !trouble.empty()) {
        return trouble;
    }
    if (auto trouble = route_trouble(machine, queue, request); !trouble.empty()) {
        return trouble;
    }
    field = "filesystems";
    if (auto trouble = filesystem_trouble(machine, request.filesystems); !trouble.empty()) {
        return trouble;
    }
    const bool needs = machine.scheduler == Scheduler::pbs && !machine.filesystems.empty();
    return needs && request.filesystems.empty()
               ? "no file system is named; allowed on " + machine.name + ": " +
                     joined(machine.filesystems)
               : "";
}

namespace {

void check_machine(const Machine& machine) {
    const std::string what = "machine '" + machine.name + "'";
    if (machine.scheduler != Scheduler::shell && machine.queues.empty()) {
        refuse(machine.place, what + " has a scheduler and no queues");
    }
    if (!machine.gpu_cpus.empty() &&
        static_cast<int>(machine.gpu_cpus.size()) != machine.gpus_per_node) {
        refuse(machine.place,
               what + ": gpu_cpus has " + std::to_string(machine.gpu_cpus.size()) +
                   " entries; one for each of the " + std::to_string(machine.gpus_per_node) +
                   " GPUs expected");
    }
    for (const auto& cpus : machine.gpu_cpus) {
        if (cpus.empty() || cpus.find_first_not_of("0123456789,-") != std::string::npos) {
            refuse(machine.place,
                   what + ": gpu_cpus holds '" + printable(cpus) +
                       "'; allowed: ranges as in 0-7,32-39");
        }
    }
    if (!machine.node_local.empty() && machine.node_local[0] != '/') {
        refuse(machine.place, what + ": node_local must be an absolute directory");
    }
    for (const auto& [name, queue] : machine.queues) {
        if (queue.by_gpu && queue.counts.empty()) {
            refuse(queue.place, what + ": queue '" + name + "' counts GPUs and has no `counts`");
        }
        for (const auto& route : queue.routes) {
            check_reference(
                machine.queues, route, queue.place, what + ": queue '" + name + "': route");
        }
    }
    // These are written into directives, where nothing can be quoted.
    const std::string allowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:=&|*_-";
    for (const auto& text : {machine.select, machine.place_policy, machine.constraint}) {
        if (text.find_first_not_of(allowed) != std::string::npos) {
            refuse(machine.place,
                   what + ": '" + printable(text) +
                       "' cannot stand in a directive; allowed: letters, digits and .,:=&|*_-");
        }
    }
    for (const auto& text : machine.attributes) {
        if (text.find_first_not_of(allowed) != std::string::npos) {
            refuse(machine.place, what + ": attribute '" + printable(text) + "' is not possible");
        }
    }
    for (const auto& name : machine.filesystems) {
        check_word(name, machine.place, what + ": file system");
    }
}

/// Two values that do not fit together: the one from the later file is to blame.
const Place& latest(const Site& site, const Place& a, const Place& b) {
    const auto rank = [&](const Place& place) {
        return std::find(site.files.begin(), site.files.end(), place.file) - site.files.begin();
    };
    return rank(b) > rank(a) ? b : a;
}

void check_deployment(const Site& site, const Deployment& d) {
    const std::string what = "deployment '" + d.name + "'";
    if (d.machine.empty()) {
        refuse(d.place,
               what + ": `machine` is missing; allowed: " + joined(names_of(site.machines)));
    }
    check_reference(site.machines, d.machine, d.at("machine"), what + ": machine");
    check_reference(site.collections, d.source, d.at("source"), what + ": collection");
    check_reference(site.collections, d.staging, d.at("staging"), what + ": collection");
    check_reference(site.collections, d.publish, d.at("publish"), what + ": collection");
    check_reference(
        site.collections, d.earlier_source, d.at("earlier_source"), what + ": collection");
    check_reference(
        site.collections, d.earlier_staging, d.at("earlier_staging"), what + ": collection");
    if (!d.account.empty()) {
        check_word(d.account, d.at("account"), what + ": account");
    }
    std::string field;
    const Request request{d.queue, d.walltime_s, d.nodes, d.gpus, d.filesystems};
    const std::string trouble = impossible(site.machines.at(d.machine), request, field);
    if (!trouble.empty()) {
        refuse(latest(site, d.at(field), d.at("queue")), what + ": " + trouble);
    }
    if (!d.staging_dir.empty() && d.staging_dir[0] != '/' && d.staging_dir[0] != '{') {
        refuse(d.at("staging_dir"),
               what + ": staging_dir is '" + printable(d.staging_dir) +
                   "'; allowed: an absolute directory");
    }
    if (!d.https_host.empty() && d.https_host.rfind("https://", 0) != 0) {
        refuse(d.at("https_host"),
               what + ": https_host is '" + printable(d.https_host) +
                   "'; allowed: it begins with https://");
    }
    if (!d.publish_base.empty() && d.publish_base[0] != '/' && d.publish_base[0] != '{') {
        refuse(d.at("publish_base"), what + ": publish_base must begin with '/'");
    }
    if (d.compute.via == "globus-compute" && d.compute.endpoint.empty()) {
        refuse(d.at("compute"), what + ": compute via globus-compute needs an `endpoint`");
    }
}

}  // namespace

void check_site(const Site& site) {
    for (const auto& [name, machine] : site.machines) {
        check_machine(machine);
    }
    for (const auto& [name, collection] : site.collections) {
        if (collection.id.empty() || collection.path.empty()) {
            refuse(collection.place, "collection '" + name + "' needs `id` and `path`");
        }
    }
    for (const auto& [name, deployment] : site.deployments) {
        check_deployment(site, deployment);
    }
    const Place defaults{site.files.empty() ? "" : site.files.back(), 0};
    check_reference(site.deployments, site.default_deployment, defaults, "defaults: deployment");
    for (const auto& rule : site.path_rules) {
        check_reference(
            site.deployments, rule.deployment, rule.place, "defaults: path_rules: deployment");
        if (rule.below.empty() || rule.below[0] != '/') {
            refuse(rule.place, "defaults: path_rules: `below` must be an absolute path");
        }
    }
}

}  // namespace xpcs::jobgen
