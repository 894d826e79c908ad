// SPDX-License-Identifier: BSD-3-Clause
// The Rigaku sparse stream beyond its word (kernels/rigaku_word.hpp): the frame counter over its
// wraps, and the modules of the 3M detector.
#pragma once

#include "kernels/rigaku_word.hpp"

#include <cstdint>

namespace xpcs::rigaku {

inline constexpr std::int64_t wrap_threshold = 1LL << 23;  ///< a larger backward step is a wrap
inline constexpr std::int64_t late_limit = 1LL << 20;      ///< frames that a record may be late by
inline constexpr std::uint32_t module_offset = 1U << 20;   ///< added to every index of a 3M file
inline constexpr std::int64_t module_rows = 512;
inline constexpr std::int64_t module_cols = std::int64_t{1} << module_cols_bits;
inline constexpr std::int64_t module_pixels = module_rows * module_cols;

/// Follows the 24-bit frame counter over its wraps. A step back by more than 2^23 is a wrap; after
/// the first wrap a step forward by nearly the whole period is a record from just before the wrap
/// that comes late. Every other step back is disorder and changes nothing here.
class FrameCounter {
  public:
    FrameCounter() = default;
    /// `last` is the absolute frame of the record before, -1 if there is none.
    explicit constexpr FrameCounter(std::int64_t last)
        : last_(last), epoch_(last < 0 ? 0 : last & ~(frame_period - 1)) {}

    /// The absolute frame of a record whose counter reads `counter`.
    constexpr std::int64_t advance(std::uint32_t counter) {
        if (last_ >= 0) {
            const std::int64_t step = epoch_ + counter - last_;
            if (step < -wrap_threshold) {
                epoch_ += frame_period;
            } else if (step > frame_period - late_limit && epoch_ > 0) {
                epoch_ -= frame_period;
            }
        }
        last_ = epoch_ + counter;
        return last_;
    }
    constexpr std::int64_t last() const { return last_; }
    constexpr std::int64_t epoch() const { return epoch_; }

  private:
    std::int64_t last_ = -1;
    std::int64_t epoch_ = 0;
};

/// Where a module lies on the 3M's canvas.
struct ModuleOrigin {
    std::int64_t row;
    std::int64_t col;
};

namespace layout_3m {
inline constexpr int n_modules = 6;
inline constexpr std::int64_t gap_rows = 70;
inline constexpr std::int64_t gap_cols = 52;
inline constexpr std::int64_t rows = 3 * module_rows + 2 * gap_rows;  ///< 1676
inline constexpr std::int64_t cols = 2 * module_cols + gap_cols;      ///< 2100

/// Origin of the module in file `.bin.00<n>`: right column downwards 0, 1, 2, left column upwards
/// 3, 4, 5.
constexpr ModuleOrigin origin(int n) {
    const std::int64_t row = n < 3 ? n : 5 - n;
    return {row * (module_rows + gap_rows), n < 3 ? module_cols + gap_cols : 0};
}
}  // namespace layout_3m

}  // namespace xpcs::rigaku
