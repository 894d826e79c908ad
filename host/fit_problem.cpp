// SPDX-License-Identifier: BSD-3-Clause
#include "host/fit_problem.hpp"

#include "host/nan.hpp"

#include <cminpack.h>

#include <algorithm>
#include <cmath>

namespace xpcs::fitting {

namespace {

int residuals(void* data, int m, int /*n*/, const double* x, double* out, int /*flag*/) {
    const Problem& problem = *static_cast<const Problem*>(data);
    const std::vector<double> all = problem.parameters(x);
    for (int i = 0; i < m; ++i) {
        out[i] = problem.residual(static_cast<std::size_t>(i), all);
    }
    return 0;
}

/// Inverse of a small symmetric positive matrix by Cholesky; false if it is singular.
bool invert(std::vector<double>& a, std::size_t n) {
    std::vector<double> l(n * n, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = a[i * n + j];
            for (std::size_t k = 0; k < j; ++k) {
                sum -= l[i * n + k] * l[j * n + k];
            }
            if (i == j) {
                if (!(sum > 1e-14 * a[i * n + i])) {
                    return false;
                }
                l[i * n + i] = std::sqrt(sum);
            } else {
                l[i * n + j] = sum / l[j * n + j];
            }
        }
    }
    for (std::size_t column = 0; column < n; ++column) {
        std::vector<double> y(n, 0.0);
        for (std::size_t i = 0; i < n; ++i) {
            double sum = i == column ? 1.0 : 0.0;
            for (std::size_t k = 0; k < i; ++k) {
                sum -= l[i * n + k] * y[k];
            }
            y[i] = sum / l[i * n + i];
        }
        for (std::size_t i = n; i-- > 0;) {
            double sum = y[i];
            for (std::size_t k = i + 1; k < n; ++k) {
                sum -= l[k * n + i] * a[k * n + column];
            }
            a[i * n + column] = sum / l[i * n + i];
        }
    }
    return true;
}

}  // namespace

bool minimise(Problem& problem, const std::vector<double>& start, std::vector<double>& found) {
    const int m = static_cast<int>(problem.points.size());
    const int n = static_cast<int>(problem.free.size());
    std::vector<double> x(problem.free.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = problem.inner(problem.free[i], start[problem.free[i]]);
    }
    const auto size_m = static_cast<std::size_t>(m);
    const auto size_n = static_cast<std::size_t>(n);
    std::vector<double> f(size_m), diag(size_n), jacobian(size_m * size_n), qtf(size_n);
    std::vector<double> w1(size_n), w2(size_n), w3(size_n), w4(size_m);
    std::vector<int> pivot(size_n);
    int n_calls = 0;
    const double tolerance = 1e-12;
    const int info = lmdif(residuals,
                           &problem,
                           m,
                           n,
                           x.data(),
                           f.data(),
                           tolerance,
                           tolerance,
                           0.0,
                           400 * (n + 1),
                           0.0,
                           diag.data(),
                           1,
                           1.0,  // short first steps: the sine must not be overshot
                           0,
                           &n_calls,
                           jacobian.data(),
                           m,
                           pivot.data(),
                           qtf.data(),
                           w1.data(),
                           w2.data(),
                           w3.data(),
                           w4.data());
    found = problem.parameters(x.data());
    // 1..4 converged, 6..8 as close as the precision allows; 0 wrong input, 5 too many calls.
    return info >= 1 && info != 5;
}

bool best_of(Problem& problem,
             const std::vector<std::vector<double>>& starts,
             std::vector<double>& best,
             double& best_chi2) {
    bool any = false;
    for (const auto& start : starts) {
        std::vector<double> found;
        if (!minimise(problem, start, found)) {
            continue;
        }
        const double chi2 = problem.chi2(found);
        if (std::isfinite(chi2) && (!any || chi2 < best_chi2)) {
            best = found;
            best_chi2 = chi2;
            any = true;
        }
    }
    return any;
}

