// SPDX-License-Identifier: BSD-3-Clause
// Pictures of correlations: g2, two-time maps, fits and what follows from them.
#include "portal/pictures_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace xpcs::portal {

namespace {

std::string grid_name(const ReportData& report, std::size_t grid) {
    return fmt::format("{}_g2_corr_{:03d}_{:03d}.png", report.name, 9 * grid, 9 * grid + 8);
}

void plot_bin(Script& script, std::int64_t column) {
    const ReportData& report = script.report();
    const OneTimeData& one = report.result.one_time;
    const std::vector<double> g2 = one.g2.column(column);
    const std::vector<double> err =
        one.g2_err.empty() ? std::vector<double>(g2.size(), 0) : one.g2_err.column(column);
    double low = 1, high = 1;
    bool any = false;
    for (std::size_t i = 0; i < g2.size(); ++i) {
        if (i < report.delay.size() && report.delay[i] > 0 && std::isfinite(g2[i])) {
            low = any ? std::min(low, g2[i]) : g2[i];
            high = any ? std::max(high, g2[i]) : g2[i];
            any = true;
        }
    }
    const double margin = std::max(0.08 * (high - low), 1e-4);
    script.add("set title {} noenhanced offset 0,-0.6",
               gnuplot_quoted(fmt::format("{}: {}", column + 1, report.bin_text(column + 1))));
    if (!any) {
        script.add(
            "set label 1 'no signal' at graph 0.5,0.5 center\nunset key\nset yrange [0.9:1.1]");
        script.add("plot 1 ls 3 notitle\nunset label 1");
        return;
    }
    script.add("set yrange [{}:{}]", low - margin, high + margin);
    std::string plot = fmt::format("{} using 1:2:3 with yerrorbars ls 1 ps 0.8 lw 1.2 notitle",
                                   script.table({&report.delay, &g2, &err}));
    const FitResult* fit =
        report.fits ? &report.fits->bins[static_cast<std::size_t>(column)].fit : nullptr;
    if (fit != nullptr && fit->ok) {
        plot += fmt::format(", {} * exp(-2 * (x / {})**{}) + {} ls 2 title 'τ = {:.3g} {}'",
                            fit->values[fit_contrast],
                            fit->values[fit_tau],
                            fit->values[fit_exponent],
                            fit->values[fit_baseline],
                            fit->values[fit_tau],
                            report.time_unit);
    }
    script.add("plot {}", plot);
}

}  // namespace

std::size_t draw_g2(Script& script) {
    const ReportData& report = script.report();
    const std::int64_t bins = report.result.one_time.g2.cols;
    std::size_t grid = 0;
    for (std::int64_t first = 0; first < bins; first += 9, ++grid) {
        script.begin(grid_name(report, grid), 1800, 1500, 16);
        script.add("set multiplot layout 3,3 title {} noenhanced margins 0.065,0.985,0.06,0.93 "
                   "spacing 0.065,0.075",
                   gnuplot_quoted(report.name + ": g2 of dynamic bins"));
        script.add("set logscale x\nset format x '10^{{%T}}'\nset samples 300\nset grid ls 9\nset "
                   "key top right samplen 1.5\nset "
                   "bars 0.4");
        const auto positive = [](double t) { return t > 0; };
        const auto low = std::find_if(report.delay.begin(), report.delay.end(), positive);
        if (low != report.delay.end()) {
            script.add("set xrange [{}:{}]", *low * 0.8, report.delay.back() * 1.25);
        }
        for (std::int64_t k = first; k < std::min(bins, first + 9); ++k) {
            script.add("set xlabel {}",
                       k + 3 >= std::min(bins, first + 9)
                           ? gnuplot_quoted("delay (" + report.time_unit + ")")
                           : "''");
            plot_bin(script, k);
        }
        script.end();
    }
    return grid;
}

