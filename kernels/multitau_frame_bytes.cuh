// SPDX-License-Identifier: BSD-3-Clause
// The first pass over frames of few photons: two pixels to a thread, four frames to a word.
#pragma once

#include "kernels/multitau_frame_job.cuh"

#include <cstddef>
#include <cstdint>

namespace xpcs::gpu {

/// Two neighbouring samples as they lie in memory, and those of two frames, all below 256, as
/// bytes: pixel 0, 1, 0, 1 from the lowest up.
template <class Sample>
struct SamplePair;
template <>
struct SamplePair<std::uint8_t> {
    std::uint16_t both;
    __device__ static std::uint32_t bytes(SamplePair a, SamplePair b) {
        return a.both | std::uint32_t{b.both} << 16;
    }
};
template <>
struct SamplePair<std::uint16_t> {
    std::uint32_t both;
    __device__ static std::uint32_t bytes(SamplePair a, SamplePair b) {
        return levels::even_bytes(a.both, b.both);
    }
};
template <>
struct alignas(8) SamplePair<std::uint32_t> {
    std::uint32_t first, second;
    __device__ static std::uint32_t bytes(SamplePair a, SamplePair b) {
        return a.first | a.second << 8 | b.first << 16 | b.second << 24;
    }
};

/// What a thread has of one pixel of frames with few photons.
struct BytePixel {
    levels::ByteLevels levels;
    Segments segments;
    std::uint32_t slot;
    bool wanted;
    std::uint64_t total = 0;

    __device__ BytePixel(const FrameJob& job, std::uint32_t of)
        : segments(job, of), slot(of), wanted(job.takes(of)) {}

    template <bool whole>
    __device__ void
    take(const FrameJob& job, std::int64_t t, int n, const std::uint32_t (&words)[8]) {
        std::uint32_t blocks[2];
        levels.take<whole>(words, n, blocks);
        const std::uint32_t all =
            whole ? blocks[0] + blocks[1] : levels::photons_of_first(words, n);
        total += all;
        segments.add(t, n, all, [&](int k) { return levels::photons_of_first(words, k); });
        if (!wanted) return;
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const std::int64_t block = t / levels::block_frames + i;
            if (whole || (i + 1) * levels::block_frames <= n) {
                job.counts_out[block * job.series.n_slots + slot] = blocks[i];
            }
        }
    }
    /// Adds G2 to what was there.
    __device__ void flush(const FrameJob& job) {
        if (wanted) {
            std::uint64_t* G2 =
                job.sums.G2 + std::size_t{slot} * static_cast<std::size_t>(job.stretch.n_lags);
#pragma unroll
            for (int i = 0; i < levels::n_sums; ++i) {
                if (i < job.stretch.n_lags) G2[i] += levels.sums[i];
            }
        }
#pragma unroll
        for (std::uint32_t& sum : levels.sums)
            sum = 0;
    }
    __device__ void finish(const FrameJob& job) {
        flush(job);
        if (wanted) job.total[slot] = total;
        if (job.totals != nullptr && wanted) job.totals[slot] = total;
    }
};

/// The next frames of two pixels, on their way while those before are worked on.
template <class Sample>
struct PairsAhead {
    SamplePair<Sample> pair[levels::byte_chunk];

    /// 32 frames, of which there are n; zeros behind.
    __device__ void fetch(const Sample* at, std::int64_t step, std::int64_t n) {
        if (n >= levels::byte_chunk) {
#pragma unroll
            for (int i = 0; i < levels::byte_chunk; ++i)
                pair[i] = *reinterpret_cast<const SamplePair<Sample>*>(at + i * step);
            return;
        }
#pragma unroll
        for (int i = 0; i < levels::byte_chunk; ++i) {
            pair[i] = {};
            if (i < n) pair[i] = *reinterpret_cast<const SamplePair<Sample>*>(at + i * step);
        }
    }
    /// Four frames to a word.
    __device__ void to_words(std::uint32_t (&a)[8], std::uint32_t (&b)[8]) const {
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            const std::uint32_t early = SamplePair<Sample>::bytes(pair[4 * i], pair[4 * i + 1]);
            const std::uint32_t late = SamplePair<Sample>::bytes(pair[4 * i + 2], pair[4 * i + 3]);
            a[i] = levels::even_bytes(early, late);
            b[i] = levels::odd_bytes(early, late);
        }
    }
};

/// A thread takes two neighbouring pixels of the detector, from `first_column` on.
template <class Sample>
__global__ void __launch_bounds__(frame_block_size, 3) correlate_bytes(FrameJob job,
                                                                       std::int64_t first_column,
                                                                       std::int64_t end_column,
                                                                       std::uint32_t first_slot) {
    const std::int64_t column = first_column + 2 * static_cast<std::int64_t>(thread_index());
    if (column >= end_column || !job.is_small(column)) return;
    const Partition::KeptGroup group = job.series.raw.groups[column / 32];
    const auto in_group = static_cast<std::uint32_t>(column % 32);
    // Pixels that are not kept come out above every slot of the batch.
    BytePixel a(job, group.slot(in_group) - first_slot);
    BytePixel b(job, group.slot(in_group + 1) - first_slot);
    if (!a.wanted && !b.wanted) return;
    const std::int64_t step = job.series.raw.pitch * job.series.frames.stride;
    const Sample* at = static_cast<const Sample*>(job.series.raw.samples) +
                       job.first_frame() * job.series.raw.pitch + column;
    std::uint32_t words_a[8], words_b[8];
    PairsAhead<Sample> ahead;
    ahead.fetch(at, step, job.n);
    std::int64_t t = 0;
    for (; t + levels::byte_chunk <= job.n; t += levels::byte_chunk) {
        ahead.to_words(words_a, words_b);
        at += levels::byte_chunk * step;
        ahead.fetch(at, step, job.n - t - levels::byte_chunk);
        a.take<true>(job, t, levels::byte_chunk, words_a);
        b.take<true>(job, t, levels::byte_chunk, words_b);
        if ((t + levels::byte_chunk) % levels::byte_frames != 0) continue;
        a.flush(job);
        b.flush(job);
    }
    const int n = static_cast<int>(job.n - t);
    if (n > 0) {
        ahead.to_words(words_a, words_b);
        a.take<false>(job, t, n, words_a);
        b.take<false>(job, t, n, words_b);
    }
    a.finish(job);
    b.finish(job);
}

}  // namespace xpcs::gpu
