// SPDX-License-Identifier: BSD-3-Clause
// Fits of correlation functions by weighted least squares (Levenberg-Marquardt of cminpack).
//
// single: g2(t) = a exp(-2 (t/b)^c) + d with contrast a, relaxation time b, exponent c, baseline d.
// double: g2(t) = a [f exp(-(t/b)^c) + (1 - f) exp(-(t/b2)^c2)]^2 + d; with f = 1 it is the single
// one. power law: tau(q) = a q^b.
//
// Weights are 1/err. Errors of parameters come from the covariance at the minimum, scaled by the
// reduced chi-square (the given errors are relative weights, not absolute). A fit that failed says
// so with a reason; its errors are NaN and its values are not to be used.
#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace xpcs {

struct FitResult {
    std::vector<double> values;  ///< in the order of the model's parameters, fixed ones included
    std::vector<double> errors;  ///< one standard deviation; 0 for a fixed one, NaN if not ok
    bool ok = false;
    std::string reason;                                      ///< why not ok, "" if ok
    double chi2 = std::numeric_limits<double>::quiet_NaN();  ///< sum of (residual / err)^2
    int n_points = 0;                                        ///< points used
    int n_free = 0;                                          ///< parameters fitted
};

/// A parameter moves inside [lower, upper]; lower == upper fixes it.
struct FitBounds {
    double lower = 0;
    double upper = 0;
    bool fixed() const { return lower == upper; }
};

/// Places of the parameters in FitResult::values; the first four are those of fit_single.
enum FitParameter : std::size_t {
    fit_contrast,
    fit_tau,
    fit_exponent,
    fit_baseline,
    fit_tau2,
    fit_exponent2,
    fit_fraction
};
inline constexpr std::array<const char*, 7> fit_parameter_names{"contrast",
                                                                "relaxation time",
                                                                "exponent",
                                                                "baseline",
                                                                "second relaxation time",
                                                                "second exponent",
                                                                "fraction"};

struct SingleFitOptions {
    FitBounds contrast{1e-4, 2.0};
    FitBounds tau_s{0, 0};  ///< {0, 0}: from the delays, t_min / 20 ... 10 t_max
    FitBounds exponent{1.0, 1.0};
    FitBounds baseline{0.9, 1.1};
};

struct DoubleFitOptions : SingleFitOptions {
    FitBounds tau2_s{0, 0};  ///< as tau_s
    FitBounds exponent2{1.0, 1.0};
    FitBounds fraction{0.0, 1.0};
    /// The two relaxations have the same bounds, so that their order is ours to choose.
    bool interchangeable() const {
        return tau_s.lower == tau2_s.lower && tau_s.upper == tau2_s.upper &&
               exponent.lower == exponent2.lower && exponent.upper == exponent2.upper &&
               fraction.lower == 0 && fraction.upper == 1;
    }
};

/// An error of g2 that is not larger is what rounding left of none: where every pixel gives the
/// same g2, as at a lag of a single pair, their scatter is 0.
constexpr double smallest_error = 1e-6;

/// Fits one curve. `delay_s`, `g2` and `g2_err` have one length; points whose delay or g2 is not
/// finite are left out; an error that is not finite or <= smallest_error becomes the mean of the
/// good ones. Not ok: too few points; no decay that stands out of the noise (compared with a
/// constant); a parameter at its bound; contrast or relaxation time less than three of its errors.
FitResult fit_single(const std::vector<double>& delay_s,
                     const std::vector<double>& g2,
                     const std::vector<double>& g2_err,
                     const SingleFitOptions& options = {});

/// The same with two relaxations, the faster one first (where their bounds are equal). Not ok also
/// where one relaxation describes the curve as well, or a free time or the fraction is less than
/// three of its errors.
FitResult fit_double(const std::vector<double>& delay_s,
                     const std::vector<double>& g2,
                     const std::vector<double>& g2_err,
                     const DoubleFitOptions& options = {});

/// g2 of the double model at delay t, parameters in the order of FitParameter.
double double_model(double t, const std::vector<double>& parameters);

/// g2 of the single model at delay t.
double single_model(double t, double contrast, double tau, double exponent, double baseline);

/// Fits tau = a q^b (values a, b); needs three points with q > 0 and tau > 0. Errors as above.
FitResult fit_power_law(const std::vector<double>& q,
                        const std::vector<double>& tau,
                        const std::vector<double>& tau_err);

}  // namespace xpcs
