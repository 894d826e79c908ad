// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/device.hpp"

#include "kernels/gpu_batches.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

using testing::HasSubstr;

void works(int) {}
void first_is_broken(int index) {
    if (index == 0) throw DeviceError("GPU 0: broken");
}

GpuProbe two_gpus() {
    GpuProbe found;
    found.gpus = {{0, "A", std::uint64_t{40} << 30, 8, 0, "12.4"},
                  {1, "B", std::uint64_t{80} << 30, 9, 0, "12.4"}};
    return found;
}

template <class Exception, class Call>
std::string message_of(Call call) {
    try {
        call();
    } catch (const Exception& error) {
        return error.what();
    }
    return "no such exception";
}

TEST(Device, CpuNeedsNoLook) {
    const Device device = choose_device("cpu");
    EXPECT_EQ(device.kind, Device::Kind::cpu);
    EXPECT_TRUE(device.indices.empty());
}

TEST(Device, TextsNameOneGpuOrAll) {
    EXPECT_EQ(choose_device("gpu:1", two_gpus(), works).indices, std::vector<int>{1});
    EXPECT_EQ(choose_device("gpu", two_gpus(), works).indices, std::vector<int>{0});
    const Device all = choose_device("gpu:all", two_gpus(), works);
    EXPECT_EQ(all.indices, (std::vector<int>{0, 1}));
    EXPECT_EQ(all.kind, Device::Kind::gpu);
    EXPECT_THAT(all.description, HasSubstr("gpu:1 B (81920 MiB, compute capability 9.0"));
}

TEST(Device, AutoTakesTheFirstThatWorksElseTheCpuAndSaysWhy) {
    EXPECT_EQ(choose_device("auto", two_gpus(), works).indices, std::vector<int>{0});
    EXPECT_EQ(choose_device("auto", two_gpus(), first_is_broken).indices, std::vector<int>{1});
    GpuProbe one = two_gpus();
    one.gpus.pop_back();
    const Device broken = choose_device("auto", one, first_is_broken);
    EXPECT_EQ(broken.kind, Device::Kind::cpu);
    EXPECT_EQ(broken.description, "cpu (GPU 0: broken)");
    const Device none = choose_device("auto", {{}, "driver too old"}, works);
    EXPECT_EQ(none.description, "cpu (driver too old)");
}

TEST(Device, AbsentAndBrokenGpusAreErrorsWhenAskedFor) {
    const auto choose = [](const char* text, const GpuProbe& found, void (*check)(int)) {
        return message_of<DeviceError>([&] { choose_device(text, found, check); });
    };
    EXPECT_THAT(choose("gpu:2", two_gpus(), works), HasSubstr("gpu:0 to gpu:1"));
    EXPECT_THAT(choose("gpu:0", {}, works), HasSubstr("no GPU found"));
    EXPECT_THAT(choose("gpu:all", {{}, "driver too old"}, works), HasSubstr("driver too old"));
    EXPECT_THAT(choose("gpu:all", two_gpus(), first_is_broken), HasSubstr("broken"));
}

TEST(Device, OtherTextsAreRefused) {
    for (const char* text : {"", "GPU", "gpu:", "gpu:-1", "gpu:1x", "gpu: 1", "gpu:99999999999"}) {
        EXPECT_THAT(
            message_of<std::invalid_argument>([&] { choose_device(text, two_gpus(), works); }),
            HasSubstr("cpu, gpu:N, gpu:all or auto"))
            << text;
    }
}

TEST(Device, ProbingAndAutoNeverThrow) {
    const GpuProbe found = gpu::probe();
    const Device device = choose_device("auto");
    if (found.gpus.empty()) {
        EXPECT_FALSE(found.note.empty());
        EXPECT_EQ(device.kind, Device::Kind::cpu);
        EXPECT_THROW(choose_device("gpu:0"), DeviceError);
    }
}

class DeviceGpu : public GpuTest {};

TEST_F(DeviceGpu, EveryGpuWorksAndHasMemory) {
    for (const GpuInfo& info : gpu::probe().gpus) {
        EXPECT_NO_THROW(gpu::check_works(info.index));
        EXPECT_FALSE(info.name.empty());
        const std::uint64_t free = gpu::free_bytes(info.index);
        EXPECT_GT(free, 0U);
        EXPECT_LE(free, info.total_bytes);
    }
    EXPECT_THROW(gpu::check_works(1000), DeviceError);
    EXPECT_EQ(choose_device("auto").kind, Device::Kind::gpu);
}

