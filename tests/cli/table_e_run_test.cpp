// SPDX-License-Identifier: BSD-3-Clause
// Edge cases of frame selection, signal, output and options, one test per line of the table.
#include "tests/host/imm_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class FrameSelection : public ::testing::Test {
  protected:
    SmallRun small;
};

TEST_F(FrameSelection, E23BeginNotBeforeEnd) {
    small.expect_refused(ExitCode::config, {"10", "5"}, {"-b", "10", "-e", "5"});
    small.expect_refused(ExitCode::config, {"5", "5"}, {"-b", "5", "-e", "5"});
}

TEST_F(FrameSelection, E23BeginBeyondTheFile) {
    small.expect_refused(ExitCode::config, {small.raw + ": ", "400", "frames"}, {"-b", "400"});
    small.expect_refused(ExitCode::config, {"4000", "400"}, {"-b", "4000", "-e", "5000"});
}

TEST_F(FrameSelection, E24End0OrMinus1MeansAll) {
    for (const char* end : {"0", "-1", "400", "100000"}) {
        small.expect_done({}, {"-e", end});
        EXPECT_EQ(small.shape(intensity_path), (h5::Shape{2, 400})) << end;
    }
}

TEST_F(FrameSelection, E24EndBelowMinus1) {
    small.expect_refused(ExitCode::config, {"-2", "-1"}, {"-e", "-2"});
}

TEST_F(FrameSelection, E25StrideTimesAverageExceedsTheFrames) {
    small.expect_refused(ExitCode::config, {"40", "20", "400"}, {"-f", "40", "-a", "20"});
    small.expect_refused(
        ExitCode::config, {"400"}, {"-f", "9223372036854775807", "-a", "9223372036854775807"});
}

TEST_F(FrameSelection, E26FewerThan2FramesAreLeft) {
    small.expect_refused(ExitCode::config, {"at least 2"}, {"-b", "7", "-e", "8"});
    small.expect_refused(ExitCode::config, {"at least 2"}, {"-a", "201"});
    small.expect_refused(ExitCode::config, {"at least 2"}, {"-t", "Twotime", "-a", "201"});
}

TEST_F(FrameSelection, E27From2To4FramesOnlyLagsBelowT) {
    for (int n = 2; n <= 5; ++n) {
        small.expect_done({}, {"-e", std::to_string(n)});
        std::vector<double> expected;
        for (int lag = 1; lag < n; ++lag)
            expected.push_back(lag);
        EXPECT_EQ(small.read(delay_path), expected);
    }
}

TEST_F(FrameSelection, ResolvedValuesAreWritten) {
    small.expect_done({}, {"-b", "-50", "-f", "2", "-a", "3"});
    const std::string config = "/xpcs/multitau/config/";
    EXPECT_EQ(small.read(config + "begin_frame")[0], -50);
    EXPECT_EQ(small.read(config + "end_frame")[0], -1);
    EXPECT_EQ(small.read(config + "begin_frame_used")[0], 350);
    EXPECT_EQ(small.read(config + "end_frame_used")[0], 400);
    EXPECT_EQ(small.read(config + "n_frames_used")[0], 8);
    EXPECT_EQ(small.read(config + "n_frames_file")[0], 400);
    EXPECT_EQ(small.read(config + "stride_frame")[0], 2);
    EXPECT_EQ(small.read(config + "avg_frame")[0], 3);
}

// --- signal ------------------------------------------------------------------------------------

class Signal : public ::testing::Test {
  protected:
    Json summary() const { return Json::parse(bytes_of(small.dir.file("summary.json"))); }
    Arguments with_summary(Arguments more) const {
        more.insert(more.end(), {"--summary", small.dir.file("summary.json")});
        return more;
    }
    SmallRun small;
};

TEST_F(Signal, E46EmptyFrameWithNormalisationIsExcludedPairwise) {
    auto events = poisson_events(400, 2048, 0.1, 7);
    std::erase_if(events, [](const Event& e) { return std::get<0>(e) % 40 == 11; });
    small.write_events(events);
    small.expect_done({"warning", small.raw, "10 frames"}, with_summary({"-nf", "1"}));
    EXPECT_EQ(summary()["runs"][0]["frames"]["excluded"], 10);
    for (const double value : small.read(g2_path))
        EXPECT_TRUE(std::isfinite(value));
    // 20 pairs of lag 1 have an empty frame; g2 of Poisson counts is 1 within its error,
    // 1 / (mean sqrt(pairs * pixels)) = 1 / (0.1 sqrt(379 * 512)) = 0.023.
    EXPECT_NEAR(small.read(g2_path)[0], 1, 4 * 0.023);
}

