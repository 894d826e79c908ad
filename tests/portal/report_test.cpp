// SPDX-License-Identifier: BSD-3-Clause
// Reports: the names and sizes that portals expect, tables, metadata, every layout, hostile text.
#include "portal/report.hpp"

#include "host/h5.hpp"
#include "host/result_file.hpp"
#include "portal/report_data.hpp"
#include "portal/report_json.hpp"
#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <tiffio.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace {

using namespace xpcs;
using namespace xpcs::portal;
using ::testing::HasSubstr;
using ::testing::Not;
using xpcs::testing::TempDir;
namespace fs = std::filesystem;

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Width of a PNG file, from its first chunk.
std::int64_t png_width(const std::string& path) {
    const std::string bytes = read(path);
    if (bytes.size() < 24 || bytes.substr(1, 3) != "PNG") {
        return 0;
    }
    std::int64_t width = 0;
    for (int i = 16; i < 20; ++i) {
        width = 256 * width + static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
    }
    return width;
}

std::string write_result(const RunResult& result, const std::string& name = "run") {
    ResultFile file(result.config, name, result.metadata.file);
    file.write(result);
    return file.commit();
}

ReportFiles report_of(const std::string& result, const std::string& directory) {
    ReportOptions options;
    options.result = result;
    options.directory = directory;
    return write_report(options);
}

