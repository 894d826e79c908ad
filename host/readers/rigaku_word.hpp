// SPDX-License-Identifier: BSD-3-Clause
// The 64-bit word of the Rigaku sparse stream (docs/formats.md, "Rigaku 64-bit"): one word per
// pixel and frame with counts, little-endian, no header. Bits 12-15 and 37-39 carry nothing.
//
//   bits  0-11   count
//   bits 16-36   pixel index (row * 1024 + column in a module; + 2^20 in files of the 3M)
//   bits 40-63   frame number, from 0, modulo 2^24
#pragma once

#include <bit>
#include <cstdint>

namespace xpcs::rigaku {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in the file");

inline constexpr std::int64_t word_bytes = 8;
inline constexpr std::uint32_t count_limit = 1U << 12;     ///< counts are below
inline constexpr std::uint32_t index_limit = 1U << 21;     ///< pixel indices are below
inline constexpr std::int64_t frame_period = 1LL << 24;    ///< the frame counter wraps here
inline constexpr std::int64_t wrap_threshold = 1LL << 23;  ///< a larger backward step is a wrap
inline constexpr std::int64_t late_limit = 1LL << 20;      ///< frames that a record may be late by
inline constexpr std::uint32_t module_offset = 1U << 20;   ///< added to every index of a 3M file
inline constexpr std::int64_t module_rows = 512;
inline constexpr std::int64_t module_cols = 1024;
inline constexpr std::int64_t module_pixels = module_rows * module_cols;

constexpr std::uint32_t count_of(std::uint64_t word) {
    return static_cast<std::uint32_t>(word) & (count_limit - 1);
}
constexpr std::uint32_t index_of(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> 16) & (index_limit - 1);
}
constexpr std::uint32_t frame_of(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> 40);
}
/// `frame` may exceed the counter; it wraps as the detector's does.
constexpr std::uint64_t make_word(std::int64_t frame, std::uint32_t index, std::uint32_t count) {
    return (static_cast<std::uint64_t>(frame) << 40) |
           (static_cast<std::uint64_t>(index & (index_limit - 1)) << 16) |
           (count & (count_limit - 1));
}

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
