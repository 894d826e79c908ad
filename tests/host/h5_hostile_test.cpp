// SPDX-License-Identifier: BSD-3-Clause
// HDF5 files that are made to do harm: what they may make us open, and what they may cost.
#include "host/h5.hpp"
#include "host/h5_links.hpp"
#include "host/inspect.hpp"
#include "host/qmap.hpp"
#include "host/result_file.hpp"
#include "host/result_reader.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/result_fixture.hpp"
#include "tests/host/temp_dir.hpp"

#include <sys/stat.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace xpcs {
namespace {

using testing::expect_error;
using Samples = std::vector<std::uint16_t>;

constexpr const char* data_path = "/entry/data/data";

class HostileHdf5 : public ::testing::Test {
  protected:
    void TearDown() override {
        // Of the processor: a busy machine is not the file's fault. What waits without an end is
        // stopped from outside.
        EXPECT_LT(cpu_s() - start_s_, most_s) << "hostile content must not cost time";
    }
    std::string frames(const std::string& name) const {
        std::filesystem::create_directories(std::filesystem::path(dir_.file(name)).parent_path());
        const h5::File file = h5::create_file(dir_.file(name));
        h5::write(file.id(), data_path, Samples(3 * 4 * 5, 1), {3, 4, 5});
        return dir_.file(name);
    }
    /// master/NAME with one external link to frames in `target`.
    std::string master(const std::string& name, const std::string& target) const {
        std::filesystem::create_directories(dir_.file("master"));
        const h5::File file = h5::create_file(dir_.file("master/" + name));
        h5::require_group(file.id(), "/entry/data");
        h5::link_external(file.id(), "/entry/data/data_000001", target, data_path);
        return dir_.file("master/" + name);
    }
    std::string with_virtual(const std::string& name, const std::string& source) const {
        std::filesystem::create_directories(dir_.file("master"));
        const h5::File file = h5::create_file(dir_.file("master/" + name));
        h5::require_group(file.id(), "/entry/data");
        const hsize_t extent[] = {3, 4, 5};
        const h5::Space space(H5Screate_simple(3, extent, nullptr));
        const h5::PropertyList list(H5Pcreate(H5P_DATASET_CREATE));
        H5Pset_virtual(list.id(), space.id(), source.c_str(), data_path, space.id());
        const h5::Dataset made(H5Dcreate2(
            file.id(), data_path, H5T_STD_U16LE, space.id(), H5P_DEFAULT, list.id(), H5P_DEFAULT));
        EXPECT_TRUE(made);
        return dir_.file("master/" + name);
    }
    static std::int64_t frames_of(const std::string& path) {
        return open_frame_source(path, {})->info().n_frames;
    }

    /// What fuzzing found; three bytes choose options there.
    static void write_found(const std::string& name, const std::string& path) {
        std::ifstream in(XPCS_SOURCE_DIR "/tests/fuzz/seeds/hdf5_bytes/" + name, std::ios::binary);
        const std::string found{std::istreambuf_iterator<char>(in), {}};
        ASSERT_GT(found.size(), 3U);
        testing::write_bytes(path, found.data() + 3, found.size() - 3);
    }

    testing::TempDir dir_;

  private:
    static double cpu_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }
#ifdef __SANITIZE_THREAD__
    static constexpr double most_s = 240;
#else
    static constexpr double most_s = 60;
#endif
    double start_s_ = cpu_s();
};

TEST_F(HostileHdf5, ExternalLinksStayBelowTheDirectory) {
    const std::string outside = frames("outside.h5");
    frames("master/below/frames.h5");
    EXPECT_EQ(frames_of(master("a.h5", "below/frames.h5")), 3);
    EXPECT_EQ(frames_of(master("b.h5", "./below/../below/frames.h5")), 3);
    EXPECT_EQ(frames_of(master("c.h5", dir_.file("master/below/frames.h5"))), 3);
    for (const std::string& target :
         {std::string("../outside.h5"), outside, std::string("below/../../outside.h5")}) {
        std::filesystem::remove(dir_.file("master/d.h5"));
        const std::string path = master("d.h5", target);
        expect_error(ExitCode::data, {path}, [&] { frames_of(path); });
    }
    EXPECT_EQ(h5::link_fault("/a/b.h5", "/a/../etc/passwd").empty(), false);
    EXPECT_EQ(h5::link_fault("b.h5", "c.h5"), "");
}

