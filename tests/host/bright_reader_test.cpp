// SPDX-License-Identifier: BSD-3-Clause
// A bright Rigaku file read as whole frames, however it is cut into stretches: the photons and the
// counts of the events. What cannot be read so is said, and never lost.
#include "host/bright_reader.hpp"

#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <algorithm>
#include <random>

namespace xpcs {
namespace {

using testing::Event;
using testing::TempDir;

constexpr std::int64_t lit_rows = 20, lit_cols = 64;
constexpr std::uint32_t n_lit_pixels = lit_rows * lit_cols;

Partition lit_partition() {
    std::vector<std::uint32_t> label(n_lit_pixels, 1);
    for (std::size_t p = 0; p < label.size(); ++p)
        if (p % 7 == 3) label[p] = 0;
    return make_partition(lit_rows, lit_cols, label, label, 1, 1);
}

/// A sixth of the pixels of each frame, none in the last ten of every fifty; counts up to `most`.
std::vector<Event> lit_events(std::uint32_t most) {
    std::mt19937 random(most);
    std::vector<Event> events;
    for (std::int64_t frame = 0; frame < 200; ++frame) {
        if (frame % 50 >= 40) continue;
        for (std::uint32_t p = 0; p < n_lit_pixels; ++p) {
            if (random() % 6 == 0) events.emplace_back(frame, p, 1 + random() % most);
        }
    }
    return events;
}

class BrightReader : public ::testing::Test {
  protected:
    ReadOptions options_for(std::int64_t words_of_stretch, int threads = 2) const {
        ReadOptions options;
        options.raw = path;
        options.rows = lit_rows;
        options.cols = lit_cols;
        options.threads = threads;
        options.progress = "never";
        options.dense_rows = true;
        options.words_of_stretch = words_of_stretch;
        return options;
    }
    void write(const std::vector<Event>& events) const {
        testing::write_words(path, testing::words_of(events));
    }
    ReadResult events(const SeriesRange& range = {}) const {
        ReadOptions options = options_for(0);
        options.dense_rows = false;
        return read_series(options, partition, range);
    }
    /// Nothing was read, whatever the stretches.
    void expect_not_bright(const std::vector<Event>& events) const {
        write(events);
        for (const std::int64_t words : {3, 1000, 100000})
            EXPECT_THROW(read_bright_series(options_for(words), partition, {}), NotBright) << words;
    }
    TempDir directory;
    std::string path = directory.file("run.bin");
    Partition partition = lit_partition();
};

std::vector<std::uint64_t> photons_of_pixels(const PixelSeries& series) {
    std::vector<std::uint64_t> photons(n_lit_pixels, 0);
    FrameMap all;
    all.begin = series.range().begin_frame;
    all.n_frames = 1 << 20;
    series.add_pixel_photons(all, photons);
    return photons;
}

void expect_same(const ReadResult& lines, const ReadResult& events) {
    EXPECT_TRUE(lines.series.dense());
    EXPECT_EQ(lines.series.frame_photons().to_vector(), events.series.frame_photons().to_vector());
    EXPECT_EQ(photons_of_pixels(lines.series), photons_of_pixels(events.series));
    const SeriesCounts &a = lines.series.counts(), &b = events.series.counts();
    EXPECT_EQ(a.events, b.events);
    EXPECT_EQ(a.photons, b.photons);
    EXPECT_EQ(a.masked, b.masked);
    EXPECT_EQ(a.outside_frames, b.outside_frames);
    const DecodeCounts &c = lines.decode, &d = events.decode;
    EXPECT_EQ(c.records, d.records);
    EXPECT_EQ(c.last_frame, d.last_frame);
    EXPECT_EQ(c.counter_wraps, d.counter_wraps);
    EXPECT_EQ(c.at_maximum_3, d.at_maximum_3);
    EXPECT_EQ(c.at_maximum_15, d.at_maximum_15);
    EXPECT_EQ(c.largest_count, d.largest_count);
}

TEST_F(BrightReader, HoldsWhatEventsHold) {
    SeriesRange some;
    some.begin_frame = 30;
    some.end_frame = 117;
    some.first_tile = 1;
    some.end_tile = 2;
    for (const std::uint32_t most : {1U, 4U, 20U, 250U}) {
        SCOPED_TRACE(most);
        write(lit_events(most));
        for (const SeriesRange& range : {SeriesRange{}, some}) {
            const ReadResult expected = events(range);
            // Stretches of a few words lie within a frame, those of 211 end in the middle of one.
            for (const std::int64_t words : {50, 211, 5000, 0})
                for (const int threads : {1, 3}) {
                    SCOPED_TRACE(words);
                    const ReadOptions options = options_for(words, threads);
                    expect_same(read_bright_series(options, partition, range), expected);
                }
        }
    }
}

TEST_F(BrightReader, StretchesOfOneWord) {
    std::vector<Event> few = lit_events(2);
    few.resize(600);
    few.emplace_back(70, 5, 1);
    few.emplace_back(71, 6, 1);
    few.emplace_back(71, 7, 1);
    write(few);
    for (const std::int64_t words : {1, 2, 3})
        expect_same(read_bright_series(options_for(words), partition, {}), events());
}

TEST_F(BrightReader, WhatIsOutOfTheOrdinaryIsLeftToEvents) {
    const std::vector<Event> good = lit_events(3);
    const std::size_t middle = good.size() / 2;
    const auto with = [&](std::size_t at, const Event& event) {
        std::vector<Event> changed = good;
        changed[at] = event;
        return changed;
    };
    const auto frame = [&](std::size_t at) { return std::get<0>(good[at]); };
    const auto pixel = [&](std::size_t at) { return std::get<1>(good[at]); };
    expect_not_bright(with(middle, {frame(middle), pixel(middle), 0}));
    expect_not_bright(with(middle, {frame(middle), pixel(middle), 255}));
    expect_not_bright(with(middle, {frame(middle), pixel(middle), 4000}));
    expect_not_bright(with(middle, {frame(middle), n_lit_pixels + 3, 1}));
    expect_not_bright(with(middle, {frame(middle), pixel(middle - 1), 1}));
    expect_not_bright(with(middle, {frame(middle) - 1, 63, 1}));
    expect_not_bright(with(middle, {frame(middle) + 1, 63, 1}));
    expect_not_bright(with(middle, {frame(middle) + 500, 63, 1}));
    std::vector<Event> wraps = good;
    for (Event& event : wraps)
        std::get<0>(event) += rigaku::frame_period - 100;
    expect_not_bright(wraps);
}

/// A stretch that begins and ends with one frame, and has others between: no end shows them.
TEST_F(BrightReader, NoWordIsLostWithinAFrame) {
    std::vector<Event> events = {{0, 1, 1}, {0, 2, 1}};
    for (std::uint32_t p = 0; p < 40; ++p)
        events.emplace_back(p == 20 ? 1 : 0, 10 + p, 1);
    events.emplace_back(2, 5, 1);
    write(events);
    for (const std::int64_t words : {2, 5, 7, 10, 20, 21, 22, 30})
        EXPECT_THROW(read_bright_series(options_for(words), partition, {}), NotBright) << words;
}

TEST_F(BrightReader, TheProbeTellsOccupancyFramesAndWidth) {
    write(lit_events(1));
    const std::optional<BrightProbe> probe = probe_bright(options_for(0), partition);
    ASSERT_TRUE(probe.has_value());
    EXPECT_EQ(probe->frames, 190);
    const ReadResult read = events();
    EXPECT_NEAR(probe->occupancy,
                static_cast<double>(read.series.counts().events) /
                    (190.0 * static_cast<double>(partition.n_kept())),
                0.01 * probe->occupancy);
    EXPECT_EQ(probe->bytes_of_sample, 0.5);
    write(lit_events(40));
    EXPECT_EQ(probe_bright(options_for(0), partition)->bytes_of_sample, 1);

    std::vector<Event> disorder = lit_events(1);
    std::reverse(disorder.begin(), disorder.end());
    write(disorder);
    EXPECT_FALSE(probe_bright(options_for(0), partition).has_value());
}

TEST_F(BrightReader, TheMemoryLimitHolds) {
    write(lit_events(2));
    ReadOptions options = options_for(1000);
    options.memory_limit = 20000;
    EXPECT_THROW(read_bright_series(options, partition, {}), SeriesTooLarge);
}

TEST_F(BrightReader, AFileThatHasBecomeShorterIsAnError) {
    write(lit_events(2));
    ReadOptions options = options_for(1000, 1);
    options.between = [&, n = 0]() mutable {
        if (++n == 3) std::filesystem::resize_file(path, 8 * 2500);
    };
    EXPECT_THROW(read_bright_series(options, partition, {}), Error);
}

}  // namespace
}  // namespace xpcs
