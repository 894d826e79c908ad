// SPDX-License-Identifier: BSD-3-Clause
#include "host/average.hpp"

#include "host/average_write.hpp"
#include "host/claimed_file.hpp"
#include "host/errors.hpp"
#include "host/file_facts.hpp"
#include "host/nexus.hpp"
#include "host/qmap_file.hpp"
#include "host/result_file.hpp"
#include "host/result_paths.hpp"
#include "host/result_write.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "host/version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

namespace xpcs {

namespace {

namespace fs = std::filesystem;
namespace rp = result_path;

std::vector<Repeat> read_repeats(const std::vector<std::string>& files) {
    std::vector<Repeat> repeats;
    for (const std::string& path : files) {
        throw_if_stopped();
        repeats.push_back(read_repeat(path));
        require_same(repeats.front(), repeats.back());
    }
    return repeats;
}

/// Relative to the mean, so that the numbers can be read.
std::vector<double> photon_weights(const std::vector<Repeat>& repeats) {
    double sum = 0;
    for (const Repeat& repeat : repeats) {
        sum += repeat.photons_per_pixel;
    }
    if (!(sum > 0)) {
        throw Error(ExitCode::data,
                    "average: no result has a photon, --weights counts means nothing");
    }
    std::vector<double> weights;
    weights.reserve(repeats.size());
    for (const Repeat& repeat : repeats) {
        weights.push_back(repeat.photons_per_pixel / sum * static_cast<double>(repeats.size()));
    }
    return weights;
}

AverageReport judged(const std::vector<Repeat>& repeats, const AverageOptions& options) {
    std::vector<RepeatCurves> curves;
    curves.reserve(repeats.size());
    for (const Repeat& repeat : repeats) {
        curves.push_back(repeat.curves);
    }
    RepeatJudgement judgement = judge_repeats(curves, repeats.front().n_bins, options.limits);
    std::vector<double> weights(repeats.size(), 1.0);
    if (options.weights == AverageWeights::counts) weights = photon_weights(repeats);
    AverageReport report;
    report.notes = std::move(judgement.notes);
    for (std::size_t k = 0; k < repeats.size(); ++k) {
        report.files.push_back({repeats[k].path,
                                weights[k],
                                repeats[k].incident,
                                repeats[k].transmitted,
                                std::move(judgement.verdicts[k])});
    }
    if (report.n_kept() == 0) {
        throw Error(ExitCode::data,
                    "average: no result is left; '" + printable(report.files.front().path) +
                        "': " + report.files.front().verdict.reason);
    }
    return report;
}

std::vector<std::string> arguments_of(const AverageOptions& options) {
    std::vector<std::string> out{rp::program_name, "average"};
    out.insert(out.end(), options.files.begin(), options.files.end());
    out.insert(out.end(),
               {"--output=" + options.output,
                std::string("--weights=") + to_text(options.weights),
                fmt::format("--shape-limit={}", options.limits.shape),
                fmt::format("--z-limit={}", options.limits.z)});
    return out;
}

void write_origin(hid_t file, const AverageOptions& options, const std::string& started) {
    const std::vector<std::string> arguments = arguments_of(options);
    put_text(file, rp::prov_program, rp::program_name);
    put_text(file, rp::prov_version, version());
    put_text(file, rp::prov_commit, build_commit());
    put_text(file, rp::prov_command_line, command_line_of(arguments));
    put_texts(file, rp::prov_arguments, arguments);
    put_text(file, rp::prov_host, host_name());
    put_text(file, rp::prov_started, started);
    put_text(file, rp::prov_finished, utc_text(std::time(nullptr)));
    put_text(file, rp::prov_qmap_hash, qmap_group_hash(file, rp::qmap.path));
    put_inputs(file, stat_inputs(options.files));
}

std::string write_file(const std::vector<Repeat>& kept,
                       const AverageReport& report,
                       const AverageOptions& options,
                       const std::string& started) {
    prepare_output_directory(options.output);
    const std::string stem = average_stem(options.files) + rp::result_ending;
    ClaimedFile hidden(options.output);
    h5::File file = h5::create_file_over(hidden.path());
    write_average(file.id(), kept, report.files, options);
    write_origin(file.id(), options, started);
    write_nexus_view(file.id());
    mark_complete(file.id());
    h5::flush(file);
    file.close();
    return publish_result(hidden, options.output, stem, options.overwrite);
}

/// Data set name of a result file.
std::string data_set(const std::string& path) {
    std::string name = fs::path(path).stem().string();
    const std::string ending = rp::result_ending;
    const std::size_t at = name.rfind(ending);
    // Also ..._results_1
    if (at != std::string::npos &&
        name.find_first_not_of("_0123456789", at + ending.size()) == std::string::npos) {
        name.resize(at);
    }
    return name;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

std::size_t AverageReport::n_kept() const {
    return static_cast<std::size_t>(
        std::count_if(files.begin(), files.end(), [](const auto& f) { return f.verdict.kept; }));
}

std::string average_stem(const std::vector<std::string>& paths) {
    const std::string first = data_set(paths.front());
    std::size_t common = first.size();
    for (const std::string& path : paths) {
        const std::string name = data_set(path);
        const auto end = std::mismatch(
            first.begin(),
            first.begin() + static_cast<std::ptrdiff_t>(std::min(common, name.size())),
            name.begin());
        common = static_cast<std::size_t>(end.first - first.begin());
    }
    while (common > 0 && is_digit(first[common - 1])) {
        --common;
    }
    std::string base = first.substr(0, common);
    const auto rest = [&](const std::string& path) {
        const std::string text = data_set(path).substr(common);
        return text.empty() ? std::string() : "_" + text;
    };
    const std::string tail = rest(paths.front()) + rest(paths.back());
    base.erase(base.find_last_not_of('_') + 1);
    return "Average" + (base.empty() ? std::string() : "_" + base) + tail;
}

AverageReport average(const AverageOptions& options) {
    if (options.files.size() < 2) {
        throw Error(ExitCode::usage,
                    "average: " + std::to_string(options.files.size()) +
                        " results given, at least 2 are needed");
    }
    std::set<std::string> seen;
    for (const std::string& path : options.files) {
        if (!seen.insert(path).second) {
            throw Error(ExitCode::usage, "average: '" + printable(path) + "' is given twice");
        }
    }
    const std::string started = utc_text(std::time(nullptr));
    std::vector<Repeat> repeats = read_repeats(options.files);
    AverageReport report = judged(repeats, options);
    std::vector<Repeat> kept;
    for (std::size_t k = 0; k < repeats.size(); ++k) {
        if (report.files[k].verdict.kept) kept.push_back(std::move(repeats[k]));
    }
    report.result = write_file(kept, report, options, started);
    return report;
}

std::string to_text(const AverageReport& report) {
    const auto number = [](double value) {
        return std::isfinite(value) ? fmt::format("{:.3f}", value) : std::string("-");
    };
    std::string out = fmt::format("{:<8}{:>8}{:>10}{:>8}{:>10}{:>8}  {}\n",
                                  "",
                                  "shape",
                                  "contrast",
                                  "z",
                                  "offset",
                                  "z",
                                  "file");
    for (const AveragedFile& file : report.files) {
        const RepeatVerdict& v = file.verdict;
        out += fmt::format("{:<8}{:>8}{:>10}{:>8}{:>10}{:>8}  {}{}\n",
                           v.kept ? "kept" : "dropped",
                           number(v.shape),
                           number(v.amplitude),
                           number(v.z_amplitude),
                           std::isfinite(v.offset) ? fmt::format("{:.2g}", v.offset) : "-",
                           number(v.z_offset),
                           printable(file.path),
                           v.kept ? "" : ": " + v.reason);
    }
    out += fmt::format("{} of {} results averaged\n", report.n_kept(), report.files.size());
    return out;
}

}  // namespace xpcs
