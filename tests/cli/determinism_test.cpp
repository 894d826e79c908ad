// SPDX-License-Identifier: BSD-3-Clause
// The same bytes in every numeric dataset, whatever the threads and the memory; integers exact
// whatever the engine.
#include "host/multitau_run.hpp"
#include "host/run_setup.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

/// 96 x 128 pixels are 24 tiles: enough to be shared among threads and passes.
class Determinism : public ::testing::Test {
  protected:
    static constexpr std::int64_t rows = 96, cols = 128, n_frames = 320;

    Determinism() {
        small.qmap = banded_qmap(rows, cols, 8);
        // Masked corners, so that tiles and columns do not fall together.
        for (std::size_t p = 0; p < 1000; ++p)
            small.qmap.mask[p * 12] = p % 3 == 0 ? 0 : 1;
        small.write_qmap();
    }

    void write_sparse() {
        auto events = poisson_events(n_frames, rows * cols, 0.02, 17);
        // A hot pixel and one of large counts.
        for (std::int64_t t = 0; t < n_frames; ++t) {
            events.emplace_back(t, 5000, 3);
            if (t % 50 == 0) events.emplace_back(t, 7001, 4000);
        }
        std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
            return std::get<0>(a) < std::get<0>(b);
        });
        small.write_events(events);
    }

    void write_frames(double mean) {
        std::mt19937_64 random(23);
        std::poisson_distribution<std::uint16_t> counts(mean);
        std::vector<std::uint16_t> samples(static_cast<std::size_t>(n_frames * rows * cols));
        for (auto& sample : samples)
            sample = counts(random);
        samples[123457] = 65535;  // on a kept pixel
        small.raw = small.dir.file("run.h5");
        const h5::File file = h5::create_file(small.raw);
        h5::write<std::uint16_t>(file.id(), "/entry/data/data", samples, {n_frames, rows, cols});
    }

    std::map<std::string, std::string> datasets(const Arguments& more) {
        Arguments all = more;
        all.emplace_back("-w");
        const Outcome outcome = small.correlate(all);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        last_log = outcome.err;
        return numeric_datasets(small.result());
    }

    static void expect_same(const std::map<std::string, std::string>& a,
                            const std::map<std::string, std::string>& b,
                            const std::string& what) {
        ASSERT_EQ(a.size(), b.size()) << what;
        for (const auto& [path, bytes] : a) {
            ASSERT_TRUE(b.count(path)) << what << ": " << path;
            EXPECT_TRUE(b.at(path) == bytes) << what << ": " << path << " differs";
        }
    }

    /// A memory, in GiB, just above the least with which the run works, found by trying.
    std::string little_memory(const Arguments& more) {
        double too_little = 0, enough = 2;
        for (int i = 0; i < 16; ++i) {
            const double gib = 0.5 * (too_little + enough);
            Arguments all = more;
            all.insert(all.end(), {"--memory", std::to_string(gib), "--dry-run"});
            (small.correlate(all).exit_code == 0 ? enough : too_little) = gib;
        }
        return std::to_string(enough + 1e-5);
    }

    void expect_repeatable(const Arguments& options) {
        const auto first = datasets(options);
        EXPECT_GE(first.size(), 20U);
        for (const char* threads : {"1", "3", "7"}) {
            Arguments all = options;
            all.insert(all.end(), {"--threads", threads});
            expect_same(first, datasets(all), std::string(threads) + " threads");
        }
        const std::string little = little_memory(options);
        Arguments all = options;
        all.insert(all.end(), {"--memory", little});
        expect_same(first, datasets(all), "--memory " + little);
        EXPECT_NE(last_log.find(" passes"), std::string::npos)
            << "not in several passes with --memory " << little << "\n"
            << last_log;
    }

    SmallRun small;
    std::string last_log;
};

TEST_F(Determinism, Sparse) {
    write_sparse();
    expect_repeatable({});
}

