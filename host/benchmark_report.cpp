// SPDX-License-Identifier: BSD-3-Clause
// The table and the JSON of a benchmark, and the bounds that its times are held against.
#include "host/benchmark.hpp"
#include "host/version.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>

namespace xpcs {

namespace {

using json = nlohmann::ordered_json;

struct Bound {
    double seconds = 0;
    const char* name = "";
};

/// Every byte of the file has to be read, to be put somewhere else in memory once (pixel order)
/// and, with a GPU, to go there. The slowest of these alone is what no program can beat.
Bound bound_of(const BenchmarkRun& run, const MachineLimits& limits) {
    const auto bytes = static_cast<double>(run.raw_bytes);
    std::vector<Bound> bounds;
    const auto add = [&](double bytes_per_s, const char* name) {
        if (bytes_per_s > 0) bounds.push_back({bytes / bytes_per_s, name});
    };
    add(run.read_bytes_per_s, "read");
    add(limits.copy_bytes_per_s, "copy");
    if (run.device.rfind("cpu", 0) != 0) add(limits.host_to_device_bytes_per_s, "to device");
    Bound worst;
    for (const Bound& bound : bounds) {
        if (bound.seconds > worst.seconds) worst = bound;
    }
    return worst;
}

std::string cpu_model() {
    std::ifstream in("/proc/cpuinfo");
    std::string line;
    while (std::getline(in, line)) {
        const std::size_t colon = line.find(": ");
        if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
            return line.substr(colon + 2);
        }
    }
    return "unknown";
}

std::string rate(double per_s) {
    return per_s >= 1e9 ? fmt::format("{:.2f} G", per_s / 1e9)
                        : fmt::format("{:.0f} M", per_s / 1e6);
}

std::string row_of(const BenchmarkRun& run, const MachineLimits& limits) {
    const double n = run.threads;
    return fmt::format(
        "{:<28} {:<6} {:<4} {:>3} {:>6.2f} {:>6.2f} {:>7.2f} {:>6.2f} {:>7.2f} "
        "{:>6.2f} {:>6.2f} {:>7.2f} {:>6.2f} {:>8} {:>8} {:>8} {:>6.2f} {:>4.0f} % {}\n",
        run.set.name,
        run.engine,
        run.device.substr(0, 4) == "cpu " ? "cpu" : run.device.substr(0, 4),
        run.threads,
        run.stage("start"),
        run.stage("read"),
        run.one_thread.decode_s / n,
        run.one_thread.sort_s / n,
        run.stage("correlate") + run.stage("two-time"),
        run.stage("reduce"),
        run.stage("write"),
        run.wall_s,
        run.cpu_s,
        rate(static_cast<double>(run.events) / run.wall_s),
        rate(run.samples / run.wall_s),
        rate(static_cast<double>(run.raw_bytes) / run.wall_s),
        static_cast<double>(run.peak_bytes) / static_cast<double>(1U << 30),
        100 * bound_of(run, limits).seconds / run.wall_s,
        bound_of(run, limits).name);
}

json stage_json(const BenchmarkRun& run) {
    json stages;
    for (const auto& [name, seconds] : run.stage_s)
        stages[name] = seconds;
    return stages;
}

json run_json(const BenchmarkRun& run, const MachineLimits& limits) {
    const Bound bound = bound_of(run, limits);
    json out;
    out["data"] = run.set.name;
    out["frames"] = run.set.n_frames;
    out["occupancy"] = run.set.occupancy;
    out["hot_pixels"] = run.set.n_hot;
    out["normalize_frame"] = run.set.normalize_frame;
    out["engine"] = run.engine;
    out["device"] = run.device;
    out["threads"] = run.threads;
    out["wall_s"] = run.wall_s;
    out["cpu_s"] = run.cpu_s;
    out["stages_s"] = stage_json(run);
    out["decode_one_thread_s"] = run.one_thread.decode_s;
    out["sort_one_thread_s"] = run.one_thread.sort_s;
    out["events"] = run.events;
    out["samples"] = run.samples;
    out["raw_bytes"] = run.raw_bytes;
    out["events_per_s"] = static_cast<double>(run.events) / run.wall_s;
    out["samples_per_s"] = run.samples / run.wall_s;
    out["bytes_per_s"] = static_cast<double>(run.raw_bytes) / run.wall_s;
    out["peak_bytes"] = run.peak_bytes;
    out["read_bytes_per_s"] = run.read_bytes_per_s;
    out["bound"] = {{"name", bound.name}, {"seconds", bound.seconds}};
    out["share_of_bound"] = bound.seconds / run.wall_s;
    out["largest_relative_error"] = run.largest_error;
    return out;
}

}  // namespace

