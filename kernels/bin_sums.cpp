// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/bin_sums.hpp"

#include <unordered_map>

namespace xpcs {

void CountSums::add_to(BinSums& out) {
    const std::size_t n_bins = bound_.size();
    for (std::size_t bin = 0; bin < n_bins; ++bin) {
        flush(bin);
        const uint128* in = wide_.data() + bin * stride_;
        for (std::size_t i = 0; i < n_lags_; ++i) {
            const uint128 total =
                in[3 * n_lags_ + static_cast<std::size_t>(out.ladder.lags[i].level)];
            const std::size_t at = bin * n_lags_ + i;
            out.G2[at] += in[i];
            out.future[at] += total - in[n_lags_ + i];
            out.past[at] += total - in[2 * n_lags_ + i];
        }
    }
    for (std::size_t i = 0; i < n_signal_.size(); ++i) {
        out.n_signal[i] += n_signal_[i];
    }
}

void TileSums::reset(std::size_t n_lags, int arrays, std::uint32_t n_bins) {
    if (place_.size() != n_bins) {
        place_.assign(n_bins, absent);
    } else {
        for (const std::uint32_t bin : bins_)
            place_[bin] = absent;
    }
    bins_.clear();
    values_.clear();
    stride_ = n_lags * static_cast<std::size_t>(arrays);
}

std::uint32_t TileSums::touch(std::uint32_t bin) {
    const auto place = static_cast<std::uint32_t>(bins_.size());
    bins_.push_back(bin);
    values_.resize(values_.size() + stride_, 0.0);
    place_[bin] = place;
    return place;
}

void add_tile(PackedTile& to, const PackedTile& from) {
    if (from.bins.empty()) return;
    const std::size_t stride = from.values.size() / from.bins.size();
    std::unordered_map<std::uint32_t, std::size_t> place;
    for (std::size_t k = 0; k < to.bins.size(); ++k)
        place.emplace(to.bins[k], k);
    const double* in = from.values.data();
    for (const std::uint32_t bin : from.bins) {
        const auto [at, is_new] = place.emplace(bin, to.bins.size());
        if (is_new) {
            to.bins.push_back(bin);
            to.values.resize(to.values.size() + stride, 0.0);
        }
        double* out = to.values.data() + at->second * stride;
        for (std::size_t i = 0; i < stride; ++i)
            out[i] += *in++;
    }
}

}  // namespace xpcs
