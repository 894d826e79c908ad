// SPDX-License-Identifier: BSD-3-Clause
// Dense series pixel by pixel, for what wants all frames of one after the other.
#pragma once

#include "kernels/array.hpp"
#include "kernels/pixel_series.hpp"

#include <cstdint>

namespace xpcs {

/// Samples of single kept pixels, frames begin_frame ... begin_frame + n_frames - 1. Neighbours lie
/// in the same cache lines and are taken out together, so ascending slots are fastest. Memory: at
/// most 16 MiB, or 4 bytes per frame. Not of series on a GPU.
class RowReader {
  public:
    RowReader(const PixelSeries& series, std::int64_t n_frames);

    /// [n_frames]; frames without data are 0. It stands until the next call.
    const std::uint32_t* row(std::int64_t slot);

  private:
    const PixelSeries* series_;
    std::int64_t n_frames_;
    std::int64_t n_rows_;            ///< taken out together; a divisor of line_pixels
    std::int64_t first_slot_ = -1;   ///< of those at hand
    RawVector<std::uint32_t> rows_;  ///< [n_rows_][n_frames_]
};

}  // namespace xpcs
