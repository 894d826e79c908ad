// SPDX-License-Identifier: BSD-3-Clause
#include "portal/pictures.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"
#include "portal/child_process.hpp"
#include "portal/gnuplot_script.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

namespace xpcs::portal {

namespace {

void image_frame(Script& script, const Box& box, std::int64_t factor) {
    const auto edge = [&](std::int64_t i) { return static_cast<double>(i * factor) - 0.5; };
    script.add("set xrange [{}:{}]\nset yrange [{}:{}]",
               edge(box.col0),
               edge(box.col1),
               edge(box.row1),
               edge(box.row0));
    script.add("set size ratio -1\nset xlabel 'column (px)'\nset ylabel 'row (px)' offset 1,0");
    script.add("set object 1 rectangle from graph 0,0 to graph 1,1 fc rgb '#d0d4d9' fs solid "
               "noborder behind\nset tics out scale 0.5");
}

void plot_image(Script& script, const std::vector<float>& values, const ReportImage& image) {
    const std::string file = script.floats(values);
    const double half = (static_cast<double>(image.factor) - 1) / 2;
    script.add("plot {} binary array=({},{}) format='%float' dx={} dy={} origin=({},{}) with image "
               "notitle",
               file,
               image.cols,
               image.rows,
               image.factor,
               image.factor,
               half,
               half);
}

void draw_scattering(Script& script) {
    const ReportImage& image = script.report().image;
    if (image.empty()) {
        return;
    }
    const Box box = used_box(image);
    const double aspect = static_cast<double>(box.row1 - box.row0) /
                          static_cast<double>(std::max<std::int64_t>(1, box.col1 - box.col0));
    const bool above = aspect < 0.8;  // wide detectors: one picture above the other
    const int width = above ? 1500 : 2000;
    const int height = static_cast<int>(
        std::clamp(above ? 2 * (1180 * aspect + 190) : 760 * aspect + 240, 700.0, 2600.0));
    script.begin("scattering_pattern_log.png", width, height, 22);
    script.add("set multiplot layout {} title {} noenhanced",
               above ? "2,1" : "1,2",
               gnuplot_quoted(script.report().name));
    std::vector<double> positive = image.values;
    std::erase_if(positive, [](double v) { return !(v > 0); });
    const double low = std::max(quantile(positive, 0.01), 1e-30);
    const double high = std::max(quantile(positive, 0.999), 1.0001 * low);
    std::vector<float> values(image.values.size()), labels(image.values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double v = image.values[i];
        values[i] = static_cast<float>(std::isfinite(v) ? std::clamp(v, low, high) : NAN);
        const bool shown = image.dynamic_labels[i] > 0 && std::isfinite(v);
        labels[i] = shown ? static_cast<float>(image.dynamic_labels[i]) : NAN;
    }
    image_frame(script, box, image.factor);
    script.add("set title 'mean counts per frame'\nset cblabel 'counts / frame'");
    script.add("set logscale cb\nset cbrange [{}:{}]\nset cbtics {} offset -0.5,0",
               low,
               high,
               log_ticks(low, high));
    plot_image(script, values, image);
    script.add(
        "unset logscale cb\nset cbtics auto\nset format cb '%g'\nset cbrange [{}:{}]\nset cblabel "
        "'dynamic bin'",
        1,
        std::max<std::uint32_t>(2, script.report().maps.n_dynamic()));
    script.add("set title 'dynamic bins'");
    const bool any =
        std::any_of(labels.begin(), labels.end(), [](float v) { return std::isfinite(v); });
    any ? plot_image(script, labels, image) : script.add("set multiplot next");
    script.end();
}

std::vector<double> static_q(const ResultData& result) {
    std::vector<double> q;
    for (std::int64_t column = 0; column < result.scattering_1d.cols; ++column) {
        const auto label = static_cast<std::uint32_t>(column + 1);
        q.push_back(label <= result.qmap.n_static() ? result.qmap.static_centre(label, 0)
                                                    : static_cast<double>(label));
    }
    return q;
}

std::string axis_label(const ReportData& report) {
    const QMap& map = report.result.qmap;
    return gnuplot_quoted(map.map_names[0] + " (" + map.map_units[0] + ")");
}

bool plot_curve(Script& script, bool segments, bool total) {
    const ReportData& report = script.report();
    const ResultData& result = report.result;
    if (result.scattering_1d.empty()) {
        return false;
    }
    const std::vector<double> q = static_q(result);
    const bool positive = std::all_of(q.begin(), q.end(), [](double v) { return v > 0; });
    double least = std::numeric_limits<double>::max(), most = 0;
    for (const Matrix* matrix : {&result.scattering_1d, &result.scattering_1d_segments}) {
        for (const double value : matrix->values) {
            if (std::isfinite(value) && value > 0) {
                least = std::min(least, value);
                most = std::max(most, value);
            }
        }
    }
    if (!(most > 0)) {
        return false;
    }
    least /= 1.1;
    most *= 1.2;
    const auto [q_low, q_high] = std::minmax_element(q.begin(), q.end());
    script.add("set grid ls 9\nset logscale y\nset yrange [{}:{}]\nset ytics {}",
               least,
               most,
               log_ticks(least, most));
    if (positive && q.size() > 2) {
        script.add("set logscale x\nset xtics {}", log_ticks(*q_low * 0.95, *q_high * 1.05));
    }
    script.add("set xlabel {} noenhanced\nset ylabel 'counts / frame / pixel' offset 0.5,0",
               axis_label(report));
    script.add(
        "set xrange [{}:{}]", *q_low - 0.05 * std::abs(*q_low), *q_high + 0.05 * std::abs(*q_high));
    // With bins in angle there are several values per q: points, no line through them.
    const bool angular = result.qmap.static_num_pts[1] > 1;
    std::string plot;
    const Matrix& parts = result.scattering_1d_segments;
    for (std::int64_t row = 0; segments && row < parts.rows; ++row) {
        const std::vector<double> values = parts.row(row);
        const std::string file = script.table({&q, &values});
        const double at =
            parts.rows > 1 ? static_cast<double>(row) / static_cast<double>(parts.rows - 1) : 0;
        plot += fmt::format("{}{} using 1:2 with {} lc palette frac {:.3f} {}",
                            plot.empty() ? "" : ", ",
                            file,
                            angular ? "points pt 7 ps 0.7" : "lines lw 2",
                            0.9 * at,
                            row == 0                ? "title 'first segment'"
                            : row == parts.rows - 1 ? "title 'last segment'"
                                                    : "notitle");
    }
    if (total || plot.empty()) {
        const std::vector<double> values = result.scattering_1d.row(0);
        plot += fmt::format("{}{} using 1:2 with {} ls 1 ps 0.5 title 'whole run'",
                            plot.empty() ? "" : ", ",
                            script.table({&q, &values}),
                            angular ? "points" : "linespoints");
    }
    script.add("unset colorbox\nset key top right\nplot {}", plot);
    return true;
}

bool plot_intensity(Script& script) {
    const ReportData& report = script.report();
    const std::vector<double>& all = report.result.intensity;
    if (all.empty()) {
        return false;
    }
    std::vector<double> t, v, mean_t, mean_v, mark_t, mark_v;
    const std::size_t stretch = std::max<std::size_t>(1, all.size() / 4000);
    const std::size_t smooth = std::max<std::size_t>(1, all.size() / 200);
    for (std::size_t i = 0; i < all.size(); i += stretch) {
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(i);
        const auto last =
            all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), i + stretch));
        const auto [low, high] = std::minmax_element(first, last);
        for (const double value : {*low, *high}) {
            t.push_back(static_cast<double>(i) * report.frame_step);
            v.push_back(value);
        }
    }
    for (std::size_t i = 0; i + smooth <= all.size(); i += smooth) {
        double sum = 0;
        for (std::size_t k = i; k < i + smooth; ++k) {
            sum += all[k];
        }
        mean_t.push_back((static_cast<double>(i) + 0.5 * static_cast<double>(smooth)) *
                         report.frame_step);
        mean_v.push_back(sum / static_cast<double>(smooth));
    }
    for (const std::size_t i : report.outliers) {
        mark_t.push_back(static_cast<double>(i) * report.frame_step);
        mark_v.push_back(all[i]);
    }
    script.add("unset logscale\nset xtics auto\nset ytics auto\nset format '%g'\nset grid ls "
               "9\nset autoscale\nunset colorbox");
    script.add("set xlabel 'time ({})'\nset ylabel 'counts / frame / pixel' offset 0.5,0\nset key "
               "top right",
               report.time_unit);
    const double low = quantile(all, 0), high = quantile(all, 1);
    script.add("set yrange [{}:{}]\nset xrange [0:{}]",
               low - 0.1 * (high - low),
               high + 0.25 * (high - low) + 1e-30,
               static_cast<double>(all.size()) * report.frame_step);
    std::string plot = fmt::format(
        "{} using 1:2 with lines ls {} title 'frames'", script.table({&t, &v}), smooth > 4 ? 3 : 1);
    if (smooth > 4) {
        plot += fmt::format(", {} using 1:2 with lines ls 1 lw 3 title 'mean of {} frames'",
                            script.table({&mean_t, &mean_v}),
                            smooth);
    }
    if (!mark_t.empty()) {
        plot += fmt::format(", {} using 1:2 with points pt 6 ps 1.6 lw 2.5 lc rgb '#d55e00' title "
                            "'outliers ({})'",
                            script.table({&mark_t, &mark_v}),
                            mark_t.size());
    }
    script.add("plot {}", plot);
    return true;
}

