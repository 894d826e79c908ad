// SPDX-License-Identifier: BSD-3-Clause
// Two-time analyses through the program, down to the numbers in its result files.
#include "host/h5.hpp"
#include "host/result_reader.hpp"
#include "tests/host/result_fixture.hpp"
#include "tests/host/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "cli_fixture.hpp"

namespace xpcs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string shared = XPCS_SHARED_DIR "/reference/";
const std::string maps = "/xpcs/twotime/correlation_map/c2_";

struct Outcome {
    int code = 0;
    std::string out, err;
};

std::string text_of(const std::string& path) {
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

class TwotimeProgram : public ::testing::Test {
  protected:
    Outcome run(const std::string& arguments) const {
        const std::string out = dir_.file("stdout"), err = dir_.file("stderr");
        const std::string line = XPCS_BIN_DIR "/xpcs-corr " + arguments + " >" + out + " 2>" + err;
        const int status = std::system(line.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text_of(out), text_of(err)};
    }
    /// Correlates a reference set; the path of the result.
    std::string correlate(const std::string& set, const std::string& raw, const std::string& more) {
        const Outcome done = run(input(set, raw) + more);
        EXPECT_EQ(done.code, 0) << done.err;
        return done.out.substr(0, done.out.find('\n'));
    }
    std::string input(const std::string& set, const std::string& raw) const {
        const std::string base = shared + "data/" + set + "/" + set;
        return "-r " + base + raw + " -q " + base + "_qmap.hdf -o " + dir_.path() + " ";
    }
    testing::TempDir dir_;
};

std::vector<double> values_of(const std::string& file, const std::string& path) {
    return h5::read<double>(h5::open_file(file).id(), path);
}

h5::Shape shape_of(const std::string& file, const std::string& path) {
    const h5::File open = h5::open_file(file);
    return h5::shape_of(h5::open_dataset(open.id(), path));
}

bool has(const std::string& file, const std::string& path) {
    return h5::exists(h5::open_file(file).id(), path);
}

void expect_equal(const std::vector<double>& a, const std::vector<double>& b) {
    ASSERT_EQ(a.size(), b.size());
    std::size_t differ = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        differ += std::isnan(a[i]) ? !std::isnan(b[i]) : a[i] != b[i];
    EXPECT_EQ(differ, 0U);
}

/// Stored as float32 on both sides: 1.2e-7 between them, and as much for the values x.
void expect_close(const std::string& found,
                  const std::string& expected,
                  const std::string& path,
                  double tolerance) {
    SCOPED_TRACE(path);
    ASSERT_EQ(shape_of(found, path), shape_of(expected, path));
    const auto a = values_of(found, path), b = values_of(expected, path);
    double worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ASSERT_EQ(std::isnan(a[i]), std::isnan(b[i])) << i;
        if (!std::isnan(a[i]))
            worst = std::max(worst, std::abs(a[i] - b[i]) / (1 + std::abs(b[i])));
    }
    EXPECT_LT(worst, tolerance);
}

struct Reference {
    const char *set, *raw, *name, *arguments;
};
constexpr Reference references[] = {
    {"rigaku-250", ".bin", "tt_sq_a5", "-t Twotime -a 5"},
    {"S-hdf", ".h5", "tt_sq_a3", "-t Twotime -a 3"},
    {"S-hdf", ".h5", "tt_dq_a3_sel", "-t Twotime -a 3 -s dqmap -d 1,2,5-7"}};

