// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/error_estimates.hpp"

#include "kernels/multitau.hpp"
#include "kernels/reduce.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace xpcs {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t fewest_static_bins = 5;

/// Variance of the mean of r_p over the pixels of a static bin.
double delta_variance(const PixelMoments::Moments& m) {
    if (m.n < 2) return nan;
    const auto& [G, P, F] = m.mean;
    const double product = P * F;
    const double g = G / product;
    // r_p as a linear form of (G_p, P_p, F_p).
    const double v[3] = {1 / product, -g / P, -g / F};
    const double* c = m.covariance;
    const double variance = v[0] * (v[0] * c[0] + 2 * v[1] * c[1] + 2 * v[2] * c[2]) +
                            v[1] * (v[1] * c[3] + 2 * v[2] * c[4]) + v[2] * v[2] * c[5];
    return std::max(variance, 0.0) / static_cast<double>(m.n);
}

/// What the static bins of one dynamic bin add up to at one lag.
struct Parts {
    std::int64_t n = 0;
    double sum = 0, delta = 0, shot = 0, squares = 0;
};

}  // namespace

PixelMoments::PixelMoments(const Partition& partition, int n_lags)
    : partition_(&partition), n_lags_(static_cast<std::size_t>(n_lags)), n_(partition.n_static, 0),
      sums_(partition.n_static * n_lags_ * n_values, 0.0) {}

void PixelMoments::add(const PixelMeans& means,
                       const std::vector<std::uint8_t>& excluded,
                       double scale) {
    const double one = 1 / scale, square = one * one;
    for (std::int64_t k = 0; k < means.n_pixels; ++k) {
        const auto slot = static_cast<std::size_t>(means.first_slot + k);
        if (!excluded.empty() && excluded[slot] != 0) continue;
        const std::uint32_t bin = partition_->static_bin[slot];
        const bool first = n_[bin]++ == 0;
        double* row = sums_.data() + bin * n_lags_ * n_values;
        for (std::size_t i = 0; i < n_lags_; ++i, row += n_values) {
            const std::size_t at =
                i * static_cast<std::size_t>(means.n_pixels) + static_cast<std::size_t>(k);
            const double value[3] = {
                square * means.G2[at], one * means.past[at], one * means.future[at]};
            // Differences from the first pixel: no digits are lost where pixels are nearly equal.
            if (first) std::copy_n(value, 3, row);
            const double G2 = value[0] - row[0], past = value[1] - row[1],
                         future = value[2] - row[2];
            row[3] += G2;
            row[4] += past;
            row[5] += future;
            row[6] += G2 * G2;
            row[7] += G2 * past;
            row[8] += G2 * future;
            row[9] += past * past;
            row[10] += past * future;
            row[11] += future * future;
        }
    }
}

PixelMoments::Moments PixelMoments::of(std::uint32_t static_bin, int lag) const {
    Moments out;
    out.n = n_[static_bin];
    if (out.n == 0) return out;
    const double* row =
        sums_.data() + (static_bin * n_lags_ + static_cast<std::size_t>(lag)) * n_values;
    const auto n = static_cast<double>(out.n);
    const double* sum = row + 3;
    for (int a = 0; a < 3; ++a)
        out.mean[a] = row[a] + sum[a] / n;
    const double* product = row + 6;
    for (int a = 0, at = 0; a < 3; ++a) {
        for (int b = a; b < 3; ++b, ++at)
            out.covariance[at] = out.n < 2 ? nan : (product[at] - sum[a] * sum[b] / n) / (n - 1);
    }
    return out;
}

ErrorEstimates
estimate_errors(const BinSums& sums, const Partition& partition, const PixelMoments& moments) {
    const auto n_lags = static_cast<std::size_t>(sums.ladder.n_lags());
    const std::size_t n_dynamic = sums.n_dynamic;
    const std::vector<double> g2 = static_g2(sums, partition);
    std::vector<Parts> all(n_lags * n_dynamic);
    const auto for_each = [&](const auto& visit) {
        for (std::uint32_t s = 0; s < sums.n_static; ++s) {
            const std::uint32_t d = partition.dynamic_of_static[s];
            for (std::size_t i = 0; d != Partition::not_kept && i < n_lags; ++i) {
                const double g = g2[s * n_lags + i];
                if (!std::isnan(g)) visit(s, i, g, all[i * n_dynamic + d]);
            }
        }
    };
    for_each([&](std::uint32_t s, std::size_t i, double g, Parts& parts) {
        const PixelMoments::Moments m = moments.of(s, static_cast<int>(i));
        const Lag& lag = sums.ladder.lags[i];
        const double per_block = std::ldexp(1.0, 2 * lag.level) * m.mean[1] * m.mean[2];
        ++parts.n;
        parts.sum += g;
        parts.delta += delta_variance(m);
        parts.shot += g / (per_block * sums.pairs[i] * static_cast<double>(m.n));
    });
    for_each([&](std::uint32_t, std::size_t, double g, Parts& parts) {
        const double off = g - parts.sum / static_cast<double>(parts.n);
        parts.squares += off * off;
    });

    ErrorEstimates out;
    out.static_scatter.assign(all.size(), nan);
    out.delta = out.shot_noise = out.static_scatter;
    for (std::size_t k = 0; k < all.size(); ++k) {
        const Parts& parts = all[k];
        if (parts.n == 0) continue;
        const auto n = static_cast<double>(parts.n);
        out.delta[k] = std::sqrt(parts.delta) / n;
        out.shot_noise[k] = std::sqrt(parts.shot) / n;
        if (parts.n >= fewest_static_bins) {
            out.static_scatter[k] = std::sqrt(parts.squares / (n - 1) / n);
        }
    }
    return out;
}

}  // namespace xpcs
