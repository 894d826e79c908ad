// SPDX-License-Identifier: BSD-3-Clause
#include "host/result_file.hpp"

#include "host/errors.hpp"
#include "host/result_paths.hpp"
#include "host/result_reader.hpp"
#include "host/result_write.hpp"
#include "tests/host/result_fixture.hpp"
#include "tests/host/result_writing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

namespace {

namespace fs = std::filesystem;
namespace rp = xpcs::result_path;
using namespace xpcs;
using ::testing::HasSubstr;
using xpcs::testing::code_of;
using xpcs::testing::hidden;
using xpcs::testing::made_up_result;
using xpcs::testing::TempDir;
using xpcs::testing::write_result;

TEST(ResultFile, HoldsWhatViewersNeed) {
    const TempDir dir;
    const RunResult result = made_up_result(dir);
    const std::string path = write_result(result);
    EXPECT_EQ(path, dir.file("run_results.hdf"));  // ends in _results.hdf, in the directory of -o
    EXPECT_TRUE(hidden(dir.path()).empty());
    std::string reason;
    EXPECT_TRUE(is_complete_result(path, reason)) << reason;

    const h5::File file = h5::open_file(path);
    const hid_t id = file.id();
    const std::size_t n_lags = result.one_time.ladder.lags.size();
    // 1: delays in frames; stride and average.
    EXPECT_EQ(h5::read<std::int64_t>(id, rp::delay_list.path).back(), 768);
    EXPECT_EQ(h5::read_integer(id, rp::multitau_avg_frame.path), 1);
    EXPECT_EQ(h5::read_integer(id, rp::multitau_stride_frame.path), 1);
    // 2: a copy of the q-map with its hash; as many columns as mapped bins.
    const h5::Group qmap = h5::open_group(id, rp::qmap.path);
    EXPECT_EQ(h5::read_string_attribute(qmap.id(), "hash"), qmap_hash(result.qmap));
    const h5::Dataset g2 = h5::open_dataset(id, rp::g2.path);
    EXPECT_EQ(h5::shape_of(g2), (h5::Shape{n_lags, result.qmap.dynamic_index_mapping.size()}));
    EXPECT_EQ(h5::type_name(h5::type_of(g2).id()), "float32");
    // 3: one value per static label, an empty one included.
    const h5::Dataset curve = h5::open_dataset(id, rp::scattering_1d.path);
    EXPECT_EQ(h5::shape_of(curve), (h5::Shape{1, 6}));
    EXPECT_TRUE(std::isnan(h5::read<double>(curve).back()));
    // 5: what the viewer asks of /entry.
    for (const ResultPath& needed : {rp::start_time,
                                     rp::frame_time,
                                     rp::count_time,
                                     rp::x_pixel_size,
                                     rp::y_pixel_size,
                                     rp::incident_energy}) {
        EXPECT_TRUE(h5::is_dataset(id, needed.path)) << needed.path;
    }
    EXPECT_EQ(h5::read_string(id, "/entry/sample/name"), "latex \xC3\xA9");
    EXPECT_DOUBLE_EQ(h5::read_number(id, rp::frame_time.path), 20e-6);
}

void check_storage(const h5::File& file, const std::string& path, int& n_datasets) {
    for (const h5::Child& child : h5::children(file.id(), path)) {
        const std::string below = path + "/" + child.name;
        if (child.kind == h5::Kind::group) {
            check_storage(file, below, n_datasets);
            continue;
        }
        ++n_datasets;
        const h5::Dataset dataset = h5::open_dataset(file.id(), below);
        const std::uint64_t n = h5::n_elements(h5::shape_of(dataset));
        for (const h5::FilterInfo& filter : h5::filters(dataset)) {
            EXPECT_TRUE(filter.id == H5Z_FILTER_DEFLATE || filter.id == H5Z_FILTER_SHUFFLE)
                << below;
        }
        const h5::Shape chunk = h5::chunk_of(dataset);
        const std::size_t size = H5Tget_size(h5::type_of(dataset).id());
        if (!chunk.empty()) {
            EXPECT_LE(h5::n_elements(chunk) * size, std::uint64_t{1} << 20) << below;
        }
        if (n > 8192) {
            EXPECT_EQ(h5::filters(dataset).size(), 2U) << below;
        }
    }
}

TEST(ResultFile, UsesOnlyFiltersThatEveryReaderHas) {
    const TempDir dir;
    const std::string path = write_result(made_up_result(dir, 600'000));
    int n_datasets = 0;
    check_storage(h5::open_file(path), rp::xpcs.path, n_datasets);
    EXPECT_GT(n_datasets, 60);
}

TEST(ResultFile, CopiesTheQMapWithTypesAndAttributes) {
    const TempDir dir;
    const RunResult result = made_up_result(dir);
    const std::string path = write_result(result);
    const h5::File source = h5::open_file(result.qmap.file), copy = h5::open_file(path);
    int n = 0;
    for (const h5::Child& child : h5::children(source.id(), "/qmap")) {
        const std::string there = std::string(rp::qmap.path) + "/" + child.name;
        ASSERT_TRUE(h5::is_dataset(copy.id(), there)) << there;
        const h5::Dataset a = h5::open_dataset(source.id(), "/qmap/" + child.name);
        const h5::Dataset b = h5::open_dataset(copy.id(), there);
        EXPECT_GT(H5Tequal(h5::type_of(a).id(), h5::type_of(b).id()), 0) << child.name;
        EXPECT_EQ(h5::shape_of(a), h5::shape_of(b));
        if (H5Tget_class(h5::type_of(a).id()) != H5T_STRING) {
            EXPECT_EQ(h5::read<double>(a), h5::read<double>(b)) << child.name;
        }
        ++n;
    }
    EXPECT_GE(n, 18);
    const h5::Dataset axis = h5::open_dataset(copy.id(), "/xpcs/qmap/dynamic_v_list_dim0");
    EXPECT_EQ(h5::read_string_attribute(axis.id(), "name"), "q");
}

TEST(ResultFile, AChangedQMapIsWrittenFromMemoryWithItsOwnHash) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    const std::string stale = result.qmap.hash;
    result.qmap.mask[500] = 0;
    result.qmap.dynamic_roi_map[500] = result.qmap.static_roi_map[500] = 0;
    const std::string path = write_result(result);
    const ResultReader reader(path);
    EXPECT_NE(reader.data().qmap.hash, stale);
    EXPECT_EQ(reader.data().qmap.hash, qmap_hash(result.qmap));
    EXPECT_EQ(reader.load_maps().mask, result.qmap.mask);
}

TEST(ResultFile, WritesProvenanceAndAnyByteSafely) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    result.config.prefix = "p_";
    result.config.suffix = "__s";
    result.config.dq_selection = "1,3-5";
    result.config.run_config_path = "odd \x80 name";
    const std::string path = write_result(result);
    EXPECT_EQ(path, dir.file("p_run_s_results.hdf"));
    const h5::File file = h5::open_file(path);
    EXPECT_EQ(h5::read_strings(file.id(), rp::prov_warnings.path).front(),
              "one \\xff byte that is no UTF-8");
    const std::string config = rp::multitau_config.path;
    EXPECT_EQ(h5::read_string(file.id(), config + "/run_config_path"), "odd \\x80 name");
    EXPECT_EQ(h5::read<std::int64_t>(file.id(), config + "/dq_selection"),
              (std::vector<std::int64_t>{1, 3, 4, 5}));
    EXPECT_EQ(h5::read_integer(file.id(), config + "/n_frames_used"), 1000);
    EXPECT_THAT(h5::read_string(file.id(), rp::prov_command_line.path), HasSubstr("xpcs-corr "));
    EXPECT_EQ(h5::read<std::int64_t>(file.id(), rp::prov_input_sizes.path).front(), 12345);
    EXPECT_EQ(h5::read<std::int64_t>(file.id(), rp::prov_hot_pixels.path),
              (std::vector<std::int64_t>{3, 4, 1000, 1, 1}));
    EXPECT_EQ(h5::read_integer(file.id(), std::string(rp::prov_counts.path) + "/records"), 77);
}

TEST(ResultFile, ConfigHoldsEveryOptionAndWhatBecameOfIt) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    result.config.dq_selection = "1,3";
    result.config.raw = {"a.bin", "b.bin"};
    result.config.channel = "threshold_2";
    result.frames = {7, 900, 2, 3, 148, 1000, 444};
    const h5::File file = h5::open_file(write_result(result));
    const std::string group = rp::multitau_config.path;
    for (const OptionSpec& spec : run_options().specs()) {
        std::string name = spec.name;
        std::replace(name.begin(), name.end(), '-', '_');
        if (name == "type") name = "analysis_type";
        if (name == "memory") name = "memory_gib";
        if (name == "frame_time") name = "frame_time_s";
        EXPECT_TRUE(h5::is_dataset(file.id(), group + "/" + name)) << name;
    }
    const auto number = [&](const char* name) {
        return h5::read_integer(file.id(), group + "/" + name);
    };
    EXPECT_EQ(number("begin_frame_used"), 7);
    EXPECT_EQ(number("end_frame_used"), 900);
    EXPECT_EQ(number("n_frames_used"), 148);
    EXPECT_EQ(number("n_frames_file"), 1000);
    EXPECT_EQ(number("raw_size"), 12345);
    for (const char* name : {"program",
                             "version",
                             "device",
                             "qmap_hash",
                             "raw_modified",
                             "channel",
                             "analysis_type"}) {
        EXPECT_NE(h5::read_string(file.id(), group + "/" + name), "") << name;
    }
    EXPECT_EQ(h5::read_number(file.id(), group + "/run_time"), 0.75);
    EXPECT_EQ(h5::read_strings(file.id(), group + "/raw"), result.config.raw);
    EXPECT_EQ(h5::read<std::int64_t>(file.id(), group + "/dq_selection"),
              (std::vector<std::int64_t>{1, 3}));
    EXPECT_EQ(h5::type_name(h5::type_of(h5::open_dataset(file.id(), group + "/save_G2")).id()),
              h5::type_name(h5::boolean_type().id()));
}

