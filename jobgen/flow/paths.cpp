// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/flow/paths.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/job.hpp"
#include "jobgen/site_check.hpp"

#include <cctype>
#include <sstream>

namespace xpcs::jobgen::flow {

namespace {

[[noreturn]] void usage(const std::string& message) {
    throw Error(ExitCode::usage, message);
}

/// Components without empty ones; refuses "..".
std::vector<std::string> components(const std::string& path) {
    std::vector<std::string> parts;
    std::istringstream in(path);
    for (std::string part; std::getline(in, part, '/');) {
        if (part == "..") {
            usage("path '" + printable(path) + "' holds '..', which a collection does not resolve");
        }
        if (!part.empty() && part != ".") {
            parts.push_back(part);
        }
    }
    return parts;
}

std::string path_of(const std::vector<std::string>& parts, std::size_t from = 0) {
    std::string path;
    for (std::size_t i = from; i < parts.size(); ++i) {
        path += "/" + parts[i];
    }
    return path.empty() ? "/" : path;
}

bool digits(const std::string& text) {
    return !text.empty() && text.size() <= 6 &&
           text.find_first_not_of("0123456789") == std::string::npos;
}

bool is_cycle(const std::string& text) {
    const std::size_t dash = text.find('-');
    if (dash == std::string::npos || !digits(text.substr(0, dash)) ||
        !digits(text.substr(dash + 1))) {
        return false;
    }
    const int year = std::stoi(text.substr(0, dash));
    const int number = std::stoi(text.substr(dash + 1));
    return year >= 2015 && year <= 2049 && number >= 1 && number <= 3;
}

}  // namespace

std::string to_collection(const Collection& collection, const std::string& posix) {
    if (posix.empty() || posix[0] != '/') {
        usage("path '" + printable(posix) + "' is relative; allowed: an absolute path below " +
              collection.path + " (collection " + collection.key + ")");
    }
    const auto base = components(collection.path);
    const auto path = components(posix);
    for (std::size_t i = 0; i < base.size(); ++i) {
        if (i >= path.size() || path[i] != base[i]) {
            usage("path '" + printable(posix) + "' lies outside collection " + collection.key +
                  "; allowed: below " + collection.path);
        }
    }
    return path_of(path, base.size());
}

std::string to_posix(const Collection& collection, const std::string& path) {
    if (path.empty() || path[0] != '/') {
        usage("path '" + printable(path) + "' in collection " + collection.key +
              " must begin with '/'");
    }
    auto parts = components(collection.path);
    for (const auto& part : components(path)) {
        parts.push_back(part);
    }
    return path_of(parts);
}

std::string cycle_of(const std::string& raw, const std::vector<std::string>& prefixes) {
    const std::string hint = "; give it with --cycle 2025-1";
    for (const auto& prefix : prefixes) {
        if (raw.rfind(prefix, 0) != 0) {
            continue;
        }
        const std::string rest = raw.substr(prefix.size());
        std::string cycle = rest.substr(0, rest.find('/'));
        if (!is_cycle(cycle)) {
            usage("raw file '" + printable(raw) + "': '" + printable(cycle) +
                  "' is no run cycle; allowed: YYYY-N, year 2015 to 2049, N 1 to 3" + hint);
        }
        return cycle;
    }
    usage("raw file '" + printable(raw) + "' does not lie below " + joined(prefixes) +
          ", so its run cycle is not known" + hint);
}

std::string checked_cycle(const std::string& cycle) {
    if (!is_cycle(cycle)) {
        usage("--cycle is '" + printable(cycle) +
              "'; allowed: YYYY-N, year 2015 to 2049, N 1 to 3");
    }
    return cycle;
}

std::string experiment_letters(const std::string& experiment) {
    std::size_t n = 0;
    while (n < experiment.size() && static_cast<unsigned char>(experiment[n]) < 128 &&
           std::isalpha(static_cast<unsigned char>(experiment[n]))) {
        ++n;
    }
    return n == 0 ? experiment : experiment.substr(0, n);
}

namespace {

std::string directory_of(const std::string& file) {
    const std::size_t slash = file.rfind('/');
    return slash == 0 ? "/" : file.substr(0, slash);
}

std::string file_of(const std::string& file) {
    return file.substr(file.rfind('/') + 1);
}

void check_experiment(const std::string& experiment) {
    const bool good = !experiment.empty() && experiment.find('/') == std::string::npos &&
                      experiment != "." && experiment != "..";
    if (!good) {
        usage("experiment is '" + printable(experiment) +
              "'; allowed: a name without '/', which names a directory below the staging "
              "directory (--experiment)");
    }
}

}  // namespace

Layout layout(const Site& site, const Deployment& deployment, const LayoutRequest& request) {
    const Collection& source = site.collection_of(deployment, "source");
    const Collection& staging = site.collection_of(deployment, "staging");
    if (deployment.staging_dir.empty()) {
        throw Error(ExitCode::config, "deployment '" + deployment.name + "' has no staging_dir");
    }
    check_experiment(request.experiment);
    Layout l;
    l.dataset = dataset_name(request.raw, deployment.dataset_name);
    const std::string qname = qmap_name(request.qmap);
    if (file_of(request.qmap).empty()) {
        usage("q-map '" + printable(request.qmap) + "' names no file");
    }
    const std::string name = l.dataset + (request.suffix.empty() ? "" : "_" + request.suffix);
    l.staging_dir = expand(deployment.staging_dir, deployment, request.user) + "/" +
                    request.experiment + "/" + l.dataset;
    l.raw_source_path = to_collection(source, directory_of(request.raw));
    l.raw_destination_path = to_collection(staging, l.staging_dir + "/input");
    l.raw = l.staging_dir + "/input/" + file_of(request.raw);
    l.qmap_source_path = to_collection(source, request.qmap);
    l.qmap = l.staging_dir + "/qmap/" + file_of(request.qmap);
    l.qmap_destination_path = to_collection(staging, l.qmap);
    l.output = l.staging_dir + "/output/" + qname + "/" + name;
    l.output_path = to_collection(staging, l.output);
    l.back_path = request.back.empty() ? "" : to_collection(source, request.back);
    std::string base = expand(deployment.publish_base, deployment, request.user);
    while (!base.empty() && base.back() == '/') {
        base.pop_back();
    }
    l.publish_path = base + "/" + request.cycle + "/" + request.experiment + "/" + qname;
    l.metadata = l.output + "/resources/" + name + "_results/metadata.json";
    return l;
}

}  // namespace xpcs::jobgen::flow
