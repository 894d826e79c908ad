// SPDX-License-Identifier: BSD-3-Clause
// A clock that is set while a run goes on, files from the future, a disk with a bad place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

/// A library that the next processes load first.
class Preloaded {
  public:
    explicit Preloaded(const char* library) { ::setenv("LD_PRELOAD", library, 1); }
    ~Preloaded() { ::unsetenv("LD_PRELOAD"); }
    Preloaded(const Preloaded&) = delete;
    Preloaded& operator=(const Preloaded&) = delete;
};

class Disturbed : public ::testing::Test {
  protected:
    /// A run that cannot read byte `offset` of `file`.
    Outcome run_on_bad_place(const std::string& file, std::uintmax_t offset) const {
        const std::string name = fs::path(file).filename().string();
        ::setenv("XPCS_BAD_PLACE", ("/" + name + ":" + std::to_string(offset)).c_str(), 1);
        const Preloaded bad_disk(XPCS_FAILING_READS);
        const Outcome outcome = small.correlate({"-w"});
        ::unsetenv("XPCS_BAD_PLACE");
        return outcome;
    }
    /// It fails, says where, and leaves what there was.
    void expect_told(const std::string& file, std::uintmax_t offset) const {
        const auto before = snapshot(small.out);
        const Outcome outcome = run_on_bad_place(file, offset);
        EXPECT_EQ(outcome.exit_code, static_cast<int>(ExitCode::data))
            << file << " at " << offset << ": " << outcome.err;
        EXPECT_EQ(outcome.lines_with("error:").size(), 1U) << outcome.err;
        EXPECT_THAT(outcome.err, HasSubstr(fs::path(file).filename().string()));
        EXPECT_EQ(snapshot(small.out), before);
    }

    const SmallRun small{0.05, 3};
};

TEST_F(Disturbed, AClockThatIsSetChangesNoNumber) {
    ASSERT_EQ(small.correlate({"-t", "Both", "-w"}).exit_code, 0);
    const auto numbers = numeric_datasets(small.result());
    const Preloaded clock(XPCS_JUMPING_CLOCK);
    const Outcome outcome = small.correlate({"-t", "Both", "-w"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(numeric_datasets(small.result()), numbers);
    EXPECT_EQ(snapshot(small.out).size(), 1U) << "something hidden is left";
    EXPECT_EQ(run({"inspect", "--require-result", small.result()}).exit_code, 0);
}

TEST_F(Disturbed, AKilledRunIsTidiedUpAfterThoughTheClockJumps) {
    const Preloaded clock(XPCS_JUMPING_CLOCK);
    for (int i = 0; i < 8; ++i) {
        Child child(small.arguments({"-G", "-w", "--threads", "1"}));
        std::this_thread::sleep_for(std::chrono::milliseconds(30 * i));
        child.send(SIGKILL);
        child.wait();
    }
    EXPECT_EQ(small.correlate({"-w"}).exit_code, 0);
    EXPECT_EQ(snapshot(small.out).size(), 1U) << "something hidden is left";
}

TEST_F(Disturbed, FilesFromTheFutureAreFilesLikeOthers) {
    const auto future = fs::file_time_type::clock::now() + std::chrono::hours(24 * 700);
    std::ofstream(small.result()) << "an earlier result";
    for (const std::string& file : {small.raw, small.qmap_file, small.metadata, small.result()}) {
        fs::last_write_time(file, future);
    }
    const Outcome outcome = small.correlate({"-w"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(run({"inspect", "--require-result", small.result()}).exit_code, 0);
    EXPECT_EQ(snapshot(small.out).size(), 1U);
}

TEST_F(Disturbed, ABadPlaceInAFileIsToldAndLeavesTheEarlierResult) {
    std::ofstream(small.result()) << "an earlier result";
    const std::uintmax_t raw = fs::file_size(small.raw);
    for (const std::uintmax_t offset : {std::uintmax_t{0}, raw / 2, raw - 1}) {
        expect_told(small.raw, offset);
    }
    for (const std::string& file : {small.qmap_file, small.metadata}) {
        expect_told(file, 0);
        // Not every place of an HDF5 file is needed; some other than the first must be.
        int needed = 0;
        for (std::uintmax_t part = 1; part < 8; ++part) {
            const auto before = snapshot(small.out);
            const Outcome outcome = run_on_bad_place(file, fs::file_size(file) * part / 8);
            const bool told = outcome.exit_code == 65 || outcome.exit_code == 66;
            EXPECT_TRUE(outcome.exit_code == 0 || told) << outcome.err;
            needed += told;
            if (told) {
                EXPECT_EQ(snapshot(small.out), before);
            }
        }
        EXPECT_GT(needed, 0) << file;
    }
    EXPECT_EQ(small.correlate({"-w"}).exit_code, 0);
}

}  // namespace
}  // namespace xpcs::testing
