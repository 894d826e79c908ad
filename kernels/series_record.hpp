// SPDX-License-Identifier: BSD-3-Clause
// The packed events of a PixelSeries piece, alone, so that both twins and the tests agree on them.
//
//   narrow, 32 bit:  pixel in tile 9 | frame in piece 15 | count 8     (count 1..255)
//   wide,   64 bit:  pixel in tile 9 | frame in piece 31 | count 24
//
// A count above the field's maximum is split into several records of the same pixel and frame,
// which add up.
#pragma once

#include "kernels/hd.hpp"

#include <cstdint>

namespace xpcs {

struct NarrowRecord {
    static constexpr int frame_bits = 15;
    static constexpr std::uint32_t max_count = 255;

    XPCS_HD static std::uint32_t
    pack(std::uint32_t pixel, std::uint32_t frame, std::uint32_t count) {
        return pixel << 23 | frame << 8 | count;
    }
    XPCS_HD static std::uint32_t pixel(std::uint32_t record) { return record >> 23; }
    XPCS_HD static std::uint32_t frame(std::uint32_t record) { return (record >> 8) & 0x7FFFU; }
    XPCS_HD static std::uint32_t count(std::uint32_t record) { return record & 0xFFU; }
};

struct WideRecord {
    static constexpr std::uint32_t max_count = (1U << 24) - 1;
    static constexpr int frame_bits = 31;

    XPCS_HD static std::uint64_t
    pack(std::uint32_t pixel, std::uint64_t frame, std::uint32_t count) {
        return std::uint64_t{pixel} << 55 | frame << 24 | count;
    }
    XPCS_HD static std::uint32_t pixel(std::uint64_t record) {
        return static_cast<std::uint32_t>(record >> 55);
    }
    XPCS_HD static std::uint64_t frame(std::uint64_t record) {
        return (record >> 24) & ((std::uint64_t{1} << frame_bits) - 1);
    }
    XPCS_HD static std::uint32_t count(std::uint64_t record) {
        return static_cast<std::uint32_t>(record & max_count);
    }
};

}  // namespace xpcs