/// Names of the files in a directory, as "a.png", sorted.
std::vector<std::string> names_in(const std::string& directory, const std::string& extension) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory)) {
        if (entry.path().extension() == extension) {
            names.push_back(entry.path().filename().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<std::vector<std::string>> table(const std::string& path) {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(read(path));
    for (std::string line; std::getline(lines, line);) {
        // No field of these tables holds a comma outside of quotes but labels of bins.
        std::vector<std::string> row{""};
        bool quoted = false;
        for (const char c : line) {
            quoted ^= c == '"';
            if (c == ',' && !quoted) {
                row.emplace_back();
            } else {
                row.back() += c;
            }
        }
        rows.push_back(row);
    }
    return rows;
}

double cpu_s() {
    double sum = 0;
    for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        getrusage(who, &usage);
        sum += static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    }
    return sum;
}

TEST(Report, PicturesHaveTheNamesAndTheSizeThatPortalsExpect) {
    const TempDir dir;
    const std::string out = dir.file("report");
    report_of(write_result(xpcs::testing::made_up_result(dir)), out);
    const std::vector<std::string> names = names_in(out, ".png");
    for (const char* pattern : {R"(scattering_pattern_log\.png)",
                                R"(scattering_pattern_lin\.png)",
                                R"(total_intensity_vs_time\.png)",
                                R"(run_g2_corr_000_008\.png)",
                                R"(.*_g2_corr_fit_\d\d\d_\d\d\d\.png)",
                                R"(.*_corr_params\.png)",
                                R"(.*_intensity\.png)",
                                R"(.*_intensity_t\.png)"}) {
        const auto matches = [&](const std::string& name) {
            return std::regex_match(name, std::regex(pattern));
        };
        EXPECT_EQ(std::count_if(names.begin(), names.end(), matches), 1) << pattern;
    }
    for (const std::string& name : names) {
        EXPECT_GE(png_width(out + "/" + name), 1200) << name;
    }
    EXPECT_EQ(names_in(out + "/figs", ".png"),
              (std::vector<std::string>{"g2_0000.png", "saxs_mask.png", "stability.png"}));
    EXPECT_EQ(read(out + "/figs/saxs_mask.png"), read(out + "/scattering_pattern_log.png"));
    EXPECT_TRUE(fs::is_regular_file(out + "/summary.html"));
    // Again over the old one, and nothing is left over.
    report_of(dir.file("run_results.hdf"), out);
    for (const auto& entry : fs::directory_iterator(out)) {
        EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
    }
}

TEST(Report, TablesHoldWhatIsPlotted) {
    const TempDir dir;
    const RunResult made = xpcs::testing::made_up_result(dir);
    report_of(write_result(made), dir.file("report"));
    const std::string data = dir.file("report/data/");
    const auto g2 = table(data + "g2.csv"), err = table(data + "g2_err.csv");
    ASSERT_EQ(g2.size(), made.one_time.ladder.lags.size() + 1);
    ASSERT_EQ(err.size(), g2.size());
    EXPECT_EQ(g2[0][0], "delay_s");
    EXPECT_THAT(g2[0][1], HasSubstr("q = 0.01"));
    for (std::size_t row = 1; row < g2.size(); ++row) {
        ASSERT_EQ(g2[row].size(), 4U);
        EXPECT_NEAR(std::stod(g2[row][2]), made.one_time.g2[3 * (row - 1) + 1], 1e-6);
        EXPECT_NEAR(std::stod(g2[row][0]),
                    static_cast<double>(made.one_time.ladder.lags[row - 1].frames) * 20e-6,
                    1e-12);
    }
    const auto intensity = table(data + "intensity.csv");
    EXPECT_EQ(intensity.size(), 1001U);
    EXPECT_EQ(table(data + "saxs_1d.csv").size(), 7U);
    EXPECT_EQ(table(data + "saxs_1d.csv")[6][2], "") << "no signal is empty, not nan";
    EXPECT_EQ(table(data + "saxs_1d_stability.csv")[1].size(), 9U);
    EXPECT_EQ(table(data + "fit.csv").size(), 4U);
    EXPECT_EQ(table(data + "qbin_values.csv")[3][1], "0.04");
}

TEST(Report, TheImageIsThereAsNumbers) {
    const TempDir dir;
    const std::string result = write_result(xpcs::testing::made_up_result(dir));
    report_of(result, dir.file("report"));
    const ReportImage image = gather(result, false, 0).image;
    ASSERT_FALSE(image.empty());
    TIFF* file = TIFFOpen(dir.file("report/data/saxs_2d.tif").c_str(), "r");
    ASSERT_NE(file, nullptr);
    std::uint32_t rows = 0, cols = 0;
    TIFFGetField(file, TIFFTAG_IMAGELENGTH, &rows);
    TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &cols);
    ASSERT_EQ(rows, image.rows);
    ASSERT_EQ(cols, image.cols);
    std::vector<float> line(cols);
    for (std::uint32_t row = 0; row < rows; ++row) {
        ASSERT_EQ(TIFFReadScanline(file, line.data(), row), 1);
        for (std::size_t col = 0; col < cols; ++col) {
            const double expected = image.values[row * std::size_t{cols} + col];
            if (std::isnan(expected)) {
                EXPECT_TRUE(std::isnan(line[col]));
            } else {
                EXPECT_EQ(line[col], static_cast<float>(expected));
            }
        }
    }
    TIFFClose(file);
}

TEST(Report, MetadataHaveTheGroupsOfThePlotStep) {
    const TempDir dir;
    report_of(write_result(xpcs::testing::made_up_result(dir)), dir.file("report"));
    const std::string text = read(dir.file("report/metadata.json"));
    EXPECT_THAT(text, Not(HasSubstr("NaN")));
    const nlohmann::json json = nlohmann::json::parse(text);
    EXPECT_EQ(json["/entry/instrument"]["detector_1"]["frame_time (s)"], 20e-6);
    EXPECT_EQ(json["/entry/instrument"]["incident_beam"]["incident_energy (keV)"], 10);
    EXPECT_EQ(json["/entry/sample"]["name"], "latex \xC3\xA9");
    EXPECT_TRUE(json["/xpcs/multitau/config"].is_object());
    EXPECT_EQ(json["analysis_type"], nlohmann::json::array({"Multitau"}));
    EXPECT_EQ(json["start_time"], "2026-01-02 03:04:05.678");
    EXPECT_TRUE(std::regex_match(json["plot_time"].get<std::string>(),
                                 std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")));
    ASSERT_EQ(json["tools"].size(), 2U);
    for (const auto& tool : json["tools"]) {
        EXPECT_NE(tool["tool_version"], "") << tool;
        EXPECT_TRUE(tool["execution_time_seconds"].is_number()) << tool;
    }
    EXPECT_NEAR(json["results"]["contrast"].get<double>(), 0.2, 0.01);
}

TEST(Report, ThePageNeedsNothingElse) {
    const TempDir dir;
    report_of(write_result(xpcs::testing::made_up_result(dir)), dir.file("report"));
    const std::string page = read(dir.file("report/summary.html"));
    EXPECT_FALSE(std::regex_search(page, std::regex("(src|href)=\"?(https?:)?//")));
    EXPECT_EQ(page.find("@import"), std::string::npos);
    EXPECT_THAT(page, HasSubstr("default-src 'none'"));
    EXPECT_LT(page.find("id=\"findings\""), page.find("id=\"image\"")) << "warnings first";
}

TEST(Report, HostileMetadataAreText) {
    const TempDir dir;
    RunResult made = xpcs::testing::made_up_result(dir);
    const std::string evil =
        "</script><script>alert(1)</script>'`id`\"{{body}}" + std::string(5000, 'x');
    {
        const h5::File file = h5::open_file_for_writing(made.metadata.file);
        h5::write_string(file.id(), "/entry/sample/short_description", evil);
        h5::write_scalar<double>(file.id(), "/entry/sample/position_x", NAN);
    }
    made.warnings = {evil};
    const std::string name = "r'$(id)`x`_<b>&";
    report_of(write_result(made, name), dir.file("report"));
    const std::string page = read(dir.file("report/summary.html"));
    EXPECT_EQ(page.find("<script>alert"), std::string::npos);
    EXPECT_EQ(page.find("<b>&"), std::string::npos);
    EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)"));
    EXPECT_TRUE(nlohmann::json::accept(read(dir.file("report/metadata.json"))));
    EXPECT_TRUE(fs::exists(dir.file("report/" + name + "_g2_corr_000_008.png")));
}

TEST(Report, TheProductionCorrelatorsResults) {
    const fs::path folder = fs::path(XPCS_SHARED_DIR) / "reference" / "peer";
    if (!fs::is_directory(folder)) {
        GTEST_SKIP() << "no results of the production correlator beside the tree";
    }
    const TempDir dir;
    for (const char* name : {"S-3m__nf1", "S-hdf__nf0_a3f2", "S-imm__tt_sq", "S-phi__nf0"}) {
        const double before = cpu_s();
        const std::string out = dir.file(name);
        report_of((folder / (std::string(name) + ".hdf")).string(), out);
        EXPECT_LT(cpu_s() - before, 5) << name;
        const bool twotime = std::string(name).find("__tt") != std::string::npos;
        EXPECT_EQ(fs::exists(out + "/data/g2.csv"), !twotime) << name;
        EXPECT_EQ(fs::exists(out + "/data/c2_g2.csv"), twotime) << name;
        // The large set was stored without its image.
        if (name != std::string("S-3m__nf1")) {
            EXPECT_GE(png_width(out + "/scattering_pattern_log.png"), 1200) << name;
        }
    }
    // The peer writes its segments as parts of the mean: shown on the scale of the whole.
    const ReportData data = gather((folder / "S-phi__nf0.hdf").string(), false, 0);
    double segment = 0, whole = 0;
    for (std::int64_t column = 0; column < data.result.scattering_1d.cols; ++column) {
        segment += data.result.scattering_1d_segments.at(0, column);
        whole += data.result.scattering_1d.at(0, column);
    }
    EXPECT_NEAR(segment / whole, 1, 0.2);
}

/// As the older correlator wrote it: rows and columns of (1,1), milli-metres, numbered maps.
std::string older_result(const TempDir& dir) {
    const std::string path = dir.file("old_results.hdf");
    const h5::File file = h5::create_file(path);
    const hid_t id = file.id();
    constexpr int n_frames = 64, n_bins = 2;
    std::vector<float> tau, g2, err, frames, sums, map;
    for (int k = 1; k < n_frames / 2; k = k < 8 ? k + 1 : k + k / 4) {
        tau.push_back(static_cast<float>(k));
        for (int bin = 0; bin < n_bins; ++bin) {
            g2.push_back(static_cast<float>(1 + 0.2 * std::exp(-2.0 * k * (bin + 1) / 12)));
            err.push_back(0.002F);
        }
    }
    for (int i = 0; i < n_frames; ++i) {
        frames.push_back(static_cast<float>(i + 1));
        sums.push_back(0.5F + 0.01F * static_cast<float>(i % 5));
        for (int j = 0; j < n_frames; ++j) {
            map.push_back(j < i ? 0 : static_cast<float>(1 + 0.2 * std::exp(-(j - i) / 10.0)));
        }
    }
    frames.insert(frames.end(), sums.begin(), sums.end());
    const hsize_t n = tau.size();
    h5::write_string(id, "/xpcs/output_data", "/exchange");
    h5::write<float>(id, "/exchange/tau", tau, {1, n});
    h5::write<float>(id, "/exchange/norm-0-g2", g2, {n, n_bins});
    h5::write<float>(id, "/exchange/norm-0-stderr", err, {n, n_bins});
    h5::write<float>(id, "/exchange/pixelSum", std::vector<float>(40 * 60, 2), {40, 60});
    h5::write<float>(id, "/exchange/frameSum", frames, {2, n_frames});
    h5::write<float>(id, "/exchange/partition-mean-total", {7, 5, 4}, {1, 3});
    h5::write<float>(id, "/exchange/partition-mean-partial", {7, 5, 4, 6.5F, 5.5F, 4}, {2, 3});
    h5::write<float>(id, "/exchange/C2T_all/g2_00001", map, {n_frames, n_frames});
    h5::write<double>(id, "/xpcs/dqlist", {0.01, 0.02}, {1, 2});
    h5::write<double>(id, "/measurement/instrument/detector/exposure_period", {0.1}, {1, 1});
    h5::write_string(id, "/measurement/sample/name", "old <i>sample</i>");
    return path;
}

TEST(Report, AResultExportedToTheOlderLayoutLooksTheSame) {
    const std::string program = std::string(XPCS_BIN_DIR) + "/xpcs-corr";
    if (!fs::exists(program)) {
        GTEST_SKIP() << "xpcs-corr is not built";
    }
    const TempDir dir;
    const std::string ours = write_result(xpcs::testing::made_up_result(dir));
    const std::string older = dir.file("older_results.hdf");
    const std::string command = "'" + program + "' export '" + ours + "' --format exchange -o '" +
                                older + "' >/dev/null 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0);
    report_of(older, dir.file("report"));
    const ReportData a = gather(ours, false), b = gather(older, false);
    EXPECT_EQ(b.result.layout, "exchange");
    // That layout has a column for every bin of the grid, empty ones too.
    ASSERT_EQ(b.result.one_time.g2.rows, a.result.one_time.g2.rows);
    std::int64_t found = 0;
    for (std::int64_t bin = 0; bin < a.result.one_time.g2.cols; ++bin) {
        for (std::int64_t other = 0; other < b.result.one_time.g2.cols; ++other) {
            const double q = a.result.dynamic_centre(bin + 1, 0);
            if (std::abs(b.result.dynamic_centre(other + 1, 0) - q) > 1e-6) {
                continue;
            }
            ++found;
            for (std::int64_t row = 0; row < a.result.one_time.g2.rows; ++row) {
                EXPECT_FLOAT_EQ(static_cast<float>(b.result.one_time.g2.at(row, other)),
                                static_cast<float>(a.result.one_time.g2.at(row, bin)));
            }
            ASSERT_TRUE(a.fits && b.fits);
            const FitResult& fit = a.fits->bins[static_cast<std::size_t>(bin)].fit;
            EXPECT_NEAR(b.fits->bins[static_cast<std::size_t>(other)].fit.values[fit_tau],
                        fit.values[fit_tau],
                        1e-4 * fit.values[fit_tau]);
        }
    }
    EXPECT_EQ(found, a.result.one_time.g2.cols);
    for (std::size_t i = 0; i < a.delay.size(); ++i) {
        EXPECT_NEAR(b.delay[i], a.delay[i], 1e-6 * a.delay[i]);
    }
    EXPECT_EQ(b.image.values.size(), a.image.values.size());
    EXPECT_TRUE(fs::exists(dir.file("report/scattering_pattern_log.png")));
    EXPECT_TRUE(fs::exists(dir.file("report/older_corr_params.png")));
}

TEST(Report, TheOlderLayout) {
    const TempDir dir;
    const std::string out = dir.file("report");
    const std::string path = older_result(dir);
    report_of(path, out);
    const ReportData data = gather(path, false);
    EXPECT_EQ(data.result.layout, "exchange");
    ASSERT_TRUE(data.fits);
    EXPECT_TRUE(data.fits->bins[0].fit.ok) << data.fits->bins[0].fit.reason;
    EXPECT_NEAR(data.fits->bins[0].fit.values[fit_tau], 1.2, 0.02);
    ASSERT_EQ(data.two_time.size(), 1U);
    EXPECT_EQ(data.two_time[0].values.rows, 64);
    EXPECT_TRUE(fs::exists(out + "/old_g2_corr_000_008.png"));
    EXPECT_TRUE(fs::exists(out + "/old_g2_corr_009_017.png")) << "two-time maps";
    EXPECT_TRUE(fs::exists(out + "/figs/c2_0000.png"));
    EXPECT_TRUE(fs::exists(out + "/data/c2_0000.tif"));
    EXPECT_TRUE(fs::exists(out + "/scattering_pattern_log.png"));
    const auto json = nlohmann::json::parse(read(out + "/metadata.json"));
    EXPECT_TRUE(json.contains("/measurement/instrument"));
    EXPECT_EQ(json["/measurement/sample"]["name"], "old <i>sample</i>");
    EXPECT_EQ(read(out + "/summary.html").find("<i>sample"), std::string::npos);
}

}  // namespace
