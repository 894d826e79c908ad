// SPDX-License-Identifier: BSD-3-Clause
// Content decides which reader a file gets, then its name.
#include "host/h5.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <cstring>
#include <filesystem>
#include <random>

namespace xpcs {
namespace {

using testing::expect_error;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::words_of;
using testing::write_bytes;
using testing::write_words;

class OpenSource : public ::testing::Test {
  protected:
    void write_hdf5(const std::string& path, hsize_t user_block = 0) {
        const auto held = h5::lock();
        const h5::PropertyList list(H5Pcreate(H5P_FILE_CREATE));
        H5Pset_userblock(list.id(), user_block);
        h5::File file(H5Fcreate(path.c_str(), H5F_ACC_EXCL, list.id(), H5P_DEFAULT));
        h5::write<std::uint16_t>(
            file.id(), "/entry/data/data", std::vector<std::uint16_t>(24, 1), {2, 3, 4});
    }
    TempDir directory;
};

TEST_F(OpenSource, NamesThatFitOpenWithoutAWarning) {
    const std::string bin = directory.file("a.bin"), hdf = directory.file("a.h5");
    write_words(bin, words_of({{0, 1, 1}, {1, 1, 1}}));
    write_hdf5(hdf);
    const auto words = open_frame_source(bin, {});
    EXPECT_EQ(words->info().format, "rigaku64");
    EXPECT_THAT(words->info().detected_by, HasSubstr(".bin"));
    EXPECT_TRUE(words->info().warnings.empty());
    const auto frames = open_frame_source(hdf, {});
    EXPECT_EQ(frames->info().format, "hdf5");
    EXPECT_THAT(frames->info().detected_by, HasSubstr("signature"));
    EXPECT_TRUE(frames->info().warnings.empty());
}

TEST_F(OpenSource, ContentWinsOverTheNameWithAWarning) {
    const std::string bin = directory.file("a.bin"), dat = directory.file("a.dat");
    write_hdf5(bin);
    const auto frames = open_frame_source(bin, {});
    EXPECT_EQ(frames->info().format, "hdf5");
    ASSERT_EQ(frames->info().warnings.size(), 1U);
    EXPECT_THAT(frames->info().warnings[0], HasSubstr("a.bin"));
    write_words(dat, words_of({{0, 1, 1}, {1, 1, 1}, {1, 2, 1}}));
    const auto words = open_frame_source(dat, {});
    EXPECT_EQ(words->info().format, "rigaku64");
    ASSERT_EQ(words->info().warnings.size(), 1U);
}

TEST_F(OpenSource, SignatureBehindAUserBlock) {
    for (const hsize_t block : {512, 2048}) {
        const std::string path = directory.file(std::to_string(block) + ".h5");
        write_hdf5(path, block);
        EXPECT_EQ(open_frame_source(path, {})->info().format, "hdf5");
    }
}

TEST_F(OpenSource, NoiseIsNotTakenForWordsUnlessTheNameSaysSo) {
    std::mt19937_64 random(5);
    std::vector<std::uint64_t> words(1000);
    for (auto& word : words) {
        word = random();
    }
    const std::string h5 = directory.file("broken.h5");
    write_words(h5, words);
    expect_error(ExitCode::data, {"broken.h5", "neither an HDF5 signature"}, [&] {
        open_frame_source(h5, {});
    });
    const std::string text = directory.file("notes.txt");
    const std::string prose = "These are notes of a beamtime, not the data of a detector at all.";
    write_bytes(text, prose.data(), prose.size());
    expect_error(ExitCode::data, {"notes.txt"}, [&] { open_frame_source(text, {}); });
}

TEST_F(OpenSource, RawFileMissingOrADirectory) {
    expect_error(ExitCode::no_input, {"absent.bin"}, [&] {
        open_frame_source(directory.file("absent.bin"), {});
    });
    expect_error(ExitCode::data, {"directory"}, [&] { open_frame_source(directory.path(), {}); });
}

TEST_F(OpenSource, RawFileEmpty) {
    const std::string path = directory.file("a.h5");
    write_bytes(path, "", 0);
    expect_error(ExitCode::data, {"a.h5", "no events"}, [&] { open_frame_source(path, {}); });
}

}  // namespace
}  // namespace xpcs
