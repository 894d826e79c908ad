// SPDX-License-Identifier: BSD-3-Clause
// What happens to results when a run is stopped, killed, starved or disturbed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;
namespace fs = std::filesystem;

void sleep_ms(double ms) {
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(ms));
}

/// A run long enough to be hit in every stage: with -G most of its time is writing.
class Faults : public ::testing::Test {
  protected:
    Faults() : small(0.05, 3) {}

    Arguments long_run() const { return small.arguments({"-G", "-w", "--threads", "1"}); }

    double duration_ms() const {
        const auto start = std::chrono::steady_clock::now();
        EXPECT_EQ(run(long_run()).exit_code, 0);
        return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count();
    }

    /// Names in the output directory that begin with a dot.
    std::vector<std::string> hidden() const {
        std::vector<std::string> names;
        for (const auto& [name, bytes] : snapshot(small.out)) {
            if (name.starts_with(".")) names.push_back(name);
        }
        return names;
    }

    SmallRun small;
};

TEST_F(Faults, E54SigtermAtManyMomentsLeavesNothing) {
    const double whole = duration_ms();
    fs::remove(small.result());
    std::ofstream(small.result()) << "an earlier result";
    int stopped = 0;
    constexpr int moments = 16;
    for (int i = 0; i < moments; ++i) {
        const auto before = snapshot(small.out);
        Child child(long_run());
        sleep_ms(15 + whole * i / moments);
        child.send(SIGTERM);
        const Outcome outcome = child.wait();
        if (outcome.exit_code == 0) {
            EXPECT_EQ(run({"inspect", "--require-result", small.result()}).exit_code, 0);
            EXPECT_TRUE(hidden().empty());
            std::ofstream(small.result(), std::ios::trunc) << "an earlier result";
            continue;
        }
        if (outcome.signal == SIGTERM) {
            // Still being loaded: the handler is the first thing that the program sets up.
            EXPECT_EQ(outcome.err, "");
            EXPECT_EQ(snapshot(small.out), before);
            continue;
        }
        ++stopped;
        EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::interrupted)) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr("SIGTERM"));
        EXPECT_EQ(outcome.lines_with("error:").size(), 1U) << outcome.err;
        EXPECT_EQ(snapshot(small.out), before);
    }
    EXPECT_GE(stopped, 2) << "the run of " << whole << " ms was never hit";
}

TEST_F(Faults, E54KillAtRandomMomentsKeepsTheEarlierResult) {
    const double whole = duration_ms();
    const auto seed = std::random_device{}();
    std::cout << "seed " << seed << ", run of " << whole << " ms\n";
    RecordProperty("seed", std::to_string(seed));
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> moment(0, whole);
    const auto enough = std::chrono::steady_clock::now() + std::chrono::seconds(90);
    // The earlier result is a complete one of another run, so that a mixture would show.
    small.write_events(poisson_events(400, 2048, 0.02, 99));
    ASSERT_EQ(small.correlate({"-w"}).exit_code, 0);
    const std::string earlier = bytes_of(small.result()), its_digest = digest_of(small.result());
    small.write_events(poisson_events(400, 2048, 0.05, 3));
    int killed = 0;
    // On a machine busy with other things fewer moments must do.
    for (int i = 0; i < 30 && (i < 5 || std::chrono::steady_clock::now() < enough); ++i) {
        {
            Child child(long_run());
            sleep_ms(moment(random));
            child.send(SIGKILL);
            killed += child.wait().signal == SIGKILL;
        }
        for (const auto& [name, digest] : snapshot(small.out)) {
            if (name.starts_with(".")) continue;
            ASSERT_EQ(name, "run_results.hdf");
            if (digest == its_digest) continue;
            // It came as far as the new one: then that must be whole.
            ASSERT_EQ(run({"inspect", "--require-result", small.result()}).exit_code, 0)
                << "half a file under the final name, seed " << seed;
            std::ofstream(small.result(), std::ios::binary | std::ios::trunc) << earlier;
        }
        EXPECT_LE(hidden().size(), 1U) << "hidden files pile up";
    }
    EXPECT_GE(killed, 2);
    ASSERT_EQ(run(long_run()).exit_code, 0);
    EXPECT_TRUE(hidden().empty()) << "the next run takes away what killed ones left";
    EXPECT_EQ(snapshot(small.out).size(), 1U);
}

