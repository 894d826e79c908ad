// SPDX-License-Identifier: BSD-3-Clause
// -G: G2, IP and IF of every pixel, in memory that the size of the detector does not change.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include "cli_fixture.hpp"
#include "reference/reference.hpp"

namespace xpcs::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* G2_path = "/xpcs/multitau/unnormalized_G2";

/// Events on a square detector: what they take in memory is the same for every side.
class LargeRun {
  public:
    explicit LargeRun(std::int64_t side, int events_per_frame = 250) {
        small.qmap = banded_qmap(side, side, 8);
        small.write_qmap();
        std::vector<Event> events;
        std::mt19937_64 random(5);
        for (std::int64_t t = 0; t < SmallRun::n_frames; ++t) {
            for (int e = 0; e < events_per_frame; ++e) {
                const auto pixel = random() % static_cast<std::uint64_t>(side * side);
                events.emplace_back(t, static_cast<std::uint32_t>(pixel), 1);
            }
        }
        small.write_events(events);
    }
    double peak_bytes(const Arguments& more) {
        std::filesystem::remove(small.result());
        small.expect_done({}, more);
        return small.read("/xpcs/provenance/peak_memory").front();
    }
    double array_bytes() const {
        return static_cast<double>(h5::n_elements(small.shape(G2_path)) * sizeof(float));
    }
    SmallRun small;
};

TEST(UnnormalizedG2, MemoryDoesNotGrowWithTheDetector) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "the sanitizer keeps freed memory and guards the rest";
#endif
    double extra[2];
    for (const int large : {0, 1}) {
        LargeRun run(large != 0 ? 1024 : 512);
        const double without = run.peak_bytes({"--memory", "0.25"});
        const double with = run.peak_bytes({"--memory", "0.25", "-G"});
        extra[large] = with - without;
        if (large != 0) {
            // More than the budget, and several times what -G took.
            EXPECT_GT(run.array_bytes(), 0.25 * (1 << 30));
            EXPECT_LT(with, 0.25 * (1 << 30));
        }
    }
    // Four times the pixels; the room for one band of rows and one group of tiles is the same.
    constexpr double jitter = 16 << 20;  // of the allocator
    EXPECT_LT(extra[1], extra[0] + jitter);
    EXPECT_LT(extra[1], 80 << 20);
}

TEST(UnnormalizedG2, ManyPassesGiveTheSame) {
    LargeRun run(256, 5000);
    run.peak_bytes({"-G"});
    const auto whole = numeric_datasets(run.small.result());
    std::filesystem::remove(run.small.result());
    // The least that is possible is in the message of a run that has less.
    const Outcome refused = run.small.correlate({"-G", "--memory", "0.001"});
    EXPECT_EQ(refused.exit_code, static_cast<int>(ExitCode::no_memory)) << refused.err;
    const std::string words = "needs at least ";
    const std::size_t at = refused.err.find(words);
    ASSERT_NE(at, std::string::npos) << refused.err;
    const double least = std::strtod(refused.err.c_str() + at + words.size(), nullptr);
    run.small.expect_done({"passes"}, {"-G", "--memory", std::to_string(least * 1.005)});
    EXPECT_TRUE(numeric_datasets(run.small.result()) == whole);
}

TEST(UnnormalizedG2, SlotsHoldTheDefinition) {
    SmallRun small(0.3);
    const std::int64_t pixels = SmallRun::rows * SmallRun::cols;
    reference::Run all;
    all.n_frames = SmallRun::n_frames;
    all.n_pixels = pixels;
    all.counts.assign(static_cast<std::size_t>(all.n_frames * pixels), 0);
    for (const auto& [frame, pixel, count] :
         poisson_events(SmallRun::n_frames, static_cast<std::uint32_t>(pixels), 0.3, 7)) {
        all.counts[static_cast<std::size_t>(frame * pixels) + pixel] += count;
    }
    for (const int average : {1, 3}) {
        small.expect_done({}, {"-G", "-a", std::to_string(average)});
        const reference::Run run = reference::select(all, 0, all.n_frames, 1, average);
        const std::vector<reference::Lag> lags = reference::ladder(run.n_frames);
        const auto values = small.read(G2_path);
        ASSERT_EQ(values.size(), lags.size() * 3 * static_cast<std::size_t>(pixels));
        const h5::File file = h5::open_file(small.result());
        EXPECT_EQ(h5::read_string_attribute(h5::open_dataset(file.id(), G2_path).id(), "slots"),
                  "G2,IF,IP");
        for (std::int64_t pixel = 5; pixel < pixels; pixel += 97) {
            const reference::Sums sums = reference::pixel_sums(run, pixel);
            for (std::size_t k = 0; k < lags.size(); ++k) {
                // Means of frames that are themselves means of `average` frames.
                const double width =
                    static_cast<double>(std::int64_t{1} << lags[k].level) * average;
                const auto n = static_cast<double>(lags[k].pairs);
                const double expected[] = {sums.G2[k] / n / width / width,
                                           sums.future[k] / n / width,
                                           sums.past[k] / n / width};
                for (std::size_t slot = 0; slot < 3; ++slot) {
                    const double found = values[(k * 3 + slot) * static_cast<std::size_t>(pixels) +
                                                static_cast<std::size_t>(pixel)];
                    // Two roundings to float32: of the mean, and of its division by `average`.
                    EXPECT_NEAR(found, expected[slot], 1.3e-7 * expected[slot])
                        << "pixel " << pixel << " lag " << k << " slot " << slot;
                }
            }
        }
    }
}

}  // namespace
}  // namespace xpcs::testing
