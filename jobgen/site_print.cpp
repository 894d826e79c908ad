// SPDX-License-Identifier: BSD-3-Clause
// Looking things up in a site, and showing it.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/deployment.hpp"
#include "jobgen/site_check.hpp"

#include <cstdlib>
#include <sstream>

namespace xpcs::jobgen {

const Deployment& Site::deployment(const std::string& name) const {
    const auto found = deployments.find(name);
    if (found != deployments.end()) {
        return found->second;
    }
    std::vector<std::string> known;
    for (const auto& entry : deployments) {
        known.push_back(entry.first);
    }
    throw Error(ExitCode::usage,
                "deployment '" + printable(name) + "' is not known" + did_you_mean(name, known) +
                    "; allowed: " + joined(known));
}

const Machine& Site::machine_of(const Deployment& deployment) const {
    return machines.at(deployment.machine);
}

const Collection& Site::collection_of(const Deployment& deployment, const std::string& role) const {
    const std::string& key = role == "source"    ? deployment.source
                             : role == "staging" ? deployment.staging
                                                 : deployment.publish;
    if (key.empty()) {
        throw Error(ExitCode::config,
                    "deployment '" + deployment.name + "' names no " + role +
                        " collection, so it has no flow (" + to_string(deployment.place) + ")");
    }
    return collections.at(key);
}

std::string expand(const std::string& text, const Deployment& deployment, const std::string& user) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '{') {
            out += text[i];
            continue;
        }
        const std::size_t end = text.find('}', i);
        const std::string word = end == std::string::npos ? "" : text.substr(i + 1, end - i - 1);
        if (word == "user") {
            out += user;
        } else if (word == "u") {
            out += user.substr(0, 1);
        } else if (word == "home" && std::getenv("HOME")) {
            out += std::getenv("HOME");
        } else if (word == "account" && !deployment.account.empty()) {
            out += deployment.account;
        } else {
            throw Error(
                ExitCode::config,
                "deployment '" + deployment.name + "': '" + printable(text) + "' holds {" +
                    printable(word) +
                    "} that has no value; allowed: {user}, {u}, {home}, {account} with an account");
        }
        i = end;
    }
    return out;
}

namespace {

std::string padded(const std::string& text, std::size_t width) {
    return text + std::string(text.size() < width ? width - text.size() : 1, ' ');
}

void line(std::ostringstream& out, const std::string& name, const std::string& value) {
    if (!value.empty()) {
        out << "  " << padded(name, 17) << printable(value) << "\n";
    }
}

std::string shown(const Site& site, const std::string& key) {
    if (key.empty()) {
        return "";
    }
    const Collection& c = site.collections.at(key);
    return key + ": " + c.path + ", " + c.id + ", \"" + c.name + "\"";
}

void queue_lines(std::ostringstream& out, const Machine& machine) {
    for (const auto& [name, q] : machine.queues) {
        std::string text = "  ";
        if (q.by_gpu) {
            for (const int count : q.counts) {
                text += (text.size() > 2 ? ", " : "") + std::to_string(count);
            }
            text += " GPUs";
        } else {
            text += std::to_string(q.min_count) + "-" + std::to_string(q.max_count) + " nodes";
        }
        text += ", " + walltime_text(q.min_walltime_s) + " to " + walltime_text(q.max_walltime_s);
        text += q.array_limit ? ", array of " + std::to_string(q.array_limit) : "";
        text += q.jobs_limit ? ", " + std::to_string(q.jobs_limit) + " jobs" : "";
        text += q.direct ? "" : ", only by routing";
        text += q.routes.empty() ? "" : ", routes to " + joined(q.routes);
        text += q.closed.empty() ? "" : ", closed: " + q.closed;
        text += q.note.empty() ? "" : " (" + q.note + ")";
        line(out, "  " + name, text.substr(2));
    }
}

}  // namespace

std::string list_text(const Site& site) {
    std::ostringstream out;
    out << padded("DEPLOYMENT", 24) << padded("MACHINE", 12) << padded("SCHEDULER", 11)
        << padded("QUEUE", 18) << padded("COMPUTE", 16) << "DESCRIPTION\n";
    for (const auto& [name, d] : site.deployments) {
        const Machine& machine = site.machine_of(d);
        out << padded(name + (name == site.default_deployment ? " *" : ""), 24)
            << padded(d.machine, 12) << padded(to_string(machine.scheduler), 11)
            << padded(d.queue.empty() ? "-" : d.queue, 18) << padded(d.compute.via, 16)
            << (machine.retired ? "(retired) " : "") << printable(d.description) << "\n";
    }
    out << "* the default\n";
    return out.str();
}

std::string show_text(const Site& site, const std::string& name) {
    const Deployment& d = site.deployment(name);
    const Machine& m = site.machine_of(d);
    std::ostringstream out;
    out << name << " (" << to_string(d.place) << ")\n";
    line(out, "description", d.description);
    line(out, "machine", d.machine + ": " + m.description + (m.retired ? " (retired)" : ""));
    line(out, "scheduler", to_string(m.scheduler));
    line(out, "account", d.account.empty() ? "(give --account)" : d.account);
    line(out, "queue", d.queue);
    line(out, "walltime", walltime_text(d.walltime_s));
    line(out, "nodes", std::to_string(d.nodes));
    line(out, "gpus", d.gpus ? std::to_string(d.gpus) : "");
    line(out,
         "gpus per node",
         m.gpus_per_node < 0 ? "counted when the job starts" : std::to_string(m.gpus_per_node));
    line(out, "filesystems", joined(d.filesystems));
    line(out, "node-local disk", m.node_local + (d.stage_to_node ? " (input staged)" : ""));
    line(out, "source", shown(site, d.source));
    line(out, "staging", shown(site, d.staging));
    line(out, "publish", shown(site, d.publish));
    line(out, "staging_dir", d.staging_dir);
    line(out, "publish_base", d.source.empty() ? "" : d.publish_base);
    line(out, "search_index", d.source.empty() ? "" : d.search_index);
    line(out, "group", d.group);
    line(out, "groups", joined(d.groups));
    line(out, "organization", d.organization);
    line(out, "facility", d.facility);
    line(out, "service_account", d.service_account ? "yes" : "no");
    line(out, "compute", d.compute.via);
    line(out, "endpoint", d.compute.endpoint);
    line(out, "login_endpoint", d.compute.login_endpoint);
    line(out, "report", d.report);
    if (!m.queues.empty()) {
        out << "  queues of " << m.name << "\n";
        queue_lines(out, m);
    }
    return out.str();
}

}  // namespace xpcs::jobgen
