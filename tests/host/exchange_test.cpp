// SPDX-License-Identifier: BSD-3-Clause
#include "host/errors.hpp"
#include "host/result_reader.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/export_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

namespace {

namespace fs = std::filesystem;
namespace rp = xpcs::result_path;
using namespace xpcs;
using namespace xpcs::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Everything that the /exchange layout carries must come back bit for bit.
void expect_same_numbers(const std::string& before, const std::string& after) {
    const h5::File file = h5::open_file(before), back = h5::open_file(after);
    const std::vector<std::string> paths{rp::g2.path,
                                         rp::g2_err.path,
                                         rp::scattering_2d.path,
                                         rp::scattering_1d.path,
                                         rp::scattering_1d_segments.path,
                                         rp::intensity.path,
                                         rp::unnormalized_G2.path,
                                         rp::twotime_g2.path,
                                         rp::twotime_g2_segments.path,
                                         twotime_map_path(1),
                                         twotime_map_path(2)};
    for (const std::string& path : paths) {
        ASSERT_EQ(h5::exists(file.id(), path), h5::exists(back.id(), path)) << path;
        if (!h5::exists(file.id(), path)) continue;
        EXPECT_EQ(shape(before, path), shape(after, path)) << path;
        EXPECT_TRUE(float_bytes(before, path) == float_bytes(after, path)) << path;
    }
    const auto same = [&](const char* path) {
        if (!h5::exists(file.id(), path)) return;
        EXPECT_EQ(h5::read<double>(file.id(), path), h5::read<double>(back.id(), path)) << path;
    };
    same(rp::delay_list.path);
    same(rp::processed_bins.path);
    same("/xpcs/qmap/mask");
    same("/xpcs/qmap/dynamic_roi_map");
    same("/xpcs/qmap/static_roi_map");
    same("/xpcs/qmap/dynamic_index_mapping");
    same("/xpcs/qmap/static_index_mapping");
    same("/xpcs/qmap/dynamic_v_list_dim0");
    same("/xpcs/qmap/dynamic_v_list_dim1");
    same("/xpcs/qmap/static_v_list_dim0");
}

TEST(Exchange, HasTheDatasetsAndShapesOfTheLayout) {
    const TempDir dir;
    const std::string result = write_everything(dir), out = dir.file("old.hdf");
    const auto notes = convert(result, out, ExportFormat::exchange);
    const hsize_t n_tau = ResultReader(result).data().one_time.delay_list.size();
    const hsize_t T = n_frames, W = T / 5;
    // 4 natural dynamic bins, of which bin 2 is empty; 6 static ones.
    const std::map<std::string, h5::Shape> expected{
        {"/exchange/tau", {1, n_tau}},
        {"/exchange/norm-0-g2", {n_tau, 4}},
        {"/exchange/norm-0-stderr", {n_tau, 4}},
        {"/exchange/pixelSum", {60, 80}},
        {"/exchange/frameSum", {2, T}},
        {"/exchange/partition-mean-total", {1, 6}},
        {"/exchange/partition-mean-partial", {8, 6}},
        {"/exchange/partition_norm_factor", {1, 1}},
        {"/exchange/G2", {n_tau, 60 * 80}},
        {"/exchange/IP", {n_tau, 60 * 80}},
        {"/exchange/IF", {n_tau, 60 * 80}},
        {"/exchange/C2T_all/g2_00001", {T, T}},
        {"/exchange/C2T_all/g2_00004", {T, T}},
        {"/exchange/g2full", {T, 4}},
        {"/exchange/g2partials", {W, 5, 4}},
        {"/xpcs/dqmap", {60, 80}},
        {"/xpcs/sqmap", {60, 80}},
        {"/xpcs/mask", {60, 80}},
        {"/xpcs/dqlist", {1, 4}},
        {"/xpcs/dphilist", {1, 4}},
        {"/xpcs/sqlist", {1, 6}},
        {"/xpcs/sphilist", {1, 6}},
        {"/xpcs/dnoq", {1, 1}},
        {"/xpcs/dnophi", {1, 1}},
        {"/xpcs/snoq", {1, 1}},
        {"/xpcs/snophi", {1, 1}},
        {"/xpcs/stride_frames", {1, 1}},
        {"/xpcs/avg_frames", {1, 1}},
        {"/xpcs/data_begin_todo", {1, 1}},
        {"/xpcs/data_end_todo", {1, 1}},
        {"/xpcs/qphi_bin_to_process", {1, 2}},
        {"/measurement/instrument/detector/exposure_period", {1, 1}},
        {"/measurement/instrument/detector/exposure_time", {1, 1}},
        {"/measurement/instrument/detector/x_pixel_size", {1, 1}},
        {"/measurement/instrument/source_begin/energy", {1, 1}}};
    const h5::File file = h5::open_file(out);
    for (const auto& [path, extents] : expected) {
        ASSERT_TRUE(h5::is_dataset(file.id(), path)) << path;
        EXPECT_EQ(shape(out, path), extents) << path;
    }
    const auto number = [&](const char* path) { return h5::read_number(file.id(), path); };
    EXPECT_EQ(h5::read_string(file.id(), "/xpcs/output_data"), "/exchange");
    EXPECT_EQ(number("/xpcs/data_begin_todo"), 4);  // from 1, the last one included
    EXPECT_EQ(number("/xpcs/data_end_todo"), 3 + 2 * n_frames);
    EXPECT_EQ(number("/xpcs/stride_frames"), 2);
    EXPECT_NEAR(number("/measurement/instrument/detector/x_pixel_size"), 0.076, 1e-12);
    const auto frames = h5::read<double>(file.id(), "/exchange/frameSum");
    EXPECT_EQ(frames[0], 1);
    EXPECT_EQ(frames[T - 1], static_cast<double>(T));
    const auto g2 = h5::read<double>(file.id(), "/exchange/norm-0-g2");
    const auto ours = h5::read<double>(h5::open_file(result).id(), rp::g2.path);
    EXPECT_EQ(g2[3], ours[2]);
    EXPECT_TRUE(std::isnan(g2[2]));
    // IP are the earlier frames, slot 2 of ours.
    const auto ip = h5::read<double>(file.id(), "/exchange/IP");
    const auto slots = h5::read<double>(h5::open_file(result).id(), rp::unnormalized_G2.path);
    EXPECT_EQ(ip[4800 + 7], slots[(1 * 3 + 2) * 4800 + 7]);
    const auto labels = h5::read<double>(file.id(), "/xpcs/dqmap");
    EXPECT_EQ(*std::max_element(labels.begin(), labels.end()), 4);
    EXPECT_THAT(notes, ::testing::Contains(HasSubstr("no place for partial g2")));
    // Our own reader finds its way, too.
    const ResultReader reader(out);
    EXPECT_EQ(reader.data().layout, "exchange");
    EXPECT_EQ(reader.data().dynamic_centre(4, 0), 0.04);
    EXPECT_EQ(reader.data().two_time.map_bins, (std::vector<std::int64_t>{1, 4}));
    EXPECT_DOUBLE_EQ(reader.data().step_s(), 2 * 20e-6);
}

TEST(Exchange, ComesBackBitForBit) {
    const TempDir dir;
    const std::string result = write_everything(dir);
    convert(result, dir.file("old.hdf"), ExportFormat::exchange);
    const auto notes = convert(dir.file("old.hdf"), dir.file("back.hdf"), ExportFormat::xpcs);
    EXPECT_THAT(notes, ElementsAre());
    expect_same_numbers(result, dir.file("back.hdf"));
    const ResultReader before(result), after(dir.file("back.hdf"));
    EXPECT_EQ(after.data().qmap.hash, before.data().qmap.hash);
    EXPECT_EQ(after.data().step_s(), before.data().step_s());
    EXPECT_EQ(after.data().stride_frame, 2);
    EXPECT_EQ(after.data().start_time, before.data().start_time);
    EXPECT_EQ(after.data().rawdata_path, before.data().rawdata_path);
    EXPECT_EQ(after.load_maps().dynamic_roi_map, before.load_maps().dynamic_roi_map);
    std::string reason;
    EXPECT_TRUE(is_complete_result(dir.file("back.hdf"), reason)) << reason;
}

/// Files of others have no q-map of ours in them.
TEST(Exchange, ComesBackFromWhatTheOlderProgramsWrote) {
    const TempDir dir;
    const std::string result = write_everything(dir), old = dir.file("old.hdf");
    convert(result, old, ExportFormat::exchange);
    {
        const h5::File file = h5::open_file_for_writing(old);
        h5::remove(file.id(), rp::qmap.path);
        h5::remove(file.id(), "/exchange/g2partials");
    }
    EXPECT_EQ(ResultReader(old).data().dynamic_centre(4, 0), 0.04);
    convert(old, dir.file("back.hdf"), ExportFormat::xpcs);
    // The segments are made from the maps now.
    const auto segments =
        h5::read<double>(h5::open_file(dir.file("back.hdf")).id(), rp::twotime_g2_segments.path);
    const auto map = h5::read<double>(h5::open_file(result).id(), twotime_map_path(2));
    const std::int64_t L = n_frames / 5;
    double mean = 0;  // lag 3 of the second block of the second map
    for (std::int64_t t = L; t + 3 < 2 * L; ++t)
        mean += map[static_cast<std::size_t>(t * n_frames + t + 3)] / static_cast<double>(L - 3);
    EXPECT_NEAR(segments[(3 * 5 + 1) * 2 + 1], mean, 1e-6);  // float32 of a number near 2
    {
        const h5::File file = h5::open_file_for_writing(result);
        h5::remove(file.id(), rp::twotime_g2_segments.path);
        const h5::File back = h5::open_file_for_writing(dir.file("back.hdf"));
        h5::remove(back.id(), rp::twotime_g2_segments.path);
    }
    expect_same_numbers(result, dir.file("back.hdf"));
    const QMap qmap = ResultReader(dir.file("back.hdf")).data().qmap;
    EXPECT_NEAR(qmap.pixel_size_m, 76e-6, 1e-18);
    EXPECT_EQ(qmap.beam_center_x, 10.5);
    EXPECT_EQ(qmap.energy_keV, 10);
}

/// The same file as MATLAB would have written it: every array with its axes in the other order.
TEST(Exchange, AxesInTheOrderOfMatlab) {
    const TempDir dir;
    const std::string result = write_plain(dir), old = dir.file("old.hdf"),
                      turned = dir.file("m.hdf");
    convert(result, old, ExportFormat::exchange);
    {
        const h5::File from = h5::open_file(old), to = h5::create_file(turned);
        const char* arrays[] = {"/exchange/tau",
                                "/exchange/norm-0-g2",
                                "/exchange/norm-0-stderr",
                                "/exchange/pixelSum",
                                "/exchange/frameSum",
                                "/exchange/partition-mean-total",
                                "/exchange/partition-mean-partial",
                                "/xpcs/dqmap",
                                "/xpcs/sqmap",
                                "/xpcs/mask",
                                "/xpcs/dqlist",
                                "/xpcs/dphilist",
                                "/xpcs/sqlist",
                                "/xpcs/sphilist",
                                "/xpcs/dnoq",
                                "/xpcs/dnophi",
                                "/xpcs/snoq",
                                "/xpcs/snophi",
                                "/measurement/instrument/detector/exposure_period"};
        for (const char* path : arrays) {
            const auto values = h5::read<double>(from.id(), path);
            const h5::Shape is = h5::shape_of(h5::open_dataset(from.id(), path));
            std::vector<double> other(values.size());
            for (hsize_t r = 0; r < is[0]; ++r) {
                for (hsize_t c = 0; c < is[1]; ++c)
                    other[c * is[0] + r] = values[r * is[1] + c];
            }
            h5::write(to.id(), path, other, {is[1], is[0]});
        }
        h5::require_group(to.id(), "/exchange/C2T_all");
    }
    const ResultReader reader(turned);
    EXPECT_TRUE(reader.data().transposed);
    EXPECT_EQ(reader.data().rows, 60);
    EXPECT_EQ(reader.scattering_2d().values, ResultReader(result).scattering_2d().values);
    const auto notes = convert(turned, dir.file("back.hdf"), ExportFormat::xpcs);
    EXPECT_THAT(notes, ::testing::Contains(HasSubstr("order of MATLAB")));
    EXPECT_THAT(notes, ::testing::Contains(HasSubstr("maps of MATLAB files are not read")));
    expect_same_numbers(result, dir.file("back.hdf"));
}

TEST(Exchange, LengthsInAnyUnit) {
    const TempDir dir;
    const std::string result = write_plain(dir), old = dir.file("old.hdf");
    convert(result, old, ExportFormat::exchange);
    const std::string detector = "/measurement/instrument/detector/";
    struct Case {
        double pixel, distance;
    };
    // mm, micrometre, metre
    for (const Case& c : {Case{0.076, 4000}, Case{76, 4e6}, Case{76e-6, 4}}) {
        {
            const h5::File file = h5::open_file_for_writing(old);
            if (h5::exists(file.id(), rp::qmap.path)) h5::remove(file.id(), rp::qmap.path);
            for (const auto& [name, value] : {std::pair{"x_pixel_size", c.pixel},
                                              std::pair{"y_pixel_size", c.pixel},
                                              std::pair{"distance", c.distance}}) {
                if (h5::exists(file.id(), detector + name)) h5::remove(file.id(), detector + name);
                h5::write<double>(file.id(), detector + name, {value}, {1, 1});
            }
        }
        const std::string back = dir.file("back.hdf");
        export_result({old, back, ExportFormat::xpcs, "", true});
        const h5::File file = h5::open_file(back);
        EXPECT_NEAR(h5::read_number(file.id(), rp::x_pixel_size.path), 76e-6, 1e-15);
        EXPECT_NEAR(h5::read_number(file.id(), "/xpcs/qmap/pixel_size"), 76e-6, 1e-15);
        EXPECT_NEAR(h5::read_number(file.id(), "/xpcs/qmap/detector_distance"), 4, 1e-9);
    }
}

TEST(Exchange, NonsenseInTheMappingIsRefused) {
    for (const std::int64_t natural : {std::int64_t{-1}, std::int64_t{1} << 40}) {
        const TempDir dir;
        const std::string result = write_plain(dir), old = dir.file("old.hdf");
        convert(result, old, ExportFormat::exchange);
        for (const std::string& path : {result, old}) {
            const h5::File file = h5::open_file_for_writing(path);
            h5::remove(file.id(), "/xpcs/qmap/dynamic_index_mapping");
            h5::write<std::int64_t>(file.id(), "/xpcs/qmap/dynamic_index_mapping", {0, 1, natural});
        }
        EXPECT_EQ(error_of([&] { convert(result, dir.file("x"), ExportFormat::exchange); }).code(),
                  ExitCode::data);
        EXPECT_EQ(error_of([&] { convert(old, dir.file("x"), ExportFormat::xpcs); }).code(),
                  ExitCode::data);
        EXPECT_FALSE(fs::exists(dir.file("x")));
        convert(result, dir.file("y"), ExportFormat::csv);  // bins without a centre
        convert(result, dir.file("z"), ExportFormat::nxxpcs);
    }
}

TEST(Exchange, WhatIsMissingIsSaid) {
    const TempDir dir;
    const std::string result = write_plain(dir), old = dir.file("old.hdf");
    convert(result, old, ExportFormat::exchange);
    {
        const h5::File file = h5::open_file_for_writing(old);
        for (const char* path : {"/exchange/norm-0-stderr",
                                 "/exchange/partition-mean-total",
                                 "/exchange/partition-mean-partial",
                                 "/exchange/frameSum",
                                 "/measurement/instrument/detector/exposure_period",
                                 "/measurement/instrument/source_begin/datetime"}) {
            h5::remove(file.id(), path);
        }
    }
    const auto notes = convert(old, dir.file("back.hdf"), ExportFormat::xpcs);
    EXPECT_EQ(notes.size(), 6U);
    std::string reason;
    EXPECT_TRUE(is_complete_result(dir.file("back.hdf"), reason)) << reason;
    {
        const h5::File file = h5::open_file_for_writing(old);
        h5::remove(file.id(), rp::qmap.path);
        h5::remove(file.id(), "/xpcs/dqmap");
    }
    const Error error = error_of([&] { convert(old, dir.file("no.hdf"), ExportFormat::xpcs); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_FALSE(fs::exists(dir.file("no.hdf")));
}

TEST(Exchange, ResultsOfTheProductionCorrelatorGoThereAndBack) {
    const fs::path folder = fs::path(XPCS_SHARED_DIR) / "reference" / "peer";
    if (!fs::is_directory(folder)) GTEST_SKIP() << "no reference files beside the checkout";
    int done = 0;
    for (const auto& item : fs::directory_iterator(folder)) {
        const std::string file = item.path().string();
        const bool has_qmap = h5::is_group(h5::open_file(file).id(), rp::qmap.path);
        // Of the two-time maps only some were kept: columns of maps that are not there.
        const ResultReader reader(file);
        if (!has_qmap ||
            reader.data().two_time.n_maps < reader.data().two_time.processed_bins.size()) {
            continue;
        }
        ++done;
        const TempDir dir;
        convert(file, dir.file("old.hdf"), ExportFormat::exchange);
        convert(dir.file("old.hdf"), dir.file("back.hdf"), ExportFormat::xpcs);
        SCOPED_TRACE(file);
        for (const char* path : {rp::g2.path, rp::g2_err.path, rp::scattering_1d.path}) {
            if (h5::exists(h5::open_file(file).id(), path)) {
                EXPECT_TRUE(float_bytes(file, path) == float_bytes(dir.file("back.hdf"), path))
                    << path;
            }
        }
    }
    EXPECT_GE(done, 20);
}

}  // namespace
