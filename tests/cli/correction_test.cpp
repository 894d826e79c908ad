// SPDX-License-Identifier: BSD-3-Clause
// --dark, --flat, --lld, --sigma: frames of an integrating detector against a float64 computation.
#include "host/h5.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

#include "analysis_fixture.hpp"

namespace xpcs::testing {
namespace {

constexpr std::int64_t n_frames = 60, n_dark = 40, n_pixels = SmallRun::rows * SmallRun::cols;

/// Counts of a detector with a pedestal and noise of its own in every pixel.
class Correction : public ::testing::Test {
  protected:
    Correction() {
        std::mt19937_64 random(31);
        std::uniform_real_distribution<double> level(80, 120), width(1, 3), gain(0.8, 1.3);
        std::normal_distribution<double> noise;
        std::poisson_distribution<int> photons(0.4);
        std::vector<double> pedestal, spread;
        for (std::int64_t p = 0; p < n_pixels; ++p) {
            pedestal.push_back(level(random));
            spread.push_back(width(random));
            flat.push_back(static_cast<float>(gain(random)));
        }
        const auto frames = [&](std::int64_t n, bool lit) {
            std::vector<std::uint16_t> out;
            for (std::int64_t t = 0; t < n; ++t) {
                for (std::size_t p = 0; p < static_cast<std::size_t>(n_pixels); ++p) {
                    const double light = lit ? 25.0 * photons(random) / flat[p] : 0;
                    out.push_back(static_cast<std::uint16_t>(pedestal[p] +
                                                             spread[p] * noise(random) + light));
                }
            }
            return out;
        };
        dark = frames(n_dark, false);
        raw = frames(n_frames, true);
        small.write_dense(raw, n_frames);
        const h5::File file = h5::create_file(dark_file);
        h5::write<std::uint16_t>(
            file.id(), "/entry/data/data", dark, {n_dark, SmallRun::rows, SmallRun::cols});
        h5::write<float>(file.id(), "/flat", flat, {SmallRun::rows, SmallRun::cols});
        h5::write<float>(file.id(), "/small", std::vector<float>(4, 1), {2, 2});
        std::vector<float> bad = flat;
        bad[65] = -1;
        h5::write<float>(file.id(), "/bad", bad, {SmallRun::rows, SmallRun::cols});
    }

    struct Options {
        bool with_dark = true, with_flat = true;
        double lld = 0, sigma = 0;
        std::int64_t first = 0, end = n_dark;
    };
    /// Corrected frames in float64, not rounded.
    reference::Run corrected(const Options& o) const {
        reference::Run run;
        run.n_frames = n_frames;
        run.n_pixels = n_pixels;
        run.counts.resize(static_cast<std::size_t>(n_frames * n_pixels));
        for (std::size_t p = 0; p < static_cast<std::size_t>(n_pixels); ++p) {
            double mean = 0, variance = 0;
            const auto n = static_cast<double>(o.end - o.first);
            const auto at = [&](std::int64_t t) {
                return static_cast<double>(dark[static_cast<std::size_t>(t * n_pixels) + p]);
            };
            for (std::int64_t t = o.first; o.with_dark && t < o.end; ++t)
                mean += at(t);
            mean /= n;
            for (std::int64_t t = o.first; o.with_dark && t < o.end; ++t)
                variance += (at(t) - mean) * (at(t) - mean);
            variance /= n;
            const double threshold = o.lld + o.sigma * std::sqrt(variance);
            for (std::int64_t t = 0; t < n_frames; ++t) {
                const auto k = static_cast<std::size_t>(t * n_pixels) + p;
                const double value = std::max(raw[k] - mean, 0.0);
                run.counts[k] = value > threshold ? value * (o.with_flat ? flat[p] : 1.0) : 0;
            }
            run.static_label.push_back(static_cast<int>(small.qmap.static_roi_map[p]));
            run.dynamic_label.push_back(static_cast<int>(small.qmap.dynamic_roi_map[p]));
        }
        return run;
    }
    /// Rounding to 1/256 is an error of at most 1/512 count per sample, independent from sample to
    /// sample (rms 0.0011). Means are over at least 256 pixels: 2e-3 absolute bounds an image
    /// value, and g2 moves by less than the relative error of its means, 0.002 / 10 counts = 2e-4,
    /// in the worst case; by chance by 1e-6.
    void expect_result_of(const Options& o) const {
        const reference::Run run = corrected(o);
        expect_close(small.read(g2_path), reference::multitau(run).g2, 2e-5);
        const auto image = small.read(image_path), intensity = small.read(intensity_path);
        for (std::int64_t p = 0; p < n_pixels; ++p) {
            double mean = 0;
            for (std::int64_t t = 0; t < n_frames; ++t)
                mean += run.at(t, p) / static_cast<double>(n_frames);
            ASSERT_NEAR(image[static_cast<std::size_t>(p)], mean, 2e-3) << p;
        }
        for (std::int64_t t = 0; t < n_frames; ++t) {
            double mean = 0;
            for (std::int64_t p = 0; p < n_pixels; ++p)
                mean += run.at(t, p) / static_cast<double>(n_pixels);
            ASSERT_NEAR(intensity[static_cast<std::size_t>(n_frames + t)], mean, 2e-3) << t;
        }
    }

