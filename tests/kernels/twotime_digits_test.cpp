// SPDX-License-Identifier: BSD-3-Clause
// The matrix of digits, multiplied out on the CPU as the GPU does it.
#include "kernels/twotime_digits.hpp"

#include "kernels/twotime_factors.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "series_fixture.hpp"

namespace xpcs::test {

namespace {

BinEvents events_of(const reference::Run& run, std::uint32_t bin) {
    const Partition partition = partition_of(run);
    FrameMap frames;
    frames.n_frames = run.n_frames;
    return gather_bin(sparse_series(run, partition), frames, bin, nullptr, 1);
}

std::vector<std::uint32_t> zeros(const BinEvents& events) {
    return std::vector<std::uint32_t>(events.slot.size(), 0);
}

/// [T][n_columns]
std::vector<std::int8_t>
matrix_of(const BinEvents& events, const TwotimeDigits& digits, std::int64_t n_frames) {
    std::vector<std::int8_t> out(static_cast<std::size_t>(n_frames) * digits.n_columns, 0);
    for (std::size_t p = 0; p < events.slot.size(); ++p) {
        for (std::uint64_t i = events.begin[p]; i < events.begin[p + 1]; ++i) {
            std::size_t at = events.frame[i] * digits.n_columns + digits.column[p];
            for (std::uint32_t count = events.count[i]; count != 0; count >>= digit_bits) {
                EXPECT_EQ(out[at], 0) << "two digits in one place";
                out[at] = static_cast<std::int8_t>(count % digit_base);
                at += digits.next_digit[p];
            }
        }
    }
    return out;
}

double product(const std::vector<std::int8_t>& matrix,
               const TwotimeDigits& digits,
               std::size_t t1,
               std::size_t t2) {
    double all = 0;
    for (const DigitProduct& part : digits.products) {
        std::int32_t sum = 0;
        for (std::uint32_t k = 0; k < part.length; ++k)
            sum += matrix[t1 * digits.n_columns + part.a + k] *
                   matrix[t2 * digits.n_columns + part.b + k];
        all += part.scale * sum;
    }
    return all;
}

}  // namespace

TEST(TwotimeDigits, ProductsOfCountsOfEverySizeAreExact) {
    constexpr std::int64_t n_frames = 9, n_pixels = 150;
    reference::Run run = empty_run(n_frames, n_pixels, n_pixels);
    std::mt19937_64 random(11);
    const std::uint64_t limits[] = {2, 128, 129, 16384, 2097153};
    for (std::int64_t p = 0; p < n_pixels; ++p) {
        for (std::int64_t t = 0; t < n_frames; ++t)
            at(run, t, p) = static_cast<double>(random() % limits[p % 5]);
    }
    at(run, 0, 0) = 127;
    at(run, 0, 1) = 4294967294.0;  // 5 digits; one more would mean "no data"
    const Partition partition = partition_of(run);
    const PixelSeries series = dense_series<std::uint32_t>(run, partition, false);
    FrameMap frames;
    frames.n_frames = n_frames;
    const BinEvents events = gather_bin(series, frames, 0, nullptr, 1);
    const TwotimeDigits digits = make_digits(events, zeros(events));
    const std::vector<std::int8_t> matrix = matrix_of(events, digits, n_frames);
    for (std::int64_t t1 = 0; t1 < n_frames; ++t1) {
        for (std::int64_t t2 = 0; t2 < n_frames; ++t2) {
            long double expected = 0;
            for (std::int64_t p = 0; p < n_pixels; ++p)
                expected += static_cast<long double>(run.at(t1, p)) * run.at(t2, p);
            const double found =
                product(matrix, digits, static_cast<std::size_t>(t1), static_cast<std::size_t>(t2));
            // Beyond 2^53 the sum over digits is rounded.
            EXPECT_NEAR(found, static_cast<double>(expected), 1e-15 * found) << t1 << ", " << t2;
        }
    }
}

TEST(TwotimeDigits, ColumnsArePaddedAndNeverShared) {
    const reference::Run run = poisson_run(5, 130, 0.5, 4, 130);
    const BinEvents events = events_of(run, 0);
    const TwotimeDigits digits = make_digits(events, zeros(events));
    EXPECT_EQ(digits.n_columns, 192U);
    ASSERT_EQ(digits.products.size(), 1U);
    EXPECT_EQ(digits.products[0].length, 192U);
    EXPECT_EQ(digits.products[0].scale, 1.0);
    std::vector<std::uint64_t> columns = digits.column;
    std::sort(columns.begin(), columns.end());
    EXPECT_EQ(std::adjacent_find(columns.begin(), columns.end()), columns.end());
    EXPECT_LT(columns.back(), digits.n_columns);
}

TEST(TwotimeDigits, GroupsStayBelowTheLimitOf32Bits) {
    BinEvents events;  // 70 000 pixels of one static bin, all at 127 in frame 0
    for (std::uint32_t p = 0; p < 70000; ++p) {
        events.slot.push_back(p);
        events.begin.push_back(p);
        events.frame.push_back(0);
        events.count.push_back(127);
    }
    events.begin.push_back(70000);
    const TwotimeDigits digits = make_digits(events, zeros(events));
    ASSERT_EQ(digits.products.size(), 2U);
    for (const DigitProduct& part : digits.products)
        EXPECT_LE(part.length, digit_pixels);
    const std::vector<std::int8_t> matrix = matrix_of(events, digits, 1);
    EXPECT_EQ(product(matrix, digits, 0, 0), 70000.0 * 127 * 127);
}

TEST(TwotimeDigits, StaticBinsHaveProductsOfTheirOwn) {
    const reference::Run run = poisson_run(4, 12, 1.0, 8, 3);
    const BinEvents events = events_of(run, 1);
    TwotimeBin about;
    const Partition partition = partition_of(run);
    const TwotimeFactors factors =
        make_factors(events, partition, run.n_frames, TwotimeSmooth::static_bin, about);
    const TwotimeDigits digits = make_digits(events, factors.bin_of_pixel);
    ASSERT_EQ(digits.products.size(), 2U);
    EXPECT_EQ(digits.products[0].bin, 0U);
    EXPECT_EQ(digits.products[1].bin, 1U);
    EXPECT_EQ(about.n_static, 2);
}

TEST(TwotimeDigits, NoPixelsNoProducts) {
    BinEvents events;
    events.begin.push_back(0);
    const TwotimeDigits digits = make_digits(events, {});
    EXPECT_TRUE(digits.products.empty());
    EXPECT_EQ(digits.n_columns, 0U);
}

}  // namespace xpcs::test