TEST_F(HostileHdf5, NoLinkLeadsToAPipe) {
    const std::string path = master("a.h5", "pipe");
    ASSERT_EQ(::mkfifo(dir_.file("master/pipe").c_str(), 0600), 0);
    expect_error(ExitCode::data, {path}, [&] { frames_of(path); });
    const std::string virtual_path = with_virtual("v.h5", "pipe");
    expect_error(ExitCode::data, {"v.h5", "no regular file"}, [&] { frames_of(virtual_path); });
}

TEST_F(HostileHdf5, SourcesOfVirtualDatasetsStayBelowTheDirectory) {
    frames("outside.h5");
    frames("master/inside.h5");
    EXPECT_EQ(frames_of(with_virtual("a.h5", "inside.h5")), 3);
    const std::string path = with_virtual("b.h5", "../outside.h5");
    expect_error(ExitCode::data, {"b.h5", "../outside.h5", "leads out of the directory"}, [&] {
        frames_of(path);
    });
}

TEST_F(HostileHdf5, RawExternalStorageIsNotRead) {
    const std::string path = dir_.file("a.h5");
    {
        const h5::File file = h5::create_file(path);
        const hsize_t extent[] = {3, 4, 5};
        const h5::Space space(H5Screate_simple(3, extent, nullptr));
        const h5::PropertyList list(H5Pcreate(H5P_DATASET_CREATE));
        H5Pset_external(list.id(), "/etc/passwd", 0, 120);
        h5::require_group(file.id(), "/entry/data");
        const h5::Dataset made(H5Dcreate2(
            file.id(), data_path, H5T_STD_U16LE, space.id(), H5P_DEFAULT, list.id(), H5P_DEFAULT));
        ASSERT_TRUE(made);
    }
    expect_error(ExitCode::data, {path, "external storage"}, [&] { frames_of(path); });
}

TEST_F(HostileHdf5, WritingThroughALinkIsImpossible) {
    const std::string other = frames("other.h5"), path = dir_.file("a.h5");
    {
        const h5::File file = h5::create_file(path);
        h5::link_external(file.id(), "/elsewhere", "other.h5", "/entry");
    }
    {
        const h5::File file = h5::open_file_for_writing(path);
        const h5::Group there = h5::open_group(file.id(), "/elsewhere");
        EXPECT_THROW(h5::write_attribute(there.id(), "name", "value"), Error);
    }
    const h5::File file = h5::open_file(other);
    EXPECT_FALSE(h5::read_string_attribute(h5::open_group(file.id(), "/entry").id(), "name"));
}

