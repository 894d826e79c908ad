// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/partition.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace xpcs {

void Partition::drop_pixels() {
    const auto n = static_cast<std::size_t>(rows * cols);
    pixel.clear();
    static_bin.clear();
    slot.assign(n, not_kept);
    groups.assign((n + 31) / 32, {});
}

void Partition::keep_pixel(std::uint32_t detector_pixel, std::uint32_t bin) {
    const auto at = static_cast<std::uint32_t>(pixel.size());
    KeptGroup& group = groups[detector_pixel >> 5];
    if (group.mask == 0) group.before = at;
    group.mask |= std::uint32_t{1} << (detector_pixel & 31);
    slot[detector_pixel] = at;
    pixel.push_back(detector_pixel);
    static_bin.push_back(bin);
}

Partition make_partition(std::int64_t rows,
                         std::int64_t cols,
                         const std::vector<std::uint32_t>& static_label,
                         const std::vector<std::uint32_t>& dynamic_label,
                         std::uint32_t n_static,
                         std::uint32_t n_dynamic) {
    const auto n_pixels = static_cast<std::size_t>(rows * cols);
    if (static_label.size() != n_pixels || dynamic_label.size() != n_pixels) {
        throw std::invalid_argument("partition: label maps differ from the detector shape");
    }
    Partition partition;
    partition.rows = rows;
    partition.cols = cols;
    partition.n_static = n_static;
    partition.n_dynamic = n_dynamic;
    partition.dynamic_of_static.assign(n_static, Partition::not_kept);
    partition.drop_pixels();
    const auto n_labelled =
        n_pixels -
        static_cast<std::size_t>(std::count(static_label.begin(), static_label.end(), 0U));
    partition.pixel.reserve(n_labelled);
    partition.static_bin.reserve(n_labelled);
    for (std::size_t p = 0; p < n_pixels; ++p) {
        const std::uint32_t s = static_label[p];
        const std::uint32_t d = dynamic_label[p];
        if (s == 0 || d == 0) continue;
        if (s > n_static || d > n_dynamic) {
            throw std::invalid_argument("partition: label beyond the number of bins at pixel " +
                                        std::to_string(p));
        }
        std::uint32_t& owner = partition.dynamic_of_static[s - 1];
        if (owner == Partition::not_kept) owner = d - 1;
        if (owner != d - 1) {
            throw std::invalid_argument("partition: static bin " + std::to_string(s) +
                                        " lies in dynamic bins " + std::to_string(owner + 1) +
                                        " and " + std::to_string(d));
        }
        partition.keep_pixel(static_cast<std::uint32_t>(p), s - 1);
    }
    return partition;
}

}  // namespace xpcs
