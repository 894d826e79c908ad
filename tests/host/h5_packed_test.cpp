// SPDX-License-Identifier: BSD-3-Clause
// Chunks that we pack ourselves are what HDF5's own filters read.
#include "host/h5.hpp"
#include "tests/host/temp_dir.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace xpcs {
namespace {

using testing::TempDir;

h5::Storage packed_in(const h5::Shape& chunk, int level = 1) {
    h5::Storage storage;
    storage.filter = h5::Filter::gzip;
    storage.gzip_level = level;
    storage.contiguous_below = 1;
    storage.chunk = chunk;
    return storage;
}

template <class T>
std::vector<T> noise(std::size_t n) {
    std::mt19937 random(7);
    std::vector<T> values(n);
    for (T& value : values) {
        value = random() % 3 == 0 ? static_cast<T>(random()) : T{};
    }
    if (n > 0) values.back() = std::numeric_limits<T>::max();
    return values;
}

/// Writes, closes the file, reads with the library's filters.
template <class T>
void expect_same(const h5::Shape& shape, const h5::Shape& chunk) {
    SCOPED_TRACE(h5::to_string(shape) + " in " + h5::to_string(chunk) + ", " +
                 std::to_string(sizeof(T)) + " bytes");
    const TempDir dir;
    const std::vector<T> values = noise<T>(h5::n_elements(shape));
    {
        const h5::File file = h5::create_file(dir.file("a.hdf"));
        h5::write(file.id(), "x", values, shape, packed_in(chunk));
    }
    const h5::File file = h5::open_file(dir.file("a.hdf"));
    const h5::Dataset dataset = h5::open_dataset(file.id(), "x");
    EXPECT_EQ(h5::read<T>(dataset), values);
    EXPECT_EQ(h5::chunk_of(dataset), chunk);
    EXPECT_LT(H5Dget_storage_size(dataset.id()), values.size() * sizeof(T) + 4096);
}

TEST(H5Packed, HDF5ReadsWhatWePackWithEdgesInEveryDimension) {
    expect_same<std::uint8_t>({1000}, {300});
    expect_same<std::uint16_t>({7, 11}, {3, 4});
    expect_same<std::int32_t>({7, 11}, {7, 11});
    expect_same<float>({3, 50, 33}, {1, 50, 8});
    expect_same<double>({2, 3, 5, 7}, {1, 2, 2, 3});
    expect_same<std::uint64_t>({5, 1}, {2, 1});
}

TEST(H5Packed, AnEmptyDatasetStaysEmpty) {
    const TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::Storage storage = packed_in({4});
    storage.max_shape = {H5S_UNLIMITED};
    const h5::Dataset dataset = h5::write(file.id(), "x", std::vector<float>{}, {0}, storage);
    EXPECT_EQ(H5Dget_storage_size(dataset.id()), 0U);
}

TEST(H5Packed, TypesThatDifferInTheFileAreConvertedByHDF5) {
    const TempDir dir;
    const std::vector<float> values = noise<float>(100);
    {
        const h5::File file = h5::create_file(dir.file("a.hdf"));
        const h5::Dataset big =
            h5::create_dataset(file.id(), "big", H5T_IEEE_F32BE, {100}, packed_in({30}));
        h5::write_all(big, H5T_NATIVE_FLOAT, values.data());
        const h5::Dataset wide =
            h5::create_dataset(file.id(), "wide", H5T_IEEE_F64LE, {100}, packed_in({30}));
        h5::write_all(wide, H5T_NATIVE_FLOAT, values.data());
    }
    const h5::File file = h5::open_file(dir.file("a.hdf"));
    EXPECT_EQ(h5::read<float>(h5::open_dataset(file.id(), "big")), values);
    EXPECT_EQ(h5::read<float>(h5::open_dataset(file.id(), "wide")), values);
}

TEST(H5Packed, EveryLevelOfGzip) {
    const TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    const std::vector<std::int32_t> values = noise<std::int32_t>(5000);
    for (int level = 0; level <= 9; ++level) {
        const std::string name = "level" + std::to_string(level);
        const h5::Dataset dataset =
            h5::write(file.id(), name, values, {5000}, packed_in({1024}, level));
        EXPECT_EQ(h5::read<std::int32_t>(dataset), values) << level;
    }
}

}  // namespace
}  // namespace xpcs
