// SPDX-License-Identifier: BSD-3-Clause
#include "host/options.hpp"

#include "host/arguments.hpp"
#include "host/errors.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <sstream>

namespace {

using namespace xpcs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Args = std::vector<std::string>;

void expect_refused(const Args& args, ExitCode code, const std::string& part) {
    try {
        parse_correlate(args);
        FAIL() << "accepted; expected a message with " << part;
    } catch (const Error& e) {
        EXPECT_EQ(e.code(), code) << e.what();
        EXPECT_THAT(e.what(), HasSubstr(part));
        EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    }
}

Args with_files(Args args) {
    args.insert(args.begin(), {"-r", "a.bin", "-q", "q.hdf"});
    return args;
}

TEST(Options, ProductionCommandLineIsReadAsItIs) {
    const auto c = parse_correlate({"-r",
                                    "a.bin",
                                    "-q",
                                    "q.hdf",
                                    "-o",
                                    "out",
                                    "-s",
                                    "dqmap",
                                    "-i",
                                    "-2",
                                    "-nf",
                                    "0",
                                    "-b",
                                    "-200",
                                    "-e",
                                    "900",
                                    "-f",
                                    "2",
                                    "-a",
                                    "3",
                                    "-t",
                                    "Multitau",
                                    "-d",
                                    "1,2,5-7",
                                    "-v",
                                    "-G",
                                    "-n",
                                    "-np",
                                    "4",
                                    "-p",
                                    "pre",
                                    "-u",
                                    "suf",
                                    "-w",
                                    "--bin-time-s",
                                    "2e-6",
                                    "--run-config-path",
                                    "rc.json",
                                    "--crop-ratio-threshold",
                                    "1.1"});
    RunConfig want;
    want.raw = {"a.bin"};
    want.qmap = "q.hdf";
    want.output = "out";
    want.smooth = "dqmap";
    want.gpu_id = -2;
    want.normalize_frame = false;
    want.begin_frame = -200;
    want.end_frame = 900;
    want.stride_frame = 2;
    want.avg_frame = 3;
    want.dq_selection = "1,2,5-7";
    want.verbose = want.save_G2 = want.dry_run = want.overwrite = true;
    want.num_partial_g2 = 4;
    want.prefix = "pre";
    want.suffix = "suf";
    want.bin_time_s = 2e-6;
    want.run_config_path = "rc.json";
    want.crop_ratio_threshold = 1.1;
    EXPECT_EQ(c, want);
}

TEST(Options, SpellingsOfArgparse) {
    EXPECT_EQ(parse_options({"-b-200"}).begin_frame, -200);
    EXPECT_EQ(parse_options({"-b=-200"}).begin_frame, -200);
    EXPECT_EQ(parse_options({"--begin-frame=-200"}).begin_frame, -200);
    EXPECT_EQ(parse_options({"--begin_frame", "-200"}).begin_frame, -200);
    EXPECT_EQ(parse_options({"--begin", "7"}).begin_frame, 7);
    EXPECT_FALSE(parse_options({"-nf=0"}).normalize_frame);
    EXPECT_FALSE(parse_options({"-nf", "False"}).normalize_frame);
    EXPECT_TRUE(parse_options({"-nf", "0", "-nf", "1"}).normalize_frame);
    EXPECT_EQ(parse_options({"-np", "3"}).num_partial_g2, 3);
    EXPECT_EQ(parse_options({"-i0"}).gpu_id, 0);
    EXPECT_TRUE(parse_options({"--save-g2"}).save_G2);
    EXPECT_TRUE(parse_options({"--save_G2"}).save_G2);
    EXPECT_EQ(parse_options({"--meta-fname", "m"}).metadata, "m");
    EXPECT_EQ(parse_options({"-t", "multitau"}).type, AnalysisType::multitau);
    const auto cluster = parse_options({"-vwb", "5"});
    EXPECT_TRUE(cluster.verbose && cluster.overwrite);
    EXPECT_EQ(cluster.begin_frame, 5);
    const auto n_then_f = parse_options({"-n", "-f", "2"});
    EXPECT_TRUE(n_then_f.dry_run && n_then_f.normalize_frame);
    EXPECT_EQ(n_then_f.stride_frame, 2);
    EXPECT_FALSE(parse_options({"--overwrite", "--overwrite=false"}).overwrite);
    EXPECT_EQ(parse_options({"-d", "- 5"}).dq_selection, "- 5");
    EXPECT_EQ(parse_options({"-o", "-"}).output, "-");
}

TEST(Options, RawFilesAddUpAndOtherOptionsTakeTheLast) {
    EXPECT_THAT(parse_options({"-r", "a", "b", "-b", "1", "-r", "c", "-b", "2"}).raw,
                ElementsAre("a", "b", "c"));
    EXPECT_EQ(parse_options({"-b", "1", "-b", "2"}).begin_frame, 2);
}

TEST(Options, WrongCommandLines) {
    expect_refused({"--begin-fram"}, ExitCode::usage, "--begin-fram needs a value");
    expect_refused({"--begni-frame", "1"}, ExitCode::usage, "did you mean '--begin-frame'");
    expect_refused({"-begin_frame", "1"}, ExitCode::usage, "did you mean '--begin-frame'");
    expect_refused({"--nun", "1"}, ExitCode::usage, "unknown option '--nun'");
    expect_refused({"--bad name=1"}, ExitCode::usage, "unknown option '--bad name'");
    expect_refused({"--fra"}, ExitCode::usage, "needs a value");
    expect_refused({"--me", "x"}, ExitCode::usage, "may mean --memory, --metadata");
    expect_refused({"-nf0"}, ExitCode::usage, "write -nf 0");
    expect_refused({"-np5"}, ExitCode::usage, "write -np 5");
    expect_refused({"-z"}, ExitCode::usage, "-z");
    expect_refused({"-b"}, ExitCode::usage, "whole number (frames)");
    expect_refused({"-p", "-w"}, ExitCode::usage, "--prefix=-w");
    expect_refused({"-f", "0"}, ExitCode::usage, "at least 1 (frames)");
    expect_refused({"-f", "1.5"}, ExitCode::usage, "'1.5'");
    expect_refused({"-i", "-4"}, ExitCode::usage, "at least -2");
    expect_refused({"-nf", "2"}, ExitCode::usage, "-nf '2'");
    expect_refused({"--overwrite=maybe"}, ExitCode::usage, "true or false");
    expect_refused({"-s", "sqmp"}, ExitCode::usage, "did you mean 'sqmap'");
    expect_refused({"--threads", "99999999999"}, ExitCode::usage, "99999999999");
    expect_refused({"--bin-time-s", "0"}, ExitCode::usage, "above 0 (s)");
    expect_refused({"-b", "1\n2"}, ExitCode::usage, "1\\n2");
    expect_refused(with_files({"stray"}), ExitCode::usage, "unexpected argument 'stray'");
    expect_refused(with_files({"--", "-b"}), ExitCode::usage, "unexpected argument '-b'");
    expect_refused(with_files({"--num-segments", "2"}), ExitCode::usage, "no counterpart");
    expect_refused(with_files({"--pbs-queue=x"}), ExitCode::usage, "xpcs-jobgen");
    expect_refused({""}, ExitCode::usage, "unexpected argument ''");
}

/// Every option of the production correlator (names as its public source has them, versions until
/// mid-2026): read as it is, or refused with a word on what to do instead; and told in the
/// documentation.
TEST(Options, EveryOptionOfTheProductionCorrelatorHasItsPlace) {
    struct Theirs {
        std::vector<std::string> spellings;
        const char* value;  ///< nullptr: a switch
        bool taken;
    };
    const Theirs options[] = {{{"-r", "--raw"}, "x.bin", true},
                              {{"-q", "--qmap"}, "x.hdf", true},
                              {{"-o", "--output"}, "dir", true},
                              {{"-s", "--smooth"}, "sqmap", true},
                              {{"-i", "--gpu-id", "--gpu_id"}, "0", true},
                              {{"-nf", "--normalize-frame"}, "0", true},
                              {{"-b", "--begin-frame", "--begin_frame"}, "0", true},
                              {{"-e", "--end-frame"}, "-1", true},
                              {{"-f", "--stride-frame"}, "2", true},
                              {{"-a", "--avg-frame"}, "2", true},
                              {{"-t", "--type"}, "Both", true},
                              {{"-d", "--dq-selection"}, "1,2,5-7", true},
                              {{"-v", "--verbose"}, nullptr, true},
                              {{"-G", "--save-G2", "--save_G2", "--save-g2"}, nullptr, true},
                              {{"-n", "--dry-run", "--dryrun"}, nullptr, true},
                              {{"-np", "--num-partial-g2"}, "3", true},
                              {{"-p", "--prefix"}, "p", true},
                              {{"-u", "--suffix"}, "s", true},
                              {{"-w", "--overwrite"}, nullptr, true},
                              {{"-c", "--config"}, "none.json", true},
                              {{"--crop-ratio-threshold"}, "1.1", true},
                              {{"--bin-time-s"}, "1e-6", true},
                              {{"--run-config-path"}, "x.json", true},
                              {{"--max-memory"}, "36", true},
                              {{"--meta-fname"}, "m.hdf", true},
                              {{"--num-segments"}, "2", false},
                              {{"--pbs-queue"}, "XpcsLowQ", false},
                              {{"--pbs-batch-size"}, "32", false},
                              {{"--pbs-gpus"}, "4", false},
                              {{"--batch-size", "--batch_size"}, "256", false},
                              {{"--num-loaders"}, "16", false}};
    std::ifstream file(XPCS_SOURCE_DIR "/docs/options.md");
    std::string page{std::istreambuf_iterator<char>(file), {}};
    page.erase(0, page.find("## From a `boost_corr` command line"));
    for (const Theirs& option : options) {
        EXPECT_THAT(page, HasSubstr("`" + option.spellings.front())) << "in docs/options.md";
        for (const std::string& name : option.spellings) {
            Args args{name};
            if (option.value != nullptr) args.emplace_back(option.value);
            if (!option.taken) {
                expect_refused(args, ExitCode::usage, "has no counterpart here: ");
                EXPECT_THROW(asks_for_help(args), Error) << name;  // what the program calls first
                continue;
            }
            const bool file_is_missing = name == "-c" || name == "--config";
            if (file_is_missing) {
                expect_refused(args, ExitCode::no_input, "none.json");
            } else {
                EXPECT_NO_THROW(parse_options(args)) << name;
            }
        }
    }
    for (const Args& submit : {Args{"-i", "-3"}, Args{"-i-3"}, Args{"--gpu_id=-3"}}) {
        expect_refused(submit, ExitCode::usage, "xpcs-jobgen");
    }
}

TEST(Options, TypesOfCorrelation) {
    const std::pair<const char*, AnalysisType> types[] = {
        {"Multitau", AnalysisType::multitau},
        {"Twotime", AnalysisType::twotime},
        {"Both", AnalysisType::both},
        {"TwotimeMultitau", AnalysisType::twotime_multitau}};
    for (const auto& [name, type] : types) {
        EXPECT_EQ(parse_correlate(with_files({"-t", name})).type, type);
        EXPECT_EQ(to_string(type), name);
    }
    expect_refused(with_files({"-t", "Threetime"}), ExitCode::usage, "one of Multitau");
}

TEST(Options, ImpossibleCombinationsAreConfigurationErrors) {
    expect_refused(with_files({"-b", "10", "-e", "10"}), ExitCode::config, "10");
    expect_refused(with_files({"-e", "-5"}), ExitCode::config, "-5");
    expect_refused(with_files({"--no-metadata", "--metadata", "m"}), ExitCode::config, "exclude");
}

std::string any_text(std::mt19937& random) {
    static const std::vector<std::string> pieces = {
        "",     " ", "-", "--", "=", "'", "\"", "\\", "\n",   "\t",       "$(x)",
        "`",    ";", "a", "-b", "*", "1", "-5", "{}", "true", "\xC3\xA9", "\xE2\x82\xAC",
        "\xFF", "#", "%", "&|", "/", ":"};
    std::string out;
    for (auto n = random() % 5; n > 0; --n) {
        out += pieces[random() % pieces.size()];
    }
    return out;
}

RunConfig any_config(std::mt19937& random) {
    RunConfig c;
    const auto maybe = [&] { return random() % 2 == 0; };
    for (auto n = random() % 4; n > 0; --n) {
        c.raw.push_back(any_text(random));
    }
    for (auto* text : {&c.qmap,
                       &c.output,
                       &c.dq_selection,
                       &c.prefix,
                       &c.suffix,
                       &c.run_config_path,
                       &c.device,
                       &c.metadata,
                       &c.dataset,
                       &c.channel,
                       &c.summary}) {
        if (maybe()) {
            *text = any_text(random);
        }
    }
    for (auto* flag : {&c.verbose,
                       &c.save_G2,
                       &c.dry_run,
                       &c.overwrite,
                       &c.no_metadata,
                       &c.transpose_qmap,
                       &c.split_static,
                       &c.strict,
                       &c.drop_bad_index,
                       &c.mask_hot,
                       &c.allow_missing_module,
                       &c.allow_truncated,
                       &c.series,
                       &c.normalize_frame}) {
        *flag = maybe();
    }
    const auto number = [&] {
        return static_cast<std::int64_t>((std::uint64_t{random()} << 31) ^ random());
    };
    if (maybe()) {
        c.begin_frame = -number();
        c.end_frame = maybe() ? std::numeric_limits<std::int64_t>::min() : number();
        c.stride_frame = 1 + number();
        c.avg_frame = std::numeric_limits<std::int64_t>::max();
        c.num_partial_g2 = number();
        c.n_frames = number();
    }
    c.gpu_id = static_cast<int>(random() % 6) - 2;
    c.threads = static_cast<int>(random() % 1000);
    std::uniform_real_distribution<double> real(1e-12, 1e3);
    c.bin_time_s = real(random);
    c.crop_ratio_threshold = maybe() ? 0.5 : real(random);
    c.memory_gib = maybe() ? 0 : real(random);
    c.frame_time_s = maybe() ? 0 : real(random);
    c.type = static_cast<AnalysisType>(random() % 3);
    c.engine = static_cast<EngineChoice>(random() % 3);
    c.decode = maybe() ? "auto" : maybe() ? "cpu" : "gpu";
    c.smooth = maybe() ? "sqmap" : "dqmap";
    c.partial = maybe() ? "slices" : "cumulative";
    c.monitor = maybe() ? "" : "beam.h5:/i0";
    c.errors = maybe();
    c.dark = maybe() ? "" : "dark.h5";
    c.dark_frames = maybe() ? "" : "0:10";
    c.flat = maybe() ? "" : "flat.h5:/f";
    c.wait_s = maybe() ? 0 : real(random);
    c.lld = maybe() ? 0 : real(random);
    c.sigma = maybe() ? 0 : real(random);
    c.overflow = maybe() ? "run" : "frame";
    c.progress = maybe() ? "never" : "auto";
    c.log_level = maybe() ? "error" : "info";
    c.log_format = maybe() ? "json" : "text";
    return c;
}

TEST(Options, EveryConfigurationComesBackFromItsCommandLine) {
    std::mt19937 random(20240611);
    for (int i = 0; i < 3000; ++i) {
        const RunConfig c = any_config(random);
        const auto args = to_command_line(c);
        ASSERT_EQ(parse_options(args), c) << ::testing::PrintToString(args);
        ASSERT_EQ(to_command_line(parse_options(args)), args);
    }
}

TEST(Options, AlsoWhenValuesCameFromAFile) {
    const auto path = std::filesystem::path(::testing::TempDir()) / "xpcs_options_roundtrip.json";
    std::ofstream(path) << R"({"raw": ["x", "y"], "begin_frame": 5, "overwrite": true,
                               "normalize_frame": false, "prefix": "p"})";
    std::mt19937 random(7);
    for (int i = 0; i < 300; ++i) {
        RunConfig c = any_config(random);
        c.config_file = path.string();
        if (c.raw.empty()) {
            c.raw = {"z"};
        }
        ASSERT_EQ(parse_options(to_command_line(c)), c);
    }
    std::filesystem::remove(path);
}

