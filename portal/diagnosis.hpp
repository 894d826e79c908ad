// SPDX-License-Identifier: BSD-3-Clause
// What somebody who looks at a result should know first.
#pragma once

#include "host/fit_table.hpp"
#include "host/result_reader.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace xpcs::portal {

/// Of the finite values; NaN without any.
double median(std::vector<double> values);

enum class Severity { note, warning, serious };

struct Finding {
    Severity severity = Severity::warning;
    std::string title;  ///< a few words
    std::string text;   ///< one or two sentences with the numbers
};

/// Frames whose intensity stands out: by more than six robust standard deviations (1.4826 median
/// absolute deviation) and a tenth of the median of their stretch of the run (a fiftieth, at least
/// 50 frames). Indices into data.intensity, ascending.
std::vector<std::size_t> outlier_frames(const ResultData& data);

/// Longest stretch of frames below a fifth of the median intensity; length 0 if none.
struct Stretch {
    std::size_t first = 0;
    std::size_t length = 0;
};
Stretch longest_dark_stretch(const std::vector<double>& intensity);

/// Labels of dynamic bins by what is wrong with them.
struct BinStates {
    std::vector<std::int64_t> empty;        ///< no value at any delay
    std::vector<std::int64_t> noisy;        ///< error > contrast / 3 at the shortest delays
    std::vector<std::int64_t> not_decayed;  ///< a third of the contrast left at the longest delays
};
BinStates bin_states(const ResultData& data);

struct HotPixel {
    std::int64_t row = 0, col = 0;
    double times = 0;  ///< its counts over the mean of its static bin
};
/// Pixels with more than ten times the mean of their static bin and more than 100 counts; the
/// largest first, at most `limit`.
std::vector<HotPixel>
hot_pixels(const Matrix& image, const QMap& maps, const ResultData& data, std::size_t limit);

/// Everything found, the serious first. `notes` are warnings that the result brought along.
std::vector<Finding> diagnose(const ResultData& data,
                              const Matrix& image,
                              const QMap& maps,
                              const std::optional<FitTable>& fits,
                              const std::vector<NamedValue>& provenance);

}  // namespace xpcs::portal
