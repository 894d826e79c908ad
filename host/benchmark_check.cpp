// SPDX-License-Identifier: BSD-3-Clause
#include "host/benchmark_check.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/result_paths.hpp"
#include "host/result_reader.hpp"
#include "kernels/twotime_multitau.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace xpcs {

namespace {

constexpr double tolerance = 2e-6;

struct DirectLag {
    int level = 0;
    std::int64_t blocks = 0;
};

/// Level 0: lags 1 to 8; each further level of twice as long blocks: 5 to 8; while a pair exists.
std::vector<DirectLag> direct_lags(std::int64_t n_frames) {
    std::vector<DirectLag> lags;
    for (int level = 0;; ++level) {
        const std::int64_t n_blocks = n_frames >> level;
        for (std::int64_t blocks = level == 0 ? 1 : 5; blocks <= 8; ++blocks) {
            if (blocks >= n_blocks) return lags;
            lags.push_back({level, blocks});
        }
    }
}

std::vector<double> frame_factors(const BenchmarkTruth& truth, bool normalize_frame) {
    std::vector<double> factors(truth.frame_photons.size(), 1.0);
    if (!normalize_frame) return factors;
    const double mean =
        std::accumulate(truth.frame_photons.begin(), truth.frame_photons.end(), 0.0) /
        static_cast<double>(truth.frame_photons.size());
    for (std::size_t t = 0; t < factors.size(); ++t) {
        if (truth.frame_photons[t] == 0) {
            throw Error(ExitCode::internal,
                        "benchmark: frame " + std::to_string(t) +
                            " of a set with frame normalisation has no photon");
        }
        factors[t] = mean / static_cast<double>(truth.frame_photons[t]);
    }
    return factors;
}

struct Products {
    double G2 = 0, past = 0, future = 0;
};

}  // namespace

DirectCurve direct_g2(const BenchmarkTruth& truth, bool normalize_frame) {
    const std::vector<double> factors = frame_factors(truth, normalize_frame);
    const std::vector<DirectLag> lags = direct_lags(truth.n_frames);
    const auto n_bins = static_cast<std::size_t>(truth.n_bins);
    std::vector<Products> sums(n_bins * lags.size());
    std::vector<std::int64_t> n_pixels(n_bins, 0);
    std::vector<double> series;
    for (std::size_t p = 0; p < truth.pixel.size(); ++p) {
        const std::uint8_t* counts =
            truth.counts.data() + p * static_cast<std::size_t>(truth.n_frames);
        series.resize(static_cast<std::size_t>(truth.n_frames));
        for (std::size_t t = 0; t < series.size(); ++t)
            series[t] = counts[t] * factors[t];
        ++n_pixels[static_cast<std::size_t>(truth.bin[p])];
        int level = 0;
        for (std::size_t i = 0; i < lags.size(); ++i) {
            if (lags[i].level != level) {
                level = lags[i].level;
                for (std::size_t j = 0; j < series.size() / 2; ++j)
                    series[j] = series[2 * j] + series[2 * j + 1];
                series.resize(series.size() / 2);
            }
            const auto x = static_cast<std::size_t>(lags[i].blocks);
            Products& sum = sums[static_cast<std::size_t>(truth.bin[p]) * lags.size() + i];
            for (std::size_t j = 0; j + x < series.size(); ++j) {
                sum.G2 += series[j] * series[j + x];
                sum.past += series[j];
                sum.future += series[j + x];
            }
        }
    }
    DirectCurve curve;
    for (std::size_t i = 0; i < lags.size(); ++i) {
        const double pairs =
            static_cast<double>((truth.n_frames >> lags[i].level) - lags[i].blocks);
        double total = 0;
        int with_signal = 0;
        for (std::size_t bin = 0; bin < n_bins; ++bin) {
            const Products& sum = sums[bin * lags.size() + i];
            if (!(sum.past * sum.future > 0)) continue;
            total += sum.G2 * pairs * static_cast<double>(n_pixels[bin]) / (sum.past * sum.future);
            ++with_signal;
        }
        curve.lag.push_back(lags[i].blocks << lags[i].level);
        curve.g2.push_back(with_signal > 0 ? total / with_signal
                                           : std::numeric_limits<double>::quiet_NaN());
    }
    return curve;
}

