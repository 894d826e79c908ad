// SPDX-License-Identifier: BSD-3-Clause
#include "host/fit.hpp"

#include "host/fit_problem.hpp"
#include "host/nan.hpp"

#include <algorithm>
#include <cmath>

namespace xpcs {

using namespace fitting;

namespace {

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
    starts.reserve(log_taus.size());
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

std::string at_bound(const Problem& problem, const std::vector<double>& found) {
    bool upper = false;
    const std::size_t parameter = parameter_at_bound(problem, found, upper);
    if (parameter == std::string::npos) return "";
    return std::string(fit_parameter_names[parameter]) + " at its " + (upper ? "upper" : "lower") +
           " bound";
}

/// Sorted by delay, which must be above 0 on the logarithmic scale of relaxation times.
std::vector<Point> curve_points(const std::vector<double>& delay_s,
                                const std::vector<double>& g2,
                                const std::vector<double>& g2_err) {
    std::vector<Point> points = usable_points(delay_s, g2, g2_err);
    std::erase_if(points, [](const Point& p) { return !(p.x > 0); });
    std::sort(
        points.begin(), points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
    return points;
}

/// Bounds of a relaxation time on the logarithmic scale; {0, 0} comes from the delays.
FitBounds log_bounds(FitBounds tau, const std::vector<Point>& points) {
    if (!(tau.upper > 0)) {
        tau = {points.front().x / 20, 10 * points.back().x};
    }
    return {std::log(tau.lower), std::log(tau.upper)};
}

std::string too_few(const FitResult& result) {
    return "only " + std::to_string(result.n_points) + " points, " +
           std::to_string(result.n_free + 2) + " needed";
}

/// Errors of the relaxation times are those of their logarithms until here.
void leave_logarithms(FitResult& result, std::initializer_list<std::size_t> times) {
    for (const std::size_t p : times) {
        result.errors[p] *= result.values[p];
    }
}

std::string undetermined(const FitResult& result, const Problem& problem) {
    for (const std::size_t p : {std::size_t{fit_contrast},
                                std::size_t{fit_tau},
                                std::size_t{fit_tau2},
                                std::size_t{fit_fraction}}) {
        const bool free = p < result.values.size() && !problem.bounds[p].fixed();
        if (free && !(result.values[p] >= 3 * result.errors[p])) {
            return std::string(fit_parameter_names[p]) + " is not determined";
        }
    }
    return "";
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
    problem.points = curve_points(delay_s, g2, g2_err);
    result.n_points = static_cast<int>(problem.points.size());
    if (problem.points.empty()) {
        return failed(result, "no data");
    }
    problem.bounds = {options.contrast,
                      log_bounds(options.tau_s, problem.points),
                      options.exponent,
                      options.baseline};
    set_free(problem);
    problem.model = [](double t, const std::vector<double>& p) {
        return single_model(
            t, p[fit_contrast], std::exp(p[fit_tau]), p[fit_exponent], p[fit_baseline]);
    };
    result.n_free = static_cast<int>(problem.free.size());
    if (result.n_points < result.n_free + 2) {
        return failed(result, too_few(result));
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
    leave_logarithms(result, {fit_tau});
    const std::string open = undetermined(result, problem);
    if (!open.empty()) {
        return failed(result, open);
    }
    result.ok = true;
    return result;
}

double double_model(double t, const std::vector<double>& p) {
    const double first = std::exp(-std::pow(t / p[fit_tau], p[fit_exponent]));
    const double second = std::exp(-std::pow(t / p[fit_tau2], p[fit_exponent2]));
    const double field = p[fit_fraction] * first + (1 - p[fit_fraction]) * second;
    return p[fit_contrast] * field * field + p[fit_baseline];
}

namespace {

/// Pairs of relaxation times spread over the delays, faster one first.
std::vector<std::vector<double>> double_starts(const Problem& problem) {
    std::vector<std::vector<double>> starts;
    const auto clamped = [&](std::size_t p, double value) {
        const FitBounds& b = problem.bounds[p];
        const double margin = 0.01 * (b.upper - b.lower);
        return b.fixed() ? b.lower : std::clamp(value, b.lower + margin, b.upper - margin);
    };
    const double low = std::log(problem.points.front().x), high = std::log(problem.points.back().x);
    constexpr int n = 5;
    const auto place = [&](int i) { return low + (high - low) * (i + 0.5) / n; };
    for (const std::vector<double>& single : single_starts(problem)) {
        if (!starts.empty()) break;  // contrast, exponent and baseline do not differ among them
        for (int i = 0; i < n; ++i) {
            for (int j = i + 1; j < n; ++j) {
                starts.push_back({single[fit_contrast],
                                  clamped(fit_tau, place(i)),
                                  single[fit_exponent],
                                  single[fit_baseline],
                                  clamped(fit_tau2, place(j)),
                                  clamped(fit_exponent2, 1.0),
                                  clamped(fit_fraction, 0.5)});
            }
        }
    }
    return starts;
}

/// Both orders describe the same curve: the faster relaxation comes first.
void order_times(FitResult& result) {
    if (result.values[fit_tau] <= result.values[fit_tau2]) return;
    for (std::vector<double>* list : {&result.values, &result.errors}) {
        if (list->size() < 7) continue;
        std::swap((*list)[fit_tau], (*list)[fit_tau2]);
        std::swap((*list)[fit_exponent], (*list)[fit_exponent2]);
    }
    result.values[fit_fraction] = 1 - result.values[fit_fraction];
}

/// The second relaxation has to lower chi-square by more than noise does (see stands_out).
bool better_than(const FitResult& single, const Problem& problem, double chi2) {
    const double added = static_cast<double>(problem.free.size()) - single.n_free;
    const double left = static_cast<double>(problem.points.size() - problem.free.size());
    return added <= 0 || !std::isfinite(single.chi2) ||
           (single.chi2 - chi2) / added > 12 * chi2 / left;
}

}  // namespace

FitResult fit_double(const std::vector<double>& delay_s,
                     const std::vector<double>& g2,
                     const std::vector<double>& g2_err,
                     const DoubleFitOptions& options) {
    FitResult result;
    result.values.assign(7, nan);
    Problem problem;
    problem.points = curve_points(delay_s, g2, g2_err);
    result.n_points = static_cast<int>(problem.points.size());
    if (problem.points.empty()) {
        return failed(result, "no data");
    }
    problem.bounds = {options.contrast,
                      log_bounds(options.tau_s, problem.points),
                      options.exponent,
                      options.baseline,
                      log_bounds(options.tau2_s, problem.points),
                      options.exponent2,
                      options.fraction};
    set_free(problem);
    problem.model = [](double t, const std::vector<double>& p) {
        std::vector<double> outer = p;
        outer[fit_tau] = std::exp(p[fit_tau]);
        outer[fit_tau2] = std::exp(p[fit_tau2]);
        return double_model(t, outer);
    };
    result.n_free = static_cast<int>(problem.free.size());
    if (result.n_points < result.n_free + 2) {
        return failed(result, too_few(result));
    }
    std::vector<double> found;
    if (!best_of(problem, double_starts(problem), found, result.chi2)) {
        return failed(result, "the minimisation did not converge");
    }
    result.values = found;
    result.values[fit_tau] = std::exp(found[fit_tau]);
    result.values[fit_tau2] = std::exp(found[fit_tau2]);
    if (!stands_out(problem, result.chi2)) {
        return failed(result, "no decay above the noise");
    }
    if (!better_than(fit_single(delay_s, g2, g2_err, options), problem, result.chi2)) {
        return failed(result, "one relaxation describes it as well");
    }
    const std::string bound = at_bound(problem, found);
    if (!bound.empty()) {
        return failed(result, bound);
    }
    if (!standard_errors(problem, found, result.chi2, result.errors)) {
        return failed(result, "the parameters cannot be told apart");
    }
    leave_logarithms(result, {fit_tau, fit_tau2});
    if (options.interchangeable()) order_times(result);
    const std::string open = undetermined(result, problem);
    if (!open.empty()) {
        return failed(result, open);
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
