// SPDX-License-Identifier: BSD-3-Clause
// Words of bright frames become the lines that whole frames become, with the counts of events; what
// is out of the ordinary is refused.
#include "kernels/word_lines.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace xpcs {
namespace {

using Fate = WordLines::Fate;
using Words = std::vector<std::uint64_t>;

constexpr std::int64_t bright_rows = 30, bright_cols = 65;
constexpr std::uint32_t n_bright = bright_rows * bright_cols;

Partition bright_partition() {
    std::vector<std::uint32_t> label(n_bright, 1);
    for (std::size_t p = 0; p < label.size(); ++p)
        if (p % 11 == 2 || (p > 700 && p < 800)) label[p] = 0;
    return make_partition(bright_rows, bright_cols, label, label, 1, 1);
}

rigaku::IndexMap bright_map(std::uint32_t offset = 0) {
    return {offset, n_bright, 0, 0};
}

/// Frames [first, first + n) but for every ninth, a fifth of the pixels in each, counts up to
/// `most`.
Words bright_words(std::int64_t first,
                   std::int64_t n,
                   std::uint32_t most,
                   std::uint32_t offset = 0) {
    std::mt19937 random(static_cast<std::mt19937::result_type>(7 * n + most));
    Words words;
    for (std::int64_t frame = first; frame < first + n; ++frame) {
        if (frame != first && frame != first + n - 1 && frame % 9 == 4) continue;
        for (std::uint32_t p = 0; p < n_bright; ++p) {
            if (random() % 5 != 0) continue;
            const std::uint32_t count = random() % 10 == 0 ? 1 + random() % most : 1;
            words.push_back(rigaku::make_word(frame, p + offset, count));
        }
    }
    return words;
}

/// The piece of words that come `at_once` at a time, as wide as they need.
Fate lines_of(const Words& words,
              std::size_t at_once,
              const SeriesRange& range,
              const Partition& partition,
              SeriesPiece& piece,
              WordCounts& counts,
              int bits = 4,
              std::uint32_t offset = 0) {
    PieceScratch scratch;
    scratch.sample_bits = bits;
    WordLines lines(bright_map(offset), partition, range, scratch);
    lines.begin(rigaku::frame_of(words.front()), rigaku::frame_of(words.back()));
    for (std::size_t i = 0; i < words.size(); i += at_once) {
        const Fate fate =
            lines.add(std::span(words).subspan(i, std::min(at_once, words.size() - i)));
        if (fate != Fate::taken) return fate;
    }
    return lines.finish(piece, counts);
}

Fate fate_of(const Words& words, int bits = 8) {
    static const Partition partition = bright_partition();
    SeriesPiece piece;
    WordCounts counts;
    return lines_of(words, 1000, {}, partition, piece, counts, bits);
}

using Samples = std::map<std::pair<std::int64_t, std::int64_t>, std::uint32_t>;

/// [slot, frame] the samples of a series that are not 0.
Samples samples_of(const PixelSeries& series) {
    Samples samples;
    const auto n_frames = static_cast<std::int64_t>(series.frame_photons().size());
    TileEvents events;
    std::vector<std::uint32_t> cells(static_cast<std::size_t>(n_frames * TileCells::block));
    for (std::int64_t tile = series.first_tile(); tile < series.end_tile(); ++tile) {
        const std::int64_t first = series.first_slot(tile), end = series.end_slot(tile);
        if (!series.dense()) {
            series.gather(tile, events);
            for (std::int64_t slot = first; slot < end; ++slot) {
                const auto p = static_cast<std::size_t>(slot - first);
                for (std::uint32_t i = events.begin[p]; i < events.begin[p + 1]; ++i)
                    samples[{slot, events.frame[i]}] += events.count[i];
            }
            continue;
        }
        for (std::int64_t block = first; block < end; block += TileCells::block) {
            series.gather_cells(block, n_frames, cells.data());
            for (std::size_t i = 0; i < cells.size(); ++i) {
                const auto k = static_cast<std::int64_t>(i);
                if (cells[i] != 0)
                    samples[{block + k % TileCells::block, k / TileCells::block}] = cells[i];
            }
        }
    }
    return samples;
}

void expect_same_as_events(const Words& words, const SeriesRange& range, std::uint32_t offset = 0) {
    const Partition partition = bright_partition();
    SeriesPiece piece;
    PieceScratch scratch;
    WordCounts expected_counts;
    ASSERT_TRUE(make_piece(words.data(),
                           words.size(),
                           {bright_map(offset)},
                           partition,
                           range,
                           scratch,
                           piece,
                           expected_counts));
    PixelSeries expected(partition, range, false);
    expected.append(std::move(piece));
    const Samples samples = samples_of(expected);
    for (const std::size_t at_once : {std::size_t{1}, std::size_t{13}, std::size_t{4096}}) {
        SCOPED_TRACE(at_once);
        WordCounts counts;
        SeriesPiece made;
        Fate fate = lines_of(words, at_once, range, partition, made, counts, 4, offset);
        if (fate == Fate::too_large)
            fate = lines_of(words, at_once, range, partition, made, counts, 8, offset);
        ASSERT_EQ(fate, Fate::taken);
        PixelSeries series(partition, range, true);
        series.append(std::move(made));
        EXPECT_TRUE(samples_of(series) == samples);
        EXPECT_EQ(series.frame_photons().to_vector(), expected.frame_photons().to_vector());
        EXPECT_EQ(series.counts().events, expected.counts().events);
        EXPECT_EQ(series.counts().photons, expected.counts().photons);
        EXPECT_EQ(series.counts().masked, expected.counts().masked);
        EXPECT_EQ(series.counts().outside_frames, expected.counts().outside_frames);
        EXPECT_EQ(counts.last_frame, expected_counts.last_frame);
        EXPECT_EQ(counts.largest_count, expected_counts.largest_count);
        EXPECT_EQ(counts.at_maximum_3, expected_counts.at_maximum_3);
        EXPECT_EQ(counts.at_maximum_15, expected_counts.at_maximum_15);
        EXPECT_EQ(counts.at_maximum_255, expected_counts.at_maximum_255);
        EXPECT_EQ(counts.at_maximum_4095, expected_counts.at_maximum_4095);
    }
}

TEST(WordLines, HoldWhatEventsHold) {
    for (const std::uint32_t most : {1U, 2U, 3U, 15U, 16U, 254U}) {
        SCOPED_TRACE(most);
        expect_same_as_events(bright_words(0, 60, most), {});
    }
    // More frames than are open together.
    expect_same_as_events(bright_words(1000, 1201, 4), {});
    expect_same_as_events(bright_words(5, 40, 3, 1U << 20), {}, 1U << 20);
}

TEST(WordLines, OfAPartOfFramesAndTiles) {
    const Words words = bright_words(10, 90, 5);
    SeriesRange range;
    range.begin_frame = 30;
    range.end_frame = 71;
    expect_same_as_events(words, range);
    range.first_tile = 1;
    range.end_tile = 2;
    expect_same_as_events(words, range);
    range = {};
    range.first_tile = 2;
    expect_same_as_events(words, range);
    range.end_frame = 10;  // none
    expect_same_as_events(words, range);
    range.begin_frame = 500;
    range.end_frame = 600;
    expect_same_as_events(words, range);
}

TEST(WordLines, ACountIsTooLargeOrUnusual) {
    EXPECT_EQ(fate_of(bright_words(0, 5, 15), 4), Fate::taken);
    Words words = bright_words(0, 5, 2);
    const auto with = [&](std::size_t at, std::uint32_t count) {
        Words changed = words;
        changed[at] = changed[at] >> 12 << 12 | count;
        return changed;
    };
    for (const std::size_t at : {std::size_t{0}, std::size_t{500}, words.size() - 1}) {
        EXPECT_EQ(fate_of(with(at, 254)), Fate::taken) << at;
        EXPECT_EQ(fate_of(with(at, 0)), Fate::unusual) << at;
        EXPECT_EQ(fate_of(with(at, 255)), Fate::unusual) << at;
        EXPECT_EQ(fate_of(with(at, 257)), Fate::unusual) << at;
        EXPECT_EQ(fate_of(with(at, 4095)), Fate::unusual) << at;
    }
    const Partition partition = bright_partition();
    const auto kept = std::find_if(words.begin(), words.end(), [&](std::uint64_t word) {
        return partition.slot_of(rigaku::index_of(word)) != Partition::not_kept;
    });
    EXPECT_EQ(fate_of(with(static_cast<std::size_t>(kept - words.begin()), 16), 4),
              Fate::too_large);
}

TEST(WordLines, TwoWordsOfOnePixelAndFrameAreUnusual) {
    const Words words = bright_words(0, 5, 2);
    std::size_t masked = 0;
    for (std::size_t at = 0; at < words.size(); at += 37) {
        Words twice = words;
        twice.insert(twice.begin() + static_cast<std::ptrdiff_t>(at), words[at]);
        EXPECT_EQ(fate_of(twice), Fate::unusual) << at;
        masked += rigaku::index_of(words[at]) % 11 == 2;
    }
    EXPECT_GT(masked, 0U);
}

TEST(WordLines, DisorderAndIndicesBeyondTheDetectorAreUnusual) {
    const Words words = bright_words(3, 6, 2);
    Words changed = words;
    std::swap(changed[words.size() / 2], changed[words.size() - 2]);
    EXPECT_EQ(fate_of(changed), Fate::unusual);
    changed = words;
    changed[changed.size() / 2] = rigaku::make_word(9, 1, 1);  // behind the last frame
    EXPECT_EQ(fate_of(changed), Fate::unusual);
    for (const std::size_t at : {std::size_t{0}, words.size() / 2, words.size() - 1}) {
        changed = words;
        changed[at] = rigaku::make_word(rigaku::frame_of(words[at]), n_bright, 1);
        EXPECT_EQ(fate_of(changed), Fate::unusual) << at;
    }
    // Nor in frames that are not kept.
    const Partition partition = bright_partition();
    SeriesPiece piece;
    WordCounts counts;
    SeriesRange range;
    range.begin_frame = 5;
    changed = words;
    changed[3] = rigaku::make_word(3, n_bright, 1);
    EXPECT_EQ(lines_of(changed, 1000, range, partition, piece, counts), Fate::unusual);
    changed[3] = rigaku::make_word(3, 1, 0);
    EXPECT_EQ(lines_of(changed, 1000, range, partition, piece, counts), Fate::unusual);
}

TEST(WordLines, TheWidthOfSamplesGrows) {
    const Partition partition = bright_partition();
    SeriesPiece piece;
    WordCounts counts;
    EXPECT_EQ(lines_of(bright_words(0, 30, 200), 99, {}, partition, piece, counts),
              Fate::too_large);
    EXPECT_EQ(lines_of(bright_words(0, 30, 15), 99, {}, partition, piece, counts), Fate::taken);
    EXPECT_EQ(piece.sample_bits, 4);
}

}  // namespace
}  // namespace xpcs
