// SPDX-License-Identifier: BSD-3-Clause
// Buffers that one thread of the CPU twin reuses from pixel to pixel.
#pragma once

#include "kernels/array.hpp"
#include "kernels/lag_ladder.hpp"
#include "kernels/lag_sums.hpp"

#include <cstdint>

namespace xpcs {

/// Pair sums per level are collected by blocks apart, 0..16, of which 1..8 or 5..8 are lags.
constexpr int slots_per_level = 32;

/// A buffer that grows, whose rows begin with a cache line: a vector read from a multiple of its
/// size never lies in two lines.
template <class T>
class BlockRow {
  public:
    T* of(std::size_t n) {
        constexpr std::size_t line = 64 / sizeof(T);
        if (buffer_.size() < n + line) buffer_.resize(n + n / 4 + line);
        const auto past = reinterpret_cast<std::uintptr_t>(buffer_.data()) % 64 / sizeof(T);
        return buffer_.data() + (line - past) % line;
    }

  private:
    RawVector<T> buffer_;
};

/// Half of the pixels that are correlated together, at most: the 32-bit lanes of the longest
/// vector.
constexpr int most_lanes = 16;

/// Sums of a group of pixels, those of a lag side by side; see LagSums. Levels from `end_level` on,
/// whose blocks need more than 16 bits, are not among them.
struct LaneSums {
    alignas(64) std::uint64_t G2[max_lags][most_lanes];
    alignas(64) std::int32_t head[max_lags][most_lanes];
    alignas(64) std::int32_t tail[max_lags][most_lanes];
    alignas(
        64) std::int32_t odd[LagLadder::max_levels][most_lanes];  ///< last block without partner
    int end_level;
    std::int64_t n_blocks;  ///< of the level before end_level
};

struct WeightedLaneSums {
    alignas(64) double G2[max_lags][most_lanes];
    alignas(64) double past[max_lags][most_lanes];
    alignas(64) double future[max_lags][most_lanes];
};

struct PixelScratch {
    BlockRow<std::int16_t> blocks;
    RawVector<std::uint64_t> wide_blocks;
    BlockRow<double> real_blocks;
    BlockRow<std::int16_t> columns;  ///< of half a group of pixels
    BlockRow<std::uint8_t> byte_blocks;
    LaneSums lanes[2]{};  ///< of the halves of a group
    WeightedLaneSums weighted_lanes{};
    RawVector<std::uint32_t> first, second;  ///< collected pairs of events
    std::uint64_t slot_sums[(LagLadder::max_levels + 2) * slots_per_level]{};
    double slot_sums_real[(LagLadder::max_levels + 2) * slots_per_level]{};
};

}  // namespace xpcs
