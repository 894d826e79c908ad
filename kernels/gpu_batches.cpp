// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/gpu_batches.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace xpcs::gpu {

namespace {

/// The end of the unit that begins at `tile`.
std::int64_t unit_end(const PixelSeries& series, std::int64_t tile, std::int64_t end_tile) {
    const std::int64_t next = (tile / bundle_tiles + 1) * bundle_tiles;
    const bool begins = tile % bundle_tiles == 0;
    const bool ends = next <= end_tile || end_tile == n_tiles(series.partition());
    return begins && ends ? std::min(next, end_tile) : tile + 1;
}

}  // namespace

GroupTable make_groups(const PixelSeries& series,
                       std::int64_t first_tile,
                       std::int64_t end_tile,
                       const std::vector<std::uint32_t>& bin_of) {
    GroupTable table;
    table.unit_begin.push_back(0);
    if (first_tile >= end_tile) {
        table.begin.push_back(0);
        return table;
    }
    const std::int64_t base = series.first_slot(first_tile);
    const std::int64_t last = series.end_slot(end_tile - 1);
    table.slots.resize(static_cast<std::size_t>(last - base));
    const std::uint32_t n_bins =
        1 + *std::max_element(bin_of.begin() + base, bin_of.begin() + last);
    constexpr std::uint32_t unseen = std::numeric_limits<std::uint32_t>::max();
    std::vector<std::uint32_t> place(n_bins, unseen);  // of each bin in the unit
    std::vector<std::uint32_t> next;                   // first of sizes, then cursors
    std::uint32_t at = 0;
    for (std::int64_t tile = first_tile; tile < end_tile;) {
        const std::int64_t end = unit_end(series, tile, end_tile);
        const std::int64_t first = series.first_slot(tile), beyond = series.end_slot(end - 1);
        const std::size_t first_group = table.bin.size();
        next.clear();
        for (std::int64_t slot = first; slot < beyond; ++slot) {
            const std::uint32_t bin = bin_of[static_cast<std::size_t>(slot)];
            if (place[bin] == unseen) {
                place[bin] = static_cast<std::uint32_t>(next.size());
                table.bin.push_back(bin);
                next.push_back(0);
            }
            ++next[place[bin]];
        }
        for (std::uint32_t& entry : next) {
            table.begin.push_back(at);
            at += std::exchange(entry, at);
        }
        for (std::int64_t slot = first; slot < beyond; ++slot) {
            table.slots[next[place[bin_of[static_cast<std::size_t>(slot)]]]++] =
                static_cast<std::uint32_t>(slot - base);
        }
        for (std::size_t group = first_group; group < table.bin.size(); ++group)
            place[table.bin[group]] = unseen;
        table.unit_begin.push_back(static_cast<std::uint32_t>(table.bin.size()));
        table.bundle.push_back(tile / bundle_tiles);
        tile = end;
    }
    table.begin.push_back(at);
    return table;
}

namespace {

/// [tiles of the series] records.
std::vector<std::size_t> events_of_tiles(const PixelSeries& series) {
    const auto n = static_cast<std::size_t>(series.end_tile() - series.first_tile());
    std::vector<std::size_t> events(n, 0);
    if (series.on_device() != nullptr) {
        for (std::size_t i = 0; i < n; ++i) {
            events[i] = static_cast<std::size_t>(
                series.n_records(series.first_tile() + static_cast<std::int64_t>(i)));
        }
        return events;
    }
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

std::vector<BatchGroups> group_batches(const PixelSeries& series,
                                       const std::vector<Batch>& batches) {
    const Partition& partition = series.partition();
    std::vector<std::uint32_t> dynamic_bin(partition.static_bin.size());
    std::vector<BatchGroups> groups(batches.size());
    oneapi::tbb::parallel_for(std::size_t{0}, dynamic_bin.size(), [&](std::size_t slot) {
        dynamic_bin[slot] = partition.dynamic_bin(static_cast<std::int64_t>(slot));
    });
    oneapi::tbb::parallel_for(std::size_t{0}, 2 * batches.size(), [&](std::size_t k) {
        const Batch& batch = batches[k / 2];
        const bool dynamic = k % 2 == 1;
        GroupTable& table = dynamic ? groups[k / 2].by_dynamic : groups[k / 2].by_static;
        table = make_groups(
            series, batch.first_tile, batch.end_tile, dynamic ? dynamic_bin : partition.static_bin);
    });
    return groups;
}

}  // namespace xpcs::gpu
