// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/hot_pixels.hpp"

#include <algorithm>
#include <cmath>

namespace xpcs {

namespace {

constexpr std::size_t fewest_pixels = 5;

double median(std::vector<double>& values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

}  // namespace

std::vector<std::uint32_t> find_hot_pixels(const Partition& partition,
                                           const std::vector<std::uint64_t>& photons,
                                           const std::vector<std::uint8_t>& excluded,
                                           double threshold) {
    std::vector<std::vector<std::uint32_t>> bins(partition.n_static);
    for (std::size_t slot = 0; slot < photons.size(); ++slot) {
        if (!excluded.empty() && excluded[slot] != 0) continue;
        bins[partition.static_bin[slot]].push_back(static_cast<std::uint32_t>(slot));
    }
    std::vector<std::uint32_t> hot;
    std::vector<double> values;
    for (const std::vector<std::uint32_t>& bin : bins) {
        if (bin.size() < fewest_pixels) continue;
        values.clear();
        for (const std::uint32_t slot : bin)
            values.push_back(static_cast<double>(photons[slot]));
        const double middle = median(values);
        for (double& value : values)
            value = std::abs(value - middle);
        const double spread = std::max({1.4826 * median(values), std::sqrt(middle), 1.0});
        for (const std::uint32_t slot : bin) {
            if (static_cast<double>(photons[slot]) > middle + threshold * spread) {
                hot.push_back(slot);
            }
        }
    }
    std::sort(hot.begin(), hot.end());
    return hot;
}

}  // namespace xpcs
