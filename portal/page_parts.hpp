// SPDX-License-Identifier: BSD-3-Clause
// Small pieces of forms that several pages have.
#pragma once

#include "portal/html.hpp"

#include <fmt/format.h>

#include <string>

namespace xpcs::portal {

inline std::string
option(const std::string& value, const std::string& shown, const std::string& chosen) {
    return fmt::format("<option value=\"{}\"{}>{}</option>",
                       escape(value),
                       value == chosen ? " selected" : "",
                       escape(shown));
}

inline std::string hidden(const std::string& name, const std::string& value) {
    return fmt::format(
        "<input type=\"hidden\" name=\"{}\" value=\"{}\">", escape(name), escape(value));
}

}  // namespace xpcs::portal
