// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/frame_photons.hpp"

#include <gtest/gtest.h>

#include <random>

namespace {

using xpcs::FramePhotons;

TEST(FramePhotons, AddsUpWhatAVectorDoes) {
    constexpr std::size_t n_frames = 3 * FramePhotons::page_frames + 17;
    std::vector<std::uint64_t> expected(n_frames, 0);
    FramePhotons photons;
    std::mt19937_64 random(3);
    for (int k = 0; k < 50'000; ++k) {
        const std::size_t frame = random() % n_frames;
        const std::uint64_t n = random() % 1000;
        photons.add(frame, n);
        expected[frame] += n;
    }
    photons.add(n_frames - 1, 5);
    photons.remove(n_frames - 1, 2);
    expected[n_frames - 1] += 3;
    EXPECT_EQ(photons.size(), n_frames);
    EXPECT_EQ(photons.to_vector(), expected);
}

TEST(FramePhotons, SumsBeyond32BitsAreExact) {
    FramePhotons photons;
    constexpr std::size_t frame = FramePhotons::page_frames - 1;
    photons.add(0, 7);
    photons.add(frame, UINT32_MAX);
    EXPECT_EQ(photons[frame], UINT32_MAX);
    photons.add(frame, 2);
    photons.add(frame + 1, 9);
    EXPECT_EQ(photons[frame], std::uint64_t{UINT32_MAX} + 2);
    EXPECT_EQ(photons[0], 7U);
    EXPECT_EQ(photons[frame + 1], 9U);
    photons.remove(frame, std::uint64_t{UINT32_MAX} + 1);
    EXPECT_EQ(photons[frame], 1U);
}

TEST(FramePhotons, FramesThatNothingFellIntoAreDark) {
    FramePhotons photons;
    EXPECT_EQ(photons.size(), 0U);
    EXPECT_EQ(photons[123], 0U);
    photons.add(40'000'000, 1);  // takes one page
    EXPECT_EQ(photons.size(), 40'000'001U);
    EXPECT_EQ(photons[39'000'000], 0U);
    EXPECT_EQ(photons[50'000'000], 0U);
}

}  // namespace
