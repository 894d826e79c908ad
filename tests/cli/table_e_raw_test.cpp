// SPDX-License-Identifier: BSD-3-Clause
// Edge cases of raw files, one test per line of the table (its words are the names).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>
#include <thread>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

using ::testing::HasSubstr;

class RawFile : public ::testing::Test {
  protected:
    SmallRun small;
};

/// A run whose detector is the Rigaku 3M: few events on each module, two static bins.
class RawFile3m : public ::testing::Test {
  protected:
    RawFile3m() {
        small.qmap = banded_qmap(1676, 2100, 2);
        small.write_qmap();
        for (int n = 0; n < 6; ++n)
            write_module(n);
        small.raw = module(0);
    }
    std::string module(int n) const { return small.dir.file("run.bin.00" + std::to_string(n)); }
    void write_module(int n) const {
        std::vector<Event> events;
        std::mt19937_64 random(static_cast<std::uint64_t>(n) + 1);
        for (std::int64_t t = 0; t < 100; ++t) {
            for (int e = 0; e < 40; ++e) {
                events.emplace_back(t, static_cast<std::uint32_t>(random() % 524288), 1);
            }
        }
        write_words(module(n), words_of(events, rigaku::module_offset));
    }
    SmallRun small;
};

TEST_F(RawFile, E01Missing) {
    std::filesystem::remove(small.raw);
    small.expect_refused(ExitCode::no_input, {small.raw, "No such file"});
}

TEST_F(RawFile3m, E01MissingListsAllModules) {
    for (const int n : {0, 2, 5})
        std::filesystem::remove(module(n));
    for (const int named : {1, 0}) {
        small.raw = module(named);
        small.expect_refused(ExitCode::no_input, {module(0), module(2), module(5)});
    }
}

TEST_F(RawFile3m, AnyOfTheSixGivesTheSameResult) {
    std::map<std::string, std::string> first;
    for (const int n : {0, 3, 5}) {
        small.raw = module(n);
        small.expect_done();
        auto found = numeric_datasets(small.result());
        if (n == 0) first = found;
        EXPECT_TRUE(found == first) << n;
    }
}

TEST_F(RawFile3m, MissingModuleOnRequest) {
    std::filesystem::remove(module(3));
    small.expect_done({"warning", module(3)}, {"--allow-missing-module"});
    // 3 is the lower left module: nothing there, and the others are.
    const auto image = small.read(image_path);
    const auto sum = [&](std::size_t row, std::size_t col) {
        double total = 0;
        for (std::size_t r = row; r < row + 512; ++r) {
            for (std::size_t c = col; c < col + 1024; ++c)
                total += image[r * 2100 + c];
        }
        return total;
    };
    EXPECT_EQ(sum(1164, 0), 0);
    EXPECT_NEAR(sum(582, 0), 40, 1e-4);
    EXPECT_NEAR(sum(0, 1076), 40, 1e-4);
}

TEST_F(RawFile, E02Empty) {
    write_bytes(small.raw, "", 0);
    small.expect_refused(ExitCode::data, {small.raw, "no events"});
}

TEST_F(RawFile3m, E02EmptyModuleIsAcceptedWithAWarning) {
    write_bytes(module(4), "", 0);
    small.expect_done({"warning", module(4)});
}

TEST_F(RawFile3m, GapPixelsAreMaskedWhateverTheQmapSays) {
    const Outcome outcome = small.expect_done({"warning", "in a gap"});
    EXPECT_EQ(outcome.lines_with("373872 pixels").size(), 1U) << outcome.err;
}

TEST_F(RawFile, E03SizeNotAMultipleOf8) {
    std::string bytes = bytes_of(small.raw) + "abc";
    write_bytes(small.raw, bytes.data(), bytes.size());
    small.expect_done({"warning", small.raw, "3"});
    const auto with_tail = small.read(g2_path);
    bytes.resize(bytes.size() - 3);
    write_bytes(small.raw, bytes.data(), bytes.size());
    small.expect_done();
    EXPECT_EQ(small.read(g2_path), with_tail);
}

