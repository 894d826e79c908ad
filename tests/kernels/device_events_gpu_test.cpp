// SPDX-License-Identifier: BSD-3-Clause
// Events that a GPU decodes and sorts are those that the CPU decodes and sorts.
#include "kernels/device_events.hpp"
#include "kernels/multitau.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

constexpr std::int64_t rows = 40, cols = 32;
constexpr std::uint32_t map_pixels = rows * cols;

/// Some pixels masked, 12 static bins in 4 dynamic ones.
Partition patchy_partition() {
    std::vector<std::uint32_t> s, d;
    for (std::uint32_t p = 0; p < map_pixels; ++p) {
        const bool masked = p % 7 == 3 || (p > 600 && p < 700);
        s.push_back(masked ? 0 : 1 + p % 12);
        d.push_back(masked ? 0 : 1 + p % 12 / 3);
    }
    return make_partition(rows, cols, s, d, 12, 4);
}

/// Words of a file, mostly in order; a hot pixel; counts of 0 and large ones; bad indices.
std::vector<std::uint64_t>
random_words(std::size_t n, std::uint64_t seed, bool ordered, bool with_bad_ones) {
    std::mt19937_64 random(seed);
    std::vector<std::uint64_t> words;
    double frame = 3;
    for (std::size_t i = 0; i < n; ++i) {
        frame += random() % 3 == 0 ? 0.02 * static_cast<double>(random() % 100) : 0;
        auto at = static_cast<std::int64_t>(frame);
        if (!ordered && random() % 40 == 0) at = std::max<std::int64_t>(0, at - 5);
        constexpr std::uint32_t rare[] = {0, 3, 15, 254, 255, 256, 1000, 4095};
        const std::uint32_t count =
            random() % 30 == 0 ? rare[random() % 8] : static_cast<std::uint32_t>(1 + random() % 2);
        std::uint32_t pixel =
            random() % 10 == 0 ? 5 : static_cast<std::uint32_t>(random() % map_pixels);
        if (with_bad_ones && random() % 100 == 0) pixel += map_pixels;
        words.push_back(rigaku::make_word(at, pixel, count));
    }
    return words;
}

/// The same by the CPU, and what it met on its way.
struct Expected {
    PixelSeries series;
    WordCounts words;
};

Expected expected_of(const std::vector<std::uint64_t>& words,
                     const Partition& partition,
                     const SeriesRange& range,
                     std::int64_t epoch = 0) {
    Expected out{PixelSeries(partition, range, false), {}};
    EventChunk chunk;
    chunk.frame_base = epoch;
    std::int64_t before = -1;
    for (const std::uint64_t word : words) {
        const std::int64_t frame = epoch + rigaku::frame_of(word);
        const std::uint32_t count = rigaku::count_of(word);
        out.words.out_of_order += frame < before;
        before = frame;
        if (rigaku::index_of(word) >= map_pixels) {
            ++out.words.bad_index;
            continue;
        }
        out.words.last_frame = std::max(out.words.last_frame, frame);
        out.words.zero_count += count == 0;
        out.words.at_maximum_3 += count == 3;
        out.words.at_maximum_15 += count == 15;
        out.words.at_maximum_255 += count == 255;
        out.words.at_maximum_4095 += count == 4095;
        out.words.largest_count = std::max<std::int64_t>(out.words.largest_count, count);
        if (count == 0) continue;
        chunk.pixel.push_back(rigaku::index_of(word));
        chunk.frame.push_back(rigaku::frame_of(word));
        chunk.count.push_back(count);
    }
    PieceScratch scratch;
    out.series.append(make_piece(chunk, partition, range, scratch));
    return out;
}

