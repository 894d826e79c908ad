// SPDX-License-Identifier: BSD-3-Clause
#include "host/speckle.hpp"

#include <utility>

namespace xpcs {

namespace {

/// Part of <x^2> that lies above `bound` for x = mean of n unit exponentials: the upper tail of a
/// Gamma(n + 2) distribution at n * bound, exp(-z) * sum_{k < n + 2} z^k / k!.
double second_moment_above(int n, double bound) {
    const double z = n * bound;
    double term = 1, sum = 0;
    for (int k = 0; k < n + 2; ++k) {
        sum += term;
        term *= z / (k + 1);
    }
    return std::exp(-z) * sum;
}

}  // namespace

SpeckleModes modes_for(double contrast) {
    constexpr int most = 8;  // more modes cost time and show only in third moments
    SpeckleModes modes;
    modes.n = std::clamp(static_cast<int>(1 / contrast + 1e-9), 1, most);
    modes.fluctuating = std::min(1.0, std::sqrt(contrast * modes.n));
    // Intensities above the bound are cut there. 1e-6 of <I^2> is far below what any run can see.
    double bound = 2;
    while (second_moment_above(modes.n, bound) > 1e-6) {
        bound += 0.125;
    }
    modes.bound = 1 - modes.fluctuating + modes.fluctuating * bound;
    return modes;
}

SpecklePixels::SpecklePixels(std::vector<PixelModel> pixels,
                             SpeckleModes modes,
                             std::uint64_t seed,
                             double hot_rate,
                             std::uint32_t hot_counts)
    : pixels_(std::move(pixels)), modes_(modes), hot_rate_(hot_rate), hot_counts_(hot_counts),
      states_(pixels_.size()), fields_(pixels_.size() * static_cast<std::size_t>(2 * modes.n)) {
    for (std::size_t pixel = 0; pixel < pixels_.size(); ++pixel) {
        states_[pixel].random = RandomStream(seed, pixel);
    }
}

}  // namespace xpcs
