// SPDX-License-Identifier: BSD-3-Clause
#include "host/export.hpp"

#include "host/chunk_writer.hpp"
#include "host/cmd_export.hpp"
#include "host/errors.hpp"
#include "host/export_csv.hpp"
#include "host/fit_store.hpp"
#include "host/log.hpp"
#include "host/result_file.hpp"
#include "host/result_paths.hpp"
#include "host/result_reader.hpp"
#include "kernels/twotime.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>

namespace {

namespace fs = std::filesystem;
namespace rp = xpcs::result_path;
using namespace xpcs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using xpcs::testing::error_of;
using xpcs::testing::made_up_result;
using xpcs::testing::TempDir;

constexpr std::int64_t n_frames = 700;

/// Both analyses, -G and partial curves, with every value different from the others.
std::string write_everything(const TempDir& dir) {
    RunResult result = made_up_result(dir, n_frames);
    result.config.type = AnalysisType::both;
    result.config.stride_frame = result.frames.stride = 2;
    result.frames.begin = 3;
    result.frames.end = 3 + 2 * n_frames;
    result.one_time.g2[5] = std::numeric_limits<double>::quiet_NaN();
    const std::size_t n_lags = result.one_time.ladder.lags.size();
    result.partial.emplace();
    result.partial->end_frame = {350, 700};
    result.partial->g2.assign(2 * n_lags * 3, 1.25);
    result.partial->g2_err.assign(2 * n_lags * 3, 0.5);
    TwotimeTable table;
    table.labels = {1, 3};
    table.natural = {0, 3};
    table.n_frames = n_frames;
    table.segment_frames = n_frames / 5;
    for (std::int64_t i = 0; i < n_frames * 2; ++i)
        table.g2.push_back(1 + 0.001F * static_cast<float>(i));
    for (std::int64_t i = 0; i < n_frames / 5 * 5 * 2; ++i)
        table.g2_segments.push_back(2 + 0.001F * static_cast<float>(i));
    table.empty_frames = {0, 0};
    result.two_time = table;

    ResultFile file(result.config, "run", result.metadata.file);
    UnnormalizedSink& sink =
        file.unnormalized(static_cast<int>(n_lags), result.qmap.rows, result.qmap.cols);
    std::vector<float> all(n_lags * 3 *
                           static_cast<std::size_t>(result.qmap.rows * result.qmap.cols));
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i] = static_cast<float>(i);
    sink.write_rows(0, result.qmap.rows, all.data());
    const auto side = static_cast<std::int64_t>(twotime_tile_side(n_frames));
    for (std::size_t k = 1; k <= 2; ++k) {
        const auto map = file.twotime_map(k, n_frames);
        for (std::int64_t r = 0; r < n_frames; r += side) {
            for (std::int64_t c = r; c < n_frames; c += side) {
                std::vector<float> tile(static_cast<std::size_t>(side * side), 0);
                for (std::int64_t i = 0; i < side; ++i) {
                    for (std::int64_t j = 0; j < side; ++j) {
                        const bool upper = r + i <= c + j && c + j < n_frames && r + i < n_frames;
                        tile[static_cast<std::size_t>(i * side + j)] =
                            upper ? static_cast<float>(k) +
                                        1e-6F * static_cast<float>((r + i) * n_frames + c + j)
                                  : 0;
                    }
                }
                map->write({static_cast<hsize_t>(r), static_cast<hsize_t>(c)}, tile.data());
            }
        }
        map->close();
    }
    file.write(result);
    return file.commit();
}

std::string write_plain(const TempDir& dir) {
    const RunResult result = made_up_result(dir);
    ResultFile file(result.config, "run", result.metadata.file);
    file.write(result);
    return file.commit();
}

/// Bytes of a float32 dataset, so that NaN compares too.
std::string float_bytes(const std::string& file, const std::string& path) {
    const auto values = h5::read<float>(h5::open_file(file).id(), path);
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

h5::Shape shape(const std::string& file, const std::string& path) {
    return h5::shape_of(h5::open_dataset(h5::open_file(file).id(), path));
}

std::vector<std::string>
convert(const std::string& in, const std::string& out, ExportFormat format) {
    return export_result({in, out, format, "", false});
}

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

// --- CSV ---------------------------------------------------------------------------------------

std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

/// Rows of a table after its line of names; the comments before it.
std::vector<std::vector<std::string>> rows_of(const std::string& text, std::string* comments) {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("#")) {
            if (comments != nullptr) *comments += line + "\n";
            continue;
        }
        std::vector<std::string> fields(1);
        bool quoted = false;
        for (const char c : line) {
            if (c == '"') {
                quoted = !quoted;
            } else if (c == ',' && !quoted) {
                fields.emplace_back();
            } else {
                fields.back() += c;
            }
        }
        rows.push_back(fields);
    }
    return rows;
}

