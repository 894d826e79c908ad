// SPDX-License-Identifier: BSD-3-Clause
// The tiles that a piece covers, and their pixels; shared by what makes pieces of events and of
// frames, and by what reads these.
#pragma once

#include "kernels/pixel_series.hpp"

#include <algorithm>
#include <cstdint>

namespace xpcs {

struct TileSpan {
    std::uint32_t first = 0;
    std::uint32_t n = 0;  ///< tiles in range; index n is the bin of what is dropped
};

inline TileSpan tiles_of(const Partition& partition, const SeriesRange& range) {
    const std::int64_t end = std::min(range.end_tile, n_tiles(partition));
    const std::int64_t first = std::min(range.first_tile, end);
    return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(end - first)};
}

/// Pixels [first, end) of the detector.
struct PixelSpan {
    std::int64_t first = 0, end = 0;
};

/// From the first pixel that the tiles of a range keep to the last one.
inline PixelSpan pixels_of(const Partition& partition, const SeriesRange& range) {
    const TileSpan tiles = tiles_of(partition, range);
    if (tiles.n == 0) return {};
    const std::int64_t end = std::int64_t{tiles.first + tiles.n} << tile_bits;
    const auto last = static_cast<std::size_t>(std::min(end, partition.n_kept()) - 1);
    return {partition.pixel[std::size_t{tiles.first} << tile_bits], partition.pixel[last] + 1};
}

}  // namespace xpcs
