// SPDX-License-Identifier: BSD-3-Clause
// The lines of a dense series, piece by piece; shared by what takes samples out of them.
#pragma once

#include "kernels/pixel_series.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace xpcs {

/// The samples of one line, frame after frame.
template <class Sample>
struct Lines {
    const Sample* at;

    std::uint32_t operator()(std::int64_t frame, std::int64_t pixel) const {
        return at[frame * line_pixels + pixel];
    }
};
template <>
struct Lines<HalfByte> {
    const std::uint8_t* at;

    std::uint32_t operator()(std::int64_t frame, std::int64_t pixel) const {
        return half_byte(at, static_cast<std::uint64_t>(frame * line_pixels + pixel));
    }
};

/// Calls use(Lines of the piece's width).
template <class Use>
void visit_lines(const SeriesPiece& piece, const std::byte* lines, const Use& use) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(lines);
    if (piece.sample_bits == 4) {
        use(Lines<HalfByte>{bytes});
    } else if (piece.sample_bits == 8) {
        use(Lines<std::uint8_t>{bytes});
    } else if (piece.sample_bits == 16) {
        use(Lines<std::uint16_t>{reinterpret_cast<const std::uint16_t*>(lines)});
    } else {
        use(Lines<std::uint32_t>{reinterpret_cast<const std::uint32_t*>(lines)});
    }
}

/// Calls visit(lines, first, n) for every piece of a dense series that has some of the first
/// `n_frames` frames: lines[f] is the one of kept pixel `slot`, in frame begin_frame + first + f, f
/// < n.
template <class Visit>
void for_each_line_part(const PixelSeries& series,
                        std::int64_t slot,
                        std::int64_t n_frames,
                        const Visit& visit) {
    constexpr std::size_t ahead = 2;
    const std::int64_t line = (slot - series.first_slot(series.first_tile())) / line_pixels;
    const std::vector<SeriesPiece>& pieces = series.pieces();
    const auto lines_of = [&](const SeriesPiece& piece) {
        return piece.lines.data() + line * piece.n_frames * line_pixels * piece.sample_bits / 8;
    };
    for (std::size_t k = 0; k < pieces.size(); ++k) {
        const SeriesPiece& piece = pieces[k];
        const std::int64_t first = piece.frame_base - series.range().begin_frame;
        const std::int64_t n = std::min(piece.n_frames, n_frames - first);
        if (n <= 0 || piece.lines.empty()) continue;
        // The hardware reads ahead within a piece, but it does not see the next one coming.
        if (k + ahead < pieces.size() && !pieces[k + ahead].lines.empty()) {
            const std::byte* next = lines_of(pieces[k + ahead]);
            for (int i = 0; i < 4; ++i)
                __builtin_prefetch(next + 64 * i);
        }
        visit_lines(piece, lines_of(piece), [&](auto lines) { visit(lines, first, n); });
    }
}

}  // namespace xpcs
