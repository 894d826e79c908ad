// SPDX-License-Identifier: BSD-3-Clause
// What a detector delivered in a span of frames: sparse photon events, or whole frames.
#pragma once

#include "kernels/array.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace xpcs {

/// Sparse photon events of a span of frames, in arrival order; three arrays of one length.
/// `frame[i]` counts from `frame_base`; the absolute frame number is that of the file, from 0.
/// A (pixel, frame) pair may occur more than once: its counts add up. No count is 0.
struct EventChunk {
    std::int64_t frame_base = 0;
    RawVector<std::uint32_t> pixel;  ///< row * columns + column on the detector (canvas)
    RawVector<std::uint32_t> frame;  ///< relative to frame_base
    RawVector<std::uint32_t> count;  ///< photons, >= 1

    std::size_t size() const { return pixel.size(); }
    void resize(std::size_t n) {
        pixel.resize(n);
        frame.resize(n);
        count.resize(n);
    }
};

/// Frames `first_frame ... first_frame + n_frames - 1`, whole or the same pixels of each: samples
/// [n_frames][n_pixels] of the pixels from `first_pixel` on.
/// The all-ones value of the sample type means "no data" (overflow, gap, dead pixel).
struct DenseChunk {
    std::int64_t first_frame = 0;
    std::int64_t n_frames = 0;
    std::int64_t first_pixel = 0;
    std::int64_t n_pixels = 0;
    int sample_bytes = 2;  ///< 1, 2 or 4, unsigned
    /// The samples, in `store` or where the reader has them already: these are good as long as the
    /// block that was decoded.
    std::span<const std::byte> samples;
    RawVector<std::byte> store;

    DenseChunk() = default;
    DenseChunk(const DenseChunk&) = delete;
    DenseChunk& operator=(const DenseChunk&) = delete;
    DenseChunk(DenseChunk&&) = default;
    DenseChunk& operator=(DenseChunk&&) = default;
    ~DenseChunk() = default;

    /// Room for n bytes of samples in `store`.
    std::span<std::byte> allocate(std::size_t n) {
        store.resize(n);
        samples = store;
        return store;
    }
};

}  // namespace xpcs