TEST(ResultFile, WorksWithoutMetadataAndWithoutFrameTime) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    result.metadata = {};
    result.frame_time_s = 0;
    const ResultReader reader(write_result(result));
    const ResultData& data = reader.data();
    EXPECT_FALSE(data.frame_time_known);
    EXPECT_TRUE(std::isnan(data.step_s()));
    EXPECT_EQ(data.start_time, "2026-01-02T03:04:00Z");
    const h5::File file = h5::open_file(data.path);
    EXPECT_DOUBLE_EQ(h5::read_number(file.id(), rp::x_pixel_size.path), 76e-6);
    EXPECT_DOUBLE_EQ(h5::read_number(file.id(), rp::incident_energy.path), 10);
    EXPECT_TRUE(h5::is_dataset(file.id(), rp::frame_time.path));
}

TEST(ResultFile, TheFrameTimeOfTheRunWins) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    result.frame_time_s = 1e-3;
    const h5::File file = h5::open_file(write_result(result));
    EXPECT_DOUBLE_EQ(h5::read_number(file.id(), rp::frame_time.path), 1e-3);
    const h5::Dataset dataset = h5::open_dataset(file.id(), rp::frame_time.path);
    EXPECT_DOUBLE_EQ(h5::read_number_attribute(dataset.id(), "metadata_value").value(), 20e-6);
    // The metadata file itself is as it was.
    EXPECT_DOUBLE_EQ(h5::read_number(h5::open_file(result.metadata.file).id(), rp::frame_time.path),
                     20e-6);
}

