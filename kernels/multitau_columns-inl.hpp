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

/// Columns of the counts of n frames, none above `largest_short`, each `pitch` counts behind the
/// one before.
template <class Sample>
HWY_INLINE void columns_of_cells(const Sample* HWY_RESTRICT cell,
                                 std::int64_t pitch,
                                 std::int64_t n,
                                 std::int16_t* HWY_RESTRICT columns) {
    const hn::ScalableTag<std::int32_t> d;
    const hn::Rebind<Sample, decltype(d)> d_cell;
    auto* out = reinterpret_cast<std::int32_t*>(columns);
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
    const auto frame = [&](std::int64_t t) HWY_ATTR {
        const auto raw = hn::LoadU(d_cell, cell + t * pitch);
        if constexpr (sizeof(Sample) == 4) {
            return hn::BitCast(d, raw);
        } else {
            return hn::PromoteTo(d, raw);
        }
    };
    for (std::int64_t t = 0; t + 1 < n; t += 2)
        hn::Store(hn::Or(frame(t), hn::ShiftLeft<16>(frame(t + 1))), d, out + t / 2 * lanes);
    if (n % 2 == 1) hn::Store(frame(n - 1), d, out + n / 2 * lanes);
    end_columns(columns, n);
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
