// SPDX-License-Identifier: BSD-3-Clause
// A report's data for the scripts of its page, and metadata.json for portals.
#pragma once

#include "portal/report_data.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace xpcs::portal {

/// Numbers with six digits, null where not finite.
nlohmann::json page_json(const ReportData& report);

/// The correlation functions alone: delay, time_unit, bins.
nlohmann::json curves_json(const ReportData& report);

/// metadata.json: HDF5 groups as nested objects ("name (units)" where a dataset has units), plus
/// analysis_type, start_time, plot_time, tools and what the fit found. Values that are not finite
/// are left out: JSON has none.
nlohmann::json
metadata_json(const ReportData& report, const std::string& plot_time, double seconds);

/// dump() that replaces bytes that are not UTF-8.
std::string dump_text(const nlohmann::json& json, int indent = -1);

}  // namespace xpcs::portal
