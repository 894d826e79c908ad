// SPDX-License-Identifier: BSD-3-Clause
// Builds a script of gnuplot and the data files that it reads.
#pragma once

#include "portal/report_data.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace xpcs::portal {

/// Single-quoted text of gnuplot: nothing in it is a command. Control characters become spaces.
std::string gnuplot_quoted(const std::string& text);

/// Encoding, palette (viridis), line styles.
const char* gnuplot_preamble();

/// Value below which `part` of the finite values lie; 0 if there are none.
double quantile(std::vector<double> values, double part);

/// Ticks of a logarithmic axis: powers of ten, with steps between where there are few of them.
/// gnuplot labels powers of ten alone, which are none on many q axes.
std::string log_ticks(double low, double high);

class Script {
  public:
    Script(const ReportData& report, std::string directory, std::string scratch)
        : report_(report), directory_(std::move(directory)), scratch_(std::move(scratch)),
          text_(gnuplot_preamble()) {}

    template <class... Args>
    void add(fmt::format_string<Args...> format, Args&&... args) {
        text_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
    }

    /// A new picture of width x height pixels.
    void begin(const std::string& name, int width, int height, int font);
    void end() { add("unset multiplot\nset output"); }

    /// Columns of text; NaN where there is nothing.
    std::string table(const std::vector<const std::vector<double>*>& columns);
    std::string floats(const std::vector<float>& values) {
        return write(std::string(reinterpret_cast<const char*>(values.data()),
                                 values.size() * sizeof(float)));
    }

    const std::string& text() const { return text_; }
    std::vector<std::string> names() const { return names_; }
    const ReportData& report() const { return report_; }

  private:
    std::string write(const std::string& content);

    const ReportData& report_;
    std::string directory_, scratch_, text_;
    std::vector<std::string> names_;
    int n_files_ = 0;
};

}  // namespace xpcs::portal