TEST_F(Signal, E46EmptyFramesBeyondHalfRefuseNormalisation) {
    small.write_events(poisson_events(100, 2048, 0.1, 7));
    small.expect_refused(
        ExitCode::config, {small.raw, "300 of 400", "-nf 0"}, {"-nf", "1", "--n-frames", "400"});
}

TEST_F(Signal, E47NoCountsAtAll) {
    std::vector<Event> zeros;
    for (std::int64_t t = 0; t < 100; ++t)
        zeros.emplace_back(t, 5, 0);
    small.write_events(zeros);
    for (const char* nf : {"0", "1"}) {
        small.expect_done({"warning", small.raw, "no photon"}, with_summary({"-nf", nf}));
        EXPECT_EQ(summary()["runs"][0]["no_signal"], true);
        for (const double value : small.read(g2_path))
            EXPECT_TRUE(std::isnan(value));
    }
}

TEST_F(Signal, E47FramesWithoutEventsAreNoCountsEither) {
    const std::string events = small.dir.file("run.h5");
    {
        const h5::File file = h5::create_file(events);
        const std::string group = "/entry/data/";
        h5::write(file.id(), group + "frame_ptr", std::vector<std::uint64_t>(101, 0));
        h5::write(file.id(), group + "index", std::vector<std::uint32_t>());
        h5::write(file.id(), group + "intensity", std::vector<std::uint32_t>());
    }
    small.raw = events;
    for (const char* nf : {"0", "1"}) {
        small.expect_done({"warning", events, "no photon"}, with_summary({"-nf", nf}));
        EXPECT_EQ(summary()["runs"][0]["no_signal"], true);
        EXPECT_EQ(small.read(intensity_path).size(), 200U);
    }
}

TEST_F(Signal, E48OneHotPixelDominatesABin) {
    auto events = poisson_events(400, 2048, 0.01, 7);
    std::erase_if(events, [](const Event& e) { return std::get<1>(e) == 700; });
    for (std::int64_t t = 0; t < 400; ++t)
        events.emplace_back(t, 700, 2);
    std::sort(events.begin(), events.end());
    small.write_events(events);
    // Pixel 700 is row 10, column 60, dynamic bin 4.
    const Outcome outcome = small.expect_done({"warning", "row 10 column 60"}, with_summary({}));
    EXPECT_EQ(outcome.lines_with("of the counts in dynamic bin 4").size(), 1U) << outcome.err;
    EXPECT_EQ(summary()["runs"][0]["hot_pixels"][0]["row"], 10);
    EXPECT_EQ(summary()["runs"][0]["hot_pixels"][0]["photons"], 800);
}

TEST_F(Signal, WhatWasDroppedAndWhyIsInLogAndSummary) {
    for (std::size_t p = 0; p < 64; ++p)
        small.qmap.mask[p] = 0;
    small.write_qmap();
    auto events = poisson_events(400, 2048, 0.02, 7);
    std::int64_t masked = 0, late = 0, kept = 0;
    for (const auto& [frame, pixel, count] : events) {
        if (frame >= 300) ++late;
        if (frame < 300 && pixel < 64) ++masked;
        if (frame < 300 && pixel >= 64) ++kept;
    }
    const Outcome outcome = small.expect_done({}, with_summary({"-e", "300"}));
    const Json run = summary()["runs"][0];
    EXPECT_EQ(run["counts"]["events"], kept);
    EXPECT_EQ(run["dropped"]["events_on_masked_pixels"].get<std::int64_t>() +
                  run["dropped"]["events_outside_frames"].get<std::int64_t>(),
              masked + late);
    EXPECT_EQ(outcome.lines_with(std::to_string(kept) + " events").size(), 1U) << outcome.err;
}

// --- output ------------------------------------------------------------------------------------

class Output : public ::testing::Test {
  protected:
    SmallRun small;
};

TEST_F(Output, E49ExistsGetsNumbersAndOverwriteReplaces) {
    for (const char* name : {"run_results.hdf", "run_results_1.hdf", "run_results_2.hdf"}) {
        const Outcome outcome = small.correlate();
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        EXPECT_EQ(outcome.last_line_of_out(), small.result(name));
    }
    const auto before = snapshot(small.out);
    small.write_events(poisson_events(300, 2048, 0.02, 8));
    const Outcome outcome = small.correlate({"-w"});
    EXPECT_EQ(outcome.last_line_of_out(), small.result());
    const auto after = snapshot(small.out);
    EXPECT_EQ(after.size(), 3U);
    EXPECT_NE(after.at("run_results.hdf"), before.at("run_results.hdf"));
    EXPECT_EQ(after.at("run_results_1.hdf"), before.at("run_results_1.hdf"));
    EXPECT_EQ(after.at("run_results_2.hdf"), before.at("run_results_2.hdf"));
}

