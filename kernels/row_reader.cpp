// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/row_reader.hpp"

#include "kernels/series_lines.hpp"

#include <algorithm>
#include <bit>

namespace xpcs {

namespace {

/// Neighbours of which a caller wants all, or, of a bin that crosses a line, a part.
constexpr std::uint64_t most_rows = 16;
static_assert(line_pixels % most_rows == 0, "rows lie in one line");

std::int64_t rows_at_a_time(std::int64_t n_frames) {
    constexpr std::uint64_t most_samples = std::uint64_t{4} << 20;
    const auto n = static_cast<std::uint64_t>(std::max<std::int64_t>(n_frames, 1));
    return static_cast<std::int64_t>(
        std::clamp<std::uint64_t>(std::bit_floor(most_samples / n), 1, most_rows));
}

}  // namespace

RowReader::RowReader(const PixelSeries& series, std::int64_t n_frames)
    : series_(&series), n_frames_(n_frames), n_rows_(rows_at_a_time(n_frames)) {}

const std::uint32_t* RowReader::row(std::int64_t slot) {
    const std::int64_t first = slot / n_rows_ * n_rows_;
    if (first != first_slot_) {
        first_slot_ = first;
        rows_.resize(static_cast<std::size_t>(n_rows_ * n_frames_));
        std::fill(rows_.begin(), rows_.end(), 0U);
        for_each_line_part(
            *series_, first, n_frames_, [&](auto lines, std::int64_t at, std::int64_t n) {
                for (std::int64_t i = 0; i < n_rows_; ++i) {
                    std::uint32_t* out = rows_.data() + i * n_frames_ + at;
                    for (std::int64_t f = 0; f < n; ++f)
                        out[f] = lines(f, first % line_pixels + i);
                }
            });
    }
    return rows_.data() + (slot - first) * n_frames_;
}

}  // namespace xpcs