bool standard_errors(const Problem& problem,
                     const std::vector<double>& all,
                     double chi2,
                     std::vector<double>& errors) {
    const std::size_t n = problem.free.size();
    const std::size_t m = problem.points.size();
    std::vector<double> jacobian(m * n);
    for (std::size_t j = 0; j < n; ++j) {
        const std::size_t parameter = problem.free[j];
        const double step = 1e-5 * std::max(std::abs(all[parameter]), 1e-3);
        std::vector<double> up = all, down = all;
        up[parameter] += step;
        down[parameter] -= step;
        for (std::size_t i = 0; i < m; ++i) {
            jacobian[i * n + j] =
                (problem.residual(i, up) - problem.residual(i, down)) / (2 * step);
        }
    }
    // Scaled to unit columns first: contrasts and relaxation times differ by orders of magnitude.
    std::vector<double> scale(n);
    for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::size_t i = 0; i < m; ++i) {
            sum += jacobian[i * n + j] * jacobian[i * n + j];
        }
        scale[j] = std::sqrt(sum);
        if (!(scale[j] > 0) || !std::isfinite(scale[j])) {
            return false;
        }
    }
    std::vector<double> normal(n * n, 0.0);
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t k = 0; k < n; ++k) {
                normal[j * n + k] +=
                    jacobian[i * n + j] / scale[j] * jacobian[i * n + k] / scale[k];
            }
        }
    }
    if (!invert(normal, n)) {
        return false;
    }
    const double reduced = chi2 / static_cast<double>(m - n);
    errors.assign(all.size(), 0.0);
    for (std::size_t j = 0; j < n; ++j) {
        errors[problem.free[j]] = std::sqrt(normal[j * n + j] * reduced) / scale[j];
    }
    return true;
}

FitResult failed(FitResult result, const std::string& reason) {
    result.ok = false;
    result.reason = reason;
    result.errors.assign(result.values.size(), nan);
    return result;
}

std::vector<Point> usable_points(const std::vector<double>& x,
                                 const std::vector<double>& y,
                                 const std::vector<double>& err) {
    std::vector<Point> points;
    double sum = 0;
    int good = 0;
    for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
        if (!std::isfinite(x[i]) || !std::isfinite(y[i])) {
            continue;
        }
        const double e = i < err.size() ? err[i] : nan;
        const bool usable = std::isfinite(e) && e > smallest_error;
        points.push_back({x[i], y[i], usable ? e : nan});
        if (usable) {
            sum += e;
            ++good;
        }
    }
    const double mean = good > 0 ? sum / good : 1.0;
    for (Point& point : points) {
        if (std::isnan(point.err)) {
            point.err = mean;
        }
    }
    return points;
}

double weighted_mean(const std::vector<Point>& points, std::size_t first, std::size_t last) {
    double sum = 0, weight = 0;
    for (std::size_t i = first; i < last; ++i) {
        const double w = 1 / (points[i].err * points[i].err);
        sum += w * points[i].y;
        weight += w;
    }
    return sum / weight;
}

void set_free(Problem& problem) {
    problem.fixed.assign(problem.bounds.size(), 0.0);
    for (std::size_t i = 0; i < problem.bounds.size(); ++i) {
        problem.fixed[i] = problem.bounds[i].lower;
        if (!problem.bounds[i].fixed()) {
            problem.free.push_back(i);
        }
    }
}

std::size_t
parameter_at_bound(const Problem& problem, const std::vector<double>& found, bool& upper) {
    for (const std::size_t parameter : problem.free) {
        const FitBounds& b = problem.bounds[parameter];
        const double margin = 1e-4 * (b.upper - b.lower);
        upper = found[parameter] > b.upper - margin;
        if (upper || found[parameter] < b.lower + margin) {
            return parameter;
        }
    }
    return std::string::npos;
}

}  // namespace xpcs::fitting