class DeviceEventsGpu : public GpuTest {
  protected:
    /// `at_once` words to a block; every third one is decoded here, as blocks with a wrap are.
    std::shared_ptr<gpu::DeviceEvents> events_of(const std::vector<std::uint64_t>& words,
                                                 const SeriesRange& range,
                                                 std::size_t at_once,
                                                 bool some_on_host = false,
                                                 std::int64_t epoch = 0) {
        auto events = std::make_shared<gpu::DeviceEvents>(partition, range, words.size() + 10, 0);
        std::vector<gpu::Upload> uploads((words.size() + at_once - 1) / at_once);
        WordBlock block;
        block.map = {0, map_pixels, 0, 0};
        block.epoch = epoch;
        std::size_t k = 0;
        for (std::size_t at = 0; at < words.size(); at += at_once, ++k) {
            const std::size_t n = std::min(at_once, words.size() - at);
            if (some_on_host && k % 3 == 2) {
                events->add(chunk_of(std::span(words).subspan(at, n), epoch));
            } else {
                events->add(words.data() + at, n, block, uploads[k]);
            }
            block.frame_before = epoch + rigaku::frame_of(words[at + n - 1]);
        }
        events->finish();
        return events;
    }
    static EventChunk chunk_of(std::span<const std::uint64_t> words, std::int64_t epoch) {
        EventChunk chunk;
        chunk.frame_base = epoch;
        for (const std::uint64_t word : words) {
            if (rigaku::count_of(word) == 0 || rigaku::index_of(word) >= map_pixels) continue;
            chunk.pixel.push_back(rigaku::index_of(word));
            chunk.frame.push_back(rigaku::frame_of(word));
            chunk.count.push_back(rigaku::count_of(word));
        }
        return chunk;
    }
    void expect_same_series(const PixelSeries& gpu, const PixelSeries& cpu) {
        EXPECT_EQ(gpu.counts().events, cpu.counts().events);
        EXPECT_EQ(gpu.counts().photons, cpu.counts().photons);
        EXPECT_EQ(gpu.counts().masked, cpu.counts().masked);
        EXPECT_EQ(gpu.counts().outside_frames, cpu.counts().outside_frames);
        EXPECT_EQ(gpu.frame_photons().to_vector(), cpu.frame_photons().to_vector());
        std::vector<std::uint64_t> ours(partition.pixel.size(), 5), theirs(ours);
        const std::int64_t first = cpu.range().begin_frame;
        for (const FrameMap& map : {FrameMap{0, 1, 1, INT64_MAX}, FrameMap{first + 7, 3, 2, 40}}) {
            gpu.add_pixel_photons(map, ours);
            cpu.add_pixel_photons(map, theirs);
            EXPECT_EQ(ours, theirs);
        }
    }
    void expect_same_sums(const PixelSeries& gpu, const PixelSeries& cpu, MultitauRequest request) {
        const MultitauSums theirs = cpu::multitau(cpu, request);
        MultitauSums ours = gpu::multitau(gpu, request, {0});
        // Records of large counts are two on the CPU and one here.
        ours.duplicates += cpu.counts().split_records;
        ours.events_used = theirs.events_used;
        expect_equal_sums(theirs, ours, "events on the GPU");
    }
    Partition partition = patchy_partition();
};

TEST_F(DeviceEventsGpu, AreThoseOfTheCpuWhateverTheBlocks) {
    const std::size_t n = small_sizes() ? 3000 : 60000;
    for (const bool ordered : {true, false}) {
        const auto words = random_words(n, ordered ? 1 : 2, ordered, false);
        const Expected expected = expected_of(words, partition, {});
        for (const std::size_t at_once : {std::size_t{999}, std::size_t{4096}, n}) {
            for (const bool some_on_host : {false, true}) {
                SCOPED_TRACE(testing::Message() << "ordered " << ordered << ", blocks of "
                                                << at_once << ", on the host " << some_on_host);
                const PixelSeries series(
                    partition, {}, events_of(words, {}, at_once, some_on_host));
                expect_same_series(series, expected.series);
                expect_same_sums(
                    series, expected.series, request_for(expected.series.last_frame() + 1));
            }
        }
    }
}

TEST_F(DeviceEventsGpu, CountWhatTheReaderCounts) {
    const auto words = random_words(5000, 3, false, true);
    const WordCounts expected = expected_of(words, partition, {}).words;
    ASSERT_GT(expected.bad_index, 0);
    ASSERT_GT(expected.at_maximum_3, 0);
    ASSERT_GT(expected.at_maximum_4095, 0);
    for (const std::size_t at_once : {std::size_t{1}, std::size_t{100}, std::size_t{5000}}) {
        if (at_once == 1 && small_sizes()) continue;
        const auto events = events_of(words, {}, at_once);
        const WordCounts& got = events->word_counts();
        EXPECT_EQ(got.zero_count, expected.zero_count);
        EXPECT_EQ(got.bad_index, expected.bad_index);
        EXPECT_EQ(got.out_of_order, expected.out_of_order);
        EXPECT_EQ(got.too_late, 0);
        EXPECT_EQ(got.last_frame, expected.last_frame);
        EXPECT_EQ(got.at_maximum_3, expected.at_maximum_3);
        EXPECT_EQ(got.at_maximum_15, expected.at_maximum_15);
        EXPECT_EQ(got.at_maximum_255, expected.at_maximum_255);
        EXPECT_EQ(got.at_maximum_4095, expected.at_maximum_4095);
        EXPECT_EQ(got.largest_count, expected.largest_count);
    }
}

TEST_F(DeviceEventsGpu, TakeTheFramesAskedFor) {
    const auto words = random_words(4000, 4, false, true);
    SeriesRange range;
    range.begin_frame = 100;
    range.end_frame = 900;
    const Expected expected = expected_of(words, partition, range);
    ASSERT_GT(expected.series.counts().outside_frames, 0);
    const PixelSeries series(partition, range, events_of(words, range, 700, true));
    expect_same_series(series, expected.series);
    MultitauRequest request = request_for(390);
    request.frames.begin = 110;
    request.frames.stride = 2;
    expect_same_sums(series, expected.series, request);
}

