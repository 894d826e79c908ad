// SPDX-License-Identifier: BSD-3-Clause
#include "portal/report.hpp"

#include "host/atomic_file.hpp"
#include "host/errors.hpp"
#include "host/text.hpp"
#include "host/version.hpp"
#include "portal/assets.hpp"
#include "portal/html.hpp"
#include "portal/pictures.hpp"
#include "portal/report_json.hpp"
#include "portal/scratch.hpp"
#include "portal/stopping.hpp"
#include "portal/tables.hpp"
#include "portal/tiff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>

namespace xpcs::portal {

namespace {

namespace fs = std::filesystem;

void make_directory(const std::string& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error || !fs::is_directory(path)) {
        throw Error(ExitCode::cannot_create,
                    "'" + printable(path) + "': directory cannot be made: " + error.message());
    }
}

std::string text_of(const std::vector<NamedValue>& values, const std::string& path) {
    for (const NamedValue& value : values) {
        if (value.path == path) {
            return xpcs::to_text(value.value) + (value.units.empty() ? "" : " " + value.units);
        }
    }
    return "";
}

/// "20 µs"
std::string time_text(double seconds) {
    static const std::pair<double, const char*> units[] = {
        {1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}, {1e-9, "ns"}};
    for (const auto& [size, name] : units) {
        if (seconds >= 0.999999 * size) {
            return fmt::format("{:.4g} {}", seconds / size, name);
        }
    }
    return fmt::format("{:.4g} s", seconds);
}

/// The pictures again under the names of older portals, in figs/: hard links where the file system
/// has them, else copies.
void add_older_names(const std::string& directory,
                     const std::vector<std::string>& pictures,
                     std::size_t grids_of_g2) {
    std::vector<std::pair<std::string, std::string>> names{
        {"scattering_pattern_log.png", "saxs_mask.png"},
        {"total_intensity_vs_time.png", "stability.png"}};
    std::size_t grid = 0;
    for (const std::string& name : pictures) {
        if (name.find("_g2_corr_") == std::string::npos ||
            name.find("_g2_corr_fit_") != std::string::npos) {
            continue;
        }
        const bool g2 = grid < grids_of_g2;  // two-time maps come after them
        names.emplace_back(
            name, fmt::format("{}_{:04d}.png", g2 ? "g2" : "c2", g2 ? grid : grid - grids_of_g2));
        ++grid;
    }
    make_directory(directory + "/figs");
    for (const auto& [name, older] : names) {
        const fs::path from = fs::path(directory) / name, to = fs::path(directory) / "figs" / older;
        std::error_code error;
        fs::remove(to, error);
        if (!fs::exists(from, error)) {
            continue;
        }
        fs::create_hard_link(from, to, error);
        if (error) {
            fs::copy_file(from, to, error);
        }
        if (error) {
            throw Error(ExitCode::cannot_create,
                        "'" + printable(to.string()) + "': " + error.message());
        }
    }
}

Html facts(const ReportData& report) {
    const ResultData& result = report.result;
    std::string out;
    const auto fact = [&](const std::string& name, const std::string& value) {
        if (!value.empty()) {
            out += "<div><dt>" + escape(name) + "</dt><dd>" + escape(printable(value, 120)) +
                   "</dd></div>\n";
        }
    };
    std::string types;
    for (const std::string& type : result.analysis_types) {
        types += (types.empty() ? "" : ", ") + type;
    }
    fact("Analysis", types);
    fact("Start", result.start_time.substr(0, 19));
    fact("Sample", text_of(report.entry, "sample/short_description"));
    fact("Frames", result.intensity.empty() ? "" : std::to_string(result.intensity.size()));
    fact("Frame time", result.frame_time_known ? time_text(result.frame_time_s) : "unknown");
    fact("Detector",
         result.rows > 0 ? fmt::format("{} × {} px", result.rows, result.cols) : std::string());
    const double energy = result.qmap.energy_keV;
    fact("Energy", energy > 0 ? fmt::format("{:.4g} keV", energy) : "");
    fact("Bins",
         fmt::format("{} dynamic, {} static", result.qmap.n_dynamic(), result.qmap.n_static()));
    fact("Raw file", fs::path(result.rawdata_path).filename().string());
    fact("Program",
         result.program.empty() ? (result.layout == "exchange" ? "older layout (/exchange)" : "")
                                : result.program + " " + result.version);
    return {out};
}

Html findings_html(const ReportData& report) {
    if (report.findings.empty()) {
        return {"<p class=\"finding good\"><strong>Nothing conspicuous.</strong> Counts, "
                "intensity and what could be fitted look sound.</p>"};
    }
    std::string out;
    for (const Finding& finding : report.findings) {
        const char* kind = finding.severity == Severity::serious   ? "serious"
                           : finding.severity == Severity::warning ? "warning"
                                                                   : "note";
        out += fmt::format("<p class=\"finding {}\"><strong>{}.</strong> {}</p>\n",
                           kind,
                           escape(finding.title),
                           escape(finding.text));
    }
    return {out};
}

}  // namespace

