// SPDX-License-Identifier: BSD-3-Clause
// G2, IP and IF of every pixel lie in the result, behind a link, or in a file of their own.
#include "host/errors.hpp"
#include "host/result_group.hpp"
#include "host/result_paths.hpp"

#include <filesystem>
#include <system_error>

namespace xpcs {

namespace {

namespace fs = std::filesystem;

constexpr const char* dataset_of_own_file = "/G2IPIF";
constexpr const char* ending_of_own_file = "_G2.hdf";

/// Names a file of its own may have: of the result, and of its data set.
std::vector<std::string> own_files(const std::string& result) {
    const fs::path path(result);
    const std::string stem = path.stem().string();
    std::vector<std::string> names{stem + ending_of_own_file};
    const std::size_t at = stem.rfind(result_path::result_ending);
    if (at != std::string::npos) names.push_back(stem.substr(0, at) + ending_of_own_file);
    for (std::string& name : names)
        name = (path.parent_path() / name).string();
    return names;
}

}  // namespace

DatasetPlace find_unnormalized(hid_t file, const std::string& result) {
    // Inside, or links that lead somewhere: results of 2023 and 2024 had the second or the third.
    for (const char* path : {result_path::unnormalized_G2.path,
                             "/xpcs/multitau/unnormalized_g2",
                             "/exchange/G2IPIF"}) {
        if (h5::is_dataset(file, path)) return {result, path};
    }
    for (const std::string& name : own_files(result)) {
        std::error_code ignored;
        if (!fs::is_regular_file(name, ignored)) continue;
        try {
            const h5::File own = h5::open_file(name);
            if (h5::is_dataset(own.id(), dataset_of_own_file)) return {name, dataset_of_own_file};
        } catch (const Error&) {
            continue;  // something else of that name
        }
    }
    return {};
}

}  // namespace xpcs
