// SPDX-License-Identifier: BSD-3-Clause
// Vectors of events = one event after the other.
#include "kernels/event_pack.hpp"

#include "kernels/series_record.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace xpcs::test {
namespace {

/// Pixels of which about two in three are kept, in no pattern.
Partition holey_partition(std::int64_t n_pixels, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<std::uint32_t> label(static_cast<std::size_t>(n_pixels));
    for (std::uint32_t& l : label)
        l = random() % 3 != 0 ? 1 : 0;
    label.back() = 1;
    return make_partition(1, n_pixels, label, label, 1, 1);
}

EventChunk random_events(std::size_t n, std::int64_t n_pixels, int per_frame, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    EventChunk chunk;
    chunk.frame_base = 1000;
    for (std::size_t i = 0; i < n; ++i) {
        chunk.pixel.push_back(
            static_cast<std::uint32_t>(random() % static_cast<std::uint64_t>(n_pixels)));
        chunk.frame.push_back(3 +
                              static_cast<std::uint32_t>(i / static_cast<std::size_t>(per_frame)));
        chunk.count.push_back(1 + static_cast<std::uint32_t>(random() % 255));
    }
    return chunk;
}

void expect_packed(const EventChunk& chunk,
                   const Partition& partition,
                   const SeriesRange& range,
                   const std::string& what) {
    const std::size_t n = chunk.size();
    const Selection selection(
        partition, range, chunk.frame_base, chunk.frame.front(), chunk.frame.back());
    const std::uint32_t base = chunk.frame.front(), span = chunk.frame.back() - base + 1;
    std::vector<std::uint32_t> record(n), tile(n);
    std::vector<std::uint64_t> photons(span, 0), expected_photons(span, 0);
    const PackTotals totals =
        pack_narrow(chunk, selection, base, record.data(), tile.data(), photons.data());

    std::int64_t kept = 0, masked = 0, outside = 0;
    const std::int64_t end_tile = std::min(range.end_tile, n_tiles(partition));
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint32_t slot = partition.slot[chunk.pixel[i]];
        const std::int64_t frame = chunk.frame_base + chunk.frame[i];
        const bool in_frames = frame >= range.begin_frame && frame < range.end_frame;
        masked += slot == Partition::not_kept;
        outside += slot != Partition::not_kept && !in_frames;
        const std::int64_t at = slot >> tile_bits;
        const bool here =
            slot != Partition::not_kept && in_frames && at >= range.first_tile && at < end_tile;
        kept += here;
        ASSERT_EQ(tile[i], here ? at - range.first_tile : end_tile - range.first_tile)
            << what << ", event " << i;
        if (!here) continue;
        expected_photons[chunk.frame[i] - base] += chunk.count[i];
        ASSERT_EQ(
            record[i],
            NarrowRecord::pack(slot & (tile_pixels - 1), chunk.frame[i] - base, chunk.count[i]))
            << what << ", event " << i;
    }
    EXPECT_EQ(totals.kept, kept) << what;
    EXPECT_EQ(totals.masked, masked) << what;
    EXPECT_EQ(totals.outside_frames, outside) << what;
    EXPECT_EQ(photons, expected_photons) << what;
}

TEST(EventPack, EveryEventIsPackedAsIfItWereAlone) {
    const Partition partition = holey_partition(5000, 3);
    for (const std::size_t n : {1, 3, 4, 15, 16, 17, 33, 1000, 20011}) {
        for (const int per_frame : {1, 5, 64, 3000}) {
            const EventChunk chunk = random_events(n, 5000, per_frame, n);
            const std::string what =
                std::to_string(n) + " events, " + std::to_string(per_frame) + " per frame";
            expect_packed(chunk, partition, {}, what);
            SeriesRange range;
            range.first_tile = 2;
            range.end_tile = 5;
            expect_packed(chunk, partition, range, what + ", three tiles");
            range.begin_frame = 1004;
            range.end_frame = 1050;
            expect_packed(chunk, partition, range, what + ", 46 frames");
        }
    }
}

TEST(EventPack, FramesThatAChunkDoesNotReachAreOutside) {
    const Partition partition = holey_partition(700, 4);
    const EventChunk chunk = random_events(100, 700, 7, 5);
    for (const auto& [begin, end] :
         std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 10},
                                                            {0, 1003},
                                                            {1018, 2000},
                                                            {1 << 20, 1 << 21},
                                                            {1'000'000'000'000, INT64_MAX}}) {
        SeriesRange range;
        range.begin_frame = begin;
        range.end_frame = end;
        expect_packed(chunk, partition, range, "frames from " + std::to_string(begin));
    }
}

}  // namespace
}  // namespace xpcs::test
