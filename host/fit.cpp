// SPDX-License-Identifier: BSD-3-Clause
#include "host/fit.hpp"

#include <cminpack.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace xpcs {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

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

int residuals(void* data, int m, int /*n*/, const double* x, double* out, int /*flag*/) {
    const Problem& problem = *static_cast<const Problem*>(data);
    const std::vector<double> all = problem.parameters(x);
    for (int i = 0; i < m; ++i) {
        out[i] = problem.residual(static_cast<std::size_t>(i), all);
    }
    return 0;
}

/// Minimises from `start` (outer values of all parameters). False if the minimiser gave up.
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

/// Standard deviations of the free parameters at `all`; false if they cannot be told apart.
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
        const bool usable = std::isfinite(e) && e > 1e-6;
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

/// Relaxation time from where the curve has fallen to e^-2 of its height (single model, c = 1).
double first_guess_tau(const std::vector<Point>& points, double contrast, double baseline) {
    const double level = baseline + contrast * std::exp(-2.0);
    for (std::size_t i = 1; i < points.size(); ++i) {
        if (points[i].y < level && points[i - 1].y < level + 0.5 * contrast) {
            return points[i].x;
        }
    }
    return points.back().x;
}

/// Start values in the order of SingleParameter: from the data, then spread over the delays.
std::vector<std::vector<double>> single_starts(const Problem& problem) {
    const auto& points = problem.points;
    const std::size_t n = points.size();
    const auto inside = [&](std::size_t parameter, double value) {
        const FitBounds& b = problem.bounds[parameter];
        const double margin = 0.01 * (b.upper - b.lower);
        return b.fixed() ? b.lower : std::clamp(value, b.lower + margin, b.upper - margin);
    };
    const double baseline =
        inside(fit_baseline, weighted_mean(points, n - std::max<std::size_t>(2, n / 5), n));
    const double contrast =
        inside(fit_contrast, weighted_mean(points, 0, std::min<std::size_t>(3, n)) - baseline);
    const double exponent = inside(fit_exponent, 1.0);
    // tau moves on a logarithmic scale inside the problem.
    std::vector<double> log_taus{std::log(first_guess_tau(points, contrast, baseline))};
    const double low = std::log(points.front().x), high = std::log(points.back().x);
    constexpr int n_spread = 6;
    for (int i = 0; i < n_spread; ++i) {
        log_taus.push_back(low + (high - low) * (i + 0.5) / n_spread);
    }
    std::vector<std::vector<double>> starts;
    for (const double log_tau : log_taus) {
        starts.push_back({contrast, inside(fit_tau, log_tau), exponent, baseline});
    }
    return starts;
}

/// Decay against a constant: the gain in chi-square per added parameter must be far above noise.
bool stands_out(const Problem& problem, double chi2) {
    const double mean = weighted_mean(problem.points, 0, problem.points.size());
    double constant = 0;
    for (const Point& point : problem.points) {
        const double r = (point.y - mean) / point.err;
        constant += r * r;
    }
    const double added = static_cast<double>(problem.free.size()) - 1;
    const double left = static_cast<double>(problem.points.size() - problem.free.size());
    // 12 lies beyond the 99.99 % point of F(2..3, >= 20): the relaxation time was searched for, so
    // the usual 99 % would be met by flat noise now and then.
    return added > 0 && (constant - chi2) / added > 12 * chi2 / left;
}

const char* const single_names[] = {"contrast", "relaxation time", "exponent", "baseline"};

std::string at_bound(const Problem& problem, const std::vector<double>& found) {
    for (const std::size_t parameter : problem.free) {
        const FitBounds& b = problem.bounds[parameter];
        const double margin = 1e-4 * (b.upper - b.lower);
        if (found[parameter] < b.lower + margin) {
            return std::string(single_names[parameter]) + " at its lower bound";
        }
        if (found[parameter] > b.upper - margin) {
            return std::string(single_names[parameter]) + " at its upper bound";
        }
    }
    return "";
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

void set_free(Problem& problem) {
    problem.fixed.assign(problem.bounds.size(), 0.0);
    for (std::size_t i = 0; i < problem.bounds.size(); ++i) {
        problem.fixed[i] = problem.bounds[i].lower;
        if (!problem.bounds[i].fixed()) {
            problem.free.push_back(i);
        }
    }
}

}  // namespace

double single_model(double t, double contrast, double tau, double exponent, double baseline) {
    return contrast * std::exp(-2 * std::pow(t / tau, exponent)) + baseline;
}

