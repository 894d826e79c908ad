// SPDX-License-Identifier: BSD-3-Clause
// Photons by pixel and by frame, however the photons are kept.
#include "kernels/pixel_series.hpp"

#include "kernels/cell_sums.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "series_fixture.hpp"

namespace xpcs::test {
namespace {

struct Kept {
    std::string how;
    PixelSeries series;
};

/// 600 pixels are two tiles; counts up to 300 need two bytes.
reference::Run bright_run() {
    reference::Run run = poisson_run(90, 600, 0.3, 17, 20);
    at(run, 40, 7) = 200;
    at(run, 41, 599) = 300;
    return run;
}

std::vector<Kept>
in_every_way(const reference::Run& run, const Partition& partition, const SeriesRange& range) {
    std::vector<Kept> all;
    all.push_back({"events", sparse_series(run, partition, range, 500)});
    all.push_back({"events of frames", dense_series<std::uint16_t>(run, partition, true, range)});
    all.push_back({"rows of 16 bits", dense_series<std::uint16_t>(run, partition, false, range)});
    all.push_back({"rows of 32 bits", dense_series<std::uint32_t>(run, partition, false, range)});
    return all;
}

SeriesRange part_of(const Partition& partition) {
    return {10, 80, 1, n_tiles(partition)};
}

TEST(PixelSeries, PhotonsOfEveryPixelAreThoseOfItsFrames) {
    const reference::Run run = bright_run();
    const Partition partition = partition_of(run);
    for (const SeriesRange& range :
         {SeriesRange{0, 90, 0, n_tiles(partition)}, part_of(partition)}) {
        // All frames; then 41, 43, 47, 49, 53, 55 alone.
        for (const FrameMap& map : {FrameMap{0, 1, 1, 90}, FrameMap{41, 2, 2, 4}}) {
            std::vector<std::uint64_t> expected(600, 1000);  // it adds to what is there
            for (std::int64_t p = range.first_tile * tile_pixels; p < 600; ++p) {
                for (std::int64_t t = range.begin_frame; t < range.end_frame; ++t) {
                    if (map.stride > 1 && (t < 41 || t > 55 || (t - 41) % 4 % 2 != 0)) continue;
                    expected[static_cast<std::size_t>(p)] +=
                        static_cast<std::uint64_t>(run.at(t, p));
                }
            }
            for (const Kept& kept : in_every_way(run, partition, range)) {
                std::vector<std::uint64_t> found(600, 1000);
                kept.series.add_pixel_photons(map, found);
                EXPECT_EQ(found, expected)
                    << kept.how << " from frame " << range.begin_frame << ", stride " << map.stride;
            }
        }
    }
}

TEST(PixelSeries, LargeCountsTakeFewRecords) {
    constexpr std::uint64_t large = 40'000'000;  // 156 863 records of at most 255
    reference::Run run = poisson_run(20, 600, 0.3, 17, 20);
    for (std::int64_t t = 0; t < 20; ++t)
        at(run, t, 7) = at(run, t, 599) = static_cast<double>(large);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition, {0, 20, 0, n_tiles(partition)}, 500);
    std::vector<std::uint64_t> found(600, 0);
    series.add_pixel_photons({0, 1, 1, 20}, found);
    EXPECT_EQ(found[7], 20 * large);
    EXPECT_EQ(found[599], 20 * large);
    EXPECT_LT(series.memory_bytes(), std::size_t{1} << 20);
}

TEST(PixelSeries, MarkedPixelsAreTakenOutOfTheFrames) {
    const reference::Run run = bright_run();
    const Partition partition = partition_of(run);
    const SeriesRange range = part_of(partition);
    std::vector<std::uint8_t> marked(600, 0);
    for (const std::size_t p : {7, 530, 599})  // the first is not in the range
        marked[p] = 1;
    std::vector<std::uint64_t> expected;
    std::int64_t lit = 0;
    for (std::int64_t t = range.begin_frame; t < range.end_frame; ++t) {
        double sum = 0;
        for (std::int64_t p = tile_pixels; p < 600; ++p) {
            if (marked[static_cast<std::size_t>(p)] == 0) sum += run.at(t, p);
        }
        expected.push_back(static_cast<std::uint64_t>(sum));
        lit += (run.at(t, 530) > 0) + (run.at(t, 599) > 0);
    }
    for (Kept& kept : in_every_way(run, partition, range)) {
        SCOPED_TRACE(kept.how);
        const std::int64_t removed = kept.series.remove_from_frames(marked);
        // 300 are two records where counts are kept in a byte.
        EXPECT_EQ(removed, kept.series.dense() ? lit : lit + 1);
        const FramePhotons& frames = kept.series.frame_photons();
        ASSERT_EQ(frames.size(), expected.size());
        for (std::size_t f = 0; f < expected.size(); ++f)
            EXPECT_EQ(frames[f], expected[f]) << "frame " << f;
    }
}

TEST(PixelSeries, LitSamplesOfRowsInFramesLeftOut) {
    const reference::Run run = bright_run();
    const Partition partition = partition_of(run);
    const SeriesRange range = part_of(partition);
    const FrameMap map{11, 2, 2, 16};  // 11, 13, 15, ... 73 of 10 to 79
    std::vector<std::uint8_t> marked(600, 0);
    for (const std::size_t p : {7, 530, 599})
        marked[p] = 1;
    std::int64_t expected = 0;
    for (std::int64_t t = range.begin_frame; t < range.end_frame; ++t) {
        for (std::int64_t p = tile_pixels; p < 600; ++p) {
            const bool used = t >= 11 && t <= 73 && t % 2 == 1;
            expected += !used && marked[static_cast<std::size_t>(p)] == 0 && run.at(t, p) > 0;
        }
    }
    EXPECT_EQ(dense_series<std::uint16_t>(run, partition, false, range).n_lit_left_out(map, marked),
              expected);
    EXPECT_EQ(dense_series<std::uint32_t>(run, partition, false, range).n_lit_left_out(map, marked),
              expected);
    const reference::Run dim = poisson_run(90, 600, 0.3, 17, 20);
    const PixelSeries none = dense_series<std::uint8_t>(dim, partition, false, range);
    EXPECT_EQ(none.n_lit_left_out({10, 1, 1, 70}, marked), 0);
}

TEST(PixelSeries, SamplesWithoutDataAreThoseOfTheTilesAskedFor) {
    reference::Run run = bright_run();
    for (const std::int64_t p : {7, 530, 599})
        at(run, 50, p) = at(run, 51, p) = 0xFFFF;
    const Partition partition = partition_of(run);
    for (const bool as_events : {false, true}) {
        for (std::int64_t tile = 0; tile < 2; ++tile) {
            const SeriesRange range{0, 90, tile, tile + 1};
            const PixelSeries series =
                dense_series<std::uint16_t>(run, partition, as_events, range);
            EXPECT_EQ(series.counts().overflow_samples, tile == 0 ? 2 : 4) << as_events;
            EXPECT_EQ(std::count(series.overflow().begin(), series.overflow().end(), 1),
                      tile == 0 ? 1 : 2)
                << as_events;
        }
    }
}

/// The events of each frame of a chunk in any order.
void shuffle_frames(EventChunk& chunk, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::size_t begin = 0, end = 0; begin < chunk.size(); begin = end) {
        while (end < chunk.size() && chunk.frame[end] == chunk.frame[begin])
            ++end;
        for (std::size_t i = end - 1; i > begin; --i) {
            const std::size_t j = begin + random() % (i - begin + 1);
            std::swap(chunk.pixel[i], chunk.pixel[j]);
            std::swap(chunk.count[i], chunk.count[j]);
        }
    }
}