TEST_F(DeviceEventsGpu, FramesBeyondTheFirstPeriodCount) {
    const auto words = random_words(2000, 5, true, false);
    const std::int64_t epoch = 2 * rigaku::frame_period;
    SeriesRange range;
    range.begin_frame = epoch - 2;
    const PixelSeries series(partition, range, events_of(words, range, 333, true, epoch));
    const Expected expected = expected_of(words, partition, range, epoch);
    expect_same_series(series, expected.series);
    EXPECT_EQ(series.last_frame(), epoch + rigaku::frame_of(words.back()));
    const auto late = events_of(words, {}, 333, false, EventWord::frame_limit);
    EXPECT_GT(late->word_counts().too_late, 0);
    EXPECT_EQ(late->counts().events, 0);
}

TEST_F(DeviceEventsGpu, WeightsMeansAndExcludedPixelsAreThoseOfTheCpu) {
    const auto words = random_words(8000, 6, true, false);
    PixelSeries cpu = expected_of(words, partition, {}).series;
    PixelSeries series(partition, {}, events_of(words, {}, 1000));
    std::vector<std::uint8_t> excluded(partition.pixel.size(), 0);
    excluded[partition.slot_of(5)] = excluded[partition.slot_of(900)] = 1;
    std::int64_t n = cpu.remove_from_frames(excluded);
    for (const std::uint64_t word : words) {  // on the CPU large counts are several records
        const std::uint32_t pixel = rigaku::index_of(word), count = rigaku::count_of(word);
        if ((pixel == 5 || pixel == 900) && count > 0) n -= (count - 1) / 255;
    }
    EXPECT_GT(n, 0);
    EXPECT_EQ(series.remove_from_frames(excluded), n);
    EXPECT_EQ(series.frame_photons().to_vector(), cpu.frame_photons().to_vector());

    const std::int64_t T = cpu.last_frame() + 1;
    std::vector<std::uint64_t> photons = cpu.frame_photons().to_vector();
    photons.resize(static_cast<std::size_t>(T));
    const FrameWeights weights = make_frame_weights(photons);
    MultitauRequest request = request_for(T);
    request.weights = &weights;
    request.excluded = &excluded;
    request.n_partial = 3;
    request.n_segments = 10;
    request.segment_frames = T / 10;
    expect_same_sums(series, cpu, request);
    request.device_memory_bytes = std::uint64_t{6} << 20;  // tile after tile
    expect_same_sums(series, cpu, request);
}

TEST_F(DeviceEventsGpu, NothingKeptIsAnEmptySeries) {
    std::vector<std::uint64_t> words(100, rigaku::make_word(3, 3, 1));  // masked
    words[50] = rigaku::make_word(4, 4, 0);
    const PixelSeries series(partition, {}, events_of(words, {}, 33));
    EXPECT_EQ(series.counts().events, 0);
    EXPECT_EQ(series.counts().masked, 99);
    EXPECT_EQ(series.last_frame(), -1);
    EXPECT_EQ(series.frame_photons().size(), 0U);
    expect_same_sums(series, expected_of(words, partition, {}).series, request_for(10));
}

TEST_F(DeviceEventsGpu, MemoryIsUsedAgainAfterTheCopy) {
    const auto words = random_words(6000, 7, true, false);
    const std::size_t at_once = 500;
    gpu::DeviceEvents events(partition, {}, words.size(), 0);
    RawVector<std::uint64_t> memory[2];
    gpu::Upload uploads[2];
    for (int k = 0; k < 2; ++k) {
        memory[k].resize(2 * huge_page / sizeof(std::uint64_t));
        uploads[k].set_memory(memory[k].data(), 2 * huge_page);
    }
    WordBlock block;
    block.map = {0, map_pixels, 0, 0};
    for (std::size_t k = 0; k * at_once < words.size(); ++k) {
        uploads[k % 2].wait();
        std::copy_n(words.data() + k * at_once, at_once, memory[k % 2].data());
        events.add(memory[k % 2].data(), at_once, block, uploads[k % 2]);
    }
    events.finish();
    const Expected expected = expected_of(words, partition, {});
    EXPECT_EQ(events.counts().photons, expected.series.counts().photons);
    EXPECT_EQ(events.frame_photons().to_vector(), expected.series.frame_photons().to_vector());
}

TEST_F(DeviceEventsGpu, MisuseIsAnError) {
    gpu::DeviceEvents events(partition, {}, 10, 0);
    const std::vector<std::uint64_t> words(11, rigaku::make_word(0, 0, 1));
    gpu::Upload upload;
    EXPECT_THROW(events.add(words.data(), 11, {}, upload), std::length_error);
    EventChunk chunk;
    chunk.resize(1);
    chunk.pixel[0] = chunk.frame[0] = 0;
    chunk.count[0] = 4096;
    EXPECT_THROW(events.add(chunk), std::length_error);
    EXPECT_THROW(gpu::DeviceEvents(partition, {}, UINT32_MAX, 0), std::length_error);

    const PixelSeries series(partition, {}, events_of(words, {}, 11));
    EXPECT_THROW(cpu::multitau(series, request_for(10)), std::logic_error);
}

}  // namespace
}  // namespace xpcs::test
