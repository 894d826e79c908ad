// SPDX-License-Identifier: BSD-3-Clause
// Names and places of results: numbered or replaced, one writer each, nothing left of dead ones.
#include "host/claimed_file.hpp"
#include "host/errors.hpp"
#include "host/result_file.hpp"
#include "host/result_reader.hpp"
#include "tests/host/result_fixture.hpp"
#include "tests/host/result_writing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace xpcs {
namespace {

namespace fs = std::filesystem;
using testing::code_of;
using testing::hidden;
using testing::made_up_result;
using testing::TempDir;
using testing::write_result;

TEST(ResultNames, AreNumberedOrReplaced) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    EXPECT_EQ(write_result(result), dir.file("run_results.hdf"));
    EXPECT_EQ(planned_result_path(result.config, "run"), dir.file("run_results_1.hdf"));
    EXPECT_EQ(write_result(result), dir.file("run_results_1.hdf"));
    EXPECT_EQ(write_result(result), dir.file("run_results_2.hdf"));
    result.config.overwrite = true;
    EXPECT_EQ(planned_result_path(result.config, "run"), dir.file("run_results.hdf"));
    result.one_time.g2[0] = 7;
    EXPECT_EQ(write_result(result), dir.file("run_results.hdf"));
    EXPECT_FLOAT_EQ(
        static_cast<float>(ResultReader(dir.file("run_results.hdf")).data().one_time.g2.at(0, 0)),
        7);
    EXPECT_TRUE(hidden(dir.path()).empty());
}

TEST(ResultNames, RefusesDirectoriesInPrefixAndSuffix) {
    RunConfig config;
    for (const char* bad : {"a/b", "../x", "new\nline"}) {
        config.prefix = bad;
        EXPECT_EQ(code_of([&] { planned_result_path(config, "run"); }), ExitCode::config) << bad;
    }
    config.prefix.clear();
    config.suffix = std::string(300, 'x');
    EXPECT_EQ(code_of([&] { planned_result_path(config, "run"); }), ExitCode::config);
    config.suffix = "___";
    config.prefix = "___";
    EXPECT_THAT(planned_result_path(config, "run"), ::testing::EndsWith("/run_results.hdf"));
}

TEST(OutputDirectory, IsCreatedAndTried) {
    const TempDir dir;
    prepare_output_directory(dir.file("a/b"));
    EXPECT_TRUE(fs::is_directory(dir.file("a/b")));
    EXPECT_TRUE(fs::is_empty(dir.file("a/b")));
    std::ofstream(dir.file("file")) << "x";
    EXPECT_EQ(code_of([&] { prepare_output_directory(dir.file("file")); }),
              ExitCode::cannot_create);
    EXPECT_EQ(code_of([&] { prepare_output_directory(dir.file("file/below")); }),
              ExitCode::cannot_create);
    RunConfig config;
    config.output = dir.file("missing");
    EXPECT_EQ(code_of([&] { ResultFile(config, "run"); }), ExitCode::cannot_create);
}