TEST(ExportCsv, G2ReadsBackExactlyWithUnits) {
    const TempDir dir;
    const std::string result = write_everything(dir), out = dir.file("g2.csv");
    export_result({result, out, ExportFormat::csv, "g2", false});
    std::string comments;
    const auto rows = rows_of(text_of(out), &comments);
    EXPECT_THAT(
        rows.front(),
        ElementsAre("bin", "q", "phi", "delay_frames", "delay_s", "n_pairs", "g2", "g2_err"));
    EXPECT_THAT(comments, HasSubstr("# delay_s: lag in s"));
    EXPECT_THAT(comments,
                HasSubstr("# q: centre of the dynamic bin, \xC3\x85\xE2\x81\xBB\xC2\xB9"));
    EXPECT_THAT(comments, HasSubstr("# frame time: 2e-05 s, stride 2, average 1"));
    const ResultReader reader(result);
    const OneTimeData& one = reader.data().one_time;
    ASSERT_EQ(rows.size(), 1 + one.g2.values.size());
    std::size_t line = 1;
    int empty = 0;
    for (std::int64_t bin = 0; bin < one.g2.cols; ++bin) {
        for (std::int64_t k = 0; k < one.g2.rows; ++k, ++line) {
            const auto& row = rows[line];
            ASSERT_EQ(row.size(), 8U);
            EXPECT_EQ(row[0], std::to_string(bin + 1));
            EXPECT_EQ(row[3], std::to_string(one.delay_list[static_cast<std::size_t>(k)]));
            EXPECT_EQ(std::stod(row[4]), one.delay_s[static_cast<std::size_t>(k)]);
            if (std::isnan(one.g2.at(k, bin))) {
                ++empty;
                EXPECT_EQ(row[6], "");
            } else {
                EXPECT_EQ(std::stof(row[6]), static_cast<float>(one.g2.at(k, bin)));
            }
            EXPECT_EQ(std::stof(row[7]), static_cast<float>(one.g2_err.at(k, bin)));
        }
    }
    EXPECT_EQ(empty, 1);
    EXPECT_EQ(rows[1][1], "0.01");
    EXPECT_EQ(rows.back()[1], "0.04");  // label 3 is natural bin 3
}

TEST(ExportCsv, AllTablesAsBlocks) {
    const TempDir dir;
    const std::string result = write_everything(dir);
    {
        const ResultReader reader(result);
        store_fit(result, fit_result(reader.data(), std::nullopt, false), reader.data());
    }
    const std::string out = dir.file("all.csv");
    convert(result, out, ExportFormat::csv);
    const std::string text = text_of(out);
    const std::vector<std::string> tables = csv_tables(ResultReader(result).data());
    EXPECT_THAT(tables,
                ElementsAre("g2",
                            "g2_partial",
                            "twotime_g2",
                            "saxs_1d",
                            "saxs_1d_segments",
                            "intensity",
                            "fit_single"));
    std::size_t at = 0;
    for (const std::string& table : tables) {
        const std::size_t found = text.find("# table " + table + ": ", at);
        ASSERT_NE(found, std::string::npos) << table;
        if (at > 0) EXPECT_EQ(text.substr(found - 3, 3), "\n\n\n") << table;
        at = found + 1;
    }
    const auto one = [&](const std::string& table) {
        const std::string file = dir.file(table + ".csv");
        export_result({result, file, ExportFormat::csv, table, true});
        return rows_of(text_of(file), nullptr);
    };
    EXPECT_EQ(one("intensity").size(), 1U + n_frames);
    EXPECT_THAT(one("intensity")[2], ElementsAre("1", "4e-05", "0.01"));
    EXPECT_THAT(one("saxs_1d")[6], ElementsAre("6", "6", "0", ""));
    EXPECT_EQ(one("saxs_1d_segments").size(), 1U + 8 * 6);
    EXPECT_EQ(one("g2_partial").size(),
              1 + 2 * ResultReader(result).data().one_time.g2.values.size());
    EXPECT_EQ(one("twotime_g2").size(), 1U + 2 * n_frames);
    EXPECT_EQ(one("fit_single")[0][0], "bin");
    EXPECT_EQ(one("fit_single").size(), 4U);
}

