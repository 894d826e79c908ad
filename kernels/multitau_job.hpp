// SPDX-License-Identifier: BSD-3-Clause
// What the CPU twin of `multitau` hands from tile to tile and from pixel to pixel.
#pragma once

#include "kernels/array.hpp"
#include "kernels/bin_sums.hpp"
#include "kernels/lag_sums.hpp"
#include "kernels/multitau.hpp"
#include "kernels/multitau_plan.hpp"
#include "kernels/multitau_scratch.hpp"
#include "kernels/pixel_series.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xpcs {

struct TileJob {
    const PixelSeries& series;
    const MultitauRequest& request;
    std::vector<Stretch> stretches;
    double neighbours = 0;
    bool map_frames = false;  ///< frames must be selected or renumbered
};

/// What a thread holds. Sums of counts are the thread's; what is added in tile order leaves by
/// tile.
struct TileWorker {
    TileEvents events;
    PackedTileEvents packed;
    RawVector<std::uint32_t> frame, count, shifted;
    RawVector<std::uint32_t> file_frame, file_count;  ///< of one pixel, before selection
    TileCells cells;
    RawVector<std::byte> samples, row;  ///< of a block of pixels, of one pixel
    RawVector<double> value;
    PixelScratch scratch;
    LagSums sums{};
    WeightedLagSums weighted_sums{};
    std::vector<CountSums> counts;        ///< [stretch]
    std::vector<TileSums> ratios;         ///< [stretch]
    std::vector<TileSums> weighted;       ///< [stretch]
    std::vector<std::uint64_t> segments;  ///< [n_static][n_segments]
    std::int64_t duplicates = 0;
    std::int64_t events_used = 0;
};

/// Empty when it was added to another tile of its unit.
struct TileResult {
    std::vector<PackedTile> ratios, weighted;  ///< [stretch]
};

}  // namespace xpcs
