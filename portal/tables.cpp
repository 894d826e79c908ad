// SPDX-License-Identifier: BSD-3-Clause
#include "portal/tables.hpp"

#include "portal/stopping.hpp"

#include <fmt/format.h>

#include <cmath>
#include <set>

namespace xpcs::portal {

namespace {

std::string csv_number(double value) {
    return std::isfinite(value) ? fmt::format("{:.9g}", value) : "";
}

/// One line per row of `first`, then a column per column of `matrix`.
std::string table(const std::string& head, const std::vector<double>& first, const Matrix& matrix) {
    std::string out = head + "\n";
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
        const auto i = static_cast<std::size_t>(row);
        out += csv_number(i < first.size() ? first[i] : NAN);
        for (std::int64_t column = 0; column < matrix.cols; ++column) {
            out += ',';
            out += csv_number(matrix.at(row, column));
        }
        out += "\n";
    }
    return out;
}

std::string bin_heads(const ReportData& report, const std::vector<std::int64_t>& labels) {
    std::string out;
    for (const std::int64_t label : labels) {
        out += ',';
        out += csv_field(report.bin_text(label));
    }
    return out;
}

std::vector<std::int64_t> all_labels(std::int64_t n) {
    std::vector<std::int64_t> labels;
    for (std::int64_t label = 1; label <= n; ++label) {
        labels.push_back(label);
    }
    return labels;
}

void add_curves(const ReportData& report, std::map<std::string, std::string>& out) {
    const ResultData& result = report.result;
    if (result.scattering_1d.empty()) {
        return;
    }
    const Matrix& parts = result.scattering_1d_segments;
    std::string total = "q,phi,intensity\n", stability = "q";
    for (std::int64_t row = 0; row < parts.rows; ++row) {
        stability += fmt::format(",segment_{}", row + 1);
    }
    stability += "\n";
    for (std::int64_t column = 0; column < result.scattering_1d.cols; ++column) {
        const auto label = static_cast<std::uint32_t>(column + 1);
        const bool known = label <= result.qmap.n_static();
        const double q = known ? result.qmap.static_centre(label, 0) : NAN;
        const double phi = known ? result.qmap.static_centre(label, 1) : NAN;
        total += fmt::format("{},{},{}\n",
                             csv_number(q),
                             csv_number(phi),
                             csv_number(result.scattering_1d.at(0, column)));
        stability += csv_number(q);
        for (std::int64_t row = 0; row < parts.rows && column < parts.cols; ++row) {
            stability += ',';
            stability += csv_number(parts.at(row, column));
        }
        stability += "\n";
    }
    out["saxs_1d.csv"] = total;
    if (!parts.empty()) {
        out["saxs_1d_stability.csv"] = stability;
    }
}

}  // namespace

std::string csv_field(const std::string& text) {
    const bool formula =
        !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos;
    std::string out(formula ? "\"'" : "\"");
    for (const char c : text) {
        if (c == '"') {
            out += '"';
        }
        out += c;
    }
    out += '"';
    return out;
}

std::map<std::string, std::string> csv_tables(const ReportData& report) {
    std::map<std::string, std::string> out;
    const ResultData& result = report.result;
    add_curves(report, out);
    if (!result.intensity.empty()) {
        std::string text = fmt::format("frame,time_{},intensity,outlier\n", report.time_unit);
        const std::set<std::size_t> outliers(report.outliers.begin(), report.outliers.end());
        for (std::size_t i = 0; i < result.intensity.size(); ++i) {
            if (i % 65536 == 0) heed_signals();  // there may be tens of millions
            text += fmt::format("{},{:.9g},{},{}\n",
                                i,
                                static_cast<double>(i) * report.frame_step,
                                csv_number(result.intensity[i]),
                                outliers.count(i));
        }
        out["intensity.csv"] = text;
    }
    const OneTimeData& one = result.one_time;
    const std::string delay = "delay_" + report.time_unit;
    if (!one.g2.empty()) {
        const auto labels = all_labels(one.g2.cols);
        const std::string head = delay + bin_heads(report, labels);
        out["g2.csv"] = table(head, report.delay, one.g2);
        if (!one.g2_err.empty()) {
            out["g2_err.csv"] = table(head, report.delay, one.g2_err);
        }
        for (std::size_t k = 0; k < one.partial.size(); ++k) {
            out[fmt::format("g2_partial_{:02d}.csv", k + 1)] =
                table(head, report.delay, one.partial[k]);
        }
        std::string bins = "bin,q,phi\n";
        for (const std::int64_t label : labels) {
            bins += fmt::format("{},{},{}\n",
                                label,
                                csv_number(result.dynamic_centre(label, 0)),
                                csv_number(result.dynamic_centre(label, 1)));
        }
        out["qbin_values.csv"] = bins;
    }
    if (report.fits) {
        out["fit.csv"] = to_csv(*report.fits);
    }
    const TwoTimeData& two = result.two_time;
    if (!two.g2.empty()) {
        std::vector<double> t;
        for (std::int64_t row = 0; row < two.g2.rows; ++row) {
            t.push_back(static_cast<double>(row) * report.step);
        }
        out["c2_g2.csv"] = table(delay + bin_heads(report, two.processed_bins), t, two.g2);
    }
    return out;
}

}  // namespace xpcs::portal
