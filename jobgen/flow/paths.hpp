// SPDX-License-Identifier: BSD-3-Clause
// Where things lie: paths on disk and in collections, run cycles, and the staging layout.
#pragma once

#include "jobgen/deployment.hpp"

#include <string>
#include <vector>

namespace xpcs::jobgen::flow {

/// Path in a collection of a path on disk: "/" + the part below the base. "/" for the base itself.
/// Throws Error (usage): relative, outside the collection, or with "..".
std::string to_collection(const Collection& collection, const std::string& posix);

/// The way back. Throws Error (usage): not beginning with '/', or with "..".
std::string to_posix(const Collection& collection, const std::string& path);

/// "2024-3" from a raw path: the first directory below one of `prefixes`. Throws Error (usage) when
/// there is none: year 2015 to 2049, number 1 to 3.
std::string cycle_of(const std::string& raw, const std::vector<std::string>& prefixes);

/// A cycle as given with --cycle: one path component, YYYY-N. Throws Error (usage).
std::string checked_cycle(const std::string& cycle);

/// Leading ASCII letters of an experiment's name ("comm202410" -> "comm"); unchanged without any.
std::string experiment_letters(const std::string& experiment);

/// Everything that belongs to one data set. `..._path` are paths in collections, the rest on disk.
struct Layout {
    std::string dataset;      ///< name up to the first dot, or the stem
    std::string staging_dir;  ///< staging_dir/experiment/dataset
    std::string raw_source_path, raw_destination_path, raw;  ///< directory, directory, file
    std::string qmap_source_path, qmap_destination_path, qmap;
    std::string output;  ///< staging_dir/output/q-map name/dataset
    std::string output_path;
    std::string back_path;     ///< "" without transfer back
    std::string publish_path;  ///< publish_base/cycle/experiment/q-map name
    std::string metadata;      ///< resources/<dataset>_results/metadata.json
};

struct LayoutRequest {
    std::string raw, qmap, experiment, cycle, back, suffix, user;
};

/// Throws Error (usage) naming the path that lies outside its collection, an empty data set name or
/// an experiment that leaves the staging directory.
Layout layout(const Site& site, const Deployment& deployment, const LayoutRequest& request);

}  // namespace xpcs::jobgen::flow