TEST_F(Determinism, BrightSparse) {
    small.write_events(poisson_events(n_frames, rows * cols, 0.15, 18));
    expect_repeatable({"-G"});
    expect_repeatable({"-nf", "1", "--mask-hot"});
    EXPECT_EQ(
        h5::read_string(h5::open_file(small.result()).id(), "/xpcs/multitau/config/engine_used"),
        "dense");
}

TEST_F(Determinism, SparseWithFrameNormalisation) {
    write_sparse();
    expect_repeatable({"-nf", "1"});
}

TEST_F(Determinism, SparseWithPartialG2) {
    write_sparse();
    expect_repeatable({"-np", "3"});
}

TEST_F(Determinism, SparseWithCumulativePartialG2) {
    write_sparse();
    expect_repeatable({"-np", "3", "--partial", "cumulative"});
}

TEST_F(Determinism, SparseWithG2OfEveryPixel) {
    write_sparse();
    expect_repeatable({"-G", "-nf", "1", "-np", "2"});
}

TEST_F(Determinism, SparseWithMonitorAndErrors) {
    write_sparse();
    std::ofstream monitor(small.dir.file("monitor.txt"));
    for (int t = 0; t < n_frames; ++t)
        monitor << (t % 31 == 5 ? 0.0 : 1 + 0.01 * (t % 17)) << "\n";
    monitor.close();
    expect_repeatable({"--monitor", small.dir.file("monitor.txt"), "--errors"});
}

TEST_F(Determinism, SparseWithStrideAndAverage) {
    write_sparse();
    expect_repeatable({"-f", "2", "-a", "3", "-b", "7"});
}

TEST_F(Determinism, Dense) {
    write_frames(1.5);
    expect_repeatable({});
}

/// What plan_memory() plans for frames of 512 x 512 pixels, of which the file stores none.
class LargeDensePlan : public Determinism {
  protected:
    static constexpr hsize_t rows = 512, cols = 512;

    LargeDensePlan() {
        small.qmap = banded_qmap(rows, cols, 8);
        small.write_qmap();
        config.qmap = small.qmap_file;
        config.output = small.out;
        config.no_metadata = true;
        config.frame_time_s = 1e-3;
        config.normalize_frame = false;
        config.engine = EngineChoice::dense;
        config.threads = 2;
    }
    RunSetup plan(hsize_t frames, h5::Filter filter = h5::Filter::none) {
        h5::Storage storage;
        storage.filter = filter;
        storage.chunk = {1, rows, cols};
        small.raw = small.dir.file("run.h5");
        std::filesystem::remove(small.raw);
        {
            const h5::File file = h5::create_file(small.raw);
            h5::create_dataset(
                file.id(), "/entry/data/data", H5T_STD_U16LE, {frames, rows, cols}, storage);
        }
        config.raw = {small.raw};
        return prepare_run(config, small.raw);
    }
    RunConfig config;
};

TEST_F(LargeDensePlan, TakesTheSameMemoryInSeveralPasses) {
    const RunSetup two = plan(400);
    EXPECT_EQ(two.ranges, 2);
    EXPECT_GT(two.kept_bytes, 50'000'000U);
    EXPECT_EQ(plan(300).ranges, 1);
    EXPECT_EQ(plan(5000).ranges, 8);
    config.threads = 8;
    EXPECT_EQ(plan(400).ranges, 1);
}

TEST_F(LargeDensePlan, GoesInOnePassWhereOthersWouldReadMore) {
    EXPECT_EQ(plan(400, h5::Filter::gzip).ranges, 1);
    config.mask_hot = true;
    EXPECT_EQ(plan(400).ranges, 1);
    config.mask_hot = false;
    config.normalize_frame = true;
    const RunSetup weighed = plan(400);
    EXPECT_EQ(weighed.ranges, 1);
    EXPECT_EQ(weighed.kept_bytes, 0U);
    EXPECT_EQ(plan(2000).ranges, 8);
}

TEST_F(LargeDensePlan, LittleMemoryTakesMorePassesAndKeepsNothing) {
    config.memory_gib = 0.45;
    const RunSetup little = plan(5000);
    EXPECT_GT(little.ranges, 8);
    EXPECT_EQ(little.kept_bytes, 0U);
}

