// SPDX-License-Identifier: BSD-3-Clause
#include "host/option_table.hpp"

#include "host/text.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace xpcs {

namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) {
        out += (out.empty() ? "" : ", ") + word;
    }
    return out;
}

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) {
        return static_cast<char>(std::tolower(c));
    });
    return text;
}

[[noreturn]] void refuse(const std::string& text, const OptionSpec& spec) {
    throw BadValue("'" + printable(text, 120) + "' is not allowed; " + spec.allowed());
}

void check_range(double value, const std::string& text, const OptionSpec& spec) {
    const bool low = spec.above_minimum ? !(value > spec.minimum) : !(value >= spec.minimum);
    if (low || !(value <= spec.maximum)) {
        refuse(text, spec);
    }
}

std::string number(double value) {
    return option_text::from_real(value);
}

}  // namespace

std::string OptionSpec::allowed() const {
    if (kind == ValueKind::flag) {
        return "true or false";
    }
    if (kind == ValueKind::boolean) {
        return "0 or 1 (also false, true)";
    }
    if (kind == ValueKind::choice) {
        return "one of " + joined(choices);
    }
    if (kind != ValueKind::integer && kind != ValueKind::real) {
        return "any text";
    }
    std::string out = kind == ValueKind::integer ? "a whole number" : "a number";
    if (std::isfinite(minimum)) {
        out += (above_minimum ? " above " : " of at least ") + number(minimum);
    }
    // The largest int is where a number ends, not a rule worth telling.
    if (std::isfinite(maximum) && maximum != std::numeric_limits<int>::max()) {
        out += (std::isfinite(minimum) ? " and at most " : " of at most ") + number(maximum);
    }
    return unit.empty() ? out : out + " (" + unit + ")";
}

namespace option_text {

bool to_bool(const std::string& text, const OptionSpec& spec) {
    const std::string word = lower(text);
    if (word == "1" || word == "true") {
        return true;
    }
    if (word == "0" || word == "false") {
        return false;
    }
    refuse(text, spec);
}

std::int64_t to_integer(const std::string& text, const OptionSpec& spec) {
    std::int64_t value = 0;
    const char* first = text.data();
    const char* last = first + text.size();
    if (first != last && *first == '+') {
        ++first;
    }
    const auto [end, error] = std::from_chars(first, last, value);
    if (error != std::errc() || end != last) {
        refuse(text, spec);
    }
    check_range(static_cast<double>(value), text, spec);
    return value;
}

double to_real(const std::string& text, const OptionSpec& spec) {
    double value = 0;
    const char* first = text.data();
    const char* last = first + text.size();
    if (first != last && *first == '+') {
        ++first;
    }
    const auto [end, error] = std::from_chars(first, last, value);
    if (error != std::errc() || end != last || !std::isfinite(value)) {
        refuse(text, spec);
    }
    check_range(value, text, spec);
    return value;
}

std::string to_choice(const std::string& text, const OptionSpec& spec) {
    for (const auto& choice : spec.choices) {
        if (lower(choice) == lower(text)) {
            return choice;
        }
    }
    throw BadValue("'" + printable(text, 120) + "' is not known; " + spec.allowed() +
                   did_you_mean(text, spec.choices));
}

std::string from_real(double value) {
    char buffer[64];
    const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
    return error == std::errc() ? std::string(buffer, end) : std::string("nan");
}

}  // namespace option_text

}  // namespace xpcs
