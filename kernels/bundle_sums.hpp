// SPDX-License-Identifier: BSD-3-Clause
// Adding up the sums of tiles while they are computed.
#pragma once

#include "kernels/bin_sums.hpp"
#include "kernels/multitau.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

namespace xpcs {

/// Sums of the tiles [first_tile, end_tile), of several kinds each. In whatever order and from
/// whatever thread they come, the tiles of a bundle are added up in their order, so that the result
/// is always the same; and each as soon as those before it are there, so that few are held at a
/// time. Tiles of a bundle that begins before `first_tile` stay apart: those before are elsewhere.
class BundleSums {
  public:
    /// Of one kind: a PackedTile is [bins][arrays][n_lags] of up to n_bins bins.
    struct Shape {
        std::size_t n_lags = 0;
        int arrays = 0;
        std::uint32_t n_bins = 0;
    };

    BundleSums(std::int64_t first_tile, std::int64_t end_tile, std::vector<Shape> kinds);

    /// [kinds] sums of a tile; once for each tile.
    void add(std::int64_t tile, std::vector<PackedTile> sums);

    /// [kinds] sums of bundles and of single tiles, in their order. Once, after the last tile.
    std::vector<std::vector<PackedTile>> take();

  private:
    struct Bundle {
        std::mutex mutex;
        std::int64_t next = 0, end = 0;  ///< the tile to be added next; behind the last
        std::vector<TileSums> sums;      ///< [kinds] of the tiles before `next`
        std::map<std::int64_t, std::vector<PackedTile>> apart;  ///< the tiles that came early
    };
    void add_next(Bundle& bundle, const std::vector<PackedTile>& sums) const;

    std::vector<Shape> kinds_;
    std::int64_t first_bundle_;
    std::vector<Bundle> bundles_;
};

}  // namespace xpcs
