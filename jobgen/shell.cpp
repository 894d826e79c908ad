// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/shell.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>

namespace xpcs::jobgen::shell {

namespace {

bool is_ascii_word(unsigned char c) {
    return c < 128 && (std::isalnum(c) || c == '_' || c == '.' || c == '-' || c == '+');
}

bool is_control(unsigned char c) {
    return c < 0x20 || c == 0x7F;
}

}  // namespace

std::string quote(const std::string& text) {
    if (text.find('\0') != std::string::npos) {
        throw Error(ExitCode::usage,
                    "'" + printable(text) + "' holds a zero byte, which no argument can");
    }
    const auto plain = [](unsigned char c) {
        return is_ascii_word(c) || c == '/' || c == '=' || c == ':' || c == '@' || c == '%';
    };
    // A leading '=' or '%' would be plain too, but nobody writes one; a '~' is never plain.
    if (!text.empty() && text[0] != '=' && std::all_of(text.begin(), text.end(), plain)) {
        return text;
    }
    // The escaped form also shows at a glance that a $ or ` in a name is not meant.
    const bool controls = std::any_of(text.begin(), text.end(), [](unsigned char c) {
        return is_control(c) || c == '$' || c == '`';
    });
    std::string out = controls ? "$'" : "'";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (controls && is_control(byte)) {
            char code[8];
            // Three octal digits: unlike \x, they end where they end.
            std::snprintf(code, sizeof code, "\\%03o", static_cast<unsigned>(byte));
            out += code;
        } else if (controls && (c == '\'' || c == '\\')) {
            out += '\\';
            out += c;
        } else if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}

std::string quote(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) {
        out += (out.empty() ? "" : " ") + quote(word);
    }
    return out;
}

std::string comment(const std::string& text) {
    return "# " + printable(text, 100'000) + "\n";
}

std::string safe_name(const std::string& text, std::size_t limit) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        // Bytes after the first of a UTF-8 character vanish, so that each becomes one '_'.
        if ((byte & 0xC0) == 0x80) {
            continue;
        }
        out += is_ascii_word(byte) ? c : '_';
    }
    if (out.empty() || !std::isalpha(static_cast<unsigned char>(out[0]))) {
        out.insert(out.begin(), 'x');
    }
    return out.substr(0, limit);
}

bool is_plain_path(const std::string& path) {
    return !path.empty() && path[0] != '-' &&
           std::all_of(path.begin(), path.end(), [](unsigned char c) {
               return is_ascii_word(c) || c == '/' || c == '=';
           });
}

}  // namespace xpcs::jobgen::shell
