// SPDX-License-Identifier: BSD-3-Clause
// Fits inside a result file: group /xpcs/fit/single or /xpcs/fit/double, see docs/formats.md.
#pragma once

#include "host/fit_table.hpp"
#include "host/h5.hpp"

#include <optional>
#include <string>

namespace xpcs {

/// Writes the fits into an open result, replacing those of the same model. Throws Error (io).
void write_fit(hid_t file, const FitTable& table, const ResultData& data);

/// The same as a new version of the file `path`, which appears complete or not at all.
/// Throws what RewrittenResult throws.
void store_fit(const std::string& path, const FitTable& table, const ResultData& data);

/// The stored fits of a model; nullopt if there are none, or not for the bins of `data`.
std::optional<FitTable> read_fit(const ResultData& data, FitModel model);

}  // namespace xpcs
