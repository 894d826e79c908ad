// SPDX-License-Identifier: BSD-3-Clause
#include "host/result_reader.hpp"

#include "host/errors.hpp"
#include "host/fit_table.hpp"
#include "host/result_file.hpp"
#include "host/result_paths.hpp"
#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace {

namespace fs = std::filesystem;
namespace rp = xpcs::result_path;
using namespace xpcs;
using ::testing::HasSubstr;
using xpcs::testing::made_up_result;
using xpcs::testing::TempDir;

std::string write_run(const RunResult& result) {
    ResultFile file(result.config, "run", result.metadata.file);
    file.write(result);
    return file.commit();
}

std::vector<std::string> peer_files() {
    std::vector<std::string> files;
    const fs::path folder = fs::path(XPCS_SHARED_DIR) / "reference" / "peer";
    if (fs::is_directory(folder)) {
        for (const auto& item : fs::directory_iterator(folder)) {
            files.push_back(item.path().string());
        }
    }
    std::sort(files.begin(), files.end());
    return files;
}

const NamedValue* find(const std::vector<NamedValue>& values, const std::string& path) {
    const auto at = std::find_if(
        values.begin(), values.end(), [&](const NamedValue& value) { return value.path == path; });
    return at == values.end() ? nullptr : &*at;
}

TEST(ResultReader, GivesBackWhatWasWritten) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    result.frames.stride = 2;
    result.frames.average = 3;
    result.config.stride_frame = 2;
    result.config.avg_frame = 3;
    const ResultReader reader(write_run(result));
    const ResultData& data = reader.data();
    EXPECT_EQ(data.layout, "xpcs");
    EXPECT_EQ(data.program, rp::program_name);
    EXPECT_EQ(data.analysis_types, std::vector<std::string>{"Multitau"});
    EXPECT_EQ(data.rawdata_path, result.raw);
    EXPECT_EQ(data.start_time, "2026-01-02 03:04:05.678");
    EXPECT_DOUBLE_EQ(data.step_s(), 6 * 20e-6);
    const OneTimeData& one = data.one_time;
    ASSERT_EQ(one.delay_list.size(), result.one_time.ladder.lags.size());
    EXPECT_DOUBLE_EQ(one.delay_s[4], 5 * 6 * 20e-6);
    EXPECT_EQ(one.n_pairs[0], 999);
    for (std::size_t i = 0; i < one.g2.values.size(); ++i) {
        EXPECT_EQ(one.g2.values[i], static_cast<double>(static_cast<float>(result.one_time.g2[i])));
    }
    EXPECT_EQ(data.rows, 60);
    EXPECT_EQ(data.cols, 80);
    EXPECT_EQ(data.scattering_1d.cols, 6);
    EXPECT_EQ(data.scattering_1d_segments.rows, 8);
    EXPECT_FLOAT_EQ(static_cast<float>(data.scattering_1d_segments.at(3, 2)), 3.2F);
    ASSERT_EQ(data.intensity.size(), 1000U);
    EXPECT_EQ(data.intensity_frame.back(), 999);
    EXPECT_FLOAT_EQ(static_cast<float>(data.intensity[500]), 5);
    // Natural bin 2 is empty: label 3 is natural bin 3.
    EXPECT_DOUBLE_EQ(data.dynamic_centre(3, 0), 0.04);
    EXPECT_TRUE(std::isnan(data.dynamic_centre(4, 0)));
    EXPECT_TRUE(std::isnan(data.dynamic_centre(0, 0)));
    const Matrix image = reader.scattering_2d();
    EXPECT_EQ(image.rows, 60);
    EXPECT_EQ(image.at(1, 0), 0);
    EXPECT_EQ(image.at(2, 79), 0.5);
    const QMap maps = reader.load_maps();
    EXPECT_EQ(maps.dynamic_roi_map, result.qmap.dynamic_roi_map);
    EXPECT_EQ(maps.static_roi_map, result.qmap.static_roi_map);
    EXPECT_EQ(maps.mask, result.qmap.mask);

    const auto config = reader.config();
    ASSERT_NE(find(config, "stride_frame"), nullptr);
    EXPECT_EQ(std::get<std::int64_t>(find(config, "stride_frame")->value), 2);
    EXPECT_TRUE(std::get<bool>(find(config, "normalize_frame")->value));
    const auto entry = reader.entry();
    const NamedValue* time = find(entry, "instrument/detector_1/frame_time");
    ASSERT_NE(time, nullptr);
    EXPECT_EQ(time->units, "s");
    EXPECT_DOUBLE_EQ(std::get<double>(time->value), 20e-6);
    const auto provenance = reader.provenance();
    ASSERT_NE(find(provenance, "stage_times"), nullptr);
    EXPECT_EQ(std::get<std::vector<double>>(find(provenance, "stage_times")->value),
              (std::vector<double>{0.25, 0.5}));
}

