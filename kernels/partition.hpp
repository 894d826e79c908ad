// SPDX-License-Identifier: BSD-3-Clause
// All that the numerics needs of a q-map: the kept pixels and the bins they belong to.
#pragma once

#include "kernels/hd.hpp"

#include <cstdint>
#include <limits>
#include <vector>

namespace xpcs {

/// Kept pixels (mask, dynamic label > 0, static label > 0, not in a gap) in ascending detector
/// order, with the static bin of each. Bins count from 0 here (label - 1); every static bin that
/// has pixels lies in exactly one dynamic bin. Bins without pixels are allowed.
struct Partition {
    static constexpr std::uint32_t not_kept = std::numeric_limits<std::uint32_t>::max();

    std::int64_t rows = 0;
    std::int64_t cols = 0;
    std::uint32_t n_static = 0;
    std::uint32_t n_dynamic = 0;
    std::vector<std::uint32_t> pixel;              ///< [n_kept] detector index, ascending
    std::vector<std::uint32_t> static_bin;         ///< [n_kept]
    std::vector<std::uint32_t> dynamic_of_static;  ///< [n_static]; not_kept for an empty bin
    std::vector<std::uint32_t> slot;               ///< [rows * cols] index into pixel, or not_kept

    /// 32 neighbouring detector pixels: which are kept, and how many are kept before them. Says the
    /// same as `slot` in a sixteenth of the memory, so that it stays in the cache.
    struct KeptGroup {
        std::uint32_t mask = 0;
        std::uint32_t before = 0;

        /// Of the pixel whose number in the group is `at`: slot, or not_kept.
        XPCS_HD std::uint32_t slot(std::uint32_t at) const {
            const std::uint32_t bit = std::uint32_t{1} << at;
            return (mask & bit) != 0 ? before + count_bits(mask & (bit - 1)) : 0xFFFFFFFFU;
        }
    };
    std::vector<KeptGroup> groups;  ///< [rows * cols / 32, rounded up]

    /// slot[pixel].
    std::uint32_t slot_of(std::uint32_t detector_pixel) const {
        return groups[detector_pixel >> 5].slot(detector_pixel & 31);
    }

    /// Forgets every kept pixel of a detector of rows x cols.
    void drop_pixels();
    /// Keeps a pixel; pixels come in ascending order.
    void keep_pixel(std::uint32_t detector_pixel, std::uint32_t bin);

    std::int64_t n_kept() const { return static_cast<std::int64_t>(pixel.size()); }
    std::uint32_t dynamic_bin(std::int64_t kept) const {
        return dynamic_of_static[static_bin[static_cast<std::size_t>(kept)]];
    }
};

/// Builds a Partition from label maps [rows * cols]; label 0 drops the pixel.
/// `static_label` may reach n_static, `dynamic_label` n_dynamic.
/// Throws std::invalid_argument if a static bin lies in two dynamic bins or a label is too large.
Partition make_partition(std::int64_t rows,
                         std::int64_t cols,
                         const std::vector<std::uint32_t>& static_label,
                         const std::vector<std::uint32_t>& dynamic_label,
                         std::uint32_t n_static,
                         std::uint32_t n_dynamic);

}  // namespace xpcs