TEST_F(RawFile, E03SizeNotAMultipleOf8Strict) {
    const std::string bytes = bytes_of(small.raw) + "abc";
    write_bytes(small.raw, bytes.data(), bytes.size());
    small.expect_refused(ExitCode::data, {small.raw, "3"}, {"--strict"});
}

TEST_F(RawFile, E11FramesOutOfOrderAreSorted) {
    auto events = poisson_events(SmallRun::n_frames, SmallRun::rows * SmallRun::cols, 0.02, 7);
    small.expect_done();
    const auto expected = numeric_datasets(small.result());
    // Frames 100 to 200 last to first: an order that no detector promises against.
    const auto first = std::find_if(
        events.begin(), events.end(), [](const Event& e) { return std::get<0>(e) >= 100; });
    const auto last = std::find_if(
        events.begin(), events.end(), [](const Event& e) { return std::get<0>(e) >= 200; });
    std::reverse(first, last);
    small.write_events(events);
    small.expect_done({"warning", small.raw, "out of frame order"});
    auto found = numeric_datasets(small.result());
    for (const char* path : {g2_path, g2_err_path, image_path, intensity_path}) {
        EXPECT_TRUE(found[path] == expected.at(path)) << path;
    }
}

TEST_F(RawFile, E12LastRecordNotTheHighestFrame) {
    small.write_events({{0, 1, 1}, {1, 1, 1}, {899, 5, 1}, {898, 5, 1}});
    small.expect_done();
    EXPECT_EQ(small.shape(intensity_path), (h5::Shape{2, 900}));
}

TEST_F(RawFile, E13EmptyFramesAtBeginMiddleAndEndExist) {
    // Photons in frames 50 to 99 and 300 to 349 of 400.
    auto events = poisson_events(50, 2048, 0.02, 3, 50);
    const auto later = poisson_events(50, 2048, 0.02, 4, 300);
    events.insert(events.end(), later.begin(), later.end());
    small.write_events(events);
    small.expect_done({}, {"--n-frames", "400"});
    const auto intensity = small.read(intensity_path);
    ASSERT_EQ(intensity.size(), 800U);
    for (std::size_t t = 0; t < 400; ++t) {
        const bool lit = (t >= 50 && t < 100) || (t >= 300 && t < 350);
        EXPECT_EQ(intensity[t], static_cast<double>(t));
        EXPECT_EQ(intensity[400 + t] > 0, lit) << t;
    }
}

TEST_F(RawFile, E13EmptyFramesAtEndAreToldByTheTokenOfTheName) {
    const std::string named = small.dir.file("E1_a0009_f000500_r00001.bin");
    std::filesystem::copy_file(small.raw, named);
    small.raw = named;
    small.expect_done({"warning", "500", "400"}, {"--metadata", small.metadata});
}

TEST_F(RawFile, E14FrameCounterWrap) {
    // The counter has 24 bits: frame 2^24 is written as 0.
    constexpr std::int64_t wrap = 1 << 24;
    auto events = poisson_events(400, 2048, 0.02, 7, wrap - 200);
    small.write_events(events);
    small.expect_done({small.raw, "wrapped 1 times"}, {"-b", std::to_string(wrap - 200)});
    const auto wrapped = small.read(g2_path);
    small.write_events(poisson_events(400, 2048, 0.02, 7));
    small.expect_done();
    EXPECT_EQ(small.read(g2_path), wrapped);
}

TEST_F(RawFile, E16PixelIndexBeyondTheDetector) {
    auto events = poisson_events(400, 2048, 0.02, 7);
    events.insert(events.begin() + 5, Event{std::get<0>(events[5]), 2048, 1});
    small.write_events(events);
    small.expect_refused(ExitCode::data, {small.raw, "2048", "frame 0", "32", "64"});
    small.expect_done({"warning", "1 records", "--drop-bad-index"}, {"--drop-bad-index"});
    const auto dropped = small.read(g2_path);
    small.write_events(poisson_events(400, 2048, 0.02, 7));
    small.expect_done();
    EXPECT_EQ(small.read(g2_path), dropped);
}

