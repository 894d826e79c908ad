// SPDX-License-Identifier: BSD-3-Clause
#include "host/summary.hpp"

#include "host/atomic_file.hpp"
#include "host/config_file.hpp"
#include "host/errors.hpp"
#include "host/options.hpp"
#include "host/plan.hpp"
#include "tests/host/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

namespace {

namespace fs = std::filesystem;
using namespace xpcs;
using ::testing::HasSubstr;
using xpcs::testing::TempDir;

std::string content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t files_in(const std::string& directory) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

RunResult some_result() {
    RunResult r;
    r.raw = "a\xFF.bin";
    r.frames.n_frames = 100;
    r.frames.n_frames_file = 200;
    r.counts.events_kept = 1'000'000'000'000;
    r.counts.occupancy = std::numeric_limits<double>::quiet_NaN();
    r.counts.saturated_fraction = std::numeric_limits<double>::infinity();
    r.counts.events_masked = 17;
    r.pixels_per_dynamic = {3, 4};
    r.hot_pixels.push_back({1, 2, 500, 3, 4, 0.25});
    r.stage_s = {{"read", 1.5}, {"correlate", 0.5}};
    r.warnings = {"one", "two\n"};
    r.inputs = {{"a.bin", 1234, "2024-01-01T00:00:00Z"}};
    r.device = "cpu (2 threads)";
    return r;
}

TEST(Summary, ASuccessfulRun) {
    RunConfig config;
    config.raw = {"a.bin"};
    Summary summary(config);
    summary.done(some_result(), "/out/a_results.hdf");
    EXPECT_EQ(summary.exit_code(), 0);
    const std::string text = summary.text();
    EXPECT_EQ(text.find("NaN"), std::string::npos);
    EXPECT_EQ(text.find("nan"), std::string::npos);
    const auto json = nlohmann::json::parse(text);
    EXPECT_EQ(json["state"], "done");
    EXPECT_EQ(json["exit_code"], 0);
    EXPECT_TRUE(json["error"].is_null());
    EXPECT_TRUE(json["versions"]["hdf5"].get<std::string>().rfind("1.", 0) == 0);
    const auto& run = json["runs"][0];
    EXPECT_EQ(run["raw"], "a\\xff.bin");
    EXPECT_EQ(run["result"], "/out/a_results.hdf");
    EXPECT_EQ(run["frames"]["used"], 100);
    EXPECT_EQ(run["counts"]["events"], 1'000'000'000'000);
    EXPECT_TRUE(run["counts"]["occupancy"].is_null());
    EXPECT_TRUE(run["counts"]["saturated_fraction"].is_null());
    EXPECT_EQ(run["dropped"]["events_on_masked_pixels"], 17);
    EXPECT_EQ(run["bins"]["pixels_kept"], 7);
    EXPECT_EQ(run["hot_pixels"][0]["share_of_bin"], 0.25);
    EXPECT_EQ(run["stages"][1]["stage"], "correlate");
    EXPECT_EQ(run["warnings"][1], "two\\n");
    EXPECT_EQ(run["inputs"][0]["bytes"], 1234);
}

TEST(Summary, FailuresAndTheCodeOfTheWhole) {
    Summary summary(RunConfig{});
    EXPECT_EQ(summary.exit_code(), 0);
    summary.done(some_result(), "r");
    summary.failed("b.bin", 65, "b.bin: empty", {"w"});
    summary.failed("c.bin", 66, "c.bin: missing", {});
    EXPECT_EQ(summary.exit_code(), 65);
    auto json = nlohmann::json::parse(summary.text());
    EXPECT_EQ(json["state"], "failed");
    EXPECT_EQ(json["error"], "b.bin: empty");
    EXPECT_EQ(json["runs"][0]["state"], "done");
    EXPECT_EQ(json["runs"][1]["warnings"][0], "w");
    EXPECT_TRUE(json["runs"][2]["result"].is_null());
    summary.failed("d.bin", 75, "stopped by SIGTERM", {});
    json = nlohmann::json::parse(summary.text());
    EXPECT_EQ(json["state"], "interrupted");
    EXPECT_EQ(json["exit_code"], 75);
    EXPECT_EQ(json["error"], "stopped by SIGTERM");
}

TEST(Summary, ItsConfigurationCanBeReadAsAConfigurationFile) {
    const TempDir directory;
    RunConfig config;
    config.raw = {"a b", "c"};
    config.begin_frame = -200;
    config.normalize_frame = false;
    config.bin_time_s = 1.0 / 3;
    config.engine = EngineChoice::dense;
    config.summary = directory.file("s.json");
    Summary summary(config);
    summary.write();
    auto stored = nlohmann::json::parse(content_of(config.summary))["config"];
    stored.erase("config");
    std::ofstream(directory.file("c.json")) << stored.dump();
    RunConfig again = parse_options({"-c", directory.file("c.json")});
    again.config_file.clear();
    EXPECT_EQ(again, config);
}

TEST(AtomicFile, ReplacesWholeFilesAndLeavesNothingElse) {
    const TempDir directory;
    const std::string path = directory.file("s.json");
    check_can_write(path);
    EXPECT_EQ(files_in(directory.path()), 0u);
    write_file_atomically(path, "first");
    write_file_atomically(path, "second");
    EXPECT_EQ(content_of(path), "second");
    EXPECT_EQ(files_in(directory.path()), 1u);
    fs::create_symlink(path, directory.file("link"));
    write_file_atomically(directory.file("link"), "third");
    EXPECT_EQ(content_of(path), "third");
    EXPECT_TRUE(fs::is_symlink(directory.file("link")));
}

TEST(AtomicFile, RefusesWhatItCannotWrite) {
    const TempDir directory;
    for (const auto& path : {directory.file("none/s.json"),
                             directory.path(),
                             std::string("/dev/null"),
                             std::string()}) {
        try {
            check_can_write(path);
            FAIL() << path;
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), ExitCode::cannot_create) << e.what();
            EXPECT_THAT(e.what(), HasSubstr("'" + path + "'"));
        }
        EXPECT_THROW(write_file_atomically(path, "x"), Error);
    }
    EXPECT_EQ(files_in(directory.path()), 0u);
}