// Events that follow the pixels lie in long runs of a tile; these are moved as a whole.
TEST(PixelSeries, TheOrderOfPixelsInAFrameDoesNotMatter) {
    const reference::Run run = poisson_run(40, 1700, 0.6, 23, 50);
    const Partition partition = partition_of(run);
    for (const SeriesRange& range : {SeriesRange{}, SeriesRange{3, 33, 1, 3}}) {
        PixelSeries ascending(partition, range, false), shuffled(partition, range, false);
        PieceScratch scratch;
        for (EventChunk& chunk : event_chunks(run, 5000)) {
            ascending.append(make_piece(chunk, partition, range, scratch));
            shuffle_frames(chunk, chunk.size());
            shuffled.append(make_piece(chunk, partition, range, scratch));
        }
        EXPECT_EQ(ascending.counts().events, shuffled.counts().events);
        for (std::int64_t tile = ascending.first_tile(); tile < ascending.end_tile(); ++tile) {
            TileEvents one, other;
            ascending.gather(tile, one);
            shuffled.gather(tile, other);
            EXPECT_EQ(one.begin, other.begin) << "tile " << tile;
            EXPECT_TRUE(std::equal(
                one.frame.begin(), one.frame.end(), other.frame.begin(), other.frame.end()));
            EXPECT_TRUE(std::equal(
                one.count.begin(), one.count.end(), other.count.begin(), other.count.end()));
        }
    }
}

