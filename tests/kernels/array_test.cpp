// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/array.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace xpcs {
namespace {

using Bytes = RawVector<std::uint8_t>;

TEST(KeptMemory, IsTakenAgainByWhatNeedsAtLeastHalfOfIt) {
    const KeptMemory kept(16 * huge_page);
    const void* at = nullptr;
    {
        const Bytes first(4 * huge_page - 5, 1);
        at = first.data();
    }
    {
        const Bytes smaller(huge_page);
        EXPECT_NE(smaller.data(), at);
        const Bytes larger(4 * huge_page + 1);
        EXPECT_NE(larger.data(), at);
        const Bytes fitting(3 * huge_page, 2);
        EXPECT_EQ(fitting.data(), at);
        const Bytes next(3 * huge_page);
        EXPECT_NE(next.data(), at);
    }
}

TEST(KeptMemory, BeyondItsLimitIsGivenBack) {
    const KeptMemory kept(3 * huge_page);
    std::vector<const void*> places;
    {
        const Bytes a(2 * huge_page, 1), b(2 * huge_page, 2);  // b goes first
        places = {b.data(), a.data()};
    }
    const Bytes c(2 * huge_page);
    EXPECT_EQ(c.data(), places[0]);
}

TEST(KeptMemory, IsCountedWholeHoweverLittleOfItIsUsed) {
    const KeptMemory kept(4 * huge_page);
    const void* at = nullptr;
    {
        const Bytes all(4 * huge_page, 1);
        at = all.data();
    }
    {
        const Bytes half(2 * huge_page);
        EXPECT_EQ(half.data(), at);
    }
    const Bytes all(4 * huge_page);
    EXPECT_EQ(all.data(), at);
}

TEST(KeptMemory, EndsWhileArraysOfItsTimeAreInUse) {
    Bytes outlives;
    {
        const KeptMemory kept(64 * huge_page);
        const Bytes idle(2 * huge_page, 1);
        outlives.assign(5 * huge_page, 7);
    }
    outlives.resize(9 * huge_page);
    EXPECT_EQ(outlives[5 * huge_page - 1], 7);
}

TEST(KeptMemory, ServesThreads) {
    const KeptMemory kept(8 * huge_page);
    std::vector<std::thread> threads;
    for (std::uint8_t t = 0; t < 4; ++t) {
        threads.emplace_back([t] {
            for (int i = 0; i < 50; ++i) {
                Bytes own(huge_page + 4096);
                own[0] = own[huge_page] = t;
                std::this_thread::yield();
                EXPECT_EQ(own[0], t);
                EXPECT_EQ(own[huge_page], t);
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
}

}  // namespace
}  // namespace xpcs
