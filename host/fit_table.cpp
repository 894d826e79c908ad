// SPDX-License-Identifier: BSD-3-Clause
#include "host/fit_table.hpp"

#include "host/errors.hpp"
#include "host/nan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace xpcs {

namespace {

std::string number(double value, int digits = 4) {
    return std::isnan(value) ? "-" : fmt::format("{:.{}g}", value, digits);
}

std::string csv_short(double value) {
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

FitResult power_law_of(const std::vector<BinFit>& bins, double q_low, double q_high) {
    std::vector<double> q, tau, err;
    for (const BinFit& bin : bins) {
        if (bin.fit.ok && bin.q >= q_low && bin.q <= q_high) {
            q.push_back(bin.q);
            tau.push_back(bin.fit.values[fit_tau]);
            err.push_back(bin.fit.errors[fit_tau]);
        }
    }
    return fit_power_law(q, tau, err);
}

}  // namespace

const char* to_text(FitModel model) {
    return model == FitModel::single ? "single" : "double";
}

std::size_t n_parameters(FitModel model) {
    return model == FitModel::single ? 4 : 7;
}

const std::array<std::string, 7>& parameter_keys() {
    static const std::array<std::string, 7> keys{
        "contrast", "tau", "exponent", "baseline", "tau2", "exponent2", "fraction"};
    return keys;
}

std::vector<FitBounds> bounds_of(FitModel model, const DoubleFitOptions& options) {
    std::vector<FitBounds> bounds{options.contrast,
                                  options.tau_s,
                                  options.exponent,
                                  options.baseline,
                                  options.tau2_s,
                                  options.exponent2,
                                  options.fraction};
    bounds.resize(n_parameters(model));
    return bounds;
}

double model_value(FitModel model, double t, const FitResult& fit) {
    const std::vector<double>& p = fit.values;
    return model == FitModel::single
               ? single_model(t, p[fit_contrast], p[fit_tau], p[fit_exponent], p[fit_baseline])
               : double_model(t, p);
}

std::vector<double> fit_delays(const ResultData& data) {
    const OneTimeData& one = data.one_time;
    return data.frame_time_known
               ? one.delay_s
               : std::vector<double>(one.delay_list.begin(), one.delay_list.end());
}

FitTable empty_table(const ResultData& data, FitModel model) {
    FitTable table;
    table.model = model;
    table.time_unit = data.frame_time_known ? "s" : "frames";
    for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
        table.axis_names[axis] = data.qmap.map_names[axis];
        table.axis_units[axis] = data.qmap.map_units[axis];
    }
    for (std::int64_t label = 1; label <= data.one_time.g2.cols; ++label) {
        BinFit bin;
        bin.label = label;
        bin.q = data.dynamic_centre(label, 0);
        bin.phi = data.dynamic_centre(label, 1);
        bin.expected_tau_s = nan;
        table.bins.push_back(std::move(bin));
    }
    return table;
}

FitTable fit_result(const ResultData& data, const FitRequest& request) {
    if (!data.has_multitau()) {
        throw Error(ExitCode::data, "'" + data.path + "': no one-time correlation, nothing to fit");
    }
    FitTable table = empty_table(data, request.model);
    table.options = request.options;
    table.stretched = !request.options.exponent.fixed();
    table.q_low = request.q_low;
    table.q_high = request.q_high;
    const OneTimeData& one = data.one_time;
    const std::vector<double> delay = fit_delays(data);
    const bool q_axis = table.axis_names[0] == "q";
    for (BinFit& bin : table.bins) {
        const std::vector<double> g2 = one.g2.column(bin.label - 1);
        const std::vector<double> err =
            one.g2_err.empty() ? std::vector<double>{} : one.g2_err.column(bin.label - 1);
        bin.fit = request.model == FitModel::single ? fit_single(delay, g2, err, request.options)
                                                    : fit_double(delay, g2, err, request.options);
        if (request.diffusion && q_axis && bin.q > 0 && data.frame_time_known) {
            bin.expected_tau_s = 1 / (*request.diffusion * bin.q * bin.q);
        }
    }
    table.power_law = power_law_of(table.bins, table.q_low, table.q_high);
    return table;
}

FitTable fit_result(const ResultData& data, std::optional<double> diffusion, bool stretched) {
    FitRequest request;
    request.diffusion = diffusion;
    if (stretched) {
        request.options.exponent = {0.5, 2.0};
    }
    return fit_result(data, request);
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
    const bool two = table.model == FitModel::double_;
    head.emplace_back("baseline");
    if (two) {
        head.insert(head.end(), {with_unit("tau2", table.time_unit), "error", "fraction"});
    }
    head.emplace_back("status");
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
        if (two) {
            line.push_back(number(shown(fit_tau2)));
            line.push_back(number(bin.fit.ok ? bin.fit.errors[fit_tau2] : nan, 2));
            line.push_back(number(shown(fit_fraction), 3));
        }
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
    const std::size_t n = n_parameters(table.model);
    std::string out = "bin," + csv_text(with_unit(table.axis_names[0], table.axis_units[0])) + "," +
                      csv_text(with_unit(table.axis_names[1], table.axis_units[1]));
    for (std::size_t p = 0; p < n; ++p) {
        const bool time = p == fit_tau || p == fit_tau2;
        const std::string unit = time ? "_" + table.time_unit : "";
        out += "," + parameter_keys()[p] + unit + "," + parameter_keys()[p] + "_err" + unit;
    }
    out += ",chi2,points,expected_tau_s,fitted,reason\n";
    for (const BinFit& bin : table.bins) {
        out += fmt::format("{},{},{}", bin.label, csv_short(bin.q), csv_short(bin.phi));
        for (std::size_t p = 0; p < n; ++p) {
            out += fmt::format(",{},{}",
                               csv_short(bin.fit.ok ? bin.fit.values[p] : nan),
                               csv_short(bin.fit.ok ? bin.fit.errors[p] : nan));
        }
        out += fmt::format(",{},{},{},{},{}\n",
                           csv_short(bin.fit.chi2),
                           bin.fit.n_points,
                           csv_short(bin.expected_tau_s),
                           bin.fit.ok ? 1 : 0,
                           csv_text(bin.fit.reason));
    }
    return out;
}

}  // namespace xpcs