TEST(ResultFile, AReadOnlyMetadataFileWithItsOwnXpcsGroupIsNoHindrance) {
    const TempDir dir;
    const RunResult result = made_up_result(dir);
    {
        const h5::File file = h5::open_file_for_writing(result.metadata.file);
        h5::write_string(file.id(), "/xpcs/multitau/normalized_g2", "not what you think");
    }
    fs::permissions(result.metadata.file, fs::perms::owner_read);
    const std::string path = write_result(result);
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    const mode_t mask = ::umask(0);
    ::umask(mask);
    EXPECT_EQ(status.st_mode & 0777U, 0666U & ~mask);
    const h5::File file = h5::open_file(path);
    EXPECT_EQ(h5::read_string(file.id(), "/metadata_xpcs/multitau/normalized_g2"),
              "not what you think");
}

TEST(ResultFile, NeverWritesThroughAnExternalLinkOfTheMetadata) {
    const TempDir dir;
    const RunResult result = made_up_result(dir);
    const std::string other = dir.file("other.hdf");
    { h5::require_group(h5::create_file(other).id(), "/detector"); }
    fs::remove(result.metadata.file);
    {
        const h5::File file = h5::create_file(result.metadata.file);
        h5::require_group(file.id(), "/entry/instrument");
        h5::link_external(file.id(), "/entry/instrument/detector_1", other, "/detector");
        h5::link_external(file.id(), "/entry/instrument/incident_beam", "missing.hdf", "/x");
    }
    write_result(result);
    EXPECT_TRUE(h5::children(h5::open_file(other).id(), "/detector").empty());
}

