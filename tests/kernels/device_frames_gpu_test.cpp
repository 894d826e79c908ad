// SPDX-License-Identifier: BSD-3-Clause
// Frames that a GPU takes as they lie in the file give what rows on the host give.
#include "kernels/device_events.hpp"
#include "kernels/device_frames.hpp"
#include "kernels/multitau.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

/// A detector of some 2 000 pixels whose rows are no multiple of anything; some are masked, alone
/// and in stretches, 12 static bins in 4 dynamic ones.
constexpr std::int64_t frame_rows = 37, frame_cols = 59;
constexpr std::int64_t frame_pixels = frame_rows * frame_cols;

Partition patchy_frames() {
    std::vector<std::uint32_t> s, d;
    for (std::uint32_t p = 0; p < frame_pixels; ++p) {
        const bool masked = p % 7 == 3 || p == 0 || (p > 600 && p < 700) || p + 5 > frame_pixels;
        s.push_back(masked ? 0 : 1 + p / 5 % 12);
        d.push_back(masked ? 0 : 1 + p / 5 % 12 / 3);
    }
    return make_partition(frame_rows, frame_cols, s, d, 12, 4);
}

/// What is in the frames: the mean, large counts in some places, samples without data.
struct Content {
    double mean = 1.5;
    std::uint32_t large = 0;  ///< a pixel in 50 and the last hundred have counts up to this
    bool no_data = false;
    std::int64_t first_frame = 0;
};

template <class Sample>
std::vector<DenseChunk>
random_frames(std::int64_t n_frames, const Content& content, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::poisson_distribution<std::uint32_t> counts(content.mean);
    std::vector<DenseChunk> chunks;
    for (std::int64_t t = 0; t < n_frames;) {
        DenseChunk chunk;
        chunk.first_frame = content.first_frame + t;
        chunk.n_frames =
            std::min<std::int64_t>(n_frames - t, 1 + static_cast<std::int64_t>(random() % 40));
        chunk.n_pixels = frame_pixels;
        chunk.sample_bytes = sizeof(Sample);
        chunk.allocate(static_cast<std::size_t>(chunk.n_frames * frame_pixels) * sizeof(Sample));
        auto* out = reinterpret_cast<Sample*>(chunk.store.data());
        for (std::int64_t i = 0; i < chunk.n_frames * frame_pixels; ++i) {
            const std::int64_t pixel = i % frame_pixels;
            std::uint32_t value = counts(random);
            if (content.large > 0 && (pixel % 50 == 7 || pixel > frame_pixels - 100)) {
                value = static_cast<std::uint32_t>(random() % (std::uint64_t{content.large} + 1));
            }
            if (content.no_data && (pixel % 211 == 9 || random() % 5000 == 0)) {
                value = std::numeric_limits<std::uint32_t>::max();
            }
            out[i] = static_cast<Sample>(value);
        }
        t += chunk.n_frames;
        chunks.push_back(std::move(chunk));
    }
    return chunks;
}

