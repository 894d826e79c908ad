// SPDX-License-Identifier: BSD-3-Clause
// Files that are part of the program: templates, styles, scripts, the chart library.
#pragma once

#include <string_view>

namespace xpcs::portal::assets {

std::string_view d3();  ///< the distribution's file, with its licence notice or name in front
std::string_view chart_script();
std::string_view report_script();
std::string_view style();
std::string_view report_template();
std::string_view page_template();
std::string_view portal_script();
std::string_view portal_style();
std::string_view openapi();

}  // namespace xpcs::portal::assets
