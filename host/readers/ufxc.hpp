// SPDX-License-Identifier: BSD-3-Clause
// UFXC streams: 32-bit words, one per pixel and frame with counts, little-endian, no header.
//
//   bits  0-14   pixel, column-major: row = pixel % 128, column = pixel / 128
//   bits 15-16   count
//   bits 17-20   nothing
//   bits 21-31   frame number modulo 2048, from any number on
#pragma once

#include "host/readers/frame_source.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace xpcs {

namespace ufxc {

inline constexpr std::int64_t rows = 128, cols = 256, word_bytes = 4;
inline constexpr std::int64_t frame_period = 2048;
inline constexpr std::int64_t wrap_threshold = 1024;  ///< a larger step back is a wrap

constexpr std::uint32_t index_of(std::uint32_t word) {
    return word & 0x7FFF;
}
constexpr std::uint32_t count_of(std::uint32_t word) {
    return (word >> 15) & 3;
}
constexpr std::uint32_t frame_of(std::uint32_t word) {
    return word >> 21;
}
/// Row-major pixel of an index.
constexpr std::uint32_t pixel_of(std::uint32_t index) {
    return (index % rows) * cols + index / rows;
}
constexpr std::uint32_t make_word(std::int64_t frame, std::uint32_t index, std::uint32_t count) {
    return static_cast<std::uint32_t>(frame % frame_period) << 21 | (count & 3) << 15 |
           (index & 0x7FFF);
}

}  // namespace ufxc

class RawFile;

/// True if the first words leave bits 17-20 empty and their frames go forward.
bool looks_like_ufxc(const RawFile& file);

/// Frames count from that of the first word. Throws Error: no_input, data (no events, trailing
/// bytes with options.strict, a frame before the first).
std::unique_ptr<FrameSource>
open_ufxc(const std::string& path, const SourceOptions& options, SourceInfo info = {});

}  // namespace xpcs
