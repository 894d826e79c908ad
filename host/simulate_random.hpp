// SPDX-License-Identifier: BSD-3-Clause
// Random numbers of the simulation: one counter-based stream per pixel, and distributions of our
// own, because those of the standard library differ from one library to the next.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>

namespace xpcs {

/// splitmix64 (Steele, Lea, Flood 2014): the n-th number is a hash of start + n * golden ratio.
class RandomStream {
  public:
    RandomStream() = default;
    RandomStream(std::uint64_t seed, std::uint64_t stream)
        : state_(mix(seed + golden * (2 * mix(stream + golden) + 1))) {}

    std::uint64_t bits() { return mix(state_ += golden); }
    /// In [0, 1), 53 bits.
    double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
    /// In (0, 1].
    double uniform_above_0() { return static_cast<double>((bits() >> 11) + 1) * 0x1p-53; }
    double exponential() { return -std::log(uniform_above_0()); }
    double normal();
    std::int64_t poisson(double mean);

  private:
    static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15ULL;
    static std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }
    double normal_beyond(std::uint64_t bits);

    std::uint64_t state_ = 0;
};

namespace detail {

/// Ziggurat of 256 layers for exp(-x^2 / 2) (Marsaglia, Tsang 2000): edges of the layers, from the
/// base (which stands for the tail as well) to the top.
struct Ziggurat {
    static constexpr double tail = 3.6541528853610088;
    static constexpr double area = 0.00492867323399;
    std::array<double, 257> edge{};
    Ziggurat() {
        edge[0] = area / density(tail);
        edge[1] = tail;
        for (int i = 2; i < 256; ++i) {
            edge[i] = std::sqrt(-2 * std::log(area / edge[i - 1] + density(edge[i - 1])));
        }
        edge[256] = 0;
    }
    static double density(double x) { return std::exp(-0.5 * x * x); }
};

inline const Ziggurat ziggurat;

}  // namespace detail

inline double RandomStream::normal() {
    const std::uint64_t drawn = bits();
    const std::size_t layer = drawn & 255;
    const double x =
        (static_cast<double>(drawn >> 11) * 0x1p-52 - 1) * detail::ziggurat.edge[layer];
    if (std::abs(x) < detail::ziggurat.edge[layer + 1]) return x;
    return normal_beyond(drawn);
}

/// The rest of normal(): the curved edge of a layer, or the tail. About one in 100 draws.
inline double RandomStream::normal_beyond(std::uint64_t drawn) {
    using detail::Ziggurat;
    const auto& edge = detail::ziggurat.edge;
    for (;; drawn = bits()) {
        const std::size_t layer = drawn & 255;
        const double x = (static_cast<double>(drawn >> 11) * 0x1p-52 - 1) * edge[layer];
        if (std::abs(x) < edge[layer + 1]) return x;
        if (layer == 0) {
            double a = 0, b = 0;
            do {
                a = exponential() / Ziggurat::tail;
                b = exponential();
            } while (2 * b < a * a);
            return x < 0 ? -(Ziggurat::tail + a) : Ziggurat::tail + a;
        }
        const double low = Ziggurat::density(edge[layer]);
        const double high = Ziggurat::density(edge[layer + 1]);
        if (low + uniform() * (high - low) < Ziggurat::density(x)) return x;
    }
}

inline std::int64_t RandomStream::poisson(double mean) {
    // exp(-mean) would vanish for large means; a sum of Poisson numbers is one.
    constexpr double most = 16;
    std::int64_t n = 0;
    while (mean > most) {
        n += poisson(most);
        mean -= most;
    }
    const double limit = std::exp(-mean);
    double product = uniform_above_0();
    while (product > limit) {
        product *= uniform_above_0();
        ++n;
    }
    return n;
}

}  // namespace xpcs
