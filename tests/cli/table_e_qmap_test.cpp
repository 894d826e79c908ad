// SPDX-License-Identifier: BSD-3-Clause
// Edge cases of q-maps and metadata, one test per line of the table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "cli_fixture.hpp"

namespace xpcs::testing {
namespace {

class QmapFile : public ::testing::Test {
  protected:
    /// Replaces a map of the file, in double precision unless told otherwise.
    template <class T = double>
    void replace(const std::string& name, const std::vector<T>& values) const {
        const h5::File file = h5::open_file_for_writing(small.qmap_file);
        h5::remove(file.id(), "/qmap/" + name);
        h5::write<T>(file.id(), "/qmap/" + name, values, {SmallRun::rows, SmallRun::cols});
    }
    std::vector<double> labels(const std::string& name) const {
        return h5::read<double>(h5::open_file(small.qmap_file).id(), "/qmap/" + name);
    }
    double g2(std::size_t lag, std::size_t bin) const {
        return small.read(g2_path)[lag * small.qmap.n_dynamic() + bin];
    }
    SmallRun small;
};

TEST_F(QmapFile, E30Missing) {
    std::filesystem::remove(small.qmap_file);
    small.expect_refused(ExitCode::no_input, {small.qmap_file});
}

TEST_F(QmapFile, E30NotHdf5) {
    std::ofstream(small.qmap_file) << "this is text";
    small.expect_refused(ExitCode::data, {small.qmap_file});
}

TEST_F(QmapFile, E30NoQmapGroup) {
    std::filesystem::remove(small.qmap_file);
    { h5::write_scalar<double>(h5::create_file(small.qmap_file).id(), "/other/x", 1); }
    small.expect_refused(ExitCode::data, {small.qmap_file, "/qmap"});
}

TEST_F(QmapFile, E30OlderLayoutIsNamedAndRead) {
    std::filesystem::remove(small.qmap_file);
    {
        const h5::File file = h5::create_file(small.qmap_file);
        h5::write<double>(file.id(), "/data/dynamicMap", std::vector<double>(2048, 1.0), {32, 64});
        h5::write<double>(file.id(), "/data/staticMap", std::vector<double>(2048, 1.0), {32, 64});
        h5::write<double>(file.id(), "/data/mask", std::vector<double>(2048, 1.0), {32, 64});
    }
    small.expect_done({small.qmap_file, "/data layout"});
    EXPECT_EQ(small.shape(image_path), (h5::Shape{1, 32, 64}));
}

TEST_F(QmapFile, E31ShapeDiffersFromTheDetector) {
    small.write_dense(std::vector<std::uint16_t>(50 * 2048, 1), 50);
    small.qmap = banded_qmap(31, 64, 8);
    small.write_qmap();
    small.expect_refused(ExitCode::data, {small.raw, "32 x 64", "31 x 64"});
}

TEST_F(QmapFile, E31ShapeTransposed) {
    small.write_dense(std::vector<std::uint16_t>(50 * 2048, 1), 50);
    small.qmap = banded_qmap(64, 32, 8);
    small.write_qmap();
    small.expect_refused(ExitCode::data,
                         {small.raw, "32 x 64", "64 x 32", "transposed", "--transpose-qmap"});
    small.expect_done({}, {"--transpose-qmap"});
    EXPECT_EQ(small.shape(image_path), (h5::Shape{1, 32, 64}));
}

TEST_F(QmapFile, E32NanLabel) {
    auto map = labels("dynamic_roi_map");
    map[70] = map[90] = std::numeric_limits<double>::quiet_NaN();
    replace("dynamic_roi_map", map);
    small.expect_refused(ExitCode::data,
                         {small.qmap_file, "dynamic_roi_map", "NaN", "row 1, column 6"});
}

TEST_F(QmapFile, E32NegativeLabel) {
    auto map = labels("static_roi_map");
    map[70] = map[90] = -1;
    replace("static_roi_map", map);
    small.expect_refused(ExitCode::data,
                         {small.qmap_file, "static_roi_map", "2 ", "-1", "row 1, column 6"});
}

TEST_F(QmapFile, E33FloatLabelsWithIntegerValues) {
    small.expect_done();
    const auto expected = small.read(g2_path);
    replace("static_roi_map", labels("static_roi_map"));
    replace("dynamic_roi_map", labels("dynamic_roi_map"));
    small.expect_done();
    EXPECT_EQ(small.read(g2_path), expected);
}

TEST_F(QmapFile, E33FloatLabelsWithFractions) {
    auto map = labels("static_roi_map");
    map[70] = 1.5;
    replace("static_roi_map", map);
    small.expect_refused(ExitCode::data,
                         {small.qmap_file, "static_roi_map", "1.5", "row 1, column 6"});
}

TEST_F(QmapFile, E34AllPixelsMasked) {
    std::fill(small.qmap.mask.begin(), small.qmap.mask.end(), 0);
    small.write_qmap();
    small.expect_refused(ExitCode::data, {small.qmap_file, "no usable pixel"});
}

TEST_F(QmapFile, E35AllPixelsValid) {
    small.expect_done();
    EXPECT_EQ(small.read("/xpcs/multitau/n_pixels"), std::vector<double>(4, 512.0));
    small.expect_done({}, {"-t", "Twotime"});
    EXPECT_EQ(small.read("/xpcs/twotime/processed_bins"), (std::vector<double>{1, 2, 3, 4}));
}

TEST_F(QmapFile, E36DynamicLabelWithoutPixels) {
    for (std::size_t p = 0; p < 2048; ++p) {
        if (small.qmap.dynamic_roi_map[p] == 2) small.qmap.mask[p] = 0;
    }
    small.write_qmap();
    small.expect_done({"warning", small.qmap_file, "dynamic bins without a pixel", "2"});
    EXPECT_EQ(small.shape(g2_path)[1], 4U);
    for (std::size_t lag = 0; lag < small.shape(g2_path)[0]; ++lag) {
        EXPECT_TRUE(std::isnan(g2(lag, 1)));
        EXPECT_TRUE(std::isfinite(g2(lag, 2)));
    }
}

TEST_F(QmapFile, E37StaticBinWithoutCountsIsLeftOutAndCounted) {
    // Static bin 1 (columns 0 to 7) dark: dynamic bin 1 is static bin 2 alone.
    auto events = poisson_events(400, 2048, 0.02, 7);
    std::erase_if(events, [](const Event& e) { return std::get<1>(e) % 64 < 8; });
    small.write_events(events);
    small.expect_done();
    const auto dark = small.read(g2_path);
    EXPECT_EQ(small.read("/xpcs/multitau/static_bins_without_signal")[0], 1);
    for (std::size_t p = 0; p < 2048; ++p) {
        if (p % 64 < 8) small.qmap.mask[p] = 0;
    }
    small.write_qmap();
    small.expect_done({"warning", "static bins without a pixel"});
    EXPECT_EQ(small.read(g2_path), dark);
}

TEST_F(QmapFile, E38StaticBinStraddlesTwoDynamicBins) {
    for (std::size_t p = 0; p < 2048; ++p) {
        if (p % 64 == 15) small.qmap.dynamic_roi_map[p] = 2;  // of static bin 2
    }
    small.write_qmap();
    small.expect_refused(
        ExitCode::data,
        {small.qmap_file, "static bin 2", "dynamic bins 1 and 2", "--split-static"});
    small.expect_done({}, {"--split-static"});
    EXPECT_EQ(small.read("/xpcs/multitau/n_pixels"), (std::vector<double>{480, 544, 512, 512}));
}

TEST_F(QmapFile, E39StaticLabelsOutsideTheMaskAreDroppedAndCounted) {
    for (std::size_t p = 0; p < 100; ++p)
        small.qmap.mask[p] = 0;
    small.qmap.static_roi_map[2000] = 0;
    small.write_qmap();
    const Outcome outcome =
        small.expect_done({"warning", small.qmap_file, "100 pixels", "outside the mask"});
    EXPECT_EQ(outcome.lines_with("1 pixels of the mask have no static bin").size(), 1U);
    // Dropped means masked, for the mean of the bin too.
    const auto labelled = small.read(g2_path);
    for (const std::size_t p : {0U, 99U, 2000U})
        EXPECT_EQ(small.read(image_path)[p], 0);
    for (std::size_t p = 0; p < 2048; ++p) {
        if (p >= 100 && p != 2000) continue;
        small.qmap.mask[p] = 0;
        small.qmap.static_roi_map[p] = small.qmap.dynamic_roi_map[p] = 0;
    }
    small.write_qmap();
    small.expect_done();
    EXPECT_EQ(small.read(g2_path), labelled);
}

TEST_F(QmapFile, E40DynamicBinOfOnePixel) {
    for (std::size_t p = 0; p < 2048; ++p) {
        if (small.qmap.dynamic_roi_map[p] == 4 && p != 63) small.qmap.mask[p] = 0;
    }
    small.write_qmap();
    auto events = poisson_events(400, 2048, 0.02, 7);
    for (std::int64_t t = 0; t < 400; t += 3)
        events.emplace_back(t, 63, 1);
    std::sort(events.begin(), events.end());
    small.write_events(events);
    small.expect_done();
    EXPECT_TRUE(std::isfinite(g2(0, 3)));
    EXPECT_TRUE(std::isnan(small.read(g2_err_path)[3]));
}

TEST_F(QmapFile, E41HashMissingOrStale) {
    {
        const h5::File file = h5::open_file_for_writing(small.qmap_file);
        const h5::Group group = h5::open_group(file.id(), "/qmap");
        h5::write_attribute(group.id(), "hash", std::string(64, 'a'));
    }
    small.expect_done({"warning", small.qmap_file, "stale hash"});
    const h5::File file = h5::open_file(small.result());
    const h5::Group group = h5::open_group(file.id(), "/xpcs/qmap");
    EXPECT_EQ(h5::read_string_attribute(group.id(), "hash").value_or(""), std::string(64, 'a'));
    {
        const h5::File map = h5::open_file_for_writing(small.qmap_file);
        H5Adelete(h5::open_group(map.id(), "/qmap").id(), "hash");
    }
    small.expect_done({"warning", small.qmap_file, "no hash"});
}

// --- metadata ----------------------------------------------------------------------------------

using MetadataFile = QmapFile;

TEST_F(MetadataFile, E42Missing) {
    std::filesystem::remove(small.metadata);
    small.expect_refused(ExitCode::no_input, {small.metadata, "--no-metadata"});
    small.expect_done({}, {"--no-metadata", "--frame-time", "0.001"});
    EXPECT_EQ(small.read("/entry/instrument/detector_1/frame_time"), std::vector<double>{0.001});
}

TEST_F(MetadataFile, E43SeveralFilesSameStemWins) {
    write_metadata(small.dir.file("another_metadata.hdf"), 5);
    small.expect_done();
    EXPECT_EQ(small.read("/entry/instrument/detector_1/frame_time"), std::vector<double>{0.001});
}

TEST_F(MetadataFile, E43SeveralFilesNoneOfTheStem) {
    write_metadata(small.dir.file("b_metadata.hdf"), 5);
    std::filesystem::rename(small.metadata, small.dir.file("a_metadata.hdf"));
    small.expect_refused(ExitCode::data,
                         {small.raw, "a_metadata.hdf", "b_metadata.hdf", "--metadata"});
    std::filesystem::remove(small.dir.file("b_metadata.hdf"));
    const Outcome outcome = small.correlate();  // exactly one candidate
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.last_line_of_out(), small.result("a_results.hdf"));
}

TEST_F(MetadataFile, E44WithoutFrameTime) {
    write_metadata(small.metadata, 0);
    small.expect_done({"warning", small.metadata, "frame_time", "--frame-time"});
    small.expect_done({}, {"--frame-time", "0.002"});
    EXPECT_DOUBLE_EQ(small.read("/xpcs/multitau/delay_time")[0], 0.002);
}

TEST_F(MetadataFile, E45DefinitionIsAGroup) {
    {
        const h5::File file = h5::open_file_for_writing(small.metadata);
        h5::require_group(file.id(), "/entry/definition");
        h5::remove(file.id(), "/entry/schema_version");
        h5::require_group(file.id(), "/entry/schema_version");
    }
    small.expect_done();
}

TEST_F(MetadataFile, NotHdf5) {
    std::ofstream(small.metadata, std::ios::trunc) << "this is text";
    small.expect_refused(ExitCode::data, {small.metadata});
}

TEST_F(MetadataFile, OnlyTheExactSuffixIsTakenOffTheName) {
    // Names that a strip of characters would eat further.
    for (const std::string base : {"run_data", "S_a", "film_made", "data"}) {
        const std::string raw = small.dir.file(base + ".bin");
        std::filesystem::copy_file(small.raw, raw);
        write_metadata(small.dir.file(base + "_metadata.hdf"), 1e-3);
        Arguments arguments = small.arguments();
        arguments[1] = raw;
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
        EXPECT_EQ(outcome.last_line_of_out(), small.result(base + "_results.hdf"));
    }
}

}  // namespace
}  // namespace xpcs::testing
