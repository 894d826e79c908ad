// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/run_finder.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <regex>

namespace xpcs::jobgen {

namespace fs = std::filesystem;

bool is_raw_name(const std::string& name) {
    static const std::vector<std::string> ends{
        ".bin", ".bin.000", ".imm", ".h5", ".h5.000", ".hdf", ".hdf5", ".tpx", ".tpx.000"};
    if (name.empty() || name[0] == '.' ||
        std::none_of(ends.begin(), ends.end(), [&](const auto& e) { return name.ends_with(e); })) {
        return false;
    }
    static const std::regex other(
        "(_metadata\\.(hdf|h5)|_results(_[0-9]+)?\\.(hdf|h5)|_data_[0-9]+\\.h5)$|qmap",
        std::regex::icase);
    return !std::regex_search(name, other);
}

namespace {

/// Frames before headers of the same run: a master file beats a plain one, which beats the rest.
int rank(const std::string& name) {
    if (name.find("_master.") != std::string::npos) {
        return 0;
    }
    return name.ends_with(".hdf") ? 2 : 1;
}

}  // namespace

std::string raw_in(const std::string& directory) {
    std::vector<std::pair<int, std::string>> found;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (is_raw_name(name) && !entry.is_directory()) {
            found.emplace_back(rank(name), entry.path().string());
        }
    }
    if (found.empty()) {
        throw Error(ExitCode::no_input, "directory " + printable(directory) + " holds no raw file");
    }
    return std::min_element(found.begin(), found.end())->second;
}

std::vector<std::string> runs_below(const std::string& directory, const std::string& pattern) {
    std::vector<std::string> found;
    std::error_code error;
    auto it = fs::recursive_directory_iterator(
        directory, fs::directory_options::skip_permission_denied, error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
        const std::string name = it->path().filename().string();
        std::error_code gone;  // what vanishes while it is looked at
        if (it->is_directory(gone)) {
            if (name[0] == '.' || name == "resources" || name.ends_with(".job")) {
                it.disable_recursion_pending();
            }
            continue;
        }
        const bool wanted =
            pattern.empty() ? is_raw_name(name) : ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
        if (wanted) {
            found.push_back(it->path().string());
        }
    }
    if (error) {
        throw Error(ExitCode::no_input, printable(directory) + ": " + error.message());
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::vector<std::string> matches(const std::string& pattern) {
    std::error_code error;
    if (fs::exists(pattern, error)) {
        return {pattern};
    }
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) {
        paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    ::globfree(&found);
    return paths;
}

}  // namespace xpcs::jobgen
