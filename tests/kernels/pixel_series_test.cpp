// SPDX-License-Identifier: BSD-3-Clause
// Photons by pixel and by frame, however the photons are kept.
#include "kernels/pixel_series.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "series_fixture.hpp"

namespace xpcs::test {
namespace {

struct Kept {
    std::string how;
    PixelSeries series;
};

/// 600 pixels are two tiles; counts up to 300 need two bytes.
reference::Run bright_run() {
    reference::Run run = poisson_run(90, 600, 0.3, 17, 20);
    at(run, 40, 7) = 200;
    at(run, 41, 599) = 300;
    return run;
}

std::vector<Kept>
in_every_way(const reference::Run& run, const Partition& partition, const SeriesRange& range) {
    std::vector<Kept> all;
    all.push_back({"events", sparse_series(run, partition, range, 500)});
    all.push_back({"events of frames", dense_series<std::uint16_t>(run, partition, true, range)});
    all.push_back({"rows of 16 bits", dense_series<std::uint16_t>(run, partition, false, range)});
    all.push_back({"rows of 32 bits", dense_series<std::uint32_t>(run, partition, false, range)});
    return all;
}

SeriesRange part_of(const Partition& partition) {
    return {10, 80, 1, n_tiles(partition)};
}

TEST(PixelSeries, PhotonsOfEveryPixelAreThoseOfItsFrames) {
    const reference::Run run = bright_run();
    const Partition partition = partition_of(run);
    for (const SeriesRange& range :
         {SeriesRange{0, 90, 0, n_tiles(partition)}, part_of(partition)}) {
        // All frames; then 41, 43, 47, 49, 53, 55 alone.
        for (const FrameMap& map : {FrameMap{0, 1, 1, 90}, FrameMap{41, 2, 2, 4}}) {
            std::vector<std::uint64_t> expected(600, 1000);  // it adds to what is there
            for (std::int64_t p = range.first_tile * tile_pixels; p < 600; ++p) {
                for (std::int64_t t = range.begin_frame; t < range.end_frame; ++t) {
                    if (map.stride > 1 && (t < 41 || t > 55 || (t - 41) % 4 % 2 != 0)) continue;
                    expected[static_cast<std::size_t>(p)] +=
                        static_cast<std::uint64_t>(run.at(t, p));
                }
            }
            for (const Kept& kept : in_every_way(run, partition, range)) {
                std::vector<std::uint64_t> found(600, 1000);
                kept.series.add_pixel_photons(map, found);
                EXPECT_EQ(found, expected)
                    << kept.how << " from frame " << range.begin_frame << ", stride " << map.stride;
            }
        }
    }
}

TEST(PixelSeries, LargeCountsTakeFewRecords) {
    constexpr std::uint64_t large = 40'000'000;  // 156 863 records of at most 255
    reference::Run run = poisson_run(20, 600, 0.3, 17, 20);
    for (std::int64_t t = 0; t < 20; ++t)
        at(run, t, 7) = at(run, t, 599) = static_cast<double>(large);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition, {0, 20, 0, n_tiles(partition)}, 500);
    std::vector<std::uint64_t> found(600, 0);
    series.add_pixel_photons({0, 1, 1, 20}, found);
    EXPECT_EQ(found[7], 20 * large);
    EXPECT_EQ(found[599], 20 * large);
    EXPECT_LT(series.memory_bytes(), std::size_t{1} << 20);
}

TEST(PixelSeries, MarkedPixelsAreTakenOutOfTheFrames) {
    const reference::Run run = bright_run();
    const Partition partition = partition_of(run);
    const SeriesRange range = part_of(partition);
    std::vector<std::uint8_t> marked(600, 0);
    for (const std::size_t p : {7, 530, 599})  // the first is not in the range
        marked[p] = 1;
    std::vector<std::uint64_t> expected;
    std::int64_t lit = 0;
    for (std::int64_t t = range.begin_frame; t < range.end_frame; ++t) {
        double sum = 0;
        for (std::int64_t p = tile_pixels; p < 600; ++p) {
            if (marked[static_cast<std::size_t>(p)] == 0) sum += run.at(t, p);
        }
        expected.push_back(static_cast<std::uint64_t>(sum));
        lit += (run.at(t, 530) > 0) + (run.at(t, 599) > 0);
    }
    for (Kept& kept : in_every_way(run, partition, range)) {
        SCOPED_TRACE(kept.how);
        const std::int64_t removed = kept.series.remove_from_frames(marked);
        // 300 are two records where counts are kept in a byte.
        EXPECT_EQ(removed, kept.series.dense() ? lit : lit + 1);
        const FramePhotons& frames = kept.series.frame_photons();
        ASSERT_EQ(frames.size(), expected.size());
        for (std::size_t f = 0; f < expected.size(); ++f)
            EXPECT_EQ(frames[f], expected[f]) << "frame " << f;
    }
}

}  // namespace
}  // namespace xpcs::test
