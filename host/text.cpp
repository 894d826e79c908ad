// SPDX-License-Identifier: BSD-3-Clause
#include "host/text.hpp"

#include <algorithm>
#include <cstdio>
#include <numeric>

namespace xpcs {

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row.back();
}

bool is_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// Bytes of the UTF-8 character at the front, 0 if there is none (overlong and surrogate forms too).
std::size_t utf8_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) {
        return 1;
    }
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if (!is_continuation(text[i])) {
            return 0;
        }
    }
    const auto second = static_cast<unsigned char>(text[1]);
    const bool wrong = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                       (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
    return wrong ? 0 : length;
}

// What moves the cursor or turns the text around: C0, DEL, C1 (U+0080-9F), U+2028-202E,
// U+2066-2069.
bool is_control(std::string_view one) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(one[i]); };
    if (one.size() == 1) {
        return byte(0) < 0x20 || byte(0) == 0x7F;
    }
    if (one.size() == 2) {
        return byte(0) == 0xC2 && byte(1) < 0xA0;
    }
    return one.size() == 3 && byte(0) == 0xE2 &&
           ((byte(1) == 0x80 && byte(2) >= 0xA8 && byte(2) <= 0xAE) ||
            (byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9));
}

std::string escaped(char c) {
    switch (c) {
    case '\n':
        return "\\n";
    case '\t':
        return "\\t";
    case '\r':
        return "\\r";
    default:
        break;
    }
    char code[5];
    std::snprintf(
        code, sizeof code, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    return code;
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto& candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
    const std::string found = nearest(word, candidates);
    return found.empty() ? "" : " (did you mean '" + found + "'?)";
}

std::string printable(std::string_view text, std::size_t limit) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        if (out.size() >= limit) {
            out += "...";
            break;
        }
        const std::size_t length = utf8_length(text.substr(at));
        const std::string_view one = text.substr(at, std::max<std::size_t>(length, 1));
        if (length > 0 && !is_control(one)) {
            out += one;
        } else {
            for (const char c : one) {
                out += escaped(c);
            }
        }
        at += one.size();
    }
    return out;
}

}  // namespace xpcs
