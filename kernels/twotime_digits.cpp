// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/twotime_digits.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace xpcs {

namespace {

/// Digits that the largest count of a pixel has; at least one.
std::uint32_t digits_of(const BinEvents& events, std::size_t pixel) {
    std::uint32_t largest = 0, n = 1;
    for (std::uint64_t i = events.begin[pixel]; i < events.begin[pixel + 1]; ++i)
        largest = std::max(largest, events.count[i]);
    while ((largest >>= digit_bits) != 0)
        ++n;
    return n;
}

}  // namespace

TwotimeDigits make_digits(const BinEvents& events, const std::vector<std::uint32_t>& bin_of_pixel) {
    TwotimeDigits out;
    const std::size_t n_pixels = events.slot.size();
    out.column.resize(n_pixels);
    out.next_digit.resize(n_pixels);
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::size_t>> groups;
    for (std::size_t p = 0; p < n_pixels; ++p)
        groups[{bin_of_pixel[p], digits_of(events, p)}].push_back(p);
    for (const auto& [key, pixels] : groups) {
        const auto [bin, n_digits] = key;
        for (std::size_t first = 0; first < pixels.size(); first += digit_pixels) {
            const std::size_t n = std::min<std::size_t>(digit_pixels, pixels.size() - first);
            const auto length =
                static_cast<std::uint32_t>((n + digit_columns - 1) / digit_columns * digit_columns);
            for (std::size_t i = 0; i < n; ++i) {
                out.column[pixels[first + i]] = out.n_columns + i;
                out.next_digit[pixels[first + i]] = length;
            }
            for (std::uint32_t i = 0; i < n_digits; ++i) {
                for (std::uint32_t j = 0; j < n_digits; ++j) {
                    out.products.push_back({out.n_columns + std::uint64_t{i} * length,
                                            out.n_columns + std::uint64_t{j} * length,
                                            std::ldexp(1.0, static_cast<int>(digit_bits * (i + j))),
                                            length,
                                            bin});
                }
            }
            out.n_columns += std::uint64_t{n_digits} * length;
        }
    }
    return out;
}

}  // namespace xpcs
