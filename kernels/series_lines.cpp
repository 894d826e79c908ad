// SPDX-License-Identifier: BSD-3-Clause
// What a dense series on the host tells of its samples.
#include "kernels/series_lines.hpp"

#include "kernels/device_frames.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <type_traits>

namespace xpcs {

namespace {

constexpr std::int64_t block = TileCells::block;
static_assert(line_pixels % block == 0, "a block lies in one line");

/// Calls use(sample, i) for the pixels [pixel, pixel + block) of a line in one frame, i counted
/// from the first. Loops that the compiler makes vectors of.
template <class Sample, class Use>
void for_block(Lines<Sample> lines, std::int64_t frame, std::int64_t pixel, const Use& use) {
    const Sample* from = lines.at + frame * line_pixels + pixel;
    for (std::int64_t i = 0; i < block; ++i)
        use(from[i], i);
}
template <class Use>
void for_block(Lines<HalfByte> lines, std::int64_t frame, std::int64_t pixel, const Use& use) {
    static_assert(block == HalfByte::apart, "a block is one half of the bytes");
    const std::uint8_t* from = lines.at + frame * block;
    if (pixel == 0) {
        for (std::int64_t i = 0; i < block; ++i)
            use(from[i] & 0xFU, i);
    } else {
        for (std::int64_t i = 0; i < block; ++i)
            use(from[i] >> 4, i);
    }
}

}  // namespace

template <class Sample>
void PixelSeries::gather_cells(std::int64_t first_slot, std::int64_t n, Sample* out) const {
    const std::int64_t pixel = first_slot % line_pixels;
    std::fill(out, out + n * block, Sample{0});
    for_each_line_part(
        *this, first_slot, n, [&](auto lines, std::int64_t first, std::int64_t n_some) {
            for (std::int64_t f = 0; f < n_some; ++f) {
                Sample* to = out + (first + f) * block;
                for_block(lines, f, pixel, [&](auto sample, std::int64_t i) {
                    to[i] = static_cast<Sample>(sample);
                });
            }
        });
}

template <class Sample>
void PixelSeries::gather_cells(std::int64_t first_slot, const FrameMap& frames, Sample* out) const {
    const std::int64_t pixel = first_slot % line_pixels;
    std::fill(out, out + frames.n_frames * block, Sample{0});
    bool too_large = false;
    const auto add_frame = [&](auto lines, std::int64_t frame, Sample* to) {
        std::uint32_t wrapped = 0;
        for_block(lines, frame, pixel, [&](auto sample, std::int64_t i) {
            to[i] = static_cast<Sample>(to[i] + sample);
            if constexpr (sizeof(Sample) == 4)
                wrapped |= to[i] < static_cast<Sample>(sample) ? 1U : 0U;
        });
        too_large = too_large || wrapped != 0;
    };
    const auto add_part = [&](auto lines, std::int64_t first, std::int64_t n) {
        for (std::int64_t f = 0; f < n; ++f) {
            const std::int64_t t = frames(range_.begin_frame + first + f);
            if (t != FrameMap::left_out) add_frame(lines, f, out + t * block);
        }
    };
    for_each_line_part(*this, first_slot, frames.end() - range_.begin_frame, add_part);
    if (too_large) {
        throw std::overflow_error(
            "a pixel has more than 4294967295 photons in the frames that are summed up to one");
    }
}

template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint8_t*) const;
template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint16_t*) const;
template void PixelSeries::gather_cells(std::int64_t, std::int64_t, std::uint32_t*) const;
template void PixelSeries::gather_cells(std::int64_t, const FrameMap&, std::uint8_t*) const;
template void PixelSeries::gather_cells(std::int64_t, const FrameMap&, std::uint16_t*) const;
template void PixelSeries::gather_cells(std::int64_t, const FrameMap&, std::uint32_t*) const;

namespace {

using LineTotals = std::uint64_t[line_pixels];

/// Adds up n frames of a line, of those that are used. Few enough at a time that the sums of
/// samples of 16 bits fit 32.
template <class Sample, class Used>
void add_up(Lines<Sample> lines, std::int64_t n, const Used& is_used, LineTotals& totals) {
    constexpr bool is_wide = std::is_same_v<Sample, std::uint32_t>;
    constexpr std::int64_t most = 65536;
    for (std::int64_t f = 0; f < n;) {
        std::conditional_t<is_wide, std::uint64_t, std::uint32_t> sum[line_pixels] = {};
        for (const std::int64_t end = std::min(n, f + most); f < end; ++f) {
            if (!is_used(f)) continue;
            for (std::int64_t pixel = 0; pixel < line_pixels; pixel += block) {
                for_block(lines, f, pixel, [&](auto sample, std::int64_t i) {
                    sum[pixel + i] += sample;
                });
            }
        }
        for (std::int64_t i = 0; i < line_pixels; ++i)
            totals[i] += sum[i];
    }
}

}  // namespace

void PixelSeries::add_line_photons(const FrameMap& frames, std::vector<std::uint64_t>& sums) const {
    const std::int64_t begin = first_slot(first_tile()), end = end_slot(end_tile() - 1);
    const auto n_frames = static_cast<std::int64_t>(frame_photons_.size());
    oneapi::tbb::parallel_for(begin / line_pixels, (end - 1) / line_pixels + 1, [&](auto line) {
        const std::int64_t slot = line * line_pixels;
        LineTotals totals = {};
        for_each_line_part(
            *this, slot, n_frames, [&](auto lines, std::int64_t first, std::int64_t n) {
                const auto is_used = [&](std::int64_t f) {
                    return frames(range_.begin_frame + first + f) != FrameMap::left_out;
                };
                add_up(lines, n, is_used, totals);
            });
        for (std::int64_t i = 0; i < std::min(line_pixels, end - slot); ++i)
            sums[static_cast<std::size_t>(slot + i)] += totals[i];
    });
}

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
