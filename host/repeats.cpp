// SPDX-License-Identifier: BSD-3-Clause
#include "host/repeats.hpp"

#include "host/fit.hpp"
#include "host/nan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace xpcs {

namespace {

constexpr double mad_to_sigma = 1.4826;  ///< of a normal distribution

/// The curve that the repeats are compared with.
struct MedianCurve {
    std::vector<double> g2, weight;
    bool has_errors = false;
};

MedianCurve median_curve(const std::vector<RepeatCurves>& repeats,
                         const std::vector<RepeatVerdict>& verdicts) {
    MedianCurve out;
    const std::size_t n = repeats.front().g2.size();
    std::vector<double> values, variances;
    for (std::size_t i = 0; i < n; ++i) {
        values.clear();
        variances.clear();
        for (std::size_t k = 0; k < repeats.size(); ++k) {
            if (!verdicts[k].kept) continue;
            values.push_back(repeats[k].g2[i]);
            const double e = repeats[k].err.empty() ? nan : repeats[k].err[i];
            variances.push_back(e > smallest_error ? e * e : nan);
        }
        out.g2.push_back(median_of(values));
        const double variance = median_of(variances);
        out.weight.push_back(1 / variance);
        out.has_errors = out.has_errors || variance > 0;
    }
    // A value without an error says nothing about its noise: it is left out, unless none has one.
    for (double& weight : out.weight) {
        if (!out.has_errors) weight = 1;
        if (!std::isfinite(weight)) weight = 0;
    }
    return out;
}

/// Sums over lags and bins of a repeat and the median curve.
struct Comparison {
    double gm = 0, gg = 0, mm = 0, weight = 0, shift = 0;
    std::size_t n = 0;  ///< values less the means taken off

    double shape() const { return gm / std::sqrt(gg * mm); }
    double amplitude() const { return gm / mm; }
    double offset() const { return shift / weight; }
};

Comparison compare(const std::vector<double>& g2, const MedianCurve& median, std::size_t n_bins) {
    Comparison out;
    const std::size_t n_lags = n_bins > 0 ? g2.size() / n_bins : 0;
    for (std::size_t bin = 0; bin < n_bins; ++bin) {
        const auto each = [&](const std::function<void(double, double, double)>& visit) {
            for (std::size_t lag = 0; lag < n_lags; ++lag) {
                const std::size_t i = lag * n_bins + bin;
                if (std::isfinite(g2[i]) && std::isfinite(median.g2[i]) && median.weight[i] > 0) {
                    visit(g2[i], median.g2[i], median.weight[i]);
                }
            }
        };
        double sum_g = 0, sum_m = 0, sum_w = 0;
        std::size_t n = 0;
        each([&](double g, double m, double w) {
            sum_g += w * g;
            sum_m += w * m;
            sum_w += w;
            ++n;
        });
        if (n < 2) continue;
        const double mean_g = sum_g / sum_w, mean_m = sum_m / sum_w;
        each([&](double g, double m, double w) {
            out.gm += w * (g - mean_g) * (m - mean_m);
            out.gg += w * (g - mean_g) * (g - mean_g);
            out.mm += w * (m - mean_m) * (m - mean_m);
        });
        out.shift += sum_g - sum_m;
        out.weight += sum_w;
        out.n += n - 1;
    }
    return out;
}

std::size_t n_kept(const std::vector<RepeatVerdict>& verdicts) {
    return static_cast<std::size_t>(
        std::count_if(verdicts.begin(), verdicts.end(), [](const auto& v) { return v.kept; }));
}

void drop(RepeatVerdict& verdict, const std::string& reason) {
    verdict.kept = false;
    verdict.reason = reason;
}

/// Five standard deviations of the chi-square that noise alone gives.
bool stands_out(const MedianCurve& median, std::size_t n_bins) {
    const Comparison self = compare(median.g2, median, n_bins);
    const auto n = static_cast<double>(self.n);
    return median.has_errors ? self.mm - n > 5 * std::sqrt(2 * n) : self.mm > 0;
}

struct Scores {
    std::vector<double> values;
    double error = 0;  ///< statistical, 0 if not known
};

/// z of every kept repeat.
std::vector<double> robust_z(const Scores& scores) {
    const double middle = median_of(scores.values);
    std::vector<double> deviations;
    for (const double value : scores.values) {
        deviations.push_back(std::abs(value - middle));
    }
    const double scale = std::max(mad_to_sigma * median_of(deviations), scores.error);
    std::vector<double> z;
    for (const double value : scores.values) {
        const double distance = value - middle;
        // Equal repeats have no scale: what differs from them then is an outlier, however little.
        z.push_back(distance == 0 ? 0 : distance / scale);
    }
    return z;
}

class Judge {
  public:
    Judge(const std::vector<RepeatCurves>& repeats, std::size_t n_bins, RepeatLimits limits)
        : repeats_(repeats), n_bins_(n_bins), limits_(limits) {
        out_.verdicts.resize(repeats.size());
    }
    RepeatJudgement run() {
        if (!repeats_.empty()) {
            shapes();
            amplitudes();
        }
        return out_;
    }

