// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/reduce.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace xpcs {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// Adds the packed tiles up, bundle by bundle in order: [arrays][n_bins][n_lags]. A bundle touches
/// few of the bins.
std::vector<double>
fold(const std::vector<PackedTile>& tiles, int arrays, std::size_t n_bins, std::size_t n_lags) {
    const auto n_arrays = static_cast<std::size_t>(arrays);
    std::vector<double> out(n_arrays * n_bins * n_lags, 0.0), bundle(out.size(), 0.0);
    std::vector<std::uint8_t> is_touched(n_bins, 0);
    std::vector<std::uint32_t> touched;
    for (std::size_t k = 0; k < tiles.size(); ++k) {
        const double* in = tiles[k].values.data();
        for (const std::uint32_t bin : tiles[k].bins) {
            if (std::exchange(is_touched[bin], 1) == 0) touched.push_back(bin);
            for (std::size_t a = 0; a < n_arrays; ++a) {
                double* row = bundle.data() + (a * n_bins + bin) * n_lags;
                for (std::size_t i = 0; i < n_lags; ++i)
                    row[i] += *in++;
            }
        }
        if (k + 1 < tiles.size() && tiles[k + 1].bundle == tiles[k].bundle) continue;
        for (const std::uint32_t bin : touched) {
            is_touched[bin] = 0;
            for (std::size_t a = 0; a < n_arrays; ++a) {
                const std::size_t row = (a * n_bins + bin) * n_lags;
                for (std::size_t i = row; i < row + n_lags; ++i)
                    out[i] += std::exchange(bundle[i], 0.0);
            }
        }
        touched.clear();
    }
    return out;
}

/// The three sums of every static bin as doubles, [n_static][n_lags] each.
struct StaticSums {
    std::vector<double> G2, past, future;
};

StaticSums static_sums(const BinSums& sums, std::size_t n_lags) {
    const std::size_t size = sums.n_static * n_lags;
    StaticSums out{std::vector<double>(size), std::vector<double>(size), std::vector<double>(size)};
    if (sums.weighted) {
        const std::vector<double> all = fold(sums.weighted_tiles, 3, sums.n_static, n_lags);
        std::copy_n(all.begin(), size, out.G2.begin());
        std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(size), size, out.past.begin());
        std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(2 * size), size, out.future.begin());
        return out;
    }
    for (std::size_t i = 0; i < size; ++i) {
        out.G2[i] = static_cast<double>(sums.G2[i]);
        out.past[i] = static_cast<double>(sums.past[i]);
        out.future[i] = static_cast<double>(sums.future[i]);
    }
    return out;
}

}  // namespace

std::vector<double> static_g2(const BinSums& sums, const Partition& partition) {
    const auto n_lags = static_cast<std::size_t>(sums.ladder.n_lags());
    const StaticSums bins = static_sums(sums, n_lags);
    std::vector<double> g2(sums.n_static * n_lags, nan);
    for (std::size_t s = 0; s < sums.n_static; ++s) {
        const std::uint32_t d = partition.dynamic_of_static[s];
        if (d == Partition::not_kept || sums.n_pixels[s] == 0) continue;
        for (std::size_t i = 0; i < n_lags; ++i) {
            const std::size_t at = s * n_lags + i;
            const double product = bins.past[at] * bins.future[at];
            if (!(product > 0)) continue;
            const double weight = sums.pairs[i] * static_cast<double>(sums.n_pixels[s]);
            g2[at] = weight * bins.G2[at] / product;
        }
    }
    return g2;
}

OneTime reduce(const BinSums& sums, const Partition& partition) {
    OneTime out;
    out.ladder = sums.ladder;
    out.pairs = sums.pairs;
    const auto n_lags = static_cast<std::size_t>(sums.ladder.n_lags());
    const std::size_t n_dynamic = sums.n_dynamic;
    out.g2.assign(n_lags * n_dynamic, 0.0);
    out.g2_err.assign(n_lags * n_dynamic, nan);
    out.static_without_signal.assign(n_lags, 0);
    out.pixels_without_signal.assign(n_lags, 0);

    const std::vector<double> of_bin = static_g2(sums, partition);
    std::vector<std::int64_t> n_bins(n_lags * n_dynamic, 0);
    std::vector<std::int64_t> pixels(n_dynamic, 0);
    for (std::size_t s = 0; s < sums.n_static; ++s) {
        const std::uint32_t d = partition.dynamic_of_static[s];
        if (d == Partition::not_kept || sums.n_pixels[s] == 0) continue;
        pixels[d] += sums.n_pixels[s];
        for (std::size_t i = 0; i < n_lags; ++i) {
            const double g2 = of_bin[s * n_lags + i];
            if (std::isnan(g2)) {
                ++out.static_without_signal[i];
                continue;
            }
            out.g2[i * n_dynamic + d] += g2;
            ++n_bins[i * n_dynamic + d];
        }
    }

    const std::vector<double> ratios = fold(sums.ratio_tiles, 2, n_dynamic, n_lags);
    const double* square = ratios.data() + n_dynamic * n_lags;
    for (std::size_t i = 0; i < n_lags; ++i) {
        for (std::size_t d = 0; d < n_dynamic; ++d) {
            double& g2 = out.g2[i * n_dynamic + d];
            const auto bins_used = static_cast<double>(n_bins[i * n_dynamic + d]);
            g2 = bins_used > 0 ? g2 / bins_used : nan;
            const std::size_t at = d * n_lags + i;
            const std::int64_t signal = sums.n_signal[at];
            out.pixels_without_signal[i] += pixels[d] - signal;
            if (signal < 2) continue;
            const auto n = static_cast<double>(signal);
            const double variance = (square[at] - ratios[at] * ratios[at] / n) / (n - 1);
            out.g2_err[i * n_dynamic + d] = std::sqrt(std::max(variance, 0.0) / n);
        }
    }
    return out;
}

PartialG2 reduce_partial(const MultitauSums& sums, const Partition& partition) {
    PartialG2 out;
    const LagLadder& ladder = sums.whole.ladder;
    const std::size_t n_values = static_cast<std::size_t>(ladder.n_lags()) * partition.n_dynamic;
    for (std::size_t k = 0; k < sums.partial.size(); ++k) {
        const OneTime slice = reduce(sums.partial[k], partition);
        std::vector<double> g2(n_values, nan), g2_err(n_values, nan);
        // A shorter ladder has the first lags of a longer one.
        std::copy(slice.g2.begin(), slice.g2.end(), g2.begin());
        std::copy(slice.g2_err.begin(), slice.g2_err.end(), g2_err.begin());
        out.g2.insert(out.g2.end(), g2.begin(), g2.end());
        out.g2_err.insert(out.g2_err.end(), g2_err.begin(), g2_err.end());
        out.end_frame.push_back(sums.partial_begin[k + 1]);
    }
    return out;
}

}  // namespace xpcs
