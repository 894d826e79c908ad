// SPDX-License-Identifier: BSD-3-Clause
#include "portal/report_json.hpp"

#include "host/text.hpp"
#include "host/version.hpp"
#include "portal/diagnosis.hpp"
#include "portal/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace xpcs::portal {

namespace {

using nlohmann::json;

json number(double value) {
    if (!std::isfinite(value)) {
        return nullptr;
    }
    return std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr);
}

json numbers(const std::vector<double>& values) {
    json out = json::array();
    for (const double value : values) {
        out.push_back(number(value));
    }
    return out;
}

json bins_json(const ReportData& report) {
    json out = json::array();
    const OneTimeData& one = report.result.one_time;
    for (std::int64_t column = 0; column < one.g2.cols; ++column) {
        const std::int64_t label = column + 1;
        json bin{{"label", label},
                 {"q", number(report.result.dynamic_centre(label, 0))},
                 {"phi", number(report.result.dynamic_centre(label, 1))},
                 {"text", report.bin_text(label)},
                 {"g2", numbers(one.g2.column(column))}};
        bin["err"] = one.g2_err.empty() ? json::array() : numbers(one.g2_err.column(column));
        json partial = json::array();
        for (const Matrix& segment : one.partial) {
            partial.push_back(numbers(segment.column(column)));
        }
        bin["partial"] = partial;
        if (report.fits) {
            const FitResult& fit = report.fits->bins[static_cast<std::size_t>(column)].fit;
            bin["fit"] = {{"ok", fit.ok},
                          {"reason", fit.reason},
                          {"values", numbers(fit.values)},
                          {"errors", numbers(fit.errors)},
                          {"chi2", number(fit.chi2 / std::max(1, fit.n_points - fit.n_free))}};
        }
        out.push_back(std::move(bin));
    }
    return out;
}

json curve_json(const ReportData& report) {
    const ResultData& result = report.result;
    json q = json::array();
    const std::int64_t n = result.scattering_1d.cols;
    for (std::int64_t column = 0; column < n; ++column) {
        const auto label = static_cast<std::uint32_t>(column + 1);
        const bool known = label <= result.qmap.n_static();
        q.push_back(known ? number(result.qmap.static_centre(label, 0)) : json(nullptr));
    }
    json segments = json::array();
    for (std::int64_t row = 0; row < result.scattering_1d_segments.rows; ++row) {
        segments.push_back(numbers(result.scattering_1d_segments.row(row)));
    }
    return {{"q", q},
            {"total", n > 0 ? numbers(result.scattering_1d.row(0)) : json::array()},
            {"segments", segments}};
}

/// Long traces: smallest and largest value of each stretch, so that no spike is lost.
json intensity_json(const ReportData& report) {
    constexpr std::size_t most_points = 4000, most_marks = 1000;
    const std::vector<double>& all = report.result.intensity;
    const auto time = [&](std::size_t i) { return static_cast<double>(i) * report.frame_step; };
    json t = json::array(), v = json::array(), marks = json::array();
    const auto add = [&](std::size_t i) {
        t.push_back(number(time(i)));
        v.push_back(number(all[i]));
    };
    const std::size_t stretch = std::max<std::size_t>(1, 2 * all.size() / most_points);
    for (std::size_t begin = 0; begin < all.size(); begin += stretch) {
        const auto first = all.begin() + static_cast<std::ptrdiff_t>(begin);
        const auto last =
            all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), begin + stretch));
        const auto [low, high] = std::minmax_element(first, last);
        const auto a = static_cast<std::size_t>(std::min(low, high) - all.begin());
        const auto b = static_cast<std::size_t>(std::max(low, high) - all.begin());
        add(a);
        if (b != a) {
            add(b);
        }
    }
    const std::size_t every = 1 + report.outliers.size() / most_marks;
    for (std::size_t k = 0; k < report.outliers.size(); k += every) {
        const std::size_t i = report.outliers[k];
        marks.push_back({number(time(i)), number(all[i])});
    }
    return {{"t", t}, {"v", v}, {"outliers", marks}, {"frames", all.size()}, {"stretch", stretch}};
}

json image_json(const ReportData& report) {
    const ReportImage& image = report.image;
    if (image.empty()) {
        return nullptr;
    }
    const Quantised codes = quantise(image.values, true, 4095);
    json centres = json::array();
    for (std::uint32_t label = 1; label <= report.maps.n_static(); ++label) {
        centres.push_back(number(report.maps.static_centre(label, 0)));
    }
    json hot = json::array();
    for (const HotPixel& pixel : report.hot) {
        hot.push_back({pixel.col, pixel.row, number(pixel.times)});
    }
    const QMap& maps = report.maps;
    return {{"rows", image.rows},
            {"cols", image.cols},
            {"factor", image.factor},
            {"low", number(codes.low)},
            {"high", number(codes.high)},
            {"codes", codes.n_codes},
            {"data", codes.data},
            {"dynamic", pack(image.dynamic_labels)},
            {"static", pack(image.static_labels)},
            {"static_q", centres},
            {"beam", {number(maps.beam_center_x), number(maps.beam_center_y)}},
            {"hot", hot}};
}

