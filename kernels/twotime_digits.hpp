// SPDX-License-Identifier: BSD-3-Clause
// A dynamic bin as one matrix of small integers, for products that tensor cores take exactly.
//
// Counts are written to the base 128. Pixels of one static bin s with equally many digits form a
// group; a pixel has one column per digit, and columns of one digit of a group lie side by side.
// With X the matrix [T][n_columns],
//
//   sum_p x(t1,p) x(t2,p) = sum over products of scale a(t1,s) a(t2,s) sum_k X[t1][a+k] X[t2][b+k]
//
// where the innermost sum is an integer below 2^31.
#pragma once

#include "kernels/bin_events.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

constexpr std::uint32_t digit_bits = 7;
constexpr std::uint32_t digit_base = 1U << digit_bits;
/// Columns of a group are padded with zeros to a multiple of this.
constexpr std::uint32_t digit_columns = 64;
/// Pixels of a group; 127^2 times this stays below 2^31.
constexpr std::uint32_t digit_pixels = 1U << 16;

struct DigitProduct {
    std::uint64_t a = 0, b = 0;  ///< first columns
    double scale = 1;            ///< 128^(digit of a + digit of b)
    std::uint32_t length = 0;    ///< columns, a multiple of digit_columns
    std::uint32_t bin = 0;       ///< static bin, as TwotimeFactors numbers them
};

struct TwotimeDigits {
    std::uint64_t n_columns = 0;
    std::vector<std::uint64_t> column;      ///< [n_pixels] of the lowest digit
    std::vector<std::uint32_t> next_digit;  ///< [n_pixels] columns from a digit to the next
    std::vector<DigitProduct> products;
};

/// `bin_of_pixel` as in TwotimeFactors.
TwotimeDigits make_digits(const BinEvents& events, const std::vector<std::uint32_t>& bin_of_pixel);

}  // namespace xpcs