class DeviceFramesGpu : public GpuTest {
  protected:
    PixelSeries on_host(const std::vector<DenseChunk>& chunks,
                        const SeriesRange& range = {}) const {
        PixelSeries series(partition, range, true);
        PieceScratch scratch;
        for (const DenseChunk& chunk : chunks)
            series.append(make_piece(chunk, partition, range, false, scratch));
        return series;
    }
    PixelSeries on_gpu(const std::vector<DenseChunk>& chunks, const SeriesRange& range = {}) const {
        const std::int64_t end = chunks.back().first_frame + chunks.back().n_frames;
        auto frames =
            std::make_shared<gpu::DeviceFrames>(partition,
                                                range,
                                                chunks.front().sample_bytes,
                                                std::min(end, range.end_frame) - range.begin_frame,
                                                0);
        std::vector<gpu::Upload> uploads(chunks.size());
        for (std::size_t k = 0; k < chunks.size(); ++k) {
            // Every third one is copied at once.
            if (k % 3 != 2) uploads[k].set_memory(chunks[k].store.data(), chunks[k].store.size());
            frames->add(chunks[k], uploads[k]);
        }
        frames->finish();
        return {partition, range, std::move(frames)};
    }
    void expect_same_series(PixelSeries gpu, PixelSeries cpu) const {
        EXPECT_EQ(gpu.counts().events, cpu.counts().events);
        EXPECT_EQ(gpu.counts().photons, cpu.counts().photons);
        EXPECT_EQ(gpu.counts().overflow_samples, cpu.counts().overflow_samples);
        EXPECT_EQ(gpu.overflow(), cpu.overflow());
        EXPECT_EQ(gpu.last_frame(), cpu.last_frame());
        EXPECT_EQ(gpu.frame_photons().to_vector(), cpu.frame_photons().to_vector());
        std::vector<std::uint64_t> ours(partition.pixel.size(), 5), theirs(ours);
        std::vector<std::uint8_t> marked(partition.pixel.size(), 0);
        for (std::size_t slot = 3; slot < marked.size(); slot += 17)
            marked[slot] = 1;
        const std::int64_t first = cpu.range().begin_frame;
        for (const FrameMap& map : {FrameMap{0, 1, 1, INT64_MAX}, FrameMap{first + 7, 3, 2, 4}}) {
            gpu.add_pixel_photons(map, ours);
            cpu.add_pixel_photons(map, theirs);
            EXPECT_EQ(ours, theirs);
            EXPECT_EQ(gpu.n_lit_left_out(map, marked), cpu.n_lit_left_out(map, marked));
        }
        EXPECT_EQ(gpu.remove_from_frames(marked), cpu.remove_from_frames(marked));
        EXPECT_EQ(gpu.frame_photons().to_vector(), cpu.frame_photons().to_vector());
    }
    /// The sums of the frames on the GPU, and with means, against those of rows on the CPU.
    void expect_same_sums(const PixelSeries& gpu,
                          const PixelSeries& cpu,
                          MultitauRequest request,
                          const std::string& what) const {
        CollectedMeans cpu_means, gpu_means;
        request.threads = 2;
        request.pixel_means = cpu_means.callback();
        const MultitauSums theirs = cpu::multitau(cpu, request);
        request.pixel_means = gpu_means.callback();
        expect_equal_sums(theirs, gpu::multitau(gpu, request, {0}), what);
        ASSERT_EQ(cpu_means.G2.size(), gpu_means.G2.size()) << what;
        for (std::size_t i = 0; i < cpu_means.G2.size(); ++i)
            ASSERT_NEAR(cpu_means.G2[i], gpu_means.G2[i], 1.2e-7 * cpu_means.G2[i]) << what;
        request.pixel_means = {};
        expect_equal_sums(theirs, gpu::multitau(gpu, request, {0}), what + ", without means");
    }
    MultitauRequest request_of(std::int64_t n_frames) const {
        MultitauRequest request;
        request.frames.n_frames = n_frames;
        if (n_frames >= 10) {
            request.n_segments = 10;
            request.segment_frames = n_frames / 10;
        }
        return request;
    }
    static FrameWeights weights_of(std::int64_t n_frames, std::int64_t gap_every) {
        FrameWeights weights;
        for (std::int64_t t = 0; t < n_frames; ++t) {
            const bool gap = gap_every > 0 && t % gap_every == 5;
            weights.weight.push_back(gap ? 0.0 : 0.6 + 0.013 * static_cast<double>(t * 7 % 50));
        }
        return weights;
    }
    Partition partition = patchy_frames();
};

TEST_F(DeviceFramesGpu, TakeWhatTheHostTakes) {
    Content content;
    for (const bool no_data : {false, true}) {
        content.no_data = no_data;
        content.large = 254;
        const std::int64_t n = 75;
        const auto same = [&](const std::vector<DenseChunk>& chunks) {
            expect_same_series(on_gpu(chunks), on_host(chunks));
            SeriesRange range;
            range.begin_frame = 11;
            range.end_frame = 63;
            expect_same_series(on_gpu(chunks, range), on_host(chunks, range));
        };
        same(random_frames<std::uint8_t>(n, content, 1));
        content.large = 65534;
        same(random_frames<std::uint16_t>(n, content, 2));
        content.large = 1'000'000;
        same(random_frames<std::uint32_t>(n, content, 3));
    }
}

TEST_F(DeviceFramesGpu, FramesThatNeverCameCountNothing) {
    std::vector<DenseChunk> chunks = random_frames<std::uint16_t>(120, {}, 4);
    ASSERT_GE(chunks.size(), 4U);
    chunks.erase(chunks.begin() + 1, chunks.begin() + 3);
    expect_same_series(on_gpu(chunks), on_host(chunks));
    expect_same_sums(on_gpu(chunks), on_host(chunks), request_of(120), "with a gap");
}

