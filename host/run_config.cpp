// SPDX-License-Identifier: BSD-3-Clause
#include "host/run_config.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <charconv>
#include <set>
#include <string_view>
#include <utility>

namespace xpcs {

namespace {

constexpr std::int64_t largest_label = 1'000'000;

[[noreturn]] void usage(const std::string& message) {
    throw Error(ExitCode::usage, message);
}

[[noreturn]] void impossible(const std::string& message) {
    throw Error(ExitCode::config, message);
}

bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

void check_device(const std::string& device) {
    const bool numbered =
        device.rfind("gpu:", 0) == 0 && all_digits(device.substr(4)) && device.size() <= 4 + 4;
    if (!device.empty() && device != "cpu" && device != "auto" && device != "gpu:all" &&
        !numbered) {
        usage("--device '" + printable(device, 120) +
              "' is not known; allowed are cpu, gpu:0, gpu:1, ..., gpu:all and auto");
    }
}

void check_frames(const RunConfig& c) {
    if (c.end_frame < -1) {
        impossible("--end-frame " + std::to_string(c.end_frame) +
                   ": 0 and -1 mean all frames, other values must be positive");
    }
    if (c.begin_frame >= 0 && c.end_frame > 0 && c.begin_frame >= c.end_frame) {
        impossible("--begin-frame " + std::to_string(c.begin_frame) +
                   " must be smaller than --end-frame " + std::to_string(c.end_frame) +
                   " (exclusive)");
    }
    if (c.n_frames > 0 && c.begin_frame >= c.n_frames) {
        impossible("--begin-frame " + std::to_string(c.begin_frame) +
                   " must be smaller than --n-frames " + std::to_string(c.n_frames));
    }
}

void check_follow(const RunConfig& c) {
    if (c.follow && c.wait_s > 0) {
        impossible("--follow waits for the raw file and reads it while it grows; it and --wait-raw "
                   "exclude each other");
    }
    if (!c.follow) {
        if (c.follow_quiet_s != RunConfig{}.follow_quiet_s) {
            impossible(
                "--follow-quiet says when a followed file is complete; give --follow as well");
        }
        return;
    }
    const std::pair<const char*, bool> others[] = {{"--series", c.series},
                                                   {"--dataset", !c.dataset.empty()},
                                                   {"--channel", !c.channel.empty()}};
    for (const auto& [option, given] : others) {
        if (given) {
            impossible(std::string("--follow reads a growing Rigaku file; it and ") + option +
                       " exclude each other");
        }
    }
}

void check_reports(const RunConfig& c) {
    if (c.progress == "always" && c.log_format == "json") {
        impossible("--progress always and --log-format json exclude each other: the bar would "
                   "stand between the lines");
    }
}

void check_analysis(const RunConfig& c) {
    if (c.partial != "slices" && c.num_partial_g2 == 0) {
        impossible("--partial " + c.partial + " says which curves -np makes; give -np N as well");
    }
    const auto needs_multitau = [&](const char* option) {
        impossible(std::string(option) + " belongs to the multi-tau analysis; -t " +
                   to_string(c.type) + " has none");
    };
    if (!c.monitor.empty() && !has_multitau(c.type)) needs_multitau("--monitor");
    if (c.errors && !has_multitau(c.type)) needs_multitau("--errors");
    const bool in_metadata =
        c.monitor.starts_with('/') && c.monitor.find(":/") == std::string::npos;
    if (c.raw.size() > 1 && !c.series && !c.monitor.empty() && !in_metadata) {
        impossible("--monitor '" + printable(c.monitor, 120) + "' belongs to one run, but " +
                   std::to_string(c.raw.size()) + " raw files are given");
    }
    if (c.follow && !c.monitor.empty()) {
        impossible("--follow and --monitor exclude each other: the values must be there before "
                   "the frames");
    }
}

void check_correction(const RunConfig& c) {
    parse_dark_frames(c.dark_frames);
    if (c.sigma > 0 && c.dark.empty() && c.dark_frames.empty()) {
        impossible("--sigma counts standard deviations of dark frames; give --dark or "
                   "--dark-frames");
    }
    const auto colon = c.flat.rfind(":/");
    if (!c.flat.empty() && (colon == std::string::npos || colon == 0)) {
        usage("--flat '" + printable(c.flat, 120) + "': FILE:/PATH of a dataset expected");
    }
    if (c.follow && corrects_frames(c)) {
        impossible("--follow reads events; --dark, --flat, --lld and --sigma need frames");
    }
    if (c.engine == EngineChoice::sparse && corrects_frames(c)) {
        impossible("--engine sparse and a dark or flat correction exclude each other: corrected "
                   "frames are dense");
    }
}

void check_name_part(const char* option, const std::string& text) {
    if (text.find('/') != std::string::npos || text.find('\0') != std::string::npos) {
        usage(std::string(option) + " '" + printable(text, 120) +
              "' becomes part of a file name and must not contain '/'; use --output for the "
              "directory");
    }
}

}  // namespace

bool has_multitau(AnalysisType type) {
    return type == AnalysisType::multitau || type == AnalysisType::both;
}

bool has_twotime(AnalysisType type) {
    return type == AnalysisType::twotime || type == AnalysisType::both;
}

std::string to_string(AnalysisType type) {
    switch (type) {
    case AnalysisType::multitau:
        return "Multitau";
    case AnalysisType::twotime:
        return "Twotime";
    case AnalysisType::both:
        return "Both";
    case AnalysisType::twotime_multitau:
        return "TwotimeMultitau";
    }
    return "";
}

std::string to_string(EngineChoice engine) {
    switch (engine) {
    case EngineChoice::automatic:
        return "auto";
    case EngineChoice::sparse:
        return "sparse";
    case EngineChoice::dense:
        return "dense";
    }
    return "";
}

std::vector<std::string> to_command_line(const RunConfig& config) {
    return arguments_of(config, run_options(), !config.config_file.empty());
}

std::string device_of(const RunConfig& config) {
    if (!config.device.empty()) {
        return config.device;
    }
    if (config.gpu_id < 0) {
        return config.gpu_id == -1 ? "cpu" : "auto";
    }
    return "gpu:" + std::to_string(config.gpu_id);
}

std::vector<std::int64_t> parse_dq_selection(const std::string& text) {
    if (text == "all") {
        return {};
    }
    const auto refuse = [&] {
        usage("--dq-selection '" + printable(text, 120) +
              "': expected all, or labels and ranges from 1 to " + std::to_string(largest_label) +
              " like 1,2,5-7");
    };
    const auto label = [&](std::string_view word) {
        const auto first = word.find_first_not_of(' ');
        const auto last = word.find_last_not_of(' ');
        word = first == std::string_view::npos ? "" : word.substr(first, last - first + 1);
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        if (!all_digits(word) || error != std::errc() || value < 1 || value > largest_label) {
            refuse();
        }
        return value;
    };
    std::set<std::int64_t> labels;
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto comma = rest.find(',');
        const std::string_view part = rest.substr(0, comma);
        rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
        if (part.find_first_not_of(' ') == std::string_view::npos) {
            continue;
        }
        const auto dash = part.find('-');
        const std::int64_t low = label(part.substr(0, dash));
        const std::int64_t high =
            dash == std::string_view::npos ? low : label(part.substr(dash + 1));
        if (low > high) {
            refuse();
        }
        for (std::int64_t value = low; value <= high; ++value) {
            labels.insert(value);
        }
    }
    if (labels.empty()) {
        refuse();
    }
    return {labels.begin(), labels.end()};
}

