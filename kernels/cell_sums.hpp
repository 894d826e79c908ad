// SPDX-License-Identifier: BSD-3-Clause
// What an array of one-byte counts holds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xpcs {

struct CellSums {
    std::uint64_t photons = 0;
    std::int64_t lit = 0;  ///< counts that are not 0
};

/// Of count[0 .. n-1]. Exact, a vector at a time.
CellSums sums_of_cells(const std::uint8_t* count, std::size_t n);

}  // namespace xpcs