FitResult fit_single(const std::vector<double>& delay_s,
                     const std::vector<double>& g2,
                     const std::vector<double>& g2_err,
                     const SingleFitOptions& options) {
    FitResult result;
    result.values.assign(4, nan);
    Problem problem;
    problem.points = usable_points(delay_s, g2, g2_err);
    std::erase_if(problem.points, [](const Point& p) { return !(p.x > 0); });
    std::sort(problem.points.begin(), problem.points.end(), [](const Point& a, const Point& b) {
        return a.x < b.x;
    });
    result.n_points = static_cast<int>(problem.points.size());
    if (problem.points.empty()) {
        return failed(result, "no data");
    }
    const double t_min = problem.points.front().x, t_max = problem.points.back().x;
    FitBounds tau = options.tau_s;
    if (!(tau.upper > 0)) {
        tau = {t_min / 20, 10 * t_max};
    }
    problem.bounds = {options.contrast,
                      {std::log(tau.lower), std::log(tau.upper)},
                      options.exponent,
                      options.baseline};
    set_free(problem);
    problem.model = [](double t, const std::vector<double>& p) {
        return single_model(
            t, p[fit_contrast], std::exp(p[fit_tau]), p[fit_exponent], p[fit_baseline]);
    };
    result.n_free = static_cast<int>(problem.free.size());
    if (result.n_points < result.n_free + 2) {
        return failed(result,
                      "only " + std::to_string(result.n_points) + " points, " +
                          std::to_string(result.n_free + 2) + " needed");
    }
    std::vector<double> found;
    if (!best_of(problem, single_starts(problem), found, result.chi2)) {
        return failed(result, "the minimisation did not converge");
    }
    result.values = found;
    result.values[fit_tau] = std::exp(found[fit_tau]);
    if (!stands_out(problem, result.chi2)) {
        return failed(result, "no decay above the noise");
    }
    const std::string bound = at_bound(problem, found);
    if (!bound.empty()) {
        return failed(result, bound);
    }
    if (!standard_errors(problem, found, result.chi2, result.errors)) {
        return failed(result, "the parameters cannot be told apart");
    }
    result.errors[fit_tau] *= result.values[fit_tau];  // of the logarithm until here
    for (const std::size_t parameter : {fit_contrast, fit_tau}) {
        if (!(result.values[parameter] >= 3 * result.errors[parameter])) {
            return failed(result, std::string(single_names[parameter]) + " is not determined");
        }
    }
    result.ok = true;
    return result;
}

FitResult fit_power_law(const std::vector<double>& q,
                        const std::vector<double>& tau,
                        const std::vector<double>& tau_err) {
    FitResult result;
    result.values.assign(2, nan);
    // Relative errors and logarithms: relaxation times span decades, microseconds included.
    std::vector<double> x, y, err;
    for (std::size_t i = 0; i < q.size() && i < tau.size(); ++i) {
        if (q[i] > 0 && tau[i] > 0 && std::isfinite(q[i]) && std::isfinite(tau[i])) {
            x.push_back(std::log(q[i]));
            y.push_back(std::log(tau[i]));
            err.push_back(i < tau_err.size() ? tau_err[i] / tau[i] : nan);
        }
    }
    Problem problem;
    problem.points = usable_points(x, y, err);
    result.n_points = static_cast<int>(problem.points.size());
    result.n_free = 2;
    if (result.n_points < 3) {
        return failed(result, std::to_string(result.n_points) + " relaxation times, 3 needed");
    }
    problem.bounds.assign(2, {1, 0});
    problem.fixed.assign(2, 0.0);
    problem.free = {0, 1};
    // About the weighted centre of log q the two parameters are independent of each other.
    double weights = 0, centre = 0;
    for (const Point& point : problem.points) {
        const double w = 1 / (point.err * point.err);
        centre += w * point.x;
        weights += w;
    }
    centre /= weights;
    problem.model = [centre](double log_q, const std::vector<double>& p) {
        return p[0] + p[1] * (log_q - centre);
    };
    std::vector<double> found;
    const double middle = weighted_mean(problem.points, 0, problem.points.size());
    if (!best_of(problem, {{middle, -2.0}}, found, result.chi2)) {
        return failed(result, "the minimisation did not converge");
    }
    if (!standard_errors(problem, found, result.chi2, result.errors)) {
        return failed(result, "all relaxation times belong to one q");
    }
    result.values = {std::exp(found[0] - found[1] * centre), found[1]};
    const double log_error = std::hypot(result.errors[0], centre * result.errors[1]);
    result.errors[0] = result.values[0] * log_error;
    result.ok = true;
    return result;
}

}  // namespace xpcs