/// As plan_memory() does with large runs.
TEST_F(Determinism, DenseInPassesThatShareMemory) {
    write_frames(400);  // so that lines of a pass are large arrays
    for (const bool sees_every_pixel : {false, true}) {
        RunConfig config;
        config.raw = {small.raw};
        config.qmap = small.qmap_file;
        config.output = small.out;
        config.no_metadata = true;
        config.frame_time_s = 1e-3;
        config.normalize_frame = false;
        config.errors = sees_every_pixel;
        config.threads = 2;
        config.progress = "never";
        const auto run = [&](std::int64_t passes) {
            RunSetup setup = prepare_run(config, small.raw);
            EXPECT_TRUE(setup.result.source.parts);
            setup.ranges = passes;
            setup.kept_bytes = passes > 1 ? std::uint64_t{64} << 20 : 0;
            run_multitau(setup, nullptr);
            return std::move(setup.result);
        };
        const RunResult one = run(1), three = run(3);
        EXPECT_EQ(three.one_time.g2, one.one_time.g2);
        EXPECT_EQ(three.one_time.g2_err, one.one_time.g2_err);
        EXPECT_EQ(three.scattering.saxs_2d, one.scattering.saxs_2d);
        EXPECT_EQ(three.counts.events_kept, one.counts.events_kept);
        EXPECT_EQ(three.counts.photons_kept, one.counts.photons_kept);
        EXPECT_EQ(three.counts.overflow_samples, one.counts.overflow_samples);
        EXPECT_EQ(one.counts.overflow_samples, 1);
    }
}

TEST_F(Determinism, DenseWithFrameNormalisationAndPartialG2) {
    write_frames(1.5);
    expect_repeatable({"-nf", "1", "-np", "3", "-G"});
}

TEST_F(Determinism, EnginesAgree) {
    write_frames(0.3);
    for (const Arguments& options : {Arguments{"-G", "-np", "3"}, Arguments{"-G", "-nf", "1"}}) {
        Arguments sparse = options, dense = options;
        sparse.insert(sparse.end(), {"--engine", "sparse"});
        dense.insert(dense.end(), {"--engine", "dense"});
        auto a = datasets(sparse);
        auto b = datasets(dense);
        // The engine is written down, and counts of records mean other things for rows of samples.
        for (auto* found : {&a, &b}) {
            std::erase_if(*found, [](const auto& item) {
                return item.first.starts_with("/xpcs/provenance/counts");
            });
        }
        if (options.size() == 3) {
            expect_same(a, b, "engines");
            continue;
        }
        // Weighted sums are doubles added in another order: g2 to 1e-6 in float32.
        ASSERT_EQ(datasets(sparse).size(), datasets(dense).size());
        datasets(sparse);
        const auto g2_sparse = small.read(g2_path);
        datasets(dense);
        const auto g2_dense = small.read(g2_path);
        for (std::size_t i = 0; i < g2_sparse.size(); ++i)
            EXPECT_NEAR(g2_sparse[i], g2_dense[i], 1e-6 * g2_dense[i]) << i;
    }
}

TEST_F(Determinism, SimulatedFilesDependOnSeedAlone) {
    std::string first;
    for (const char* threads : {"1", "2", "5"}) {
        const std::string name = small.dir.file("sim_" + std::string(threads) + ".bin");
        ASSERT_EQ(run({"simulate",
                       "-o",
                       name,
                       "--frames",
                       "300",
                       "--seed",
                       "5",
                       "--rows",
                       "64",
                       "--cols",
                       "64",
                       "--occupancy",
                       "0.05",
                       "--threads",
                       threads})
                      .exit_code,
                  0);
        const std::string bytes = bytes_of(name);
        if (first.empty()) first = bytes;
        EXPECT_TRUE(bytes == first) << threads << " threads";
        EXPECT_GT(bytes.size(), 100000U);
    }
}

}  // namespace
}  // namespace xpcs::testing
