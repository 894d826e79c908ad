// SPDX-License-Identifier: BSD-3-Clause
// What a file is, by its content, and what is in it.
#pragma once

#include "host/result_reader.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

struct InspectOptions {
    bool require_result = false;           ///< anything but a complete result is Error (data)
    std::int64_t rows = 512, cols = 1024;  ///< of raw files that do not carry their shape
    std::string dataset;                   ///< HDF5 raw data, "" = the reader's own choice
    double bin_time_s = 1e-6;              ///< raw Timepix4 streams
};

/// One file, described.
struct Inspection {
    std::string file;
    std::string kind;  ///< "raw", "q-map", "metadata", "result", "" if it could not be told
    std::vector<NamedValue> values;
    std::vector<std::string> warnings;
    int code = 0;       ///< exit code for this file, 0 if nothing is wrong
    std::string error;  ///< what is wrong, "" if nothing is
};

/// Never throws for what the file holds: that is in code and error.
Inspection inspect_file(const std::string& path, const InspectOptions& options);

/// A few lines of "name: value unit".
std::string to_text(const Inspection& inspection);

/// A JSON array with one object per file: file, kind, values, units, warnings, code, error.
std::string to_json(const std::vector<Inspection>& inspections);

/// The parts; each fills values and warnings and throws Error.
void inspect_raw(const std::string& path, const InspectOptions& options, Inspection& to);
void inspect_qmap(const std::string& path, Inspection& to);
void inspect_metadata(const std::string& path, Inspection& to);
void inspect_result(const std::string& path, Inspection& to);

}  // namespace xpcs
