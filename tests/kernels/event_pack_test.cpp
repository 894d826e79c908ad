// SPDX-License-Identifier: BSD-3-Clause
// Vectors of events = one event after the other.
#include "kernels/event_pack.hpp"

#include "kernels/series_record.hpp"

#include <gtest/gtest.h>

#include <algorithm>
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

/// Words of a module with gaps, as the chunk that they mean.
struct File {
    std::vector<std::uint64_t> words;
    rigaku::IndexMap map{1U << 20, 3 * 1024, 7, 52};
    static constexpr std::int64_t n_pixels = 7 + 3 * 1024 + 2 * 52;
};

File random_file(std::size_t n, int per_frame, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    File file;
    for (std::size_t i = 0; i < n; ++i) {
        constexpr std::uint32_t rare[] = {3, 15, 255, 254};
        const std::uint32_t count =
            random() % 9 == 0 ? rare[random() % 4] : 1 + static_cast<std::uint32_t>(random() % 2);
        const auto frame = static_cast<std::int64_t>(i) / per_frame + 77;
        const auto local = static_cast<std::uint32_t>(random() % file.map.n_pixels);
        file.words.push_back(rigaku::make_word(frame, file.map.offset + local, count) |
                             (random() % 16) << 12 | (random() % 8) << 37);  // idle bits
    }
    return file;
}

EventChunk chunk_of(const File& file) {
    EventChunk chunk;
    for (const std::uint64_t word : file.words) {
        chunk.pixel.push_back(file.map.pixel(rigaku::index_of(word) - file.map.offset));
        chunk.frame.push_back(rigaku::frame_of(word));
        chunk.count.push_back(rigaku::count_of(word));
    }
    return chunk;
}

struct Packed {
    std::vector<std::uint32_t> record, tile;
    std::vector<std::uint64_t> photons;
    PackTotals totals;
    WordCounts counts;
    bool done = false;
};

Packed pack_file(const File& file, const Partition& partition, const SeriesRange& range = {}) {
    const std::size_t n = file.words.size();
    const std::uint32_t first = rigaku::frame_of(file.words.front()),
                        last = rigaku::frame_of(file.words.back());
    const Selection selection(partition, range, 0, first, last);
    Packed out{std::vector<std::uint32_t>(n),
               std::vector<std::uint32_t>(n),
               std::vector<std::uint64_t>(std::size_t{last} - first + 1, 0),
               {},
               {}};
    out.done = pack_words(file.words.data(),
                          n,
                          file.map,
                          selection,
                          out.record.data(),
                          out.tile.data(),
                          out.photons.data(),
                          out.totals,
                          out.counts);
    return out;
}

TEST(EventPack, WordsArePackedAsTheirFields) {
    const Partition partition = holey_partition(File::n_pixels, 9);
    for (const std::size_t n : {1, 3, 15, 16, 17, 100, 4096, 4097, 20011}) {
        for (const int per_frame : {1, 5, 64, 30000}) {
            const File file = random_file(n, per_frame, n);
            const EventChunk chunk = chunk_of(file);
            for (const bool part : {false, true}) {
                SCOPED_TRACE(testing::Message() << n << " words, " << per_frame << " per frame");
                SeriesRange range;
                if (part) range = {80, 90, 1, 4};
                const Packed got = pack_file(file, partition, range);
                ASSERT_TRUE(got.done);
                const Selection selection(
                    partition, range, 0, chunk.frame.front(), chunk.frame.back());
                std::vector<std::uint32_t> record(n), tile(n);
                std::vector<std::uint64_t> photons(got.photons.size(), 0);
                const PackTotals totals = pack_narrow(chunk,
                                                      selection,
                                                      chunk.frame.front(),
                                                      record.data(),
                                                      tile.data(),
                                                      photons.data());
                EXPECT_EQ(got.record, record);
                EXPECT_EQ(got.tile, tile);
                EXPECT_EQ(got.photons, photons);
                EXPECT_EQ(got.totals.kept, totals.kept);
                EXPECT_EQ(got.totals.masked, totals.masked);
                EXPECT_EQ(got.totals.outside_frames, totals.outside_frames);
                const auto number_of = [&](std::uint32_t count) {
                    return std::count(chunk.count.begin(), chunk.count.end(), count);
                };
                EXPECT_EQ(got.counts.at_maximum_3, number_of(3));
                EXPECT_EQ(got.counts.at_maximum_15, number_of(15));
                EXPECT_EQ(got.counts.at_maximum_255, number_of(255));
                EXPECT_EQ(got.counts.largest_count,
                          *std::max_element(chunk.count.begin(), chunk.count.end()));
            }
        }
    }
}

TEST(EventPack, WordsOutOfTheOrdinaryAreLeft) {
    const Partition partition = holey_partition(File::n_pixels, 9);
    for (const std::size_t n : {20, 5000}) {
        const File good = random_file(n, 7, 3);
        ASSERT_TRUE(pack_file(good, partition).done);
        for (std::size_t at = 0; at < n; at += n == 20 ? 1 : 617) {
            const std::uint64_t word = good.words[at];
            const std::int64_t frame = rigaku::frame_of(word);
            const std::uint32_t index = rigaku::index_of(word), count = rigaku::count_of(word);
            const auto expect_left = [&](std::uint64_t instead, const char* what) {
                File file = good;
                file.words[at] = instead;
                EXPECT_FALSE(pack_file(file, partition).done) << what << " at " << at;
            };
            expect_left(rigaku::make_word(frame, index, 0), "count 0");
            expect_left(rigaku::make_word(frame, index, 256), "count 256");
            expect_left(rigaku::make_word(frame, index, 4095), "count 4095");
            expect_left(rigaku::make_word(frame, good.map.offset + good.map.n_pixels, count),
                        "index behind the last");
            expect_left(rigaku::make_word(frame, good.map.offset - 1, count), "index before 0");
            // The first and the last word say which frames there are.
            if (at == 0 || at == n - 1) continue;
            expect_left(rigaku::make_word(76, index, count), "a frame before the first");
            expect_left(rigaku::make_word((1 << 24) - 1, index, count), "a frame after the last");
            if (at % 7 == 6 && at > 7) {
                expect_left(rigaku::make_word(frame - 1, index, count), "a frame before the last");
            }
        }
    }
}

TEST(EventPack, RunsOfATileEndWhereItChanges) {
    std::mt19937_64 random(41);
    for (const std::size_t n : {0, 1, 2, 7, 8, 9, 100, 1000}) {
        std::vector<std::uint32_t> tile(n);
        for (std::size_t i = 1; i < n; ++i)
            tile[i] = random() % 20 == 0 ? static_cast<std::uint32_t>(random() % 3) : tile[i - 1];
        std::vector<TileRun> expected;
        for (std::size_t i = 0; i < n; ++i) {
            if (i == 0 || tile[i] != tile[i - 1])
                expected.push_back({static_cast<std::uint32_t>(i), tile[i]});
        }
        std::vector<TileRun> runs(n + 1);
        ASSERT_EQ(find_runs(tile.data(), n, n, runs.data()), expected.size());
        for (std::size_t r = 0; r < expected.size(); ++r) {
            EXPECT_EQ(runs[r].begin, expected[r].begin);
            EXPECT_EQ(runs[r].tile, expected[r].tile);
        }
        if (expected.empty()) continue;
        const std::size_t most = expected.size() - 1;
        EXPECT_EQ(find_runs(tile.data(), n, most, runs.data()), most + 1);
    }
}

}  // namespace
}  // namespace xpcs::test
