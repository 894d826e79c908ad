// SPDX-License-Identifier: BSD-3-Clause
// PNG pictures of a report, drawn by gnuplot, under the names that portals look for.
//
//   scattering_pattern_log.png       image (logarithm, cropped to the used pixels) and q-map
//   total_intensity_vs_time.png      segments of I(q), and intensity against time
//   NAME_intensity.png               I(q)
//   NAME_intensity_t.png             intensity against time
//   NAME_g2_corr_000_008.png ...     g2 of nine bins each, with errors and fit; two-time maps go on
//                                    with the numbers
//   NAME_corr_params.png             relaxation time with power law, contrast
#pragma once

#include "portal/report_data.hpp"

#include <string>
#include <vector>

namespace xpcs::portal {

/// Writes the pictures into `directory`, data files of gnuplot into `scratch`. Returns the names.
/// Throws Error: unavailable (no gnuplot), internal (gnuplot failed).
std::vector<std::string>
draw_pictures(const ReportData& report, const std::string& directory, const std::string& scratch);

}  // namespace xpcs::portal