std::string to_text(const BenchmarkReport& report) {
    std::string out =
        fmt::format("{:<28} {:<6} {:<4} {:>3} {:>6} {:>6} {:>7} {:>6} {:>7} {:>6} {:>6} "
                    "{:>7} {:>6} {:>8} {:>8} {:>8} {:>6} {}\n",
                    "data",
                    "engine",
                    "dev",
                    "thr",
                    "start",
                    "read",
                    "decode*",
                    "sort*",
                    "correl.",
                    "reduce",
                    "write",
                    "wall s",
                    "cpu s",
                    "events/s",
                    "sampl./s",
                    "bytes/s",
                    "GiB",
                    "share of bound");
    for (const BenchmarkRun& run : report.runs)
        out += row_of(run, report.limits);
    out += "* part of read: measured on one thread, divided by the threads\n";
    for (const std::string& text : report.left_out)
        out += "left out: " + text + "\n";
    for (const BenchmarkGrowth& growth : report.growth) {
        out += fmt::format("{}: x{:.2f} ({} {:.2f} is the aim)\n",
                           growth.what,
                           growth.ratio,
                           growth.at_least ? "at least" : "at most",
                           growth.limit);
    }
    const MachineLimits& limits = report.limits;
    out += fmt::format("limits, {} threads: file read from the page cache {}B/s, memory copy {}B/s",
                       report.options.threads,
                       rate(limits.read_bytes_per_s),
                       rate(limits.copy_bytes_per_s));
    if (limits.device_copy_bytes_per_s > 0) {
        out += fmt::format(", device copy {}B/s, host to device {}B/s",
                           rate(limits.device_copy_bytes_per_s),
                           rate(limits.host_to_device_bytes_per_s));
    }
    return out + "\n";
}

std::string to_json(const BenchmarkReport& report) {
    double load[1] = {0};
    const bool has_load = ::getloadavg(load, 1) == 1;
    const MachineLimits& limits = report.limits;
    json out;
    out["benchmark_version"] = 1;
    out["suite"] = report.options.suite;
    out["command"] = report.command;
    out["date"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
    out["program"] = {{"version", version()}, {"commit", build_commit()}, {"cuda", cuda_version()}};
    out["machine"] = {{"cpu", cpu_model()},
                      {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
                      {"load_at_end", has_load ? json(load[0]) : json(nullptr)}};
    out["limits"] = {{"read_bytes_per_s", limits.read_bytes_per_s},
                     {"copy_bytes_per_s", limits.copy_bytes_per_s},
                     {"device_copy_bytes_per_s", limits.device_copy_bytes_per_s},
                     {"host_to_device_bytes_per_s", limits.host_to_device_bytes_per_s}};
    out["runs"] = json::array();
    for (const BenchmarkRun& run : report.runs)
        out["runs"].push_back(run_json(run, limits));
    out["growth"] = json::array();
    for (const BenchmarkGrowth& growth : report.growth) {
        out["growth"].push_back(
            {{"what", growth.what},
             {"ratio", growth.ratio},
             {"limit", growth.limit},
             {"within",
              growth.at_least ? growth.ratio >= growth.limit : growth.ratio <= growth.limit}});
    }
    out["left_out"] = report.left_out;
    return out.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace xpcs