TEST(Options, ListOfRawFiles) {
    const auto path = std::filesystem::path(::testing::TempDir()) / "xpcs_raw_list.txt";
    std::ofstream(path) << "one.bin\r\n\n  two words.bin  \n";
    EXPECT_THAT(parse_correlate({"-r", path.string(), "-q", "q"}).raw,
                ElementsAre("one.bin", "two words.bin"));
    std::ofstream(path) << "\n";
    expect_refused({"-r", path.string(), "-q", "q"}, ExitCode::data, "is empty");
    std::filesystem::remove(path);
    expect_refused({"-r", path.string(), "-q", "q"}, ExitCode::no_input, path.string());
}

TEST(Options, HelpNamesEveryOptionOnLinesOfAtMost80Columns) {
    const std::string help = correlate_help();
    for (const auto& spec : run_options().specs()) {
        EXPECT_THAT(help, HasSubstr("--" + spec.name));
    }
    std::istringstream lines(help);
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), 80u) << line;
    }
    EXPECT_TRUE(asks_for_help({"-b", "1", "-h"}));
    EXPECT_TRUE(asks_for_help({"--help"}));
    EXPECT_FALSE(asks_for_help({"-b", "1"}));
}

TEST(Options, DocumentationShowsTheTable) {
    std::ifstream file(XPCS_SOURCE_DIR "/docs/options.md");
    const std::string page{std::istreambuf_iterator<char>(file), {}};
    EXPECT_THAT(page, HasSubstr(options_markdown(run_options().specs())))
        << "replace the tables in docs/options.md by what `xpcs-corr correlate --help-markdown` "
           "prints";
}

}  // namespace
