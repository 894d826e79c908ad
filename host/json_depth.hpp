// SPDX-License-Identifier: BSD-3-Clause
// JSON that somebody else wrote may be nested as deep as it is long, and what walks through it
// goes as deep on the stack.
#pragma once

#include <string_view>

namespace xpcs {

inline constexpr int deepest_json = 200;

/// Whether brackets outside of strings are nested deeper than `most`. For texts that are no JSON
/// the answer means nothing, and costs nothing.
constexpr bool json_is_deeper_than(std::string_view text, int most = deepest_json) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > most) return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

}  // namespace xpcs
