// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/bundle_sums.hpp"

#include <algorithm>
#include <utility>

namespace xpcs {

BundleSums::BundleSums(std::int64_t first_tile, std::int64_t end_tile, std::vector<Shape> kinds)
    : kinds_(std::move(kinds)), first_bundle_(first_tile / bundle_tiles),
      bundles_(
          static_cast<std::size_t>((end_tile + bundle_tiles - 1) / bundle_tiles - first_bundle_)) {
    std::int64_t begin = first_bundle_ * bundle_tiles;
    for (Bundle& bundle : bundles_) {
        bundle.next = begin;
        begin += bundle_tiles;
        bundle.end = std::min(begin, end_tile);
    }
}

void BundleSums::add(std::int64_t tile, std::vector<PackedTile> sums) {
    Bundle& bundle = bundles_[static_cast<std::size_t>(tile / bundle_tiles - first_bundle_)];
    const std::lock_guard lock(bundle.mutex);
    auto& apart = bundle.apart;
    apart.emplace(tile, std::move(sums));
    for (; !apart.empty() && apart.begin()->first == bundle.next; ++bundle.next) {
        add_next(bundle, apart.begin()->second);
        apart.erase(apart.begin());
    }
    if (bundle.next != bundle.end) return;
    // Complete: what finds the bins is not needed any more.
    std::vector<PackedTile> packed;
    for (const TileSums& kind : bundle.sums)
        packed.push_back(kind.pack(tile / bundle_tiles));
    bundle.sums.clear();
    apart.emplace(tile, std::move(packed));
}

void BundleSums::add_next(Bundle& bundle, const std::vector<PackedTile>& sums) const {
    if (bundle.sums.empty()) {
        bundle.sums.resize(kinds_.size());
        for (std::size_t k = 0; k < kinds_.size(); ++k)
            bundle.sums[k].reset(kinds_[k].n_lags, kinds_[k].arrays, kinds_[k].n_bins);
    }
    for (std::size_t k = 0; k < kinds_.size(); ++k)
        bundle.sums[k].add(sums[k]);
}

std::vector<std::vector<PackedTile>> BundleSums::take() {
    std::vector<std::vector<PackedTile>> out(kinds_.size());
    for (Bundle& bundle : bundles_) {
        const std::lock_guard lock(bundle.mutex);
        for (auto& [tile, sums] : bundle.apart) {
            for (std::size_t k = 0; k < kinds_.size(); ++k)
                out[k].push_back(std::move(sums[k]));
        }
        bundle.apart.clear();
    }
    return out;
}

}  // namespace xpcs