/// A file system of `bytes`, mounted for the test; not everywhere allowed.
class TinyDisk {
  public:
    TinyDisk(const std::string& directory, std::uint64_t bytes) : directory_(directory) {
        fs::create_directories(directory);
        const std::string options = "size=" + std::to_string(bytes);
        mounted_ = ::mount("none", directory.c_str(), "tmpfs", 0, options.c_str()) == 0;
    }
    ~TinyDisk() {
        if (mounted_) ::umount2(directory_.c_str(), MNT_DETACH);
    }
    TinyDisk(const TinyDisk&) = delete;
    TinyDisk& operator=(const TinyDisk&) = delete;
    bool mounted() const { return mounted_; }

  private:
    std::string directory_;
    bool mounted_ = false;
};

TEST_F(Faults, E51DiskFull) {
    small.out = small.dir.file("tiny");
    int full = 0;
    for (const std::uint64_t kib : {64U, 96U, 128U, 192U, 256U, 512U}) {
        const TinyDisk disk(small.out, kib << 10);
        if (!disk.mounted()) GTEST_SKIP() << "no file system can be mounted here";
        std::ofstream(small.result()) << "an earlier result";
        const auto before = snapshot(small.out);
        const Outcome outcome = small.correlate({"-w", "-G"});
        if (outcome.exit_code == 0) continue;
        ++full;
        EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::io)) << outcome.err;
        ASSERT_EQ(outcome.lines_with("error:").size(), 1U) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr("No space left on device"));
        EXPECT_THAT(outcome.lines_with("error:")[0], HasSubstr(small.out));
        EXPECT_EQ(snapshot(small.out), before) << kib << " KiB";
    }
    EXPECT_GE(full, 4);
}

TEST_F(Faults, E51FileSizeLimit) {
    // RLIMIT_FSIZE needs no rights; the error is another, the handling the same.
    std::ofstream(small.result()) << "an earlier result";
    const auto before = snapshot(small.out);
    int stopped = 0;
    for (const std::uint64_t kib : {1U, 14U, 16U, 20U, 24U, 28U, 40U, 60U, 100U, 200U, 300U}) {
        const Outcome outcome = run(small.arguments({"-w", "-G"}), kib << 10);
        if (outcome.exit_code == 0) continue;
        ++stopped;
        EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::io)) << kib << ": " << outcome.err;
        EXPECT_EQ(outcome.lines_with("error:").size(), 1U) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr("File too large"));
        EXPECT_EQ(snapshot(small.out), before) << kib << " KiB";
    }
    EXPECT_GE(stopped, 8);
}

TEST_F(Faults, SummaryThatCannotBeWrittenIsFoundBeforeTheRun) {
    const Outcome outcome = small.correlate({"--summary", "/proc/nowhere/summary.json"});
    EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::cannot_create)) << outcome.err;
    EXPECT_TRUE(snapshot(small.out).empty());
}

TEST_F(Faults, E49TwoProcessesWithTheSameOutput) {
    for (int round = 0; round < 3; ++round) {
        for (const auto& [name, bytes] : snapshot(small.out))
            fs::remove(small.result(name));
        std::vector<std::unique_ptr<Child>> children;
        for (int i = 0; i < 4; ++i)
            children.push_back(std::make_unique<Child>(small.arguments()));
        std::vector<std::string> names;
        for (const auto& child : children) {
            const Outcome outcome = child->wait();
            EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
            names.push_back(outcome.last_line_of_out());
        }
        EXPECT_THAT(names,
                    ::testing::UnorderedElementsAre(small.result(),
                                                    small.result("run_results_1.hdf"),
                                                    small.result("run_results_2.hdf"),
                                                    small.result("run_results_3.hdf")));
        EXPECT_EQ(snapshot(small.out).size(), 4U);
        const auto first = numeric_datasets(names[0]);
        for (const std::string& name : names)
            EXPECT_TRUE(numeric_datasets(name) == first) << name;
    }
}

