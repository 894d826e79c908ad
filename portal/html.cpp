// SPDX-License-Identifier: BSD-3-Clause
#include "portal/html.hpp"

#include "host/errors.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace xpcs::portal {

namespace {

/// Valid UTF-8: what is not becomes U+FFFD. The JSON library does the decoding.
std::string valid_utf8(std::string_view text) {
    // Nearly every text is plain; looking is far cheaper than decoding.
    if (std::all_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x80; })) {
        return std::string(text);
    }
    const std::string quoted = nlohmann::json(std::string(text))
                                   .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return nlohmann::json::parse(quoted).get<std::string>();
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
        text.replace(at, from.size(), to);
    }
}

}  // namespace

std::string escape(std::string_view text) {
    std::string out;
    for (const char c : valid_utf8(text)) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        case '\'':
            out += "&#39;";
            break;
        default:
            if ((static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n') || c == 0x7f) {
                out += "\xEF\xBF\xBD";
            } else {
                out += c;
            }
        }
    }
    return out;
}

std::string script_safe(std::string_view text) {
    std::string out(text);
    replace_all(out, "<", "\\u003c");
    replace_all(out, "\xE2\x80\xA8", "\\u2028");
    replace_all(out, "\xE2\x80\xA9", "\\u2029");
    return out;
}

TemplateValues& TemplateValues::text(const std::string& name, std::string_view value) {
    values_[name] = escape(value);
    return *this;
}

TemplateValues& TemplateValues::html(const std::string& name, Html value) {
    values_[name] = std::move(value.text);
    return *this;
}

const std::string& TemplateValues::at(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) {
        throw Error(ExitCode::internal, "template: no value for '" + name + "'");
    }
    return found->second;
}

std::string fill_template(std::string_view text, const TemplateValues& values) {
    std::string out;
    std::size_t at = 0;
    while (true) {
        const std::size_t open = text.find("{{", at);
        const std::size_t close = open == text.npos ? text.npos : text.find("}}", open);
        if (close == text.npos) {
            out += text.substr(at);
            return out;
        }
        out += text.substr(at, open - at);
        out += values.at(std::string(text.substr(open + 2, close - open - 2)));
        at = close + 2;
    }
}

}  // namespace xpcs::portal
