// SPDX-License-Identifier: BSD-3-Clause
// JSON that keeps the order of its keys, and reading that does not trust what it reads.
#pragma once

#include <nlohmann/json.hpp>

#include <string>

namespace xpcs::jobgen {

using Json = nlohmann::ordered_json;

/// Throws Error (data) naming the file. Bytes that are no UTF-8 become '?'.
Json parse_json(const std::string& text, const std::string& file);

/// Two blanks of indentation; -1: one line. Never throws for odd bytes.
std::string dump(const Json& json, int indent = 2);

/// Member `key` as text, "" if it is absent or something else.
std::string text_at(const Json& json, const std::string& key);
/// Member `key` as number, 0 if it is absent or something else.
double number_at(const Json& json, const std::string& key);
bool flag_at(const Json& json, const std::string& key);

}  // namespace xpcs::jobgen
