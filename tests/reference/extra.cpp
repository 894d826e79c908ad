// SPDX-License-Identifier: BSD-3-Clause
#include "reference/extra.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace reference {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

int largest(const std::vector<int>& labels) {
    return *std::max_element(labels.begin(), labels.end());
}

std::vector<std::size_t> pixels_of(const Run& run, int s, int d) {
    std::vector<std::size_t> pixels;
    for (std::size_t p = 0; p < run.static_label.size(); ++p) {
        if (run.static_label[p] == s && run.dynamic_label[p] == d) pixels.push_back(p);
    }
    return pixels;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double v : values)
        sum += v;
    return sum / static_cast<double>(values.size());
}

double variance(const std::vector<double>& values) {
    if (values.size() < 2) return nan;
    const double centre = mean(values);
    double sum = 0;
    for (const double v : values)
        sum += (v - centre) * (v - centre);
    return sum / static_cast<double>(values.size() - 1);
}

}  // namespace

Weighted weighted(const Run& run, const std::vector<double>& weight) {
    Weighted out;
    for (const Lag& lag : ladder(run.n_frames)) {
        const std::int64_t width = std::int64_t{1} << lag.level;
        const std::int64_t n_blocks = run.n_frames / width;
        const auto block = [&](std::int64_t j, std::int64_t p) {
            double sum = 0;
            for (std::int64_t t = j * width; t < (j + 1) * width; ++t)
                sum += run.at(t, p) * weight[static_cast<std::size_t>(t)];
            return sum;
        };
        const auto taken = [&](std::int64_t j) {
            double sum = 0;
            for (std::int64_t t = j * width; t < (j + 1) * width; ++t)
                sum += weight[static_cast<std::size_t>(t)] > 0 ? 1 : 0;
            return sum;
        };
        const auto w = static_cast<double>(width);
        double n = 0;
        for (std::int64_t j = 0; j + lag.blocks < n_blocks; ++j)
            n += taken(j) * taken(j + lag.blocks) / (w * w);
        out.pairs.push_back(n);
        for (int d = 1; d <= largest(run.dynamic_label); ++d) {
            std::vector<double> g2;
            for (int s = 1; s <= largest(run.static_label); ++s) {
                const auto pixels = pixels_of(run, s, d);
                double G2 = 0, past = 0, future = 0;
                for (const std::size_t pixel : pixels) {
                    const auto p = static_cast<std::int64_t>(pixel);
                    for (std::int64_t j = 0; j + lag.blocks < n_blocks; ++j) {
                        const double a = block(j, p), b = block(j + lag.blocks, p);
                        G2 += a * b;
                        past += a * taken(j + lag.blocks) / w;
                        future += b * taken(j) / w;
                    }
                }
                if (past * future > 0)
                    g2.push_back(n * static_cast<double>(pixels.size()) * G2 / (past * future));
            }
            out.g2.push_back(g2.empty() ? nan : mean(g2));
        }
    }
    return out;
}

Errors errors(const Run& run) {
    Errors out;
    const std::vector<Lag> lags = ladder(run.n_frames);
    std::vector<Sums> sums;
    for (std::int64_t p = 0; p < run.n_pixels; ++p)
        sums.push_back(pixel_sums(run, p));
    for (std::size_t i = 0; i < lags.size(); ++i) {
        const auto n = static_cast<double>(lags[i].pairs);
        const double width = std::pow(2.0, lags[i].level);
        for (int d = 1; d <= largest(run.dynamic_label); ++d) {
            std::vector<double> g2;
            double delta = 0, shot = 0;
            for (int s = 1; s <= largest(run.static_label); ++s) {
                const auto pixels = pixels_of(run, s, d);
                std::vector<double> G, P, F, r;
                for (const std::size_t p : pixels) {
                    G.push_back(sums[p].G2[i] / (n * width * width));
                    P.push_back(sums[p].past[i] / (n * width));
                    F.push_back(sums[p].future[i] / (n * width));
                }
                if (pixels.empty() || mean(P) * mean(F) == 0) continue;
                const double product = mean(P) * mean(F), g = mean(G) / product;
                for (std::size_t k = 0; k < pixels.size(); ++k)
                    r.push_back((G[k] - g * (F[k] * mean(P) + P[k] * mean(F) - product)) / product);
                const auto N = static_cast<double>(pixels.size());
                g2.push_back(g);
                delta += variance(r) / N;
                shot += g / (product * width * width * n * N);
            }
            const auto bins = static_cast<double>(g2.size());
            out.static_scatter.push_back(g2.size() < 5 ? nan : std::sqrt(variance(g2) / bins));
            out.delta.push_back(g2.empty() ? nan : std::sqrt(delta) / bins);
            out.shot_noise.push_back(g2.empty() ? nan : std::sqrt(shot) / bins);
        }
    }
    return out;
}

}  // namespace reference
