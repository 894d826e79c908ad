// SPDX-License-Identifier: BSD-3-Clause
// The mean of repeats of one measurement, as a result file like any other.
//
// g2: weighted mean over the results that are kept (host/repeats.hpp) and have a value there,
//   g2 = sum w g / sum w,  err = sqrt(sum w^2 e^2) / sum w
// with w = 1 (none), the photons of the result (counts), or 1/e^2 of each value (errors; a value
// without an error is left out, unless none has one). Partial g2, scattering, intensity against
// time, two-time maps and tables, and the beam monitors: plain means of what is not NaN. A map is
// read band by band of rows, so that memory does not grow with its area.
#pragma once

#include "host/repeats.hpp"

#include <string>
#include <vector>

namespace xpcs {

enum class AverageWeights { none, counts, errors };

struct AverageOptions {
    std::vector<std::string> files;  ///< at least two results of the present layout
    std::string output = ".";        ///< directory of the new result
    AverageWeights weights = AverageWeights::none;
    RepeatLimits limits;
    bool overwrite = false;
};

struct AveragedFile {
    std::string path;
    double weight = 0;
    double incident = 0, transmitted = 0;  ///< I0 and I1, NaN if the file does not say
    RepeatVerdict verdict;
};

struct AverageReport {
    std::string result;  ///< path of the new file
    std::vector<AveragedFile> files;
    std::vector<std::string> notes;
    std::size_t n_kept() const;
};

/// Throws Error: usage (fewer than two files), no_input, data (no result; results that differ in
/// lags, q-map, frame time, stride, average or shape, with both values; none left), cannot_create,
/// io, stopped.
AverageReport average(const AverageOptions& options);

/// `Average_<base>_<first>_<last>`: base is what the data set names have in common at the
/// beginning, up to a number that is not cut, first and last is what follows in the first and the
/// last name.
std::string average_stem(const std::vector<std::string>& paths);

/// One line per file: kept or dropped, scores, reason.
std::string to_text(const AverageReport& report);

}  // namespace xpcs
