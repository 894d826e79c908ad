// SPDX-License-Identifier: BSD-3-Clause
// Reprocessings that the portal watches.
#include "portal/jobs.hpp"

#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

namespace xpcs::portal {
namespace {

namespace fs = std::filesystem;

TEST(Reprocessings, AskTheSchedulerLessAndLessOften) {
    const xpcs::testing::TempDir dir;
    const std::string program = dir.file("jobgen"), calls = dir.file("calls");
    std::ofstream(program) << "#!/bin/bash\n[ \"$1\" = status ] && echo asked >>'" << calls
                           << "'\necho 12\n";
    fs::permissions(program, fs::perms::owner_all);
    JobRequest request;
    request.published = dir.file("published");
    request.raw = request.qmap = "/data/file";
    request.suffix = "again";
    request.type = "Multitau";
    request.deployment = "perlmutter";
    const auto asked = [&] {
        std::ifstream in(calls);
        return std::count(std::istreambuf_iterator<char>(in), {}, '\n');
    };
    Jobs jobs(program, {}, dir.file("c.db"));
    const auto id = jobs.start(request);
    std::this_thread::sleep_for(std::chrono::milliseconds(6500));
    EXPECT_EQ(jobs.state(id).state, "running");
    EXPECT_GE(asked(), 1);
    EXPECT_LE(asked(), 4);  // at most after 0, 1, 3 and 7 seconds
}

}  // namespace
}  // namespace xpcs::portal
