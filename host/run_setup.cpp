// SPDX-License-Identifier: BSD-3-Clause
#include "host/run_setup.hpp"

#include "host/config_notes.hpp"
#include "host/errors.hpp"
#include "host/file_facts.hpp"
#include "host/log.hpp"
#include "host/memory.hpp"
#include "host/memory_plan.hpp"
#include "host/readers/corrected.hpp"
#include "host/readers/raw_file.hpp"
#include "host/result_file.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "host/twotime_run.hpp"
#include "kernels/device_events.hpp"
#include "kernels/device_frames.hpp"
#include "kernels/lag_ladder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <thread>

namespace xpcs {

namespace {

Metadata metadata_of(const RunConfig& config, const std::string& raw) {
    Metadata metadata;
    if (!config.no_metadata) metadata = load_metadata(find_metadata(raw, config.metadata));
    for (const std::string& warning : metadata.warnings)
        Log::warning(warning);
    return metadata;
}

/// The file that marks the end of an acquisition; "" if there is to be none.
std::string expected_metadata(const RunConfig& config, const std::string& raw) {
    if (config.no_metadata) return "";
    return config.metadata.empty() ? own_metadata(raw) : config.metadata;
}

/// The metadata of an acquisition that has just ended: they may appear a moment later, and who
/// writes them may still hold them locked, or have written a part.
Metadata awaited_metadata(const RunConfig& config, const std::string& raw) {
    using Clock = std::chrono::steady_clock;
    constexpr double longest_to_write_s = 10;
    const auto wait = [] {
        throw_if_stopped();
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    };
    const auto within = [](Clock::time_point start, double seconds) {
        return Clock::now() - start < std::chrono::duration<double>(seconds);
    };
    const std::string expected = expected_metadata(config, raw);
    const auto start = Clock::now();
    while (!expected.empty() && !file_exists(expected) && within(start, config.follow_quiet_s))
        wait();
    for (const auto there = Clock::now();; wait()) {
        try {
            return metadata_of(config, raw);
        } catch (const Error&) {
            if (!file_exists(expected) || !within(there, longest_to_write_s)) throw;
        }
    }
}

/// The time from frame to frame: what the file was binned with, then --frame-time, then the
/// metadata; then --bin-time-s if it was given, for files of time-binned events that do not say.
double frame_time_of(const RunConfig& config, const SourceInfo& source, const Metadata& metadata) {
    if (source.frame_time_s > 0) return source.frame_time_s;
    if (config.frame_time_s > 0) return config.frame_time_s;
    if (metadata.frame_time_s > 0) return metadata.frame_time_s;
    const std::string owner = metadata.file.empty() ? "no metadata" : metadata.file;
    if (source.sparse && config.bin_time_s != RunConfig{}.bin_time_s) {
        Log::warning(fmt::format("{}: no frame_time above 0; --bin-time-s {:g} s is taken for it",
                                 owner,
                                 config.bin_time_s));
        return config.bin_time_s;
    }
    Log::warning(
        owner +
        ": no frame_time above 0; delays are in frames only (--frame-time SECONDS gives it)");
    return 0;
}

void report_partition(const QMap& qmap, const PartitionReport& report) {
    const auto say = [&](std::int64_t n, const char* what) {
        if (n > 0) Log::warning(fmt::format("{}: {} pixels {}", qmap.file, n, what));
    };
    say(report.no_dynamic, "of the mask have no dynamic bin; dropped");
    say(report.no_static, "of the mask have no static bin; dropped");
    say(report.in_gap, "with a label lie in a gap of the detector; dropped");
    say(report.labelled_outside_mask, "with a label lie outside the mask; dropped");
    if (!report.empty_dynamic.empty()) {
        Log::warning(fmt::format("{}: dynamic bins without a pixel, g2 is NaN there: {}",
                                 qmap.file,
                                 fmt::join(report.empty_dynamic, ", ")));
    }
    if (!report.empty_static.empty()) {
        Log::warning(fmt::format("{}: {} static bins without a pixel (first: {})",
                                 qmap.file,
                                 report.empty_static.size(),
                                 report.empty_static.front()));
    }
    if (report.split_static_bins > 0) {
        Log::info(fmt::format(
            "{}: {} static bins added by --split-static", qmap.file, report.split_static_bins));
    }
}

/// The frames worth reading. Where begin or end count from an end that only reading tells, all are.
SeriesRange frames_to_read(const RunConfig& config) {
    SeriesRange range;
    if (config.begin_frame >= 0) range.begin_frame = config.begin_frame;
    if (config.end_frame > 0) range.end_frame = config.end_frame;
    return range;
}

std::string analysis_text(const RunConfig& config, const RunSetup& setup) {
    std::string type = to_string(config.type);
    if (config.type == AnalysisType::multitau) return type;
    const std::size_t n_bins = selected_bins(config, setup.partition).size();
    if (!has_twotime(config.type)) return fmt::format("{} of {} bins", type, n_bins);
    const auto T = static_cast<double>(setup.result.frames.n_frames);
    if (T < 1) return fmt::format("{}, {} maps; reading tells their size", type, n_bins);
    return fmt::format("{}, {} maps of {} x {} frames, up to {} on disk",
                       type,
                       n_bins,
                       setup.result.frames.n_frames,
                       setup.result.frames.n_frames,
                       gib_text(2 * T * T * static_cast<double>(n_bins)));
}

void fill_plan(const RunConfig& config, RunSetup& setup) {
    Plan& plan = setup.plan;
    const RunResult& result = setup.result;
    plan.raw = result.raw;
    plan.format = result.source.format + ", " + result.source.detected_by;
    plan.inputs = result.inputs;
    plan.rows = setup.partition.rows;
    plan.cols = setup.partition.cols;
    plan.frames = result.frames;
    plan.frame_time_s = result.frame_time_s;
    plan.pixels_kept = setup.partition.n_kept();
    plan.n_static = setup.partition.n_static;
    plan.n_dynamic = setup.partition.n_dynamic;
    if (result.frames.n_frames >= 2 && has_multitau(config.type)) {
        for (const Lag& lag : make_lag_ladder(result.frames.n_frames).lags) {
            plan.lags.push_back(lag.frames);
        }
    }
    plan.analysis = analysis_text(config, setup);
    plan.engine = result.engine;
    plan.device = result.device;
    plan.output = planned_result_path(config, setup.base);
    plan.warnings = Log::warnings();
}

/// Opens the raw file; with --wait-raw tries again until the detector has closed it.
std::unique_ptr<FrameSource>
open_when_ready(const RunConfig& config, const std::string& raw, const SourceOptions& options) {
    const auto start = std::chrono::steady_clock::now();
    const std::chrono::duration<double> patience(config.wait_s);
    for (bool told = false;;) {
        try {
            return open_frame_source(raw, options);
        } catch (const Error& error) {
            const bool may_change =
                error.code() == ExitCode::no_input || error.code() == ExitCode::data;
            if (!may_change || std::chrono::steady_clock::now() - start >= patience) throw;
            if (!told) {
                Log::info(fmt::format(
                    "{}; waiting up to {} s (--wait-raw)", error.what(), config.wait_s));
            }
            told = true;
        }
        throw_if_stopped();
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
}

/// The values of --monitor; their number is checked as early as that of the frames is known.
void read_monitor(const RunConfig& config, RunSetup& setup) {
    const RunResult& result = setup.result;
    setup.monitor = load_monitor(config.monitor, result.metadata.file);
    const bool of_run = setup.monitor.file == result.metadata.file;
    if (config.raw.size() > 1 && !config.series && !of_run) {
        throw Error(ExitCode::config,
                    fmt::format("--monitor '{}' belongs to one run, but {} raw files are given",
                                printable(config.monitor, 120),
                                config.raw.size()));
    }
    const std::int64_t n = result.source.n_frames > 0 ? result.source.n_frames : config.n_frames;
    if (n > 0) require_length(setup.monitor, n, result.raw);
}

/// Frame selection as far as it is known before reading.
void select_before_reading(const RunConfig& config, RunSetup& setup) {
    const SourceInfo& source = setup.result.source;
    std::int64_t n = source.n_frames > 0 ? source.n_frames : config.n_frames;
    if (n == 0) {
        n = source.n_frames_hint;
        setup.plan.frames_from_hint = true;
    }
    if (n == 0) return;
    if (setup.plan.frames_from_hint) {
        // Only an expectation: the file may hold more frames than its name says.
        try {
            setup.result.frames = select_frames(config, n, setup.result.raw);
        } catch (const Error&) {
            setup.result.frames = {};
        }
        return;
    }
    setup.result.frames = select_frames(config, n, setup.result.raw);
    if (source.n_frames > 0) {
        setup.frames.begin_frame = setup.result.frames.begin;
        setup.frames.end_frame = setup.result.frames.end;
    }
}

}  // namespace

void StageClock::lap(const std::string& stage) {
    const auto now = std::chrono::steady_clock::now();
    stages_->emplace_back(stage, std::chrono::duration<double>(now - last_).count());
    last_ = now;
}

std::string RunSetup::headline() const {
    const std::string frames_text = result.frames.n_frames > 0
                                        ? fmt::format("{} frames", result.frames.n_frames)
                                        : std::string("frames as found");
    return fmt::format("{}: {}, {} x {} pixels ({} kept), {}, {} dynamic and {} static bins, {} "
                       "engine on {}{}",
                       printable(result.raw),
                       result.source.format,
                       partition.rows,
                       partition.cols,
                       partition.n_kept(),
                       frames_text,
                       partition.n_dynamic,
                       partition.n_static,
                       result.engine,
                       result.device.empty() ? device->text() : result.device,
                       ranges > 1 ? fmt::format(", in {} passes", ranges) : std::string());
}

void finish_setup(RunSetup& setup) {
    RunResult& result = setup.result;
    const RunConfig& config = result.config;
    result.metadata = awaited_metadata(config, result.raw);
    result.frame_time_s = frame_time_of(config, result.source, result.metadata);
    std::vector<std::string> inputs = result.source.files;
    inputs.push_back(config.qmap);
    inputs.push_back(result.metadata.file);
    result.inputs = stat_inputs(inputs);
    result.source.n_bytes = 0;
    for (const std::string& file : result.source.files)
        result.source.n_bytes += RawFile(file).size();
}

RunSetup prepare_run(const RunConfig& config, const std::string& raw) {
    RunSetup setup;
    RunResult& result = setup.result;
    StageClock clock(result.stage_s);
    result.config = config;
    result.raw = raw;
    result.started = utc_text(std::time(nullptr));
    result.host_name = host_name();
    for (const std::string& note : options_without_effect(config))
        Log::warning(note);
    setup.device.emplace(device_of(config), static_cast<int>(config.threads));

    setup.read.raw = raw;
    setup.read.source.dataset = config.dataset;
    setup.read.source.n_frames = config.n_frames;
    setup.read.source.strict = config.strict;
    setup.read.source.drop_bad_index = config.drop_bad_index;
    setup.read.source.allow_missing_module = config.allow_missing_module;
    setup.read.source.allow_truncated = config.allow_truncated;
    setup.read.source.channel = config.channel;
    setup.read.source.bin_time_s = config.bin_time_s;
    setup.read.source.run_config_path = config.run_config_path;
    setup.read.source.ftf_high_first = config.ftf_bit_order == "high-first";
    if (config.series) {
        setup.read.source.more_files.assign(config.raw.begin() + 1, config.raw.end());
    }
    setup.read.threads = config.threads;
    setup.read.progress = config.progress;
    if (config.follow) {
        setup.read.source.follow = {true, config.follow_quiet_s, expected_metadata(config, raw)};
        wait_for_raw(raw);
    }
    const std::unique_ptr<FrameSource> source = open_when_ready(config, raw, setup.read.source);

    result.source = source->info();
    if (result.source.frame_time_s > 0 && config.frame_time_s > 0) {
        throw Error(ExitCode::config,
                    raw + ": the frame time of a Timepix4 stream is its time bin (--bin-time-s); "
                          "--frame-time does not apply");
    }
    if (config.follow) {
        if (!source->info().sparse) {
            throw Error(ExitCode::config,
                        raw + ": is HDF5; --follow reads growing Rigaku files (.bin) only");
        }
        setup.base = result_base(config.metadata.empty() ? raw : config.metadata);
    } else {
        result.metadata = metadata_of(config, raw);
        setup.base = result_base(result.metadata.file.empty() ? raw : result.metadata.file);
        result.frame_time_s = frame_time_of(config, result.source, result.metadata);
    }
    if (!config.monitor.empty()) read_monitor(config, setup);

    result.qmap = load_qmap(config.qmap);
    if (config.transpose_qmap) transpose(result.qmap);
    for (const std::string& warning : result.qmap.warnings)
        Log::warning(warning);
    source->set_shape(result.qmap.rows, result.qmap.cols);
    result.source = source->info();
    for (const std::string& warning : result.source.warnings)
        Log::warning(warning);
    for (const std::string& note : options_without_effect(config, result.source))
        Log::warning(raw + ": " + note);
    setup.read.rows = result.qmap.rows;
    setup.read.cols = result.qmap.cols;

    if (corrects_frames(config)) {
        setup.read.source.correction = load_correction(
            config, raw, setup.read.source, result.source, result.qmap.rows, result.qmap.cols);
        result.source.sample_scale = FrameCorrection::scale;
    }
    QMapPartition made = partition_of(result.qmap, result.source.gap, config.split_static);
    setup.partition = std::move(made.partition);
    result.partition_report = std::move(made.report);
    result.label_of_static = std::move(made.label_of_static);
    report_partition(result.qmap, result.partition_report);

    if (config.dry_run || setup.device->text() == "cpu") {
        setup.device->wait();
        result.device = setup.device->description();
    }
    setup.frames = frames_to_read(config);
    select_before_reading(config, setup);
    std::vector<std::string> inputs = result.source.files;
    inputs.push_back(config.qmap);
    inputs.push_back(result.metadata.file);
    if (setup.monitor.file != result.metadata.file) inputs.push_back(setup.monitor.file);
    inputs.push_back(config.dark);
    inputs.push_back(config.flat.substr(0, config.flat.rfind(":/")));
    result.inputs = stat_inputs(inputs);
    if (!config.dry_run) prepare_output_directory(config.output);
    plan_memory(config, setup);
    fill_plan(config, setup);
    clock.lap("start");
    return setup;
}

std::string RunSetup::why_the_cpu_decodes() {
    // Of the memory of a GPU; the rest is for the correlation, which takes more beside frames.
    constexpr double device_part = 0.8, frames_part = 0.55;
    const RunConfig& config = result.config;
    const SourceInfo& source = result.source;
    if (source.n_words == 0 && !source.whole_frames) {
        return config.follow ? "--follow" : "format " + source.format;
    }
    if (!source.sparse && !read.dense_rows) return "engine sparse";
    if (config.type != AnalysisType::multitau) {
        return "-t " + to_string(config.type) + " needs the photons on the host";
    }
    if (ranges > 1) return fmt::format("{} passes within --memory", ranges);
    if (!device->on_gpu()) return "the run is on the CPU";
    if (device->device().indices.size() > 1) return "the run is on several GPUs";
    const auto needed = static_cast<double>(
        source.sparse ? gpu::device_events_bytes(source.n_words)
                      : gpu::device_frames_bytes(source.rows * source.cols,
                                                 result.frames.end - result.frames.begin,
                                                 source.sample_bytes));
    const auto has = static_cast<double>(device->device().memory_bytes);
    if (needed > (source.sparse ? device_part : frames_part) * has) {
        return fmt::format("its {} take {} of a GPU, which has {}",
                           source.sparse ? "events" : "frames",
                           gib_text(needed),
                           gib_text(has));
    }
    return "";
}

FrameSelection select_frames(const RunConfig& config, std::int64_t n, const std::string& raw) {
    try {
        return select_frames(
            n, config.begin_frame, config.end_frame, config.stride_frame, config.avg_frame);
    } catch (const Error& error) {
        throw Error(error.code(), printable(raw) + ": " + error.what());
    }
}

std::int64_t frames_in_file(const RunConfig& config, const SourceInfo& source, std::int64_t last) {
    const std::int64_t seen = frames_seen(source, last);
    if (!source.sparse) return seen;
    if (config.n_frames > 0) {
        if (config.n_frames < seen) {
            Log::warning(
                fmt::format("{}: photons up to frame {}, but --n-frames is {}; later frames "
                            "are left out",
                            source.files.front(),
                            last,
                            config.n_frames));
        }
        return config.n_frames;
    }
    if (source.n_frames_hint > 0 && source.n_frames_hint != seen) {
        Log::warning(fmt::format("{}: the name says {} frames, the last photon is in frame {}; "
                                 "{} frames are used (--n-frames N states another number)",
                                 source.files.front(),
                                 source.n_frames_hint,
                                 last,
                                 seen));
    }
    return seen;
}

}  // namespace xpcs
