// SPDX-License-Identifier: BSD-3-Clause
// The oracle: the definitions of docs/numerics.md written down directly, in float64, without a
// thought for speed. It includes nothing of the program.
#pragma once

#include <cstdint>
#include <vector>

namespace reference {

struct Lag {
    int level;
    int blocks;
    std::int64_t frames;
    std::int64_t pairs;
};

std::vector<Lag> ladder(std::int64_t n_frames);

/// Counts [T][P], labels [P] from 1 (0 = not used).
struct Run {
    std::int64_t n_frames = 0;
    std::int64_t n_pixels = 0;
    std::vector<double> counts;
    std::vector<int> static_label;
    std::vector<int> dynamic_label;

    double at(std::int64_t t, std::int64_t p) const {
        return counts[static_cast<std::size_t>(t * n_pixels + p)];
    }
};

/// Raw sums of one pixel: G2, past (IP), future (IF), not divided.
struct Sums {
    std::vector<double> G2, past, future;
};
Sums pixel_sums(const Run& run, std::int64_t pixel);

struct OneTime {
    std::vector<Lag> lags;
    std::vector<double> g2;      ///< [lag][dynamic]
    std::vector<double> g2_err;  ///< [lag][dynamic]
};
OneTime multitau(const Run& run);

/// Frames begin + k * stride * average + {0, stride, ...} summed.
Run select(const Run& run,
           std::int64_t begin,
           std::int64_t end,
           std::int64_t stride,
           std::int64_t average);

/// Each frame divided by its mean over the used pixels relative to the mean frame.
Run normalised(const Run& run);

}  // namespace reference
