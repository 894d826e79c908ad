// SPDX-License-Identifier: BSD-3-Clause
#include "portal/assets.hpp"

// The assembler puts the bytes of a file between two symbols.
#define XPCS_EMBED(symbol, file)                                                                   \
    asm(".section .rodata\n"                                                                       \
        ".balign 16\n" #symbol "_begin:\n"                                                         \
        ".incbin \"" file "\"\n" #symbol "_end:\n"                                                 \
        ".byte 0\n"                                                                                \
        ".previous\n");                                                                            \
    extern "C" __attribute__((visibility("hidden"))) const char symbol##_begin[];                  \
    extern "C" __attribute__((visibility("hidden"))) const char symbol##_end[];

XPCS_EMBED(xpcs_asset_d3, XPCS_D3_JS)
XPCS_EMBED(xpcs_asset_chart, XPCS_WEB "chart.js")
XPCS_EMBED(xpcs_asset_report_js, XPCS_WEB "report.js")
XPCS_EMBED(xpcs_asset_style, XPCS_WEB "style.css")
XPCS_EMBED(xpcs_asset_report, XPCS_WEB "report.html")
XPCS_EMBED(xpcs_asset_page, XPCS_WEB "page.html")
XPCS_EMBED(xpcs_asset_portal_js, XPCS_WEB "portal.js")
XPCS_EMBED(xpcs_asset_portal_css, XPCS_WEB "portal.css")
XPCS_EMBED(xpcs_asset_openapi, XPCS_WEB "openapi.json")

namespace xpcs::portal::assets {

namespace {
std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<std::size_t>(end - begin)};
}
}  // namespace

std::string_view d3() {
    return between(xpcs_asset_d3_begin, xpcs_asset_d3_end);
}
std::string_view chart_script() {
    return between(xpcs_asset_chart_begin, xpcs_asset_chart_end);
}
std::string_view report_script() {
    return between(xpcs_asset_report_js_begin, xpcs_asset_report_js_end);
}
std::string_view style() {
    return between(xpcs_asset_style_begin, xpcs_asset_style_end);
}
std::string_view report_template() {
    return between(xpcs_asset_report_begin, xpcs_asset_report_end);
}

std::string_view page_template() {
    return between(xpcs_asset_page_begin, xpcs_asset_page_end);
}
std::string_view portal_script() {
    return between(xpcs_asset_portal_js_begin, xpcs_asset_portal_js_end);
}
std::string_view portal_style() {
    return between(xpcs_asset_portal_css_begin, xpcs_asset_portal_css_end);
}
std::string_view openapi() {
    return between(xpcs_asset_openapi_begin, xpcs_asset_openapi_end);
}

}  // namespace xpcs::portal::assets
