// SPDX-License-Identifier: BSD-3-Clause
// CSV files of what a report plots: first line names and units, text fields quoted, empty = NaN.
#pragma once

#include "portal/report_data.hpp"

#include <map>
#include <string>

namespace xpcs::portal {

/// File name -> content: saxs_1d.csv, saxs_1d_stability.csv, intensity.csv, g2.csv, g2_err.csv,
/// qbin_values.csv, fit.csv, c2_g2.csv; those the result has.
std::map<std::string, std::string> csv_tables(const ReportData& report);

/// Quoted where needed; a text that a spreadsheet would take for a formula gets a ' in front.
std::string csv_field(const std::string& text);

}  // namespace xpcs::portal
