// SPDX-License-Identifier: BSD-3-Clause
#include "host/fit_table.hpp"

#include "host/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace xpcs {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::string number(double value, int digits = 4) {
    return std::isnan(value) ? "-" : fmt::format("{:.{}g}", value, digits);
}

std::string csv_number(double value) {
    return std::isnan(value) ? "" : fmt::format("{:.9g}", value);
}

std::string csv_text(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        out += c == '"' ? std::string("\"\"") : std::string(1, c);
    }
    return out + "\"";
}

/// Columns a terminal needs for UTF-8 text: code points.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

std::string aligned(const std::vector<std::vector<std::string>>& lines) {
    std::vector<std::size_t> widths(lines.front().size(), 0);
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            widths[i] = std::max(widths[i], width_of(line[i]));
        }
    }
    std::string out;
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i) {
            const std::string padding(widths[i] - width_of(line[i]), ' ');
            const bool last = i + 1 == line.size();  // the status is text: to the left
            text += (i == 0 ? "" : "  ") + (last ? line[i] : padding + line[i]);
        }
        out += text + "\n";
    }
    return out;
}

std::string with_unit(const std::string& name, const std::string& unit) {
    return unit.empty() ? name : name + " (" + unit + ")";
}

bool has_expected(const FitTable& table) {
    return std::any_of(table.bins.begin(), table.bins.end(), [](const BinFit& bin) {
        return !std::isnan(bin.expected_tau_s);
    });
}

FitResult power_law_of(const std::vector<BinFit>& bins) {
    std::vector<double> q, tau, err;
    for (const BinFit& bin : bins) {
        if (bin.fit.ok) {
            q.push_back(bin.q);
            tau.push_back(bin.fit.values[fit_tau]);
            err.push_back(bin.fit.errors[fit_tau]);
        }
    }
    return fit_power_law(q, tau, err);
}

}  // namespace

FitTable fit_result(const ResultData& data, std::optional<double> diffusion, bool stretched) {
    if (!data.has_multitau()) {
        throw Error(ExitCode::data, "'" + data.path + "': no one-time correlation, nothing to fit");
    }
    FitTable table;
    table.stretched = stretched;
    for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
        table.axis_names[axis] = data.qmap.map_names[axis];
        table.axis_units[axis] = data.qmap.map_units[axis];
    }
    const OneTimeData& one = data.one_time;
    std::vector<double> delay = one.delay_s;
    if (!data.frame_time_known) {
        table.time_unit = "frames";
        delay.assign(one.delay_list.begin(), one.delay_list.end());
    }
    SingleFitOptions options;
    if (stretched) {
        options.exponent = {0.5, 2.0};
    }
    const bool q_axis = table.axis_names[0] == "q";
    for (std::int64_t column = 0; column < one.g2.cols; ++column) {
        BinFit bin;
        bin.label = column + 1;
        bin.q = data.dynamic_centre(bin.label, 0);
        bin.phi = data.dynamic_centre(bin.label, 1);
        bin.fit = fit_single(delay,
                             one.g2.column(column),
                             one.g2_err.empty() ? std::vector<double>{} : one.g2_err.column(column),
                             options);
        const bool expected = diffusion && q_axis && bin.q > 0 && data.frame_time_known;
        bin.expected_tau_s = expected ? 1 / (*diffusion * bin.q * bin.q) : nan;
        table.bins.push_back(std::move(bin));
    }
    table.power_law = power_law_of(table.bins);
    return table;
}

std::string to_text(const FitTable& table) {
    const bool expected = has_expected(table);
    std::vector<std::string> head{"bin",
                                  with_unit(table.axis_names[0], table.axis_units[0]),
                                  with_unit(table.axis_names[1], table.axis_units[1]),
                                  "contrast",
                                  with_unit("tau", table.time_unit),
                                  "error"};
    if (expected) {
        head.emplace_back("expected");
    }
    if (table.stretched) {
        head.emplace_back("exponent");
    }
    head.insert(head.end(), {"baseline", "status"});
    std::vector<std::vector<std::string>> lines{head};
    for (const BinFit& bin : table.bins) {
        // Values of a fit that failed would only be mistaken for results.
        const auto shown = [&](std::size_t p) { return bin.fit.ok ? bin.fit.values[p] : nan; };
        std::vector<std::string> line{std::to_string(bin.label),
                                      number(bin.q, 5),
                                      number(bin.phi, 4),
                                      number(shown(fit_contrast)),
                                      number(shown(fit_tau)),
                                      number(bin.fit.ok ? bin.fit.errors[fit_tau] : nan, 2)};
        if (expected) {
            line.push_back(number(bin.expected_tau_s));
        }
        if (table.stretched) {
            line.push_back(number(shown(fit_exponent), 3));
        }
        line.push_back(number(shown(fit_baseline), 5));
        line.push_back(bin.fit.ok ? "fitted" : "not fitted: " + bin.fit.reason);
        lines.push_back(std::move(line));
    }
    std::string out = aligned(lines);
    const FitResult& law = table.power_law;
    if (law.ok) {
        out += fmt::format("tau = a {}^b: a = {} +- {}, b = {} +- {} ({} bins)\n",
                           table.axis_names[0],
                           number(law.values[0]),
                           number(law.errors[0], 2),
                           number(law.values[1]),
                           number(law.errors[1], 2),
                           law.n_points);
    } else {
        out += "tau = a " + table.axis_names[0] + "^b: not fitted: " + law.reason + "\n";
    }
    return out;
}

std::string to_csv(const FitTable& table) {
    std::string out = fmt::format(
        "bin,{0},{1},contrast,contrast_err,tau_{2},tau_err_{2},exponent,exponent_err,baseline,"
        "baseline_err,chi2,points,expected_tau_s,fitted,reason\n",
        csv_text(with_unit(table.axis_names[0], table.axis_units[0])),
        csv_text(with_unit(table.axis_names[1], table.axis_units[1])),
        table.time_unit);
    for (const BinFit& bin : table.bins) {
        out += fmt::format("{},{},{}", bin.label, csv_number(bin.q), csv_number(bin.phi));
        for (const std::size_t p : {fit_contrast, fit_tau, fit_exponent, fit_baseline}) {
            out += fmt::format(",{},{}",
                               csv_number(bin.fit.ok ? bin.fit.values[p] : nan),
                               csv_number(bin.fit.ok ? bin.fit.errors[p] : nan));
        }
        out += fmt::format(",{},{},{},{},{}\n",
                           csv_number(bin.fit.chi2),
                           bin.fit.n_points,
                           csv_number(bin.expected_tau_s),
                           bin.fit.ok ? 1 : 0,
                           csv_text(bin.fit.reason));
    }
    return out;
}

}  // namespace xpcs