TEST(AtomicFile, FullDiskLeavesTheOldFile) {
    const TempDir directory;
    const std::string path = directory.file("s.json");
    write_file_atomically(path, "old");
    // A limit of 4 bytes per file stands for the full disk.
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const rlimit small{4, before.rlim_max};
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    ExitCode code = ExitCode::ok;
    try {
        write_file_atomically(path, "much longer");
    } catch (const Error& e) {
        code = e.code();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
    EXPECT_EQ(code, ExitCode::io);
    EXPECT_EQ(content_of(path), "old");
    EXPECT_EQ(files_in(directory.path()), 1u);
}

TEST(Plan, SaysEverythingInOneLineEach) {
    Plan plan;
    plan.raw = "a\nb.bin";
    plan.format = "rigaku64 (content)";
    plan.inputs = {{"a.bin", 80'000'000, ""}};
    plan.rows = 512;
    plan.cols = 1024;
    plan.frames = {10, 20000, 2, 3, 3331, 20000, 9993};
    plan.frame_time_s = 2e-5;
    plan.pixels_kept = 500000;
    plan.n_static = 360;
    plan.n_dynamic = 36;
    plan.lags = {1, 2, 3, 1024};
    plan.engine = "sparse";
    plan.device = "gpu:0";
    plan.host_memory_bytes = 3ull << 30;
    plan.device_memory_bytes = 1 << 20;
    plan.output = "out/a_results.hdf";
    plan.warnings = {"w"};
    const std::string text = plan_text(plan);
    for (const char* part : {"a\\nb.bin",
                             "76.3 MiB",
                             "512 x 1024 pixels",
                             "3331 correlated, 9993 of 20000 raw frames, 10 to 19999, every 2., 3 "
                             "averaged into one",
                             "500000",
                             "360 static, 36 dynamic",
                             "4, from 1 to 1024 frames (0.00012 s to 0.1229 s)",
                             "sparse",
                             "gpu:0",
                             "3.00 GiB, on the device 1.0 MiB",
                             "out/a_results.hdf",
                             "warning"}) {
        EXPECT_THAT(text, HasSubstr(part));
    }
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 14);
    EXPECT_THAT(plan_text({}), HasSubstr("unknown"));
}

TEST(Plan, SaysWhatOnlyReadingTells) {
    Plan plan;
    plan.analysis = "Multitau";
    const std::string text = plan_text(plan);
    EXPECT_THAT(text, HasSubstr("not in the file: reading it tells"));
    EXPECT_THAT(text, HasSubstr("reading the file tells"));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("0 raw frames")));
    plan.analysis = "Twotime, 6 maps";
    EXPECT_THAT(plan_text(plan), HasSubstr("none"));
}

}  // namespace
