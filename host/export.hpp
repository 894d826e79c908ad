// SPDX-License-Identifier: BSD-3-Clause
// Results for other programs, and results of the older /exchange layout brought to ours.
#pragma once

#include <string>
#include <vector>

namespace xpcs {

enum class ExportFormat {
    csv,       ///< tables as text
    exchange,  ///< the /exchange layout used until 2024
    nxxpcs,    ///< one entry after the NeXus application definition NXxpcs
    xpcs       ///< our own layout, from an /exchange file
};

struct ExportOptions {
    std::string input;
    std::string output;
    ExportFormat format = ExportFormat::csv;
    std::string table;  ///< csv: the only table wanted; "" = all
    bool overwrite = false;
};

/// Writes the new file, which appears complete or not at all, and returns what is lost or was made
/// up, one line each. Throws Error: no_input and data (input), usage (input is the output; a table
/// that the result does not have), cannot_create, io.
std::vector<std::string> export_result(const ExportOptions& options);

}  // namespace xpcs
