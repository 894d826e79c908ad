// SPDX-License-Identifier: BSD-3-Clause
#include "host/inspect.hpp"

#include "host/cmd_fit.hpp"
#include "host/cmd_inspect.hpp"
#include "host/errors.hpp"
#include "host/result_file.hpp"
#include "host/result_paths.hpp"
#include "tests/host/result_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace {

namespace fs = std::filesystem;
namespace rp = xpcs::result_path;
using namespace xpcs;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::CaptureStdout;
using ::testing::internal::GetCapturedStderr;
using ::testing::internal::GetCapturedStdout;
using xpcs::testing::made_up_result;
using xpcs::testing::TempDir;

std::string write_inspected(const RunResult& result) {
    ResultFile file(result.config, "run", result.metadata.file);
    file.write(result);
    return file.commit();
}

std::string value(const Inspection& inspection, const std::string& name) {
    for (const NamedValue& named : inspection.values) {
        if (named.path == name) {
            return to_text(named.value);
        }
    }
    return "(none)";
}

struct Event {
    std::uint64_t frame, pixel, count;
};

std::string write_rigaku(const TempDir& dir, const std::vector<Event>& events) {
    const std::string path = dir.file("run.bin");
    std::ofstream out(path, std::ios::binary);
    for (const Event& event : events) {
        const std::uint64_t word = event.frame << 40 | event.pixel << 16 | event.count;
        for (int byte = 0; byte < 8; ++byte) {
            out.put(static_cast<char>(word >> (8 * byte) & 0xFF));
        }
    }
    return path;
}

TEST(Inspect, Raw) {
    const TempDir dir;
    std::vector<Event> events;
    for (std::uint64_t frame = 3; frame < 100; ++frame) {
        events.push_back({frame, 5 * 1024 + 7, 3});
        events.push_back({frame, 9 * 1024 + 1, 1});
    }
    const Inspection inspection = inspect_file(write_rigaku(dir, events), {});
    EXPECT_EQ(inspection.code, 0) << inspection.error;
    EXPECT_EQ(inspection.kind, "raw");
    EXPECT_EQ(value(inspection, "frames"), "100");
    EXPECT_EQ(value(inspection, "first frame with photons"), "3");
    EXPECT_EQ(value(inspection, "events"), "194");
    EXPECT_EQ(value(inspection, "photons"), "388");
    EXPECT_EQ(value(inspection, "saturation level"), "3");
    EXPECT_EQ(value(inspection, "share of saturated counts"), "0.5");
    EXPECT_EQ(value(inspection, "pixels with photons"), "2");
    EXPECT_THAT(value(inspection, "hottest pixel 1"),
                HasSubstr("row 5, column 7: 291 photons, 75 %"));
    EXPECT_EQ(value(inspection, "hottest pixel 3"), "(none)");
}

TEST(Inspect, RawOfAnotherShape) {
    const TempDir dir;
    const std::string raw = write_rigaku(dir, {{0, 5, 1}, {1, 300, 1}, {2, 5, 1}});
    InspectOptions options;
    options.rows = 10;
    options.cols = 20;
    const Inspection inspection = inspect_file(raw, options);
    EXPECT_EQ(value(inspection, "records beyond the detector"), "1");
    EXPECT_THAT(inspection.warnings, Contains(HasSubstr("--shape")));
}

TEST(Inspect, QMap) {
    const TempDir dir;
    const RunResult result = made_up_result(dir);
    Inspection inspection = inspect_file(result.qmap.file, {});
    EXPECT_EQ(inspection.kind, "q-map");
    EXPECT_EQ(inspection.code, 0) << inspection.error;
    EXPECT_EQ(value(inspection, "dynamic bins"), "3");
    EXPECT_EQ(value(inspection, "static bins"), "6");
    EXPECT_EQ(value(inspection, "pixels in the mask"), std::to_string(58 * 80));
    EXPECT_EQ(value(inspection, "hash is right"), "true");
    EXPECT_EQ(value(inspection, "consistent"), "true");
    {
        const h5::File file = h5::open_file_for_writing(result.qmap.file);
        h5::write_attribute(h5::open_group(file.id(), "/qmap").id(), "hash", "stale");
    }
    inspection = inspect_file(result.qmap.file, {});
    EXPECT_EQ(inspection.code, 0);
    EXPECT_EQ(value(inspection, "hash is right"), "false");
    EXPECT_THAT(inspection.warnings, Contains(HasSubstr("stale")));

    QMap across = result.qmap;
    across.dynamic_roi_map[5 * 80] = 2;  // static bin 1 now lies in two dynamic bins
    save_qmap(across, dir.file("across.hdf"), false);
    inspection = inspect_file(dir.file("across.hdf"), {});
    EXPECT_EQ(inspection.code, static_cast<int>(ExitCode::data));
    EXPECT_EQ(value(inspection, "consistent"), "false");
}

TEST(Inspect, Metadata) {
    const TempDir dir;
    const std::string path = dir.file("x_metadata.hdf");
    xpcs::testing::write_made_up_metadata(path, 20e-6);
    Inspection inspection = inspect_file(path, {});
    EXPECT_EQ(inspection.kind, "metadata");
    EXPECT_EQ(inspection.code, 0) << inspection.error;
    EXPECT_EQ(value(inspection, "frame time"), "2e-05");
    EXPECT_EQ(value(inspection, "entry/start_time"), "2026-01-02 03:04:05.678");
    EXPECT_TRUE(inspection.warnings.empty());
    xpcs::testing::write_made_up_metadata(dir.file("y_metadata.hdf"), 0);
    inspection = inspect_file(dir.file("y_metadata.hdf"), {});
    EXPECT_EQ(inspection.code, 0);
    EXPECT_THAT(inspection.warnings, Contains(HasSubstr("frame time")));
}

