// SPDX-License-Identifier: BSD-3-Clause
// What a dense series on the host tells of its samples.
#include "kernels/series_lines.hpp"

#include "kernels/device_frames.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <atomic>
#include <cstring>

namespace xpcs {

template <class Sample>
void PixelSeries::gather_cells(std::int64_t first_slot, std::int64_t n, Sample* out) const {
    constexpr std::int64_t block = TileCells::block;
    static_assert(line_pixels % block == 0, "a block lies in one line");
    std::fill(out, out + n * block, Sample{0});
    for_each_line_part(
        *this, first_slot, n, [&](const auto* samples, std::int64_t first, std::int64_t n_f) {
            Sample* to = out + first * block;
            for (std::int64_t f = 0; f < n_f; ++f) {
                if constexpr (sizeof(samples[0]) == sizeof(Sample)) {
                    std::memcpy(to + f * block, samples + f * line_pixels, block * sizeof(Sample));
                } else {
                    for (std::int64_t i = 0; i < block; ++i)
                        to[f * block + i] = static_cast<Sample>(samples[f * line_pixels + i]);
                }
            }
        });
}

template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint8_t*) const;
template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint16_t*) const;
template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint32_t*) const;

namespace {

/// Lit samples of pixels that are not marked in frames of a piece that are left out.
template <class Sample>
std::int64_t n_lit(const SeriesPiece& piece,
                   const std::uint8_t* marked,
                   std::int64_t n_slots,
                   const std::vector<std::uint8_t>& left_out) {
    const auto* line = reinterpret_cast<const Sample*>(piece.lines.data());
    std::int64_t n = 0;
    for (std::int64_t slot = 0; slot < n_slots; slot += line_pixels) {
        const std::int64_t n_pixels = std::min(line_pixels, n_slots - slot);
        std::uint8_t counts[line_pixels] = {};
        for (std::int64_t i = 0; i < n_pixels; ++i)
            counts[i] = marked[slot + i] == 0 ? 1 : 0;
        for (std::int64_t f = 0; f < piece.n_frames; ++f, line += line_pixels) {
            if (left_out[static_cast<std::size_t>(f)] == 0) continue;
            for (std::int64_t i = 0; i < line_pixels; ++i)
                n += (line[i] != 0 ? 1 : 0) & counts[i];
        }
    }
    return n;
}

}  // namespace

std::int64_t PixelSeries::n_lit_left_out(const FrameMap& frames,
                                         const std::vector<std::uint8_t>& marked) const {
    if (frames_on_device_) return frames_on_device_->n_lit_left_out(frames, marked);
    const std::int64_t first = first_slot(first_tile());
    const std::int64_t n_slots = end_slot(end_tile() - 1) - first;
    std::atomic<std::int64_t> all{0};
    oneapi::tbb::parallel_for(std::size_t{0}, pieces_.size(), [&](std::size_t k) {
        const SeriesPiece& piece = pieces_[k];
        if (piece.lines.empty()) return;
        std::vector<std::uint8_t> left_out(static_cast<std::size_t>(piece.n_frames));
        for (std::size_t f = 0; f < left_out.size(); ++f)
            left_out[f] =
                frames(piece.frame_base + static_cast<std::int64_t>(f)) == FrameMap::left_out;
        const std::uint8_t* mark = marked.data() + first;
        if (piece.sample_bytes == 1) {
            all += n_lit<std::uint8_t>(piece, mark, n_slots, left_out);
        } else if (piece.sample_bytes == 2) {
            all += n_lit<std::uint16_t>(piece, mark, n_slots, left_out);
        } else {
            all += n_lit<std::uint32_t>(piece, mark, n_slots, left_out);
        }
    });
    return all;
}

}  // namespace xpcs
