// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/multitau.hpp"

#include "kernels/bin_sums.hpp"

#include <cstddef>

namespace xpcs {

FrameWeights make_frame_weights(const std::vector<std::uint64_t>& frame_photons) {
    FrameWeights out;
    double sum = 0;
    std::int64_t lit = 0;
    for (const std::uint64_t photons : frame_photons) {
        sum += static_cast<double>(photons);
        lit += photons > 0;
    }
    const double mean = lit > 0 ? sum / static_cast<double>(lit) : 0;
    out.weight.reserve(frame_photons.size());
    for (const std::uint64_t photons : frame_photons) {
        out.weight.push_back(photons > 0 ? mean / static_cast<double>(photons) : 0.0);
        out.any_left_out = out.any_left_out || photons == 0;
    }
    return out;
}

namespace {

template <class T>
void add(std::vector<T>& to, const std::vector<T>& from) {
    for (std::size_t i = 0; i < to.size(); ++i)
        to[i] += from[i];
}

/// Appends tiles; those of a bundle whose first ones are in `to` are added to these, in order.
void append(std::vector<PackedTile>& to,
            const std::vector<PackedTile>& from,
            int arrays,
            std::uint32_t n_bins,
            std::size_t n_lags) {
    auto next = from.begin();
    if (!to.empty() && next != from.end() && next->bundle == to.back().bundle) {
        TileSums sums;
        sums.reset(n_lags, arrays, n_bins);
        sums.add(to.back());
        for (; next != from.end() && next->bundle == to.back().bundle; ++next)
            sums.add(*next);
        to.back() = sums.pack(to.back().bundle);
    }
    to.insert(to.end(), next, from.end());
}

void merge_bins(BinSums& to, const BinSums& from) {
    add(to.G2, from.G2);
    add(to.past, from.past);
    add(to.future, from.future);
    add(to.n_pixels, from.n_pixels);
    add(to.n_signal, from.n_signal);
    const std::size_t n_lags = to.pairs.size();
    append(to.ratio_tiles, from.ratio_tiles, PackedTile::ratio_arrays, to.n_dynamic, n_lags);
    append(
        to.weighted_tiles, from.weighted_tiles, PackedTile::weighted_arrays, to.n_static, n_lags);
}

}  // namespace

void MultitauSums::merge(const MultitauSums& later) {
    merge_bins(whole, later.whole);
    for (std::size_t k = 0; k < partial.size(); ++k)
        merge_bins(partial[k], later.partial[k]);
    add(pixel_photons, later.pixel_photons);
    add(segment_photons, later.segment_photons);
    duplicates += later.duplicates;
    events_used += later.events_used;
}

MultitauSums
multitau(const PixelSeries& series, const MultitauRequest& request, const Device& device) {
    if (device.kind == Device::Kind::cpu) return cpu::multitau(series, request);
    return gpu::multitau(series, request, device.indices);
}

}  // namespace xpcs
