// SPDX-License-Identifier: BSD-3-Clause
#include "host/summary.hpp"

#include "host/atomic_file.hpp"
#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/text.hpp"
#include "host/version.hpp"

#include <nlohmann/json.hpp>

#include <charconv>
#include <limits>

namespace xpcs {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

Json text_of(const std::string& text) {
    return printable(text, no_limit);
}

Json texts_of(const std::vector<std::string>& texts) {
    Json out = Json::array();
    for (const auto& text : texts) {
        out.push_back(text_of(text));
    }
    return out;
}

template <class T>
T number_of(const std::string& text) {
    T value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

Json value_of(const OptionSpec& spec, const std::vector<std::string>& values) {
    switch (spec.kind) {
    case ValueKind::flag:
        return values.front() == "true";
    case ValueKind::boolean:
        return values.front() == "1";
    case ValueKind::integer:
        return number_of<std::int64_t>(values.front());
    case ValueKind::real:
        return number_of<double>(values.front());
    case ValueKind::list:
        return texts_of(values);
    case ValueKind::text:
    case ValueKind::choice:
        break;
    }
    return text_of(values.front());
}

// The keys of a configuration file, so that it can be one.
Json config_json(const RunConfig& config) {
    Json out;
    for (const auto& option : run_options().options()) {
        std::string key = option.spec.name;
        for (char& c : key) {
            c = c == '-' ? '_' : c;
        }
        out[key] = value_of(option.spec, option.get(config));
    }
    return out;
}

Json frames_json(const RunResult& r) {
    return {{"in_file", r.frames.n_frames_file},
            {"begin", r.frames.begin},
            {"end", r.frames.end},
            {"stride", r.frames.stride},
            {"average", r.frames.average},
            {"used", r.frames.n_frames},
            {"raw_used", r.frames.raw_frames_used},
            {"empty", r.counts.empty_frames},
            {"excluded", r.counts.excluded_frames},
            {"frame_time_s", r.frame_time_s}};
}

Json counts_json(const RunCounts& c) {
    return {{"records", c.decode.records},
            {"events", c.events_kept},
            {"photons", c.photons_kept},
            {"occupancy", c.occupancy},
            {"largest_count", c.decode.largest_count},
            {"saturated_fraction", c.saturated_fraction},
            {"saturation_level", c.saturation_level},
            {"duplicates_summed", c.duplicates},
            {"counter_wraps", c.decode.counter_wraps},
            {"out_of_order", c.decode.out_of_order}};
}

Json dropped_json(const RunResult& r) {
    const RunCounts& c = r.counts;
    return {{"events_on_masked_pixels", c.events_masked},
            {"events_outside_frames", c.events_outside_frames},
            {"records_with_count_zero", c.decode.zero_count},
            {"records_with_bad_index", c.decode.bad_index},
            {"trailing_bytes", c.trailing_bytes},
            {"overflow_samples", c.overflow_samples},
            {"overflow_pixels", c.overflow_pixels},
            {"pixels_masked", r.partition_report.masked},
            {"pixels_without_dynamic_bin", r.partition_report.no_dynamic},
            {"pixels_without_static_bin", r.partition_report.no_static},
            {"pixels_in_gaps", r.partition_report.in_gap}};
}

Json bins_json(const RunResult& r) {
    std::int64_t kept = 0;
    for (const auto n : r.pixels_per_dynamic) {
        kept += n;
    }
    return {{"pixels_kept", kept},
            {"static", r.qmap.n_static()},
            {"dynamic", r.qmap.n_dynamic()},
            {"empty_static", r.partition_report.empty_static},
            {"empty_dynamic", r.partition_report.empty_dynamic},
            {"split_static", r.partition_report.split_static_bins},
            {"labelled_outside_mask", r.partition_report.labelled_outside_mask}};
}

Json inputs_json(const RunResult& r) {
    Json out = Json::array();
    for (const auto& input : r.inputs) {
        out.push_back({{"path", text_of(input.path)},
                       {"bytes", input.size_bytes},
                       {"modified", text_of(input.modified)}});
    }
    return out;
}

Json hot_pixels_json(const RunResult& r) {
    Json out = Json::array();
    for (const auto& pixel : r.hot_pixels) {
        out.push_back({{"row", pixel.row},
                       {"col", pixel.col},
                       {"photons", pixel.photons},
                       {"static_bin", pixel.static_label},
                       {"dynamic_bin", pixel.dynamic_label},
                       {"share_of_bin", pixel.share_of_bin}});
    }
    return out;
}

Json stages_json(const RunResult& r) {
    Json out = Json::array();
    for (const auto& [name, seconds] : r.stage_s) {
        out.push_back({{"stage", text_of(name)}, {"seconds", seconds}});
    }
    return out;
}

std::vector<std::int32_t> two_time_bins(const RunResult& r) {
    if (r.two_time) return r.two_time->labels;
    return r.band ? r.band->labels : std::vector<std::int32_t>{};
}

Json done_json(const RunResult& r, const std::string& result_path) {
    Json out;
    out["raw"] = text_of(r.raw);
    out["state"] = "done";
    out["exit_code"] = 0;
    out["error"] = nullptr;
    out["result"] = text_of(result_path);
    out["no_signal"] = r.counts.no_signal;
    out["format"] = text_of(r.source.format);
    out["frames"] = frames_json(r);
    out["bins"] = bins_json(r);
    out["n_lags"] = r.one_time.ladder.lags.size();
    out["two_time_bins"] = two_time_bins(r);
    out["counts"] = counts_json(r.counts);
    out["dropped"] = dropped_json(r);
    out["hot_pixels"] = hot_pixels_json(r);
    out["warnings"] = texts_of(r.warnings);
    out["inputs"] = inputs_json(r);
    out["qmap"] = {{"path", text_of(r.qmap.file)}, {"hash", text_of(r.qmap.hash)}};
    out["metadata"] = text_of(r.metadata.file);
    out["engine"] = text_of(r.engine);
    out["device"] = text_of(r.device);
    out["host"] = text_of(r.host_name);
    out["started"] = text_of(r.started);
    out["finished"] = text_of(r.finished);
    out["stages"] = stages_json(r);
    out["peak_memory_bytes"] = r.peak_memory_bytes;
    return out;
}

Json failed_json(const std::string& raw,
                 int exit_code,
                 const std::string& error,
                 const std::vector<std::string>& warnings) {
    Json out;
    out["raw"] = text_of(raw);
    out["state"] = exit_code == static_cast<int>(ExitCode::interrupted) ? "interrupted" : "failed";
    out["exit_code"] = exit_code;
    out["error"] = text_of(error);
    out["result"] = nullptr;
    out["warnings"] = texts_of(warnings);
    return out;
}

}  // namespace

struct Summary::State {
    RunConfig config;
    Json runs = Json::array();
};

Summary::Summary(const RunConfig& config) : state_(std::make_unique<State>()) {
    state_->config = config;
}
Summary::~Summary() = default;

void Summary::done(const RunResult& result, const std::string& result_path) {
    state_->runs.push_back(done_json(result, result_path));
}

void Summary::failed(const std::string& raw,
                     int exit_code,
                     const std::string& error,
                     const std::vector<std::string>& warnings) {
    state_->runs.push_back(failed_json(raw, exit_code, error, warnings));
}

int Summary::exit_code() const {
    int code = 0;
    for (const auto& run : state_->runs) {
        const int one = run.at("exit_code").get<int>();
        if (one == static_cast<int>(ExitCode::interrupted)) {
            return one;
        }
        code = code == 0 ? one : code;
    }
    return code;
}

std::string Summary::text() const {
    Json error = nullptr;
    for (const auto& run : state_->runs) {
        if (run.at("exit_code") == exit_code()) {
            error = run.at("error");
            break;
        }
    }
    const int code = exit_code();
    Json out;
    out["summary_version"] = 1;
    out["program"] = "xpcs-corr";
    out["versions"] = {{"xpcs", version()},
                       {"commit", build_commit()},
                       {"cuda", cuda_version()},
                       {"hdf5", h5::library_version()}};
    out["state"] = code == 0                                         ? "done"
                   : code == static_cast<int>(ExitCode::interrupted) ? "interrupted"
                                                                     : "failed";
    out["exit_code"] = code;
    out["error"] = error;
    out["config"] = config_json(state_->config);
    out["runs"] = state_->runs;
    return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void Summary::write() const {
    if (!state_->config.summary.empty()) {
        write_file_atomically(state_->config.summary, text());
    }
}

}  // namespace xpcs
