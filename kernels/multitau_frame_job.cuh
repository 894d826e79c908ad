// SPDX-License-Identifier: BSD-3-Clause
// One pixel of frames on the device, or of what a pass over them left, as the kernels of
// multitau_frames_gpu.cu see it.
#pragma once

#include "kernels/device_frames.hpp"
#include "kernels/frame_levels.hpp"
#include "kernels/multitau_pixel_gpu.cuh"
#include "kernels/series_gpu.cuh"

#include <cstddef>
#include <cstdint>

namespace xpcs::gpu {

namespace levels = frame_levels;

constexpr unsigned frame_block_size = 128;  ///< threads

/// Of a launch: which pixels, and where their sums go.
struct FrameJob {
    SeriesView series;
    StretchView stretch;
    PixelSums sums;
    SeriesTallies tallies;
    std::uint64_t* totals;           ///< [n_slots] null: neither they nor segments are wanted
    int base;                        ///< level of the blocks that come in
    std::int64_t n;                  ///< how many there are
    const std::uint32_t* counts_in;  ///< [n][n_slots]; null: the frames
    const double* values_in;
    std::uint32_t* counts_out;  ///< [n / 16][n_slots]
    double* values_out;
    std::uint64_t* total;  ///< [n_slots]
    double* total_value;

    __device__ bool takes(std::uint32_t slot) const {
        return slot < series.n_slots && series.excluded[slot] == 0;
    }
    __device__ std::int64_t first_frame() const {
        const FrameMap& map = series.frames;
        return map.begin - series.begin_frame + stretch.begin * map.stride;
    }
    /// Frames with few photons, whose four levels fit bytes.
    __device__ bool is_small(std::int64_t column) const {
        return series.raw.largest[column / DeviceFrames::largest_pixels] <= levels::most_in_byte;
    }
};

/// One pixel of the frames.
template <class Sample>
struct FrameColumn {
    using Item = Sample;
    const Sample* first;
    std::int64_t step;
    const double* weight;

    __device__ FrameColumn(const FrameJob& job, std::uint32_t slot)
        : first(static_cast<const Sample*>(job.series.raw.samples) +
                job.first_frame() * job.series.raw.pitch + job.series.raw.pixel[slot]),
          step(job.series.raw.pitch * job.series.frames.stride), weight(job.stretch.weight) {}
    __device__ Item fetch(std::int64_t t) const { return first[t * step]; }
    __device__ std::uint32_t count(const Item& item) const { return item; }
    __device__ double value(const Item& item, std::int64_t t) const { return item * weight[t]; }
};

/// One pixel of the sums that a pass left.
template <bool weighted>
struct BlockColumn;
template <>
struct BlockColumn<false> {
    using Item = std::uint32_t;
    const std::uint32_t* counts;
    std::int64_t step;

    __device__ BlockColumn(const FrameJob& job, std::uint32_t slot)
        : counts(job.counts_in + slot), step(job.series.n_slots) {}
    __device__ Item fetch(std::int64_t t) const { return counts[t * step]; }
    __device__ std::uint32_t count(const Item& item) const { return item; }
};
template <>
struct BlockColumn<true> {
    struct Item {
        std::uint32_t count;
        double value;
    };
    const std::uint32_t* counts;
    const double* values;
    std::int64_t step;

    __device__ BlockColumn(const FrameJob& job, std::uint32_t slot)
        : counts(job.counts_in + slot), values(job.values_in + slot), step(job.series.n_slots) {}
    __device__ Item fetch(std::int64_t t) const { return {counts[t * step], values[t * step]}; }
    __device__ std::uint32_t count(const Item& item) const { return item.count; }
    __device__ double value(const Item& item, std::int64_t) const { return item.value; }
};

/// Photons of one pixel, segment after segment. `next` is the frame where one ends.
struct Segments {
    std::uint64_t* to = nullptr;  ///< null: not wanted
    std::int64_t frames = 0, next = INT64_MAX;
    int left = 0;
    std::uint64_t sum = 0;

    __device__ Segments(const FrameJob& job, std::uint32_t slot) {
        if (job.totals == nullptr || job.tallies.n_segments == 0 || !job.takes(slot)) return;
        left = job.tallies.n_segments;
        to = job.tallies.segments +
             std::size_t{job.series.static_bin[slot]} * static_cast<std::size_t>(left);
        frames = next = job.tallies.segment_frames;
    }
    /// The frames [t, t + n) have `all` photons; photons_before(k) of them lie in the first k.
    template <class Before>
    __device__ void add(std::int64_t t, int n, std::uint32_t all, const Before& photons_before) {
        std::uint32_t taken = 0;
        while (next <= t + n) {
            const std::uint32_t before = photons_before(static_cast<int>(next - t));
            sum += before - taken;
            taken = before;
            if (sum != 0) add_atomic(to, sum);
            sum = 0;
            ++to;
            next = --left > 0 ? next + frames : INT64_MAX;
        }
        sum += all - taken;
    }
};

}  // namespace xpcs::gpu
