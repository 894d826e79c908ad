// SPDX-License-Identifier: BSD-3-Clause
// What a report leaves behind when it, or the program that draws for it, is cut short.
#include "host/errors.hpp"
#include "host/result_file.hpp"
#include "portal/report.hpp"
#include "portal/scratch.hpp"
#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace {

using namespace xpcs;
using namespace xpcs::portal;
using xpcs::testing::TempDir;
namespace fs = std::filesystem;

std::size_t entries(const std::string& directory) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory), fs::directory_iterator{}));
}

TEST(Scratch, OfADeadProcessGoesAwayWithTheNext) {
    const TempDir dir;
    const pid_t child = ::fork();
    if (child == 0) {
        const Scratch scratch(dir.path());
        std::ofstream(scratch.path() + "/0.dat") << "data";
        ::_exit(0);  // as if killed: no destructor runs
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(entries(dir.path()), 1U);
    {
        const Scratch scratch(dir.path());
        EXPECT_EQ(entries(dir.path()), 1U);
    }
    EXPECT_EQ(entries(dir.path()), 0U);
}

TEST(Scratch, OfALivingOneStays) {
    const TempDir dir;
    const Scratch first(dir.path());
    {
        const Scratch second(dir.path());
        EXPECT_EQ(entries(dir.path()), 2U);
    }
    EXPECT_TRUE(fs::is_directory(first.path()));
}

/// A gnuplot that writes half of every picture and says that all is well, as it does on a full
/// disk.
class HalfGnuplot {
  public:
    explicit HalfGnuplot(const TempDir& dir) : path_(std::getenv("PATH")) {
        const std::string bin = dir.file("bin");
        fs::create_directories(bin);
        std::ofstream(bin + "/gnuplot")
            << "#!/bin/sh\nsed -n \"s/^set output '\\(.*\\)'/\\1/p\" "
               "\"$1\" | while read -r f; do printf half > \"$f\"; done\n";
        fs::permissions(bin + "/gnuplot", fs::perms::owner_all);
        ::setenv("PATH", (bin + ":" + path_).c_str(), 1);
    }
    ~HalfGnuplot() { ::setenv("PATH", path_.c_str(), 1); }
    HalfGnuplot(const HalfGnuplot&) = delete;
    HalfGnuplot& operator=(const HalfGnuplot&) = delete;

  private:
    std::string path_;
};

TEST(Report, HalfAPictureNeverGetsItsName) {
    const TempDir dir;
    const RunResult result = xpcs::testing::made_up_result(dir);
    ResultFile file(result.config, "run", result.metadata.file);
    file.write(result);
    ReportOptions options;
    options.result = file.commit();
    options.directory = dir.file("report");
    const HalfGnuplot gnuplot(dir);
    try {
        write_report(options);
        FAIL() << "half pictures are taken for whole ones";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::io) << error.what();
        EXPECT_THAT(error.what(), ::testing::HasSubstr("is not whole"));
    }
    EXPECT_FALSE(fs::exists(options.directory)) << "nothing came into it";
}

}  // namespace