TEST_F(Faults, RawFileTruncatedWhileItIsRead) {
    // 4 million records, so that reading is most of the run.
    auto words = words_of(poisson_events(400, 2048, 0.05, 3));
    const std::size_t n = words.size();
    for (std::uint64_t k = 1; k < 100; ++k) {
        for (std::size_t i = 0; i < n; ++i)
            words.push_back(words[i] + ((k * 400) << 40));
    }
    const std::string whole = small.dir.file("whole");
    write_words(whole, words);
    words = {};
    const auto before = snapshot(small.out);
    const auto run_and_cut = [&](double after_ms, bool cut) {
        fs::copy_file(whole, small.raw, fs::copy_options::overwrite_existing);
        const auto start = std::chrono::steady_clock::now();
        Child child(small.arguments({"--threads", "1"}));
        if (cut) {
            sleep_ms(after_ms);
            fs::resize_file(small.raw, fs::file_size(whole) / 2);
        }
        const Outcome outcome = child.wait();
        if (outcome.exit_code == 0) {
            fs::remove(outcome.last_line_of_out());  // cut before it was opened, or after all
        } else {
            EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::data)) << outcome.err;
            EXPECT_EQ(outcome.lines_with("error: " + small.raw).size(), 1U) << outcome.err;
        }
        EXPECT_EQ(snapshot(small.out), before);
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        return std::pair{outcome.exit_code != 0, took.count()};
    };
    const double duration = run_and_cut(0, false).second;
    int noticed = 0;
    for (int i = 1; i < 10; ++i)
        noticed += run_and_cut(0.06 * i * duration, true).first;
    EXPECT_GE(noticed, 1) << "no cut in " << duration << " ms was noticed";
}

TEST_F(Faults, E55OneOfSeveralRawFilesFails) {
    const std::string broken = small.dir.file("broken.bin"), third = small.dir.file("third.bin");
    std::ofstream(broken) << "";
    fs::copy_file(small.raw, third);
    for (const char* base : {"broken", "third"})
        write_metadata(small.dir.file(base + std::string("_metadata.hdf")), 1e-3);
    const std::string summary = small.dir.file("summary.json");
    const Outcome outcome = run({"-r",
                                 small.raw,
                                 broken,
                                 third,
                                 "-q",
                                 small.qmap_file,
                                 "-o",
                                 small.out,
                                 "--device",
                                 "cpu",
                                 "-nf",
                                 "0",
                                 "--summary",
                                 summary});
    EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::data)) << outcome.err;
    EXPECT_EQ(outcome.out, small.result() + "\n" + small.result("third_results.hdf") + "\n");
    EXPECT_EQ(outcome.lines_with("error:").size(), 1U);
    const auto files = snapshot(small.out);
    EXPECT_EQ(files.size(), 2U);
    const Json json = Json::parse(bytes_of(summary));
    EXPECT_EQ(json["state"], "failed");
    EXPECT_EQ(json["exit_code"], 65);
    ASSERT_EQ(json["runs"].size(), 3U);
    EXPECT_EQ(json["runs"][0]["state"], "done");
    EXPECT_EQ(json["runs"][1]["state"], "failed");
    EXPECT_EQ(json["runs"][1]["raw"], broken);
    EXPECT_THAT(json["runs"][1]["error"].get<std::string>(), HasSubstr("no events"));
    EXPECT_EQ(json["runs"][2]["state"], "done");
}

TEST_F(Faults, SigtermDuringSeveralFilesEndsAllAndSaysSo) {
    const std::string summary = small.dir.file("summary.json");
    Arguments arguments = long_run();
    for (int i = 0; i < 30; ++i)
        arguments.insert(arguments.begin() + 2, small.raw);
    arguments.insert(arguments.end(), {"--summary", summary});
    Child child(arguments);
    sleep_ms(600);
    child.send(SIGTERM);
    const Outcome outcome = child.wait();
    EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::interrupted)) << outcome.err;
    const Json json = Json::parse(bytes_of(summary));
    EXPECT_EQ(json["state"], "interrupted");
    EXPECT_LT(json["runs"].size(), 31U);
    EXPECT_EQ(json["runs"].back()["state"], "interrupted");
    EXPECT_TRUE(hidden().empty());
}

}  // namespace
}  // namespace xpcs::testing
