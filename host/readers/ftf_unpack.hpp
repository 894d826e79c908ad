// SPDX-License-Identifier: BSD-3-Clause
// Rigaku "fast transfer": counts of 2 bits, four pixels to a byte. Where in the byte the first of
// the four lies is written down nowhere; both orders are here, and the file's user chooses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xpcs::ftf {

inline constexpr int pixels_per_byte = 4;
inline constexpr std::uint32_t largest_count = 3;

/// Count of pixel k (0 ... 3) of a byte; high_first: pixel 0 lies in bits 6 and 7, else in 0 and 1.
constexpr std::uint32_t count_of(std::uint8_t byte, int k, bool high_first) {
    const int place = high_first ? pixels_per_byte - 1 - k : k;
    return (static_cast<std::uint32_t>(byte) >> (2 * place)) & largest_count;
}

constexpr std::uint8_t with_count(std::uint8_t byte, int k, std::uint32_t count, bool high_first) {
    const int place = high_first ? pixels_per_byte - 1 - k : k;
    return static_cast<std::uint8_t>(byte | (count & largest_count) << (2 * place));
}

}  // namespace xpcs::ftf
