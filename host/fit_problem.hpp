// SPDX-License-Identifier: BSD-3-Clause
// Weighted least squares with bounded parameters (Levenberg-Marquardt of cminpack).
#pragma once

#include "host/fit.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace xpcs::fitting {

struct Point {
    double x, y, err;
};

/// A least-squares problem: free parameters, bounded ones seen through a sine.
struct Problem {
    std::vector<Point> points;
    std::vector<FitBounds> bounds;  ///< of every parameter; lower > upper: unbounded
    std::vector<double> fixed;      ///< value of every parameter that is not free
    std::vector<std::size_t> free;  ///< indices of those that are
    std::function<double(double, const std::vector<double>&)> model;

    double inner(std::size_t parameter, double value) const {
        const FitBounds& b = bounds[parameter];
        if (b.lower > b.upper) {
            return value;
        }
        const double unit = 2 * (value - b.lower) / (b.upper - b.lower) - 1;
        return std::asin(std::clamp(unit, -0.999, 0.999));  // off the bound: the slope is 0 there
    }
    double outer(std::size_t parameter, double inner_value) const {
        const FitBounds& b = bounds[parameter];
        if (b.lower > b.upper) {
            return inner_value;
        }
        return b.lower + (b.upper - b.lower) * (std::sin(inner_value) + 1) / 2;
    }
    std::vector<double> parameters(const double* inner_values) const {
        std::vector<double> all = fixed;
        for (std::size_t i = 0; i < free.size(); ++i) {
            all[free[i]] = outer(free[i], inner_values[i]);
        }
        return all;
    }
    double residual(std::size_t i, const std::vector<double>& all) const {
        const double r = (points[i].y - model(points[i].x, all)) / points[i].err;
        return std::isfinite(r) ? r : 1e30;
    }
    double chi2(const std::vector<double>& all) const {
        double sum = 0;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const double r = residual(i, all);
            sum += r * r;
        }
        return sum;
    }
};

/// Minimises from `start` (outer values of all parameters). False if the minimiser gave up.
bool minimise(Problem& problem, const std::vector<double>& start, std::vector<double>& found);

/// The best of several starts; false if none converged.
bool best_of(Problem& problem,
             const std::vector<std::vector<double>>& starts,
             std::vector<double>& best,
             double& best_chi2);

/// Standard deviations of the free parameters at `all`; false if they cannot be told apart.
bool standard_errors(const Problem& problem,
                     const std::vector<double>& all,
                     double chi2,
                     std::vector<double>& errors);

/// Parameters whose bounds are equal are fixed, the others free.
void set_free(Problem& problem);

/// Index of a free parameter that ended at a bound, or npos; `upper` says which bound.
std::size_t
parameter_at_bound(const Problem& problem, const std::vector<double>& found, bool& upper);

/// Finite points; an error that is not finite or <= 1e-6 becomes the mean of the others, or 1.
std::vector<Point> usable_points(const std::vector<double>& x,
                                 const std::vector<double>& y,
                                 const std::vector<double>& err);

/// Mean of y of points [first, last), weighted with 1 / err^2.
double weighted_mean(const std::vector<Point>& points, std::size_t first, std::size_t last);

/// A result that is not to be used: no errors, `reason`.
FitResult failed(FitResult result, const std::string& reason);

}  // namespace xpcs::fitting
