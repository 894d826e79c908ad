// SPDX-License-Identifier: BSD-3-Clause
// How the tiles of a series are cut into batches for a device, and how the pixels of each batch
// group into bins. Plain C++, tested on the CPU.
#pragma once

#include "kernels/multitau.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xpcs::gpu {

/// The pixels of a batch bin by bin, unit after unit: a unit is a bundle that lies in the batch as
/// a whole, or a single tile of one that does not. In each unit bins in the order in which they
/// first appear, in each bin pixels ascending. Slots count from the first of the batch.
struct GroupTable {
    std::vector<std::uint32_t> begin;       ///< [groups + 1] into slots
    std::vector<std::uint32_t> slots;       ///< all pixels of the batch
    std::vector<std::uint32_t> bin;         ///< [groups]
    std::vector<std::uint32_t> unit_begin;  ///< [units + 1] into the groups
    std::vector<std::int64_t> bundle;       ///< [units]

    std::size_t size() const { return bin.size(); }
    std::size_t units() const { return bundle.size(); }
};

/// Groups of the tiles [first_tile, end_tile); `bin_of` [n_kept].
GroupTable make_groups(const PixelSeries& series,
                       std::int64_t first_tile,
                       std::int64_t end_tile,
                       const std::vector<std::uint32_t>& bin_of);

/// Consecutive tiles that are worked off together.
struct Batch {
    std::int64_t first_tile = 0;
    std::int64_t end_tile = 0;
    std::int64_t first_slot = 0;
    std::int64_t n_slots = 0;
    std::size_t n_events = 0;  ///< sparse: records
};

struct BatchLimits {
    std::size_t bytes = 0;  ///< of a batch
    std::size_t bytes_per_event = 0;
    std::size_t bytes_per_slot = 0;
    std::size_t events = std::size_t{1} << 26;   ///< more only if one tile has more
    std::size_t samples = std::size_t{1} << 28;  ///< dense: pixels times frames
    std::int64_t tiles = 4096;
};

/// Batches in tile order, each within the limits. Throws DeviceOutOfMemory if a single tile passes
/// `bytes` or 2^32 - 1 records.
std::vector<Batch>
make_batches(const PixelSeries& series, std::int64_t n_frames, const BatchLimits& limits);

/// The pixels of a batch by static and by dynamic bin.
struct BatchGroups {
    GroupTable by_static, by_dynamic;
};

/// [batches], by several threads.
std::vector<BatchGroups> group_batches(const PixelSeries& series,
                                       const std::vector<Batch>& batches);

}  // namespace xpcs::gpu
