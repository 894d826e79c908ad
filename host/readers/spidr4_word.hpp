// SPDX-License-Identifier: BSD-3-Clause
// The words of a raw Timepix4 stream as SPIDR4 writes them (docs/formats.md, "Timepix4").
// Little-endian, 64 bits: a mark at the start of the file, then packets of one header and its
// payload. Times in ticks of 25 ns / 128 (195 ps), whole numbers throughout.
//
//   packet header                          hit
//   0-31   words of payload                0      pile-up
//   32-44  stream                          1-11   time over threshold, 25 ns
//   48-57  content                         12-16  fine time of the falling edge
//   58-59  encoding                        17-21  fine time of the rising edge, 8 ticks
//   60-63  group: 0 Timepix4, 7 user       22-25  ultra-fine stop, code
//                                          26-29  ultra-fine start, code
//   control word                           30-45  time of arrival, 25 ns, Gray code
//   0-54   time, 25 ns (heartbeat, sync)   46-48  pixel in its superpixel
//   55-62  what it is, above 0xDF          49-50  superpixel, 51-54 group of superpixels
//   63     top half                        55-62  double column, 0 ... 0xDF;  63 top half
#pragma once

#include <array>
#include <cstdint>

namespace xpcs::spidr4 {

inline constexpr std::uint64_t file_mark = 57527937618003;  ///< "SPIDR4" and two zero bytes
inline constexpr std::int64_t rows = 512, cols = 448, word_bytes = 8;
inline constexpr std::int64_t ticks_per_clock = 128;  ///< of 25 ns
inline constexpr std::int64_t ticks_per_s = 40'000'000 * ticks_per_clock;
inline constexpr std::int64_t arrival_period = 1 << 16;  ///< of 25 ns

// --- packets -----------------------------------------------------------------------------------

inline constexpr std::uint32_t group_timepix4 = 0, group_user = 7;

constexpr std::uint32_t group_of(std::uint64_t header) {
    return static_cast<std::uint32_t>(header >> 60);
}
constexpr std::uint32_t stream_of(std::uint64_t header) {
    return static_cast<std::uint32_t>(header >> 32) & 0x1FFF;
}
constexpr std::int64_t payload_words(std::uint64_t header) {
    return static_cast<std::int64_t>(header & 0xFFFFFFFF);
}
constexpr std::uint64_t make_packet(std::uint64_t group, std::uint64_t stream, std::uint64_t n) {
    return group << 60 | stream << 32 | n;
}

// --- what a word is ----------------------------------------------------------------------------

enum Control : std::uint32_t {
    last_column = 0xDF,
    heartbeat = 0xE0,
    shutter_open = 0xE1,
    shutter_close = 0xE2,
    time_sync = 0xE3,
    signal_rise = 0xE4,
    signal_fall = 0xE5,
    test = 0xEA,
    frame_start = 0xF0,
    frame_end = 0xF1,
    segment_start = 0xF2,
    segment_end = 0xF3
};

constexpr int half_of(std::uint64_t word) {
    return static_cast<int>(word >> 63);  ///< 1 = top
}
constexpr std::uint32_t column_address(std::uint64_t word) {
    return static_cast<std::uint32_t>(word >> 55) & 0xFF;
}
constexpr bool is_control(std::uint64_t word) {
    return column_address(word) > last_column;
}
/// Of a heartbeat or synchronisation, in units of 25 ns.
constexpr std::int64_t control_time(std::uint64_t word) {
    return static_cast<std::int64_t>(word & ((std::uint64_t{1} << 55) - 1));
}
constexpr std::uint64_t make_control(Control what, int half, std::int64_t clocks) {
    return static_cast<std::uint64_t>(half) << 63 | static_cast<std::uint64_t>(what) << 55 |
           static_cast<std::uint64_t>(clocks);
}

// --- where -------------------------------------------------------------------------------------

struct Place {
    std::int64_t row, col;
    constexpr bool operator==(const Place&) const = default;
};

constexpr Place place_of(std::uint64_t word) {
    const auto pixel = static_cast<std::int64_t>(word >> 46 & 7);
    const auto superpixel = static_cast<std::int64_t>(word >> 49 & 3);
    const auto group = static_cast<std::int64_t>(word >> 51 & 15);
    const std::int64_t col = 2 * static_cast<std::int64_t>(column_address(word)) + pixel / 4;
    const std::int64_t row = group * 16 + superpixel * 4 + pixel % 4;
    if (half_of(word) == 0) return {row, col};
    return {rows - 1 - row, cols - 1 - col};  // the top half is turned around
}

/// Bits 46 to 63 of a hit there.
constexpr std::uint64_t address_of(Place at) {
    const bool top = at.row >= rows / 2;
    const auto row = static_cast<std::uint64_t>(top ? rows - 1 - at.row : at.row);
    const auto col = static_cast<std::uint64_t>(top ? cols - 1 - at.col : at.col);
    return std::uint64_t{top} << 63 | (col / 2) << 55 | (row / 16) << 51 | (row % 16 / 4) << 49 |
           (col % 2 * 4 + row % 4) << 46;
}

/// Pixels that carry test pulses instead of light.
constexpr bool is_digital(Place at) {
    constexpr std::array<Place, 8> digital = {
        {{0, 0}, {1, 4}, {2, 441}, {3, 445}, {508, 2}, {509, 6}, {510, 443}, {511, 447}}};
    for (const Place& pixel : digital) {
        if (pixel == at) return true;
    }
    return false;
}

// --- when --------------------------------------------------------------------------------------

constexpr std::uint32_t gray_to_binary(std::uint32_t gray) {
    for (std::uint32_t shift = 8; shift > 0; shift /= 2)
        gray ^= gray >> shift;
    return gray;
}
constexpr std::uint32_t binary_to_gray(std::uint32_t value) {
    return value ^ value >> 1;
}

/// 0 ... 7, or 8 for a code that no edge makes.
constexpr std::int64_t ultra_fine(std::uint64_t code) {
    constexpr std::array<std::int64_t, 16> ticks = {4, 5, 8, 6, 8, 8, 8, 7, 3, 8, 8, 8, 2, 8, 1, 0};
    return ticks[code & 15];
}

/// Time of arrival, 0 ... 65535 in units of 25 ns.
constexpr std::int64_t arrival_of(std::uint64_t word) {
    return gray_to_binary(static_cast<std::uint32_t>(word >> 30) & 0xFFFF);
}

/// Ticks from the clock edge named by arrival_of to the hit, mostly below 0: the fine counters run
/// from the hit to that edge.
constexpr std::int64_t fine_ticks(std::uint64_t word) {
    const auto rise = static_cast<std::int64_t>(word >> 17 & 0x1F);
    return ultra_fine(word >> 26) - ultra_fine(word >> 22) - 8 * rise;
}

/// The time next to `near` whose low 16 bits are `arrival`; both in units of 25 ns, not below 0.
constexpr std::int64_t extended(std::int64_t arrival, std::int64_t near) {
    std::int64_t time = (near & ~(arrival_period - 1)) | arrival;
    if (time + arrival_period / 2 < near) time += arrival_period;
    if (time > near + arrival_period / 2 && time >= arrival_period) time -= arrival_period;
    return time;
}

/// A hit at an absolute time of `tick` >= 0.
constexpr std::uint64_t make_hit(Place at, std::int64_t tick, std::uint64_t over_threshold) {
    constexpr std::array<std::uint64_t, 8> code = {15, 14, 12, 8, 0, 1, 3, 7};
    const std::int64_t clock = (tick + ticks_per_clock - 1) / ticks_per_clock;
    const std::int64_t before = clock * ticks_per_clock - tick;  // 0 ... 127
    const std::int64_t rise = (before + 7) / 8;
    const auto start = static_cast<std::size_t>(8 * rise - before);
    const std::uint64_t gray =
        binary_to_gray(static_cast<std::uint32_t>(clock & (arrival_period - 1)));
    return address_of(at) | gray << 30 | code[start] << 26 | code[0] << 22 |
           static_cast<std::uint64_t>(rise) << 17 | (over_threshold & 0x7FF) << 1;
}

}  // namespace xpcs::spidr4