TEST(ResultReader, ReadsWhatTheProductionCorrelatorWrote) {
    const auto files = peer_files();
    if (files.empty()) {
        GTEST_SKIP() << "no reference files beside the checkout";
    }
    int maps = 0;
    for (const std::string& file : files) {
        std::string reason;
        const bool complete = is_complete_result(file, reason);
        const ResultReader reader(file);
        const ResultData& data = reader.data();
        if (!h5::is_group(h5::open_file(file).id(), rp::qmap.path)) {
            // The set of the 3M came without it: readable, but not complete.
            EXPECT_FALSE(complete) << file;
            EXPECT_TRUE(data.has_multitau()) << file;
            continue;
        }
        // Of the two-time maps only some were kept.
        const bool fewer_maps = data.two_time.n_maps < data.two_time.processed_bins.size();
        EXPECT_EQ(complete, !fewer_maps) << file << ": " << reason;
        EXPECT_TRUE(data.warnings.empty()) << file << ": " << data.warnings.front();
        EXPECT_TRUE(data.has_multitau() || data.has_twotime()) << file;
        EXPECT_TRUE(data.frame_time_known) << file;
        EXPECT_EQ(data.program, "") << file;
        EXPECT_FALSE(data.intensity.empty()) << file;
        ASSERT_GT(data.qmap.n_static(), 0U) << file;
        EXPECT_EQ(data.scattering_1d.cols % static_cast<std::int64_t>(data.qmap.n_static()), 0);
        EXPECT_GT(data.dynamic_centre(1, 0), 0) << file;
        EXPECT_EQ(reader.scattering_2d().rows, data.rows);
        if (data.has_multitau()) {
            EXPECT_EQ(data.one_time.delay_s.size(), data.one_time.delay_list.size());
        }
        if (data.two_time.n_maps > 0) {
            ++maps;
            const Matrix map = reader.twotime_map(0, 50);
            EXPECT_LE(map.rows, 50);
            EXPECT_EQ(map.rows, map.cols);
            EXPECT_EQ(map.at(3, 7), map.at(7, 3));
            EXPECT_THROW(reader.twotime_map(data.two_time.n_maps), Error);
        }
    }
    EXPECT_GE(maps, 4);
}

/// A two-time result small enough to check by hand.
std::string write_twotime(const TempDir& dir, std::int64_t n, std::size_t n_maps) {
    const std::string path = dir.file("tt_results.hdf");
    const h5::File file = h5::create_file(path);
    std::vector<float> map(static_cast<std::size_t>(n * n), 0);
    for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = i; j < n; ++j) {
            map[static_cast<std::size_t>(i * n + j)] = static_cast<float>(100 * i + j);
        }
    }
    const auto side = static_cast<hsize_t>(n);
    std::vector<std::int32_t> bins;
    for (std::size_t k = 1; k <= n_maps; ++k) {
        h5::write<float>(file.id(), twotime_map_path(k), map, {side, side});
        bins.push_back(static_cast<std::int32_t>(2 * k));
    }
    h5::write<std::int32_t>(file.id(), rp::processed_bins.path, bins);
    h5::write<float>(file.id(),
                     rp::twotime_g2.path,
                     std::vector<float>(static_cast<std::size_t>(n) * n_maps, 1),
                     {side, n_maps});
    return path;
}

TEST(ResultReader, AveragesTwoTimeMapsOverTheUpperTriangleOnly) {
    const TempDir dir;
    const ResultReader reader(write_twotime(dir, 7, 12));
    const TwoTimeData& two = reader.data().two_time;
    EXPECT_EQ(two.n_maps, 12U);
    EXPECT_EQ(two.map_bins[9], 20);  // c2_00010 comes after c2_00009
    const Matrix full = reader.twotime_map(0, 100);
    ASSERT_EQ(full.rows, 7);
    EXPECT_EQ(full.at(2, 5), 205);
    EXPECT_EQ(full.at(5, 2), 205);
    const Matrix half = reader.twotime_map(0, 4);  // squares of two frames, the last of one
    ASSERT_EQ(half.rows, 4);
    EXPECT_DOUBLE_EQ(half.at(0, 0), (0 + 1 + 101) / 3.0);
    EXPECT_DOUBLE_EQ(half.at(0, 1), (2 + 3 + 102 + 103) / 4.0);
    EXPECT_DOUBLE_EQ(half.at(1, 3), (206 + 306) / 2.0);
    EXPECT_DOUBLE_EQ(half.at(3, 3), 606);
}

