// SPDX-License-Identifier: BSD-3-Clause
// Pictures of what was scattered: image, I(q), intensity against time.
#include "portal/pictures_parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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

}  // namespace

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

void draw_linear(Script& script) {
    const ReportImage& image = script.report().image;
    if (image.empty()) {
        return;
    }
    const Box box = used_box(image);
    const double aspect = static_cast<double>(box.row1 - box.row0) /
                          static_cast<double>(std::max<std::int64_t>(1, box.col1 - box.col0));
    const int height = static_cast<int>(std::clamp(1180 * aspect + 190, 500.0, 2000.0));
    script.begin("scattering_pattern_lin.png", 1500, height, 22);
    // One hot pixel does not darken all.
    const double high = std::max(quantile(image.values, 0.995), 1e-30);
    std::vector<float> values;
    for (const double v : image.values) {
        values.push_back(static_cast<float>(std::isfinite(v) ? std::min(v, high) : NAN));
    }
    image_frame(script, box, image.factor);
    script.add("set title {} noenhanced\nset cblabel 'counts / frame'\nset cbrange [0:{}]",
               gnuplot_quoted(script.report().name),
               high);
    plot_image(script, values, image);
    script.end();
}

namespace {

std::vector<double> static_q(const ResultData& result) {
    std::vector<double> q;
    for (std::int64_t column = 0; column < result.scattering_1d.cols; ++column) {
        const auto label = static_cast<std::uint32_t>(column + 1);
        q.push_back(label <= result.qmap.n_static() ? result.qmap.static_centre(label, 0)
                                                    : static_cast<double>(label));
    }
    return q;
}

}  // namespace

std::string axis_label(const ReportData& report) {
    const QMap& map = report.result.qmap;
    return gnuplot_quoted(map.map_names[0] + " (" + map.map_units[0] + ")");
}

namespace {

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

}  // namespace

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

}  // namespace xpcs::portal
