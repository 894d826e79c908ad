// SPDX-License-Identifier: BSD-3-Clause
#include "host/metadata.hpp"

#include "host/h5.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>

namespace xpcs {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempDir;

const std::string detector = "/entry/instrument/detector_1/";

void write_metadata(const std::string& path) {
    const h5::File file = h5::create_file(path);
    h5::write_string(file.id(), "/entry/schema_version", "0.1.0");
    h5::write_string(file.id(), "/entry/start_time", "2025-01-01 00:00:00.000000");
    h5::write_scalar(file.id(), detector + "frame_time", 0.001);
    h5::write_scalar(file.id(), detector + "count_time", 0.00095);
    h5::write_scalar(file.id(), detector + "x_pixel_size", 76e-6);
    h5::write_scalar(file.id(), "/entry/instrument/incident_beam/incident_energy", 10.9);
}

Metadata changed(const std::function<void(hid_t)>& change) {
    TempDir dir;
    write_metadata(dir.file("a_metadata.hdf"));
    {
        const h5::File file = h5::open_file_for_writing(dir.file("a_metadata.hdf"));
        change(file.id());
    }
    return load_metadata(dir.file("a_metadata.hdf"));
}

TEST(FindMetadata, SameStemWins) {
    TempDir dir;
    write_metadata(dir.file("run_metadata.hdf"));
    write_metadata(dir.file("other_metadata.hdf"));
    for (const char* raw :
         {"run.bin", "run.bin.000", "run.bin.005", "run.h5", "run.imm", "run.tpx.001", "run"}) {
        EXPECT_EQ(find_metadata(dir.file(raw), ""), dir.file("run_metadata.hdf")) << raw;
    }
}

TEST(FindMetadata, DotsInTheNameStay) {
    TempDir dir;
    write_metadata(dir.file("a_0.5C_metadata.hdf"));
    write_metadata(dir.file("b_metadata.hdf"));
    EXPECT_EQ(find_metadata(dir.file("a_0.5C.bin.000"), ""), dir.file("a_0.5C_metadata.hdf"));
}

TEST(FindMetadata, ExactlyOneCandidate) {
    TempDir dir;
    write_metadata(dir.file("other_metadata.hdf"));
    std::ofstream(dir.file("text_metadata.hdf")) << "no HDF5";
    h5::create_file(dir.file("empty_metadata.hdf"));
    EXPECT_EQ(find_metadata(dir.file("run.bin"), ""), dir.file("other_metadata.hdf"));
}

TEST(FindMetadata, TableESeveralMetadataFiles) {
    TempDir dir;
    write_metadata(dir.file("b_metadata.hdf"));
    write_metadata(dir.file("a_metadata.hdf"));
    const Error error = error_of([&] { find_metadata(dir.file("run.bin"), ""); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("run.bin"),
                      HasSubstr("a_metadata.hdf, b_metadata"),
                      HasSubstr("--metadata")));
}

TEST(FindMetadata, TableEMetadataMissing) {
    TempDir dir;
    const Error error = error_of([&] { find_metadata(dir.file("run.bin"), ""); });
    EXPECT_EQ(error.code(), ExitCode::no_input);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("run_metadata.hdf"), HasSubstr("--no-metadata")));
}

TEST(FindMetadata, TheGivenFileWinsAndMustExist) {
    TempDir dir;
    write_metadata(dir.file("run_metadata.hdf"));
    write_metadata(dir.file("x.hdf"));
    EXPECT_EQ(find_metadata(dir.file("run.bin"), dir.file("x.hdf")), dir.file("x.hdf"));
    EXPECT_EQ(error_of([&] { find_metadata(dir.file("run.bin"), dir.file("y.hdf")); }).code(),
              ExitCode::no_input);
}

TEST(FindMetadata, WithoutADirectoryInTheName) {
    TempDir dir;
    write_metadata(dir.file("other_metadata.hdf"));
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(dir.path());
    const std::string found = find_metadata("run.bin", "");
    std::filesystem::current_path(before);
    EXPECT_EQ(std::filesystem::path(found).filename(), "other_metadata.hdf");
}

TEST(LoadMetadata, Plain) {
    const Metadata metadata = changed([](hid_t) {});
    EXPECT_EQ(metadata.frame_time_s, 0.001);
    EXPECT_EQ(metadata.count_time_s, 0.00095);
    EXPECT_EQ(metadata.x_pixel_size_m, 76e-6);
    EXPECT_EQ(metadata.incident_energy_keV, 10.9);
    EXPECT_EQ(metadata.start_time, "2025-01-01 00:00:00.000000");
    EXPECT_THAT(metadata.warnings, IsEmpty());
}

TEST(LoadMetadata, ReferenceFiles) {
    const std::string path = testing::reference_file("S-phi/S-phi_metadata.hdf");
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
    const Metadata metadata = load_metadata(path);
    EXPECT_EQ(metadata.frame_time_s, 0.001);
    EXPECT_EQ(metadata.incident_energy_keV, 10.0);
    EXPECT_THAT(metadata.warnings, IsEmpty());
    EXPECT_EQ(find_metadata(testing::reference_file("S-phi/S-phi.imm"), ""), path);
}

