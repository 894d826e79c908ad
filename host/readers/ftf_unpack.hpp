// SPDX-License-Identifier: BSD-3-Clause
// Rigaku "fast transfer": counts of 2, 4 or 8 bits, packed without gaps, 4, 2 or 1 pixels to a
// byte; a frame of 524 288 pixels is a column of 131 072, 262 144 or 524 288 bytes. Where in the
// byte the first pixel lies is written down nowhere; both orders are here, and the file's user
// chooses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xpcs::ftf {

inline constexpr std::int64_t module_pixels = 524288;

constexpr std::int64_t column_bytes(int bits) {
    return module_pixels * bits / 8;
}

/// The depth that a column of so many bytes has; 0 for no known one.
constexpr int bits_of_column(std::uint64_t bytes) {
    for (const int bits : {2, 4, 8}) {
        if (bytes == static_cast<std::uint64_t>(column_bytes(bits))) return bits;
    }
    return 0;
}

/// The unpack rule.
struct Unpack {
    int bits = 2;             ///< 2, 4 or 8
    bool high_first = false;  ///< pixel 0 lies in the highest bits of its byte, else the lowest

    constexpr int per_byte() const { return 8 / bits; }
    constexpr std::uint32_t largest_count() const { return (1U << bits) - 1; }

    /// Count of pixel k (0 ... per_byte() - 1) of a byte.
    constexpr std::uint32_t count_of(std::uint8_t byte, int k) const {
        return (static_cast<std::uint32_t>(byte) >> shift(k)) & largest_count();
    }
    /// The byte with the count put where 0 was.
    constexpr std::uint8_t with_count(std::uint8_t byte, int k, std::uint32_t count) const {
        return static_cast<std::uint8_t>(byte | (count & largest_count()) << shift(k));
    }

  private:
    constexpr int shift(int k) const { return bits * (high_first ? per_byte() - 1 - k : k); }
};

}  // namespace xpcs::ftf