DirectCurve direct_twotime(const BenchmarkTruth& truth, bool smooth, std::int64_t largest) {
    const auto T = static_cast<std::size_t>(truth.n_frames);
    const std::size_t N = truth.pixel.size();
    const auto n_bins = static_cast<std::size_t>(truth.n_bins);
    std::vector<double> x(N * T), sum(T, 0.0);
    std::vector<double> pixels(n_bins, 0.0);
    for (const int bin : truth.bin)
        pixels[static_cast<std::size_t>(bin)] += 1;
    for (std::size_t t = 0; t < T; ++t) {
        std::vector<double> counts(n_bins, 0.0);
        for (std::size_t p = 0; p < N; ++p)
            counts[static_cast<std::size_t>(truth.bin[p])] += truth.counts[p * T + t];
        for (std::size_t p = 0; p < N; ++p) {
            const auto bin = static_cast<std::size_t>(truth.bin[p]);
            const double mean = smooth && counts[bin] > 0 ? counts[bin] / pixels[bin] : 1.0;
            x[p * T + t] = truth.counts[p * T + t] / mean;
            sum[t] += x[p * T + t];
        }
    }
    DirectCurve curve;
    for (std::size_t k = 1; k < T && static_cast<std::int64_t>(k) < largest; k *= 2) {
        std::vector<double> products(T - k, 0.0);
        for (std::size_t p = 0; p < N; ++p) {
            const double* row = x.data() + p * T;
            for (std::size_t t = 0; t + k < T; ++t)
                products[t] += row[t] * row[t + k];
        }
        double total = 0, n = 0;
        for (std::size_t t = 0; t + k < T; ++t) {
            if (sum[t] == 0 || sum[t + k] == 0) continue;
            total += static_cast<double>(N) * products[t] / (sum[t] * sum[t + k]);
            n += 1;
        }
        curve.lag.push_back(static_cast<std::int64_t>(k));
        curve.g2.push_back(total / n);
    }
    return curve;
}

DirectCurve direct_curve(const BenchmarkSet& set, const BenchmarkTruth& truth) {
    switch (set.analysis) {
    case BenchmarkAnalysis::twotime:
        return direct_twotime(truth, true, truth.n_frames);
    case BenchmarkAnalysis::twotime_multitau:
        return direct_twotime(truth, false, std::int64_t{1} << default_band_depth);
    case BenchmarkAnalysis::multitau:
        break;
    }
    return direct_g2(truth, set.normalize_frame);
}

namespace {

/// g2 of the last dynamic bin at the lags of `direct`; empty where the result has other lags.
std::vector<double> curve_of(const std::string& result,
                             BenchmarkAnalysis analysis,
                             const std::vector<std::int64_t>& lags) {
    std::vector<double> found;
    if (analysis == BenchmarkAnalysis::multitau) {
        const ResultReader reader(result);
        const OneTimeData& one_time = reader.data().one_time;
        if (one_time.delay_list != lags) return {};
        return one_time.g2.column(one_time.g2.cols - 1);
    }
    if (analysis == BenchmarkAnalysis::twotime) {
        const ResultReader reader(result);
        const Matrix& g2 = reader.data().two_time.g2;
        const std::vector<double> all = g2.empty() ? std::vector<double>{} : g2.column(g2.cols - 1);
        for (const std::int64_t lag : lags) {
            if (static_cast<std::size_t>(lag) >= all.size()) return {};
            found.push_back(all[static_cast<std::size_t>(lag)]);
        }
        return found;
    }
    const h5::File file = h5::open_file(result);
    const auto delays = h5::read<std::int64_t>(file.id(), result_path::band_delay_list.path);
    const auto g2 = h5::read<float>(file.id(), result_path::band_g2.path);
    const std::size_t n_bins = delays.empty() ? 0 : g2.size() / delays.size();
    for (const std::int64_t lag : lags) {
        const auto at = std::find(delays.begin(), delays.end(), lag);
        if (at == delays.end() || n_bins == 0) return {};
        found.push_back(g2[static_cast<std::size_t>(at - delays.begin()) * n_bins + n_bins - 1]);
    }
    return found;
}

}  // namespace

double check_result(const std::string& result,
                    BenchmarkAnalysis analysis,
                    const DirectCurve& direct,
                    std::int64_t events_kept,
                    const BenchmarkTruth& truth) {
    if (events_kept != truth.n_events) {
        throw Error(ExitCode::data,
                    fmt::format("benchmark: {}: {} events kept, {} were made",
                                result,
                                events_kept,
                                truth.n_events));
    }
    const std::vector<double> g2 = curve_of(result, analysis, direct.lag);
    if (g2.size() != direct.lag.size()) {
        throw Error(ExitCode::data,
                    fmt::format("benchmark: {}: other lags than the {} expected",
                                result,
                                direct.lag.size()));
    }
    double largest = 0;
    for (std::size_t i = 0; i < g2.size(); ++i) {
        if (std::isnan(g2[i]) && std::isnan(direct.g2[i])) continue;
        const double away = std::abs(g2[i] - direct.g2[i]) / std::max(std::abs(direct.g2[i]), 1e-3);
        if (!(away <= tolerance)) {
            throw Error(ExitCode::data,
                        fmt::format("benchmark: {}: g2 at lag {} is {:.9g}, computed directly "
                                    "{:.9g}; at most {} relative allowed",
                                    result,
                                    direct.lag[i],
                                    g2[i],
                                    direct.g2[i],
                                    tolerance));
        }
        largest = std::max(largest, away);
    }
    return largest;
}

}  // namespace xpcs