TEST(LoadMetadata, ShapesAndKindsOfValues) {
    const Metadata metadata = changed([](hid_t file) {
        h5::remove(file, detector + "frame_time");
        h5::write(file, detector + "frame_time", std::vector<float>{0.5F}, {1, 1});
        h5::remove(file, detector + "count_time");
        h5::write(file, detector + "count_time", std::vector<double>{0.25}, {1});
        h5::remove(file, "/entry/instrument/incident_beam/incident_energy");
        h5::write_scalar<std::int32_t>(file, "/entry/instrument/incident_beam/incident_energy", 8);
        h5::remove(file, "/entry/start_time");
        h5::write_strings(file, "/entry/start_time", {"now"});
    });
    EXPECT_EQ(metadata.frame_time_s, 0.5);
    EXPECT_EQ(metadata.count_time_s, 0.25);
    EXPECT_EQ(metadata.incident_energy_keV, 8);
    EXPECT_EQ(metadata.start_time, "now");
}

TEST(LoadMetadata, TableEDefinitionIsAGroup) {
    const Metadata metadata = changed([](hid_t file) {
        h5::remove(file, "/entry/schema_version");
        h5::require_group(file, "/entry/schema_version");
        h5::require_group(file, "/entry/definition");
    });
    EXPECT_THAT(metadata.warnings, IsEmpty());
}

TEST(LoadMetadata, TableEFrameTimeMissingOrNotPositive) {
    const Metadata missing = changed([](hid_t file) { h5::remove(file, detector + "frame_time"); });
    EXPECT_EQ(missing.frame_time_s, 0);
    EXPECT_THAT(missing.warnings, Contains(AllOf(HasSubstr("missing"), HasSubstr("--frame-time"))));
    for (const double value : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
        const Metadata wrong = changed([&](hid_t file) {
            h5::remove(file, detector + "frame_time");
            h5::write_scalar(file, detector + "frame_time", value);
        });
        EXPECT_EQ(wrong.frame_time_s, 0);
        EXPECT_THAT(wrong.warnings, Contains(HasSubstr("frame_time")));
    }
}

TEST(LoadMetadata, ValuesThatCannotBeTrueAreWarnedOf) {
    const Metadata metadata = changed([](hid_t file) {
        h5::remove(file, detector + "x_pixel_size");
        h5::write_scalar(file, detector + "x_pixel_size", 76.0);
        h5::remove(file, detector + "count_time");
        h5::write_scalar(file, detector + "count_time", 1.0);
        h5::remove(file, "/entry/start_time");
        h5::require_group(file, "/entry/start_time");
    });
    EXPECT_EQ(metadata.x_pixel_size_m, 76.0);
    EXPECT_THAT(metadata.warnings, Contains(HasSubstr("x_pixel_size 76")));
    EXPECT_THAT(metadata.warnings, Contains(HasSubstr("longer than frame_time")));
    EXPECT_THAT(metadata.warnings, Contains(HasSubstr("/entry/start_time")));
}

TEST(LoadMetadata, NotAMetadataFile) {
    TempDir dir;
    {
        const h5::File file = h5::create_file(dir.file("a.hdf"));
        h5::require_group(file.id(), "/measurement");
    }
    const Error error = error_of([&] { load_metadata(dir.file("a.hdf")); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("no group /entry"), HasSubstr("until 2024")));
    EXPECT_EQ(error_of([&] { load_metadata(dir.file("b.hdf")); }).code(), ExitCode::no_input);
}

TEST(ResultBase, RemovesTheExactSuffixAndNothingElse) {
    EXPECT_EQ(result_base("/x/run_metadata.hdf"), "run");
    EXPECT_EQ(result_base("run_data_metadata.hdf"), "run_data");
    EXPECT_EQ(result_base("S_a_metadata.hdf"), "S_a");
    EXPECT_EQ(result_base("S_d_metadata.hdf"), "S_d");
    EXPECT_EQ(result_base("film_made_metadata.hdf"), "film_made");
    EXPECT_EQ(result_base("data_metadata.hdf"), "data");
    EXPECT_EQ(result_base("data.hdf"), "data");
    EXPECT_EQ(result_base("a_0.5C_metadata.hdf"), "a_0.5C");
    EXPECT_EQ(result_base("a_metadata_metadata.hdf"), "a_metadata");
    EXPECT_EQ(result_base("_metadata.hdf"), "_metadata");
}

TEST(ResultBase, OfARawFileIsItsStem) {
    EXPECT_EQ(result_base("/x/run.bin"), "run");
    EXPECT_EQ(result_base("/x/run.bin.000"), "run");
    EXPECT_EQ(result_base("run.h5"), "run");
}

}  // namespace
}  // namespace xpcs
