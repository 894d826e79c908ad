// SPDX-License-Identifier: BSD-3-Clause
#include "host/python_json.hpp"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace xpcs::python_json {

namespace {

/// Digits without point, and the power of ten of the first one.
struct Decimal {
    std::string digits;
    int exponent = 0;
};

Decimal shortest(double magnitude) {
    char text[64];
    const auto end =
        std::to_chars(text, text + sizeof text, magnitude, std::chars_format::scientific);
    Decimal decimal;
    const std::string_view written(text, static_cast<std::size_t>(end.ptr - text));
    const std::size_t e = written.find('e');
    for (const char c : written.substr(0, e)) {
        if (c != '.') decimal.digits += c;
    }
    decimal.exponent = std::atoi(std::string(written.substr(e + 1)).c_str());
    return decimal;
}

std::string fixed_layout(const Decimal& decimal) {
    const int n_digits = static_cast<int>(decimal.digits.size());
    if (decimal.exponent < 0) {
        return "0." + std::string(static_cast<std::size_t>(-decimal.exponent - 1), '0') +
               decimal.digits;
    }
    if (decimal.exponent + 1 >= n_digits) {
        return decimal.digits +
               std::string(static_cast<std::size_t>(decimal.exponent + 1 - n_digits), '0') + ".0";
    }
    const auto point = static_cast<std::size_t>(decimal.exponent) + 1;
    return decimal.digits.substr(0, point) + "." + decimal.digits.substr(point);
}

std::string scientific_layout(const Decimal& decimal) {
    std::string text = decimal.digits.substr(0, 1);
    if (decimal.digits.size() > 1) text.append(1, '.').append(decimal.digits, 1);
    char exponent[16];
    std::snprintf(exponent,
                  sizeof exponent,
                  "e%c%02d",
                  decimal.exponent < 0 ? '-' : '+',
                  std::abs(decimal.exponent));
    return text + exponent;
}

struct CodePoint {
    std::uint32_t value = 0;
    std::size_t n_bytes = 0;  // 0: no valid UTF-8 here
};

CodePoint decode(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const unsigned first = byte(0);
    std::size_t n_bytes = 0;
    std::uint32_t value = 0;
    if (first < 0x80) return {first, 1};
    if (first >= 0xC2 && first < 0xE0) {
        n_bytes = 2;
        value = first & 0x1F;
    } else if (first >= 0xE0 && first < 0xF0) {
        n_bytes = 3;
        value = first & 0x0F;
    } else if (first >= 0xF0 && first < 0xF5) {
        n_bytes = 4;
        value = first & 0x07;
    } else {
        return {};
    }
    for (std::size_t i = 1; i < n_bytes; ++i) {
        if ((byte(i) & 0xC0) != 0x80) return {};
        value = value << 6 | (byte(i) & 0x3F);
    }
    const bool overlong = (n_bytes == 3 && value < 0x800) || (n_bytes == 4 && value < 0x10000);
    const bool surrogate = value >= 0xD800 && value < 0xE000;
    if (overlong || surrogate || value > 0x10FFFF) return {};
    return {value, n_bytes};
}

std::string escape(std::uint32_t unit) {
    char text[16];
    std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(unit));
    return text;
}

std::string character(std::uint32_t value) {
    switch (value) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    case '\f':
        return "\\f";
    case '\b':
        return "\\b";
    default:
        break;
    }
    if (value >= 0x20 && value < 0x7F) return std::string(1, static_cast<char>(value));
    if (value < 0x10000) return escape(value);
    const std::uint32_t rest = value - 0x10000;
    return escape(0xD800 + (rest >> 10)) + escape(0xDC00 + (rest & 0x3FF));
}

template <class T, class Text>
std::string joined(const std::vector<T>& values, Text&& text_of) {
    std::string text = "[";
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) text += ", ";
        text += text_of(values[i]);
    }
    return text + "]";
}

}  // namespace

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    const std::string sign = std::signbit(value) ? "-" : "";
    if (std::isinf(value)) return sign + "Infinity";
    const Decimal decimal = shortest(std::abs(value));
    const bool fixed = decimal.exponent >= -4 && decimal.exponent < 16;
    return sign + (fixed ? fixed_layout(decimal) : scientific_layout(decimal));
}

std::string string(std::string_view utf8) {
    std::string text = "\"";
    while (!utf8.empty()) {
        const CodePoint point = decode(utf8);
        if (point.n_bytes == 0) {
            text += escape(0xDC00 + static_cast<unsigned char>(utf8[0]));
            utf8.remove_prefix(1);
        } else {
            text += character(point.value);
            utf8.remove_prefix(point.n_bytes);
        }
    }
    return text + "\"";
}

std::string list(const std::vector<std::int64_t>& values) {
    return joined(values, [](std::int64_t value) { return std::to_string(value); });
}

std::string list(const std::vector<std::string>& values) {
    return joined(values, [](const std::string& value) { return string(value); });
}

}  // namespace xpcs::python_json
