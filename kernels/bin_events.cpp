// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/bin_events.hpp"

#include "kernels/row_reader.hpp"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

namespace xpcs {

namespace {

/// Pixels [first, end) of the bin that lie in one tile of the series, with their events.
struct Part {
    std::int64_t tile = 0;
    std::size_t first = 0, end = 0;
    std::vector<std::uint64_t> n_events;  ///< [end - first]
    RawVector<std::uint32_t> frame, count;
};

struct Scratch {
    TileEvents events;
    std::optional<RowReader> rows;
};

/// Appends an event, or adds to the last one of the same pixel and frame.
void put(Part& part, std::size_t pixel_begin, std::int64_t frame, std::uint32_t count) {
    const auto f = static_cast<std::uint32_t>(frame);
    if (part.frame.size() > pixel_begin && part.frame.back() == f) {
        part.count.back() = add_counts(part.count.back(), count);
        return;
    }
    part.frame.push_back(f);
    part.count.push_back(count);
}

void gather_part(const PixelSeries& series,
                 const FrameMap& frames,
                 const std::vector<std::uint32_t>& slots,
                 Part& part,
                 Scratch& scratch) {
    const std::int64_t base = series.range().begin_frame;
    const std::int64_t first_slot = series.first_slot(part.tile);
    if (!series.dense()) series.gather(part.tile, scratch.events);
    for (std::size_t p = part.first; p < part.end; ++p) {
        const std::size_t before = part.frame.size();
        if (series.dense()) {
            const auto n_frames = static_cast<std::int64_t>(series.frame_photons().size());
            if (!scratch.rows) scratch.rows.emplace(series, n_frames);
            const std::uint32_t* row = scratch.rows->row(slots[p]);
            for (std::int64_t f = 0; f < n_frames; ++f) {
                if (row[f] == 0) continue;
                const std::int64_t t = frames(base + f);
                if (t != FrameMap::left_out) put(part, before, t, row[f]);
            }
        } else {
            const auto local = static_cast<std::size_t>(slots[p] - first_slot);
            const TileEvents& in = scratch.events;
            for (std::uint32_t i = in.begin[local]; i < in.begin[local + 1]; ++i) {
                const std::int64_t t = frames(base + in.frame[i]);
                if (t != FrameMap::left_out) put(part, before, t, in.count[i]);
            }
        }
        part.n_events.push_back(part.frame.size() - before);
    }
}

std::vector<std::uint32_t> slots_of_bin(const Partition& partition,
                                        std::uint32_t dynamic_bin,
                                        const std::vector<std::uint8_t>* excluded) {
    std::vector<std::uint32_t> slots;
    for (std::int64_t k = 0; k < partition.n_kept(); ++k) {
        if (partition.dynamic_bin(k) != dynamic_bin) continue;
        if (excluded != nullptr && (*excluded)[static_cast<std::size_t>(k)] != 0) continue;
        slots.push_back(static_cast<std::uint32_t>(k));
    }
    return slots;
}

std::vector<Part> split_by_tile(const std::vector<std::uint32_t>& slots) {
    std::vector<Part> parts;
    for (std::size_t p = 0; p < slots.size(); ++p) {
        const std::int64_t tile = std::int64_t{slots[p]} >> tile_bits;
        if (parts.empty() || parts.back().tile != tile) {
            parts.emplace_back();
            parts.back().tile = tile;
            parts.back().first = p;
        }
        parts.back().end = p + 1;
    }
    return parts;
}

}  // namespace

std::uint32_t add_counts(std::uint32_t a, std::uint32_t b) {
    const std::uint64_t sum = std::uint64_t{a} + b;
    if (sum > std::numeric_limits<std::uint32_t>::max()) {
        throw std::overflow_error(
            "two-time correlation: a pixel has " + std::to_string(sum) +
            " photons in one block of frames; at most 4294967295 are allowed");
    }
    return static_cast<std::uint32_t>(sum);
}

std::vector<std::uint64_t> BinEvents::frame_photons(std::int64_t n_frames) const {
    std::vector<std::uint64_t> photons(static_cast<std::size_t>(n_frames), 0);
    for (std::size_t i = 0; i < frame.size(); ++i)
        photons[frame[i]] += count[i];
    return photons;
}

BinEvents gather_bin(const PixelSeries& series,
                     const FrameMap& frames,
                     std::uint32_t dynamic_bin,
                     const std::vector<std::uint8_t>* excluded,
                     int threads) {
    BinEvents out;
    out.slot = slots_of_bin(series.partition(), dynamic_bin, excluded);
    std::vector<Part> parts = split_by_tile(out.slot);
    oneapi::tbb::enumerable_thread_specific<Scratch> scratch;
    oneapi::tbb::task_arena arena(threads > 0 ? threads : oneapi::tbb::task_arena::automatic);
    arena.execute([&] {
        oneapi::tbb::parallel_for(std::size_t{0}, parts.size(), [&](std::size_t i) {
            gather_part(series, frames, out.slot, parts[i], scratch.local());
        });
    });
    out.begin.reserve(out.slot.size() + 1);
    out.begin.push_back(0);
    for (const Part& part : parts) {
        for (const std::uint64_t n : part.n_events)
            out.begin.push_back(out.begin.back() + n);
    }
    out.frame.resize(out.begin.back());
    out.count.resize(out.begin.back());
    arena.execute([&] {
        oneapi::tbb::parallel_for(std::size_t{0}, parts.size(), [&](std::size_t i) {
            const auto at = static_cast<std::ptrdiff_t>(out.begin[parts[i].first]);
            std::copy(parts[i].frame.begin(), parts[i].frame.end(), out.frame.begin() + at);
            std::copy(parts[i].count.begin(), parts[i].count.end(), out.count.begin() + at);
            parts[i] = {};
        });
    });
    return out;
}

}  // namespace xpcs
