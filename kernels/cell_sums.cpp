// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/cell_sums.hpp"

// The order of what follows matters: this file is read once per instruction set.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cell_sums.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace xpcs::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

CellSums sums_of(const std::uint8_t* HWY_RESTRICT count, std::size_t n) {
    const hn::ScalableTag<std::uint8_t> d;
    const hn::Repartition<std::uint64_t, decltype(d)> d64;
    const auto one = hn::Set(d, 1);
    auto photons = hn::Zero(d64), lit = hn::Zero(d64);
    std::size_t i = 0;
    for (; i + hn::Lanes(d) <= n; i += hn::Lanes(d)) {
        const auto value = hn::LoadU(d, count + i);
        photons = hn::Add(photons, hn::SumsOf8(value));
        lit = hn::Add(lit, hn::SumsOf8(hn::Min(value, one)));
    }
    CellSums sums{hn::GetLane(hn::SumOfLanes(d64, photons)),
                  static_cast<std::int64_t>(hn::GetLane(hn::SumOfLanes(d64, lit)))};
    for (; i < n; ++i) {
        sums.photons += count[i];
        sums.lit += count[i] != 0;
    }
    return sums;
}

}  // namespace xpcs::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace xpcs {

HWY_EXPORT(sums_of);

CellSums sums_of_cells(const std::uint8_t* count, std::size_t n) {
    return HWY_DYNAMIC_DISPATCH(sums_of)(count, n);
}

}  // namespace xpcs

#endif  // HWY_ONCE