// What a GPU does with the lines of a piece: the place of a sample says whose it is.
TEST(PixelSeries, LinesHoldTheSamplesOfTheirPlaces) {
    for (const int largest : {15, 16, 255, 300, 70000}) {
        reference::Run run = poisson_run(21, 150, 0.7, 51, 10);
        at(run, 20, 149) = largest;
        const Partition partition = partition_of(run);
        const PixelSeries series = dense_series<std::uint32_t>(run, partition, false, {}, 100);
        ASSERT_EQ(series.pieces().size(), 1U);
        const SeriesPiece& piece = series.pieces().front();
        EXPECT_EQ(piece.sample_bits,
                  largest < 16      ? 4
                  : largest < 256   ? 8
                  : largest < 65536 ? 16
                                    : 32);
        const std::uint64_t n = 3 * line_pixels * 21;
        ASSERT_EQ(piece.lines.size() * 8, n * static_cast<std::uint64_t>(piece.sample_bits));
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(piece.lines.data());
        for (std::uint64_t i = 0; i < n; ++i) {
            const LinePlace place = line_place(i, 21);
            std::uint32_t sample = 0;
            if (piece.sample_bits == 4) {
                sample = half_byte(bytes, i);
            } else {
                const auto width = static_cast<std::size_t>(piece.sample_bits / 8);
                std::memcpy(&sample, bytes + i * width, width);
            }
            const auto slot = static_cast<std::int64_t>(place.slot);
            ASSERT_EQ(sample, slot < 150 ? run.at(place.frame, slot) : 0)
                << "pixel " << slot << ", frame " << place.frame << ", up to " << largest;
        }
    }
}

std::uint8_t count_at(const TileCells& cells, std::int64_t pixel, std::int64_t frame) {
    return cells
        .count[static_cast<std::size_t>(pixel / TileCells::block * cells.pitch +
                                        frame * TileCells::block + pixel % TileCells::block)];
}

template <class Sample>
void expect_sums_without_lines(double mean) {
    const reference::Run run = poisson_run(50, 1300, mean, 41, 20);
    const Partition partition = partition_of(run);
    std::vector<DenseChunk> chunks = dense_chunks<Sample>(run, 50);
    auto* samples = reinterpret_cast<Sample*>(chunks[0].store.data());
    samples[7 * 1300 + 600] = std::numeric_limits<Sample>::max();  // no data
    PieceScratch with, without;
    without.sample_bits = 0;
    const SeriesPiece lines = make_piece(chunks[0], partition, {}, false, with);
    const SeriesPiece sums = make_piece(chunks[0], partition, {}, false, without);
    EXPECT_FALSE(lines.lines.empty());
    EXPECT_TRUE(sums.lines.empty());
    EXPECT_EQ(sums.frame_photons, lines.frame_photons);
    EXPECT_EQ(sums.counts.photons, lines.counts.photons);
    EXPECT_EQ(sums.counts.events, lines.counts.events);
    EXPECT_EQ(sums.overflow_slots, lines.overflow_slots);
    EXPECT_EQ(sums.counts.overflow_samples, 1);
}

TEST(PixelSeries, SumsOfFramesNeedNoLines) {
    expect_sums_without_lines<std::uint8_t>(3);
    expect_sums_without_lines<std::uint16_t>(3);
    expect_sums_without_lines<std::uint16_t>(20000);
    expect_sums_without_lines<std::uint32_t>(1e6);
}

TEST(PixelSeries, CountsOfATileAreItsSamples) {
    const reference::Run run = poisson_run(90, 600, 0.3, 29, 20);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition, {}, 500);
    for (std::int64_t tile = 0; tile < 2; ++tile) {
        TileCells cells;
        ASSERT_TRUE(series.scatter(tile, run.n_frames, cells));
        EXPECT_EQ(cells.duplicates, 0);
        EXPECT_EQ(cells.n_records, series.n_records(tile));
        for (std::int64_t p = 0; p < tile_pixels; ++p) {
            const std::int64_t slot = tile * tile_pixels + p;
            for (std::int64_t t = 0; t < run.n_frames; ++t) {
                ASSERT_EQ(count_at(cells, p, t), slot < run.n_pixels ? run.at(t, slot) : 0)
                    << "pixel " << slot << ", frame " << t;
            }
        }
    }
}

