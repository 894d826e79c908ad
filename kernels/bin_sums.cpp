// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/bin_sums.hpp"

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

void TileSums::add(const PackedTile& tile) {
    const double* in = tile.values.data();
    for (const std::uint32_t bin : tile.bins) {
        double* to = row(bin);
        for (std::size_t i = 0; i < stride_; ++i)
            to[i] += *in++;
    }
}

}  // namespace xpcs
