// SPDX-License-Identifier: BSD-3-Clause
// A GPU that is found, opens, and then fails at its first work. Here it is one that does not exist.
#include "host/correlate.hpp"
#include "host/memory_plan.hpp"
#include "host/multitau_run.hpp"
#include "host/run_setup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

constexpr int no_gpu = 63;

GpuProbe one_gpu() {
    GpuProbe found;
    found.gpus.push_back({no_gpu, "Test GPU", std::uint64_t{40} << 30, 8, 0, "12.4"});
    return found;
}

class GpuFailure : public ::testing::Test {
  protected:
    RunConfig config() const {
        RunConfig c;
        c.raw = {small.raw};
        c.qmap = small.qmap_file;
        c.output = small.out;
        c.metadata = small.metadata;
        c.device = "cpu";
        c.threads = 2;
        c.progress = "never";
        c.log_level = "error";
        return c;
    }
    RunResult run(const RunConfig& c, const std::string& device) {
        RunSetup setup = prepare_run(c, small.raw);
        if (device != "cpu") setup.device.emplace(device, 2, one_gpu, [](int) {});
        run_multitau(setup, nullptr);
        return std::move(setup.result);
    }
    SmallRun small;
};

/// Bit by bit; NaN is NaN.
void expect_same(const std::vector<double>& a, const std::vector<double>& b, const char* what) {
    ASSERT_EQ(a.size(), b.size()) << what;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]), 0) << what;
}

void expect_same(const RunResult& a, const RunResult& b) {
    expect_same(a.one_time.g2, b.one_time.g2, "g2");
    expect_same(a.one_time.g2_err, b.one_time.g2_err, "g2_err");
    EXPECT_EQ(a.counts.events_kept, b.counts.events_kept);
    EXPECT_EQ(a.counts.duplicates, b.counts.duplicates);
    ASSERT_EQ(a.errors.has_value(), b.errors.has_value());
    if (!a.errors) return;
    expect_same(a.errors->static_scatter, b.errors->static_scatter, "static_scatter");
    expect_same(a.errors->delta, b.errors->delta, "delta");
    expect_same(a.errors->shot_noise, b.errors->shot_noise, "shot_noise");
}

/// Frames are read again as rows of the host where they did not get onto the GPU.
TEST_F(GpuFailure, TheCpuGoesOnWithTheSameFrames) {
    std::vector<std::uint16_t> samples(60 * SmallRun::rows * SmallRun::cols);
    for (std::size_t i = 0; i < samples.size(); ++i)
        samples[i] = static_cast<std::uint16_t>(i % 7 * (i % 3));
    small.write_dense(samples, 60);
    for (const char* decode : {"auto", "cpu", "gpu"}) {
        for (const bool weights : {false, true}) {
            RunConfig c = config();
            c.normalize_frame = weights;
            c.decode = decode;
            SCOPED_TRACE(decode);
            const RunResult expected = run(c, "cpu");
            const RunResult got = run(c, "auto");
            EXPECT_EQ(got.engine, "dense");
            EXPECT_THAT(got.device, ::testing::HasSubstr("the GPU failed"));
            expect_same(got, expected);
            EXPECT_THROW(run(c, "gpu:" + std::to_string(no_gpu)), DeviceError);
        }
    }
}

TEST_F(GpuFailure, TheCpuGoesOnWithTheSameResult) {
    for (const bool errors : {false, true}) {
        for (const bool hot : {false, true}) {
            for (const char* decode : {"auto", "cpu", "gpu"}) {
                RunConfig c = config();
                c.normalize_frame = false;
                c.errors = errors;
                c.mask_hot = hot;
                c.decode = decode;
                SCOPED_TRACE(::testing::Message() << errors << hot << decode);
                const RunResult expected = run(c, "cpu");
                const RunResult got = run(c, "auto");
                EXPECT_THAT(got.device, ::testing::HasSubstr("the GPU failed"));
                EXPECT_THAT(expected.device, ::testing::StartsWith("cpu (2 threads"));
                expect_same(got, expected);
            }
        }
    }
}

TEST_F(GpuFailure, AGpuAskedForByNameEndsTheRun) {
    for (const char* decode : {"auto", "cpu", "gpu"}) {
        RunConfig c = config();
        c.decode = decode;
        EXPECT_THROW(run(c, "gpu:" + std::to_string(no_gpu)), DeviceError);
    }
}

/// More events than --memory holds: planned for one pass through the GPU; where that fails the CPU
/// takes as many as it needs.
TEST_F(GpuFailure, WhatPassesThroughAGpuTakesNoMemoryOfTheHost) {
    small.write_events(poisson_events(150'000, 2048, 0.02, 3));
    RunConfig c = config();
    c.normalize_frame = false;
    const RunResult expected = run(c, "cpu");
    c.memory_gib = 0.08;
    const auto passes = [&](const char* decode, std::uint64_t gpu_bytes) {
        RunConfig planned = c;
        planned.decode = decode;
        RunSetup setup = prepare_run(planned, small.raw);
        const auto look = [=] {
            GpuProbe found = one_gpu();
            found.gpus[0].total_bytes = gpu_bytes;
            return found;
        };
        setup.device.emplace("auto", 2, look, [](int) {});
        setup.ranges = 1;
        plan_memory(planned, setup);
        return setup.ranges;
    };
    EXPECT_EQ(passes("auto", std::uint64_t{40} << 30), 1);
    EXPECT_GT(passes("cpu", std::uint64_t{40} << 30), 1);
    EXPECT_GT(passes("auto", std::uint64_t{64} << 20), 1);  // too small a GPU

    RunSetup setup = prepare_run(c, small.raw);
    setup.device.emplace("auto", 2, one_gpu, [](int) {});
    setup.ranges = 1;
    plan_memory(c, setup);
    run_multitau(setup, nullptr);
    EXPECT_GT(setup.ranges, 1);
    expect_same(setup.result, expected);
}

TEST_F(GpuFailure, FramesThatPassThroughAGpuTakeNoMemoryOfTheHost) {
    constexpr std::int64_t n = 40'000;
    small.write_dense(std::vector<std::uint16_t>(n * SmallRun::rows * SmallRun::cols, 2), n);
    RunConfig c = config();
    c.normalize_frame = false;
    c.memory_gib = 0.5;
    const auto plan = [&](const char* decode) {
        c.decode = decode;
        RunSetup setup = prepare_run(c, small.raw);
        setup.device.emplace("auto", 2, one_gpu, [](int) {});
        setup.read.dense_rows = false;
        setup.ranges = 1;
        plan_memory(c, setup);
        EXPECT_TRUE(setup.read.dense_rows);
        return setup.plan.host_memory_bytes;
    };
    constexpr std::uint64_t rows_bytes = n * SmallRun::rows * SmallRun::cols;  // of a byte each
    EXPECT_GE(plan("cpu"), plan("auto") + rows_bytes / 2);
}

}  // namespace
}  // namespace xpcs::testing
