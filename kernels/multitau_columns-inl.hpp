// SPDX-License-Identifier: BSD-3-Clause
// Samples of a group of pixels side by side: each pixel has a 32-bit lane of every vector. Compiled
// once per instruction set.
//
// Column k holds the samples 2k (low half of the lane) and 2k + 1 (high half) of every pixel.

#if defined(XPCS_MULTITAU_COLUMNS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef XPCS_MULTITAU_COLUMNS_INL
#undef XPCS_MULTITAU_COLUMNS_INL
#else
#define XPCS_MULTITAU_COLUMNS_INL
#endif

#include "kernels/multitau_scratch.hpp"

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

static_assert(HWY_MAX_BYTES <= 4 * most_lanes, "a group fits the arrays of LaneSums");

/// Columns of zeros behind the last one.
constexpr std::int64_t column_pad = 8;

HWY_INLINE std::int64_t lanes_in_group() {
    return static_cast<std::int64_t>(hn::Lanes(hn::ScalableTag<std::int32_t>()));
}

/// Halves of lanes in the columns of n frames.
HWY_INLINE std::size_t columns_size(std::int64_t n) {
    return static_cast<std::size_t>(((n + 1) / 2 + column_pad) * 2 * lanes_in_group());
}

/// 16 bytes from each of the pixels j, j + 4, j + 8, ...: a block of the vector for each.
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const std::byte* const* row, std::int64_t offset) {
    if constexpr (hn::MaxLanes(d) * sizeof(hn::TFromD<D>) == 16) {
        return hn::LoadU(d, reinterpret_cast<const hn::TFromD<D>*>(row[0] + offset));
    } else {
        const hn::Half<D> half;
        constexpr std::size_t blocks = hn::MaxLanes(d) * sizeof(hn::TFromD<D>) / 16;
        return hn::Combine(
            d, load_blocks(half, row + 2 * blocks, offset), load_blocks(half, row, offset));
    }
}

/// Clears what lies behind n frames.
HWY_INLINE void end_columns(std::int16_t* columns, std::int64_t n) {
    const hn::ScalableTag<std::int32_t> d;
    auto* column = reinterpret_cast<std::int32_t*>(columns);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    if (n % 2 == 1) {
        std::int32_t* last = column + n / 2 * lanes;
        hn::Store(hn::And(hn::Load(d, last), hn::Set(d, 0xFFFF)), d, last);
    }
    for (std::int64_t k = (n + 1) / 2; k < (n + 1) / 2 + column_pad; ++k)
        hn::Store(hn::Zero(d), d, column + k * lanes);
}

/// Columns of rows of n samples, none above `largest_short`; a row can be read to a multiple of 16
/// bytes.
template <class Sample>
HWY_INLINE void
columns_of_rows(const std::byte* const* row, std::int64_t n, std::int16_t* HWY_RESTRICT columns) {
    static_assert(sizeof(Sample) <= 2);
    const hn::ScalableTag<std::uint32_t> d;
    const hn::Repartition<std::uint64_t, decltype(d)> d64;
    const hn::Repartition<std::uint8_t, decltype(d)> d8;
    auto* out = reinterpret_cast<std::uint32_t*>(columns);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    HWY_ALIGN constexpr std::uint8_t low_bytes[16] = {
        0, 255, 1, 255, 4, 255, 5, 255, 8, 255, 9, 255, 12, 255, 13, 255};
    HWY_ALIGN constexpr std::uint8_t high_bytes[16] = {
        2, 255, 3, 255, 6, 255, 7, 255, 10, 255, 11, 255, 14, 255, 15, 255};
    const auto low = hn::LoadDup128(d8, low_bytes), high = hn::LoadDup128(d8, high_bytes);
    const auto put = [&](auto four_bytes) HWY_ATTR {
        if constexpr (sizeof(Sample) == 1) {
            const auto bytes = hn::BitCast(d8, four_bytes);
            hn::Store(hn::BitCast(d, hn::TableLookupBytesOr0(bytes, low)), d, out);
            hn::Store(hn::BitCast(d, hn::TableLookupBytesOr0(bytes, high)), d, out + lanes);
            out += 2 * lanes;
        } else {
            hn::Store(hn::BitCast(d, four_bytes), d, out);
            out += lanes;
        }
    };
    for (std::int64_t at = 0; at < n * static_cast<std::int64_t>(sizeof(Sample)); at += 16) {
        const auto a = load_blocks(d, row, at), b = load_blocks(d, row + 1, at);
        const auto c = load_blocks(d, row + 2, at), e = load_blocks(d, row + 3, at);
        const auto ab0 = hn::BitCast(d64, hn::InterleaveLower(d, a, b));
        const auto ab1 = hn::BitCast(d64, hn::InterleaveUpper(d, a, b));
        const auto ce0 = hn::BitCast(d64, hn::InterleaveLower(d, c, e));
        const auto ce1 = hn::BitCast(d64, hn::InterleaveUpper(d, c, e));
        put(hn::InterleaveLower(d64, ab0, ce0));
        put(hn::InterleaveUpper(d64, ab0, ce0));
        put(hn::InterleaveLower(d64, ab1, ce1));
        put(hn::InterleaveUpper(d64, ab1, ce1));
    }
    end_columns(columns, n);
}

/// Columns of the counts of n frames, each `pitch` bytes behind the one before.
HWY_INLINE void columns_of_cells(const std::uint8_t* HWY_RESTRICT cell,
                                 std::int64_t pitch,
                                 std::int64_t n,
                                 std::int16_t* HWY_RESTRICT columns) {
    const hn::ScalableTag<std::int32_t> d;
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    auto* out = reinterpret_cast<std::int32_t*>(columns);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto frame = [&](std::int64_t t)
                           HWY_ATTR { return hn::PromoteTo(d, hn::LoadU(d8, cell + t * pitch)); };
    for (std::int64_t t = 0; t + 1 < n; t += 2)
        hn::Store(hn::Or(frame(t), hn::ShiftLeft<16>(frame(t + 1))), d, out + t / 2 * lanes);
    if (n % 2 == 1) hn::Store(frame(n - 1), d, out + n / 2 * lanes);
    end_columns(columns, n);
}

/// The photons of each pixel in frames [first, end) of its counts; they fit 31 bits.
HWY_INLINE void sum_cells(const std::uint8_t* HWY_RESTRICT cell,
                          std::int64_t pitch,
                          std::int64_t first,
                          std::int64_t end,
                          std::uint64_t* HWY_RESTRICT out) {
    const hn::ScalableTag<std::int32_t> d;
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    const auto frame = [&](std::int64_t t)
                           HWY_ATTR { return hn::PromoteTo(d, hn::LoadU(d8, cell + t * pitch)); };
    auto even = hn::Zero(d), odd = even;
    std::int64_t t = first;
    for (; t + 2 <= end; t += 2) {
        even = hn::Add(even, frame(t));
        odd = hn::Add(odd, frame(t + 1));
    }
    if (t < end) even = hn::Add(even, frame(t));
    HWY_ALIGN std::int32_t sums[most_lanes];
    hn::Store(hn::Add(even, odd), d, sums);
    std::copy_n(sums, hn::Lanes(d), out);
}

/// Sample t of every pixel.
template <class D32>
HWY_INLINE hn::Vec<D32> sample_at(D32 d, const std::int16_t* columns, std::int64_t t) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto column = hn::Load(d, reinterpret_cast<const std::int32_t*>(columns) + t / 2 * lanes);
    return t % 2 == 0 ? hn::And(column, hn::Set(d, 0xFFFF)) : hn::ShiftRight<16>(column);
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
