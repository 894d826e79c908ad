// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/gpu_batches.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace xpcs::gpu {

GroupTable make_groups(const PixelSeries& series,
                       std::int64_t first_tile,
                       std::int64_t end_tile,
                       const std::vector<std::uint32_t>& bin_of) {
    GroupTable table;
    table.tile_begin.push_back(0);
    if (first_tile >= end_tile) {
        table.begin.push_back(0);
        return table;
    }
    const std::int64_t base = series.first_slot(first_tile);
    table.slots.resize(static_cast<std::size_t>(series.end_slot(end_tile - 1) - base));
    std::vector<std::uint32_t> bins, places, next;  // of one tile
    std::uint32_t at = 0;
    for (std::int64_t tile = first_tile; tile < end_tile; ++tile) {
        const std::int64_t first = series.first_slot(tile), end = series.end_slot(tile);
        bins.assign(bin_of.begin() + first, bin_of.begin() + end);
        // Bins of a tile are few and mostly the same as the pixel before: a short search is enough.
        std::vector<std::uint32_t> seen, sizes;
        places.clear();
        for (std::size_t i = 0; i < bins.size(); ++i) {
            if (i > 0 && bins[i] == bins[i - 1]) {
                places.push_back(places.back());
            } else {
                const auto found = std::find(seen.begin(), seen.end(), bins[i]);
                places.push_back(static_cast<std::uint32_t>(found - seen.begin()));
                if (found == seen.end()) {
                    seen.push_back(bins[i]);
                    sizes.push_back(0);
                }
            }
            ++sizes[places.back()];
        }
        next.clear();
        for (const std::uint32_t size : sizes) {
            table.begin.push_back(at);
            next.push_back(at);
            at += size;
        }
        for (std::size_t i = 0; i < bins.size(); ++i) {
            table.slots[next[places[i]]++] =
                static_cast<std::uint32_t>(first - base) + static_cast<std::uint32_t>(i);
        }
        table.bin.insert(table.bin.end(), seen.begin(), seen.end());
        table.tile_begin.push_back(static_cast<std::uint32_t>(table.bin.size()));
    }
    table.begin.push_back(at);
    return table;
}

namespace {

/// [tiles of the series] records.
std::vector<std::size_t> events_of_tiles(const PixelSeries& series) {
    const auto n = static_cast<std::size_t>(series.end_tile() - series.first_tile());
    std::vector<std::size_t> events(n, 0);
    for (const SeriesPiece& piece : series.pieces()) {
        if (piece.tile_begin.empty()) continue;
        for (std::size_t i = 0; i < n; ++i)
            events[i] += piece.tile_begin[i + 1] - piece.tile_begin[i];
    }
    return events;
}

}  // namespace

std::vector<Batch>
make_batches(const PixelSeries& series, std::int64_t n_frames, const BatchLimits& limits) {
    const std::vector<std::size_t> events = events_of_tiles(series);
    std::vector<Batch> batches;
    std::size_t bytes = 0;
    for (std::int64_t tile = series.first_tile(); tile < series.end_tile(); ++tile) {
        const std::size_t n = events[static_cast<std::size_t>(tile - series.first_tile())];
        const std::int64_t slots = series.end_slot(tile) - series.first_slot(tile);
        const std::size_t tile_bytes =
            n * limits.bytes_per_event + static_cast<std::size_t>(slots) * limits.bytes_per_slot;
        if (tile_bytes > limits.bytes || n >= std::numeric_limits<std::uint32_t>::max()) {
            throw DeviceOutOfMemory("the " + std::to_string(n) + " records of one tile of " +
                                    std::to_string(slots) + " pixels need " +
                                    std::to_string(tile_bytes >> 20) + " MiB of device memory; " +
                                    std::to_string(limits.bytes >> 20) + " MiB are left for them");
        }
        const bool fits = !batches.empty() && bytes + tile_bytes <= limits.bytes &&
                          batches.back().n_events + n <= limits.events &&
                          tile - batches.back().first_tile < limits.tiles &&
                          (!series.dense() ||
                           static_cast<std::size_t>((batches.back().n_slots + slots) * n_frames) <=
                               limits.samples);
        if (!fits) {
            batches.push_back({tile, tile, series.first_slot(tile), 0, 0});
            bytes = 0;
        }
        Batch& batch = batches.back();
        batch.end_tile = tile + 1;
        batch.n_slots += slots;
        batch.n_events += n;
        bytes += tile_bytes;
    }
    return batches;
}

}  // namespace xpcs::gpu