TEST(ExportCsv, QuotesWhatNeedsIt) {
    EXPECT_EQ(csv_field("plain text"), "plain text");
    EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
    EXPECT_EQ(csv_field("say \"q\""), "\"say \"\"q\"\"\"");
    EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
    EXPECT_EQ(csv_number(0.1), "0.1");
    EXPECT_EQ(csv_number(static_cast<double>(0.1F)), "0.1");
    EXPECT_EQ(std::stod(csv_number(1.0 / 3)), 1.0 / 3);
    EXPECT_EQ(csv_number(std::numeric_limits<double>::quiet_NaN()), "");

    const TempDir dir;
    const std::string result = write_plain(dir), out = dir.file("x.csv");
    {
        const h5::File file = h5::open_file_for_writing(result);
        h5::remove(file.id(), "/xpcs/qmap/map_names");
        h5::write_strings(file.id(), "/xpcs/qmap/map_names", {"q, \"long\"\nname", "phi"});
    }
    export_result({result, out, ExportFormat::csv, "g2", false});
    const std::string text = text_of(out);
    EXPECT_THAT(text, HasSubstr("\nbin,\"q, \"\"long\"\"\nname\",phi,"));
    EXPECT_THAT(text, HasSubstr("# q, \"long\"\\nname: centre"));
}

// --- the older layout --------------------------------------------------------------------------

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

// --- all formats -------------------------------------------------------------------------------

TEST(Export, TakesANameOnlyOnceAndLeavesNothingBehind) {
    const TempDir dir;
    const std::string result = write_plain(dir), out = dir.file("taken");
    std::ofstream(out) << "precious";
    for (const ExportFormat format :
         {ExportFormat::csv, ExportFormat::exchange, ExportFormat::nxxpcs}) {
        const Error error = error_of([&] { convert(result, out, format); });
        EXPECT_EQ(error.code(), ExitCode::cannot_create);
        EXPECT_EQ(text_of(out), "precious");
        const Error nowhere = error_of([&] { convert(result, dir.file("no/where"), format); });
        EXPECT_EQ(nowhere.code(), ExitCode::cannot_create);
    }
    const Error self = error_of([&] {
        export_result({result, result, ExportFormat::csv, "", true});
    });
    EXPECT_EQ(self.code(), ExitCode::usage);
    export_result({result, out, ExportFormat::csv, "", true});
    EXPECT_THAT(text_of(out), HasSubstr("# table g2: "));
    const Error already = error_of([&] { convert(result, dir.file("x"), ExportFormat::xpcs); });
    EXPECT_EQ(already.code(), ExitCode::data);
    const Error table = error_of([&] {
        export_result({result, dir.file("x"), ExportFormat::csv, "nothing", false});
    });
    EXPECT_THAT(table.what(), HasSubstr("there are g2, saxs_1d"));
    for (const auto& item : fs::directory_iterator(dir.path())) {
        EXPECT_FALSE(item.path().filename().string().starts_with(".")) << item.path();
        EXPECT_NE(item.path().filename(), "x");
    }
}

TEST(Export, CommandLine) {
    const auto refused = [](const std::vector<std::string>& args, const char* words) {
        const Error error = error_of([&] { cmd_export(args); });
        EXPECT_EQ(error.code(), ExitCode::usage);
        EXPECT_THAT(error.what(), HasSubstr(words));
    };
    refused({"--format", "csv", "-o", "x"}, "0 results given");
    refused({"a", "b", "--format", "csv", "-o", "x"}, "2 results given");
    refused({"a", "-o", "x"}, "no format");
    refused({"a", "--format", "csv"}, "no output");
    refused({"a", "--format", "cvs", "-o", "x"}, "did you mean 'csv'?");
    refused({"a", "--format", "nxxpcs", "-o", "x", "--table", "g2"}, "belongs to --format csv");
    const Error missing = error_of([] { cmd_export({"nowhere", "--format", "csv", "-o", "x"}); });
    EXPECT_EQ(missing.code(), ExitCode::no_input);
}

}  // namespace