TEST(ResultReader, ReadsTheOlderLayout) {
    const TempDir dir;
    const std::string path = dir.file("old.hdf");
    {
        const h5::File file = h5::create_file(path);
        const hid_t id = file.id();
        h5::write_string(id, "/xpcs/output_data", "/exchange");
        h5::write<float>(id, "/exchange/tau", {1, 2, 4}, {1, 3});
        h5::write<float>(id, "/exchange/norm-0-g2", {1.2F, 1.3F, 1.1F, 1.2F, 1.0F, 1.1F}, {3, 2});
        h5::write<float>(id, "/exchange/norm-0-stderr", std::vector<float>(6, 0.1F), {3, 2});
        h5::write<float>(id, "/exchange/pixelSum", std::vector<float>(12, 2), {3, 4});
        h5::write<float>(id, "/exchange/frameSum", {1, 2, 3, 0.5F, 0.6F, 0.7F}, {2, 3});
        h5::write<float>(id, "/exchange/partition-mean-total", {5, 6, 7}, {1, 3});
        h5::write<double>(id, "/xpcs/dqlist", {0.01, 0.02}, {1, 2});
        h5::write<std::uint64_t>(id, "/xpcs/stride_frames", {2}, {1, 1});
        h5::write<double>(id, "/measurement/instrument/detector/exposure_period", {0.1}, {1, 1});
    }
    const ResultReader reader(path);
    const ResultData& data = reader.data();
    EXPECT_EQ(data.layout, "exchange");
    EXPECT_EQ(data.one_time.delay_list, (std::vector<std::int64_t>{1, 2, 4}));
    EXPECT_DOUBLE_EQ(data.one_time.delay_s[2], 0.8);
    EXPECT_FLOAT_EQ(static_cast<float>(data.one_time.g2.at(1, 1)), 1.2F);
    EXPECT_EQ(data.intensity_frame, (std::vector<double>{0, 1, 2}));
    EXPECT_DOUBLE_EQ(data.dynamic_centre(2, 0), 0.02);
    EXPECT_EQ(reader.scattering_2d().cols, 4);
    std::string reason;
    EXPECT_FALSE(is_complete_result(path, reason));
}

/// G2, IP and IF of 2023 and 2024 lie in a file of their own, with or without a link to it.
TEST(ResultReader, FindsUnnormalizedG2InsideThenBehindALinkThenBeside) {
    const TempDir dir;
    const std::string path = write_run(made_up_result(dir));
    const auto place = [&] { return ResultReader(path).data().one_time.unnormalized; };
    EXPECT_FALSE(ResultReader(path).data().one_time.has_unnormalized);
    const auto write_own = [&](const std::string& name) {
        const h5::File file = h5::create_file(dir.file(name));
        h5::write<float>(file.id(), "/G2IPIF", std::vector<float>(12, 1), {1, 3, 2, 2});
    };
    std::ofstream(dir.file("run_results_G2.hdf")) << "something else";
    write_own("run_G2.hdf");
    EXPECT_EQ(place().file, dir.file("run_G2.hdf"));
    EXPECT_EQ(place().path, "/G2IPIF");
    fs::remove(dir.file("run_results_G2.hdf"));
    write_own("run_results_G2.hdf");
    EXPECT_EQ(place().file, dir.file("run_results_G2.hdf"));

    write_own("elsewhere.hdf");
    const auto link = [&](const char* from, const char* to) {
        const h5::File file = h5::open_file_for_writing(path);
        h5::link_external(file.id(), from, to, "/G2IPIF");
    };
    link("/exchange/G2IPIF", "gone.hdf");
    EXPECT_EQ(place().file, dir.file("run_results_G2.hdf"));  // a link that leads nowhere
    link("/xpcs/multitau/unnormalized_g2", "elsewhere.hdf");
    EXPECT_EQ(place().file, path);
    EXPECT_EQ(place().path, "/xpcs/multitau/unnormalized_g2");
    {
        const h5::File file = h5::open_file_for_writing(path);
        h5::write<float>(file.id(), rp::unnormalized_G2.path, std::vector<float>(12), {1, 3, 2, 2});
    }
    EXPECT_EQ(place().path, rp::unnormalized_G2.path);
    EXPECT_TRUE(ResultReader(path).data().one_time.has_unnormalized);
}

