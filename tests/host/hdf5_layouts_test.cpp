// SPDX-License-Identifier: BSD-3-Clause
// The ways in which detectors lay out their frames in HDF5 files.
#include "host/h5_check.hpp"
#include "host/readers/ftf_unpack.hpp"
#include "host/readers/hdf5_dense.hpp"
#include "host/readers/rigaku_word.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <cstring>
#include <filesystem>
#include <random>

namespace xpcs {
namespace {

using testing::Event;
using testing::expect_error;

using Samples = std::vector<std::uint16_t>;

constexpr hsize_t rows = 13, cols = 37, frame_size = rows * cols;

Samples pattern(std::size_t n_frames, unsigned seed) {
    std::mt19937 random(seed);
    Samples values(n_frames * frame_size);
    for (auto& value : values)
        value = random() % 16 == 0 ? static_cast<std::uint16_t>(random() % 300) : 0;
    values[5] = 65535;
    return values;
}

Samples all_of(FrameSource& source) {
    Samples out;
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    const FrameSource::BlockRoom room = source.block_room();
    while (source.next(block)) {
        source.decode(block, chunk, counts);
        const auto& frames = std::get<DenseChunk>(chunk);
        EXPECT_LE(block.bytes.size(), room.bytes);  // memory of blocks must never move
        EXPECT_LE(frames.n_frames, room.frames);
        EXPECT_EQ(frames.first_frame * static_cast<std::int64_t>(frame_size),
                  static_cast<std::int64_t>(out.size()));
        const std::size_t at = out.size();
        out.resize(at + frames.samples.size() / 2);
        std::memcpy(out.data() + at, frames.samples.data(), frames.samples.size());
    }
    return out;
}

class Hdf5Layouts : public ::testing::Test {
  protected:
    std::string write(const std::string& name,
                      const Samples& values,
                      const std::string& dataset = "/entry/data/data",
                      h5::Storage storage = {}) {
        const std::string path = directory_.file(name);
        const h5::File file =
            std::filesystem::exists(path) ? h5::open_file_for_writing(path) : h5::create_file(path);
        h5::write(file.id(), dataset, values, {values.size() / frame_size, rows, cols}, storage);
        return path;
    }
    static Samples read(const std::string& path, const SourceOptions& options = {}) {
        return all_of(*open_frame_source(path, options));
    }
    /// Samples as they come out, of any width.
    static std::vector<std::byte> bytes_of(const std::string& path, const SourceOptions& options) {
        const auto source = open_frame_source(path, options);
        std::vector<std::byte> bytes;
        RawBlock block;
        Chunk chunk;
        DecodeCounts counts;
        while (source->next(block)) {
            source->decode(block, chunk, counts);
            const auto& frames = std::get<DenseChunk>(chunk);
            bytes.insert(bytes.end(), frames.samples.begin(), frames.samples.end());
        }
        return bytes;
    }
    /// Seven frames in chunks of two, written through HDF5 and its plug-in.
    static void write_bitshuffled(const std::string& path,
                                  std::size_t sample_bytes,
                                  const std::vector<unsigned>& parameters) {
        std::vector<std::uint32_t> values(7 * frame_size);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<std::uint32_t>(i % 251) + (i % 7 == 0 ? 1U << 20 : 0U);
        if (sample_bytes < 4) {
            for (std::uint32_t& value : values)
                value &= 0xFF;
        }
        const hid_t type = sample_bytes == 1   ? H5T_STD_U8LE
                           : sample_bytes == 2 ? H5T_STD_U16LE
                                               : H5T_STD_U32LE;
        const h5::File file = h5::create_file(path);
        const auto held = h5::lock();
        const h5::detail::KeepFloatingPoint kept;
        const h5::PropertyList storage(H5Pcreate(H5P_DATASET_CREATE));
        const h5::PropertyList links(H5Pcreate(H5P_LINK_CREATE));
        H5Pset_create_intermediate_group(links.id(), 1);
        const h5::Shape shape = {7, rows, cols}, chunk = {2, rows, cols};
        const h5::Space space(H5Screate_simple(3, shape.data(), nullptr));
        H5Pset_chunk(storage.id(), 3, chunk.data());
        H5Pset_filter(storage.id(), 32008, 0, parameters.size(), parameters.data());
        const h5::Dataset set(H5Dcreate2(file.id(),
                                         "/entry/data/data",
                                         type,
                                         space.id(),
                                         links.id(),
                                         storage.id(),
                                         H5P_DEFAULT));
        ASSERT_GE(
            H5Dwrite(set.id(), H5T_NATIVE_UINT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    }
    testing::TempDir directory_;
};

TEST_F(Hdf5Layouts, ChunksDecodedHereAndByHdf5AreEqual) {
    const Samples values = pattern(11, 3);
    const std::vector<h5::Shape> chunks = {
        {1, rows, cols}, {4, rows, cols}, {3, 5, 16}, {16, 13, 40 < cols ? 40 : cols}};
    int number = 0;
    for (const h5::Filter filter : {h5::Filter::none, h5::Filter::gzip, h5::Filter::lzf}) {
        for (const h5::Shape& chunk : chunks) {
            h5::Storage storage;
            storage.filter = filter;
            storage.contiguous_below = 0;
            storage.chunk = chunk;
            if (chunk[0] > 11) storage.max_shape = {H5S_UNLIMITED, rows, cols};
            const std::string path =
                write(std::to_string(number++) + ".h5", values, "/entry/data/data", storage);
            SourceOptions options;
            EXPECT_EQ(read(path, options), values) << number;
            options.direct_chunks = false;
            EXPECT_EQ(read(path, options), values) << number;
        }
    }
}

/// Bitshuffle is what Eiger and Lambda detectors write. Its plug-in, where the distribution's
/// package is installed, is a second opinion on every layout: element size, block size, codec, and
/// the left-over elements at the end of a chunk.
TEST_F(Hdf5Layouts, ChunksDecodedHereAndByThePluginAreEqual) {
    find_distribution_plugins();
    constexpr int bitshuffle = 32008;
    {
        const auto held = h5::lock();
        const h5::detail::KeepFloatingPoint kept;
        if (H5Zfilter_avail(bitshuffle) <= 0) GTEST_SKIP() << "no bitshuffle plug-in";
    }
    int number = 0;
    for (const unsigned codec : {0U, 2U}) {
        for (const unsigned block : {0U, 64U, 512U}) {
            for (const std::size_t bytes : {1U, 2U, 4U}) {
                const std::string path = directory_.file("bs" + std::to_string(number++) + ".h5");
                SCOPED_TRACE(std::to_string(codec) + ", " + std::to_string(block) + ", " +
                             std::to_string(bytes));
                write_bitshuffled(path, bytes, {block, codec});
                SourceOptions options;
                const std::vector<std::byte> here = bytes_of(path, options);
                options.direct_chunks = false;
                EXPECT_TRUE(here == bytes_of(path, options));
                EXPECT_EQ(here.size(), 7 * frame_size * bytes);
                // Not all the same by chance: the counter runs through.
                EXPECT_EQ(std::to_integer<int>(here[5 * bytes]), 5);
            }
        }
    }
    const std::string reference = testing::reference_file("S-hdfc/S-hdfc.h5");
    if (!std::filesystem::exists(reference)) return;
    SourceOptions options;
    const std::vector<std::byte> here = bytes_of(reference, options);
    options.direct_chunks = false;
    EXPECT_TRUE(here == bytes_of(reference, options));
}

TEST_F(Hdf5Layouts, SelectedFramesInsideOfChunks) {
    const Samples values = pattern(11, 4);
    h5::Storage storage;
    storage.filter = h5::Filter::gzip;
    storage.contiguous_below = 0;
    storage.chunk = {4, rows, cols};
    const std::string path = write("a.h5", values, "/entry/data/data", storage);
    const auto source = open_frame_source(path, {});
    source->select(3, 10);
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    std::size_t at = 3 * frame_size;
    while (source->next(block)) {
        source->decode(block, chunk, counts);
        const auto& frames = std::get<DenseChunk>(chunk);
        ASSERT_EQ(std::memcmp(frames.samples.data(), values.data() + at, frames.samples.size()), 0);
        at += frames.samples.size() / 2;
    }
    EXPECT_EQ(at, 10 * frame_size);
}

TEST_F(Hdf5Layouts, ChunkStoredWithoutItsFilterAndChunkNeverStored) {
    const std::string path = directory_.file("mask.h5");
    const Samples values = pattern(1, 5);
    {
        const h5::File file = h5::create_file(path);
        h5::Storage storage;
        storage.filter = h5::Filter::gzip;
        storage.contiguous_below = 0;
        storage.chunk = {1, rows, cols};
        const h5::Dataset dataset = h5::create_dataset(
            file.id(), "/entry/data/data", H5T_STD_U16LE, {3, rows, cols}, storage);
        const hsize_t at[] = {1, 0, 0};
        // All filters (shuffle and gzip) skipped.
        ASSERT_GE(H5Dwrite_chunk(dataset.id(), H5P_DEFAULT, 3, at, 2 * frame_size, values.data()),
                  0);
    }
    Samples expected(3 * frame_size, 0);
    std::copy(values.begin(), values.end(), expected.begin() + frame_size);
    EXPECT_EQ(read(path), expected);
}

TEST_F(Hdf5Layouts, DamagedChunkNamesTheFrame) {
    const std::string path = directory_.file("damaged.h5");
    {
        const h5::File file = h5::create_file(path);
        h5::Storage storage;
        storage.filter = h5::Filter::gzip;
        storage.contiguous_below = 0;
        storage.chunk = {1, rows, cols};
        const h5::Dataset dataset = h5::create_dataset(
            file.id(), "/entry/data/data", H5T_STD_U16LE, {3, rows, cols}, storage);
        const hsize_t at[] = {2, 0, 0};
        ASSERT_GE(H5Dwrite_chunk(dataset.id(), H5P_DEFAULT, 0, at, 7, "rubbish"), 0);
    }
    expect_error(ExitCode::data, {"damaged.h5", "frame 2", "gzip"}, [&] { read(path); });
}

TEST_F(Hdf5Layouts, MasterWithLinks) {
    const Samples first = pattern(4, 6), second = pattern(3, 7);
    write("run_data_000001.h5", first);
    write("run_data_000002.h5", second);
    const std::string master = directory_.file("run_master.h5");
    {
        const h5::File file = h5::create_file(master);
        h5::require_group(file.id(), "/entry/data");
        for (const char* number : {"000001", "000002", "000003", "000004"}) {
            h5::link_external(file.id(),
                              std::string("/entry/data/data_") + number,
                              std::string("run_data_") + number + ".h5",
                              "/entry/data/data");
        }
    }
    Samples expected = first;
    expected.insert(expected.end(), second.begin(), second.end());
    const auto source = open_frame_source(master, {});
    EXPECT_EQ(source->info().n_frames, 7);
    ASSERT_EQ(source->info().warnings.size(), 1U);
    EXPECT_THAT(source->info().warnings[0], ::testing::HasSubstr("2 links"));
    EXPECT_THAT(source->info().warnings[0], ::testing::HasSubstr("7 frames"));
    EXPECT_EQ(source->info().files.size(), 3U);
    EXPECT_EQ(all_of(*source), expected);
}

TEST_F(Hdf5Layouts, FramesAfterAGapInTheLinksAreNotUsed) {
    const Samples first = pattern(4, 6);
    write("run_data_000001.h5", first);
    write("run_data_000003.h5", first);
    const std::string master = directory_.file("run_master.h5");
    {
        const h5::File file = h5::create_file(master);
        h5::require_group(file.id(), "/entry/data");
        for (const char* number : {"000001", "000002", "000003"}) {
            h5::link_external(file.id(),
                              std::string("/entry/data/data_") + number,
                              std::string("run_data_") + number + ".h5",
                              "/entry/data/data");
        }
    }
    const auto source = open_frame_source(master, {});
    EXPECT_EQ(source->info().n_frames, 4);
    EXPECT_THAT(source->info().warnings.at(0), ::testing::HasSubstr("1 files after them"));
}

TEST_F(Hdf5Layouts, SeveralFilesAreOneRunInTheOrderGiven) {
    const Samples a = pattern(4, 8), b = pattern(2, 9);
    const char* dataset = "/entry_0000/measurement/data";
    const std::string first = write("x_0001.h5", a, dataset);
    SourceOptions options;
    options.more_files = {write("x_0000.h5", b, dataset)};
    Samples expected = a;
    expected.insert(expected.end(), b.begin(), b.end());
    EXPECT_EQ(read(first, options), expected);

    const std::string other = directory_.file("other.h5");
    {
        const h5::File file = h5::create_file(other);
        h5::write(file.id(), dataset, Samples(24), {2, 3, 4});
    }
    options.more_files = {other};
    expect_error(ExitCode::data, {"other.h5", "3 x 4", "13 x 37"}, [&] { read(first, options); });
}

class Channels : public Hdf5Layouts {
  protected:
    /// Frames (4, 2, rows, cols) behind a virtual dataset over two files, or plain.
    std::string write_channels(bool is_virtual, const std::vector<std::string>& slice) {
        const std::string path = directory_.file("channels_master.h5");
        const h5::File file = h5::create_file(path);
        h5::require_group(file.id(), "/entry/data");
        const h5::Shape shape = {4, 2, rows, cols}, part = {2, 2, rows, cols};
        values_.resize(4 * 2 * frame_size);
        for (std::size_t i = 0; i < values_.size(); ++i)
            values_[i] = static_cast<std::uint16_t>(i % 1009);
        if (!is_virtual) {
            h5::write(file.id(), "/entry/data/data", values_, shape);
        } else {
            const h5::Space space(H5Screate_simple(4, shape.data(), nullptr));
            const h5::Space source(H5Screate_simple(4, part.data(), nullptr));
            const h5::PropertyList list(H5Pcreate(H5P_DATASET_CREATE));
            for (hsize_t k = 0; k < 2; ++k) {
                const std::string name = "channels_data_" + std::to_string(k) + ".h5";
                const h5::File of_part = h5::create_file(directory_.file(name));
                const Samples half(
                    values_.begin() + static_cast<std::ptrdiff_t>(k * 4 * frame_size),
                    values_.begin() + static_cast<std::ptrdiff_t>((k + 1) * 4 * frame_size));
                h5::Storage storage;
                storage.filter = h5::Filter::gzip;
                storage.contiguous_below = 0;
                storage.chunk = {1, 1, rows, cols};
                h5::write(of_part.id(), "/entry/data/data", half, part, storage);
                const hsize_t start[] = {2 * k, 0, 0, 0};
                H5Sselect_hyperslab(
                    space.id(), H5S_SELECT_SET, start, nullptr, part.data(), nullptr);
                H5Pset_virtual(
                    list.id(), space.id(), name.c_str(), "/entry/data/data", source.id());
            }
            const h5::Dataset dataset(H5Dcreate2(file.id(),
                                                 "/entry/data/data",
                                                 H5T_STD_U16LE,
                                                 space.id(),
                                                 H5P_DEFAULT,
                                                 list.id(),
                                                 H5P_DEFAULT));
            EXPECT_TRUE(static_cast<bool>(dataset));
        }
        h5::write_strings(file.id(), "/entry/data/channel", {"threshold_1", "threshold_2"});
        const h5::Group group = h5::open_group(file.id(), "/entry/data");
        if (!slice.empty()) h5::write_attribute(group.id(), "default_slice", slice);
        return path;
    }
    Samples channel(std::size_t k) const {
        Samples out;
        for (std::size_t frame = 0; frame < 4; ++frame) {
            const auto at =
                values_.begin() + static_cast<std::ptrdiff_t>((2 * frame + k) * frame_size);
            out.insert(out.end(), at, at + frame_size);
        }
        return out;
    }
    Samples values_;
};

TEST_F(Channels, DefaultSliceChoosesAndTheOptionWins) {
    const std::string path = write_channels(true, {".", "threshold_2", ".", "."});
    EXPECT_EQ(read(path), channel(1));
    SourceOptions options;
    options.direct_chunks = false;
    EXPECT_EQ(read(path, options), channel(1));
    options.channel = "threshold_1";
    EXPECT_EQ(read(path, options), channel(0));
    options.channel = "1";
    EXPECT_EQ(read(path, options), channel(1));
    options.channel = "difference";
    expect_error(ExitCode::data, {"2 channels", "threshold_1, threshold_2", "'difference'"}, [&] {
        read(path, options);
    });
}

TEST_F(Channels, WithoutAChoiceItIsAnError) {
    const std::string path = write_channels(false, {});
    expect_error(ExitCode::data, {"2 channels", "threshold_2", "--channel"}, [&] { read(path); });
    SourceOptions options;
    options.channel = "threshold_2";
    EXPECT_EQ(read(path, options), channel(1));
}

TEST_F(Channels, MissingSourceOfAVirtualDataset) {
    const std::string path = write_channels(true, {"threshold_1"});
    std::filesystem::remove(directory_.file("channels_data_1.h5"));
    const auto source = open_frame_source(path, {});
    EXPECT_EQ(source->info().n_frames, 2);  // not zeros instead of what is missing
    EXPECT_THAT(source->info().warnings.at(0), ::testing::HasSubstr("channels_data_1.h5"));
    std::filesystem::remove(directory_.file("channels_data_0.h5"));
    expect_error(
        ExitCode::data, {"without any of its source files"}, [&] { open_frame_source(path, {}); });
}

class SparseHdf5 : public Hdf5Layouts {
  protected:
    std::string write_sparse(const std::string& name,
                             const std::vector<std::uint64_t>& pointers,
                             const std::vector<std::uint32_t>& index,
                             const std::vector<std::uint16_t>& intensity) {
        const std::string path = directory_.file(name);
        const h5::File file = h5::create_file(path);
        const std::string group = "/entry_0000/measurement/data/";
        h5::write(file.id(), group + "frame_ptr", pointers);
        h5::write(file.id(), group + "index", index);
        h5::write(file.id(), group + "intensity", intensity);
        return path;
    }
};

TEST_F(SparseHdf5, EventsFrameByFrameOverFiles) {
    const std::string first = write_sparse("a.h5", {0, 2, 2, 3, 3}, {7, 1, 4}, {1, 2, 300});
    SourceOptions options;
    options.more_files = {write_sparse("b.h5", {0, 0, 2}, {9, 8}, {5, 0})};
    for (const std::int64_t block : {1, 16, 1 << 20}) {
        options.block_bytes = block;
        const auto source = open_frame_source(first, options);
        source->set_shape(2, 5);
        EXPECT_EQ(source->info().n_frames, 6);
        const auto read = testing::read_events(*source);
        EXPECT_EQ(read.events, (std::vector<Event>{{0, 7, 1}, {0, 1, 2}, {2, 4, 300}, {5, 9, 5}}));
        EXPECT_EQ(read.counts.zero_count, 1);
        EXPECT_EQ(read.counts.last_frame, 5);
    }
}

TEST_F(SparseHdf5, ContradictionsAreNamed) {
    const auto refused = [&](const std::string& path, const std::vector<std::string>& words) {
        expect_error(ExitCode::data, words, [&] {
            const auto source = open_frame_source(path, {});
            source->set_shape(2, 5);
            testing::read_events(*source);
        });
    };
    refused(write_sparse("a.h5", {0, 2, 1, 3}, {1, 2, 3}, {1, 1, 1}), {"frame_ptr", "rise"});
    refused(write_sparse("b.h5", {0, 4}, {1, 2, 3}, {1, 1, 1}), {"frame_ptr", "3"});
    refused(write_sparse("c.h5", {0, 3}, {1, 2, 3}, {1, 1}), {"3 values of index", "2 of"});
    refused(write_sparse("d.h5", {0, 0, 2}, {1, 10}, {1, 1}), {"frame 1", "10", "2 x 5"});
}

TEST(FastTransfer, UnpackRule) {
    constexpr ftf::Unpack low{2, false}, high{2, true};
    static_assert(low.count_of(0b11'10'01'00, 0) == 0 && low.count_of(0b11'10'01'00, 1) == 1);
    static_assert(high.count_of(0b11'10'01'00, 0) == 3 && high.count_of(0b11'10'01'00, 3) == 0);
    static_assert(ftf::Unpack{4, false}.count_of(0xA7, 0) == 7);
    static_assert(ftf::Unpack{4, true}.count_of(0xA7, 0) == 10);
    static_assert(ftf::Unpack{8, false}.count_of(0xA7, 0) == 0xA7);
    static_assert(ftf::bits_of_column(131072) == 2 && ftf::bits_of_column(262144) == 4);
    static_assert(ftf::bits_of_column(524288) == 8 && ftf::bits_of_column(131073) == 0);
    for (const int bits : {2, 4, 8}) {
        for (const bool high_first : {false, true}) {
            const ftf::Unpack unpack{bits, high_first};
            std::uint8_t byte = 0;
            for (int k = 0; k < unpack.per_byte(); ++k)
                byte = unpack.with_count(byte, k, static_cast<std::uint32_t>(3 - k));
            for (int k = 0; k < unpack.per_byte(); ++k)
                EXPECT_EQ(unpack.count_of(byte, k), static_cast<std::uint32_t>(3 - k));
        }
    }
}

TEST_F(Hdf5Layouts, FastTransferDepthIsToldByTheRows) {
    const auto make = [&](int module, hsize_t bytes) {
        const h5::File file =
            h5::create_file_over(directory_.file("deep.h5.00" + std::to_string(module)));
        h5::Storage storage;
        storage.contiguous_below = 0;
        storage.chunk = {bytes, 1};
        const h5::Dataset dataset =
            h5::create_dataset(file.id(), "/entry/data/data", H5T_STD_U8LE, {bytes, 3}, storage);
        std::vector<std::uint8_t> column(bytes, 0);
        column[bytes / 512] = 0x9C;  // the first pixels of row 1
        h5::write_slab(dataset, h5::native_type<std::uint8_t>(), {0, 1}, {bytes, 1}, column.data());
    };
    const std::string path = directory_.file("deep.h5.000");
    SourceOptions options;
    options.allow_missing_module = true;
    const auto pixel = [](std::int64_t col) {
        const rigaku::ModuleOrigin at = rigaku::layout_3m::origin(0);
        return static_cast<std::uint32_t>((at.row + 1) * rigaku::layout_3m::cols + at.col + col);
    };
    make(0, 262144);
    auto four = open_frame_source(path, options);
    EXPECT_EQ(four->info().format, "rigaku3m-ftf4");
    EXPECT_EQ(testing::read_events(*four).events,
              (std::vector<Event>{{1, pixel(0), 12}, {1, pixel(1), 9}}));
    four.reset();
    make(1, 131072);
    expect_error(
        ExitCode::data, {"deep.h5.001", "2 bits", "4"}, [&] { open_frame_source(path, options); });
    make(0, 524288);
    std::filesystem::remove(directory_.file("deep.h5.001"));
    auto eight = open_frame_source(path, options);
    EXPECT_EQ(eight->info().format, "rigaku3m-ftf8");
    EXPECT_EQ(testing::read_events(*eight).events, (std::vector<Event>{{1, pixel(0), 0x9C}}));
    eight.reset();
    make(0, 65536);
    expect_error(
        ExitCode::data, {"(65536, 3)", "131072"}, [&] { open_frame_source(path, options); });
}

TEST_F(Hdf5Layouts, FastTransferModulesAndWarning) {
    using namespace rigaku;
    for (int module = 0; module < 6; ++module) {
        const h5::File file =
            h5::create_file(directory_.file("run.h5.00" + std::to_string(module)));
        h5::Storage storage;
        storage.contiguous_below = 0;
        storage.chunk = {131072, 1};
        const h5::Dataset dataset =
            h5::create_dataset(file.id(), "/entry/data/data", H5T_STD_U8LE, {131072, 3}, storage);
        if (module != 2) continue;
        std::vector<std::uint8_t> column(131072, 0);
        column[256] = 0b01'00'10'00;  // pixels 1024 to 1027: row 1
        h5::write_slab(
            dataset, h5::native_type<std::uint8_t>(), {0, 1}, {131072, 1}, column.data());
    }
    SourceOptions options;
    const auto source = open_frame_source(directory_.file("run.h5.004"), options);
    EXPECT_EQ(source->info().format, "rigaku3m-ftf");
    EXPECT_EQ(source->info().n_frames, 3);
    EXPECT_THAT(source->info().warnings.back(), ::testing::HasSubstr("assumption"));
    const ModuleOrigin at = layout_3m::origin(2);
    const auto pixel = static_cast<std::uint32_t>((at.row + 1) * layout_3m::cols + at.col);
    EXPECT_EQ(testing::read_events(*source).events,
              (std::vector<Event>{{1, pixel + 1, 2}, {1, pixel + 3, 1}}));
    options.ftf_high_first = true;
    EXPECT_EQ(
        testing::read_events(*open_frame_source(directory_.file("run.h5.000"), options)).events,
        (std::vector<Event>{{1, pixel, 1}, {1, pixel + 2, 2}}));
    std::filesystem::remove(directory_.file("run.h5.003"));
    expect_error(ExitCode::no_input, {"run.h5.003"}, [&] {
        open_frame_source(directory_.file("run.h5.000"), {});
    });
}

}  // namespace
}  // namespace xpcs