// A piece of the file that begins before the first frame that is read.
TEST(PixelSeries, CountsOfATileBeginWithTheFirstFrameRead) {
    const reference::Run run = poisson_run(90, 40, 0.3, 41, 20);
    const Partition partition = partition_of(run);
    constexpr std::int64_t begin = 33, n_frames = 51;
    const PixelSeries series = sparse_series(run, partition, {begin, begin + n_frames}, 500);
    TileCells cells;
    ASSERT_TRUE(series.scatter(0, n_frames, cells));
    for (std::int64_t p = 0; p < run.n_pixels; ++p) {
        for (std::int64_t t = 0; t < n_frames; ++t) {
            ASSERT_EQ(count_at(cells, p, t), run.at(begin + t, p))
                << "pixel " << p << ", frame " << t;
        }
    }
}

// Records of one frame lie in two pieces, some frames have none, and buffers are used again.
TEST(PixelSeries, CountsOfATileAreClearedBeforeTheyAreFilled) {
    reference::Run run = poisson_run(300, 40, 0.3, 43, 20);
    for (std::int64_t p = 0; p < run.n_pixels; ++p) {
        for (const std::int64_t first : {0, 70, 260})
            for (std::int64_t t = first; t < first + 40; ++t)
                at(run, t, p) = 0;
    }
    const Partition partition = partition_of(run);
    const PixelSeries in_order = sparse_series(run, partition, {}, 17);
    PixelSeries in_disorder(partition, {}, false);
    std::vector<EventChunk> chunks = event_chunks(run, 17);
    std::reverse(chunks.begin(), chunks.end());
    PieceScratch scratch;
    for (const EventChunk& chunk : chunks)
        in_disorder.append(make_piece(chunk, partition, {}, scratch));
    ASSERT_TRUE(in_order.ordered());
    ASSERT_FALSE(in_disorder.ordered());
    for (const PixelSeries* series :
         std::initializer_list<const PixelSeries*>{&in_order, &in_disorder}) {
        TileCells cells;
        cells.count.assign(1'000'000, 77);
        ASSERT_TRUE(series->scatter(0, run.n_frames, cells));
        EXPECT_EQ(cells.duplicates, 0);
        for (std::int64_t p = 0; p < tile_pixels; ++p) {
            for (std::int64_t t = 0; t < run.n_frames; ++t) {
                ASSERT_EQ(count_at(cells, p, t), p < run.n_pixels ? run.at(t, p) : 0)
                    << "pixel " << p << ", frame " << t;
            }
        }
    }
}

TEST(PixelSeries, CountsOfATileAreSumsUpTo255) {
    const reference::Run run = empty_run(4, 20);
    const Partition partition = partition_of(run);
    const auto scatter = [&](std::uint32_t last, TileCells& cells) {
        EventChunk chunk;
        chunk.pixel = {3, 7, 7, 7, 19};
        chunk.frame = {0, 2, 2, 2, 3};
        chunk.count = {255, 100, 100, last, 1};
        PieceScratch scratch;
        PixelSeries series(partition, {}, false);
        series.append(make_piece(chunk, partition, {}, scratch));
        return series.scatter(0, 4, cells);
    };
    TileCells cells;
    ASSERT_TRUE(scatter(55, cells));
    EXPECT_EQ(count_at(cells, 7, 2), 255);
    EXPECT_EQ(cells.n_records, 5);
    EXPECT_EQ(cells.duplicates, 2);
    EXPECT_FALSE(scatter(56, cells));  // a byte would be 0 again
    EXPECT_FALSE(scatter(255, cells));
}

TEST(CellSums, OfAnyNumberOfCounts) {
    std::mt19937_64 random(37);
    std::vector<std::uint8_t> counts(300);
    for (std::uint8_t& count : counts)
        count = random() % 3 == 0 ? static_cast<std::uint8_t>(random()) : 0;
    std::uint64_t photons = 0;
    std::int64_t lit = 0;
    for (std::size_t n = 0; n <= counts.size(); ++n) {
        const CellSums sums = sums_of_cells(counts.data(), n);
        EXPECT_EQ(sums.photons, photons) << n;
        EXPECT_EQ(sums.lit, lit) << n;
        if (n == counts.size()) break;
        photons += counts[n];
        lit += counts[n] != 0;
    }
}

}  // namespace
}  // namespace xpcs::test
