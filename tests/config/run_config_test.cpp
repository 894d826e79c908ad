// SPDX-License-Identifier: BSD-3-Clause
#include "host/run_config.hpp"

#include "host/errors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace {

using namespace xpcs;
using testing::ElementsAre;
using testing::HasSubstr;

RunConfig runnable() {
    RunConfig c;
    c.raw = {"a.bin"};
    c.qmap = "q.hdf";
    return c;
}

void expect_refused(const RunConfig& config, ExitCode code, const std::string& part) {
    try {
        check_config(config);
        FAIL() << "accepted; expected a message with " << part;
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), code) << e.what();
        EXPECT_THAT(e.what(), HasSubstr(part));
        EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    }
}

TEST(RunConfig, DefaultsAreThoseOfTheProductionCorrelator) {
    const RunConfig c;
    EXPECT_EQ(c.output, "cluster_results");
    EXPECT_EQ(c.smooth, "sqmap");
    EXPECT_EQ(c.gpu_id, -1);
    EXPECT_TRUE(c.normalize_frame);
    EXPECT_EQ(c.begin_frame, 0);
    EXPECT_EQ(c.end_frame, -1);
    EXPECT_EQ(c.stride_frame, 1);
    EXPECT_EQ(c.avg_frame, 1);
    EXPECT_EQ(to_string(c.type), "Multitau");
    EXPECT_EQ(c.dq_selection, "all");
    EXPECT_FALSE(c.verbose || c.save_G2 || c.dry_run || c.overwrite);
    EXPECT_EQ(c.num_partial_g2, 0);
    EXPECT_EQ(c.crop_ratio_threshold, 0.5);
    EXPECT_EQ(c.bin_time_s, 1e-6);
    EXPECT_EQ(device_of(c), "cpu");
}

TEST(RunConfig, TableHasUniqueNamesAndHelpForEachOption) {
    std::set<std::string> names, shorts;
    for (const auto& spec : run_options().specs()) {
        EXPECT_TRUE(names.insert(spec.name).second) << spec.name;
        for (const auto& alias : spec.aliases) {
            EXPECT_TRUE(names.insert(alias).second) << alias;
        }
        if (!spec.short_name.empty()) {
            EXPECT_TRUE(shorts.insert(spec.short_name).second) << spec.short_name;
        }
        EXPECT_FALSE(spec.help.empty()) << spec.name;
        EXPECT_FALSE(spec.group.empty()) << spec.name;
        EXPECT_EQ(spec.metavar.empty(), spec.kind == ValueKind::flag) << spec.name;
    }
    for (const char* name : {"r", "q", "o", "s", "i", "nf", "b", "e", "f", "a",
                             "t", "d", "v", "G", "n", "np", "p", "u", "w", "c"}) {
        EXPECT_EQ(shorts.count(name), 1u) << name;
    }
}

TEST(RunConfig, CommandLineNamesOnlyWhatDiffersFromTheDefault) {
    RunConfig c = runnable();
    c.begin_frame = -200;
    c.normalize_frame = false;
    c.overwrite = true;
    EXPECT_THAT(to_command_line(c),
                ElementsAre("--raw=a.bin",
                            "--qmap=q.hdf",
                            "--overwrite",
                            "--begin-frame=-200",
                            "--normalize-frame=0"));
    EXPECT_TRUE(to_command_line(RunConfig{}).empty());
}

TEST(RunConfig, DeviceOptionWinsOverGpuId) {
    RunConfig c;
    c.gpu_id = 3;
    EXPECT_EQ(device_of(c), "gpu:3");
    c.gpu_id = -2;
    EXPECT_EQ(device_of(c), "auto");
    c.device = "gpu:all";
    EXPECT_EQ(device_of(c), "gpu:all");
}

TEST(RunConfig, SelectionsAreSortedAndUnique) {
    EXPECT_TRUE(parse_dq_selection("all").empty());
    EXPECT_THAT(parse_dq_selection("5-7,1,2,6"), ElementsAre(1, 2, 5, 6, 7));
    EXPECT_THAT(parse_dq_selection("1, 2, 5-7"), ElementsAre(1, 2, 5, 6, 7));
    EXPECT_THAT(parse_dq_selection("3,,"), ElementsAre(3));
    for (const char* bad : {"",
                            ",",
                            "0",
                            "-3",
                            "7-5",
                            "1-2-3",
                            "x",
                            "1;2",
                            "99999999999999999999",
                            "1-1000001",
                            "1.5",
                            "+1",
                            "ALL"}) {
        EXPECT_THROW(parse_dq_selection(bad), Error) << bad;
    }
}

