// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/twotime_factors.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace xpcs {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// What the static bins of a dynamic bin hold.
struct StaticSums {
    std::vector<std::uint32_t> bin_of_pixel;  ///< [n_pixels]
    std::vector<double> n_pixels;             ///< [n_bins]
    std::vector<std::uint64_t> photons;       ///< [n_bins][T]
};

StaticSums sum_static_bins(const BinEvents& events, const Partition& partition, std::size_t T) {
    StaticSums sums;
    std::vector<std::uint32_t> bins;
    for (const std::uint32_t slot : events.slot)
        bins.push_back(partition.static_bin[slot]);
    sums.bin_of_pixel = bins;
    std::sort(bins.begin(), bins.end());
    bins.erase(std::unique(bins.begin(), bins.end()), bins.end());
    sums.n_pixels.assign(bins.size(), 0);
    sums.photons.assign(bins.size() * T, 0);
    for (std::size_t p = 0; p < sums.bin_of_pixel.size(); ++p) {
        std::uint32_t& bin = sums.bin_of_pixel[p];
        bin = static_cast<std::uint32_t>(std::lower_bound(bins.begin(), bins.end(), bin) -
                                         bins.begin());
        sums.n_pixels[bin] += 1;
        std::uint64_t* of_bin = sums.photons.data() + bin * T;
        for (std::uint64_t i = events.begin[p]; i < events.begin[p + 1]; ++i)
            of_bin[events.frame[i]] += events.count[i];
    }
    return sums;
}

/// a(t, s) of one static bin; a bin without counts there has no x, so any value does.
std::vector<double>
factors_of(const StaticSums& sums, std::size_t bin, std::size_t T, TwotimeSmooth smooth) {
    const std::uint64_t* photons = sums.photons.data() + bin * T;
    std::vector<double> factor(T, 1.0);
    if (smooth == TwotimeSmooth::static_bin) {
        for (std::size_t t = 0; t < T; ++t) {
            if (photons[t] > 0) factor[t] = sums.n_pixels[bin] / static_cast<double>(photons[t]);
        }
    } else if (smooth == TwotimeSmooth::time) {
        const auto all =
            static_cast<double>(std::accumulate(photons, photons + T, std::uint64_t{0}));
        if (all > 0) {
            std::fill(
                factor.begin(), factor.end(), sums.n_pixels[bin] * static_cast<double>(T) / all);
        }
    }
    return factor;
}

/// Frames [first, first + n): pairs k apart of which both have counts.
std::vector<double>
count_pairs(const std::vector<double>& sum, std::int64_t first, std::int64_t n, bool all_lit) {
    std::vector<std::uint8_t> lit;
    for (std::int64_t t = first; t < first + n; ++t)
        lit.push_back(static_cast<std::uint8_t>(sum[static_cast<std::size_t>(t)] > 0));
    std::vector<double> pairs(static_cast<std::size_t>(n));
    for (std::int64_t k = 0; k < n; ++k) {
        std::int64_t count = n - k;
        if (!all_lit) {
            count = 0;
            for (std::int64_t t = 0; t + k < n; ++t)
                count += lit[static_cast<std::size_t>(t)] & lit[static_cast<std::size_t>(t + k)];
        }
        pairs[static_cast<std::size_t>(k)] = static_cast<double>(count);
    }
    return pairs;
}

}  // namespace

TwotimeFactors make_factors(const BinEvents& events,
                            const Partition& partition,
                            std::int64_t n_frames,
                            TwotimeSmooth smooth,
                            TwotimeBin& about) {
    TwotimeFactors out;
    const auto T = static_cast<std::size_t>(n_frames);
    StaticSums sums = sum_static_bins(events, partition, T);
    out.bin_of_pixel = std::move(sums.bin_of_pixel);
    out.sum.assign(T, 0.0);
    std::vector<std::uint8_t> lit(T, 0);
    for (std::size_t s = 0; s < sums.n_pixels.size(); ++s) {
        out.factor.push_back(factors_of(sums, s, T, smooth));
        for (std::size_t t = 0; t < T; ++t) {
            const std::uint64_t photons = sums.photons[s * T + t];
            out.sum[t] += static_cast<double>(photons) * out.factor[s][t];
            lit[t] |= static_cast<std::uint8_t>(photons > 0);
            about.photons += static_cast<std::int64_t>(photons);
        }
    }
    about.n_pixels = events.n_pixels();
    about.n_static = static_cast<std::int64_t>(sums.n_pixels.size());
    about.empty_frames = std::count(lit.begin(), lit.end(), 0);
    return out;
}

void divide_by_pairs(const std::vector<double>& sum, TwotimeBin& bin) {
    const bool all_lit = bin.empty_frames == 0;
    const std::vector<double> pairs =
        count_pairs(sum, 0, static_cast<std::int64_t>(sum.size()), all_lit);
    for (std::size_t k = 0; k < pairs.size(); ++k)
        bin.g2[k] = pairs[k] > 0 ? bin.g2[k] / pairs[k] : nan;
    for (std::int64_t s = 0; s < twotime_segments; ++s) {
        const std::vector<double> in_segment =
            count_pairs(sum, s * bin.segment_frames, bin.segment_frames, all_lit);
        for (std::size_t k = 0; k < in_segment.size(); ++k) {
            double& g2 = bin.g2_segments[k * twotime_segments + static_cast<std::size_t>(s)];
            g2 = in_segment[k] > 0 ? g2 / in_segment[k] : nan;
        }
    }
}

}  // namespace xpcs
