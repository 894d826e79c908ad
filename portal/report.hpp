// SPDX-License-Identifier: BSD-3-Clause
// xpcs-portal report: one result as a page, pictures, tables and metadata.json.
#pragma once

#include "portal/report_data.hpp"

#include <string>
#include <vector>

namespace xpcs::portal {

struct ReportOptions {
    std::string result;
    std::string directory;  ///< made if missing
    bool pictures = true;
    bool stretched = false;  ///< fit the exponent
};

struct ReportFiles {
    std::string page;
    std::vector<std::string> pictures;  ///< names in the directory
    std::string metadata;
    std::vector<Finding> findings;
};

/// Writes DIR/summary.html, *.png, data/*.csv and metadata.json; the page last, so a page that is
/// there has its pictures. Throws what ResultReader throws, and cannot_create, io, unavailable.
ReportFiles write_report(const ReportOptions& options);

/// The self-contained page.
std::string report_page(const ReportData& report, const std::string& created);

}  // namespace xpcs::portal
