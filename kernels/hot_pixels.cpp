// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/hot_pixels.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace xpcs {

namespace {

constexpr std::size_t fewest_pixels = 5;

/// values[n / 2] if they were sorted; none exceeds `largest`. They may be moved.
std::uint64_t median(std::span<std::uint64_t> values, std::uint64_t largest) {
    const std::size_t middle = values.size() / 2;
    if (largest >= 4 * values.size()) {
        const auto place = values.begin() + static_cast<std::ptrdiff_t>(middle);
        std::nth_element(values.begin(), place, values.end());
        return *place;
    }
    // Few values often: faster counted than sorted.
    std::vector<std::size_t> times(largest + 1, 0);
    for (const std::uint64_t value : values)
        ++times[value];
    std::uint64_t value = 0;
    for (std::size_t before = times[0]; before <= middle; before += times[value])
        ++value;
    return value;
}

/// The pixels that take part, bin by bin: slot[begin[bin]], ..., ascending in each.
struct SlotsByBin {
    std::vector<std::size_t> begin;
    std::vector<std::uint32_t> slot;
};

SlotsByBin slots_by_bin(const Partition& partition, const std::vector<std::uint8_t>& excluded) {
    const std::size_t n_slots = partition.static_bin.size();
    const auto takes_part = [&](std::size_t slot) {
        return excluded.empty() || excluded[slot] == 0;
    };
    SlotsByBin sorted{std::vector<std::size_t>(partition.n_static + std::size_t{1}, 0), {}};
    for (std::size_t slot = 0; slot < n_slots; ++slot) {
        if (takes_part(slot)) ++sorted.begin[partition.static_bin[slot] + std::size_t{1}];
    }
    std::partial_sum(sorted.begin.begin(), sorted.begin.end(), sorted.begin.begin());
    sorted.slot.resize(sorted.begin.back());
    std::vector<std::size_t> next(sorted.begin.begin(), sorted.begin.end() - 1);
    for (std::size_t slot = 0; slot < n_slots; ++slot) {
        if (takes_part(slot)) {
            sorted.slot[next[partition.static_bin[slot]]++] = static_cast<std::uint32_t>(slot);
        }
    }
    return sorted;
}

/// Those of one bin.
std::vector<std::uint32_t> hot_of(std::span<const std::uint32_t> slots,
                                  const std::vector<std::uint64_t>& photons,
                                  double threshold) {
    std::vector<std::uint32_t> hot;
    if (slots.size() < fewest_pixels) return hot;
    std::vector<std::uint64_t> values(slots.size());
    std::uint64_t largest = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        values[i] = photons[slots[i]];
        largest = std::max(largest, values[i]);
    }
    const std::uint64_t photons_there = median(values, largest);
    const auto middle = static_cast<double>(photons_there);
    const double least_spread = std::max(std::sqrt(middle), 1.0);
    if (static_cast<double>(largest) <= middle + threshold * least_spread) return hot;
    std::uint64_t farthest = 0;
    for (std::uint64_t& value : values) {
        value = value > photons_there ? value - photons_there : photons_there - value;
        farthest = std::max(farthest, value);
    }
    const double spread =
        std::max(1.4826 * static_cast<double>(median(values, farthest)), least_spread);
    for (const std::uint32_t slot : slots) {
        if (static_cast<double>(photons[slot]) > middle + threshold * spread) hot.push_back(slot);
    }
    return hot;
}

}  // namespace

std::vector<std::uint32_t> find_hot_pixels(const Partition& partition,
                                           const std::vector<std::uint64_t>& photons,
                                           const std::vector<std::uint8_t>& excluded,
                                           double threshold) {
    const SlotsByBin bins = slots_by_bin(partition, excluded);
    std::vector<std::vector<std::uint32_t>> of_bin(partition.n_static);
    oneapi::tbb::parallel_for(std::size_t{0}, of_bin.size(), [&](std::size_t bin) {
        of_bin[bin] =
            hot_of({bins.slot.data() + bins.begin[bin], bins.begin[bin + 1] - bins.begin[bin]},
                   photons,
                   threshold);
    });
    std::vector<std::uint32_t> hot;
    for (const std::vector<std::uint32_t>& slots : of_bin)
        hot.insert(hot.end(), slots.begin(), slots.end());
    std::sort(hot.begin(), hot.end());
    return hot;
}

}  // namespace xpcs