json maps_json(const ReportData& report) {
    json out = json::array();
    for (const ReportMap& map : report.two_time) {
        const Quantised codes = quantise(map.values.values, false, 65534);
        const double squeeze = static_cast<double>(report.result.two_time.n_frames) /
                               static_cast<double>(std::max<std::int64_t>(1, map.values.rows));
        out.push_back({{"label", map.label},
                       {"text", report.bin_text(map.label)},
                       {"n", map.values.rows},
                       {"step", number(report.step * squeeze)},
                       {"low", codes.low},
                       {"high", codes.high},
                       {"codes", codes.n_codes},
                       {"data", codes.data}});
    }
    return out;
}

json band_json(const ReportData& report) {
    json out = json::array();
    for (const BandMap& map : report.band) {
        const Quantised codes = quantise(map.values.values, false, 65534);
        json lag = json::array();
        for (const std::int64_t frames : map.lag) {
            lag.push_back(number(static_cast<double>(frames) * report.step));
        }
        out.push_back({{"label", map.label},
                       {"text", report.bin_text(map.label)},
                       {"lag", lag},
                       {"g2", numbers(map.g2)},
                       {"err", numbers(map.g2_err)},
                       {"columns", map.values.cols},
                       {"step", number(map.age_step * report.step)},
                       {"low", codes.low},
                       {"high", codes.high},
                       {"codes", codes.n_codes},
                       {"data", codes.data}});
    }
    return out;
}

json twotime_curves(const ReportData& report) {
    const TwoTimeData& two = report.result.two_time;
    json out = json::array();
    for (std::int64_t column = 0; column < two.g2.cols; ++column) {
        const auto k = static_cast<std::size_t>(column);
        const std::int64_t label =
            k < two.processed_bins.size() ? two.processed_bins[k] : column + 1;
        json t = json::array(), v = json::array();
        // Equal steps in log(t): a thousand frames need no thousand points.
        double next = 1;
        for (std::int64_t row = 1; row < two.g2.rows; ++row) {
            if (static_cast<double>(row) >= next) {
                t.push_back(number(static_cast<double>(row) * report.step));
                v.push_back(number(two.g2.at(row, column)));
                next = std::max(static_cast<double>(row + 1), next * 1.05);
            }
        }
        out.push_back({{"label", label}, {"text", report.bin_text(label)}, {"t", t}, {"g2", v}});
    }
    return out;
}

json rows_of(const std::vector<NamedValue>& values) {
    json out = json::array();
    for (const NamedValue& value : values) {
        const std::string text = printable(xpcs::to_text(value.value), 600);
        if (!text.empty()) {
            out.push_back({value.path, text, value.units});
        }
    }
    return out;
}

const char* severity_name(Severity severity) {
    return severity == Severity::serious   ? "serious"
           : severity == Severity::warning ? "warning"
                                           : "note";
}

json value_json(const NamedScalar& value) {
    return std::visit([](const auto& v) -> json { return v; }, value);
}

/// Values that are not finite: removed, in lists too.
void drop_non_finite(json& node) {
    for (auto it = node.begin(); it != node.end();) {
        if (it->is_number_float() && !std::isfinite(it->get<double>())) {
            it = node.erase(it);
        } else {
            if (it->is_structured()) {
                drop_non_finite(*it);
            }
            ++it;
        }
    }
}

/// "a/b" with units becomes {"a": {"b (units)": value}}.
json nested(const std::vector<NamedValue>& values) {
    json out = json::object();
    for (const NamedValue& value : values) {
        json* node = &out;
        std::size_t begin = 0, slash = 0;
        for (; (slash = value.path.find('/', begin)) != std::string::npos; begin = slash + 1) {
            json& below = (*node)[printable(value.path.substr(begin, slash - begin), 200)];
            if (!below.is_object()) {
                below = json::object();
            }
            node = &below;
        }
        std::string name = value.path.substr(begin);
        name += value.units.empty() ? "" : " (" + value.units + ")";
        (*node)[printable(name, 200)] = value_json(value.value);
    }
    return out;
}

