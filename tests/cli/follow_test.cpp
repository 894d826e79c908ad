// SPDX-License-Identifier: BSD-3-Clause
// --follow from the growing raw file to the result, which must be that of the finished file.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

namespace fs = std::filesystem;

class Follow : public ::testing::Test {
  protected:
    Follow() : whole_(bytes_of(small.raw)) { fs::remove(small.raw); }

    static void pause() { std::this_thread::sleep_for(std::chrono::milliseconds(200)); }
    void append(std::size_t begin, std::size_t end) const {
        std::ofstream(small.raw, std::ios::binary | std::ios::app)
            << whole_.substr(begin, end - begin);
    }
    /// What a run of the finished file gives.
    std::map<std::string, std::string> of_finished_file() {
        std::ofstream(small.raw, std::ios::binary) << whole_;
        small.expect_done();
        auto datasets = numeric_datasets(small.result());
        fs::remove(small.result());
        fs::remove(small.raw);
        return datasets;
    }
    /// The raw file appears and grows in three pieces, which end within records.
    void acquire() const {
        const std::size_t n = whole_.size();
        pause();
        append(0, n / 3 + 5);
        pause();
        append(n / 3 + 5, n / 2 + 3);
        pause();
        append(n / 2 + 3, n);
    }

    SmallRun small;
    std::string whole_;
};

TEST_F(Follow, EndsWhenTheMetadataAppear) {
    const auto expected = of_finished_file();
    fs::remove(small.metadata);
    // Without the metadata it would go on for longer than a test may take.
    Child child(small.arguments({"--follow", "--follow-quiet", "3600"}));
    acquire();
    pause();
    EXPECT_TRUE(child.running()) << child.wait().err;
    write_metadata(small.metadata, 1e-3);
    const Outcome outcome = child.wait();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.last_line_of_out(), small.result());
    EXPECT_TRUE(numeric_datasets(small.result()) == expected);
}

TEST_F(Follow, WaitsUntilTheMetadataAreWritten) {
    const auto expected = of_finished_file();
    const std::string metadata = bytes_of(small.metadata);
    fs::remove(small.metadata);
    Child child(small.arguments({"--follow", "--follow-quiet", "3600"}));
    acquire();
    std::ofstream file(small.metadata, std::ios::binary);
    file << metadata.substr(0, metadata.size() / 2) << std::flush;
    const int locked = ::open(small.metadata.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_EQ(::flock(locked, LOCK_EX), 0);  // as HDF5 does while it writes
    pause();
    pause();
    pause();
    EXPECT_TRUE(child.running()) << child.wait().err;
    file << metadata.substr(metadata.size() / 2) << std::flush;
    pause();
    EXPECT_TRUE(child.running()) << child.wait().err;
    ::close(locked);
    const Outcome outcome = child.wait();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(numeric_datasets(small.result()) == expected);
}

TEST_F(Follow, EndsWhenTheFileIsQuiet) {
    const auto expected = of_finished_file();
    Child child(small.arguments({"--follow", "--follow-quiet", "2"}));
    acquire();
    const Outcome outcome = child.wait();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(numeric_datasets(small.result()) == expected);
}

TEST_F(Follow, SigtermEndsTheWaitForAFileThatNeverComes) {
    const auto before = snapshot(small.out);
    Child child(small.arguments({"--follow"}));
    pause();
    pause();
    ASSERT_TRUE(child.running()) << child.wait().err;
    child.send(SIGTERM);
    const Outcome outcome = child.wait();
    EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
    EXPECT_EQ(snapshot(small.out), before);
}

TEST_F(Follow, Hdf5IsRefused) {
    small.write_dense(std::vector<std::uint16_t>(2 * SmallRun::rows * SmallRun::cols, 1), 2);
    small.expect_refused(ExitCode::config, {small.raw, "--follow"}, {"--follow"});
}

}  // namespace
}  // namespace xpcs::testing
