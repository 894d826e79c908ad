// SPDX-License-Identifier: BSD-3-Clause
// A result as tables of text (RFC 4180 with comment lines, lines end with \n).
#pragma once

#include "host/result_reader.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace xpcs {

/// A field as it stands in a line: quoted where it has to be, quotes doubled.
std::string csv_field(const std::string& text);

/// The shortest text that reads back as the same number; a value that a float32 holds is written as
/// one. Empty for NaN.
std::string csv_number(double value);

/// Tables that this result has, of g2, g2_partial, twotime_g2, saxs_1d, saxs_1d_segments,
/// intensity, fit_single, fit_double.
std::vector<std::string> csv_tables(const ResultData& data);

/// Calls `write` with pieces of the text of one table: comment lines that name file, meaning and
/// units, a line of names, and the rows.
using TextSink = std::function<void(std::string_view)>;
void write_csv_table(const ResultData& data, const std::string& table, const TextSink& write);

}  // namespace xpcs
