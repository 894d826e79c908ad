// SPDX-License-Identifier: BSD-3-Clause
// Text into pages: everything is escaped unless it says otherwise.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace xpcs::portal {

/// & < > " ' as entities; control characters other than tab and newline as U+FFFD; bytes that are
/// not UTF-8 as U+FFFD.
std::string escape(std::string_view text);

/// JSON text for the inside of a <script> element: no "<", no line separators that end a string.
std::string script_safe(std::string_view text);

/// A piece of HTML that is already escaped.
struct Html {
    std::string text;
};

/// Values of a template. Text is escaped, Html goes in as it is.
class TemplateValues {
  public:
    TemplateValues& text(const std::string& name, std::string_view value);
    TemplateValues& html(const std::string& name, Html value);
    const std::string& at(const std::string& name) const;

  private:
    std::map<std::string, std::string> values_;
};

/// Replaces every {{name}}. Throws Error (internal) for a name without a value.
std::string fill_template(std::string_view text, const TemplateValues& values);

}  // namespace xpcs::portal
