// SPDX-License-Identifier: BSD-3-Clause
#include "host/config_file.hpp"

#include "host/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace {

using namespace xpcs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConfigFile : public ::testing::Test {
  protected:
    void SetUp() override {
        directory_ = std::filesystem::path(::testing::TempDir()) /
                     ::testing::UnitTest::GetInstance()->current_test_info()->name();
        std::filesystem::create_directories(directory_);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::string file(const std::string& name, const std::string& content) {
        const auto path = directory_ / name;
        std::ofstream(path, std::ios::binary) << content;
        return path.string();
    }
    RunConfig read(const std::string& name, const std::string& content) {
        return parse_options({"-c", file(name, content)});
    }
    void expect_refused(const std::string& name,
                        const std::string& content,
                        const std::string& part,
                        ExitCode code = ExitCode::config) {
        try {
            read(name, content);
            FAIL() << "accepted: " << content;
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), code) << e.what();
            EXPECT_THAT(e.what(), HasSubstr(part)) << content;
            EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
        }
    }
    std::filesystem::path directory_;
};

TEST_F(ConfigFile, ProductionConfiguration) {
    const auto c = read("run.json", R"({
  "qmap": "/data/qmap.h5",
  "output": "/tmp/results",
  "smooth": "sqmap",
  "gpu_id": 0,
  "begin_frame": 1,
  "end_frame": -1,
  "stride_frame": 1,
  "avg_frame": 1,
  "type": "Multitau",
  "normalize_frame": false,
  "dq_selection": "1,2",
  "verbose": true,
  "overwrite": false,
  "dryrun": true,
  "save_G2": true,
  "prefix": null,
  "crop_ratio_threshold": 0.75
})");
    EXPECT_EQ(c.qmap, "/data/qmap.h5");
    EXPECT_EQ(c.gpu_id, 0);
    EXPECT_EQ(c.begin_frame, 1);
    EXPECT_FALSE(c.normalize_frame);
    EXPECT_EQ(c.dq_selection, "1,2");
    EXPECT_TRUE(c.verbose && c.dry_run && c.save_G2);
    EXPECT_FALSE(c.overwrite);
    EXPECT_EQ(c.prefix, "");
    EXPECT_EQ(c.crop_ratio_threshold, 0.75);
}

TEST_F(ConfigFile, YamlSaysTheSame) {
    const auto c =
        read("run.yaml",
             "# of tonight\nraw: [a.bin, 'b c.bin']\nbegin-frame: 5\nnormalize_frame: 0\n"
             "prefix: 12\nsuffix: 'true'\nframe_time: 1e-3\noverwrite: true\nmetadata: ~\n");
    EXPECT_THAT(c.raw, ElementsAre("a.bin", "b c.bin"));
    EXPECT_EQ(c.begin_frame, 5);
    EXPECT_FALSE(c.normalize_frame);
    EXPECT_EQ(c.prefix, "12");
    EXPECT_EQ(c.suffix, "true");
    EXPECT_EQ(c.frame_time_s, 1e-3);
    EXPECT_TRUE(c.overwrite);
    EXPECT_EQ(c.metadata, "");
}

TEST_F(ConfigFile, JsonKeepsItsTypesAndEscapes) {
    const auto c = read("x.json",
                        "\xEF\xBB\xBF{\t\"prefix\": \"null\", \"suffix\": \"1\",\n"
                        "\"output\": \"\\u00e9\\ud83d\\ude00\\/\", \"raw\": \"one\"}");
    EXPECT_EQ(c.prefix, "null");
    EXPECT_EQ(c.suffix, "1");
    EXPECT_EQ(c.output, "\xC3\xA9\xF0\x9F\x98\x80/");
    EXPECT_THAT(c.raw, ElementsAre("one"));
    expect_refused("t.json", "{\n\"gpu_id\": \"0\"}", "t.json:2: gpu_id: '0' is of the wrong type");
    expect_refused("t.json", "{\"prefix\": 5}", "a text");
    expect_refused("t.json", "{\"overwrite\": 1}", "true or false");
    expect_refused("t.json", "{\"overwrite\": \"true\"}", "true or false");
    expect_refused("t.json", "{\"stride_frame\": 1.0}", "whole number");
    expect_refused("t.yaml", "gpu_id: '0'\n", "wrong type");
}

