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

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace xpcs {

struct TileJob {
    const PixelSeries& series;
    const MultitauRequest& request;
    std::vector<Stretch> stretches;
    double neighbours = 0;        ///< see multitau_core::choose_dense_level, of a pixel by itself
    double group_neighbours = 0;  ///< and of a group of pixels
    bool map_frames = false;      ///< frames must be selected or renumbered
};

/// Photons of the pixels of a line in every slice of the SAXS segments, and behind them, and their
/// largest counts.
struct LineSlices {
    std::int64_t n = 0;                  ///< segments
    std::int64_t frames = 0;             ///< of each
    std::vector<std::uint64_t> photons;  ///< [n + 1][line_pixels]
    std::array<std::uint32_t, line_pixels> largest{};

    void start() {
        photons.assign(static_cast<std::size_t>((n + 1) * line_pixels), 0);
        largest.fill(0);
    }
    /// The slice of a frame, and the frame behind a slice of a run of n_frames.
    std::int64_t of(std::int64_t frame) const { return n == 0 ? 0 : std::min(n, frame / frames); }
    std::int64_t end(std::int64_t slice, std::int64_t n_frames) const {
        return slice == n ? n_frames : (slice + 1) * frames;
    }
    std::uint64_t* at(std::int64_t slice) { return photons.data() + slice * line_pixels; }
    void add(std::int64_t slice, const std::uint32_t* sums) {
        for (std::int64_t i = 0; i < line_pixels; ++i)
            at(slice)[i] += sums[i];
    }
};

/// What a thread holds. Sums of counts are the thread's; what is added in tile order leaves by
/// tile.
struct TileWorker {
    TileEvents events;
    PackedTileEvents packed;
    RawVector<std::uint32_t> frame, count, shifted;
    RawVector<std::uint32_t> file_frame, file_count;  ///< of one pixel, before selection
    TileCells cells;
    RawVector<std::byte> samples, row;         ///< of a block or a line of pixels, of one pixel
    LineSlices slices;                         ///< of that line
    std::vector<std::uint64_t> slice_photons;  ///< of a group without such a line
    RawVector<double> value, group_value;
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

}  // namespace xpcs