bool corrects_frames(const RunConfig& config) {
    return !config.dark.empty() || !config.dark_frames.empty() || !config.flat.empty() ||
           config.lld > 0;
}

FrameSpan parse_dark_frames(const std::string& text) {
    FrameSpan span;
    if (text.empty()) return span;
    const auto colon = text.find(':');
    const auto number = [&](std::string_view word) {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
        const bool good = all_digits(word) && error == std::errc();
        return good ? value : std::int64_t{-1};
    };
    const std::string_view all = text;
    span.first = colon == std::string::npos ? -1 : number(all.substr(0, colon));
    span.end = colon == std::string::npos ? -1 : number(all.substr(colon + 1));
    if (span.first < 0 || span.end <= span.first) {
        usage("--dark-frames '" + printable(text, 120) +
              "': FIRST:END expected, from 0, END exclusive and above FIRST");
    }
    return span;
}

void check_config(const RunConfig& config) {
    if (config.raw.empty()) {
        usage("no raw file: give one with -r FILE");
    }
    for (const auto& raw : config.raw) {
        if (raw.empty()) {
            usage("-r: the name of a raw file is empty");
        }
    }
    if (config.qmap.empty()) {
        usage("no q-map: give one with -q FILE");
    }
    if (config.output.empty()) {
        usage("-o: the name of the output directory is empty");
    }
    check_device(config.device);
    check_name_part("--prefix", config.prefix);
    check_name_part("--suffix", config.suffix);
    parse_dq_selection(config.dq_selection);
    check_frames(config);
    if (config.follow && config.type != AnalysisType::multitau) {
        impossible("--follow and two-time analyses exclude each other: the result begins with the "
                   "metadata file, which comes last");
    }
    check_follow(config);
    if (config.follow && config.save_G2) {
        impossible("--follow and --save-G2 exclude each other: the result begins with the metadata "
                   "file, which comes last");
    }
    check_reports(config);
    check_analysis(config);
    check_correction(config);
    if (config.no_metadata && !config.metadata.empty()) {
        impossible("--no-metadata and --metadata '" + printable(config.metadata, 120) +
                   "' exclude each other");
    }
    if (config.raw.size() > 1 && !config.series && !config.metadata.empty()) {
        impossible("--metadata '" + printable(config.metadata, 120) + "' belongs to one run, but " +
                   std::to_string(config.raw.size()) + " raw files are given");
    }
}

}  // namespace xpcs
