// SPDX-License-Identifier: BSD-3-Clause
// The place of frames in time and of events in frames: HDF5 files that could be misread without a
// word.
#include "host/h5_check.hpp"
#include "host/readers/hdf5_dense.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <cstring>
#include <filesystem>

namespace xpcs {
namespace {

using testing::Event;
using testing::expect_error;

class Hdf5Places : public ::testing::Test {
  protected:
    /// Frames of 1 x 1 pixel with these counts.
    static void write(const h5::File& file,
                      const std::string& dataset,
                      const std::vector<std::uint16_t>& counts) {
        h5::write(file.id(), dataset, counts, {counts.size(), 1, 1});
    }
    std::string write(const std::string& name, const std::vector<std::uint16_t>& counts) const {
        write(h5::create_file(directory_.file(name)), "/entry/data/data", counts);
        return directory_.file(name);
    }
    static std::vector<int> read(FrameSource& source) {
        std::vector<int> out;
        testing::for_each_chunk(source, [&](const DenseChunk& frames) {
            for (std::int64_t f = 0; f < frames.n_frames; ++f) {
                std::uint16_t value = 0;
                std::memcpy(&value, frames.samples.data() + 2 * f, sizeof value);
                out.push_back(value);
            }
        });
        return out;
    }
    testing::TempDir directory_;
};

TEST_F(Hdf5Places, NumbersInNamesCountAsNumbers) {
    const std::string path = directory_.file("master.h5");
    {
        const h5::File file = h5::create_file(path);
        for (const std::uint16_t k : {10, 2, 1, 11, 9})
            write(file, "/entry/data/data_" + std::to_string(k), {k});
        write(file, "/entry/data/data_0012", {12});
        write(file, "/entry/data/data_3b", {4});
        write(file, "/entry/data/data_03a", {3});
        write(file, "/entry/data/data", {0});
    }
    SourceOptions options;
    options.dataset = "/entry/data";
    EXPECT_EQ(read(*open_frame_source(path, options)),
              (std::vector<int>{0, 1, 2, 3, 4, 9, 10, 11, 12}));
}

TEST_F(Hdf5Places, AVirtualDatasetEndsWhereASourceIsShorterThanItSays) {
    const std::string path = directory_.file("virtual.h5");
    constexpr hsize_t n = 4, n_parts = 3;
    const hsize_t shape[] = {n * n_parts, 1, 1}, part[] = {n, 1, 1};
    {
        const h5::File file = h5::create_file(path);
        h5::require_group(file.id(), "/entry/data");
        const h5::Space space(H5Screate_simple(3, shape, nullptr));
        const h5::Space source(H5Screate_simple(3, part, nullptr));
        const h5::PropertyList list(H5Pcreate(H5P_DATASET_CREATE));
        for (hsize_t k = 0; k < n_parts; ++k) {
            const hsize_t start[] = {n * k, 0, 0};
            H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start, nullptr, part, nullptr);
            const std::string name = "part_" + std::to_string(k) + ".h5";
            H5Pset_virtual(list.id(), space.id(), name.c_str(), "/entry/data/data", source.id());
        }
        const h5::Dataset dataset(H5Dcreate2(file.id(),
                                             "/entry/data/data",
                                             H5T_STD_U16LE,
                                             space.id(),
                                             H5P_DEFAULT,
                                             list.id(),
                                             H5P_DEFAULT));
        ASSERT_TRUE(static_cast<bool>(dataset));
    }
    write("part_0.h5", {1, 2, 3, 4});
    write("part_1.h5", {5, 6});
    write("part_2.h5", {9, 10, 11, 12});
    const auto source = open_frame_source(path, {});
    EXPECT_EQ(read(*source), (std::vector<int>{1, 2, 3, 4, 5, 6}));
    ASSERT_EQ(source->info().warnings.size(), 1U);
    EXPECT_THAT(source->info().warnings[0],
                ::testing::HasSubstr("part_1.h5 has 2 of the 4 frames"));
    EXPECT_THAT(source->info().warnings[0], ::testing::HasSubstr("the 6 frames up to there"));
}

class SparseIntegers : public Hdf5Places {
  protected:
    template <class P, class I, class C>
    std::string write(const std::vector<P>& pointers,
                      const std::vector<I>& index,
                      const std::vector<C>& counts) const {
        const std::string path = directory_.file("sparse.h5");
        std::filesystem::remove(path);
        const h5::File file = h5::create_file(path);
        h5::write(file.id(), "/entry/data/frame_ptr", pointers);
        h5::write(file.id(), "/entry/data/index", index);
        h5::write(file.id(), "/entry/data/intensity", counts);
        return path;
    }
    static testing::ReadEvents events(const std::string& path, const SourceOptions& options = {}) {
        const auto source = open_frame_source(path, options);
        source->set_shape(2, 5);
        return testing::read_events(*source);
    }
};

using Longs = std::vector<std::int64_t>;
constexpr std::int64_t large = std::int64_t{1} << 40;

TEST_F(SparseIntegers, AnyKindIsRead) {
    const std::vector<Event> expected{{0, 7, 1}, {0, 1, 2}, {2, 4, 300}};
    EXPECT_EQ(events(write(Longs{0, 2, 2, 3}, Longs{7, 1, 4}, Longs{1, 2, 300})).events, expected);
    EXPECT_EQ(events(write(std::vector<std::int32_t>{0, 2, 2, 3},
                           std::vector<std::int8_t>{7, 1, 4},
                           std::vector<std::uint64_t>{1, 2, 300}))
                  .events,
              expected);
}

TEST_F(SparseIntegers, ThoseThatAreNoIndexAreNotTakenForTheNearestOne) {
    for (const std::int64_t index : {std::int64_t{-1}, large}) {
        const std::string path = write(Longs{0, 1, 1, 3}, Longs{7, index, 4}, Longs{1, 2, 3});
        expect_error(ExitCode::data,
                     {"sparse.h5", "frame 2", "index " + std::to_string(index), "2 x 5"},
                     [&] { events(path); });
        SourceOptions options;
        options.drop_bad_index = true;
        const auto read = events(path, options);
        EXPECT_EQ(read.events, (std::vector<Event>{{0, 7, 1}, {2, 4, 3}}));
        EXPECT_EQ(read.counts.bad_index, 1);
    }
}

TEST_F(SparseIntegers, ThoseThatAreNoCountAndNoPlaceAreRefused) {
    for (const std::int64_t count : {std::int64_t{-7}, large}) {
        const std::string path = write(Longs{0, 1, 1, 3}, Longs{7, 1, 4}, Longs{1, 2, count});
        expect_error(ExitCode::data,
                     {"sparse.h5", "frame 2", std::to_string(count) + " counts"},
                     [&] { events(path); });
    }
    const std::string path = write(Longs{0, -1, 1, 3}, Longs{7, 1, 4}, Longs{1, 2, 3});
    expect_error(ExitCode::data, {"frame_ptr", "rise from 0"}, [&] { events(path); });
}

}  // namespace
}  // namespace xpcs
