// SPDX-License-Identifier: BSD-3-Clause
// Reading a Rigaku file takes words apart while it sorts them: the same series, and the same
// counts, as from decoded events.
#include "host/readers/rigaku64.hpp"
#include "host/series_reader.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <algorithm>
#include <random>

namespace xpcs {
namespace {

using testing::Event;
using testing::TempDir;

constexpr std::int64_t image_rows = 24, image_cols = 64;
constexpr std::uint32_t image_pixels = image_rows * image_cols;

Partition patchy_partition() {
    std::vector<std::uint32_t> label(image_pixels, 1);
    for (std::size_t p = 0; p < label.size(); ++p)
        if (p % 5 == 2) label[p] = 0;
    return make_partition(image_rows, image_cols, label, label, 1, 1);
}

/// What may be wrong with one event in forty.
struct Oddities {
    bool zero_counts = false, large_counts = false, disorder = false, bad_indices = false;
    std::int64_t first_frame = 0;
};

std::vector<Event> events_with(const Oddities& odd, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Event> events;
    for (std::int64_t i = 0; i < 6000; ++i) {
        std::int64_t frame = odd.first_frame + i / 4;
        auto pixel = static_cast<std::uint32_t>(random() % image_pixels);
        auto count = static_cast<std::uint32_t>(1 + random() % 4);
        // In the second half only: there are blocks without any.
        const bool strikes = i > 3000 && random() % 40 == 0;
        if (strikes && odd.zero_counts) count = 0;
        if (strikes && odd.large_counts) count = static_cast<std::uint32_t>(250 + random() % 3000);
        if (strikes && odd.disorder) frame -= 3;
        if (strikes && odd.bad_indices) pixel += image_pixels;
        events.emplace_back(frame, pixel, count);
    }
    return events;
}

class SeriesReaderWords : public ::testing::Test {
  protected:
    void expect_same_as_decoded(const std::vector<Event>& events, const SeriesRange& range) {
        testing::write_words(path, testing::words_of(events));
        for (const std::int64_t block_bytes : {8 * 50, 8 * 1000, 1 << 20}) {
            SCOPED_TRACE(block_bytes);
            ReadOptions options;
            options.raw = path;
            options.source.block_bytes = block_bytes;
            options.source.drop_bad_index = true;
            options.rows = image_rows;
            options.cols = image_cols;
            options.threads = 2;
            options.progress = "never";
            const ReadResult got = read_series(options, partition, range);

            const auto source = open_frame_source(path, options.source);
            source->set_shape(image_rows, image_cols);
            PixelSeries expected(partition, range, false);
            DecodeCounts counts;
            PieceScratch scratch;
            RawBlock block;
            Chunk chunk;
            while (source->next(block)) {
                source->decode(block, chunk, counts);
                expected.append(make_piece(std::get<EventChunk>(chunk), partition, range, scratch));
            }
            expect_same_series(got.series, expected);
            expect_same_counts(got.decode, counts);
        }
    }
    static void expect_same_series(const PixelSeries& a, const PixelSeries& b) {
        EXPECT_EQ(a.counts().events, b.counts().events);
        EXPECT_EQ(a.counts().photons, b.counts().photons);
        EXPECT_EQ(a.counts().masked, b.counts().masked);
        EXPECT_EQ(a.counts().outside_frames, b.counts().outside_frames);
        EXPECT_EQ(a.counts().split_records, b.counts().split_records);
        EXPECT_EQ(a.ordered(), b.ordered());
        EXPECT_EQ(a.frame_photons().to_vector(), b.frame_photons().to_vector());
        TileEvents ours, theirs;
        for (std::int64_t tile = a.first_tile(); tile < a.end_tile(); ++tile) {
            a.gather(tile, ours);
            b.gather(tile, theirs);
            EXPECT_EQ(ours.begin, theirs.begin);
            EXPECT_EQ(ours.frame, theirs.frame);
            EXPECT_EQ(ours.count, theirs.count);
        }
    }
    static void expect_same_counts(const DecodeCounts& a, const DecodeCounts& b) {
        EXPECT_EQ(a.records, b.records);
        EXPECT_EQ(a.zero_count, b.zero_count);
        EXPECT_EQ(a.bad_index, b.bad_index);
        EXPECT_EQ(a.out_of_order, b.out_of_order);
        EXPECT_EQ(a.last_frame, b.last_frame);
        EXPECT_EQ(a.counter_wraps, b.counter_wraps);
        EXPECT_EQ(a.at_maximum_3, b.at_maximum_3);
        EXPECT_EQ(a.at_maximum_15, b.at_maximum_15);
        EXPECT_EQ(a.at_maximum_255, b.at_maximum_255);
        EXPECT_EQ(a.at_maximum_4095, b.at_maximum_4095);
        EXPECT_EQ(a.largest_count, b.largest_count);
    }
    TempDir directory;
    std::string path = directory.file("run.bin");
    Partition partition = patchy_partition();
};

TEST_F(SeriesReaderWords, OrdinaryFiles) {
    expect_same_as_decoded(events_with({}, 1), {});
    SeriesRange range;
    range.begin_frame = 100;
    range.end_frame = 1200;
    range.first_tile = 1;
    range.end_tile = 2;
    expect_same_as_decoded(events_with({}, 2), range);
}

TEST_F(SeriesReaderWords, OddFiles) {
    Oddities odd;
    for (const int which : {0, 1, 2, 3, 4, 5}) {
        SCOPED_TRACE(which);
        odd = {which == 0, which == 1, which == 2, which == 3, 0};
        // Over the wrap of the counter, and with all of it at once.
        if (which == 4) odd.first_frame = rigaku::frame_period - 700;
        if (which == 5) odd = {true, true, true, true, 2 * rigaku::frame_period - 900};
        expect_same_as_decoded(events_with(odd, static_cast<std::uint64_t>(which) + 3), {});
    }
}

}  // namespace
}  // namespace xpcs