/// The run in a few numbers: what the trends of an experiment are drawn from.
json results_json(const ReportData& report) {
    json out = json::object();
    const auto put = [&](const char* name, double value) {
        if (std::isfinite(value)) {
            out[name] = number(value);
        }
    };
    std::vector<double> tau, contrast;
    for (const BinFit& bin : report.fits ? report.fits->bins : std::vector<BinFit>{}) {
        if (bin.fit.ok) {
            tau.push_back(bin.fit.values[fit_tau]);
            contrast.push_back(bin.fit.values[fit_contrast]);
        }
    }
    if (report.fits) {
        out["bins"] = report.fits->bins.size();
        out["bins_fitted"] = tau.size();
    }
    double time = median(tau);
    if (report.fits && report.fits->power_law.ok) {
        // At one q for all runs of a q-map, whichever bins could be fitted: else a trend would jump
        // with the bins.
        std::vector<double> all;
        for (const BinFit& bin : report.fits->bins) {
            if (bin.q > 0) {
                all.push_back(bin.q);
            }
        }
        const std::vector<double>& law = report.fits->power_law.values;
        const double q = median(all);
        time = law[0] * std::pow(q, law[1]);
        put("relaxation_time_at_q", q);
        put("exponent_of_q", law[1]);
    }
    put(report.time_unit == "s" ? "relaxation_time_s" : "relaxation_time_frames", time);
    put("contrast", median(contrast));
    double sum = 0;
    for (const double value : report.result.intensity) {
        sum += value;
    }
    put("mean_intensity", sum / static_cast<double>(report.result.intensity.size()));
    for (const char* name : {"sample/temperature",
                             "sample/qnw1_temperature",
                             "sample/rheometer_temperature",
                             "sample/qnw_lakeshore"}) {
        for (const NamedValue& value : report.entry) {
            const auto* real = std::get_if<double>(&value.value);
            if (value.path == name && real != nullptr && *real > 0 &&
                !out.contains("temperature_K")) {
                // Stages report degrees Celsius or kelvin; nobody measures at less than 150 K.
                put("temperature_K", *real < 150 ? *real + 273.15 : *real);
            }
        }
    }
    return out;
}

}  // namespace

json page_json(const ReportData& report) {
    const ResultData& result = report.result;
    json findings = json::array();
    for (const Finding& finding : report.findings) {
        findings.push_back({{"severity", severity_name(finding.severity)},
                            {"title", finding.title},
                            {"text", finding.text}});
    }
    json law = nullptr;
    if (report.fits && report.fits->power_law.ok) {
        law = {{"values", numbers(report.fits->power_law.values)},
               {"errors", numbers(report.fits->power_law.errors)}};
    }
    return {{"name", printable(report.name)},
            {"axes",
             {{"names", {result.qmap.map_names[0], result.qmap.map_names[1]}},
              {"units", {result.qmap.map_units[0], result.qmap.map_units[1]}}}},
            {"time_unit", report.time_unit},
            {"delay", numbers(report.delay)},
            {"bins", bins_json(report)},
            {"partial_labels", numbers(result.one_time.partial_labels)},
            {"law", law},
            {"angular", result.qmap.static_num_pts[1] > 1},
            {"angular_bins", result.qmap.dynamic_num_pts[1] > 1},
            {"curve", curve_json(report)},
            {"intensity", intensity_json(report)},
            {"image", image_json(report)},
            {"maps", maps_json(report)},
            {"maps_left_out", report.n_maps_left_out},
            {"twotime_g2", twotime_curves(report)},
            {"band", band_json(report)},
            {"findings", findings},
            {"entry", rows_of(report.entry)},
            {"config", rows_of(report.config)},
            {"provenance", rows_of(report.provenance)}};
}

json curves_json(const ReportData& report) {
    return {{"delay", numbers(report.delay)},
            {"time_unit", report.time_unit},
            {"bins", bins_json(report)}};
}

json metadata_json(const ReportData& report, const std::string& plot_time, double seconds) {
    json out = json::object();
    const auto group = [&](const std::string& name, const std::string& prefix) {
        std::vector<NamedValue> below;
        for (NamedValue value : report.entry) {
            if (value.path.starts_with(prefix)) {
                value.path.erase(0, prefix.size());
                below.push_back(std::move(value));
            }
        }
        if (!below.empty()) {
            out[name] = nested(below);
        }
    };
    const ResultData& result = report.result;
    if (result.layout == "xpcs") {
        group("/entry/instrument", "instrument/");
        group("/entry/sample", "sample/");
        group("/entry/user", "user/");
        for (const auto& [path, values] : report.configs) {
            out[path] = nested(values);
        }
    } else {
        group("/measurement/instrument", "instrument/");
        group("/measurement/sample", "sample/");
        out["/xpcs"] = nested(report.config);
    }
    drop_non_finite(out);
    out["analysis_type"] = result.analysis_types;
    out["start_time"] = result.start_time;
    out["plot_time"] = plot_time;
    json tools = json::array();
    if (!result.program.empty()) {
        json tool{{"name", result.program}, {"tool_version", result.version}};
        for (const NamedValue& value : report.provenance) {
            if (value.path == "device" || value.path == "started" || value.path == "finished") {
                tool[value.path] = xpcs::to_text(value.value);
            }
        }
        for (const NamedValue& value : report.config) {
            const auto* time = std::get_if<double>(&value.value);
            if (value.path == "run_time" && time != nullptr && std::isfinite(*time)) {
                tool["execution_time_seconds"] = *time;
            }
        }
        tools.push_back(tool);
    }
    tools.push_back({{"name", "xpcs-portal"},
                     {"tool_version", version()},
                     {"source", build_commit()},
                     {"device", "cpu"},
                     {"execution_time_seconds", number(seconds)}});
    out["tools"] = tools;
    json warnings = json::array();
    for (const Finding& finding : report.findings) {
        warnings.push_back(finding.title + ": " + finding.text);
    }
    out["warnings"] = warnings;
    out["results"] = results_json(report);
    return out;
}

std::string dump_text(const json& value, int indent) {
    return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace xpcs::portal
