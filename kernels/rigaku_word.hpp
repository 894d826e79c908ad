// SPDX-License-Identifier: BSD-3-Clause
// The 64-bit word of the Rigaku sparse stream (docs/formats.md, "Rigaku 64-bit"): one word per
// pixel and frame with counts, little-endian, no header. Bits 12-15 and 37-39 carry nothing. It
// stands among the kernels because a GPU takes the words apart, too.
//
//   bits  0-11   count
//   bits 16-36   pixel index (row * 1024 + column in a module; + 2^20 in files of the 3M)
//   bits 40-63   frame number, from 0, modulo 2^24
#pragma once

#include "kernels/hd.hpp"

#include <bit>
#include <cstdint>

namespace xpcs::rigaku {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in the file");

inline constexpr std::int64_t word_bytes = 8;
inline constexpr std::uint32_t count_limit = 1U << 12;   ///< counts are below
inline constexpr std::uint32_t index_limit = 1U << 21;   ///< pixel indices are below
inline constexpr std::int64_t frame_period = 1LL << 24;  ///< the frame counter wraps here
inline constexpr int module_cols_bits = 10;

XPCS_HD constexpr std::uint32_t count_of(std::uint64_t word) {
    return static_cast<std::uint32_t>(word) & (count_limit - 1);
}
XPCS_HD constexpr std::uint32_t index_of(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> 16) & (index_limit - 1);
}
XPCS_HD constexpr std::uint32_t frame_of(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> 40);
}
/// `frame` may exceed the counter; it wraps as the detector's does.
XPCS_HD constexpr std::uint64_t
make_word(std::int64_t frame, std::uint32_t index, std::uint32_t count) {
    return (static_cast<std::uint64_t>(frame) << 40) |
           (static_cast<std::uint64_t>(index & (index_limit - 1)) << 16) |
           (count & (count_limit - 1));
}

/// How the indices of one file map to detector pixels: local = index - offset must be below
/// n_pixels.
struct IndexMap {
    std::uint32_t offset = 0;
    std::uint32_t n_pixels = 0;
    std::uint32_t base = 0;
    std::uint32_t row_gap = 0;  ///< pixels of the canvas between two rows of a module

    XPCS_HD std::uint32_t pixel(std::uint32_t local) const {
        return base + local + (local >> module_cols_bits) * row_gap;
    }
};

}  // namespace xpcs::rigaku
