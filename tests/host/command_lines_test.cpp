// SPDX-License-Identifier: BSD-3-Clause
// The command lines of simulate and make-qmap, down to the files they write.
#include "host/commands.hpp"
#include "host/errors.hpp"
#include "host/qmap.hpp"
#include "tests/host/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

namespace {

using namespace xpcs;
using ::testing::HasSubstr;
using xpcs::testing::TempDir;

using CommandFunction = int (*)(const CommandArgs&);

void expect_refused(CommandFunction run,
                    const CommandArgs& args,
                    ExitCode code,
                    const std::string& part) {
    try {
        run(args);
        FAIL() << "accepted; expected a message with " << part;
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), code) << e.what();
        EXPECT_THAT(e.what(), HasSubstr(part));
    }
}

std::string output_of(CommandFunction run, const CommandArgs& args) {
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(run(args), 0);
    return ::testing::internal::GetCapturedStdout();
}

TEST(CommandLines, MakeQmapPutsEveryOptionInItsPlace) {
    const TempDir directory;
    const std::string path = directory.file("q.hdf");
    const CommandArgs args = {"-o",
                              path,
                              "--rows",
                              "40",
                              "--cols",
                              "60",
                              "--pixel-size",
                              "75e-6",
                              "--energy",
                              "10",
                              "--distance",
                              "4",
                              "--beam-x",
                              "-5",
                              "--beam-y",
                              "20",
                              "--mask-rectangle",
                              "0,0,10,60",
                              "--mask-circle",
                              "30,30,4",
                              "--static-q",
                              "8",
                              "--dynamic-q",
                              "4",
                              "--source",
                              "run7"};
    EXPECT_THAT(output_of(cmd_make_qmap, args),
                HasSubstr("40 x 60 pixels, 8 static and 4 dynamic"));
    const QMap qmap = load_qmap(path);
    EXPECT_EQ(qmap.rows, 40);
    EXPECT_EQ(qmap.cols, 60);
    EXPECT_EQ(qmap.beam_center_x, -5);
    EXPECT_EQ(qmap.beam_center_y, 20);
    EXPECT_EQ(qmap.pixel_size_m, 75e-6);
    EXPECT_EQ(qmap.detector_distance_m, 4);
    EXPECT_EQ(qmap.energy_keV, 10);
    EXPECT_EQ(qmap.mask[9 * 60 + 59], 0);
    EXPECT_EQ(qmap.mask[10 * 60 + 59], 1);
    EXPECT_EQ(qmap.mask[30 * 60 + 34], 0);
    EXPECT_EQ(qmap.mask[30 * 60 + 35], 1);
    expect_refused(cmd_make_qmap, args, ExitCode::cannot_create, path);
    auto again = args;
    again.push_back("-w");
    EXPECT_FALSE(output_of(cmd_make_qmap, again).empty());
}

TEST(CommandLines, MakeQmapRefuses) {
    const auto refused = [](const CommandArgs& args, ExitCode code, const std::string& part) {
        expect_refused(cmd_make_qmap, args, code, part);
    };
    refused({"--enrgy", "10"}, ExitCode::usage, "did you mean '--energy'");
    refused({"--mask-rectangle", "1,2,3"}, ExitCode::usage, "4 numbers");
    refused({"--mask-rectangle", "1,2,3,4.5"}, ExitCode::usage, "whole numbers");
    refused({"--keep-circle", "1,,3"}, ExitCode::usage, "3 numbers");
    refused({"--static-q", "0"}, ExitCode::usage, "at least 1");
    refused({"--detector", "eiger5m"}, ExitCode::usage, "did you mean 'eiger4m'");
    refused({"--detector", "rigaku500k", "--distance", "4"}, ExitCode::config, "energy");
}

TEST(CommandLines, SimulateWritesTheSameBytesForTheSameSeed) {
    const TempDir directory;
    const auto simulate_to = [&](const std::string& name, const std::string& seed) {
        return output_of(cmd_simulate,
                         {"-o",
                          directory.file(name),
                          "--rows",
                          "32",
                          "--cols",
                          "64",
                          "--frames",
                          "50",
                          "--occupancy",
                          "0.1",
                          "--seed",
                          seed,
                          "--hot-pixel",
                          "7",
                          "--beam-x",
                          "-3.5",
                          "--progress",
                          "never"});
    };
    const std::string one = simulate_to("a.bin", "5"), two = simulate_to("b.bin", "5"),
                      other = simulate_to("c.bin", "6");
    const auto events = [](const std::string& text) { return text.substr(0, text.find('\n')); };
    EXPECT_EQ(events(one), events(two));
    EXPECT_NE(events(one), events(other));
    for (const char* name : {"a.bin", "a_metadata.hdf", "a_truth.json"}) {
        EXPECT_TRUE(std::filesystem::exists(directory.file(name))) << name;
        EXPECT_THAT(one, HasSubstr(name));
    }
    expect_refused(cmd_simulate, {"-o", directory.file("a.bin")}, ExitCode::cannot_create, "a.bin");
}

TEST(CommandLines, SimulateRefuses) {
    const auto refused = [](const CommandArgs& args, const std::string& part) {
        expect_refused(cmd_simulate, args, ExitCode::usage, part);
    };
    refused({}, "no output file");
    refused({"-o", "x.bin", "--format", "rigku"}, "did you mean 'rigaku'");
    refused({"-o", "x.bin", "--frames", "0"}, "at least 1");
    refused({"-o", "x.bin", "--contrast", "1.5"}, "at most 1");
    refused({"-o", "x.bin", "--beam-x", "middle"}, "--beam-x 'middle'");
    refused({"-o", "x.bin", "--hot-pixel", "1.5"}, "--hot-pixel '1.5'");
    refused({"-o", "x.h5", "--sample-bytes", "3"}, "one of 1, 2, 4");
}

TEST(CommandLines, HelpFits80Columns) {
    for (const CommandFunction run : {&cmd_simulate, &cmd_make_qmap}) {
        std::istringstream lines(output_of(run, {"--help"}));
        int n = 0;
        for (std::string line; std::getline(lines, line); ++n) {
            EXPECT_LE(line.size(), 80u) << line;
        }
        EXPECT_GT(n, 20);
    }
}

}  // namespace
