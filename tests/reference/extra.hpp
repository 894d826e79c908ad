// SPDX-License-Identifier: BSD-3-Clause
// The oracle for frames with weights and for the other errors of g2; direct float64, nothing of the
// program.
#pragma once

#include <vector>

#include "reference/reference.hpp"

namespace reference {

/// g2 [lag][dynamic] of counts times the weight of their frame; frames of weight 0 are left out in
/// pairs: with m_j the frames of block j that take part, G2 = sum B_j B_{j+x}, past =
/// sum B_j m_{j+x} / 2^l, future = sum B_{j+x} m_j / 2^l, n = sum m_j m_{j+x} / 4^l.
struct Weighted {
    std::vector<double> g2;
    std::vector<double> pairs;  ///< [lag]
};
Weighted weighted(const Run& run, const std::vector<double>& weight);

/// Errors of g2, [lag][dynamic], as docs/numerics.md defines them.
struct Errors {
    std::vector<double> static_scatter, delta, shot_noise;
};
Errors errors(const Run& run);

}  // namespace reference
