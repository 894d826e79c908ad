// SPDX-License-Identifier: BSD-3-Clause
// The places of chunks, against the library's own search and against the samples.
#include "host/h5_chunks.hpp"

#include "host/readers/hdf5_dense.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <random>

namespace xpcs {
namespace {

class H5Chunks : public ::testing::Test {
  protected:
    using Samples = std::vector<std::uint16_t>;
    static constexpr const char* data_path = "/data";
    static constexpr hsize_t n_frames = 300, rows = 5, cols = 6;
    static constexpr hsize_t chunk_rows = 3, chunk_cols = 4, chunk_size = chunk_rows * chunk_cols;
    struct Kind {
        bool latest;  ///< other indices than the B-tree of before HDF5 1.10
        bool grows;
        bool gzip;
        hsize_t user_block;
    };

    /// An empty dataset with four chunks to a frame, at the edges not whole.
    void create(const Kind& kind) {
        std::filesystem::remove(path);
        const auto held = h5::lock();
        const h5::PropertyList creation(H5Pcreate(H5P_FILE_CREATE));
        const h5::PropertyList access(H5Pcreate(H5P_FILE_ACCESS));
        H5Pset_userblock(creation.id(), kind.user_block);
        if (kind.latest) H5Pset_libver_bounds(access.id(), H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
        file = h5::File(H5Fcreate(path.c_str(), H5F_ACC_EXCL, creation.id(), access.id()));
        h5::Storage storage;
        storage.chunk = {1, chunk_rows, chunk_cols};
        storage.contiguous_below = 0;
        if (kind.gzip) storage.filter = h5::Filter::gzip;
        if (kind.grows) storage.max_shape = {H5S_UNLIMITED, rows, cols};
        dataset = h5::create_dataset(
            file.id(), data_path, H5T_STD_U16LE, {n_frames, rows, cols}, storage);
    }
    /// Frame, row and column of the chunks in order.
    static h5::Shape offset_of(std::size_t chunk) {
        return {chunk / 4, chunk / 2 % 2 * chunk_rows, chunk % 2 * chunk_cols};
    }
    /// A chunk of its own number in each sample that lies in a frame; as it is, past the filters,
    /// or through them.
    void write(std::size_t chunk, bool as_it_is) {
        const h5::Shape at = offset_of(chunk);
        const Samples values(chunk_size, static_cast<std::uint16_t>(chunk + 1));
        const hsize_t n_rows = std::min(chunk_rows, rows - at[1]);
        const hsize_t n_cols = std::min(chunk_cols, cols - at[2]);
        if (as_it_is) {
            const auto held = h5::lock();
            ASSERT_GE(H5Dwrite_chunk(
                          dataset.id(), H5P_DEFAULT, 3, at.data(), 2 * chunk_size, values.data()),
                      0);
        } else {
            h5::write_slab(dataset, H5T_NATIVE_UINT16, at, {1, n_rows, n_cols}, values.data());
        }
        for (hsize_t row = at[1]; row < at[1] + n_rows; ++row) {
            const auto first =
                expected.begin() + static_cast<std::ptrdiff_t>((at[0] * rows + row) * cols + at[2]);
            std::fill_n(first, n_cols, values[0]);
        }
    }
    void close() {
        dataset.close();
        file.close();
    }
    Samples read(std::int64_t first, std::int64_t end) {
        SourceOptions options;
        options.dataset = data_path;
        const auto source = open_frame_source(path, options);
        source->select(first, end);
        Samples out;
        RawBlock block;
        Chunk chunk;
        DecodeCounts counts;
        while (source->next(block)) {
            source->decode(block, chunk, counts);
            const auto& frames = std::get<DenseChunk>(chunk);
            const std::size_t at = out.size();
            out.resize(at + frames.samples.size() / 2);
            std::memcpy(out.data() + at, frames.samples.data(), frames.samples.size());
        }
        return out;
    }

    testing::TempDir directory;
    std::string path = directory.file("chunks.h5");
    h5::File file;
    h5::Dataset dataset;
    Samples expected = Samples(n_frames * rows * cols, 0);
};

TEST_F(H5Chunks, AreFoundWhateverTheOrderOfWritingGapsAndSkippedFilters) {
    std::vector<std::size_t> order(4 * n_frames);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), std::mt19937(1));
    for (int k = 0; k < 16; ++k) {
        const Kind kind{(k & 1) != 0, (k & 2) != 0, (k & 4) != 0, (k & 8) != 0 ? 2048U : 0U};
        SCOPED_TRACE(k);
        create(kind);
        std::fill(expected.begin(), expected.end(), std::uint16_t{0});
        for (const std::size_t chunk : order) {
            // Frames 20 to 39 are not there either.
            if (chunk % 7 == 0 || (chunk >= 80 && chunk < 160)) continue;
            write(chunk, kind.gzip && chunk % 3 == 0);
        }
        close();
        EXPECT_EQ(read(0, n_frames), expected);

        const h5::File again = h5::open_file(path);
        const h5::Dataset found_in = h5::open_dataset(again.id(), data_path);
        h5::ChunkPlaces places(found_in);
        std::size_t n_missing = 0;
        for (const std::size_t chunk : order) {
            const h5::Shape at = offset_of(chunk);
            const auto place = places.find(at);
            ASSERT_TRUE(place) << h5::take_error();
            const auto held = h5::lock();
            hsize_t bytes = 0;
            haddr_t address = HADDR_UNDEF;
            unsigned skipped = 0;
            ASSERT_GE(
                H5Dget_chunk_info_by_coord(found_in.id(), at.data(), &skipped, &address, &bytes),
                0);
            ASSERT_EQ(place->bytes, bytes);
            ASSERT_EQ(place->skipped, skipped);
            // The library of before 1.14.4 counts from the end of the user block.
            if (place->address != address) {
                ASSERT_EQ(place->address, address + kind.user_block);
            }
            n_missing += bytes == 0;
        }
        EXPECT_GE(n_missing, 4 * n_frames / 7);
    }
}

TEST_F(H5Chunks, OfADatasetThatNobodyWroteAreMissing) {
    for (const bool latest : {false, true}) {
        create({latest, false, true, 0});
        close();
        EXPECT_EQ(read(0, n_frames), expected);
    }
}

#if !H5_VERSION_GE(1, 13, 0)

/// The first node of the index is damaged: who goes through it from the first chunk on fails.
TEST_F(H5Chunks, AreFoundWithoutASearchFromTheFirstOneOn) {
    create({});
    for (std::size_t chunk = 0; chunk < 4 * n_frames; ++chunk) {
        if (chunk % 7 != 0) write(chunk, false);
    }
    close();
    std::string bytes(std::filesystem::file_size(path), '\0');
    std::ifstream(path, std::ios::binary)
        .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    // A leaf of the index of chunks: signature, type 1, level 0, entries, two siblings, size and
    // filters of the first chunk, its frame, row, column.
    const std::string leaf("TREE\1\0", 6);
    std::size_t n_damaged = 0;
    for (std::size_t at = bytes.find(leaf); at != std::string::npos;
         at = bytes.find(leaf, at + 1)) {
        std::uint64_t frame = 0;
        std::memcpy(&frame, bytes.data() + at + 32, sizeof frame);
        if (frame != 0) continue;
        bytes[at] = 'X';
        ++n_damaged;
    }
    ASSERT_EQ(n_damaged, 1U);
    testing::write_bytes(path, bytes.data(), bytes.size());
    const auto part = [&](hsize_t first, hsize_t end) {
        const auto at = [&](hsize_t frame) {
            return expected.begin() + static_cast<std::ptrdiff_t>(frame * rows * cols);
        };
        return Samples(at(first), at(end));
    };
    EXPECT_EQ(read(200, 260), part(200, 260));
    testing::expect_error(ExitCode::data, {path, "frame 0", "B-tree"}, [&] { read(0, 10); });
}

#endif

}  // namespace
}  // namespace xpcs
