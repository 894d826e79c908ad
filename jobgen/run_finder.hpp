// SPDX-License-Identifier: BSD-3-Clause
// Which files of a directory are raw data, one per run.
#pragma once

#include <string>
#include <vector>

namespace xpcs::jobgen {

/// Whether a name is that of a raw file that stands for a run: a detector's format, and not the
/// metadata, a result, a q-map, or a further part of a run in several files.
bool is_raw_name(const std::string& name);

/// The one raw file of a data set's directory, chosen by its kind. Throws Error (no_input) when
/// there is none.
std::string raw_in(const std::string& directory);

/// Every run below a directory, sorted; with `pattern` only files whose name matches the glob.
/// Hidden directories and those of results are not entered.
std::vector<std::string> runs_below(const std::string& directory, const std::string& pattern);

/// Paths that match a glob, sorted; a path without wildcards is itself.
std::vector<std::string> matches(const std::string& glob);

}  // namespace xpcs::jobgen
