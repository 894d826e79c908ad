// SPDX-License-Identifier: BSD-3-Clause
// The pictures of a report, one function each; for pictures*.cpp only.
#pragma once

#include "portal/gnuplot_script.hpp"

#include <string>

namespace xpcs::portal {

void draw_scattering(Script& script);  ///< scattering_pattern_log.png: image and dynamic bins
void draw_linear(Script& script);      ///< scattering_pattern_lin.png
void draw_curves(Script& script);      ///< I(q) in segments, intensity against time
std::size_t draw_g2(Script& script);   ///< NAME_g2_corr_000_008.png ...; how many
void draw_maps(Script& script, std::size_t);  ///< two-time maps go on with the numbers
void draw_fits(Script& script);               ///< NAME_g2_corr_fit_000_NNN.png: all on one curve
void draw_parameters(Script& script);         ///< NAME_corr_params.png

/// Label of the first axis of the q-map, quoted.
std::string axis_label(const ReportData& report);

}  // namespace xpcs::portal