TEST_F(ConfigFile, CommandLineWinsAlsoWithADefaultValue) {
    const auto path = file("run.json", R"({"raw": ["x"], "begin_frame": 5, "overwrite": true})");
    const auto c = parse_options({"-b", "0", "-c", path, "-r", "y", "--overwrite=false"});
    EXPECT_EQ(c.begin_frame, 0);
    EXPECT_FALSE(c.overwrite);
    EXPECT_THAT(c.raw, ElementsAre("y"));
    EXPECT_EQ(c.config_file, path);
    EXPECT_EQ(parse_options({"-c", path}).begin_frame, 5);
}

TEST_F(ConfigFile, UnknownKeysAreRefusedWithLineAndNearestKey) {
    expect_refused("a.json",
                   "{\"qmap\": \"q\",\n\n \"begin_frmae\": 1}",
                   "a.json:3: unknown key 'begin_frmae' (did you mean 'begin_frame'?)");
    expect_refused("a.yaml",
                   "qmap: q\n\n\nstride-frme: 1\n",
                   "a.yaml:4: unknown key 'stride-frme' (did you mean 'stride_frame'?)");
    expect_refused("a.yaml", "<<: 1\n", "unknown key '<<'");
    expect_refused("a.json", "{\"config\": \"b.json\"}", "cannot name another one");
}

TEST_F(ConfigFile, BadValuesNameFileLineAndRange) {
    expect_refused("a.json", "{\n\"stride_frame\": 0}", "a.json:2: stride_frame: '0'");
    expect_refused("a.json", "{\n\"stride_frame\": 0}", "at least 1 (frames)");
    expect_refused("a.yaml", "smooth: dqmp\n", "did you mean 'dqmap'");
    expect_refused("a.yaml", "overwrite: yes\n", "true or false");
    expect_refused("a.json", "{\"begin_frame\": 99999999999999999999}", "99999999999999999999");
}

TEST_F(ConfigFile, MalformedFiles) {
    expect_refused("a.json", "{\"qmap\": \"q\",\n\"a\" 1}", "a.json:2: not valid JSON");
    expect_refused("a.json", "", "not valid JSON");
    expect_refused("a.json", "[1]", "a list where");
    expect_refused("a.json", "5", "a single value");
    expect_refused("a.json", "{\"raw\": [[\"a\"]]}", "list");
    expect_refused("a.json", "{\"raw\": {\"a\": 1}}", "an object inside");
    expect_refused("a.json", "{\"qmap\": [\"a\"]}", "a list is not allowed");
    expect_refused("a.json", "{\"raw\": [5]}", "wrong type");
    expect_refused("a.json", "{\"qmap\": \"a\", \"qmap\": \"b\"}", "given twice");
    expect_refused("a.json", "{\"save_G2\": true, \"save_g2\": true}", "given twice");
    expect_refused("a.json", "{} x", "not valid JSON");
    expect_refused("a.json", std::string(100000, '['), "list");
    expect_refused("a.yaml", "qmap: a\nqmap: b\n", "given twice");
    expect_refused("a.yaml", "qmap: [\n", "not valid YAML");
    expect_refused("a.yaml", "- a\n", "key: value");
    expect_refused("a.yaml", "qmap: {a: 1}\n", "nested");
    expect_refused("a.yaml", std::string(100000, '['), "a.yaml:");
    RunConfig defaults = read("empty.yaml", "");
    defaults.config_file.clear();
    EXPECT_EQ(defaults, RunConfig{});
    EXPECT_EQ(read("no-suffix", "{\"begin_frame\": 2}").begin_frame, 2);
    EXPECT_EQ(read("no-suffix", "begin_frame: 2").begin_frame, 2);
}

TEST_F(ConfigFile, MissingFileIsMissingInput) {
    for (const auto& path : {(directory_ / "none.json").string(), directory_.string()}) {
        try {
            parse_options({"-c", path});
            FAIL() << path;
        } catch (const Error& e) {
            EXPECT_EQ(e.code(), ExitCode::no_input);
            EXPECT_THAT(e.what(), HasSubstr(path));
        }
    }
}

TEST_F(ConfigFile, AZeroByteIsRefused) {
    using namespace std::string_literals;
    expect_refused("zero.yaml", "raw: a\0b\n"s, "zero byte");
    expect_refused("zero.yaml", "\0,l"s, "zero byte");
}

TEST_F(ConfigFile, NestingIsBounded) {
    for (const std::string open : {"[", "{a: ", "- "}) {
        std::string text = "raw: ";
        for (int i = 0; i < 20'000; ++i)
            text += open;
        expect_refused("deep.yaml", text, "deep.yaml");
    }
    expect_refused("deep.json", "{\"raw\": " + std::string(1'000'000, '['), "deep.json");
}

}  // namespace