    SmallRun small;
    std::string dark_file = small.dir.file("dark.h5");
    std::vector<float> flat;
    std::vector<std::uint16_t> dark, raw;
};

TEST_F(Correction, IsThatOfAFloat64Computation) {
    // No whole multiples of std: a sample may lie exactly on such a threshold, to either side of
    // which rounding takes it.
    const std::string flat_option = dark_file + ":/flat";
    small.expect_done({}, {"--dark", dark_file, "--flat", flat_option, "--sigma", "4.03"});
    expect_result_of({true, true, 0, 4.03});
    small.expect_done({}, {"--dark", dark_file, "--lld", "7.5"});
    expect_result_of({true, false, 7.5, 0});
    small.expect_done({}, {"--flat", flat_option});
    expect_result_of({false, true, 0, 0});
    small.expect_done({}, {"--dark", dark_file, "--dark-frames", "5:25", "--sigma", "3.03"});
    expect_result_of({true, false, 0, 3.03, 5, 25});
}

TEST_F(Correction, DarkFramesMayBeThoseOfTheRawFile) {
    std::vector<std::uint16_t> both = dark;
    both.insert(both.end(), raw.begin(), raw.end());
    small.write_dense(both, n_dark + n_frames);
    small.expect_done({}, {"--dark-frames", "0:40", "-b", "40", "--sigma", "4.03"});
    expect_result_of({true, false, 0, 4.03});
}

TEST_F(Correction, G2OfPixelsAndFrameNormalisationAreInCounts) {
    small.expect_done({}, {"--dark", dark_file, "--sigma", "4.03", "-G", "-nf", "0"});
    const reference::Run run = corrected({true, false, 0, 4.03});
    const auto G2 = small.read("/xpcs/multitau/unnormalized_G2");
    for (const std::int64_t p : {0, 77, 2047}) {
        const reference::Sums sums = reference::pixel_sums(run, p);
        const auto at = static_cast<std::size_t>(p);
        EXPECT_NEAR(G2[at], sums.G2[0] / 59, 1e-4 * sums.G2[0] / 59 + 0.01);
        EXPECT_NEAR(G2[2048 + at], sums.future[0] / 59, 2e-3);
        EXPECT_NEAR(G2[4096 + at], sums.past[0] / 59, 2e-3);
    }
    small.expect_done({}, {"--dark", dark_file, "--sigma", "4.03", "-nf", "1"});
    expect_close(small.read(g2_path), reference::multitau(reference::normalised(run)).g2, 2e-5);
}

TEST_F(Correction, TwotimeUsesTheCorrectedFrames) {
    small.expect_done({}, {"--dark", dark_file, "--sigma", "4.03", "-t", "Twotime", "-s", "none"});
    const reference::Run run = corrected({true, false, 0, 4.03});
    const auto map = small.read("/xpcs/twotime/correlation_map/c2_00001");
    double both = 0, first = 0, second = 0, n = 0;
    for (std::int64_t p = 0; p < n_pixels; ++p) {
        if (run.dynamic_label[static_cast<std::size_t>(p)] != 1) continue;
        both += run.at(3, p) * run.at(20, p);
        first += run.at(3, p);
        second += run.at(20, p);
        n += 1;
    }
    const double c = n * both / (first * second);
    EXPECT_NEAR(map[3 * n_frames + 20], c, 1e-4 * c);
}

TEST_F(Correction, APixelWithoutDataInTheDarkFramesIsLeftOut) {
    dark[3 * n_pixels + 70] = 65535;
    std::filesystem::remove(dark_file);
    {
        const h5::File file = h5::create_file(dark_file);
        h5::write<std::uint16_t>(
            file.id(), "/entry/data/data", dark, {n_dark, SmallRun::rows, SmallRun::cols});
    }
    small.expect_done({"warning", "1 pixels are left out"}, {"--dark", dark_file});
    EXPECT_EQ(small.read(image_path)[70], 0);
}

TEST_F(Correction, IsTheSameForAnyThreadsAndMemory) {
    const Arguments options = {"--dark", dark_file, "--sigma", "4.03", "-w", "--threads"};
    const auto datasets = [&](const char* threads, const Arguments& more) {
        Arguments all = options;
        all.emplace_back(threads);
        all.insert(all.end(), more.begin(), more.end());
        const Outcome outcome = small.correlate(all);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        return numeric_datasets(small.result());
    };
    const auto one = datasets("1", {});
    EXPECT_TRUE(one == datasets("3", {}));
    EXPECT_TRUE(one == datasets("7", {"--engine", "dense"}));
}

TEST_F(Correction, WhatCannotBeIsRefused) {
    const auto refused = [&](ExitCode code,
                             const std::vector<std::string>& words,
                             const Arguments& more) { small.expect_refused(code, words, more); };
    refused(ExitCode::no_input, {"--dark: ", "none.h5"}, {"--dark", small.dir.file("none.h5")});
    refused(ExitCode::no_input, {"none.h5"}, {"--flat", small.dir.file("none.h5") + ":/flat"});
    refused(ExitCode::usage, {"--flat", "FILE:/PATH"}, {"--flat", dark_file});
    refused(ExitCode::data, {"no such dataset"}, {"--flat", dark_file + ":/none"});
    refused(ExitCode::data, {"(2, 2)", "(32, 64)"}, {"--flat", dark_file + ":/small"});
    refused(ExitCode::data, {"-1", "row 1 column 1"}, {"--flat", dark_file + ":/bad"});
    refused(ExitCode::config, {"--sigma", "--dark"}, {"--sigma", "3"});
    refused(ExitCode::usage, {"--lld", "-1"}, {"--lld", "-1"});
    refused(ExitCode::usage, {"--dark-frames", "7"}, {"--dark-frames", "7"});
    refused(ExitCode::usage, {"--dark-frames", "9:9"}, {"--dark-frames", "9:9"});
    refused(ExitCode::config,
            {"dark frames 0:41", "40 frames"},
            {"--dark", dark_file, "--dark-frames", "0:41"});
    refused(ExitCode::config, {"--engine sparse"}, {"--dark", dark_file, "--engine", "sparse"});
    small.raw = small.dir.file("run.bin");
    refused(ExitCode::config, {"run.bin", "events"}, {"--dark", dark_file});
}

}  // namespace
}  // namespace xpcs::testing