TEST_F(Output, E49ResultsOfOneCallDoNotReplaceEachOther) {
    small.expect_done();
    const std::string other = small.dir.file("other/run.bin");
    std::filesystem::create_directory(small.dir.file("other"));
    std::filesystem::copy(small.raw, other);
    std::filesystem::copy(small.metadata, small.dir.file("other/run_metadata.hdf"));
    const Outcome outcome = small.correlate({"-w", "-r", other});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, small.result() + "\n" + small.result("run_results_1.hdf") + "\n");
    EXPECT_EQ(outcome.lines_with("was written just now").size(), 1U) << outcome.err;
}

TEST_F(Output, E49SummaryIsNotWrittenOverAnInput) {
    for (const std::string& input : {small.raw, small.qmap_file})
        small.expect_refused(ExitCode::usage, {input, "is read here"}, {"--summary", input});
}

TEST_F(Output, PrefixAndSuffix) {
    const Outcome outcome = small.correlate({"-p", "a_", "-u", "_b"});
    EXPECT_EQ(outcome.last_line_of_out(), small.result("a_run_b_results.hdf"));
    small.expect_refused(ExitCode::usage, {"--prefix", "x/y"}, {"-p", "x/y"});
}

TEST_F(Output, E50DirectoryMissingIsCreated) {
    small.out = small.dir.file("new/deep");
    small.expect_done();
}

TEST_F(Output, E50DirectoryNotWritable) {
    const std::string file = small.dir.file("a_file");
    std::ofstream(file) << "x";
    for (const std::string& out : {file, file + "/below", std::string("/proc/nowhere")}) {
        Arguments arguments = small.arguments();
        arguments[5] = out;
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::cannot_create)) << outcome.err;
        ASSERT_EQ(outcome.lines_with("error:").size(), 1U);
        EXPECT_THAT(outcome.lines_with("error:")[0], HasSubstr(out));
        // Tested before computing: nothing was read.
        EXPECT_EQ(outcome.lines_with("events").size(), 0U) << outcome.err;
    }
    EXPECT_EQ(bytes_of(file), "x");
}

TEST_F(Output, DryRunWritesNothing) {
    const Outcome outcome = small.correlate({"--dry-run"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr(small.result()));
    EXPECT_TRUE(snapshot(small.out).empty());
}

TEST_F(Output, ResultPassesRequireResultAndOthersDoNot) {
    small.expect_done();
    EXPECT_EQ(run({"inspect", "--require-result", small.result()}).exit_code, 0);
    EXPECT_EQ(run({"inspect", "--require-result", small.metadata}).exit_code, 65);
    // Cut anywhere it is none.
    const auto size = std::filesystem::file_size(small.result());
    for (const auto left : {size - 1, size / 2, std::uintmax_t{100}, std::uintmax_t{0}}) {
        std::filesystem::resize_file(small.result(), left);
        EXPECT_EQ(run({"inspect", "--require-result", small.result()}).exit_code, 65) << left;
    }
}

// --- options -----------------------------------------------------------------------------------

class Options : public ::testing::Test {
  protected:
    SmallRun small;
};

TEST_F(Options, E53RequestedGpuAbsent) {
    small.expect_refused(ExitCode::unavailable, {"gpu:63"}, {"--device", "gpu:63"});
}

TEST_F(Options, DeviceThatAutoTookIsInTheLog) {
    const Outcome outcome = small.correlate({"--device", "auto"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, ::testing::ContainsRegex(" s on (cpu \\(|gpu:)"));
}

TEST_F(Options, E56UnknownOptionInAJobFile) {
    const std::string job = small.dir.file("job.yaml");
    std::ofstream(job) << "stride_fram: 2\n";
    small.expect_refused(ExitCode::config, {job, "stride_fram", "stride_frame"}, {"-c", job});
}

TEST_F(Options, UnknownOptionOnTheCommandLine) {
    small.expect_refused(
        ExitCode::usage, {"--stride-framed", "--stride-frame"}, {"--stride-framed=2"});
}

TEST_F(Options, TooLittleMemory) {
    small.expect_refused(ExitCode::no_memory, {small.raw, "--memory"}, {"--memory", "0.0001"});
}

TEST_F(Options, MemoryHoldsTheEventsThatAreCorrelatedAsWell) {
    // 2^30 events on four tiles of pixels: a tile takes 1 GiB as it is read, and 2 GiB more while
    // it is correlated. 20 GB on few pixels took 4.6 GiB of the 2 that were allowed.
    std::filesystem::resize_file(small.raw, std::uintmax_t{8} << 30);
    small.expect_refused(
        ExitCode::no_memory, {small.raw, "needs at least 3.", "--memory"}, {"--memory", "2"});
    const Outcome enough = small.correlate({"--memory", "4", "--dry-run"});
    EXPECT_EQ(enough.exit_code, 0) << enough.err;
    EXPECT_THAT(enough.out, HasSubstr("memory needed   3."));
}

TEST_F(Options, WithoutThreadsThePlanCountsOnThoseThatThereAre) {
    // It counted on sixteen, which on two processors made twice the passes.
    cpu_set_t before, one;
    ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before))
        ++cpu;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    std::filesystem::resize_file(small.raw, std::uintmax_t{1} << 30);
    const auto plan = [&](const Arguments& more) {
        Arguments all = {"-r", small.raw, "-q", small.qmap_file, "-o", small.out, "--dry-run"};
        all.insert(all.end(), {"--device", "cpu", "--memory", "4"});
        all.insert(all.end(), more.begin(), more.end());
        const Outcome outcome = run(all);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        const std::size_t at = outcome.out.find("memory needed");
        return at == std::string::npos ? outcome.out
                                       : outcome.out.substr(at, outcome.out.find('\n', at) - at);
    };
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);  // children inherit it
    const std::string of_one = plan({"--threads", "1"}), of_all = plan({});
    EXPECT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
    EXPECT_EQ(of_all, of_one);
    EXPECT_NE(plan({"--threads", "16"}), of_one);
}