TEST_F(TwotimeProgram, MatchesTheReferenceFiles) {
    if (!std::filesystem::exists(shared)) GTEST_SKIP() << "no reference data";
    for (const Reference& one : references) {
        SCOPED_TRACE(one.name);
        const std::string expected = shared + "float64/" + one.set + "__" + one.name + ".hdf";
        for (const char* engine : {"sparse", "dense", "auto"}) {
            const std::string found =
                correlate(one.set, one.raw, std::string(one.arguments) + " --engine " + engine);
            expect_equal(values_of(found, "/xpcs/twotime/processed_bins"),
                         values_of(expected, "/xpcs/twotime/processed_bins"));
            const auto n = shape_of(found, "/xpcs/twotime/processed_bins").front();
            for (hsize_t k = 1; k <= n; ++k) {
                const std::string map = maps + "0000" + std::to_string(k);
                ASSERT_TRUE(has(found, map));
                if (has(expected, map)) expect_close(found, expected, map, 1e-6);
            }
            expect_close(found, expected, "/xpcs/twotime/normalized_g2", 1e-6);
            expect_close(found, expected, "/xpcs/twotime/normalized_g2_segments", 1e-6);
            if (std::string(one.name) == "tt_dq_a3_sel") continue;  // there only of the selection
            expect_close(found, expected, "/xpcs/spatial_mean/intensity_vs_time", 1e-6);
            expect_close(found, expected, "/xpcs/temporal_mean/scattering_1d", 1e-6);
            expect_close(found, expected, "/xpcs/temporal_mean/scattering_1d_segments", 1e-6);
        }
    }
}

TEST_F(TwotimeProgram, BothIsMultitauAndTwotimeOfOneReading) {
    if (!std::filesystem::exists(shared)) GTEST_SKIP() << "no reference data";
    const std::string both = correlate("rigaku-250", ".bin", "-t Both -p both --threads 2");
    const std::string one = correlate("rigaku-250", ".bin", "-t Multitau -p one");
    const std::string two = correlate("rigaku-250", ".bin", "-t Twotime -p two --threads 1");
    expect_equal(values_of(both, "/xpcs/multitau/normalized_g2"),
                 values_of(one, "/xpcs/multitau/normalized_g2"));
    expect_equal(values_of(both, "/xpcs/temporal_mean/scattering_1d_segments"),
                 values_of(one, "/xpcs/temporal_mean/scattering_1d_segments"));
    for (int k = 1; k <= 9; ++k)
        expect_equal(values_of(both, maps + "0000" + std::to_string(k)),
                     values_of(two, maps + "0000" + std::to_string(k)));
    EXPECT_FALSE(has(two, "/xpcs/multitau"));
    EXPECT_FALSE(has(one, "/xpcs/twotime"));
    EXPECT_TRUE(has(two, "/xpcs/twotime/config/avg_frame"));
    EXPECT_TRUE(has(two, "/xpcs/twotime/config/stride_frame"));
    const ResultReader reader(both);
    EXPECT_EQ(reader.data().analysis_types, (std::vector<std::string>{"Multitau", "Twotime"}));
    EXPECT_EQ(reader.data().two_time.n_frames, 250);
    std::string reason;
    EXPECT_TRUE(is_complete_result(two, reason)) << reason;
}

TEST_F(TwotimeProgram, PassesOverTheFileGiveTheSameMaps) {
    if (!std::filesystem::exists(shared)) GTEST_SKIP() << "no reference data";
    const std::string whole = correlate("rigaku-250", ".bin", "-t Twotime -p whole --threads 1");
    // What the plan wants, less half of what the events take.
    const Outcome plan =
        run(input("rigaku-250", ".bin") + "-t Twotime -n --threads 1 --n-frames 250");
    ASSERT_EQ(plan.code, 0) << plan.err;
    const std::string mark = "memory needed";
    const double mib = std::stod(plan.out.substr(plan.out.find(mark) + mark.size()));
    const Outcome done = run(input("rigaku-250", ".bin") +
                             "-t Twotime --threads 1 --n-frames 250 -p parts --memory " +
                             std::to_string((mib - 2) / 1024));
    ASSERT_EQ(done.code, 0) << done.err;
    EXPECT_THAT(done.err, HasSubstr("passes"));
    const std::string parts = done.out.substr(0, done.out.find('\n'));
    for (int k = 1; k <= 9; ++k)
        expect_equal(values_of(whole, maps + "0000" + std::to_string(k)),
                     values_of(parts, maps + "0000" + std::to_string(k)));
    expect_equal(values_of(whole, "/xpcs/temporal_mean/scattering_2d"),
                 values_of(parts, "/xpcs/temporal_mean/scattering_2d"));
}

