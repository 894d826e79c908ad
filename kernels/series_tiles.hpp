// SPDX-License-Identifier: BSD-3-Clause
// The tiles that a piece covers; shared by what makes pieces of events and of frames.
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

}  // namespace xpcs
