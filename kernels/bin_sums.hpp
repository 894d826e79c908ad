// SPDX-License-Identifier: BSD-3-Clause
// Adding pixels up into static bins: exact, cheap per pixel, independent of the order.
#pragma once

#include "kernels/lag_sums.hpp"
#include "kernels/multitau.hpp"

#include <cmath>
#include <cstdint>
#include <vector>

namespace xpcs {

/// Sums of photon counts of one thread. 64-bit sums are emptied into 128-bit ones before they can
/// overflow.
class CountSums {
  public:
    CountSums(std::uint32_t n_static, std::uint32_t n_dynamic, const LagLadder& ladder)
        : n_lags_(static_cast<std::size_t>(ladder.n_lags())),
          n_levels_(static_cast<std::size_t>(ladder.n_levels)), stride_(3 * n_lags_ + n_levels_),
          narrow_(n_static * stride_, 0), bound_(n_static, 0.0), wide_(n_static * stride_, 0),
          n_signal_(n_dynamic * n_lags_, 0) {}

    /// `total` bounds every sum of this pixel: G2 <= total^2.
    void add(std::uint32_t bin, const LagSums& sums, std::uint64_t total) {
        const double growth = static_cast<double>(total) * static_cast<double>(total) + 1;
        if (sums.wide || growth > room) {
            add_wide(bin, sums);
            return;
        }
        if (bound_[bin] + growth > room) flush(bin);
        bound_[bin] += growth;
        std::uint64_t* out = narrow_.data() + bin * stride_;
        add_array(sums.G2, n_lags_, out);
        add_array(sums.head, n_lags_, out + n_lags_);
        add_array(sums.tail, n_lags_, out + 2 * n_lags_);
        add_array(sums.total, n_levels_, out + 3 * n_lags_);
    }

    std::int64_t* n_signal(std::uint32_t dynamic_bin) {
        return n_signal_.data() + dynamic_bin * n_lags_;
    }

    void add_to(BinSums& out);

  private:
    static constexpr double room = 9.0e18;  // below 2^63

    static void
    add_array(const std::uint64_t* __restrict in, std::size_t n, std::uint64_t* __restrict out) {
        for (std::size_t i = 0; i < n; ++i)
            out[i] += in[i];
    }

    void flush(std::size_t bin) {
        for (std::size_t i = bin * stride_; i < (bin + 1) * stride_; ++i) {
            wide_[i] += narrow_[i];
            narrow_[i] = 0;
        }
        bound_[bin] = 0;
    }
    void add_wide(std::size_t bin, const LagSums& sums) {
        uint128* out = wide_.data() + bin * stride_;
        for (std::size_t i = 0; i < n_lags_; ++i) {
            out[i] += sums.G2_full(static_cast<int>(i));
            out[n_lags_ + i] += sums.head[i];
            out[2 * n_lags_ + i] += sums.tail[i];
        }
        for (std::size_t i = 0; i < n_levels_; ++i)
            out[3 * n_lags_ + i] += sums.total[i];
    }

    std::size_t n_lags_, n_levels_, stride_;
    std::vector<std::uint64_t> narrow_;  ///< [n_static] {G2, head, tail [n_lags], total [n_levels]}
    std::vector<double> bound_;          ///< [n_static] what the narrow sums may have grown to
    std::vector<uint128> wide_;
    std::vector<std::int64_t> n_signal_;  ///< [n_dynamic][n_lags]
};

/// Floating-point sums of one tile, for the few bins that it touches. Tiles are added in order.
class TileSums {
  public:
    void reset(std::size_t n_lags, int arrays, std::uint32_t n_bins);
    /// Row [arrays][n_lags] of a bin, zero when first touched.
    double* row(std::uint32_t bin) {
        std::uint32_t& place = place_[bin];
        if (place == absent) place = touch(bin);
        return values_.data() + place * stride_;
    }

    PackedTile pack(std::int64_t bundle) const { return {bins_, values_, bundle}; }

    /// Adds sums of the same shape.
    void add(const PackedTile& tile);

  private:
    static constexpr std::uint32_t absent = UINT32_MAX;
    std::uint32_t touch(std::uint32_t bin);

    std::size_t stride_ = 0;
    std::vector<std::uint32_t> place_;  ///< [n_bins]
    std::vector<std::uint32_t> bins_;
    std::vector<double> values_;
};

}  // namespace xpcs