TEST_F(TwotimeProgram, EmptyFramesAreNan) {
    if (!std::filesystem::exists(shared)) GTEST_SKIP() << "no reference data";
    const std::string found = correlate("rigaku-250", ".bin", "-t Twotime --n-frames 253");
    const auto c = values_of(found, maps + "00001");
    for (std::size_t t = 0; t < 253; ++t)
        EXPECT_TRUE(std::isnan(c[t * 253 + 252]));
    EXPECT_FALSE(std::isnan(c[249]));
    const auto g2 = values_of(found, "/xpcs/twotime/normalized_g2");
    EXPECT_FALSE(std::isnan(g2[0]));
    EXPECT_TRUE(std::isnan(g2[252 * 9]));  // a pair with the last frame alone
    EXPECT_EQ(values_of(found, "/xpcs/twotime/empty_frames").front(), 3);
}

TEST_F(TwotimeProgram, E28FewFramesLeaveOutSegments) {
    if (!std::filesystem::exists(shared)) GTEST_SKIP() << "no reference data";
    const Outcome nine = run(input("rigaku-250", ".bin") + "-t Twotime -e 9 -p nine");
    ASSERT_EQ(nine.code, 0) << nine.err;
    EXPECT_THAT(nine.err, HasSubstr("below 10 frames"));
    const std::string file = nine.out.substr(0, nine.out.find('\n'));
    EXPECT_EQ(shape_of(file, "/xpcs/twotime/normalized_g2_segments"), (h5::Shape{1, 5, 9}));
    EXPECT_EQ(shape_of(file, "/xpcs/temporal_mean/scattering_1d_segments").front(), 0U);
    const Outcome four = run(input("rigaku-250", ".bin") + "-t Twotime -e 4 -p four");
    ASSERT_EQ(four.code, 0) << four.err;
    EXPECT_THAT(four.err, HasSubstr("below 5 frames"));
    EXPECT_FALSE(
        has(four.out.substr(0, four.out.find('\n')), "/xpcs/twotime/normalized_g2_segments"));
}

TEST_F(TwotimeProgram, E29WhatCannotFitIsRefusedWithAProposal) {
    if (!std::filesystem::exists(shared)) GTEST_SKIP() << "no reference data";
    const Outcome large =
        run(input("rigaku-250", ".bin") + "-t Twotime --n-frames 200000 --memory 8");
    EXPECT_EQ(large.code, 71);
    EXPECT_THAT(large.err, HasSubstr("149 GiB"));
    EXPECT_THAT(large.err, HasSubstr("TwotimeMultitau"));
    EXPECT_THAT(large.err, HasSubstr("-a N"));
    const Outcome label = run(input("rigaku-250", ".bin") + "-t Twotime -d 3,99");
    EXPECT_EQ(label.code, 78);
    EXPECT_THAT(label.err, HasSubstr("dynamic bin 99, the q-map has 1 to 9"));
    EXPECT_FALSE(std::filesystem::exists(dir_.file("rigaku-250_results.hdf")));
}

TEST(TwotimeWarnings, FewCountsPerStaticBinAreWarnedOf) {
    // 256 pixels in a static bin: 5 counts a frame, and 20.
    const std::string few = "fewer than 10 counts per static bin and frame";
    const testing::SmallRun sparse(0.02), plenty(0.08);
    sparse.expect_done({few, "bins 1, 2, 3, 4", "-s time"}, {"-t", "Twotime"});
    EXPECT_THAT(plenty.expect_done({}, {"-t", "Twotime"}).err, Not(HasSubstr(few)));
    // Other smoothings do not divide by these counts.
    for (const char* smooth : {"time", "none", "dqmap"}) {
        const auto outcome = sparse.expect_done({}, {"-t", "Twotime", "-s", smooth});
        EXPECT_THAT(outcome.err, Not(HasSubstr(few)));
    }
}

