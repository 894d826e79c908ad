// SPDX-License-Identifier: BSD-3-Clause
// The device of a run: found and opened in the background, with the CPU behind `auto`.
#include "host/device_choice.hpp"

#include "host/log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

using namespace xpcs;
using ::testing::HasSubstr;

GpuProbe one_gpu() {
    GpuProbe found;
    found.gpus.push_back({0, "Test GPU", std::uint64_t{40} << 30, 8, 0, "12.4"});
    return found;
}

GpuProbe none() {
    return {{}, "no NVIDIA driver is installed"};
}

void broken(int index) {
    throw DeviceError("GPU " + std::to_string(index) + " is busy");
}

class DeviceChoiceTest : public ::testing::Test {
  protected:
    void SetUp() override { Log::clear_warnings(); }
};

TEST_F(DeviceChoiceTest, TheCpuTouchesNoDriver) {
    std::atomic<int> looks{0};
    DeviceChoice choice(
        "cpu",
        3,
        [&] {
            ++looks;
            return one_gpu();
        },
        broken);
    choice.wait();
    EXPECT_FALSE(choice.on_gpu());
    EXPECT_EQ(choice.description(), "cpu (3 threads)");
    EXPECT_EQ(looks, 0);
}

TEST_F(DeviceChoiceTest, AGpuThatWorksIsOpenedOnce) {
    std::atomic<int> opened{0};
    for (const char* text : {"gpu", "gpu:0", "gpu:all", "auto"}) {
        opened = 0;
        DeviceChoice choice(text, 0, one_gpu, [&](int index) { opened += 1 + index; });
        choice.wait();
        choice.wait();
        EXPECT_TRUE(choice.on_gpu()) << text;
        EXPECT_EQ(opened, 1) << text;
        EXPECT_EQ(choice.device().memory_bytes, std::uint64_t{40} << 30);
        EXPECT_THAT(choice.description(), HasSubstr("gpu:0 Test GPU"));
    }
    EXPECT_TRUE(Log::warnings().empty());
}

TEST_F(DeviceChoiceTest, AnAbsentGpuIsToldBeforeItIsOpened) {
    DeviceChoice absent("gpu:0", 0, none, broken);
    EXPECT_THROW(absent.device(), DeviceError);
    DeviceChoice second("gpu:1", 0, one_gpu, broken);
    EXPECT_THROW(second.device(), DeviceError);
    DeviceChoice nonsense("gpu:x", 0, one_gpu, broken);
    EXPECT_THROW(nonsense.device(), std::invalid_argument);
}

TEST_F(DeviceChoiceTest, PollingTellsWhatIsKnownWithoutWaiting) {
    std::promise<void> go;
    std::shared_future<void> gate = go.get_future().share();
    DeviceChoice choice(
        "gpu:0",
        1,
        [gate] {
            gate.wait();
            return none();
        },
        broken);
    choice.poll();  // nothing is known: no error, no waiting
    EXPECT_EQ(choice.text(), "gpu:0");
    go.set_value();
    const auto poll_until_told = [&] {
        for (;;) {
            choice.poll();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    };
    EXPECT_THROW(poll_until_told(), DeviceError);
}

TEST_F(DeviceChoiceTest, AutoTakesTheCpuWhereThereIsNoGpu) {
    DeviceChoice choice("auto", 2, none, broken);
    choice.wait();
    EXPECT_FALSE(choice.on_gpu());
    EXPECT_EQ(choice.description(), "cpu (2 threads; no NVIDIA driver is installed)");
}

TEST_F(DeviceChoiceTest, AutoTakesTheCpuWhereTheGpuDoesNotOpen) {
    DeviceChoice choice("auto", 2, one_gpu, broken);
    EXPECT_TRUE(choice.on_gpu());
    choice.wait();
    EXPECT_FALSE(choice.on_gpu());
    EXPECT_EQ(choice.description(), "cpu (2 threads; the GPU failed)");
    ASSERT_EQ(Log::warnings().size(), 1U);
    EXPECT_THAT(Log::warnings()[0], HasSubstr("gpu:0: GPU 0 is busy"));
}

TEST_F(DeviceChoiceTest, AGpuAskedForByNameNeverBecomesTheCpu) {
    DeviceChoice closed("gpu:0", 2, one_gpu, broken);
    EXPECT_THROW(closed.wait(), DeviceError);
    DeviceChoice works("gpu:0", 2, one_gpu, [](int) {});
    works.wait();
    EXPECT_THROW(works.fall_back(DeviceOutOfMemory("too little"), "the correlation"), DeviceError);
    EXPECT_TRUE(works.on_gpu());
}

TEST_F(DeviceChoiceTest, AutoGoesOnOnTheCpuAfterAFailureInTheRun) {
    DeviceChoice choice("auto", 2, one_gpu, [](int) {});
    choice.wait();
    choice.fall_back(DeviceOutOfMemory("too little memory"), "the correlation");
    EXPECT_FALSE(choice.on_gpu());
    ASSERT_EQ(Log::warnings().size(), 1U);
    EXPECT_THAT(Log::warnings()[0], HasSubstr("too little memory; the correlation goes on"));
}

TEST_F(DeviceChoiceTest, WhatWasOpenedIsClosed) {
    std::vector<int> closed;
    const auto close = [&](int index) { closed.push_back(index); };
    {
        DeviceChoice choice(
            "gpu:0", 1, one_gpu, [](int) {}, close);
        choice.wait();
        choice.close();
    }
    EXPECT_EQ(closed, std::vector<int>{0});
}

TEST_F(DeviceChoiceTest, WhatIsNotOpenIsNotClosed) {
    std::atomic<int> closed{0};
    const auto close = [&](int) { ++closed; };
    {
        DeviceChoice cpu("cpu", 1, one_gpu, broken, close);
        cpu.close();
        DeviceChoice failed("auto", 1, one_gpu, broken, close);
        failed.wait();
        failed.close();
        DeviceChoice never_used(
            "gpu:0", 1, one_gpu, [](int) {}, close);
        never_used.close();
    }
    EXPECT_EQ(closed, 0);
}

}  // namespace
