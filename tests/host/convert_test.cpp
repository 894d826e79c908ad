// SPDX-License-Identifier: BSD-3-Clause
// Conversions there and back, and what a format cannot hold.
#include "host/convert.hpp"

#include "host/h5.hpp"
#include "host/simulate.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

namespace xpcs {
namespace {

using testing::Event;
using testing::expect_error;

class Convert : public ::testing::Test {
  protected:
    ConvertReport to(const std::string& input, const std::string& output, bool drop = false) {
        ConvertOptions options;
        options.input = input;
        options.output = output;
        options.rows = 20;
        options.cols = 30;
        options.drop_no_data = drop;
        return convert(options);
    }
    std::vector<Event> events_of(const std::string& path) {
        const auto source = open_frame_source(path, {});
        source->set_shape(20, 30);
        auto events = testing::read_events(*source).events;
        std::sort(events.begin(), events.end());
        return events;
    }
    testing::TempDir directory_;
};

TEST_F(Convert, SimulatedRunThroughEveryFormat) {
    SimulateOptions options;
    options.output = directory_.file("a.bin");
    options.rows = 20;
    options.cols = 30;
    options.n_frames = 300;
    options.occupancy = 0.05;
    options.seed = 9;
    simulate(options);
    const std::string imm = directory_.file("a.imm"), h5 = directory_.file("a.h5"),
                      back = directory_.file("b.bin");
    const ConvertReport first = to(options.output, imm);
    EXPECT_EQ(first.format, "rigaku64");
    EXPECT_GT(first.n_events, 5000);
    EXPECT_EQ(to(imm, h5).format, "imm");
    EXPECT_EQ(to(h5, back).format, "hdf5-sparse");
    const auto expected = events_of(options.output);
    EXPECT_EQ(events_of(imm), expected);
    EXPECT_EQ(events_of(h5), expected);
    EXPECT_EQ(events_of(back), expected);
    EXPECT_EQ(open_frame_source(h5, {})->info().rows, 20);
}

TEST_F(Convert, EmptyLastFramesLargeCountsAndDuplicatesSurvive) {
    const std::string raw = directory_.file("a.bin");
    testing::write_words(raw, testing::words_of({{0, 5, 4095}, {0, 5, 10}, {3, 7, 1}, {9, 0, 0}}));
    const std::string h5 = directory_.file("a.h5"), back = directory_.file("b.bin");
    const ConvertReport report = to(raw, h5);
    EXPECT_EQ(report.n_frames, 10);
    EXPECT_EQ(report.duplicates, 1);
    EXPECT_EQ(report.n_photons, 4106);
    EXPECT_EQ(events_of(h5), (std::vector<Event>{{0, 5, 4105}, {3, 7, 1}}));
    EXPECT_EQ(to(h5, back).n_frames, 10);
    EXPECT_EQ(events_of(back), (std::vector<Event>{{0, 5, 10}, {0, 5, 4095}, {3, 7, 1}}));
}

TEST_F(Convert, SamplesWithoutDataAreRefusedUnlessDropped) {
    const std::string dense = directory_.file("dense.h5"), out = directory_.file("out.h5");
    {
        const h5::File file = h5::create_file(dense);
        std::vector<std::uint16_t> samples(2 * 600, 0);
        samples[3] = 65535;
        samples[600 + 599] = 65534;
        h5::write(file.id(), "/entry/data/data", samples, {2, 20, 30});
    }
    expect_error(
        ExitCode::data, {"1 samples without data", "--drop-no-data"}, [&] { to(dense, out); });
    EXPECT_FALSE(std::filesystem::exists(out));
    EXPECT_EQ(to(dense, out, true).no_data, 1);
    EXPECT_EQ(events_of(out), (std::vector<Event>{{1, 599, 65534}}));
    expect_error(ExitCode::cannot_create, {"out.h5", "exists"}, [&] { to(dense, out, true); });
}

TEST_F(Convert, NeverTakesThePlaceOfWhatItReads) {
    const std::string raw = directory_.file("a.bin"), link = directory_.file("b.bin");
    const auto words = testing::words_of({{0, 5, 1}, {0, 5, 2}, {1, 700, 1}});
    testing::write_words(raw, words);
    std::filesystem::create_symlink(raw, link);
    ConvertOptions options;
    options.input = raw;
    options.overwrite = options.source.drop_bad_index = true;
    options.rows = 20;
    options.cols = 30;
    for (const std::string& output : {raw, link}) {
        options.output = output;
        expect_error(ExitCode::usage, {output, "is read here"}, [&] { convert(options); });
    }
    EXPECT_EQ(std::filesystem::file_size(raw), 8 * words.size());

    options.output = directory_.file("pipe.bin");
    ASSERT_EQ(::mkfifo(options.output.c_str(), 0600), 0);
    expect_error(
        ExitCode::cannot_create, {"pipe.bin", "not a regular file"}, [&] { convert(options); });
    EXPECT_TRUE(std::filesystem::is_fifo(options.output));

    // A master with a link to the frames, which would be lost.
    const std::string data = directory_.file("data.h5"), master = directory_.file("master.h5");
    {
        h5::write(h5::create_file(data).id(),
                  "/entry/data/data",
                  std::vector<std::uint16_t>(600, 1),
                  {1, 20, 30});
        const h5::File file = h5::create_file(master);
        h5::require_group(file.id(), "/entry/data");
        h5::link_external(file.id(), "/entry/data/data_1", "data.h5", "/entry/data/data");
    }
    options.input = master;
    options.output = data;
    expect_error(ExitCode::usage, {"data.h5", "is read here"}, [&] { convert(options); });
}

TEST_F(Convert, FramesBeyondThoseOfTheAcquisitionAreLeftOutAndCounted) {
    const std::string raw = directory_.file("a.bin");
    testing::write_words(raw, testing::words_of({{0, 5, 1}, {3, 5, 2}, {9, 7, 1}}));
    ConvertOptions options;
    options.input = raw;
    options.output = directory_.file("a.h5");
    options.source.n_frames = 3;
    const ConvertReport report = convert(options);
    EXPECT_EQ(report.n_frames, 3);
    EXPECT_EQ(report.late, 2);
    EXPECT_EQ(report.n_events, 1);
    EXPECT_EQ(open_frame_source(options.output, {})->info().n_frames, 3);
}

TEST_F(Convert, WhatAFormatCannotHold) {
    const std::string sparse = directory_.file("a.h5");
    {
        const h5::File file = h5::create_file(sparse);
        const std::string group = "/entry_0000/measurement/data";
        h5::write(file.id(), group + "/frame_ptr", std::vector<std::uint64_t>{0, 1});
        h5::write(file.id(), group + "/index", std::vector<std::uint32_t>{4999999});
        h5::write(file.id(), group + "/intensity", std::vector<std::uint32_t>{1});
        const h5::Group opened = h5::open_group(file.id(), group);
        h5::write_attribute(opened.id(), "rows", std::int64_t{2000});
        h5::write_attribute(opened.id(), "cols", std::int64_t{2500});
    }
    expect_error(
        ExitCode::data, {"2000 x 2500", "21-bit"}, [&] { to(sparse, directory_.file("a.bin")); });
    EXPECT_EQ(to(sparse, directory_.file("a.imm")).n_events, 1);
    expect_error(ExitCode::usage, {"a.tif", ".bin"}, [&] { to(sparse, directory_.file("a.tif")); });
    // Nothing is left beside the inputs and the one result.
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()),
                            std::filesystem::directory_iterator()),
              2);
}

}  // namespace
}  // namespace xpcs
