// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/json.hpp"

#include "host/errors.hpp"
#include "host/json_depth.hpp"
#include "host/text.hpp"

namespace xpcs::jobgen {

namespace {

/// Length of the UTF-8 character at `at`, 0 if there is none.
std::size_t character(const std::string& text, std::size_t at) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t n = lead < 0x80                   ? 1
                          : lead >= 0xC2 && lead < 0xE0 ? 2
                          : (lead & 0xF0) == 0xE0       ? 3
                          : lead >= 0xF0 && lead < 0xF5 ? 4
                                                        : 0;
    for (std::size_t i = 1; i < n; ++i) {
        if (at + i >= text.size() || (static_cast<unsigned char>(text[at + i]) & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

std::string only_utf8(const std::string& text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t n = character(text, at);
        out += n == 0 ? "?" : text.substr(at, n);
        at += n == 0 ? 1 : n;
    }
    return out;
}

}  // namespace

Json parse_json(const std::string& text, const std::string& file) {
    if (json_is_deeper_than(text)) {
        throw Error(ExitCode::data,
                    printable(file) + ": JSON nested deeper than " + std::to_string(deepest_json) +
                        " levels");
    }
    try {
        return Json::parse(only_utf8(text));
    } catch (const nlohmann::json::exception& error) {
        throw Error(ExitCode::data, printable(file) + ": not JSON: " + printable(error.what()));
    }
}

std::string dump(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string text_at(const Json& json, const std::string& key) {
    if (!json.is_object()) {
        return "";
    }
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

double number_at(const Json& json, const std::string& key) {
    if (!json.is_object()) {
        return 0;
    }
    const auto found = json.find(key);
    return found != json.end() && found->is_number() ? found->get<double>() : 0;
}

bool flag_at(const Json& json, const std::string& key) {
    if (!json.is_object()) {
        return false;
    }
    const auto found = json.find(key);
    return found != json.end() && found->is_boolean() && found->get<bool>();
}

}  // namespace xpcs::jobgen