TEST_F(Options, MemoryHoldsWhatGoesWithFrames) {
    // A photon in every 64th of 2^25 + 65 frames, which the file does not tell: 16 bytes for each
    // are 0.5 GiB. They took 1.3 GiB of the 0.65 that are allowed here, and the result was refused
    // as too large in the end.
    constexpr std::int64_t last = (std::int64_t{1} << 25) + 64;
    std::vector<Event> events;
    for (std::int64_t frame = 0; frame <= last; frame += 64)
        events.push_back({frame, static_cast<std::uint32_t>(frame / 64 % 2048), 1});
    small.write_events(events);
    small.expect_refused(
        ExitCode::no_memory, {small.raw, "frames", "--memory 0.3"}, {"--memory", "0.3"});
    small.expect_done({}, {"--memory", "0.65"});
    EXPECT_EQ(small.shape(intensity_path), (h5::Shape{2, last + 1}));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);  // the largest of all runs of this program
    EXPECT_LT(used.ru_maxrss, static_cast<long>(0.65 * 1024 * 1024));
#endif
}

TEST_F(Options, MemoryHoldsTheTimeStampsOfFrames) {
    // 66 bytes for each frame of an IMM file, of which 50 are for time stamps: 3.1 GiB, where other
    // formats take 0.75 GiB.
    const Arguments many = {"--n-frames", "50000000", "--memory", "1", "--dry-run"};
    EXPECT_EQ(small.correlate(many).exit_code, 0);
    small.raw = small.dir.file("run.imm");
    const ImmFrame frame{
        .index = {1, 2}, .value = {1, 1}, .rows = SmallRun::rows, .cols = SmallRun::cols};
    std::ofstream(small.raw, std::ios::binary) << imm_bytes({frame, frame, frame});
    small.expect_refused(ExitCode::no_memory,
                         {small.raw, "3.07 GiB of it for 50000000 frames", "--memory allows 1 GiB"},
                         many);
    small.expect_done({}, {"--memory", "0.5"});
    EXPECT_EQ(small.shape("/xpcs/spatial_mean/timestamp_clock"), (h5::Shape{2, 3}));
}

TEST_F(Options, CommandLineWinsOverTheJobFile) {
    const std::string job = small.dir.file("job.json");
    std::ofstream(job) << R"({"stride_frame": 4, "avg-frame": 2})";
    small.expect_done({}, {"-c", job, "-f", "2"});
    EXPECT_EQ(small.shape(intensity_path), (h5::Shape{2, 100}));
}

}  // namespace
}  // namespace xpcs::testing
