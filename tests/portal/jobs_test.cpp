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

/// A program that does as `lines` say.
std::string make_program(const std::string& path, const std::string& lines) {
    std::ofstream(path) << "#!/bin/bash\n" << lines;
    fs::permissions(path, fs::perms::owner_all);
    return path;
}

JobRequest make_request(const std::string& published) {
    JobRequest request;
    request.published = published;
    request.raw = request.qmap = "/data/file";
    request.suffix = "again";
    request.type = "Multitau";
    request.deployment = "perlmutter";
    return request;
}

TEST(Reprocessings, AskTheSchedulerLessAndLessOften) {
    const xpcs::testing::TempDir dir;
    const std::string calls = dir.file("calls");
    const std::string program = make_program(
        dir.file("jobgen"), "[ \"$1\" = status ] && echo asked >>'" + calls + "'\necho 12\n");
    const auto asked = [&] {
        std::ifstream in(calls);
        return std::count(std::istreambuf_iterator<char>(in), {}, '\n');
    };
    Jobs jobs(program, {}, dir.file("c.db"));
    const auto id = jobs.start(make_request(dir.file("published")));
    std::this_thread::sleep_for(std::chrono::milliseconds(6500));
    EXPECT_EQ(jobs.state(id).state, "running");
    EXPECT_GE(asked(), 1);
    EXPECT_LE(asked(), 4);  // at most after 0, 1, 3 and 7 seconds
}

TEST(Reprocessings, AJobThatNobodyKnowsAnyMoreMakesRoomForOthers) {
    const xpcs::testing::TempDir dir;
    const std::string program = make_program(
        dir.file("jobgen"), "[ \"$1\" = status ] && { echo 'not known'; exit 69; }\necho 12\n");
    Jobs jobs(program, {}, dir.file("c.db"), std::chrono::seconds{1});
    const auto id = jobs.start(make_request(dir.file("published")));
    for (int i = 0; i < 600 && !jobs.state(id).ended; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(jobs.state(id).state, "failed");
    EXPECT_THAT(jobs.state(id).log, ::testing::HasSubstr("nobody knows the job"));
}

}  // namespace
}  // namespace xpcs::portal
