// SPDX-License-Identifier: BSD-3-Clause
// The same pixels of every frame, read without the others.
#include "host/h5_check.hpp"
#include "host/readers/hdf5_dense.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <cstring>
#include <filesystem>
#include <numeric>

namespace xpcs {
namespace {

using testing::expect_error;

class Hdf5Parts : public ::testing::Test {
  protected:
    static constexpr hsize_t n_frames = 7, rows = 30, cols = 40, n_pixels = rows * cols;
    static constexpr std::int64_t first = 11, end = 700;
    using Samples = std::vector<std::uint16_t>;

    Hdf5Parts() : values(n_frames * n_pixels) { std::iota(values.begin(), values.end(), 1); }

    static h5::Storage chunks(const h5::Shape& chunk) {
        h5::Storage storage;
        storage.contiguous_below = 0;
        storage.chunk = chunk;
        return storage;
    }
    void write(const h5::Storage& storage) const {
        std::filesystem::remove(path);
        const h5::File file = h5::create_file(path);
        h5::write(file.id(), "/entry/data/data", values, {n_frames, rows, cols}, storage);
    }
    /// All samples of the pixels that the source delivers.
    static Samples read(FrameSource& source, std::int64_t first_pixel, std::int64_t pixels) {
        Samples out;
        testing::for_each_chunk(source, [&](const DenseChunk& frames) {
            EXPECT_EQ(frames.first_pixel, first_pixel);
            EXPECT_EQ(frames.n_pixels, pixels);
            const std::size_t at = out.size();
            out.resize(at + frames.samples.size() / sizeof out[0]);
            std::memcpy(out.data() + at, frames.samples.data(), frames.samples.size());
        });
        return out;
    }
    Samples part(std::int64_t first_frame, std::int64_t end_frame) const {
        Samples out;
        for (std::int64_t f = first_frame; f < end_frame; ++f) {
            const auto frame = values.begin() + f * static_cast<std::int64_t>(n_pixels);
            out.insert(out.end(), frame + first, frame + end);
        }
        return out;
    }

    Samples values;
    testing::TempDir directory;
    std::string path = directory.file("run.h5");
};

TEST_F(Hdf5Parts, AreThoseOfWholeFrames) {
    h5::Storage contiguous;
    contiguous.contiguous_below = ~0ULL;
    for (const h5::Storage& storage :
         {contiguous, chunks({1, rows, cols}), chunks({3, rows, cols})}) {
        write(storage);
        const auto source = open_hdf5_dense(path, {});
        ASSERT_TRUE(source->info().parts);
        source->select(2, 6);
        source->select_pixels(first, end);
        EXPECT_EQ(read(*source, first, end - first), part(2, 6));
        EXPECT_DOUBLE_EQ(source->fraction_read(), 1.0);
    }
}

TEST_F(Hdf5Parts, WhereFramesAreInPiecesOrCompressedTheyAreWhole) {
    h5::Storage gzip = chunks({1, rows, cols});
    gzip.filter = h5::Filter::gzip;
    for (const h5::Storage& storage : {gzip, chunks({3, 7, 11}), chunks({1, rows, cols / 2})}) {
        write(storage);
        const auto source = open_hdf5_dense(path, {});
        EXPECT_FALSE(source->info().parts);
        source->select_pixels(first, end);
        EXPECT_EQ(read(*source, 0, n_pixels), values);
    }
}

TEST_F(Hdf5Parts, NearlyWholeFramesAreReadWhole) {
    write(chunks({1, rows, cols}));
    const auto source = open_hdf5_dense(path, {});
    source->select_pixels(1, n_pixels - 1);
    EXPECT_EQ(read(*source, 0, n_pixels), values);
}

TEST_F(Hdf5Parts, AChunkThatWasNeverStoredIsZero) {
    {
        const h5::File file = h5::create_file(path);
        const h5::Dataset dataset = h5::create_dataset(file.id(),
                                                       "/entry/data/data",
                                                       H5T_STD_U16LE,
                                                       {n_frames, rows, cols},
                                                       chunks({1, rows, cols}));
        const hsize_t at[] = {4, 0, 0};
        ASSERT_GE(H5Dwrite_chunk(dataset.id(), H5P_DEFAULT, 0, at, 2 * n_pixels, values.data()), 0);
    }
    std::copy_n(values.begin(), n_pixels, values.begin() + 4 * n_pixels);
    std::fill_n(values.begin(), 4 * n_pixels, std::uint16_t{0});
    std::fill_n(values.begin() + 5 * n_pixels, 2 * n_pixels, std::uint16_t{0});
    const auto source = open_hdf5_dense(path, {});
    source->select_pixels(first, end);
    EXPECT_EQ(read(*source, first, end - first), part(0, n_frames));
}

/// Behind a user block HDF5 counts places from another origin than the file.
TEST_F(Hdf5Parts, WhatOnlyTheLibraryCanReadIsCutOut) {
    for (const bool chunked : {false, true}) {
        std::filesystem::remove(path);
        {
            const h5::PropertyList layout(H5Pcreate(H5P_FILE_CREATE));
            ASSERT_GE(H5Pset_userblock(layout.id(), 2048), 0);
            const h5::File file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, layout.id(), H5P_DEFAULT));
            h5::Storage contiguous;
            contiguous.contiguous_below = ~0ULL;
            h5::write(file.id(),
                      "/entry/data/data",
                      values,
                      {n_frames, rows, cols},
                      chunked ? chunks({1, rows, cols}) : contiguous);
        }
        const auto source = open_hdf5_dense(path, {});
        source->select_pixels(first, end);
        EXPECT_EQ(read(*source, first, end - first), part(0, n_frames));
    }
}

TEST_F(Hdf5Parts, AFileThatWasCutIsNamed) {
    write(chunks({1, rows, cols}));
    const auto source = open_hdf5_dense(path, {});
    source->select_pixels(first, end);
    RawBlock block;
    ASSERT_TRUE(source->announce(block));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    expect_error(ExitCode::data, {path}, [&] { source->fetch(block); });
}

}  // namespace
}  // namespace xpcs
