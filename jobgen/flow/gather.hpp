// SPDX-License-Identifier: BSD-3-Clause
// What is published of a data set: the record for the search index with every file, its checksums
// and links, and the transfer that brings the files there.
#pragma once

#include "jobgen/json.hpp"

#include <string>

namespace xpcs::jobgen::flow {

/// `request` as the flow's input has it under `gather`; `now` is a UTC time, ISO 8601 with Z.
/// Returns {"search": ..., "transfer": ...}. Throws Error (no_input, data, usage).
Json gather(const Json& request, const std::string& now);

/// Type of a file by its name, else by its first bytes.
std::string mime_type(const std::string& path);

/// Now, UTC, with microseconds: 2025-01-02T03:04:05.678901Z
std::string utc_now();

}  // namespace xpcs::jobgen::flow