TEST_F(TwotimeProgram, MultitauTwotimeHoldsTheDiagonalsOfTheMap) {
    if (!std::filesystem::exists(shared)) GTEST_SKIP() << "no reference data";
    const std::string map = correlate("rigaku-250", ".bin", "-t Twotime -s none -d 4 -p map");
    const std::string band = correlate("rigaku-250", ".bin", "-t TwotimeMultitau -d 2,4 -p band");
    const std::string group = "/xpcs/twotime_multitau/";
    const auto c = values_of(map, maps + "00001");
    const auto level = values_of(band, group + "level_00/correlation");
    ASSERT_EQ(shape_of(band, group + "level_00/correlation"), (h5::Shape{2, 15, 250}));
    for (std::size_t ch = 1; ch <= 15; ++ch) {
        for (std::size_t j = 0; j < 250; ++j) {
            const double found = level[(15 + ch - 1) * 250 + j];  // the second bin
            if (j + ch < 250) {
                EXPECT_NEAR(found, c[j * 250 + j + ch], 1e-6 * (1 + found));
            } else {
                EXPECT_TRUE(std::isnan(found));
            }
        }
    }
    const auto lags = values_of(band, group + "delay_list");
    EXPECT_EQ(lags.front(), 1);
    EXPECT_EQ(lags[15], 16);  // level 1, channel 8
    EXPECT_EQ(shape_of(band, group + "normalized_g2"), (h5::Shape{lags.size(), 2}));
    EXPECT_EQ(values_of(band, group + "level_01/age_offset").front(), 9);
    std::string reason;
    EXPECT_TRUE(is_complete_result(band, reason)) << reason;
    EXPECT_EQ(ResultReader(band).data().analysis_types,
              std::vector<std::string>{"TwotimeMultitau"});
}

TEST_F(TwotimeProgram, AMillionFramesOfASmallDetector) {
    constexpr std::int64_t T = 1'000'000;
    constexpr std::uint64_t rows = 62, cols = 60;
    const std::string raw = dir_.file("long.bin"), qmap = dir_.file("q.hdf");
    save_qmap(testing::made_up_qmap(rows, cols), qmap, false);
    std::mt19937_64 random(3);
    std::ofstream out(raw, std::ios::binary);
    for (std::uint64_t t = 0; t < T; ++t) {
        std::vector<std::uint64_t> words(4);
        for (std::uint64_t& word : words)
            word = t << 40 | random() % (rows * cols) << 16 | 1;
        out.write(reinterpret_cast<const char*>(words.data()), 32);
    }
    out.close();
    const Outcome done = run("-r " + raw + " -q " + qmap + " --no-metadata -t TwotimeMultitau -o " +
                             dir_.path() + " --memory 1.5");
    ASSERT_EQ(done.code, 0) << done.err;
    const std::string file = done.out.substr(0, done.out.find('\n'));
    const auto g2 = values_of(file, "/xpcs/twotime_multitau/normalized_g2");
    const auto error = values_of(file, "/xpcs/twotime_multitau/normalized_g2_err");
    // Counts without correlation, four a frame: g2 is 1 within its error, where that is one.
    for (std::size_t i = 0; i < std::size_t{3} * 60; ++i) {
        EXPECT_NEAR(g2[i], 1.0, 6 * error[i]);
        EXPECT_LT(error[i], 0.1);
    }
    EXPECT_EQ(shape_of(file, "/xpcs/twotime_multitau/level_16/correlation"), (h5::Shape{3, 7, 15}));
    const Outcome map = run("-r " + raw + " -q " + qmap + " --no-metadata -t Twotime -o " +
                            dir_.path() + " --memory 8");
    EXPECT_EQ(map.code, 71);
    EXPECT_THAT(map.err, HasSubstr("TwotimeMultitau"));
}

}  // namespace
}  // namespace xpcs
