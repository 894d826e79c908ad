// SPDX-License-Identifier: BSD-3-Clause
// Dense HDF5 frames. Test names follow the lines of the table of edge cases.
#include "host/readers/hdf5_dense.hpp"

#include "host/h5.hpp"
#include "host/h5_check.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <cstring>
#include <filesystem>
#include <numeric>

namespace xpcs {
namespace {

using testing::expect_error;
using testing::TempDir;

constexpr const char* frames_path = "/entry/data/data";

template <class T>
std::vector<T> pattern(std::size_t n) {
    std::vector<T> values(n);
    std::uint32_t x = 12345;
    for (T& value : values) {
        x = (1103515245U * x + 12345U) & 0x7FFFFFFFU;
        value = static_cast<T>(x >> 8);
    }
    values[n / 2] = static_cast<T>(~T{0});  // the all-ones value
    return values;
}

/// All samples of a source as bytes, with checks of the chunks' order.
std::vector<std::byte> read_frames(FrameSource& source, std::int64_t first = 0) {
    std::vector<std::byte> out;
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    const FrameSource::BlockRoom room = source.block_room();
    while (source.next(block)) {
        source.decode(block, chunk, counts);
        const auto& frames = std::get<DenseChunk>(chunk);
        EXPECT_LE(block.bytes.size(), room.bytes);  // memory of blocks must never move
        EXPECT_LE(frames.n_frames, room.frames);
        EXPECT_EQ(frames.first_frame, first);
        EXPECT_EQ(frames.n_pixels, source.info().rows * source.info().cols);
        EXPECT_EQ(frames.sample_bytes, source.info().sample_bytes);
        first += frames.n_frames;
        out.insert(out.end(), frames.samples.begin(), frames.samples.end());
    }
    EXPECT_DOUBLE_EQ(source.fraction_read(), 1.0);
    EXPECT_EQ(counts.last_frame, first - 1);
    return out;
}

template <class T>
std::vector<T> as(const std::vector<std::byte>& bytes) {
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}

class Hdf5Dense : public ::testing::Test {
  protected:
    template <class T>
    void
    write(const std::vector<T>& values, const h5::Shape& shape, const h5::Storage& storage = {}) {
        h5::File file = h5::create_file(path);
        h5::write<T>(file.id(), frames_path, values, shape, storage);
    }
    TempDir directory;
    std::string path = directory.file("run.h5");
};

template <class T>
class Hdf5Sample : public Hdf5Dense {};
using SampleTypes = ::testing::Types<std::uint8_t, std::uint16_t, std::uint32_t>;
TYPED_TEST_SUITE(Hdf5Sample, SampleTypes);

TYPED_TEST(Hdf5Sample, ReadsEveryLayoutBitForBit) {
    const auto values = pattern<TypeParam>(7 * 30 * 40);
    h5::Storage contiguous, chunked, gzip, lzf, odd;
    contiguous.contiguous_below = ~0ULL;
    chunked.contiguous_below = gzip.contiguous_below = lzf.contiguous_below = 0;
    chunked.chunk = gzip.chunk = lzf.chunk = {1, 30, 40};
    gzip.filter = h5::Filter::gzip;
    lzf.filter = h5::Filter::lzf;
    odd.contiguous_below = 0;
    odd.chunk = {3, 7, 11};
    for (const h5::Storage& storage : {contiguous, chunked, gzip, lzf, odd}) {
        std::filesystem::remove(this->path);
        this->write(values, {7, 30, 40}, storage);
        const auto source = open_hdf5_dense(this->path, {});
        EXPECT_FALSE(source->info().sparse);
        EXPECT_EQ(source->info().n_frames, 7);
        EXPECT_EQ(source->info().rows, 30);
        EXPECT_EQ(source->info().cols, 40);
        EXPECT_EQ(source->info().sample_bytes, static_cast<int>(sizeof(TypeParam)));
        EXPECT_EQ(as<TypeParam>(read_frames(*source)), values);
    }
}

TEST_F(Hdf5Dense, BlocksCoverAllFramesOnce) {
    // 5 MiB a frame: several blocks of 3 frames.
    const auto values = pattern<std::uint16_t>(std::size_t{8} * 1024 * 2560);
    h5::Storage storage;
    storage.contiguous_below = ~0ULL;
    write(values, {8, 1024, 2560}, storage);
    const auto source = open_hdf5_dense(path, {});
    EXPECT_EQ(as<std::uint16_t>(read_frames(*source)), values);
}

TEST_F(Hdf5Dense, SelectRestrictsTheFrames) {
    const auto values = pattern<std::uint16_t>(20 * 6 * 5);
    write(values, {20, 6, 5});
    const auto source = open_hdf5_dense(path, {});
    source->select(3, 11);
    const std::vector<std::uint16_t> expected(values.begin() + 3 * 30, values.begin() + 11 * 30);
    EXPECT_EQ(as<std::uint16_t>(read_frames(*source, 3)), expected);
}

TEST_F(Hdf5Dense, BigEndianSamplesAreConverted) {
    const auto values = pattern<std::uint16_t>(4 * 6 * 5);
    {
        h5::File file = h5::create_file(path);
        const auto set = h5::create_dataset(file.id(), frames_path, H5T_STD_U16BE, {4, 6, 5});
        h5::write_all(set, H5T_NATIVE_UINT16, values.data());
    }
    EXPECT_EQ(as<std::uint16_t>(read_frames(*open_hdf5_dense(path, {}))), values);
}

TEST_F(Hdf5Dense, RawFileMissing) {
    expect_error(ExitCode::no_input, {"absent.h5"}, [&] {
        open_hdf5_dense(directory.file("absent.h5"), {});
    });
}

TEST_F(Hdf5Dense, Hdf5Truncated) {
    write(pattern<std::uint16_t>(20 * 60 * 50), {20, 60, 50});
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    expect_error(ExitCode::data, {"run.h5", "truncated"}, [&] { open_hdf5_dense(path, {}); });
}

TEST_F(Hdf5Dense, DatasetMissingLists3dDatasets) {
    {
        h5::File file = h5::create_file(path);
        h5::write<std::uint16_t>(
            file.id(), "/scan/detector/frames", pattern<std::uint16_t>(24), {2, 3, 4});
        h5::write<std::uint16_t>(file.id(), "/entry/image", pattern<std::uint16_t>(12), {3, 4});
    }
    expect_error(ExitCode::data,
                 {"run.h5", "/entry/data/data", "/scan/detector/frames (2, 3, 4)", "--dataset"},
                 [&] { open_hdf5_dense(path, {}); });
    SourceOptions options;
    options.dataset = "/scan/detector/frames";
    EXPECT_EQ(open_hdf5_dense(path, options)->info().n_frames, 2);
}

TEST_F(Hdf5Dense, TwoOrFourDimensions) {
    write(pattern<std::uint16_t>(12), {3, 4});
    expect_error(ExitCode::data, {"run.h5", "2 dimensions (3, 4)", "one frame"}, [&] {
        open_hdf5_dense(path, {});
    });
    std::filesystem::remove(path);
    write(pattern<std::uint16_t>(48), {2, 2, 3, 4});
    expect_error(ExitCode::data, {"2 channels", "--channel"}, [&] { open_hdf5_dense(path, {}); });
    std::filesystem::remove(path);
    const auto values = pattern<std::uint16_t>(48);
    write(values, {4, 1, 3, 4});
    EXPECT_EQ(as<std::uint16_t>(read_frames(*open_hdf5_dense(path, {}))), values);
}

TEST_F(Hdf5Dense, OtherSampleTypesAreRefusedByName) {
    write(pattern<std::uint64_t>(24), {2, 3, 4});
    expect_error(
        ExitCode::data, {"uint64", "uint8, uint16 or uint32"}, [&] { open_hdf5_dense(path, {}); });
    std::filesystem::remove(path);
    write(std::vector<std::int16_t>(24, -1), {2, 3, 4});
    expect_error(ExitCode::data, {"int16"}, [&] { open_hdf5_dense(path, {}); });
    std::filesystem::remove(path);
    write(std::vector<float>(24, 1.0F), {2, 3, 4});
    expect_error(ExitCode::data, {"float32"}, [&] { open_hdf5_dense(path, {}); });
}

TEST_F(Hdf5Dense, NoFrames) {
    {
        h5::File file = h5::create_file(path);
        h5::create_dataset(file.id(), frames_path, H5T_STD_U16LE, {0, 3, 4});
    }
    expect_error(ExitCode::data, {"(0, 3, 4)", "frames"}, [&] { open_hdf5_dense(path, {}); });
}

TEST_F(Hdf5Dense, FilterNotAvailable) {
    {
        h5::File file = h5::create_file(path);
        const auto held = h5::lock();
        // HDF5 is called directly here and tries every plug-in.
        const h5::detail::KeepFloatingPoint kept;
        const h5::PropertyList storage(H5Pcreate(H5P_DATASET_CREATE));
        const h5::PropertyList links(H5Pcreate(H5P_LINK_CREATE));
        H5Pset_create_intermediate_group(links.id(), 1);
        const h5::Shape shape = {2, 3, 4};
        const h5::Space space(H5Screate_simple(3, shape.data(), nullptr));
        H5Pset_chunk(storage.id(), 3, shape.data());
        // Optional, so that HDF5 creates the dataset although it cannot apply the filter.
        H5Pset_filter(storage.id(), 32017, H5Z_FLAG_OPTIONAL, 0, nullptr);
        const h5::Dataset set(H5Dcreate2(file.id(),
                                         frames_path,
                                         H5T_STD_U16LE,
                                         space.id(),
                                         links.id(),
                                         storage.id(),
                                         H5P_DEFAULT));
        ASSERT_TRUE(static_cast<bool>(set));
    }
    expect_error(ExitCode::data, {"run.h5", frames_path, "32017", "SZ", "not available"}, [&] {
        open_hdf5_dense(path, {});
    });
}

TEST_F(Hdf5Dense, ShapeOfTheQMapMustBeThatOfTheFrames) {
    write(pattern<std::uint16_t>(24), {2, 3, 4});
    const auto source = open_hdf5_dense(path, {});
    source->set_shape(3, 4);
    expect_error(
        ExitCode::data, {"3 x 4", "4 x 3", "transposed"}, [&] { source->set_shape(4, 3); });
    expect_error(ExitCode::data, {"3 x 4", "5 x 5"}, [&] { source->set_shape(5, 5); });
}

TEST_F(Hdf5Dense, StatedNumberOfFrames) {
    write(pattern<std::uint16_t>(24), {2, 3, 4});
    SourceOptions options;
    options.n_frames = 1;
    EXPECT_EQ(open_hdf5_dense(path, options)->info().n_frames, 1);
    options.n_frames = 3;
    expect_error(ExitCode::data, {"2 frames", "3"}, [&] { open_hdf5_dense(path, options); });
}

TEST_F(Hdf5Dense, ReferenceRunsPlainAndBitshuffledAgree) {
    const std::string data = XPCS_SHARED_DIR "/reference/data/";
    if (!std::filesystem::exists(data)) GTEST_SKIP() << "no reference data";
    std::ifstream truth_file(data + "S-hdf/S-hdf_truth.json");
    const auto truth = nlohmann::json::parse(truth_file);
    const auto plain = open_hdf5_dense(data + "S-hdf/S-hdf.h5", {});
    EXPECT_EQ(plain->info().n_frames, truth["frames"].get<std::int64_t>());
    const auto samples = as<std::uint16_t>(read_frames(*plain));
    const auto lit =
        samples.size() - static_cast<std::size_t>(std::count(samples.begin(), samples.end(), 0));
    EXPECT_EQ(static_cast<std::int64_t>(lit), truth["events"].get<std::int64_t>());
    {
        const h5::File file = h5::open_file(data + "S-hdfc/S-hdfc.h5");
        const auto set = h5::open_dataset(file.id(), frames_path);
        if (!h5::filters(set).front().available) GTEST_SKIP() << "no bitshuffle plug-in";
    }
    std::ifstream packed_truth_file(data + "S-hdfc/S-hdfc_truth.json");
    const auto packed_truth = nlohmann::json::parse(packed_truth_file);
    const auto packed =
        as<std::uint16_t>(read_frames(*open_hdf5_dense(data + "S-hdfc/S-hdfc.h5", {})));
    const auto packed_lit =
        packed.size() - static_cast<std::size_t>(std::count(packed.begin(), packed.end(), 0));
    EXPECT_EQ(static_cast<std::int64_t>(packed_lit), packed_truth["events"].get<std::int64_t>());
}

}  // namespace
}  // namespace xpcs