TEST(OutputDirectory, NotWritable) {
    const TempDir dir;
    fs::create_directory(dir.file("locked"));
    fs::permissions(dir.file("locked"), fs::perms::owner_read | fs::perms::owner_exec);
    if (::geteuid() == 0) {
        const pid_t child = ::fork();
        if (child == 0) {
            fs::permissions(dir.path(), fs::perms::all);
            const bool dropped = ::setuid(65534) == 0;
            const bool refused = code_of([&] { prepare_output_directory(dir.file("locked")); }) ==
                                 ExitCode::cannot_create;
            ::_exit(dropped ? (refused ? 0 : 1) : 2);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        if (WEXITSTATUS(status) == 2) {
            GTEST_SKIP() << "another user cannot be taken on here";
        }
        EXPECT_EQ(WEXITSTATUS(status), 0);
        return;
    }
    EXPECT_EQ(code_of([&] { prepare_output_directory(dir.file("locked")); }),
              ExitCode::cannot_create);
}

TEST(ClaimedFile, AKilledWriterLeavesOneHiddenFileThatTheNextRemoves) {
    const TempDir dir;
    const RunResult result = made_up_result(dir);
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ResultFile file(result.config, "run", result.metadata.file);
        file.write(result);
        [[maybe_unused]] const ssize_t n = ::write(ready[1], "x", 1);
        ::pause();
        ::_exit(0);
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ASSERT_EQ(hidden(dir.path()).size(), 1U);
    // As long as it lives nobody takes it away.
    EXPECT_EQ(remove_orphans(dir.path()), 0);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_FALSE(fs::exists(dir.file("run_results.hdf")));
    ASSERT_EQ(hidden(dir.path()).size(), 1U);
    EXPECT_EQ(write_result(result), dir.file("run_results.hdf"));
    EXPECT_TRUE(hidden(dir.path()).empty());
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST(ClaimedFile, LeavesAloneWhatItCannotJudge) {
    const TempDir dir;
    std::string mine;
    {
        const ClaimedFile claimed(dir.path());
        mine = fs::path(claimed.path()).filename().string();
    }
    // Another host, another name space, another boot, and names of other programs.
    const std::vector<std::string> parts = [&] {
        std::vector<std::string> found;
        std::istringstream in(mine.substr(6, mine.size() - 11));
        for (std::string part; std::getline(in, part, '_');) {
            found.push_back(part);
        }
        return found;
    }();
    ASSERT_EQ(parts.size(), 6U);
    const auto touch = [&](std::vector<std::string> of) {
        const std::string name = ".xpcs_" + of[0] + "_" + of[1] + "_" + of[2] + "_" + of[3] + "_" +
                                 of[4] + "_" + of[5] + ".part";
        std::ofstream(dir.file(name)) << "x";
    };
    touch({"elsewhere", parts[1], parts[2], "1", "5", "0"});
    touch({parts[0], "0123abcd", parts[2], "1", "5", "0"});
    touch({parts[0], parts[1], "pid--1-", "1", "5", "0"});
    std::ofstream(dir.file(".xpcs_notes.part")) << "x";
    std::ofstream(dir.file(".nfs0001")) << "x";
    EXPECT_EQ(remove_orphans(dir.path()), 0);
    // A process that had the pid of one that lives, but began at another time.
    touch({parts[0], parts[1], parts[2], parts[3], "1", "0"});
    EXPECT_EQ(remove_orphans(dir.path()), 1);
    EXPECT_EQ(hidden(dir.path()).size(), 5U);
}

TEST(ClaimedFile, EveryWayOfTakingANameIsExclusive) {
    for (const ExclusiveRename way : {ExclusiveRename::rename_noreplace,
                                      ExclusiveRename::hard_link,
                                      ExclusiveRename::placeholder}) {
        const TempDir dir;
        std::ofstream(dir.file("a")) << "a";
        std::ofstream(dir.file("taken")) << "earlier";
        const RenameOutcome refused = rename_exclusively(dir.file("a"), dir.file("taken"), way);
        if (refused == RenameOutcome::unsupported) {
            continue;
        }
        EXPECT_EQ(refused, RenameOutcome::exists);
        EXPECT_EQ(fs::file_size(dir.file("taken")), 7U);
        EXPECT_EQ(rename_exclusively(dir.file("a"), dir.file("b"), way), RenameOutcome::done);
        EXPECT_FALSE(fs::exists(dir.file("a")));
        EXPECT_EQ(fs::file_size(dir.file("b")), 1U);
    }
}

TEST(ResultNames, RacingProcessesAllSucceedWithDifferentNames) {
    const TempDir dir;
    const RunResult result = made_up_result(dir);
    constexpr int n = 6;
    std::vector<pid_t> children;
    for (int i = 0; i < n; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            const ExitCode code = code_of([&] { write_result(result); });
            ::_exit(static_cast<int>(code));
        }
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(WEXITSTATUS(status), 0);
    }
    std::string reason;
    EXPECT_TRUE(is_complete_result(dir.file("run_results.hdf"), reason)) << reason;
    for (int i = 1; i < n; ++i) {
        const std::string path = dir.file("run_results_" + std::to_string(i) + ".hdf");
        EXPECT_TRUE(is_complete_result(path, reason)) << reason;
    }
    EXPECT_TRUE(hidden(dir.path()).empty());
}

}  // namespace
}  // namespace xpcs
