// SPDX-License-Identifier: BSD-3-Clause
// What a dense series on the host tells of its samples.
#include "kernels/series_lines.hpp"

#include "kernels/device_frames.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <atomic>
#include <cstring>
#include <type_traits>

namespace xpcs {

namespace {

constexpr std::int64_t block = TileCells::block;
static_assert(line_pixels % block == 0, "a block lies in one line");

/// The pixels [pixel, pixel + block) of a line in n frames.
template <class Sample, class Out>
void copy_block(Lines<Sample> lines, std::int64_t pixel, std::int64_t n, Out* out) {
    for (std::int64_t f = 0; f < n; ++f, out += block) {
        const Sample* from = lines.at + f * line_pixels + pixel;
        if constexpr (std::is_same_v<Sample, Out>) {
            std::memcpy(out, from, block * sizeof(Out));
        } else {
            for (std::int64_t i = 0; i < block; ++i)
                out[i] = static_cast<Out>(from[i]);
        }
    }
}
template <class Out>
void copy_block(Lines<HalfByte> lines, std::int64_t pixel, std::int64_t n, Out* out) {
    static_assert(block == HalfByte::apart, "a block is one half of the bytes");
    const std::uint8_t* from = lines.at;
    if (pixel == 0) {
        for (std::int64_t f = 0; f < n; ++f, from += block, out += block) {
            for (std::int64_t i = 0; i < block; ++i)
                out[i] = static_cast<Out>(from[i] & 0xFU);
        }
    } else {
        for (std::int64_t f = 0; f < n; ++f, from += block, out += block) {
            for (std::int64_t i = 0; i < block; ++i)
                out[i] = static_cast<Out>(from[i] >> 4);
        }
    }
}

}  // namespace

template <class Sample>
void PixelSeries::gather_cells(std::int64_t first_slot, std::int64_t n, Sample* out) const {
    std::fill(out, out + n * block, Sample{0});
    for_each_line_part(
        *this, first_slot, n, [&](auto lines, std::int64_t first, std::int64_t n_some) {
            copy_block(lines, first_slot % line_pixels, n_some, out + first * block);
        });
}

template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint8_t*) const;
template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint16_t*) const;
template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint32_t*) const;

namespace {

/// Lit samples of one line of a piece: of pixels that count, in frames that are left out.
template <class Sample>
std::int64_t n_lit(Lines<Sample> line,
                   const std::uint8_t (&counts)[line_pixels],
                   const std::vector<std::uint8_t>& left_out) {
    std::int64_t n = 0;
    for (std::size_t f = 0; f < left_out.size(); ++f) {
        if (left_out[f] == 0) continue;
        for (std::int64_t i = 0; i < line_pixels; ++i)
            n += (line(static_cast<std::int64_t>(f), i) != 0 ? 1 : 0) & counts[i];
    }
    return n;
}

}  // namespace

std::int64_t PixelSeries::n_lit_left_out(const FrameMap& frames,
                                         const std::vector<std::uint8_t>& marked) const {
    if (frames_on_device_) return frames_on_device_->n_lit_left_out(frames, marked);
    const std::int64_t first = first_slot(first_tile()), end = end_slot(end_tile() - 1);
    std::atomic<std::int64_t> all{0};
    oneapi::tbb::parallel_for(std::size_t{0}, pieces_.size(), [&](std::size_t k) {
        const SeriesPiece& piece = pieces_[k];
        if (piece.lines.empty()) return;
        std::vector<std::uint8_t> left_out(static_cast<std::size_t>(piece.n_frames));
        for (std::size_t f = 0; f < left_out.size(); ++f)
            left_out[f] =
                frames(piece.frame_base + static_cast<std::int64_t>(f)) == FrameMap::left_out;
        const std::int64_t line_bytes = piece.n_frames * line_pixels * piece.sample_bits / 8;
        const std::byte* line = piece.lines.data();
        for (std::int64_t slot = first; slot < end; slot += line_pixels, line += line_bytes) {
            std::uint8_t counts[line_pixels] = {};
            for (std::int64_t i = 0; i < std::min(line_pixels, end - slot); ++i)
                counts[i] = marked[static_cast<std::size_t>(slot + i)] == 0 ? 1 : 0;
            visit_lines(piece, line, [&](auto lines) { all += n_lit(lines, counts, left_out); });
        }
    });
    return all;
}

}  // namespace xpcs