TEST(ResultReader, RefusesWhatContradictsItself) {
    const TempDir dir;
    const std::string path = write_run(made_up_result(dir));
    const auto spoil = [&](const char* dataset, const h5::Shape& shape) {
        const std::string copy = dir.file("copy.hdf");
        fs::copy_file(path, copy, fs::copy_options::overwrite_existing);
        const h5::File file = h5::open_file_for_writing(copy);
        h5::remove(file.id(), dataset);
        if (!shape.empty()) {
            h5::Storage sparse;  // chunks that are never written take no room
            sparse.chunk = h5::Shape(shape.size(), 1);
            sparse.contiguous_below = 1;
            h5::create_dataset(file.id(), dataset, H5T_NATIVE_FLOAT, shape, sparse);
        }
        return copy;
    };
    std::string reason;
    EXPECT_FALSE(is_complete_result(spoil(rp::g2.path, {}), reason));
    EXPECT_THAT(reason, HasSubstr(rp::g2.path));
    EXPECT_FALSE(is_complete_result(spoil(rp::delay_list.path, {}), reason));
    EXPECT_THAT(reason, HasSubstr(rp::delay_list.path));
    EXPECT_FALSE(is_complete_result(spoil(rp::g2.path, {5, 3}), reason));
    EXPECT_THAT(reason, HasSubstr("is expected"));
    EXPECT_FALSE(is_complete_result(spoil(rp::g2.path, {1'000'000, 1'000'000}), reason));
    EXPECT_THAT(reason, HasSubstr("limit"));
    EXPECT_FALSE(is_complete_result(spoil(rp::intensity.path, {}), reason));
    EXPECT_FALSE(is_complete_result(spoil(rp::qmap.path, {}), reason));
    EXPECT_THAT(reason, HasSubstr(rp::qmap.path));
    EXPECT_TRUE(is_complete_result(path, reason)) << reason;
}

TEST(ResultReader, WithoutTheMarkAResultOfOursIsNotComplete) {
    const TempDir dir;
    const std::string path = write_run(made_up_result(dir));
    {
        const h5::File file = h5::open_file_for_writing(path);
        const h5::Group group = h5::open_group(file.id(), rp::xpcs.path);
        ASSERT_GE(H5Adelete(group.id(), rp::attribute_complete), 0);
    }
    std::string reason;
    EXPECT_FALSE(is_complete_result(path, reason));
    EXPECT_THAT(reason, HasSubstr("mark of completeness"));
}

TEST(ResultReader, TruncatedMissingAndForeignFiles) {
    const TempDir dir;
    const std::string path = write_run(made_up_result(dir));
    std::string reason;
    const auto size = fs::file_size(path);
    for (const double share : {0.0, 0.1, 0.5, 0.99}) {
        const std::string copy = dir.file("cut.hdf");
        fs::copy_file(path, copy, fs::copy_options::overwrite_existing);
        fs::resize_file(copy, static_cast<std::uintmax_t>(static_cast<double>(size) * share));
        EXPECT_FALSE(is_complete_result(copy, reason)) << share;
    }
    EXPECT_FALSE(is_complete_result(dir.file("none"), reason));
    EXPECT_FALSE(is_complete_result(dir.path(), reason));
    EXPECT_FALSE(is_complete_result(dir.file("map.hdf"), reason));
}

TEST(FitTable, FindsTheDiffusionOfTheMadeUpRun) {
    const TempDir dir;
    const ResultReader reader(write_run(made_up_result(dir)));
    const FitTable table = fit_result(reader.data(), xpcs::testing::made_up_D, false);
    ASSERT_EQ(table.bins.size(), 3U);
    for (const BinFit& bin : table.bins) {
        ASSERT_TRUE(bin.fit.ok) << bin.fit.reason;
        EXPECT_DOUBLE_EQ(bin.expected_tau_s, 1 / (1e7 * bin.q * bin.q));
        EXPECT_NEAR(bin.fit.values[fit_tau], bin.expected_tau_s, 4 * bin.fit.errors[fit_tau]);
        EXPECT_NEAR(bin.fit.values[fit_contrast], 0.2, 4 * bin.fit.errors[fit_contrast]);
    }
    ASSERT_TRUE(table.power_law.ok) << table.power_law.reason;
    EXPECT_NEAR(table.power_law.values[1], -2, 0.05);
    const std::string text = to_text(table);
    EXPECT_THAT(text, HasSubstr("expected"));
    EXPECT_THAT(text, HasSubstr("tau = a q^b"));
    const std::string csv = to_csv(table);
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 4);
    EXPECT_THAT(csv, HasSubstr("tau_s"));
}

}  // namespace