TEST(GpuBatches, E52CoverAllTilesWithinTheLimits) {
    const reference::Run run = poisson_run(40, 5000, 0.1, 7, 50);
    const Partition partition = partition_of(run);
    const PixelSeries series = sparse_series(run, partition);
    for (const std::size_t events : {1U, 3000U, 5000U, 1000000U}) {
        gpu::BatchLimits limits{1000000, 24, 100};
        limits.events = events;
        std::int64_t next = 0, n_events = 0;
        for (const gpu::Batch& batch : gpu::make_batches(series, 40, limits)) {
            EXPECT_EQ(batch.first_tile, next);
            EXPECT_EQ(batch.first_slot, series.first_slot(batch.first_tile));
            EXPECT_EQ(batch.n_slots, series.end_slot(batch.end_tile - 1) - batch.first_slot);
            EXPECT_TRUE(batch.n_events <= events || batch.end_tile == batch.first_tile + 1);
            EXPECT_LE(batch.n_events * 24 + static_cast<std::size_t>(batch.n_slots) * 100,
                      1000000U);
            next = batch.end_tile;
            n_events += static_cast<std::int64_t>(batch.n_events);
        }
        EXPECT_EQ(next, series.end_tile());
        EXPECT_EQ(n_events, series.counts().events);
    }
    EXPECT_THROW(gpu::make_batches(series, 40, {1000, 24, 100}), DeviceOutOfMemory);
}

TEST(GpuBatches, GroupsHoldEveryPixelOnceInOrder) {
    const reference::Run run = empty_run(10, 1800, 1);
    const Partition partition = partition_of(run);
    const PixelSeries series(partition, {}, false);
    std::mt19937_64 random(8);
    std::vector<std::uint32_t> bin_of(1800);
    for (auto& bin : bin_of)
        bin = static_cast<std::uint32_t>(random() % 13);
    // Not the whole of their bundle: every tile is a unit of its own.
    const gpu::GroupTable table = gpu::make_groups(series, 1, 4, bin_of);
    ASSERT_EQ(table.unit_begin.size(), 4U);
    ASSERT_EQ(table.units(), 3U);
    ASSERT_EQ(table.begin.size(), table.size() + 1);
    std::set<std::uint32_t> seen;
    for (std::size_t tile = 0; tile < 3; ++tile) {
        std::set<std::uint32_t> bins;
        for (std::uint32_t g = table.unit_begin[tile]; g < table.unit_begin[tile + 1]; ++g) {
            EXPECT_TRUE(bins.insert(table.bin[g]).second);
            for (std::uint32_t i = table.begin[g]; i < table.begin[g + 1]; ++i) {
                EXPECT_EQ(table.slots[i] >> tile_bits, tile);
                EXPECT_EQ(bin_of[table.slots[i] + 512], table.bin[g]);
                EXPECT_TRUE(seen.insert(table.slots[i]).second);
                EXPECT_TRUE(i == table.begin[g] || table.slots[i - 1] < table.slots[i]);
            }
        }
    }
    EXPECT_EQ(seen.size(), 1800U - 512U);
}

TEST(GpuBatches, WholeBundlesAreOneUnit) {
    const std::int64_t n_pixels = (2 * bundle_tiles + 3) * tile_pixels - 5;
    const reference::Run run = empty_run(1, n_pixels, 1000);
    const Partition partition = partition_of(run);
    const PixelSeries series(partition, {}, false);
    const std::int64_t end = n_tiles(partition);
    const auto bundles_of = [&](std::int64_t first, std::int64_t last) {
        return gpu::make_groups(series, first, last, partition.static_bin).bundle;
    };
    EXPECT_EQ(bundles_of(0, end), (std::vector<std::int64_t>{0, 1, 2}));
    EXPECT_EQ(bundles_of(bundle_tiles, 2 * bundle_tiles), std::vector<std::int64_t>{1});
    std::vector<std::int64_t> parts(static_cast<std::size_t>(bundle_tiles - 1), 0);
    parts.push_back(1);
    parts.push_back(2);
    EXPECT_EQ(bundles_of(1, end), parts);
    EXPECT_EQ(bundles_of(0, bundle_tiles + 1).size(), 2U);
    const gpu::GroupTable table = gpu::make_groups(series, 0, end, partition.static_bin);
    EXPECT_EQ(table.begin.back(), static_cast<std::uint32_t>(n_pixels));
    std::vector<std::uint32_t> slots = table.slots;
    std::sort(slots.begin(), slots.end());
    for (std::size_t i = 0; i < slots.size(); ++i)
        ASSERT_EQ(slots[i], i);
}

}  // namespace
}  // namespace xpcs::test
