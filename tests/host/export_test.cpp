// SPDX-License-Identifier: BSD-3-Clause
#include "host/export.hpp"

#include "host/cmd_export.hpp"
#include "host/errors.hpp"
#include "host/export_csv.hpp"
#include "host/fit_store.hpp"
#include "host/result_reader.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/export_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <sstream>

namespace {

namespace fs = std::filesystem;
namespace rp = xpcs::result_path;
using namespace xpcs;
using namespace xpcs::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// --- CSV ---------------------------------------------------------------------------------------

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

TEST(ExportCsv, OtherErrorsAreMoreColumns) {
    const TempDir dir;
    const std::string result = write_plain(dir), out = dir.file("g2.csv");
    const h5::Shape extents = shape(result, rp::g2.path);
    {
        const h5::File file = h5::open_file_for_writing(result);
        std::vector<float> values(h5::n_elements(extents));
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<float>(i);
        h5::write(file.id(), rp::g2_err_delta.path, values, extents);
        h5::write(file.id(), rp::g2_err_shot.path, std::vector<float>(3, 1), {3});  // not of g2
    }
    export_result({result, out, ExportFormat::csv, "g2", false});
    const auto rows = rows_of(text_of(out), nullptr);
    ASSERT_EQ(rows[0].size(), 9U);
    EXPECT_EQ(rows[0][8], "g2_err_delta");
    EXPECT_EQ(rows[2][8], "3");  // second lag of the first of three bins
    EXPECT_EQ(rows.back()[8], std::to_string(h5::n_elements(extents) - 1));
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
        if (at > 0) {
            EXPECT_EQ(text.substr(found - 3, 3), "\n\n\n") << table;
        }
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