TEST(ResultFile, FoldsSplitStaticBinsBackToLabels) {
    // Bins 1 and 3 are parts of label 1 with 1 and 3 pixels; label 3 has no pixel.
    const std::vector<double> values{10, 5, 20, 7, 1, 2, 3, 4};
    const auto folded = fold_static_bins(values, 2, {1, 2, 1, 3}, {1, 4, 3, 0}, 3);
    ASSERT_EQ(folded.size(), 6U);
    EXPECT_FLOAT_EQ(folded[0], 17.5F);
    EXPECT_FLOAT_EQ(folded[1], 5);
    EXPECT_TRUE(std::isnan(folded[2]));
    EXPECT_FLOAT_EQ(folded[3], 2.5F);
    EXPECT_FLOAT_EQ(folded[4], 2);
    EXPECT_EQ(code_of([&] {
                  fold_static_bins(values, 2, {1, 2, 1}, {1, 1, 1}, 3);
              }),
              ExitCode::internal);
}

TEST(ResultFile, PartialG2AndUnnormalised) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    const std::size_t size = result.one_time.g2.size();
    result.partial = PartialG2{
        std::vector<double>(2 * size, 1.5), std::vector<double>(2 * size, 0.1), {500, 1000}};
    const auto n_lags = static_cast<int>(result.one_time.ladder.lags.size());
    const std::int64_t rows = result.qmap.rows, cols = result.qmap.cols;
    ResultFile file(result.config, "run", result.metadata.file);
    UnnormalizedSink& sink = file.unnormalized(n_lags, rows, cols);
    EXPECT_GE(sink.band_rows(), 1);
    // Bands that do not meet the chunks, and the last rows never written.
    for (std::int64_t first = 0; first < 42; first += 7) {
        std::vector<float> values;
        for (int lag = 0; lag < n_lags; ++lag) {
            for (int slot = 0; slot < 3; ++slot) {
                for (std::int64_t i = 0; i < 7 * cols; ++i) {
                    values.push_back(static_cast<float>(lag * 10 + slot) +
                                     static_cast<float>(first * cols + i) * 1e-4F);
                }
            }
        }
        sink.write_rows(first, 7, values.data());
    }
    file.write(result);
    const std::string path = file.commit();
    const h5::File opened = h5::open_file(path);
    const h5::Dataset G2 = h5::open_dataset(opened.id(), rp::unnormalized_G2.path);
    EXPECT_EQ(h5::read_string_attribute(G2.id(), "slots"), "G2,IF,IP");
    const std::vector<float> read = h5::read<float>(G2);
    const auto at = [&](std::int64_t lag, std::int64_t slot, std::int64_t row, std::int64_t col) {
        return read[static_cast<std::size_t>(((lag * 3 + slot) * rows + row) * cols + col)];
    };
    EXPECT_FLOAT_EQ(at(5, 2, 41, 3), 52 + static_cast<float>(41 * cols + 3) * 1e-4F);
    EXPECT_EQ(at(5, 2, 42, 3), 0);
    const ResultReader reader(path);
    ASSERT_EQ(reader.data().one_time.partial.size(), 2U);
    EXPECT_FLOAT_EQ(static_cast<float>(reader.data().one_time.partial[1].at(3, 2)), 1.5F);
    EXPECT_EQ(reader.data().one_time.partial_labels, (std::vector<double>{500, 1000}));
    EXPECT_TRUE(reader.data().one_time.has_unnormalized);
}

TEST(ResultFile, AFailureLeavesNothingAndTheEarlierResult) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    const std::string path = write_result(result);
    const auto size = fs::file_size(path);
    result.config.overwrite = true;
    result.one_time.g2.pop_back();
    EXPECT_EQ(code_of([&] { write_result(result); }), ExitCode::internal);
    EXPECT_TRUE(hidden(dir.path()).empty());
    EXPECT_EQ(fs::file_size(path), size);
    // Not written at all, and not committed.
    EXPECT_EQ(code_of([&] { ResultFile(result.config, "run").commit(); }), ExitCode::internal);
    { ResultFile abandoned(result.config, "run", result.metadata.file); }
    EXPECT_TRUE(hidden(dir.path()).empty());
}