  private:
    void shapes() {
        const MedianCurve median = median_curve(repeats_, out_.verdicts);
        std::vector<double> shapes;
        for (std::size_t k = 0; k < repeats_.size(); ++k) {
            RepeatVerdict& verdict = out_.verdicts[k];
            const Comparison found = compare(repeats_[k].g2, median, n_bins_);
            verdict.shape = found.shape();
            shapes.push_back(verdict.shape);
            if (found.n == 0) drop(verdict, "no values of g2");
        }
        if (limits_.shape <= 0) return;
        if (repeats_.size() < 3) {
            out_.notes.emplace_back("fewer than 3 results: nothing tells outliers, all are kept");
            return;
        }
        const double usual = median_of(shapes);
        if (!stands_out(median, n_bins_) || !(usual > 0)) {
            out_.notes.emplace_back("the median curve has no shape above the noise: curves are "
                                    "not compared by shape");
            return;
        }
        for (RepeatVerdict& verdict : out_.verdicts) {
            if (verdict.kept && !(verdict.shape >= limits_.shape * usual)) {
                drop(verdict,
                     fmt::format("shape of g2: correlation {:.3f} with the median curve, at least "
                                 "{:.3f} expected ({:g} of the median {:.3f})",
                                 verdict.shape,
                                 limits_.shape * usual,
                                 limits_.shape,
                                 usual));
            }
        }
    }

    void amplitudes() {
        if (limits_.z <= 0 || repeats_.size() < 3) return;
        if (n_kept(out_.verdicts) < 3) {
            out_.notes.emplace_back("fewer than 3 results left: contrast and offset not compared");
            return;
        }
        const MedianCurve median = median_curve(repeats_, out_.verdicts);
        const bool shaped = stands_out(median, n_bins_);
        Scores amplitude, offset;
        std::vector<RepeatVerdict*> kept;
        for (std::size_t k = 0; k < repeats_.size(); ++k) {
            RepeatVerdict& verdict = out_.verdicts[k];
            if (!verdict.kept) continue;
            const Comparison found = compare(repeats_[k].g2, median, n_bins_);
            verdict.amplitude = found.amplitude();
            verdict.offset = found.offset();
            if (median.has_errors) {
                amplitude.error = std::max(amplitude.error, 1 / std::sqrt(found.mm));
                offset.error = std::max(offset.error, 1 / std::sqrt(found.weight));
            }
            amplitude.values.push_back(verdict.amplitude);
            offset.values.push_back(verdict.offset);
            kept.push_back(&verdict);
        }
        const std::vector<double> z_amplitude = robust_z(amplitude), z_offset = robust_z(offset);
        for (std::size_t i = 0; i < kept.size(); ++i) {
            RepeatVerdict& verdict = *kept[i];
            verdict.z_offset = z_offset[i];
            if (shaped) verdict.z_amplitude = z_amplitude[i];
            if (shaped && std::abs(z_amplitude[i]) > limits_.z) {
                drop(verdict,
                     fmt::format("contrast {:.3g} times the median curve's: z = {:.3g}, at most "
                                 "{:g} expected",
                                 verdict.amplitude,
                                 verdict.z_amplitude,
                                 limits_.z));
            } else if (std::abs(z_offset[i]) > limits_.z) {
                drop(verdict,
                     fmt::format("g2 {:+.3g} off the median curve: z = {:.3g}, at most {:g} "
                                 "expected",
                                 verdict.offset,
                                 verdict.z_offset,
                                 limits_.z));
            }
        }
    }

    const std::vector<RepeatCurves>& repeats_;
    std::size_t n_bins_;
    RepeatLimits limits_;
    RepeatJudgement out_;
};

}  // namespace

double median_of(std::vector<double> values) {
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    if (values.empty()) return nan;
    const std::size_t half = values.size() / 2;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(half);
    std::nth_element(values.begin(), middle, values.end());
    const double upper = *middle;
    if (values.size() % 2 == 1) return upper;
    return (upper + *std::max_element(values.begin(), middle)) / 2;
}

RepeatJudgement
judge_repeats(const std::vector<RepeatCurves>& repeats, std::size_t n_bins, RepeatLimits limits) {
    return Judge(repeats, n_bins, limits).run();
}

}  // namespace xpcs
