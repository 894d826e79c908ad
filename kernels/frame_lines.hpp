// SPDX-License-Identifier: BSD-3-Clause
// Frames into the lines of a piece; shared by what makes pieces of frames and of words.
#pragma once

#include "kernels/pixel_series.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xpcs {

/// The kept pixels of a range of tiles, and where their lines lie in a frame.
struct LineSlots {
    static constexpr std::uint32_t scattered = Partition::not_kept;

    std::int64_t first = 0, end = 0;
    /// [line] its first pixel where all of its pixels are neighbours, else `scattered`. Much less
    /// to read than Partition::pixel.
    std::vector<std::uint32_t> first_pixel;

    LineSlots(const Partition& partition, const SeriesRange& range);
    std::int64_t n_lines() const { return (end - first + line_pixels - 1) / line_pixels; }
};

/// Neighbouring frames, samples [n][n_pixels] of the pixels from `first_pixel` on.
struct FrameBlock {
    const std::byte* samples = nullptr;
    int sample_bytes = 1;  ///< 1, 2 or 4, unsigned; all ones = no data
    std::int64_t n = 0;
    std::int64_t to = 0;  ///< the piece's frame that the first of them becomes
    std::int64_t first_pixel = 0;
    std::int64_t n_pixels = 0;
};

/// Makes room for the lines of piece.n_frames frames of piece.sample_bits, and starts its sums.
void start_lines(const LineSlots& slots, SeriesPiece& piece);

/// Puts frames into their places in the lines, adds to piece.frame_photons and to the events of
/// piece.counts, notes samples without data. False, and the piece means nothing, where a sample
/// does not fit.
bool put_frames(const FrameBlock& frames,
                const Partition& partition,
                const LineSlots& slots,
                SeriesPiece& piece);

/// counts.photons of a piece of lines whose frames are all there.
void sum_photons(SeriesPiece& piece);

}  // namespace xpcs
