// SPDX-License-Identifier: BSD-3-Clause
#include "host/metadata.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <string_view>

namespace xpcs {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view metadata_suffix = "_metadata";
constexpr std::string_view file_suffix = "_metadata.hdf";

/// ".000" of a file in parts
bool is_part_number(const std::string& extension) {
    return extension.size() == 4 && std::all_of(extension.begin() + 1,
                                                extension.end(),
                                                [](unsigned char c) { return std::isdigit(c); });
}

/// "run" of "/data/run.bin.000", "/data/run.h5", "run_metadata.hdf" without its suffix left on
std::string stem_of(const std::string& path) {
    fs::path name = fs::path(path).filename();
    if (is_part_number(name.extension().string()) && name.stem().has_extension()) {
        name = name.stem();
    }
    return name.stem().string();
}

bool has_schema_version(const std::string& path) {
    try {
        const h5::File file = h5::open_file(path);
        return h5::exists(file.id(), "/entry/schema_version");
    } catch (const Error&) {  // whatever it is, it is no candidate
        return false;
    }
}

std::vector<std::string> candidates_in(const fs::path& directory) {
    std::vector<std::string> found;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name.size() < file_suffix.size() || name.front() == '.') continue;
        if (name.compare(name.size() - file_suffix.size(), file_suffix.size(), file_suffix) != 0) {
            continue;
        }
        if (has_schema_version(entry->path().string())) found.push_back(entry->path().string());
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::string listed(const std::vector<std::string>& paths) {
    constexpr std::size_t most = 8;
    std::string text;
    for (std::size_t i = 0; i < std::min(most, paths.size()); ++i) {
        text += (i > 0 ? ", " : "") + printable(fs::path(paths[i]).filename().string());
    }
    if (paths.size() > most) text += " and " + std::to_string(paths.size() - most) + " more";
    return text;
}

class MetadataLoader {
  public:
    explicit MetadataLoader(const std::string& path) : file_(h5::open_file(path)) {
        result_.file = path;
    }

    Metadata load();

  private:
    void warn(const std::string& what) {
        result_.warnings.push_back("metadata " + printable(result_.file) + ": " + what);
    }
    void require_entry() const;
    double number(const std::string& path);
    std::string text(const std::string& path);
    void judge();

    h5::File file_;
    Metadata result_;
};

void MetadataLoader::require_entry() const {
    if (h5::is_group(file_.id(), "/entry")) return;
    const bool legacy =
        h5::exists(file_.id(), "/measurement") || h5::exists(file_.id(), "/hdf_metadata_version");
    throw Error(ExitCode::data,
                "metadata " + printable(result_.file) + ": no group /entry" +
                    (legacy ? " (the layout with /measurement, used until 2024)" : ""));
}

/// NaN if absent or not one number: files of one beamline differ in what they leave out.
double MetadataLoader::number(const std::string& path) {
    if (!h5::exists(file_.id(), path)) return std::nan("");
    try {
        return h5::read_number(file_.id(), path);
    } catch (const Error& error) {
        result_.warnings.push_back(std::string("metadata ") + error.what());
        return std::nan("");
    }
}

std::string MetadataLoader::text(const std::string& path) {
    if (!h5::exists(file_.id(), path)) return "";
    try {
        return h5::read_string(file_.id(), path);
    } catch (const Error& error) {
        result_.warnings.push_back(std::string("metadata ") + error.what());
        return "";
    }
}

/// Values in these files are often placeholders: what cannot be true is said, and kept.
void MetadataLoader::judge() {
    const auto require_range =
        [&](const char* name, double value, double low, double high, const char* unit) {
            if (value == 0 || (value >= low && value <= high)) return;
            warn(std::string(name) + " " + std::to_string(value) + " " + unit +
                 " is not plausible (" + std::to_string(low) + " to " + std::to_string(high) + ")");
        };
    require_range("x_pixel_size", result_.x_pixel_size_m, 1e-6, 1e-3, "m");
    require_range("incident_energy", result_.incident_energy_keV, 1, 200, "keV");
    if (result_.frame_time_s > 0 && result_.count_time_s > result_.frame_time_s * (1 + 1e-6)) {
        warn("count_time " + std::to_string(result_.count_time_s) +
             " s is longer than frame_time " + std::to_string(result_.frame_time_s) + " s");
    }
}

Metadata MetadataLoader::load() {
    require_entry();
    const std::string detector = "/entry/instrument/detector_1/";
    const auto or_zero = [](double value) { return std::isfinite(value) ? value : 0.0; };

    const double frame_time = number(detector + "frame_time");
    result_.frame_time_s = std::isfinite(frame_time) && frame_time > 0 ? frame_time : 0.0;
    if (result_.frame_time_s == 0) {
        const std::string value =
            std::isnan(frame_time) ? "is missing" : "is " + std::to_string(frame_time) + " s";
        warn("frame_time " + value + ", more than 0 is expected; --frame-time gives it");
    }
    result_.count_time_s = or_zero(number(detector + "count_time"));
    result_.x_pixel_size_m = or_zero(number(detector + "x_pixel_size"));
    result_.incident_energy_keV =
        or_zero(number("/entry/instrument/incident_beam/incident_energy"));
    result_.start_time = text("/entry/start_time");
    if (!h5::exists(file_.id(), "/entry/schema_version")) {
        warn("no /entry/schema_version; other programs do not take it for a metadata file");
    }
    judge();
    return std::move(result_);
}

}  // namespace