TEST_F(RawFile, E17MixedModuleOffset) {
    auto words = words_of(poisson_events(400, 2048, 0.02, 7));
    words[words.size() / 2] |= std::uint64_t{1} << 36;
    write_words(small.raw, words);
    small.expect_refused(ExitCode::data, {small.raw});
}

TEST_F(RawFile, E18Count0IsDroppedAndCounted) {
    auto events = poisson_events(400, 2048, 0.02, 7);
    small.expect_done();
    const auto expected = small.read(g2_path);
    events.insert(events.begin() + 100, Event{std::get<0>(events[100]), 3, 0});
    small.write_events(events);
    small.expect_done({small.raw, "1 records of count 0"});
    EXPECT_EQ(small.read(g2_path), expected);
}

TEST_F(RawFile, E19CountAbove255IsKept) {
    small.write_events({{0, 70, 300}, {1, 70, 4094}, {9, 71, 256}});
    small.expect_done();
    const auto image = small.read(image_path);
    EXPECT_FLOAT_EQ(static_cast<float>(image[70]), 439.4F);
    EXPECT_FLOAT_EQ(static_cast<float>(image[71]), 25.6F);
}

TEST_F(RawFile, E20CountEqualToModeMaximum) {
    for (const std::uint32_t maximum : {3U, 15U, 255U, 4095U}) {
        auto events = poisson_events(400, 2048, 0.005, 7);
        for (std::size_t i = 0; i < events.size(); i += 4)
            std::get<2>(events[i]) = maximum;
        small.write_events(events);
        small.expect_done({"warning",
                           small.raw,
                           "largest count " + std::to_string(maximum) + ";",
                           ": 25 % of the events"});
    }
}

TEST_F(RawFile, E21DuplicatesAreSummedAndCounted) {
    auto events = poisson_events(400, 2048, 0.02, 7);
    for (Event& event : events)
        std::get<2>(event) *= 2;
    small.write_events(events);
    small.expect_done();
    const auto expected = small.read(g2_path);
    auto twice = poisson_events(400, 2048, 0.02, 7);
    std::vector<Event> doubled;
    for (const Event& event : twice) {
        doubled.push_back(event);
        doubled.push_back(event);
    }
    small.write_events(doubled);
    small.expect_done({"warning", small.raw, std::to_string(twice.size()) + " records share"});
    EXPECT_EQ(small.read(g2_path), expected);
}

TEST_F(RawFile, E22OccupancyAbove3Percent) {
    small.write_events(poisson_events(400, 2048, 0.05, 7));
    small.expect_done({"warning", small.raw, "occupancy"});
}

// --- HDF5 --------------------------------------------------------------------------------------

std::vector<std::uint16_t> dense_samples(std::int64_t n, double mean, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::poisson_distribution<std::uint16_t> counts(mean);
    std::vector<std::uint16_t> samples(static_cast<std::size_t>(n * 2048));
    for (auto& sample : samples)
        sample = counts(random);
    return samples;
}

TEST_F(RawFile, E05Hdf5Truncated) {
    small.write_dense(dense_samples(50, 1, 1), 50);
    std::filesystem::resize_file(small.raw, std::filesystem::file_size(small.raw) / 2);
    small.expect_refused(ExitCode::data, {small.raw, "truncated"});
}