std::string report_page(const ReportData& report, const std::string& created) {
    TemplateValues values;
    values.text("name", printable(report.name, 200))
        .text("file", printable(report.file, 300))
        .text("created", created)
        .text("version", version())
        .html("facts", facts(report))
        .html("findings", findings_html(report))
        .html("style", {std::string(assets::style())})
        .html("d3", {std::string(assets::d3())})
        .html("chart_script", {std::string(assets::chart_script())})
        .html("report_script", {std::string(assets::report_script())})
        .html("data", {script_safe(dump_text(page_json(report)))});
    return fill_template(assets::report_template(), values);
}

namespace {

/// Directories for a report. Those that it made and that nothing came into go away again.
class Directories {
  public:
    explicit Directories(std::vector<std::string> paths) {
        for (std::string& path : paths) {
            const bool there = fs::exists(path);
            make_directory(path);
            if (!there) made_.push_back(std::move(path));
        }
    }
    ~Directories() {
        std::error_code not_empty;
        for (auto path = made_.rbegin(); path != made_.rend(); ++path)
            fs::remove(*path, not_empty);
    }
    Directories(const Directories&) = delete;
    Directories& operator=(const Directories&) = delete;

  private:
    std::vector<std::string> made_;
};

/// data/saxs_2d.tif and data/c2_NUMBER.tif: what the page shows as pictures, as numbers.
void write_images(const ReportData& report, const std::string& data) {
    if (!report.image.empty()) {
        write_tiff(
            data + "/saxs_2d.tif", report.image.rows, report.image.cols, report.image.values);
    }
    for (const ReportMap& map : report.two_time) {
        heed_signals();
        write_tiff(fmt::format("{}/c2_{:04d}.tif", data, map.index),
                   map.values.rows,
                   map.values.cols,
                   map.values.values);
    }
}

void write_tables(const ReportData& report, const std::string& data) {
    for (const auto& [name, content] : csv_tables(report)) {
        heed_signals();
        write_file_atomically(data + "/" + name, content);
    }
}

/// Gives every file of the directory its name in the other one, in order of the names.
void move_files(const fs::path& from, const fs::path& to) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(from))
        files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
        const fs::path target = to / file.filename();
        std::error_code error;
        fs::rename(file, target, error);
        if (error) {
            throw Error(ExitCode::cannot_create,
                        "'" + printable(target.string()) + "': " + error.message());
        }
    }
}

}  // namespace

ReportFiles write_report(const ReportOptions& options) {
    const auto begin = std::chrono::steady_clock::now();
    const ReportData report = gather(options.result, options.stretched);
    heed_signals();
    const Directories directories({options.directory, options.directory + "/data"});
    ReportFiles files;
    files.findings = report.findings;
    // Everything is made in hidden places first. Until all is there a signal or a full disk leaves
    // an older report as it was; then it takes a moment to give the names.
    const Scratch scratch(options.directory);
    const std::string pictures = scratch.path() + "/pictures", data = scratch.path() + "/data",
                      documents = scratch.path() + "/documents";
    for (const std::string& path : {pictures, data, documents})
        make_directory(path);
    if (options.pictures) {
        files.pictures = draw_pictures(report, pictures, scratch.path());
    }
    write_tables(report, data);
    write_images(report, data);
    const std::string created = utc_now();
    write_file_atomically(documents + "/summary.html", report_page(report, created));
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    write_file_atomically(documents + "/metadata.json",
                          dump_text(metadata_json(report, created, seconds), 2) + "\n");
    heed_signals();
    move_files(data, options.directory + "/data");
    move_files(pictures, options.directory);
    move_files(documents, options.directory);
    if (options.pictures) {
        const auto bins = static_cast<std::size_t>(report.result.one_time.g2.cols);
        add_older_names(options.directory, files.pictures, (bins + 8) / 9);
    }
    files.metadata = options.directory + "/metadata.json";
    files.page = options.directory + "/summary.html";
    return files;
}

}  // namespace xpcs::portal