void draw_maps(Script& script, std::size_t grid) {
    const ReportData& report = script.report();
    for (std::size_t first = 0; first < report.two_time.size(); first += 9, ++grid) {
        const std::size_t n = std::min<std::size_t>(9, report.two_time.size() - first);
        const bool one = n == 1;
        script.begin(grid_name(report, grid), one ? 1400 : 1900, one ? 1250 : 1800, one ? 22 : 15);
        script.add("set multiplot layout {} title {} noenhanced",
                   one      ? "1,1"
                   : n <= 4 ? "2,2"
                            : "3,3",
                   gnuplot_quoted(report.name + ": two-time correlation"));
        for (std::size_t k = first; k < first + n; ++k) {
            const ReportMap& map = report.two_time[k];
            const double low = quantile(map.values.values, 0.01);
            const double high = std::max(quantile(map.values.values, 0.99), low + 1e-6);
            const double side = static_cast<double>(report.result.two_time.n_frames) * report.step;
            const double pixel = side / static_cast<double>(map.values.rows);
            std::vector<float> values(map.values.values.begin(), map.values.values.end());
            script.add("set title {} noenhanced", gnuplot_quoted(report.bin_text(map.label)));
            script.add("set xrange [0:{0}]\nset yrange [0:{0}]\nset size ratio -1\nset cbrange "
                       "[{1}:{2}]\nset format cb '%.2f'",
                       side,
                       low,
                       high);
            script.add("set xlabel 't1 ({0})'\nset ylabel 't2 ({0})' offset 1,0\nset xtics "
                       "{1}\nset ytics {1}",
                       report.time_unit,
                       std::pow(10, std::floor(std::log10(side))) *
                           (side / std::pow(10, std::floor(std::log10(side))) < 2.5 ? 0.5
                            : side / std::pow(10, std::floor(std::log10(side))) < 5 ? 1
                                                                                    : 2));
            script.add("plot {} binary array=({},{}) format='%float' dx={} dy={} origin=({},{}) "
                       "with image notitle",
                       script.floats(values),
                       map.values.cols,
                       map.values.rows,
                       pixel,
                       pixel,
                       pixel / 2,
                       pixel / 2);
        }
        script.end();
    }
}

namespace {

/// One fitted bin on the scale that all share: x = (t/tau)^c, y = (g2 - d)/a; and what the fit
/// leaves, in standard errors.
struct Reduced {
    std::vector<double> x, y, err, t, left;
};

Reduced reduced(const ReportData& report, std::int64_t column) {
    const OneTimeData& one = report.result.one_time;
    const FitResult& fit = report.fits->bins[static_cast<std::size_t>(column)].fit;
    const double a = fit.values[fit_contrast], d = fit.values[fit_baseline];
    Reduced out;
    for (std::int64_t row = 0; row < one.g2.rows; ++row) {
        const double t = report.delay[static_cast<std::size_t>(row)], g2 = one.g2.at(row, column);
        const double err = one.g2_err.empty() ? NAN : one.g2_err.at(row, column);
        if (!(t > 0) || !std::isfinite(g2)) {
            continue;
        }
        const double x = std::pow(t / fit.values[fit_tau], fit.values[fit_exponent]);
        out.x.push_back(x);
        out.y.push_back((g2 - d) / a);
        out.err.push_back(std::isfinite(err) ? err / a : 0);
        out.t.push_back(t);
        out.left.push_back(err > 0 ? (g2 - d - a * std::exp(-2 * x)) / err : NAN);
    }
    return out;
}

}  // namespace