TEST(ResultFile, SaysWhatIsWrongWithTheMetadataFile) {
    const TempDir dir;
    RunResult result = made_up_result(dir);
    std::string message;
    EXPECT_EQ(code_of([&] { ResultFile(result.config, "run", dir.file("none")); }, &message),
              ExitCode::no_input);
    EXPECT_THAT(message, HasSubstr("none"));
    std::ofstream(dir.file("text")) << "no HDF5";
    EXPECT_EQ(code_of([&] { ResultFile(result.config, "run", dir.file("text")); }), ExitCode::data);
    EXPECT_TRUE(hidden(dir.path()).empty());
}

/// Runs in a child: exit status of writing a result where the disk takes no more.
int status_when_full(const std::function<void()>& write) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::string message;
        const ExitCode code = code_of(write, &message);
        if (message.find("run_results.hdf': cannot be written: File too large") ==
                std::string::npos &&
            message.find("run_results.hdf': cannot be written: No space left on device") ==
                std::string::npos) {
            std::fprintf(stderr, "message: %s\n", message.c_str());
            ::_exit(1);
        }
        std::exit(static_cast<int>(code));  // with everything that libraries do at the end
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/// In a child, too: what threads of this process own would look lost in a copy of it.
std::string write_in_child(const TempDir& dir, const RunResult& result) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(code_of([&] { write_result(result); }, nullptr) == ExitCode::ok ? 0 : 1);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    return dir.file("run_results.hdf");
}

TEST(ResultFile, AFileThatMayNotGrowIsAnIoError) {
    const TempDir dir;
    RunResult result = made_up_result(dir, 200'000);
    const std::string earlier = write_in_child(dir, result);
    const auto full = fs::file_size(earlier);
    result.config.overwrite = true;
    for (const double share : {0.3, 0.6, 0.9, 0.98}) {
        const int status = status_when_full([&] {
            ::signal(SIGXFSZ, SIG_IGN);
            const rlimit limit{static_cast<rlim_t>(static_cast<double>(full) * share),
                               RLIM_INFINITY};
            ::setrlimit(RLIMIT_FSIZE, &limit);
            write_result(result);
        });
        EXPECT_EQ(status, static_cast<int>(ExitCode::io)) << share;
        EXPECT_TRUE(hidden(dir.path()).empty()) << share;
        EXPECT_EQ(fs::file_size(earlier), full);
    }
}

TEST(ResultFile, AFullDiskIsAnIoError) {
    const TempDir dir;
    const std::string disk = dir.file("disk");
    fs::create_directory(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) {
        GTEST_SKIP() << "a small file system cannot be mounted here";
    }
    RunResult result = made_up_result(dir, 200'000);
    result.config.output = disk;
    const int status = status_when_full([&] { write_result(result); });
    EXPECT_EQ(status, static_cast<int>(ExitCode::io));
    EXPECT_TRUE(fs::is_empty(disk));
    ::umount(disk.c_str());
}

TEST(ResultPaths, AreUniqueAndDescribed) {
    std::set<std::string> seen;
    for (const ResultPath& path : rp::all) {
        EXPECT_TRUE(seen.insert(path.path).second) << path.path;
        EXPECT_NE(std::string(path.description), "") << path.path;
        EXPECT_NE(std::string(path.type), "") << path.path;
        EXPECT_EQ(path.path[0], '/');
    }
}

TEST(ToUtf8, KeepsTextAndShowsOtherBytes) {
    EXPECT_EQ(to_utf8("\xC3\x85\xE2\x81\xBB\xC2\xB9 \xF0\x9F\x98\x80"),
              "\xC3\x85\xE2\x81\xBB\xC2\xB9 \xF0\x9F\x98\x80");
    EXPECT_EQ(to_utf8(std::string_view("a\0b", 3)), "a\\x00b");
    EXPECT_EQ(to_utf8("\xC0\x80"), "\\xc0\\x80");           // overlong
    EXPECT_EQ(to_utf8("\xED\xA0\x80"), "\\xed\\xa0\\x80");  // surrogate
    EXPECT_EQ(to_utf8("\xF5\x80\x80\x80").substr(0, 4), "\\xf5");
    EXPECT_EQ(to_utf8("end \xE2\x81"), "end \\xe2\\x81");
}

}  // namespace