TEST(Inspect, Result) {
    const TempDir dir;
    const std::string path = write_inspected(made_up_result(dir));
    InspectOptions options;
    options.require_result = true;
    const Inspection inspection = inspect_file(path, options);
    EXPECT_EQ(inspection.code, 0) << inspection.error;
    EXPECT_EQ(inspection.kind, "result");
    EXPECT_EQ(value(inspection, "complete"), "true");
    EXPECT_EQ(value(inspection, "analyses"), "Multitau");
    EXPECT_EQ(value(inspection, "frames"), "1000");
    EXPECT_EQ(value(inspection, "lags"), "34");
    EXPECT_EQ(value(inspection, "provenance/device"), "cpu (2 threads)");
}

TEST(Inspect, RequireResultRefusesEverythingElse) {
    const TempDir dir;
    const RunResult result = made_up_result(dir);
    const std::string path = write_inspected(result);
    InspectOptions options;
    options.require_result = true;
    const int data = static_cast<int>(ExitCode::data);
    EXPECT_EQ(inspect_file(result.qmap.file, options).code, data);
    EXPECT_EQ(inspect_file(result.metadata.file, options).code, data);
    EXPECT_EQ(inspect_file(write_rigaku(dir, {{0, 5, 1}}), options).code, data);
    EXPECT_EQ(inspect_file(dir.file("none"), options).code, data);
    EXPECT_EQ(inspect_file(dir.path(), options).code, data);
    std::ofstream(dir.file("empty")) << "";
    EXPECT_EQ(inspect_file(dir.file("empty"), options).code, data);
    {
        const h5::File file = h5::open_file_for_writing(path);
        h5::remove(file.id(), rp::g2.path);
    }
    const Inspection broken = inspect_file(path, options);
    EXPECT_EQ(broken.code, data);
    EXPECT_EQ(broken.kind, "result");
    EXPECT_THAT(broken.error, HasSubstr("no complete result"));
}

TEST(Inspect, CommandReportsAllFilesAndReturnsTheWorst) {
    const TempDir dir;
    const std::string path = write_inspected(made_up_result(dir));
    CaptureStdout();
    CaptureStderr();
    const int code = cmd_inspect({path, dir.file("none"), dir.file("map.hdf")});
    const std::string out = GetCapturedStdout(), err = GetCapturedStderr();
    EXPECT_EQ(code, static_cast<int>(ExitCode::no_input));
    EXPECT_THAT(out, HasSubstr("run_results.hdf: result"));
    EXPECT_THAT(out, HasSubstr("map.hdf: q-map"));
    EXPECT_THAT(err, HasSubstr("no such file"));
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1);
}

TEST(Inspect, JsonSurvivesAnyName) {
    const TempDir dir;
    const std::string odd = dir.file("odd \xFF\n\"name");
    fs::copy_file(write_inspected(made_up_result(dir)), odd);
    CaptureStdout();
    EXPECT_EQ(cmd_inspect({"--json", "--require-result", odd}), 0);
    const std::string out = GetCapturedStdout();
    EXPECT_EQ(out.front(), '[');
    EXPECT_THAT(out, HasSubstr("\"kind\": \"result\""));
    EXPECT_THAT(out, HasSubstr("\"complete\": true"));
    EXPECT_EQ(out.find('\xFF'), std::string::npos);
    EXPECT_EQ(out.find("NaN"), std::string::npos);
}

TEST(Inspect, CommandLine) {
    const auto usage = [](const std::vector<std::string>& args) {
        try {
            cmd_inspect(args);
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string("no error");
    };
    EXPECT_THAT(usage({}), HasSubstr("no file"));
    EXPECT_THAT(usage({"--jsn", "x"}), HasSubstr("--json"));
    EXPECT_THAT(usage({"--shape", "12", "x"}), HasSubstr("ROWSxCOLS"));
    EXPECT_THAT(usage({"--shape=0x5", "x"}), HasSubstr("ROWSxCOLS"));
    EXPECT_THAT(usage({"--shape"}), HasSubstr("missing"));
    CaptureStdout();
    EXPECT_EQ(cmd_inspect({"--help"}), 0);
    EXPECT_THAT(GetCapturedStdout(), HasSubstr("usage: xpcs-corr inspect"));
}

TEST(FitCommand, PrintsATableAndWritesCsv) {
    const TempDir dir;
    const std::string path = write_inspected(made_up_result(dir));
    const auto before = fs::last_write_time(path);
    CaptureStdout();
    EXPECT_EQ(cmd_fit({path, "--no-store", "--expected-D=1e7", "--csv", dir.file("fit.csv")}), 0);
    const std::string out = GetCapturedStdout();
    EXPECT_THAT(out, HasSubstr("expected"));
    EXPECT_THAT(out, HasSubstr("fitted"));
    EXPECT_GT(fs::file_size(dir.file("fit.csv")), 100U);
    EXPECT_EQ(fs::last_write_time(path), before);
    EXPECT_THROW(cmd_fit({path, "--expected-D", "-1"}), Error);
    EXPECT_THROW(cmd_fit({path, path}), Error);
    EXPECT_THROW(cmd_fit({dir.file("map.hdf")}), Error);
    CaptureStdout();
    EXPECT_THROW(cmd_fit({path, "--csv", dir.file("no/such/place.csv")}), Error);
    GetCapturedStdout();
}

}  // namespace
