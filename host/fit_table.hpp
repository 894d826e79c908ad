// SPDX-License-Identifier: BSD-3-Clause
// Fits of every dynamic bin of a result, as a table.
#pragma once

#include "host/fit.hpp"
#include "host/result_reader.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xpcs {

struct BinFit {
    std::int64_t label = 0;     ///< dynamic label, from 1
    double q = 0;               ///< centre along the first map axis
    double phi = 0;             ///< along the second
    FitResult fit;              ///< single model
    double expected_tau_s = 0;  ///< 1 / (D q^2), NaN if no D was given
};

struct FitTable {
    std::vector<BinFit> bins;
    FitResult power_law;        ///< tau = a q^b of the bins that were fitted
    std::string axis_names[2];  ///< "q", "phi"
    std::string axis_units[2];
    std::string time_unit = "s";  ///< "frames" if the result knows no frame time
    bool stretched = false;       ///< the exponent was fitted, not fixed to 1
};

/// Fits every column of g2. `diffusion` in square of the inverse q unit per second (Å²/s):
/// relaxation times are expected at 1/(D q^2), as g2 = a exp(-2 t/b) + d has it. Throws Error
/// (data) if the result has no one-time correlation.
FitTable fit_result(const ResultData& data, std::optional<double> diffusion, bool stretched);

/// Columns for people.
std::string to_text(const FitTable& table);
/// The same with full precision, one line per bin; text fields quoted.
std::string to_csv(const FitTable& table);

}  // namespace xpcs
