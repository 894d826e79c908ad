// SPDX-License-Identifier: BSD-3-Clause
// Seeded data for the micro benchmarks: events and frames of a given occupancy.
#pragma once

#include "kernels/multitau.hpp"
#include "kernels/pixel_series.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace xpcs::bench {

/// `rows` x 1024 pixels, all kept, in bins of neighbouring rows as on a detector.
inline Partition module_partition(std::int64_t rows = 512) {
    constexpr std::int64_t cols = 1024;
    const auto n_static = static_cast<std::uint32_t>(std::min<std::int64_t>(rows, 360));
    const std::uint32_t per_dynamic = 10;
    std::vector<std::uint32_t> fine, coarse;
    for (std::int64_t pixel = 0; pixel < rows * cols; ++pixel) {
        const auto bin = static_cast<std::uint32_t>(pixel / cols * n_static / rows);
        fine.push_back(bin + 1);
        coarse.push_back(bin / per_dynamic + 1);
    }
    return make_partition(rows, cols, fine, coarse, n_static, (n_static - 1) / per_dynamic + 1);
}

/// Events of `n_frames` frames, each pixel hit with probability `occupancy`, frame by frame.
inline EventChunk random_events(std::int64_t n_pixels,
                                std::int64_t first_frame,
                                std::int64_t n_frames,
                                double occupancy,
                                std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::geometric_distribution<std::int64_t> gap(occupancy);
    EventChunk chunk;
    chunk.frame_base = first_frame;
    for (std::int64_t at = gap(random); at < n_pixels * n_frames; at += 1 + gap(random)) {
        chunk.pixel.push_back(static_cast<std::uint32_t>(at % n_pixels));
        chunk.frame.push_back(static_cast<std::uint32_t>(at / n_pixels));
        chunk.count.push_back(random() % 32 == 0 ? 2 : 1);
    }
    return chunk;
}

template <class Sample>
DenseChunk random_frames(std::int64_t n_pixels,
                         std::int64_t first_frame,
                         std::int64_t n_frames,
                         double mean,
                         std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::poisson_distribution<int> counts(mean);
    DenseChunk chunk;
    chunk.first_frame = first_frame;
    chunk.n_frames = n_frames;
    chunk.n_pixels = n_pixels;
    chunk.sample_bytes = sizeof(Sample);
    chunk.allocate(static_cast<std::size_t>(n_pixels * n_frames) * sizeof(Sample));
    auto* samples = reinterpret_cast<Sample*>(chunk.store.data());
    for (std::int64_t i = 0; i < n_pixels * n_frames; ++i)
        samples[i] = static_cast<Sample>(std::min(counts(random), 200));
    return chunk;
}

/// A run in chunks of about 2^17 events, the size in which files are read.
inline PixelSeries sparse_series(const Partition& partition,
                                 std::int64_t n_frames,
                                 double occupancy,
                                 std::uint64_t seed) {
    PixelSeries series(partition, {}, false);
    PieceScratch scratch;
    const std::int64_t n_pixels = partition.rows * partition.cols;
    const auto step = std::max<std::int64_t>(
        1, static_cast<std::int64_t>(131072 / (occupancy * static_cast<double>(n_pixels))));
    for (std::int64_t first = 0; first < n_frames; first += step) {
        const std::int64_t n = std::min(step, n_frames - first);
        const EventChunk chunk =
            random_events(n_pixels, first, n, occupancy, seed + static_cast<std::uint64_t>(first));
        series.append(make_piece(chunk, partition, {}, scratch));
    }
    return series;
}

template <class Sample>
PixelSeries
dense_series(const Partition& partition, std::int64_t n_frames, double mean, std::uint64_t seed) {
    PixelSeries series(partition, {}, true);
    PieceScratch scratch;
    const std::int64_t n_pixels = partition.rows * partition.cols;
    for (std::int64_t first = 0; first < n_frames; first += 64) {
        const DenseChunk chunk = random_frames<Sample>(n_pixels,
                                                       first,
                                                       std::min<std::int64_t>(64, n_frames - first),
                                                       mean,
                                                       seed + static_cast<std::uint64_t>(first));
        series.append(make_piece(chunk, partition, {}, false, scratch));
    }
    return series;
}

inline MultitauRequest request_for(std::int64_t n_frames, int threads) {
    MultitauRequest request;
    request.frames.n_frames = n_frames;
    request.n_segments = 10;
    request.segment_frames = n_frames / 10;
    request.threads = threads;
    return request;
}

}  // namespace xpcs::bench
