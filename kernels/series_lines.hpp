// SPDX-License-Identifier: BSD-3-Clause
// The lines of a dense series, piece by piece; shared by what takes samples out of them.
#pragma once

#include "kernels/pixel_series.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace xpcs {

/// Calls visit(samples, first, n) for every piece of a dense series that has some of the first
/// `n_frames` frames: samples[f * line_pixels + i] is that of the kept pixel slot + i in frame
/// begin_frame + first + f, f < n, as far as the line of `slot` reaches.
template <class Visit>
void for_each_line_part(const PixelSeries& series,
                        std::int64_t slot,
                        std::int64_t n_frames,
                        const Visit& visit) {
    constexpr std::size_t ahead = 2;
    const std::int64_t local = slot - series.first_slot(series.first_tile());
    const std::vector<SeriesPiece>& pieces = series.pieces();
    const auto line_of = [&](const SeriesPiece& piece) {
        const std::int64_t sample =
            local / line_pixels * piece.n_frames * line_pixels + local % line_pixels;
        return piece.lines.data() + sample * std::int64_t{piece.sample_bytes};
    };
    for (std::size_t k = 0; k < pieces.size(); ++k) {
        const SeriesPiece& piece = pieces[k];
        const std::int64_t first = piece.frame_base - series.range().begin_frame;
        const std::int64_t n = std::min(piece.n_frames, n_frames - first);
        if (n <= 0 || piece.lines.empty()) continue;
        // The hardware reads ahead within a piece, but it does not see the next one coming.
        if (k + ahead < pieces.size() && !pieces[k + ahead].lines.empty()) {
            const std::byte* next = line_of(pieces[k + ahead]);
            for (int i = 0; i < 4; ++i)
                __builtin_prefetch(next + 64 * i);
        }
        const std::byte* line = line_of(piece);
        if (piece.sample_bytes == 1) {
            visit(reinterpret_cast<const std::uint8_t*>(line), first, n);
        } else if (piece.sample_bytes == 2) {
            visit(reinterpret_cast<const std::uint16_t*>(line), first, n);
        } else {
            visit(reinterpret_cast<const std::uint32_t*>(line), first, n);
        }
    }
}

}  // namespace xpcs
