// SPDX-License-Identifier: BSD-3-Clause
#include "portal/gnuplot_script.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

namespace xpcs::portal {

namespace {

// viridis: even steps of lightness, readable with every colour vision and in grey.
constexpr const char* preamble = R"(set encoding utf8
set palette defined (0 '#440154', 1 '#482878', 2 '#3e4989', 3 '#31688e', 4 '#26828e', 5 '#1f9e89', 6 '#35b779', 7 '#6ece58', 8 '#b5de2b', 9 '#fde725')
set style line 1 lc rgb '#0072b2' lw 2 pt 7 ps 0.9
set style line 2 lc rgb '#d55e00' lw 3
set style line 3 lc rgb '#9aa0a6' lw 1.5
set style line 9 lc rgb '#d9dde2' lw 1
set border lw 1.5 lc rgb '#444444'
set tics textcolor rgb '#222222' nomirror
set key noenhanced
set datafile missing 'nan'
)";

}  // namespace

const char* gnuplot_preamble() {
    return preamble;
}

std::string gnuplot_quoted(const std::string& text) {
    std::string out(1, '\'');
    for (const char c : printable(text)) {
        if (c == '\'') {
            out += c;
        }
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    out += '\'';
    return out;
}

double quantile(std::vector<double> values, double part) {
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    if (values.empty()) {
        return 0;
    }
    const auto at = static_cast<std::ptrdiff_t>(part * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + at, values.end());
    return values[static_cast<std::size_t>(at)];
}

std::string log_ticks(double low, double high) {
    if (!(low > 0) || !(high > low)) {
        return "auto";
    }
    const double decades = std::log10(high / low);
    const std::vector<double> steps = decades > 3 ? std::vector<double>{1}
                                      : decades > 0.85
                                          ? std::vector<double>{1, 2, 5}
                                          : std::vector<double>{1, 1.5, 2, 3, 4, 5, 6, 8};
    std::vector<double> ticks;
    for (int e = static_cast<int>(std::floor(std::log10(low))); std::pow(10, e) <= high; ++e) {
        for (const double step : steps) {
            const double value = step * std::pow(10, e);
            if (value >= low * 0.9999 && value <= high * 1.0001) {
                ticks.push_back(value);
            }
        }
    }
    if (ticks.size() < 3) {  // less than a factor of two: even steps
        ticks.clear();
        const double rough = (high - low) / 4, unit = std::pow(10, std::floor(std::log10(rough)));
        const double step = unit * (rough / unit < 2 ? 1 : rough / unit < 5 ? 2 : 5);
        const double first = std::ceil(low / step);
        for (int i = 0; (first + i) * step <= high; ++i) {
            ticks.push_back((first + i) * step);
        }
    }
    std::string out;
    for (const double value : ticks) {
        const bool power = value < 1e-3 || value >= 1e4;
        const int e = static_cast<int>(std::floor(std::log10(value) + 1e-9));
        const double m = value / std::pow(10, e);
        out += out.empty() ? "(" : ", ";
        out += power ? std::abs(m - 1) < 1e-6
                           ? fmt::format("'10^{{{}}}' {:.6g}", e, value)
                           : fmt::format("'{:.3g}·10^{{{}}}' {:.6g}", m, e, value)
                     : fmt::format("'{:.4g}' {:.6g}", value, value);
    }
    return out + ")";
}

void Script::begin(const std::string& name, int width, int height, int font) {
    add("reset session");
    text_ += gnuplot_preamble();
    add("set terminal pngcairo size {},{} font 'DejaVu Sans,{}' linewidth 1.4 background "
        "'#ffffff'",
        width,
        height,
        font);
    add("set output {}", gnuplot_quoted(directory_ + "/" + name));
    names_.push_back(name);
}

std::string Script::table(const std::vector<const std::vector<double>*>& columns) {
    std::string out;
    for (std::size_t i = 0; i < columns.front()->size(); ++i) {
        for (const auto* column : columns) {
            out += i < column->size() && std::isfinite((*column)[i])
                       ? fmt::format("{:.8g} ", (*column)[i])
                       : "nan ";
        }
        out += '\n';
    }
    return write(out);
}

std::string Script::write(const std::string& content) {
    const std::string path = scratch_ + "/" + std::to_string(n_files_++) + ".dat";
    errno = 0;
    std::ofstream out(path, std::ios::binary);
    out << content;
    out.close();
    if (!out) {
        throw Error(ExitCode::io,
                    "'" + printable(path) + "': cannot write: " + std::strerror(errno));
    }
    return gnuplot_quoted(path);
}

}  // namespace xpcs::portal