TEST(RunConfig, ChecksBeforeAnyFileIsOpened) {
    EXPECT_NO_THROW(check_config(runnable()));
    expect_refused(RunConfig{}, ExitCode::usage, "no raw file");
    const auto with = [](auto change) {
        RunConfig c = runnable();
        change(c);
        return c;
    };
    expect_refused(with([](auto& c) { c.qmap = ""; }), ExitCode::usage, "no q-map");
    expect_refused(with([](auto& c) { c.raw = {"a", ""}; }), ExitCode::usage, "empty");
    expect_refused(with([](auto& c) { c.output = ""; }), ExitCode::usage, "output directory");
    expect_refused(with([](auto& c) { c.end_frame = -2; }), ExitCode::config, "-2");
    expect_refused(with([](auto& c) { c.begin_frame = c.end_frame = 5; }), ExitCode::config, "5");
    expect_refused(with([](auto& c) { c.begin_frame = c.n_frames = 9; }), ExitCode::config, "9");
    expect_refused(with([](auto& c) { c.prefix = "../x"; }), ExitCode::usage, "../x");
    expect_refused(with([](auto& c) { c.suffix = "a/b"; }), ExitCode::usage, "a/b");
    expect_refused(with([](auto& c) { c.dq_selection = "x"; }), ExitCode::usage, "'x'");
    expect_refused(with([](auto& c) {
                       c.no_metadata = true;
                       c.metadata = "m.hdf";
                   }),
                   ExitCode::config,
                   "m.hdf");
    expect_refused(with([](auto& c) {
                       c.raw = {"a", "b"};
                       c.metadata = "m.hdf";
                   }),
                   ExitCode::config,
                   "2 raw files");
    for (const char* device : {"gpu", "gpu:", "gpu:x", "gpu:-1", "GPU:0", "cuda:0", "gpu:99999"}) {
        expect_refused(with([&](auto& c) { c.device = device; }), ExitCode::usage, device);
    }
    for (const char* device : {"cpu", "auto", "gpu:0", "gpu:15", "gpu:all"}) {
        EXPECT_NO_THROW(check_config(with([&](auto& c) { c.device = device; })));
    }
}

TEST(RunConfig, OptionsThatNeedOrExcludeOthers) {
    const auto with = [](auto change) {
        RunConfig c = runnable();
        change(c);
        return c;
    };
    const auto refused = [&](auto change, const std::string& words) {
        expect_refused(with(change), ExitCode::config, words);
    };
    refused([](auto& c) { c.follow_quiet_s = 5; }, "give --follow as well");
    refused([](auto& c) { c.follow = c.series = true; }, "--series exclude each other");
    refused(
        [](auto& c) {
            c.follow = true;
            c.dataset = "/x";
        },
        "--dataset exclude each other");
    refused(
        [](auto& c) {
            c.follow = true;
            c.channel = "1";
        },
        "--channel exclude each other");
    refused([](auto& c) { c.follow = c.save_G2 = true; }, "--save-G2 exclude each other");
    for (const AnalysisType type :
         {AnalysisType::twotime, AnalysisType::both, AnalysisType::twotime_multitau}) {
        refused(
            [&](auto& c) {
                c.follow = true;
                c.type = type;
            },
            "two-time");
    }
    refused(
        [](auto& c) {
            c.progress = "always";
            c.log_format = "json";
        },
        "--log-format json");
    EXPECT_NO_THROW(check_config(with([](auto& c) {
        c.follow = true;
        c.follow_quiet_s = 5;
        c.progress = "always";
    })));
    EXPECT_NO_THROW(check_config(with([](auto& c) {
        c.log_format = "json";
        c.progress = "never";
    })));
}

TEST(OptionText, NumbersReadBackAsTheyWere) {
    const OptionSpec any;
    for (const double value : {0.1, 1e-300, 1.0 / 3, 12345678901234567.0, -0.0, 5e-324}) {
        EXPECT_EQ(option_text::to_real(option_text::from_real(value), any), value);
    }
    for (const char* bad : {"", " 1", "1 ", "1,5", "nan", "inf", "0x10", "1e999", "--1", "+"}) {
        EXPECT_THROW(option_text::to_real(bad, any), BadValue) << bad;
    }
    EXPECT_EQ(option_text::to_integer("+7", any), 7);
    for (const char* bad : {"", "1.0", "1e3", "9223372036854775808", "seven", "1\n"}) {
        EXPECT_THROW(option_text::to_integer(bad, any), BadValue) << bad;
    }
}

}  // namespace