TEST_F(HostileHdf5, LinksThatLeadBackUpEnd) {
    const std::string path = dir_.file("a.h5");
    {
        const h5::File file = h5::create_file(path);
        for (int i = 0; i < 60; ++i) {
            const std::string name = "up" + std::to_string(i);
            H5Lcreate_hard(file.id(), "/", file.id(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
        }
        H5Lcreate_soft("/loop", file.id(), "/loop", H5P_DEFAULT, H5P_DEFAULT);
        h5::link_external(file.id(), "/again", "a.h5", "/again");
    }
    expect_error(ExitCode::data, {path, "no dataset"}, [&] { frames_of(path); });
    expect_error(ExitCode::data, {path}, [&] { load_qmap(path); });
    EXPECT_NE(inspect_file(path, {}).code, 0);
}

TEST_F(HostileHdf5, LinksThatLeadBackUpInAResultEnd) {
    const RunResult result = testing::made_up_result(dir_);
    ResultFile made(result.config, "run", result.metadata.file);
    made.write(result);
    const std::string path = made.commit();
    {
        const h5::File file = h5::open_file_for_writing(path);
        for (int i = 0; i < 60; ++i) {
            const std::string name = "/entry/up" + std::to_string(i);
            H5Lcreate_hard(file.id(), "/entry", file.id(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT);
        }
    }
    EXPECT_FALSE(ResultReader(path).entry().empty());
}

TEST_F(HostileHdf5, FewBytesThatDeclareManyAreRefused) {
    const h5::File file = h5::create_file(dir_.file("a.h5"));
    h5::Storage storage;
    storage.contiguous_below = 0;
    storage.chunk = {1 << 20};
    storage.filter = h5::Filter::gzip;
    const hsize_t n = hsize_t{1} << 30;
    const h5::Dataset empty = h5::create_dataset(file.id(), "/never", H5T_STD_U8LE, {n}, storage);
    expect_error(
        ExitCode::data, {"/never", "only 0 are stored"}, [&] { h5::read<std::uint8_t>(empty); });
    // Packed twice: a gibibyte of zeros in some kilobytes.
    const h5::PropertyList list(H5Pcreate(H5P_DATASET_CREATE));
    const hsize_t extent[] = {hsize_t{128} << 20}, chunk[] = {hsize_t{32} << 20};
    H5Pset_chunk(list.id(), 1, chunk);
    H5Pset_deflate(list.id(), 9);
    H5Pset_deflate(list.id(), 9);
    const h5::Space space(H5Screate_simple(1, extent, nullptr));
    const h5::Dataset bomb(H5Dcreate2(
        file.id(), "/bomb", H5T_STD_U8LE, space.id(), H5P_DEFAULT, list.id(), H5P_DEFAULT));
    ASSERT_TRUE(bomb);
    const std::vector<std::uint8_t> zeros(extent[0], 0);
    h5::write_all(bomb, H5T_NATIVE_UINT8, zeros.data());
    expect_error(ExitCode::data, {"/bomb", "are stored"}, [&] { h5::read<double>(bomb); });
}

TEST_F(HostileHdf5, MoreFramesThanTheFileCanHoldAreRefused) {
    const std::string path = dir_.file("a.h5");
    {
        const h5::File file = h5::create_file(path);
        h5::Storage storage;
        storage.contiguous_below = 0;
        storage.chunk = {1, 1000, 1000};
        h5::create_dataset(
            file.id(), data_path, H5T_STD_U16LE, {hsize_t{1} << 35, 1000, 1000}, storage);
    }
    expect_error(ExitCode::data, {path, "frames of 1000 x 1000 pixels in a file of"}, [&] {
        frames_of(path);
    });
}

TEST_F(HostileHdf5, FramesCutIntoCrumbsAreRefused) {
    const std::string path = dir_.file("a.h5");
    {
        const h5::File file = h5::create_file(path);
        h5::Storage storage;
        storage.contiguous_below = 0;
        storage.chunk = {1, 1, 1};
        h5::create_dataset(file.id(), data_path, H5T_STD_U16LE, {2, 4000, 4000}, storage);
    }
    expect_error(ExitCode::data, {path, "16000000 pieces"}, [&] { frames_of(path); });
}

/// With libhdf5 1.10.8 listing such a group in order of name freed memory that was never filled in.
TEST_F(HostileHdf5, DamagedNamesOfAGroupAreAnError) {
    const std::string path = dir_.file("a.h5");
    {
        const h5::File file = h5::create_file(path);
        for (int i = 0; i < 40; ++i)
            h5::write_scalar(file.id(), "/many/name" + std::to_string(100 + i), i);
    }
    std::string bytes;
    {
        std::ifstream in(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    int damaged = 0;
    for (std::size_t at = bytes.find("FHDB"); at != std::string::npos;
         at = bytes.find("FHDB", at + 1)) {
        for (const std::size_t offset : {60U, 120U, 200U}) {
            std::string broken = bytes;
            for (std::size_t i = at + offset; i < std::min(at + offset + 60, broken.size()); ++i)
                broken[i] = static_cast<char>(0xA5);
            testing::write_bytes(path, broken.data(), broken.size());
            try {
                const h5::File file = h5::open_file(path);
                h5::children(file.id(), "/many");
            } catch (const Error& error) {
                EXPECT_EQ(error.code(), ExitCode::data);
                ++damaged;
            }
        }
    }
    EXPECT_GE(damaged, 1) << "nothing was damaged";
    write_found("found-dense-links", path);
    expect_error(ExitCode::data, {path}, [&] { load_qmap(path); });
    expect_error(ExitCode::data, {path}, [&] { frames_of(path); });
}

/// The same with links in the header of the group, one of which cannot be decoded.
TEST_F(HostileHdf5, ADamagedLinkOfASmallGroupIsAnError) {
    const std::string path = dir_.file("a.h5");
    {
        const h5::File file = h5::create_file(path);
        const h5::PropertyList creation(H5Pcreate(H5P_GROUP_CREATE));
        H5Pset_link_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED);
        const h5::Group few(H5Gcreate2(file.id(), "few", H5P_DEFAULT, creation.id(), H5P_DEFAULT));
        for (int i = 0; i < 6; ++i)
            h5::write_scalar(few.id(), "member" + std::to_string(i), i);
    }
    std::string bytes;
    {
        std::ifstream in(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    // A link: version 1, flags, order of creation (8 bytes), perhaps a character set, length, name.
    const std::size_t name = bytes.find("member3");
    ASSERT_NE(name, std::string::npos);
    ASSERT_EQ(bytes[name - 1], 7);
    const std::size_t version = bytes[name - 11] == 1 ? name - 11 : name - 12;
    ASSERT_EQ(bytes[version], 1);
    bytes[version] = static_cast<char>(0xEE);
    testing::write_bytes(path, bytes.data(), bytes.size());
    const h5::File file = h5::open_file(path);
    expect_error(ExitCode::data, {path, "listed"}, [&] { h5::children(file.id(), "/few"); });
}

/// libhdf5 1.10.8 copies from a null pointer if its own driver is to read from the address "none".
TEST_F(HostileHdf5, AddressesThatAreNoneAreAnError) {
    const std::string path = dir_.file("a.h5");
    write_found("found-undefined-address", path);
    expect_error(ExitCode::data, {path}, [&] { load_qmap(path); });
    expect_error(ExitCode::data, {path}, [&] { frames_of(path); });
}

/// libhdf5 1.10.8 walks through the texts of a heap for ever, or copies from behind its end.
TEST_F(HostileHdf5, SizesOfADamagedHeapAreAnError) {
    const std::string path = dir_.file("a.h5");
    const std::vector<std::string> texts{"first text", "second text", "third"};
    {
        const h5::File file = h5::create_file(path);
        const h5::Type type(H5Tcopy(H5T_C_S1));
        H5Tset_size(type.id(), H5T_VARIABLE);
        const hsize_t n = texts.size();
        const h5::Space space(H5Screate_simple(1, &n, nullptr));
        const h5::Dataset made(H5Dcreate2(
            file.id(), "texts", type.id(), space.id(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        const char* pointers[] = {texts[0].c_str(), texts[1].c_str(), texts[2].c_str()};
        ASSERT_GE(H5Dwrite(made.id(), type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, pointers), 0);
    }
    std::string bytes;
    {
        std::ifstream in(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    const auto read = [&] {
        const h5::File file = h5::open_file(path);
        return h5::read_strings(file.id(), "texts");
    };
    EXPECT_EQ(read(), texts);
    // An object: number, references, 4 idle bytes, 8 bytes of size, text.
    const std::size_t second = bytes.find("second text") - 8;
    const std::size_t free_space = bytes.find("third") + 8 + 8;
    ASSERT_EQ(bytes[second], 11);
    for (const std::size_t at : {second, free_space}) {
        for (const std::uint64_t size : {std::uint64_t{0},
                                         ~std::uint64_t{0},
                                         ~std::uint64_t{15},
                                         std::uint64_t{1} << 20,
                                         std::uint64_t{4097},
                                         std::uint64_t{0} - 64}) {
            // The object of a text may be empty.
            if (at == second && size == 0) continue;
            std::string damaged = bytes;
            damaged.replace(at, 8, reinterpret_cast<const char*>(&size), 8);
            testing::write_bytes(path, damaged.data(), damaged.size());
            SCOPED_TRACE(::testing::Message() << at << ": " << size);
            expect_error(ExitCode::data, {path, "texts"}, read);
        }
    }
}

TEST_F(HostileHdf5, TheDamagedHeapThatFuzzingFoundIsAnError) {
    const std::string path = dir_.file("a.h5");
    write_found("found-damaged-heap", path);
    expect_error(ExitCode::data, {path}, [&] { load_qmap(path); });
}

}  // namespace
}  // namespace xpcs
