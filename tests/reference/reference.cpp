// SPDX-License-Identifier: BSD-3-Clause
#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace reference {

namespace {
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
}

std::vector<Lag> ladder(std::int64_t n_frames) {
    std::vector<Lag> lags;
    for (int x = 1; x <= 4; ++x) {
        if (x < n_frames) lags.push_back({0, x, x, n_frames - x});
    }
    for (int level = 0; level < 60; ++level) {
        const std::int64_t width = std::int64_t{1} << level;
        for (int x = 5; x <= 8; ++x) {
            if (x >= n_frames / width) return lags;
            lags.push_back({level, x, x * width, n_frames / width - x});
        }
    }
    return lags;
}

Sums pixel_sums(const Run& run, std::int64_t pixel) {
    Sums sums;
    for (const Lag& lag : ladder(run.n_frames)) {
        const std::int64_t width = std::int64_t{1} << lag.level;
        std::vector<double> block(static_cast<std::size_t>(run.n_frames / width), 0.0);
        for (std::size_t j = 0; j < block.size(); ++j) {
            for (std::int64_t t = 0; t < width; ++t) {
                block[j] += run.at(static_cast<std::int64_t>(j) * width + t, pixel);
            }
        }
        double G2 = 0, past = 0, future = 0;
        for (std::size_t j = 0; j + static_cast<std::size_t>(lag.blocks) < block.size(); ++j) {
            const double later = block[j + static_cast<std::size_t>(lag.blocks)];
            G2 += block[j] * later;
            past += block[j];
            future += later;
        }
        sums.G2.push_back(G2);
        sums.past.push_back(past);
        sums.future.push_back(future);
    }
    return sums;
}

OneTime multitau(const Run& run) {
    OneTime out;
    out.lags = ladder(run.n_frames);
    const int n_static = *std::max_element(run.static_label.begin(), run.static_label.end());
    const int n_dynamic = *std::max_element(run.dynamic_label.begin(), run.dynamic_label.end());
    std::vector<Sums> pixels;
    for (std::int64_t p = 0; p < run.n_pixels; ++p)
        pixels.push_back(pixel_sums(run, p));

    for (std::size_t i = 0; i < out.lags.size(); ++i) {
        const double n = static_cast<double>(out.lags[i].pairs);
        const double width = std::pow(2.0, out.lags[i].level);
        for (int d = 1; d <= n_dynamic; ++d) {
            double sum_g2 = 0;
            int bins = 0;
            for (int s = 1; s <= n_static; ++s) {
                double G2 = 0, past = 0, future = 0;
                int count = 0;
                for (std::size_t p = 0; p < pixels.size(); ++p) {
                    if (run.static_label[p] != s || run.dynamic_label[p] != d) continue;
                    G2 += pixels[p].G2[i] / (n * width * width);
                    past += pixels[p].past[i] / (n * width);
                    future += pixels[p].future[i] / (n * width);
                    ++count;
                }
                if (count == 0 || past * future == 0) continue;
                sum_g2 += (G2 / count) / ((past / count) * (future / count));
                ++bins;
            }
            out.g2.push_back(bins > 0 ? sum_g2 / bins : nan);

            std::vector<double> ratio;
            for (std::size_t p = 0; p < pixels.size(); ++p) {
                if (run.static_label[p] == 0 || run.dynamic_label[p] != d) continue;
                const double product = pixels[p].past[i] * pixels[p].future[i];
                if (product > 0) ratio.push_back(n * pixels[p].G2[i] / product);
            }
            double mean = 0, square = 0;
            for (const double r : ratio)
                mean += r / static_cast<double>(ratio.size());
            for (const double r : ratio)
                square += (r - mean) * (r - mean);
            const auto count = static_cast<double>(ratio.size());
            out.g2_err.push_back(ratio.size() < 2 ? nan : std::sqrt(square / (count - 1) / count));
        }
    }
    return out;
}

Run select(const Run& run,
           std::int64_t begin,
           std::int64_t end,
           std::int64_t stride,
           std::int64_t average) {
    Run out = run;
    out.n_frames = (end - begin) / (stride * average);
    out.counts.assign(static_cast<std::size_t>(out.n_frames * run.n_pixels), 0.0);
    for (std::int64_t k = 0; k < out.n_frames; ++k) {
        for (std::int64_t a = 0; a < average; ++a) {
            const std::int64_t t = begin + k * stride * average + a * stride;
            for (std::int64_t p = 0; p < run.n_pixels; ++p) {
                out.counts[static_cast<std::size_t>(k * run.n_pixels + p)] += run.at(t, p);
            }
        }
    }
    return out;
}

Run normalised(const Run& run) {
    Run out = run;
    std::vector<double> sum(static_cast<std::size_t>(run.n_frames), 0.0);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            const auto q = static_cast<std::size_t>(p);
            if (run.static_label[q] > 0 && run.dynamic_label[q] > 0) {
                sum[static_cast<std::size_t>(t)] += run.at(t, p);
            }
        }
    }
    double mean = 0;
    for (const double s : sum)
        mean += s / static_cast<double>(run.n_frames);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            out.counts[static_cast<std::size_t>(t * run.n_pixels + p)] *=
                mean / sum[static_cast<std::size_t>(t)];
        }
    }
    return out;
}

}  // namespace reference
