// SPDX-License-Identifier: BSD-3-Clause
// --decode: the same result, or the CPU decodes and, where a GPU was asked for, says why.
#include "kernels/device.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

class Decode : public ::testing::Test {
  protected:
    /// Numeric datasets of a run, and what it said.
    std::map<std::string, std::string> datasets(const Arguments& more) {
        Arguments all = more;
        all.emplace_back("-w");
        const Outcome outcome = small.correlate(all);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        log = outcome.err;
        return numeric_datasets(small.result());
    }
    static void expect_same(const std::map<std::string, std::string>& a,
                            const std::map<std::string, std::string>& b) {
        EXPECT_EQ(a.size(), b.size());
        for (const auto& [name, bytes] : a)
            EXPECT_TRUE(b.contains(name) && b.at(name) == bytes) << name;
    }
    void expect_same_on_gpu(const Arguments& options) {
        Arguments on_gpu = options;
        on_gpu.insert(on_gpu.end(), {"--device", "gpu:0", "--decode", "cpu"});
        const auto expected = datasets(on_gpu);
        for (const char* decode : {"auto", "gpu"}) {
            on_gpu.back() = decode;
            SCOPED_TRACE(options.back() + ", " + decode);
            expect_same(datasets(on_gpu), expected);
            EXPECT_EQ(log.find("decoded by the CPU"), std::string::npos) << log;
        }
    }
    /// Frames with a hot pixel and a few samples without data.
    void write_frames() {
        std::mt19937_64 random(31);
        std::poisson_distribution<int> counts(1.5);
        std::vector<std::uint16_t> samples(SmallRun::n_frames * SmallRun::rows * SmallRun::cols);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            samples[i] = static_cast<std::uint16_t>(counts(random));
            if (i % 2048 == 700) samples[i] = 3000;
            if (i % 90'001 == 5) samples[i] = 0xFFFF;
        }
        small.write_dense(samples, SmallRun::n_frames);
    }
    SmallRun small;
    std::string log;
};

TEST_F(Decode, OnTheCpuItIsTheSameRun) {
    const auto expected = datasets({"--device", "cpu", "-nf", "1"});
    EXPECT_EQ(log.find("decoded"), std::string::npos) << log;
    expect_same(datasets({"--device", "cpu", "-nf", "1", "--decode", "gpu"}), expected);
    EXPECT_NE(log.find("decoded by the CPU (the run is on the CPU)"), std::string::npos) << log;
    small.expect_refused(ExitCode::usage, {"--decode", "device"}, {"--decode", "device"});
}

TEST_F(Decode, OnAGpuItIsTheSameResult) {
    if (gpu::probe().gpus.empty()) GTEST_SKIP() << "no GPU to test";
    auto events = poisson_events(SmallRun::n_frames, 2048, 0.02, 9);
    for (std::int64_t t = 0; t < SmallRun::n_frames; ++t)
        events.emplace_back(t, 700, 300);  // hot
    std::sort(events.begin(), events.end());
    small.write_events(events);
    for (const Arguments& options : {Arguments{"-nf", "1"},
                                     Arguments{"-nf", "0", "--errors", "-G"},
                                     Arguments{"-nf", "1", "--mask-hot", "-np", "3"},
                                     Arguments{"-b", "13", "-e", "390", "-f", "2", "-a", "3"}}) {
        expect_same_on_gpu(options);
    }
}

/// With weights the sums of doubles go another way, so those are left to the tests of the kernels.
TEST_F(Decode, FramesOnAGpuAreTheSameResult) {
    if (gpu::probe().gpus.empty()) GTEST_SKIP() << "no GPU to test";
    write_frames();
    for (const Arguments& options :
         {Arguments{"-nf", "0"},
          Arguments{"-nf", "0", "--errors", "-G"},
          Arguments{"-nf", "0", "--mask-hot", "-np", "3"},
          Arguments{"-nf", "0", "-b", "13", "-e", "390", "-f", "2", "-a", "3"}}) {
        expect_same_on_gpu(options);
    }
}

TEST_F(Decode, FramesOnTheCpuAreTheSameRun) {
    write_frames();
    const auto expected = datasets({"--device", "cpu", "-nf", "1"});
    expect_same(datasets({"--device", "cpu", "-nf", "1", "--decode", "gpu"}), expected);
    EXPECT_NE(log.find("decoded by the CPU (the run is on the CPU)"), std::string::npos) << log;
    expect_same(datasets({"--device", "cpu", "-nf", "1", "--decode", "gpu", "--engine", "sparse"}),
                datasets({"--device", "cpu", "-nf", "1", "--engine", "sparse"}));
}

TEST_F(Decode, ABadIndexIsTheSameError) {
    if (gpu::probe().gpus.empty()) GTEST_SKIP() << "no GPU to test";
    auto events = poisson_events(SmallRun::n_frames, 2048, 0.02, 9);
    std::get<1>(events[100]) = 5000;
    small.write_events(events);
    small.expect_refused(ExitCode::data,
                         {"record 100", "5000", "outside the detector"},
                         {"--device", "gpu:0", "--decode", "gpu"});
    const auto expected = datasets({"--device", "gpu:0", "--drop-bad-index", "--decode", "cpu"});
    expect_same(datasets({"--device", "gpu:0", "--drop-bad-index", "--decode", "gpu"}), expected);
}

}  // namespace
}  // namespace xpcs::testing
