// SPDX-License-Identifier: BSD-3-Clause
// Two-time correlation written down directly, in float64; includes nothing of the program.
#pragma once

#include <cstdint>
#include <vector>

#include "reference/reference.hpp"

namespace reference {

enum class Smooth { static_bin, dynamic_bin, time, none };

struct TwoTime {
    std::int64_t n_frames = 0;
    std::vector<double> c;         ///< [T][T], both triangles; NaN where a frame is empty
    std::vector<double> g2;        ///< [T]
    std::vector<double> segments;  ///< [T / 5][5]
    double at(std::int64_t t1, std::int64_t t2) const {
        return c[static_cast<std::size_t>(t1 * n_frames + t2)];
    }
};
TwoTime twotime(const Run& run, int dynamic_label, Smooth smooth);

/// C of level `level`, channel `channel`: values of j = 0 ... floor(T / 2^level) - channel - 1.
std::vector<double> band(const Run& run, int dynamic_label, int level, std::int64_t channel);

}  // namespace reference
