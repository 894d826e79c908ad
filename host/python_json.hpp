// SPDX-License-Identifier: BSD-3-Clause
// JSON text exactly as Python's json.dumps() with its defaults writes it: q-map hashes are taken
// over that text, so every character counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xpcs::python_json {

/// Shortest digits that read back as the same number, in Python's layout: 10.0, 1e-05, 1e+16, NaN.
std::string number(double value);
/// Quoted; everything but printable ASCII as \uXXXX (bytes that are no UTF-8 as \udcXX).
std::string string(std::string_view utf8);
/// "[36, 1]"
std::string list(const std::vector<std::int64_t>& values);
/// "[\"q\", \"phi\"]"
std::string list(const std::vector<std::string>& values);

}  // namespace xpcs::python_json