void draw_fits(Script& script) {
    const ReportData& report = script.report();
    std::vector<std::int64_t> fitted;
    for (std::size_t k = 0; report.fits && k < report.fits->bins.size(); ++k) {
        if (report.fits->bins[k].fit.ok) {
            fitted.push_back(static_cast<std::int64_t>(k));
        }
    }
    if (fitted.empty()) {
        return;
    }
    script.begin(
        fmt::format("{}_g2_corr_fit_{:03d}_{:03d}.png", report.name, fitted.front(), fitted.back()),
        2000,
        850,
        20);
    script.add("set multiplot layout 1,2 title {} noenhanced",
               gnuplot_quoted(report.name + ": fitted bins on one curve"));
    std::string curves, left;
    for (std::size_t i = 0; i < fitted.size(); ++i) {
        const Reduced bin = reduced(report, fitted[i]);
        const double at = 0.85 * static_cast<double>(i) /
                          static_cast<double>(std::max<std::size_t>(1, fitted.size() - 1));
        const bool named = fitted.size() <= 9 || i == 0 || i + 1 == fitted.size();
        const std::string title =
            named ? "title " + gnuplot_quoted(report.bin_text(fitted[i] + 1)) : "notitle";
        curves += fmt::format("{} using 1:2:3 with yerrorbars pt 7 ps 0.8 lw 1.2 lc palette frac "
                              "{:.3f} {}, ",
                              script.table({&bin.x, &bin.y, &bin.err}),
                              at,
                              title);
        left += fmt::format("{} using 1:2 with points pt 7 ps 0.7 lc palette frac {:.3f} notitle, ",
                            script.table({&bin.t, &bin.left}),
                            at);
    }
    script.add(
        "unset colorbox\nset grid ls 9\nset logscale x\nset format x '10^{{%T}}'\nset samples "
        "400\nset key top right samplen 1\nset bars 0.4");
    script.add("set xlabel '(t/τ)^c'\nset ylabel '(g2 − d) / a'\nset xrange [1e-3:30]\nset yrange "
               "[-0.25:1.5]\nplot {}exp(-2*x) ls 2 title 'exp(−2x)'",
               curves);
    script.add("set xlabel {}\nset ylabel '(g2 − fit) / error'\nset xrange [*:*]\nset yrange "
               "[-8:8]\nplot {}0 ls 3 notitle",
               gnuplot_quoted("delay (" + report.time_unit + ")"),
               left);
    script.end();
}

void draw_parameters(Script& script) {
    const ReportData& report = script.report();
    if (!report.fits) {
        return;
    }
    std::vector<double> q, tau, tau_err, contrast, contrast_err;
    for (const BinFit& bin : report.fits->bins) {
        if (bin.fit.ok && bin.q > 0) {
            q.push_back(bin.q);
            tau.push_back(bin.fit.values[fit_tau]);
            tau_err.push_back(bin.fit.errors[fit_tau]);
            contrast.push_back(bin.fit.values[fit_contrast]);
            contrast_err.push_back(bin.fit.errors[fit_contrast]);
        }
    }
    if (q.size() < 2) {
        return;
    }
    script.begin(report.name + "_corr_params.png", 2000, 850, 20);
    script.add("set multiplot layout 1,2 title {} noenhanced", gnuplot_quoted(report.name));
    double least = tau[0], most = tau[0];
    for (std::size_t i = 0; i < tau.size(); ++i) {
        least = std::min(least, std::max(tau[i] - tau_err[i], tau[i] / 3));
        most = std::max(most, std::min(tau[i] + tau_err[i], tau[i] * 3));
    }
    least /= 1.2;
    most *= 1.5;
    const double q_low = *std::min_element(q.begin(), q.end()) * 0.95;
    const double q_high = *std::max_element(q.begin(), q.end()) * 1.05;
    script.add(
        "set grid ls 9\nset xlabel {} noenhanced\nset logscale xy\nset ylabel 'relaxation time τ "
        "({})'\nset key top right",
        axis_label(report),
        report.time_unit);
    script.add("set xrange [{}:{}]\nset xtics {}", q_low, q_high, log_ticks(q_low, q_high));
    script.add("set yrange [{}:{}]\nset ytics {}", least, most, log_ticks(least, most));
    std::string plot = fmt::format("{} using 1:2:3 with yerrorbars ls 1 ps 1.3 title 'fits'",
                                   script.table({&q, &tau, &tau_err}));
    const FitResult& law = report.fits->power_law;
    if (law.ok) {
        plot += fmt::format(", {}*x**({}) ls 2 title 'τ ∝ q^{{{:.2f} ± {:.2f}}}' enhanced",
                            law.values[0],
                            law.values[1],
                            law.values[1],
                            law.errors[1]);
    }
    script.add("plot {}", plot);
    script.add("unset logscale y\nset ytics auto\nset format y '%g'\nset ylabel 'contrast'\nset "
               "yrange [0:*]");
    script.add("plot {} using 1:2:3 with yerrorbars ls 1 ps 1.3 notitle",
               script.table({&q, &contrast, &contrast_err}));
    script.end();
}

}  // namespace xpcs::portal