std::string own_metadata(const std::string& raw) {
    return (fs::path(raw).parent_path() / (stem_of(raw) + std::string(file_suffix))).string();
}

std::string find_metadata(const std::string& raw, const std::string& given) {
    const auto held = h5::lock();
    std::error_code error;
    if (!given.empty()) {
        if (fs::is_regular_file(given, error)) return given;
        throw Error(ExitCode::no_input, "metadata " + printable(given) + ": no such file");
    }
    fs::path directory = fs::path(raw).parent_path();
    std::string own = own_metadata(raw);
    if (fs::is_regular_file(own, error)) return own;
    // A master is one of the files of its run: NAME_metadata.hdf belongs to NAME_master.h5.
    constexpr std::string_view master = "_master";
    const std::string stem = stem_of(raw);
    if (stem.size() > master.size() && stem.ends_with(master)) {
        const std::string run = stem.substr(0, stem.size() - master.size());
        std::string of_run = (directory / (run + std::string(file_suffix))).string();
        if (fs::is_regular_file(of_run, error)) return of_run;
    }

    if (directory.empty()) directory = ".";
    const auto candidates = candidates_in(directory);
    if (candidates.size() == 1) return candidates.front();
    if (candidates.empty()) {
        throw Error(ExitCode::no_input,
                    "metadata of " + printable(raw) + ": neither " + printable(own) +
                        " nor another *_metadata.hdf with /entry/schema_version in its directory; "
                        "--metadata names one, --no-metadata does without");
    }
    throw Error(ExitCode::data,
                "metadata of " + printable(raw) + ": no " + printable(own) + ", and " +
                    std::to_string(candidates.size()) + " candidates: " + listed(candidates) +
                    "; --metadata names one");
}

Metadata load_metadata(const std::string& path) {
    const auto held = h5::lock();
    return MetadataLoader(path).load();
}

std::string result_base(const std::string& metadata_or_raw) {
    std::string base = stem_of(metadata_or_raw);
    const bool has_suffix =
        base.size() > metadata_suffix.size() && base.compare(base.size() - metadata_suffix.size(),
                                                             metadata_suffix.size(),
                                                             metadata_suffix) == 0;
    if (has_suffix) base.erase(base.size() - metadata_suffix.size());
    return base;
}

}  // namespace xpcs