TEST_F(DeviceFramesGpu, SumsOfEveryLengthAreThoseOfRows) {
    std::vector<std::int64_t> lengths = {2, 5, 9, 16, 31, 33, 64, 100, 257};
    if (!small_sizes()) lengths.insert(lengths.end(), {320, 1000, 1025, 5003});
    for (const std::int64_t n : lengths) {
        const auto chunks = random_frames<std::uint16_t>(n, {}, static_cast<std::uint64_t>(n));
        expect_same_sums(on_gpu(chunks), on_host(chunks), request_of(n), std::to_string(n));
        MultitauRequest weighted = request_of(n);
        const FrameWeights weights = weights_of(n, 0);
        weighted.weights = &weights;
        expect_same_sums(
            on_gpu(chunks), on_host(chunks), weighted, std::to_string(n) + ", weights");
    }
}

TEST_F(DeviceFramesGpu, SumsOfEveryWidthAndSizeAreThoseOfRows) {
    const std::int64_t n = small_sizes() ? 150 : 700;
    const auto same = [&](const std::vector<DenseChunk>& chunks, const std::string& what) {
        expect_same_sums(on_gpu(chunks), on_host(chunks), request_of(n), what);
        MultitauRequest weighted = request_of(n);
        const FrameWeights weights = weights_of(n, 0);
        weighted.weights = &weights;
        expect_same_sums(on_gpu(chunks), on_host(chunks), weighted, what + ", weights");
    };
    for (const std::uint32_t large : {31U, 32U, 254U})
        same(random_frames<std::uint8_t>(n, {1.5, large, true}, large),
             "bytes, " + std::to_string(large));
    for (const std::uint32_t large : {31U, 32U, 65534U})
        same(random_frames<std::uint16_t>(n, {2.5, large, true}, large),
             "16 bits, " + std::to_string(large));
    for (const std::uint32_t large : {31U, 4'000'000U})
        same(random_frames<std::uint32_t>(n, {0.2, large, true}, large),
             "32 bits, " + std::to_string(large));
}

TEST_F(DeviceFramesGpu, SelectionsAreThoseOfRows) {
    const std::int64_t n = small_sizes() ? 200 : 900;
    Content content;
    content.large = 100;
    const auto chunks = random_frames<std::uint16_t>(n, content, 6);
    SeriesRange range;
    range.begin_frame = 13;
    range.end_frame = n - 4;
    const PixelSeries gpu = on_gpu(chunks, range), cpu = on_host(chunks, range);
    for (const FrameMap& map : {FrameMap{13, 1, 1, n - 17},
                                FrameMap{20, 3, 1, (n - 30) / 3},
                                FrameMap{13, 1, 4, (n - 17) / 4},
                                FrameMap{15, 2, 3, (n - 30) / 6}}) {
        MultitauRequest request = request_of(map.n_frames);
        request.frames = map;
        const std::string what =
            "stride " + std::to_string(map.stride) + ", average " + std::to_string(map.average);
        expect_same_sums(gpu, cpu, request, what);
        for (const std::int64_t gap_every : {0, 9}) {
            const FrameWeights weights = weights_of(map.n_frames, gap_every);
            request.weights = &weights;
            expect_same_sums(
                gpu, cpu, request, what + ", weights, gaps " + std::to_string(gap_every));
        }
    }
}

TEST_F(DeviceFramesGpu, SlicesAndExcludedPixelsAreThoseOfRows) {
    const std::int64_t n = small_sizes() ? 150 : 500;
    Content content;
    content.large = 60;
    const auto chunks = random_frames<std::uint8_t>(n, content, 7);
    const PixelSeries gpu = on_gpu(chunks), cpu = on_host(chunks);
    MultitauRequest request = request_of(n);
    request.n_partial = 3;
    std::vector<std::uint8_t> excluded(partition.pixel.size(), 0);
    for (std::size_t slot = 1; slot < excluded.size(); slot += 5)
        excluded[slot] = 1;
    request.excluded = &excluded;
    for (const bool cumulative : {false, true}) {
        request.partial_cumulative = cumulative;
        expect_same_sums(gpu, cpu, request, "slices");
        const FrameWeights weights = weights_of(n, 0);
        request.weights = &weights;
        expect_same_sums(gpu, cpu, request, "slices with weights");
        request.weights = nullptr;
    }
}

