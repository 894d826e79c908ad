// SPDX-License-Identifier: BSD-3-Clause
// Seeded runs for the kernel tests, and the ways to feed them to the program.
#pragma once

#include "kernels/multitau.hpp"
#include "kernels/pixel_series.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "reference/reference.hpp"

namespace xpcs::test {

/// T frames of zero counts; one static bin per `pixels_per_static` pixels, one dynamic bin per two
/// static bins.
inline reference::Run
empty_run(std::int64_t n_frames, std::int64_t n_pixels, std::int64_t pixels_per_static = 1) {
    reference::Run run;
    run.n_frames = n_frames;
    run.n_pixels = n_pixels;
    run.counts.assign(static_cast<std::size_t>(n_frames * n_pixels), 0.0);
    for (std::int64_t p = 0; p < n_pixels; ++p) {
        const auto s = static_cast<int>(p / pixels_per_static);
        run.static_label.push_back(s + 1);
        run.dynamic_label.push_back(s / 2 + 1);
    }
    return run;
}

inline double& at(reference::Run& run, std::int64_t t, std::int64_t p) {
    return run.counts[static_cast<std::size_t>(t * run.n_pixels + p)];
}

/// Poisson counts of the given mean on every pixel.
inline reference::Run poisson_run(std::int64_t n_frames,
                                  std::int64_t n_pixels,
                                  double mean,
                                  std::uint64_t seed,
                                  std::int64_t pixels_per_static = 1) {
    reference::Run run = empty_run(n_frames, n_pixels, pixels_per_static);
    std::mt19937_64 random(seed);
    std::poisson_distribution<int> counts(mean);
    for (double& c : run.counts)
        c = counts(random);
    return run;
}

inline Partition partition_of(const reference::Run& run) {
    std::vector<std::uint32_t> s(run.static_label.begin(), run.static_label.end());
    std::vector<std::uint32_t> d(run.dynamic_label.begin(), run.dynamic_label.end());
    return make_partition(1,
                          run.n_pixels,
                          s,
                          d,
                          *std::max_element(s.begin(), s.end()),
                          *std::max_element(d.begin(), d.end()));
}

/// Events of the run in frame order, cut into chunks of about `chunk_events`.
inline std::vector<EventChunk> event_chunks(const reference::Run& run, std::size_t chunk_events) {
    std::vector<EventChunk> chunks(1);
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            const double count = run.at(t, p);
            if (count == 0) continue;
            if (chunks.back().size() >= chunk_events) chunks.emplace_back();
            EventChunk& chunk = chunks.back();
            if (chunk.size() == 0) chunk.frame_base = t;
            chunk.pixel.push_back(static_cast<std::uint32_t>(p));
            chunk.frame.push_back(static_cast<std::uint32_t>(t - chunk.frame_base));
            chunk.count.push_back(static_cast<std::uint32_t>(count));
        }
    }
    return chunks;
}

template <class Sample>
std::vector<DenseChunk> dense_chunks(const reference::Run& run, std::int64_t frames_per_chunk) {
    std::vector<DenseChunk> chunks;
    for (std::int64_t t = 0; t < run.n_frames; t += frames_per_chunk) {
        DenseChunk chunk;
        chunk.first_frame = t;
        chunk.n_frames = std::min(frames_per_chunk, run.n_frames - t);
        chunk.n_pixels = run.n_pixels;
        chunk.sample_bytes = sizeof(Sample);
        chunk.allocate(static_cast<std::size_t>(chunk.n_frames * chunk.n_pixels) * sizeof(Sample));
        auto* samples = reinterpret_cast<Sample*>(chunk.store.data());
        for (std::int64_t i = 0; i < chunk.n_frames * chunk.n_pixels; ++i) {
            samples[i] =
                static_cast<Sample>(run.counts[static_cast<std::size_t>(t * run.n_pixels + i)]);
        }
        chunks.push_back(std::move(chunk));
    }
    return chunks;
}

inline PixelSeries sparse_series(const reference::Run& run,
                                 const Partition& partition,
                                 const SeriesRange& range = {},
                                 std::size_t chunk_events = 1000) {
    PixelSeries series(partition, range, false);
    PieceScratch scratch;
    for (const EventChunk& chunk : event_chunks(run, chunk_events)) {
        series.append(make_piece(chunk, partition, range, scratch));
    }
    return series;
}

template <class Sample>
PixelSeries dense_series(const reference::Run& run,
                         const Partition& partition,
                         bool as_events,
                         const SeriesRange& range = {},
                         std::int64_t frames_per_chunk = 37) {
    PixelSeries series(partition, range, !as_events);
    PieceScratch scratch;
    for (const DenseChunk& chunk : dense_chunks<Sample>(run, frames_per_chunk)) {
        series.append(make_piece(chunk, partition, range, as_events, scratch));
    }
    return series;
}

inline MultitauRequest request_for(std::int64_t n_frames) {
    MultitauRequest request;
    request.frames.n_frames = n_frames;
    return request;
}

/// Calls expect(request, what) with pixels of groups left out, segments and three slices, of a run
/// of at least 75 pixels.
template <class Expect>
void for_slices_and_segments(const reference::Run& run, const Expect& expect) {
    std::vector<std::uint8_t> excluded(static_cast<std::size_t>(run.n_pixels), 0);
    for (const std::size_t p : {0, 15, 16, 17, 18, 40, 74})
        excluded[p] = 1;
    MultitauRequest request = request_for(run.n_frames);
    request.excluded = &excluded;
    request.n_segments = 10;
    request.segment_frames = run.n_frames / 10;
    request.n_partial = 3;
    for (const bool cumulative : {false, true}) {
        request.partial_cumulative = cumulative;
        expect(request, cumulative ? "cumulative" : "slices");
    }
}

}  // namespace xpcs::test