void draw_curves(Script& script) {
    const std::string& name = script.report().name;
    const bool curve = !script.report().result.scattering_1d.empty();
    const bool trace = !script.report().result.intensity.empty();
    if (curve && trace) {
        script.begin("total_intensity_vs_time.png", 2000, 800, 20);
        script.add("set multiplot layout 1,2 title {} noenhanced", gnuplot_quoted(name));
        plot_curve(script, true, false);
        plot_intensity(script);
        script.end();
    }
    if (curve) {
        script.begin(name + "_intensity.png", 1300, 900, 22);
        script.add("set title {} noenhanced", gnuplot_quoted(name));
        plot_curve(script, true, true);
        script.end();
    }
    if (trace) {
        script.begin(name + "_intensity_t.png", 1500, 800, 22);
        script.add("set title {} noenhanced", gnuplot_quoted(name));
        plot_intensity(script);
        script.end();
    }
}

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
        if (std::isfinite(g2[i]) && i < report.delay.size() && report.delay[i] > 0) {
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

}  // namespace

std::vector<std::string>
draw_pictures(const ReportData& report, const std::string& directory, const std::string& scratch) {
    Script script(report, directory, scratch);
    draw_scattering(script);
    draw_curves(script);
    const std::size_t grids = draw_g2(script);
    draw_maps(script, grids);
    draw_parameters(script);
    const std::string path = scratch + "/pictures.gp";
    std::ofstream out(path, std::ios::binary);
    out << script.text();
    out.close();
    const ChildResult result = run_child({"gnuplot", path}, 120);
    if (result.timed_out || result.status != 0) {
        throw Error(ExitCode::internal,
                    "gnuplot failed with status " + std::to_string(result.status) + ": " +
                        printable(result.output));
    }
    return script.names();
}

}  // namespace xpcs::portal
