// SPDX-License-Identifier: BSD-3-Clause
// The 1024-byte header in front of every frame of an IMM file (docs/formats.md, "IMM"),
// little-endian. Only the fields that reading or writing needs have names here.
//
//   0    i32     mode                    112  i32  columns
//   4    i32     compression             116  i32  bytes per value
//   56   i32     number                  128  f64  elapsed (s)
//   84   i32     row_beg, row_end,       152  u32  dlen
//                col_beg, col_end        616  i32  immversion
//   108  i32     rows                    620  u32  corecotick
//   1012 12 x 0xFF
//
// Payload: sparse, dlen x u32 pixel indices (row * columns + column, from 0), then dlen values;
// dense, dlen = rows * columns values. No padding.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace xpcs::imm {

static_assert(std::endian::native == std::endian::little, "fields are read as they lie");

inline constexpr std::size_t header_bytes = 1024;
inline constexpr std::int32_t compression_sparse = 6;
inline constexpr std::int32_t compression_smd = 65540;  ///< sparse; dlen counts bytes
inline constexpr std::int32_t first_version_with_width = 11;
inline constexpr std::int64_t largest_side = 1 << 16;
inline constexpr std::int32_t index_bytes = 4;

namespace at {
inline constexpr std::size_t mode = 0, compression = 4, number = 56, row_beg = 84, row_end = 88,
                             col_beg = 92, col_end = 96, row_bin = 100, col_bin = 104, rows = 108,
                             cols = 112, value_bytes = 116, elapsed = 128, preset = 136, dlen = 152,
                             version = 616, tick = 620, mark = 1012;
}  // namespace at

inline constexpr std::size_t mark_bytes = header_bytes - at::mark;

enum class Mark { present, zero, wrong };  ///< some writers leave zeros where 0xFF belong

struct Header {
    std::int32_t compression = 0;
    std::int64_t rows = 0, cols = 0;
    std::int32_t stated_value_bytes = 0;
    std::int64_t dlen = 0;
    std::int32_t version = 0;
    double elapsed_s = 0;
    std::uint32_t tick = 0;
    Mark mark = Mark::wrong;

    bool sparse() const {
        return compression == compression_sparse || compression == compression_smd;
    }
    /// 2 before version 11, whatever the field says; 0 if the field says what no writer does.
    std::int64_t value_bytes() const {
        if (version < first_version_with_width) return 2;
        return stated_value_bytes == 2 || stated_value_bytes == 4 ? stated_value_bytes : 0;
    }
    /// Values in the payload; -1 if the bytes of an SMD frame do not divide into them.
    std::int64_t n_values() const {
        if (compression != compression_smd) return dlen;
        const std::int64_t each = index_bytes + value_bytes();
        return dlen % each == 0 ? dlen / each : -1;
    }
    std::int64_t payload_bytes() const {
        return n_values() * (value_bytes() + (sparse() ? index_bytes : 0));
    }
};

template <class T>
T field(const std::byte* header, std::size_t offset) {
    T value;
    std::memcpy(&value, header + offset, sizeof value);
    return value;
}

inline Mark mark_of(const std::byte* header) {
    std::array<std::byte, mark_bytes> found{};
    std::memcpy(found.data(), header + at::mark, mark_bytes);
    const auto all = [&](std::byte value) {
        for (const std::byte byte : found) {
            if (byte != value) return false;
        }
        return true;
    };
    if (all(std::byte{0xFF})) return Mark::present;
    return all(std::byte{0}) ? Mark::zero : Mark::wrong;
}

/// Nothing is checked here.
inline Header parse_header(const std::byte* header) {
    Header out;
    out.compression = field<std::int32_t>(header, at::compression);
    out.rows = field<std::int32_t>(header, at::rows);
    out.cols = field<std::int32_t>(header, at::cols);
    out.stated_value_bytes = field<std::int32_t>(header, at::value_bytes);
    out.dlen = field<std::uint32_t>(header, at::dlen);
    out.version = field<std::int32_t>(header, at::version);
    out.elapsed_s = field<double>(header, at::elapsed);
    out.tick = field<std::uint32_t>(header, at::tick);
    out.mark = mark_of(header);
    return out;
}

/// What a frame's header must be to belong to a detector of any kind.
inline bool plausible(const Header& header) {
    const bool shape = header.rows > 0 && header.cols > 0 && header.rows <= largest_side &&
                       header.cols <= largest_side;
    const bool width = header.value_bytes() != 0 && header.n_values() >= 0;
    return header.mark != Mark::wrong && shape && width &&
           header.n_values() <= header.rows * header.cols;
}

/// A header as this program writes it (version 11).
inline std::array<std::byte, header_bytes> make_header(const Header& from, std::int32_t number) {
    std::array<std::byte, header_bytes> out{};
    const auto put = [&](std::size_t offset, auto value) {
        std::memcpy(out.data() + offset, &value, sizeof value);
    };
    put(at::mode, std::int32_t{2});
    put(at::compression, from.compression);
    put(at::number, number);
    put(at::row_end, static_cast<std::int32_t>(from.rows));
    put(at::col_end, static_cast<std::int32_t>(from.cols));
    put(at::row_bin, std::int32_t{1});
    put(at::col_bin, std::int32_t{1});
    put(at::rows, static_cast<std::int32_t>(from.rows));
    put(at::cols, static_cast<std::int32_t>(from.cols));
    put(at::value_bytes, from.stated_value_bytes);
    put(at::elapsed, from.elapsed_s);
    put(at::dlen, static_cast<std::uint32_t>(from.dlen));
    put(at::version, from.version);
    put(at::tick, from.tick);
    std::memset(out.data() + at::mark, 0xFF, mark_bytes);
    return out;
}

}  // namespace xpcs::imm
