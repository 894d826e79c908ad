// SPDX-License-Identifier: BSD-3-Clause
// Dark and flat correction of integrating detectors, between a reader of frames and the rest.
//
//   v = max(raw - dark(p), 0);  v = 0 unless v > lld + sigma * std(p);  v *= flat(p)
//
// dark and std are mean and population standard deviation of pixel p over the dark frames. The
// result is no whole number: samples leave as 32-bit integers in steps of 1/256 count, rounded to
// the nearest, so that all sums stay exact and the same on every device. g2 and C do not depend on
// the step; what is given in counts is divided by it at the end. Rounding is at most 1/512 count.
#pragma once

#include "host/readers/frame_source.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace xpcs {

struct FrameCorrection {
    static constexpr std::int64_t scale = 256;  ///< samples per count
    std::int64_t n_pixels = 0;
    std::vector<double> dark;       ///< [n_pixels] NaN: no data in the dark frames; or empty = 0
    std::vector<double> threshold;  ///< [n_pixels] lld + sigma std; never empty
    std::vector<float> flat;        ///< [n_pixels] or empty = 1
};

/// Reads dark frames and flat field for a detector of that shape. `frames` opens the raw file as a
/// run does. Throws Error (no_input, data, config).
std::shared_ptr<const FrameCorrection> load_correction(const RunConfig& config,
                                                       const std::string& raw,
                                                       const SourceOptions& frames,
                                                       const SourceInfo& source,
                                                       std::int64_t rows,
                                                       std::int64_t cols);

/// The source with corrected samples. Decoding throws Error (data) for a sample that 32 bits cannot
/// hold (above 16.7 million counts).
std::unique_ptr<FrameSource> corrected(std::unique_ptr<FrameSource> source,
                                       std::shared_ptr<const FrameCorrection> correction);

}  // namespace xpcs