TEST_F(RawFile, E06Hdf5BeingWritten) {
    small.raw = small.dir.file("run.h5");
    const h5::PropertyList access(H5Pcreate(H5P_FILE_ACCESS));
    H5Pset_libver_bounds(access.id(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    h5::File writer(H5Fcreate(small.raw.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.id()));
    h5::Storage storage;
    storage.chunk = {1, 32, 64};
    storage.max_shape = {H5S_UNLIMITED, 32, 64};
    h5::Dataset data = h5::create_dataset(
        writer.id(), "/entry/data/data", H5T_NATIVE_UINT16, {50, 32, 64}, storage);
    ASSERT_GE(H5Fstart_swmr_write(writer.id()), 0);
    small.expect_refused(ExitCode::data, {small.raw});
    // Until it is closed, or until that takes too long.
    small.expect_refused(ExitCode::data, {small.raw}, {"--wait-raw", "0.3"});
    std::filesystem::remove(small.result());
    Arguments arguments = small.arguments({"--wait-raw", "60"});
    Child waiting(arguments);
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    EXPECT_TRUE(waiting.running());
    std::vector<std::uint16_t> ones(50 * 32 * 64, 1);
    h5::write_all(data, H5T_NATIVE_UINT16, ones.data());
    data.close();
    writer.close();
    const Outcome outcome = waiting.wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.lines_with("waiting up to 60 s").size(), 1U) << outcome.err;
    EXPECT_EQ(small.shape(intensity_path), (h5::Shape{2, 50}));
}

TEST_F(RawFile, WaitedForUntilItIsThere) {
    const std::string later = small.raw;
    small.raw = small.dir.file("late.bin");
    small.expect_refused(ExitCode::no_input, {"late.bin"}, {"--wait-raw", "0.3"});
    std::filesystem::remove(small.result());
    std::filesystem::copy_file(small.metadata, small.dir.file("late_metadata.hdf"));
    Child waiting(small.arguments({"--wait-raw", "60"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    std::filesystem::copy_file(later, small.dir.file("part"));
    std::filesystem::rename(small.dir.file("part"), small.raw);
    const Outcome outcome = waiting.wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_TRUE(std::filesystem::exists(small.result("late_results.hdf")));
    const Outcome both = run(small.arguments({"--wait-raw", "1", "--follow"}));
    EXPECT_EQ(both.exit_code, static_cast<int>(ExitCode::config)) << both.err;
}

TEST_F(RawFile, E06Hdf5DanglingExternalLink) {
    small.raw = small.dir.file("run.h5");
    {
        const h5::File file = h5::create_file(small.raw);
        h5::link_external(h5::require_group(file.id(), "/entry/data").id(),
                          "data",
                          "gone.h5",
                          "/entry/data/data");
    }
    small.expect_refused(ExitCode::data, {small.raw, "/entry/data/data"});
}

TEST_F(RawFile, E07DatasetMissingLists3dDatasets) {
    small.raw = small.dir.file("run.h5");
    const auto samples = dense_samples(50, 1, 1);
    {
        const h5::File file = h5::create_file(small.raw);
        h5::write<std::uint16_t>(file.id(), "/measurement/frames", samples, {50, 32, 64});
        h5::write<std::uint16_t>(file.id(), "/measurement/flat", samples, {1600, 64});
    }
    small.expect_refused(ExitCode::data,
                         {small.raw, "/entry/data/data", "/measurement/frames", "--dataset"});
    small.expect_done({}, {"--dataset", "/measurement/frames"});
}

TEST_F(RawFile, E08DataOf2Or4Dimensions) {
    const auto samples = dense_samples(50, 1, 1);
    for (const h5::Shape& shape : {h5::Shape{1600, 64}, h5::Shape{25, 2, 32, 64}}) {
        small.raw = small.dir.file("run.h5");
        std::filesystem::remove(small.raw);
        {
            const h5::File file = h5::create_file(small.raw);
            h5::write<std::uint16_t>(file.id(), "/entry/data/data", samples, shape);
        }
        small.expect_refused(ExitCode::data, {small.raw, h5::to_string(shape), "dimensions"});
    }
}

TEST_F(RawFile, E08ChannelOfDataWithoutChannelsIsSaidToHaveNoEffect) {
    small.write_dense(dense_samples(50, 1, 1), 50);
    small.expect_done({"warning", small.raw, "--channel 1 has no effect"}, {"--channel", "1"});
}

TEST_F(RawFile, E09FilterNotAvailable) {
    small.raw = small.dir.file("run.h5");
    {
        const h5::File file = h5::create_file(small.raw);
        const h5::PropertyList storage(H5Pcreate(H5P_DATASET_CREATE));
        const h5::PropertyList links(H5Pcreate(H5P_LINK_CREATE));
        H5Pset_create_intermediate_group(links.id(), 1);
        const hsize_t chunk[] = {1, 32, 64}, shape[] = {50, 32, 64};
        H5Pset_chunk(storage.id(), 3, chunk);
        H5Pset_filter(storage.id(), 32017, H5Z_FLAG_OPTIONAL, 0, nullptr);
        const h5::Space space(H5Screate_simple(3, shape, nullptr));
        const h5::Dataset set(H5Dcreate2(file.id(),
                                         "/entry/data/data",
                                         H5T_STD_U16LE,
                                         space.id(),
                                         links.id(),
                                         storage.id(),
                                         H5P_DEFAULT));
        ASSERT_TRUE(set);
    }
    small.expect_refused(ExitCode::data, {small.raw, "/entry/data/data", "32017", "SZ"});
}

TEST_F(RawFile, E10AllOnesPixelValueIsNoData) {
    auto samples = dense_samples(200, 1.5, 11);
    // Pixel 100 has no data in frame 17, pixel 200 in any frame.
    samples[17 * 2048 + 100] = 65535;
    for (std::size_t t = 0; t < 200; ++t)
        samples[t * 2048 + 200] = 65535;
    small.write_dense(samples, 200);
    small.expect_done({"warning", small.raw, "201 samples without data", "2 pixels"});
    const auto whole_run = small.read(g2_path);
    const auto intensity = small.read(intensity_path);
    EXPECT_LT(*std::max_element(intensity.begin() + 200, intensity.end()), 2);
    // Out of the run means as if masked.
    small.qmap.mask[100] = small.qmap.mask[200] = 0;
    small.write_qmap();
    small.expect_done();
    const auto masked = small.read(g2_path);
    ASSERT_EQ(masked.size(), whole_run.size());
    for (std::size_t i = 0; i < masked.size(); ++i)
        EXPECT_FLOAT_EQ(static_cast<float>(masked[i]), static_cast<float>(whole_run[i])) << i;
    EXPECT_EQ(small.read(intensity_path), intensity);
}

TEST_F(RawFile, E10AllOnesPixelValueFrameByFrame) {
    auto samples = dense_samples(200, 1.5, 11);
    const auto at = std::size_t{17} * 2048 + 100;
    samples[at] = 65535;
    small.write_dense(samples, 200);
    small.expect_done({"warning", "1 samples without data"}, {"--overflow", "frame"});
    const auto per_frame = small.read(g2_path);
    samples[at] = 0;
    small.write_dense(samples, 200);
    small.expect_done();
    EXPECT_EQ(small.read(g2_path), per_frame);
}

TEST_F(RawFile, ContentDecidesBeforeTheName) {
    small.write_dense(dense_samples(60, 1, 5), 60);
    const std::string renamed = small.dir.file("run.bin");
    std::filesystem::rename(small.raw, renamed);
    small.raw = renamed;
    small.expect_done({"warning", renamed, "HDF5"});
}

TEST(TableE, TooManyPhotonsInABlockOfFramesAreAFaultOfTheData) {
    SmallRun small;
    small.raw = small.dir.file("run.h5");
    {
        const std::vector<std::uint32_t> samples(8 * SmallRun::rows * SmallRun::cols,
                                                 3'000'000'000U);
        const h5::File file = h5::create_file(small.raw);
        h5::write<std::uint32_t>(
            file.id(), "/entry/data/data", samples, {8, SmallRun::rows, SmallRun::cols});
    }
    small.expect_done({}, {"-t", "Twotime"});
    std::filesystem::remove(small.result());
    small.expect_refused(ExitCode::data,
                         {small.raw, "6000000000 photons in one block of frames", "4294967295"},
                         {"-t", "Twotime", "-a", "2"});
}

}  // namespace
}  // namespace xpcs::testing
