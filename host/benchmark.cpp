// SPDX-License-Identifier: BSD-3-Clause
#include "host/benchmark.hpp"

#include "host/benchmark_check.hpp"
#include "host/benchmark_child.hpp"
#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/series_reader.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "kernels/device.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

namespace xpcs {

namespace {

namespace fs = std::filesystem;
using json = nlohmann::ordered_json;

constexpr double frame_time_s = 2e-5;

/// A directory of our own, away with everything in it at the end.
class Scratch {
  public:
    explicit Scratch(const std::string& parent) {
        std::error_code error;
        const fs::path base = parent.empty() ? fs::temp_directory_path() : fs::path(parent);
        fs::create_directories(base, error);
        std::string name = (base / "xpcs-benchmark-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw Error(ExitCode::cannot_create,
                        "benchmark: '" + printable(base.string()) + "': no directory can be made");
        }
        path_ = name;
    }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    std::string path() const { return path_.string(); }

  private:
    fs::path path_;
};

BenchmarkSet sparse(std::int64_t n_frames, double occupancy, std::int64_t n_hot = 0) {
    BenchmarkSet set;
    set.name = fmt::format(
        "500k {:g} x {}{}", occupancy, n_frames, n_hot > 0 ? fmt::format(" hot {}", n_hot) : "");
    set.n_frames = n_frames;
    set.occupancy = occupancy;
    set.n_hot = n_hot;
    return set;
}

BenchmarkSet normalised(BenchmarkSet set) {
    set.name += " nf";
    set.normalize_frame = true;
    return set;
}

const char* type_of(BenchmarkAnalysis analysis) {
    switch (analysis) {
    case BenchmarkAnalysis::twotime:
        return "Twotime";
    case BenchmarkAnalysis::twotime_multitau:
        return "TwotimeMultitau";
    case BenchmarkAnalysis::multitau:
        break;
    }
    return "Multitau";
}

BenchmarkSet two_time(BenchmarkSet set, BenchmarkAnalysis analysis = BenchmarkAnalysis::twotime) {
    set.name += analysis == BenchmarkAnalysis::twotime ? " two-time" : " band";
    set.analysis = analysis;
    return set;
}

BenchmarkSet large(std::int64_t n_frames, double occupancy) {
    BenchmarkSet set = sparse(n_frames, occupancy);
    set.name = fmt::format("3M {:g} x {}", occupancy, n_frames);
    set.format = BenchmarkFormat::rigaku3m;
    return set;
}

BenchmarkSet frames(std::int64_t n_frames, int sample_bytes, bool bitshuffle = false) {
    BenchmarkSet set;
    set.name =
        fmt::format("dense u{} x {}{}", 8 * sample_bytes, n_frames, bitshuffle ? " bslz4" : "");
    set.format = BenchmarkFormat::frames;
    set.rows = set.cols = 512;
    set.n_frames = n_frames;
    set.occupancy = 1.5;
    set.sample_bytes = sample_bytes;
    set.bitshuffle = bitshuffle;
    return set;
}

/// Many frames of few pixels: what is done once a frame shows.
BenchmarkSet small_frames(std::int64_t n_frames) {
    BenchmarkSet set = frames(n_frames, 2);
    set.name = fmt::format("dense u16 64 x 64 x {}", n_frames);
    set.rows = set.cols = 64;
    return set;
}

/// Sizes of the quick suite are chosen for a minute on two cores, all included.
std::vector<BenchmarkSet> quick_suite() {
    return {sparse(20'000, 0.0005),
            sparse(20'000, 0.002),
            sparse(20'000, 0.002, 190),
            normalised(sparse(20'000, 0.002)),
            sparse(200'000, 0.0002),
            sparse(4'000, 0.01),
            sparse(800, 0.05),
            sparse(200, 0.2),
            large(2'000, 0.002),
            frames(200, 1),
            frames(200, 2),
            frames(100, 2, true),
            two_time(sparse(500, 0.01)),
            two_time(sparse(2'000, 0.002), BenchmarkAnalysis::twotime_multitau)};
}

std::vector<BenchmarkSet> full_suite() {
    return {sparse(20'000, 0.0005),
            sparse(20'000, 0.002),
            sparse(20'000, 0.002, 190),
            normalised(sparse(20'000, 0.002)),
            sparse(20'000, 0.01),
            sparse(20'000, 0.01, 190),
            normalised(sparse(20'000, 0.01)),
            sparse(200'000, 0.0002),
            sparse(20'000, 0.02),
            sparse(100'000, 0.0005),
            sparse(100'000, 0.002),
            sparse(100'000, 0.002, 190),
            sparse(5'000, 0.05),
            sparse(2'000, 0.2),
            large(20'000, 0.002),
            frames(1'000, 1),
            frames(1'000, 2),
            frames(1'000, 2, true),
            small_frames(10'000),
            small_frames(100'000),
            two_time(sparse(2'000, 0.01)),
            two_time(sparse(10'000, 0.002)),
            two_time(sparse(100'000, 0.0005), BenchmarkAnalysis::twotime_multitau)};
}

/// With files that a GPU has something to do with: 1e9 events or 10 000 frames, 8 and 5 GB.
std::vector<BenchmarkSet> gpu_suite() {
    std::vector<BenchmarkSet> sets = full_suite();
    sets.push_back(sparse(100'000, 0.02));
    sets.push_back(normalised(sparse(100'000, 0.02)));
    sets.push_back(frames(10'000, 2));
    sets.push_back(normalised(frames(10'000, 2)));
    return sets;
}

std::vector<BenchmarkSet> suite_of(const BenchmarkOptions& options) {
    std::vector<BenchmarkSet> sets = options.suite == "quick" ? quick_suite()
                                     : options.suite == "gpu" ? gpu_suite()
                                                              : full_suite();
    std::erase_if(sets, [&](const BenchmarkSet& set) {
        return set.name.find(options.only) == std::string::npos;
    });
    if (sets.empty()) {
        throw Error(ExitCode::usage,
                    "benchmark: no set of the suite " + options.suite + " has '" +
                        printable(options.only) + "' in its name");
    }
    return sets;
}

std::string last_line(const std::string& path) {
    std::ifstream in(path);
    std::string line, last;
    while (std::getline(in, line)) {
        if (!line.empty()) last = line;
    }
    return last;
}

class Bench {
  public:
    explicit Bench(const BenchmarkOptions& options)
        : options_(options), scratch_(options.directory),
          threads_(options.threads > 0 ? options.threads : default_threads()) {}
    BenchmarkReport run();

  private:
    void run_set(const BenchmarkSet& set);
    BenchmarkRun time_set(const BenchmarkSet& set, const BenchmarkFiles& files, int threads);
    json once(BenchmarkRun& run, const BenchmarkFiles& files);
    void scale_threads(const BenchmarkSet& set, const BenchmarkFiles& files);
    void judge_growth();
    const BenchmarkRun* find(const std::string& name, int threads) const;

    std::string device() const {
        if (!options_.device.empty()) return options_.device;
        return options_.suite == "gpu" ? "gpu:0" : "cpu";
    }

    BenchmarkOptions options_;
    Scratch scratch_;
    int threads_;
    BenchmarkReport report_;
};

/// One process; the summary that it writes.
json Bench::once(BenchmarkRun& run, const BenchmarkFiles& files) {
    const std::string summary = scratch_.path() + "/summary.json";
    const std::string log = scratch_.path() + "/run.log";
    const std::vector<std::string> args = {"correlate",
                                           "--raw=" + files.raw,
                                           "--qmap=" + files.qmap,
                                           "--output=" + scratch_.path(),
                                           "--overwrite",
                                           "--no-metadata",
                                           "--frame-time=" + fmt::format("{}", frame_time_s),
                                           "--n-frames=" + std::to_string(run.set.n_frames),
                                           "--normalize-frame",
                                           run.set.normalize_frame ? "1" : "0",
                                           "--type",
                                           type_of(run.set.analysis),
                                           "--device=" + device(),
                                           "--threads=" + std::to_string(run.threads),
                                           "--progress=never",
                                           "--summary=" + summary};
    const ChildRun child = run_self(args, log);
    if (child.status != 0) {
        throw Error(child.status >= 64 && child.status <= 78 ? static_cast<ExitCode>(child.status)
                                                             : ExitCode::internal,
                    "benchmark: " + run.set.name + ": exit status " + std::to_string(child.status) +
                        ": " + last_line(log));
    }
    run.wall_s = child.wall_s;
    run.cpu_s = child.cpu_s;
    run.peak_bytes = child.peak_bytes;
    std::ifstream in(summary);
    return json::parse(in).at("runs").at(0);
}

BenchmarkRun Bench::time_set(const BenchmarkSet& set, const BenchmarkFiles& files, int threads) {
    const std::int64_t repeats =
        options_.repeat > 0 ? options_.repeat : (options_.suite == "quick" ? 1 : 3);
    std::optional<BenchmarkRun> best;
    for (std::int64_t i = 0; i < repeats; ++i) {
        BenchmarkRun run;
        run.set = set;
        run.threads = threads;
        const json told = once(run, files);
        run.engine = told.at("engine").get<std::string>();
        run.device = told.at("device").get<std::string>();
        for (const json& stage : told.at("stages")) {
            run.stage_s.emplace_back(stage.at("stage").get<std::string>(),
                                     stage.at("seconds").get<double>());
        }
        run.events = told.at("counts").at("events").get<std::int64_t>();
        if (!best || run.wall_s < best->wall_s) best = std::move(run);
    }
    best->samples = files.samples;
    best->raw_bytes = files.raw_bytes;
    return *best;
}

void Bench::run_set(const BenchmarkSet& set) {
    throw_if_stopped();
    BenchmarkFiles files;
    try {
        files = make_benchmark_files(
            set, scratch_.path(), static_cast<std::uint64_t>(options_.seed), threads_);
    } catch (const Error& error) {
        if (error.code() != ExitCode::config) throw;
        report_.left_out.push_back(set.name + ": " + error.what());
        return;
    }
    BenchmarkRun proof;
    proof.set = set;
    proof.threads = threads_;
    const json told = once(proof, files);
    const double error = check_result(told.at("result").get<std::string>(),
                                      set.analysis,
                                      direct_curve(set, files.truth),
                                      told.at("counts").at("events").get<std::int64_t>(),
                                      files.truth);
    BenchmarkRun run = time_set(set, files, threads_);
    run.largest_error = error;
    run.read_bytes_per_s = measure_read(files.raw, threads_);
    run.one_thread = measure_stages(files, run.engine == "dense");
    report_.limits.read_bytes_per_s =
        std::max(report_.limits.read_bytes_per_s, run.read_bytes_per_s);
    Log::info(fmt::format(
        "benchmark: {}: {:.2f} s, g2 right to {:.1e}", set.name, run.wall_s, run.largest_error));
    report_.runs.push_back(std::move(run));
    scale_threads(set, files);
    for (const std::string& path : files.all)
        fs::remove(path);
}

/// 1, 2, 4 ... threads, on the sets whose growth is looked at.
void Bench::scale_threads(const BenchmarkSet& set, const BenchmarkFiles& files) {
    const bool wanted = options_.suite != "gpu" && set.occupancy == 0.01 && set.n_hot == 0 &&
                        !set.normalize_frame && set.analysis == BenchmarkAnalysis::multitau;
    for (int threads = 1; wanted && threads < threads_; threads *= 2) {
        BenchmarkRun run = time_set(set, files, threads);
        run.read_bytes_per_s = measure_read(files.raw, threads);
        run.one_thread = report_.runs.back().one_thread;
        run.largest_error = report_.runs.back().largest_error;
        report_.runs.push_back(std::move(run));
    }
}

const BenchmarkRun* Bench::find(const std::string& name, int threads) const {
    for (const BenchmarkRun& run : report_.runs) {
        if (run.set.name == name && run.threads == threads) return &run;
    }
    return nullptr;
}

void Bench::judge_growth() {
    const auto compare = [&](const std::string& what,
                             const BenchmarkSet& from,
                             const BenchmarkSet& to,
                             double limit) {
        const BenchmarkRun* a = find(from.name, threads_);
        const BenchmarkRun* b = find(to.name, threads_);
        if (a == nullptr || b == nullptr) return;
        report_.growth.push_back({what, b->wall_s / a->wall_s, limit, false});
    };
    compare(
        "190 hot pixels, occupancy 0.002", sparse(20'000, 0.002), sparse(20'000, 0.002, 190), 1.1);
    compare("190 hot pixels, occupancy 0.01", sparse(20'000, 0.01), sparse(20'000, 0.01, 190), 1.1);
    compare("x10 events", sparse(20'000, 0.002), sparse(20'000, 0.02), 10);
    compare("x10 frames, same events", sparse(20'000, 0.002), sparse(200'000, 0.0002), 1.5);
    compare("x10 dense frames", small_frames(10'000), small_frames(100'000), 10);
    for (const BenchmarkRun& run : report_.runs) {
        if (run.threads == threads_ || run.threads * 2 > threads_) continue;
        const BenchmarkRun* twice = find(run.set.name, run.threads * 2);
        if (twice == nullptr) continue;
        report_.growth.push_back(
            {fmt::format(
                 "{}: speed of {} threads over {}", run.set.name, twice->threads, run.threads),
             run.wall_s / twice->wall_s,
             1.8,
             true});
    }
}

BenchmarkReport Bench::run() {
    report_.options = options_;
    report_.options.threads = threads_;
    const std::vector<BenchmarkSet> sets = suite_of(options_);
    report_.limits.copy_bytes_per_s = measure_copy(threads_);
    if (device().rfind("gpu", 0) == 0) {
        const Device chosen = choose_device(device());
        const gpu::CopyRates rates = gpu::measure_copies(chosen.indices.front());
        report_.limits.device_copy_bytes_per_s = rates.device_bytes_per_s;
        report_.limits.host_to_device_bytes_per_s = rates.to_device_bytes_per_s;
    }
    for (const BenchmarkSet& set : sets)
        run_set(set);
    judge_growth();
    return std::move(report_);
}

}  // namespace

double BenchmarkRun::stage(const std::string& name) const {
    for (const auto& [stage_name, seconds] : stage_s) {
        if (stage_name == name) return seconds;
    }
    return 0;
}

BenchmarkReport run_benchmark(const BenchmarkOptions& options) {
    return Bench(options).run();
}

}  // namespace xpcs
