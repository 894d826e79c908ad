// SPDX-License-Identifier: BSD-3-Clause
// Fits of every dynamic bin of a result, as a table.
#pragma once

#include "host/fit.hpp"
#include "host/result_reader.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace xpcs {

enum class FitModel { single, double_ };
const char* to_text(FitModel model);       ///< "single", "double"
std::size_t n_parameters(FitModel model);  ///< 4, 7
/// "contrast", "tau", "exponent", "baseline", "tau2", "exponent2", "fraction".
const std::array<std::string, 7>& parameter_keys();

struct FitRequest {
    FitModel model = FitModel::single;
    DoubleFitOptions options;         ///< bounds; the single model uses the first four
    std::optional<double> diffusion;  ///< see fit_result
    double q_low = 0;                 ///< the power law uses bins of q_low <= q <= q_high
    double q_high = std::numeric_limits<double>::infinity();
};

struct BinFit {
    std::int64_t label = 0;  ///< dynamic label, from 1
    double q = 0;            ///< centre along the first map axis
    double phi = 0;          ///< along the second
    FitResult fit;
    double expected_tau_s = 0;  ///< 1 / (D q^2), NaN if no D was given
};

struct FitTable {
    std::vector<BinFit> bins;
    FitResult power_law;                    ///< tau = a q^b of the bins that were fitted
    std::array<std::string, 2> axis_names;  ///< "q", "phi"
    std::array<std::string, 2> axis_units;
    std::string time_unit = "s";  ///< "frames" if the result knows no frame time
    bool stretched = false;       ///< the exponent was fitted, not fixed
    FitModel model = FitModel::single;
    DoubleFitOptions options;  ///< bounds that were asked for
    double q_low = 0;          ///< of the power law
    double q_high = std::numeric_limits<double>::infinity();
};

/// Bounds in the order of the parameters of the model.
std::vector<FitBounds> bounds_of(FitModel model, const DoubleFitOptions& options);
/// g2 of a fit at delay t.
double model_value(FitModel model, double t, const FitResult& fit);
/// Delays of the one-time correlation in the table's time unit.
std::vector<double> fit_delays(const ResultData& data);
/// Bins, axes and units of a result, not fitted yet.
FitTable empty_table(const ResultData& data, FitModel model);

/// Fits every column of g2. `diffusion` in square of the inverse q unit per second (Å²/s):
/// relaxation times are expected at 1/(D q^2), as g2 = a exp(-2 t/b) + d has it. Throws Error
/// (data) if the result has no one-time correlation.
FitTable fit_result(const ResultData& data, const FitRequest& request);
/// The single model, with the exponent fixed to 1 or free between 0.5 and 2.
FitTable fit_result(const ResultData& data, std::optional<double> diffusion, bool stretched);

/// Columns for people.
std::string to_text(const FitTable& table);
/// The same with full precision, one line per bin; text fields quoted.
std::string to_csv(const FitTable& table);

}  // namespace xpcs
