// SPDX-License-Identifier: BSD-3-Clause
#include "reference/twotime.hpp"

#include <cmath>
#include <limits>

namespace reference {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool in_bin(const Run& run, std::int64_t p, int dynamic_label) {
    const auto q = static_cast<std::size_t>(p);
    return run.dynamic_label[q] == dynamic_label && run.static_label[q] > 0;
}

/// Mean over the pixels that share the bin of pixel p which the smoothing names, in frame t.
double bin_mean(const Run& run, std::int64_t t, std::int64_t p, Smooth smooth) {
    const std::vector<int>& label =
        smooth == Smooth::dynamic_bin ? run.dynamic_label : run.static_label;
    const auto q = static_cast<std::size_t>(p);
    double sum = 0, n = 0;
    for (std::int64_t other = 0; other < run.n_pixels; ++other) {
        const auto o = static_cast<std::size_t>(other);
        if (label[o] != label[q] || !in_bin(run, other, run.dynamic_label[q])) continue;
        sum += run.at(t, other);
        n += 1;
    }
    return sum / n;
}

double divisor(const Run& run, std::int64_t t, std::int64_t p, Smooth smooth) {
    if (smooth == Smooth::none) return 1;
    if (smooth != Smooth::time) return bin_mean(run, t, p, smooth);
    double mean = 0;
    for (std::int64_t s = 0; s < run.n_frames; ++s)
        mean += bin_mean(run, s, p, smooth) / static_cast<double>(run.n_frames);
    return mean;
}

double mean_diagonal(const TwoTime& two, std::int64_t first, std::int64_t n, std::int64_t k) {
    double sum = 0, count = 0;
    for (std::int64_t t = first; t + k < first + n; ++t) {
        const double c = two.at(t, t + k);
        if (std::isnan(c)) continue;
        sum += c;
        count += 1;
    }
    return count > 0 ? sum / count : nan;
}

}  // namespace

TwoTime twotime(const Run& run, int dynamic_label, Smooth smooth) {
    const auto T = static_cast<std::size_t>(run.n_frames);
    std::vector<std::vector<double>> x(T);
    std::vector<double> sum(T, 0.0);
    for (std::int64_t p = 0; p < run.n_pixels; ++p) {
        if (!in_bin(run, p, dynamic_label)) continue;
        for (std::size_t t = 0; t < T; ++t) {
            const auto frame = static_cast<std::int64_t>(t);
            const double by = divisor(run, frame, p, smooth);
            x[t].push_back(by > 0 ? run.at(frame, p) / by : 0);
            sum[t] += x[t].back();
        }
    }
    TwoTime out;
    out.n_frames = run.n_frames;
    for (std::size_t t1 = 0; t1 < T; ++t1) {
        for (std::size_t t2 = 0; t2 < T; ++t2) {
            double product = 0;
            for (std::size_t p = 0; p < x[t1].size(); ++p)
                product += x[t1][p] * x[t2][p];
            const double norm = sum[t1] * sum[t2];
            out.c.push_back(norm > 0 ? static_cast<double>(x[t1].size()) * product / norm : nan);
        }
    }
    for (std::int64_t k = 0; k < run.n_frames; ++k)
        out.g2.push_back(mean_diagonal(out, 0, run.n_frames, k));
    const std::int64_t length = run.n_frames / 5;
    for (std::int64_t k = 0; k < length; ++k) {
        for (std::int64_t s = 0; s < 5; ++s)
            out.segments.push_back(mean_diagonal(out, s * length, length, k));
    }
    return out;
}

std::vector<double> band(const Run& run, int dynamic_label, int level, std::int64_t channel) {
    const std::int64_t width = std::int64_t{1} << level;
    const std::int64_t blocks = run.n_frames / width;
    std::vector<double> out;
    for (std::int64_t j = 0; j + channel < blocks; ++j) {
        double product = 0, sum1 = 0, sum2 = 0, n = 0;
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            if (!in_bin(run, p, dynamic_label)) continue;
            double a = 0, b = 0;
            for (std::int64_t t = 0; t < width; ++t) {
                a += run.at(j * width + t, p);
                b += run.at((j + channel) * width + t, p);
            }
            product += a * b;
            sum1 += a;
            sum2 += b;
            n += 1;
        }
        out.push_back(sum1 > 0 && sum2 > 0 ? n * product / (sum1 * sum2) : nan);
    }
    return out;
}

}  // namespace reference