TEST_F(DeviceFramesGpu, WindowsWithoutPhotonsAreExactlyZero) {
    // Light in the middle frames only, of some pixels; weights leave no rest before and after.
    const std::int64_t n = 333;
    auto chunks = random_frames<std::uint16_t>(n, {0.0}, 8);
    for (DenseChunk& chunk : chunks) {
        auto* samples = reinterpret_cast<std::uint16_t*>(chunk.store.data());
        for (std::int64_t f = 0; f < chunk.n_frames; ++f) {
            const std::int64_t t = chunk.first_frame + f;
            for (std::int64_t p = 0; p < frame_pixels; ++p) {
                const bool lit = p % 3 == 0 ? t < 9 : p % 3 == 1 ? t > n - 7 : t == 150 + p % 16;
                if (lit) samples[f * frame_pixels + p] = static_cast<std::uint16_t>(1 + p % 5);
            }
        }
    }
    MultitauRequest request = request_of(n);
    expect_same_sums(on_gpu(chunks), on_host(chunks), request, "counts");
    const FrameWeights weights = weights_of(n, 0);
    request.weights = &weights;
    expect_same_sums(on_gpu(chunks), on_host(chunks), request, "weights");
}

TEST_F(DeviceFramesGpu, SmallMemoryTakesMoreBatches) {
    const std::int64_t n = 200;
    const auto chunks = random_frames<std::uint16_t>(n, {}, 9);
    const PixelSeries gpu = on_gpu(chunks), cpu = on_host(chunks);
    MultitauRequest request = request_of(n);
    for (const std::uint64_t bytes : {4'000'000, 5'000'000}) {
        request.device_memory_bytes = bytes;
        expect_same_sums(gpu, cpu, request, std::to_string(bytes));
    }
}

TEST_F(DeviceFramesGpu, MemoryIsUsedAgainAfterTheCopy) {
    const std::int64_t n = 60;
    const auto chunks = random_frames<std::uint16_t>(n, {}, 10);
    auto frames = std::make_shared<gpu::DeviceFrames>(partition, SeriesRange{}, 2, n, 0);
    gpu::Upload upload;
    DenseChunk one;
    one.store.reserve(std::size_t{8} << 20);  // never moves
    for (const DenseChunk& chunk : chunks) {
        upload.wait();
        one.first_frame = chunk.first_frame;
        one.n_frames = chunk.n_frames;
        one.n_pixels = chunk.n_pixels;
        one.sample_bytes = chunk.sample_bytes;
        const auto to = one.allocate(chunk.samples.size());
        std::memcpy(to.data(), chunk.samples.data(), to.size());
        upload.set_memory(one.store.data(), one.store.size());
        frames->add(one, upload);
    }
    upload.wait();
    std::fill(one.store.begin(), one.store.end(), std::byte{0x5A});
    frames->finish();
    expect_same_series(PixelSeries(partition, {}, frames), on_host(chunks));
}

TEST_F(DeviceFramesGpu, NothingKeptIsAnEmptySeries) {
    partition.drop_pixels();
    const auto chunks = random_frames<std::uint16_t>(40, {}, 11);
    const PixelSeries series = on_gpu(chunks);
    EXPECT_EQ(series.counts().events, 0);
    EXPECT_EQ(series.frame_photons().size(), 0U);
    EXPECT_TRUE(gpu::multitau(series, request_of(40), {0}).pixel_photons.empty());
}

TEST_F(DeviceFramesGpu, MisuseIsAnError) {
    const auto chunks = random_frames<std::uint16_t>(50, {}, 12);
    EXPECT_THROW(gpu::DeviceFrames(partition, {}, 3, 10, 0), std::invalid_argument);
    gpu::DeviceFrames narrow(partition, {}, 1, 50, 0);
    gpu::Upload upload;
    EXPECT_THROW(narrow.add(chunks.front(), upload), std::invalid_argument);
    gpu::DeviceFrames frames(partition, {}, 2, 50, 0);
    frames.add(chunks.front(), upload);
    EXPECT_THROW(frames.add(chunks.front(), upload), std::invalid_argument);
    DenseChunk other;
    other.n_frames = 1;
    other.n_pixels = 5;
    other.allocate(10);
    EXPECT_THROW(frames.add(other, upload), std::invalid_argument);
    const PixelSeries series = on_gpu(chunks);
    EXPECT_THROW(gpu::multitau(series, request_of(50), {1}), std::logic_error);
    EXPECT_THROW(series.parts(0), std::logic_error);
}

}  // namespace
}  // namespace xpcs::test
