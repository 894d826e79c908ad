// SPDX-License-Identifier: BSD-3-Clause
#include "host/h5.hpp"

#include "host/lzf_filter.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cfenv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <numeric>
#include <random>
#include <thread>

namespace xpcs {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TempDir;

TEST(H5, MissingFileIsNoInput) {
    const Error error = error_of([] { h5::open_file("/nowhere/a.hdf"); });
    EXPECT_EQ(error.code(), ExitCode::no_input);
    EXPECT_THAT(error.what(), HasSubstr("/nowhere/a.hdf"));
}

TEST(H5, DirectoryAndTextAreNotHdf5) {
    TempDir dir;
    EXPECT_EQ(error_of([&] { h5::open_file(dir.path()); }).code(), ExitCode::data);
    std::ofstream(dir.file("a.hdf")) << "this is text";
    const Error error = error_of([&] { h5::open_file(dir.file("a.hdf")); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("a.hdf"), HasSubstr("signature")));
}

TEST(H5, TruncatedFilePassesTheLibrarysReasonOnInOneLine) {
    TempDir dir;
    const std::string path = dir.file("a.hdf");
    {
        const h5::File file = h5::create_file(path);
        h5::write(file.id(), "x", std::vector<double>(1000, 1.0));
    }
    std::filesystem::resize_file(path, 4000);
    const Error error = error_of([&] { h5::open_file(path); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), HasSubstr("truncated file"));
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
}

TEST(H5, CreateIsExclusive) {
    TempDir dir;
    h5::create_file(dir.file("a.hdf"));
    EXPECT_EQ(error_of([&] { h5::create_file(dir.file("a.hdf")); }).code(),
              ExitCode::cannot_create);
    EXPECT_EQ(error_of([&] { h5::create_file(dir.file("no/a.hdf")); }).code(),
              ExitCode::cannot_create);
}

TEST(H5, HandlesMoveAndCloseOnce) {
    TempDir dir;
    h5::File file = h5::create_file(dir.file("a.hdf"));
    const hid_t id = file.id();
    h5::File other = std::move(file);
    EXPECT_FALSE(file);  // NOLINT(bugprone-use-after-move): that it is empty is the point
    EXPECT_EQ(other.id(), id);
    other.close();
    EXPECT_EQ(H5Iis_valid(id), 0);
    EXPECT_NO_THROW(other.close());
}

TEST(H5, ClosingAFileWithOpenObjectsIsReported) {
    TempDir dir;
    h5::File file = h5::create_file(dir.file("a.hdf"));
    const h5::Dataset open = h5::write_scalar(file.id(), "x", 1.0);
    EXPECT_EQ(error_of([&] { file.close(); }).code(), ExitCode::io);
}

TEST(H5, NumbersRoundTripWithConversion) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    const std::vector<double> values{-1.5, 0.0, 3.0, 1e300};
    h5::write(file.id(), "group/deep/x", values);
    EXPECT_EQ(h5::read<double>(file.id(), "/group/deep/x"), values);
    h5::write<std::uint8_t>(file.id(), "bytes", std::vector<std::uint8_t>{0, 7, 255}, {3});
    EXPECT_EQ(h5::read<std::int64_t>(file.id(), "bytes"), (std::vector<std::int64_t>{0, 7, 255}));
    EXPECT_EQ(h5::read<float>(file.id(), "bytes"), (std::vector<float>{0, 7, 255}));
    const std::vector<std::uint64_t> large{std::numeric_limits<std::uint64_t>::max()};
    h5::write(file.id(), "large", large);
    EXPECT_EQ(h5::read<std::uint64_t>(file.id(), "large"), large);
}

TEST(H5, OneNumberFromAnyShapeAndKind) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::write_scalar<std::int32_t>(file.id(), "i", 4);
    h5::write<float>(file.id(), "f11", std::vector<float>{0.5F}, {1, 1});
    h5::write<double>(file.id(), "d1", std::vector<double>{3.0}, {1});
    h5::write<double>(file.id(), "d2", std::vector<double>{3.0, 4.0}, {2});
    h5::write_boolean(file.id(), "b", true);
    h5::write_string(file.id(), "s", "text");
    EXPECT_EQ(h5::read_number(file.id(), "i"), 4.0);
    EXPECT_EQ(h5::read_number(file.id(), "f11"), 0.5);
    EXPECT_EQ(h5::read_number(file.id(), "b"), 1.0);
    EXPECT_EQ(h5::read_integer(file.id(), "d1"), 3);
    EXPECT_THAT(error_of([&] { h5::read_integer(file.id(), "f11"); }).what(),
                HasSubstr("integer is expected"));
    EXPECT_THAT(error_of([&] { h5::read_number(file.id(), "d2"); }).what(), HasSubstr("(2,)"));
    EXPECT_THAT(error_of([&] { h5::read_number(file.id(), "s"); }).what(),
                AllOf(HasSubstr("a.hdf: /s"), HasSubstr("string")));
    EXPECT_EQ(error_of([&] { h5::read_number(file.id(), "none"); }).code(), ExitCode::data);
}

void write_fixed(hid_t file, const char* name, const std::string& bytes, H5T_str_t pad) {
    const h5::Type type(H5Tcopy(H5T_C_S1));
    H5Tset_size(type.id(), bytes.size());
    H5Tset_strpad(type.id(), pad);
    const h5::Dataset dataset = h5::create_dataset(file, name, type.id(), {});
    h5::write_all(dataset, type.id(), bytes.data());
}

TEST(H5, StringsOfEveryKind) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::write_string(file.id(), "v", "\xC3\x85\xE2\x81\xBB\xC2\xB9");
    h5::write_strings(file.id(), "v2", {"q", ""});
    write_fixed(file.id(), "null", std::string("ab\0\0", 4), H5T_STR_NULLPAD);
    write_fixed(file.id(), "blank", "ab  ", H5T_STR_SPACEPAD);
    h5::require_group(file.id(), "entry/definition");
    EXPECT_EQ(h5::read_string(file.id(), "v"), "\xC3\x85\xE2\x81\xBB\xC2\xB9");
    EXPECT_EQ(h5::read_strings(file.id(), "v2"), (std::vector<std::string>{"q", ""}));
    EXPECT_EQ(h5::read_string(file.id(), "null"), "ab");
    EXPECT_EQ(h5::read_string(file.id(), "blank"), "ab");
    EXPECT_EQ(error_of([&] { h5::read_string(file.id(), "v2"); }).code(), ExitCode::data);
    EXPECT_EQ(error_of([&] { h5::read_string(file.id(), "entry/definition"); }).code(),
              ExitCode::data);
    EXPECT_EQ(error_of([&] { h5::read_strings(file.id(), "v2", 1); }).code(), ExitCode::data);
    EXPECT_EQ(error_of([&] { h5::read_strings(file.id(), "v2", 10, 2); }).code(), ExitCode::data);
}

TEST(H5, StringsThatPassThroughTheBufferInManyPieces) {
    std::vector<std::string> many;
    for (int i = 0; i < 3000; ++i)
        many.push_back(std::to_string(i));
    many[7] = std::string(100'000, 'x');
    const h5::File file = h5::create_memory_file("texts");
    h5::write_strings(file.id(), "many", many);
    EXPECT_EQ(h5::read_strings(file.id(), "many"), many);
    const h5::Type fixed(H5Tcopy(H5T_C_S1));
    H5Tset_size(fixed.id(), 10'000);
    const std::string text(9'999, 'y'), other(9'999, 'z');
    std::string both = text + '\0' + other + '\0';
    h5::write_all(h5::create_dataset(file.id(), "fixed", fixed.id(), {2}), fixed.id(), both.data());
    EXPECT_EQ(h5::read_strings(file.id(), "fixed"), (std::vector<std::string>{text, other}));
    // Of another length in the file: HDF5 converts each.
    const h5::Type shorter(H5Tcopy(H5T_C_S1));
    H5Tset_size(shorter.id(), 5'000);
    h5::write_all(h5::create_dataset(file.id(), "cut", shorter.id(), {2}), fixed.id(), both.data());
    EXPECT_EQ(h5::read_strings(file.id(), "cut").back(), std::string(4'999, 'z'));
}

TEST(H5, NeverWrittenStringsAreEmpty) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::create_dataset(file.id(), "s", h5::string_type().id(), {2});
    EXPECT_EQ(h5::read_strings(file.id(), "s"), (std::vector<std::string>{"", ""}));
}

TEST(H5, AttributesRoundTripAndAreReplaced) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    const h5::Dataset x = h5::write_scalar(file.id(), "x", 1.0);
    h5::describe(x.id(), "s", "time of a frame");
    h5::write_attribute(x.id(), "size", std::int64_t{3});
    h5::write_attribute(x.id(), "units", "ms");
    EXPECT_EQ(h5::read_string_attribute(x.id(), "units"), "ms");
    EXPECT_EQ(h5::read_string_attribute(x.id(), "description"), "time of a frame");
    EXPECT_EQ(h5::read_number_attribute(x.id(), "size"), 3.0);
    EXPECT_EQ(h5::read_number_attribute(x.id(), "none"), std::nullopt);
    EXPECT_EQ(error_of([&] { h5::read_number_attribute(x.id(), "units"); }).code(), ExitCode::data);
}

TEST(H5, BooleansAreTheEnumOfOtherPrograms) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    const h5::Dataset b = h5::write_booleans(file.id(), "b", {0, 1, 7}, {3});
    const h5::Type type = h5::type_of(b);
    EXPECT_EQ(h5::type_name(type.id()), "enum of int8");
    EXPECT_EQ(H5Tget_nmembers(type.id()), 2);
    EXPECT_EQ(h5::read<std::uint8_t>(b), (std::vector<std::uint8_t>{0, 1, 1}));
}

TEST(H5, ExistsWalksEveryLink) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::write_scalar(file.id(), "a/b/x", 1.0);
    h5::link_external(file.id(), "a/gone", "nowhere.h5", "/x");
    EXPECT_TRUE(h5::exists(file.id(), "/"));
    EXPECT_TRUE(h5::exists(file.id(), "/a/b/x"));
    EXPECT_TRUE(h5::is_group(file.id(), "a/b"));
    EXPECT_TRUE(h5::is_dataset(file.id(), "a/b/x"));
    EXPECT_FALSE(h5::exists(file.id(), "/a/c/x"));
    EXPECT_FALSE(h5::exists(file.id(), "/a/b/x/y"));
    EXPECT_FALSE(h5::exists(file.id(), "a/gone"));
    const auto list = h5::children(file.id(), "a");
    ASSERT_EQ(list.size(), 2U);
    EXPECT_EQ(list[0].name, "b");
    EXPECT_EQ(list[0].kind, h5::Kind::group);
    EXPECT_EQ(list[1].kind, h5::Kind::dangling);
}

TEST(H5, HugeDeclaredShapeIsRefusedBeforeMemoryIsTaken) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::Storage storage;
    storage.filter = h5::Filter::lzf;
    const hsize_t side = hsize_t{1} << 31;
    const h5::Dataset huge =
        h5::create_dataset(file.id(), "huge", H5T_NATIVE_UINT8, {side, side}, storage);
    const Error error = error_of([&] { h5::read<double>(huge); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("/huge"), HasSubstr("limit")));
    EXPECT_EQ(error_of([] { h5::n_elements({side, side, 4}); }).code(), ExitCode::data);
    EXPECT_EQ(h5::n_elements({side, 0, side}), 0U);
}

TEST(H5, NumbersAreNotReadFromTextOrCompounds) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::write_strings(file.id(), "s", {"1", "2"});
    EXPECT_THAT(error_of([&] { h5::read<double>(file.id(), "s"); }).what(), HasSubstr("string"));
    const h5::Type pair(H5Tcreate(H5T_COMPOUND, 8));
    H5Tinsert(pair.id(), "a", 0, H5T_NATIVE_DOUBLE);
    h5::create_dataset(file.id(), "c", pair.id(), {2});
    EXPECT_THAT(error_of([&] { h5::read<double>(file.id(), "c"); }).what(), HasSubstr("compound"));
}

class Compressed : public ::testing::TestWithParam<h5::Filter> {};

TEST_P(Compressed, RoundTripOfSmoothAndRandomData) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    std::mt19937 random(7);
    std::vector<std::uint32_t> values(300 * 500);
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = i < values.size() / 2 ? static_cast<std::uint32_t>(i / 1000) : random();
    }
    h5::Storage storage;
    storage.filter = GetParam();
    storage.chunk_bytes = 1 << 14;
    const h5::Dataset dataset = h5::write(file.id(), "x", values, {300, 500}, storage);
    h5::flush(file);
    EXPECT_LE(h5::n_elements(h5::chunk_of(dataset)) * 4, storage.chunk_bytes);
    EXPECT_EQ(h5::read<std::uint32_t>(file.id(), "x"), values);
    EXPECT_LT(H5Dget_storage_size(dataset.id()), values.size() * 4 * 3 / 4);
    h5::require_filters(dataset);
    EXPECT_FALSE(h5::filters(dataset).empty());
}

INSTANTIATE_TEST_SUITE_P(Filters, Compressed, ::testing::Values(h5::Filter::lzf, h5::Filter::gzip));

TEST(H5, SmallDatasetsStayContiguous) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::Storage storage;
    storage.filter = h5::Filter::lzf;
    const std::vector<float> values(1025, 1.0F);
    const auto first = [&](std::size_t n) { return std::span<const float>(values).first(n); };
    EXPECT_TRUE(h5::chunk_of(h5::write(file.id(), "a", first(1024), {1024}, storage)).empty());
    EXPECT_FALSE(h5::chunk_of(h5::write(file.id(), "b", first(1025), {1025}, storage)).empty());
}

TEST(H5, ChunksAreCapped) {
    EXPECT_EQ(h5::chunk_for({100, 3, 512, 1024}, 4, 4 << 20), (h5::Shape{1, 1, 512, 1024}));
    EXPECT_EQ(h5::chunk_for({100000, 36}, 4, 1 << 20), (h5::Shape{6250, 36}));
    EXPECT_EQ(h5::chunk_for({10}, 8, 1 << 20), (h5::Shape{10}));
    const h5::Shape square = h5::chunk_for({40000, 40000}, 4, 4 << 20);
    EXPECT_LE(square[0] * square[1] * 4, hsize_t{4} << 20);
    EXPECT_GE(square[0] * square[1] * 4, hsize_t{1} << 20);
    const hsize_t large = std::numeric_limits<hsize_t>::max() / 2;
    EXPECT_LE(h5::n_elements(h5::chunk_for({large, large}, 8, 1 << 20)), hsize_t{1} << 17);
}

TEST(H5, SlabsAndGrowth) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::Storage storage;
    storage.filter = h5::Filter::lzf;
    storage.chunk = {2, 4};
    storage.max_shape = {H5S_UNLIMITED, 4};
    const h5::Dataset x = h5::create_dataset(file.id(), "x", H5T_NATIVE_FLOAT, {2, 4}, storage);
    h5::extend(x, {5, 4});
    const std::vector<float> part{1, 2, 3, 4};
    h5::write_slab(x, H5T_NATIVE_FLOAT, {3, 1}, {2, 2}, part.data());
    const std::vector<float> all = h5::read<float>(x);
    ASSERT_EQ(all.size(), 20U);
    EXPECT_EQ(std::accumulate(all.begin(), all.end(), 0.0F), 10.0F);
    EXPECT_EQ(all[3 * 4 + 1], 1.0F);
    EXPECT_EQ(all[4 * 4 + 2], 4.0F);
    std::vector<double> back(2);
    h5::read_slab(x, H5T_NATIVE_DOUBLE, {4, 1}, {1, 2}, back.data());
    EXPECT_EQ(back, (std::vector<double>{3, 4}));
    EXPECT_EQ(error_of([&] {
                  h5::write_slab(x, H5T_NATIVE_FLOAT, {4, 0}, {2, 4}, all.data());
              }).code(),
              ExitCode::io);
    EXPECT_EQ(error_of([&] {
                  h5::read_slab(x, H5T_NATIVE_FLOAT, {~hsize_t{0}, 0}, {2, 1}, back.data());
              }).code(),
              ExitCode::data);
    EXPECT_EQ(error_of([&] { h5::extend(x, {5, 5}); }).code(), ExitCode::io);
}

TEST(H5, CopyBetweenFilesKeepsAttributesAndFilters) {
    TempDir dir;
    const h5::File from = h5::create_file(dir.file("a.hdf"));
    const h5::File to = h5::create_file(dir.file("b.hdf"));
    h5::Storage storage;
    storage.filter = h5::Filter::lzf;
    const std::vector<double> values(5000, 2.5);
    h5::write(from.id(), "qmap/x", values, {5000}, storage);
    h5::write_attribute(h5::open_group(from.id(), "qmap").id(), "hash", "abc");
    h5::copy(from.id(), "/qmap", to.id(), "/xpcs/qmap");
    EXPECT_EQ(h5::read<double>(to.id(), "/xpcs/qmap/x"), values);
    EXPECT_EQ(h5::read_string_attribute(h5::open_group(to.id(), "xpcs/qmap").id(), "hash"), "abc");
    EXPECT_EQ(h5::filters(h5::open_dataset(to.id(), "xpcs/qmap/x")).at(0).id, lzf_filter_id);
    h5::remove(to.id(), "/xpcs/qmap/x");
    EXPECT_FALSE(h5::exists(to.id(), "/xpcs/qmap/x"));
    EXPECT_EQ(error_of([&] { h5::copy(from.id(), "none", to.id(), "y"); }).code(), ExitCode::io);
}

TEST(H5, EqualContentGivesEqualBytes) {
    TempDir dir;
    const auto bytes_of = [&](const std::string& name) {
        {
            const h5::File file = h5::create_file(dir.file(name));
            h5::Storage storage;
            storage.filter = h5::Filter::lzf;
            h5::write(file.id(), "g/x", std::vector<double>(5000, 2.5), {5000}, storage);
            h5::write_string(file.id(), "g/s", "text");
        }
        std::ifstream in(dir.file(name), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    EXPECT_EQ(bytes_of("a.hdf"), bytes_of("b.hdf"));
}

TEST(H5, ReadsLzfWrittenByOthers) {
    const std::string path = testing::reference_file("rigaku-250/rigaku-250_qmap.hdf");
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
    const h5::File file = h5::open_file(path);
    const h5::Dataset dynamic = h5::open_dataset(file.id(), "/qmap/dynamic_roi_map");
    ASSERT_EQ(h5::filters(dynamic).at(0).id, lzf_filter_id);
    const auto labels = h5::read<double>(dynamic);
    ASSERT_EQ(labels.size(), 512U * 1024U);
    EXPECT_EQ(*std::max_element(labels.begin(), labels.end()),
              static_cast<double>(
                  h5::shape_of(h5::open_dataset(file.id(), "/qmap/dynamic_index_mapping")).at(0)));
    EXPECT_EQ(h5::type_name(h5::type_of(h5::open_dataset(file.id(), "/qmap/mask")).id()),
              "enum of int8");
}

/// A chunk stored as it is, under a dataset that says it is LZF.
void write_raw_chunk(hid_t file, const std::vector<std::uint8_t>& bytes, unsigned claimed_bytes) {
    const h5::PropertyList list(H5Pcreate(H5P_DATASET_CREATE));
    const hsize_t shape[] = {claimed_bytes};
    H5Pset_chunk(list.id(), 1, shape);
    const unsigned parameters[] = {4, 0x0105, claimed_bytes};
    H5Pset_filter(list.id(), lzf_filter_id, H5Z_FLAG_OPTIONAL, 3, parameters);
    const h5::Space space(H5Screate_simple(1, shape, nullptr));
    const h5::Dataset dataset(
        H5Dcreate2(file, "x", H5T_NATIVE_UINT8, space.id(), H5P_DEFAULT, list.id(), H5P_DEFAULT));
    const hsize_t offset[] = {0};
    ASSERT_GE(H5Dwrite_chunk(dataset.id(), H5P_DEFAULT, 0, offset, bytes.size(), bytes.data()), 0);
}

TEST(H5, DamagedLzfChunkIsAnErrorAndItsClaimTakesNoMemory) {
    for (const unsigned claimed : {100U, 1U << 20, 1U << 30}) {
        TempDir dir;
        {
            const h5::File file = h5::create_file(dir.file("a.hdf"));
            write_raw_chunk(file.id(), {0xFF, 0xFF, 0xFF, 0x01, 0x02}, claimed);
        }
        const h5::File file = h5::open_file(dir.file("a.hdf"));
        const Error error = error_of([&] {
            std::uint8_t first = 0;
            h5::read_slab(h5::open_dataset(file.id(), "x"), H5T_NATIVE_UINT8, {0}, {1}, &first);
        });
        EXPECT_EQ(error.code(), ExitCode::data) << claimed;
    }
}

TEST(H5, MissingFilterIsNamed) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    const h5::PropertyList list(H5Pcreate(H5P_DATASET_CREATE));
    const hsize_t shape[] = {64};
    H5Pset_chunk(list.id(), 1, shape);
    H5Pset_filter(list.id(), 511, H5Z_FLAG_OPTIONAL, 0, nullptr);
    const h5::Space space(H5Screate_simple(1, shape, nullptr));
    const h5::Dataset dataset(H5Dcreate2(
        file.id(), "x", H5T_NATIVE_UINT8, space.id(), H5P_DEFAULT, list.id(), H5P_DEFAULT));
    ASSERT_TRUE(dataset);
    std::fesetenv(FE_DFL_ENV);  // the calls above went past our guard
    const Error error = error_of([&] { h5::read<int>(dataset); });
    EXPECT_THAT(error.what(), AllOf(HasSubstr("511"), HasSubstr("/x")));
    // Looking for it loaded every plug-in there is; none may change how this thread computes.
    volatile double smallest = std::numeric_limits<double>::denorm_min();
    EXPECT_GT(smallest * 2, 0.0);
}

TEST(H5, SeveralThreadsMayRead) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    h5::Storage storage;
    storage.filter = h5::Filter::lzf;
    std::vector<std::int64_t> values(20000);
    std::iota(values.begin(), values.end(), 0);
    h5::write(file.id(), "x", values, {values.size()}, storage);
    std::vector<std::thread> threads;
    std::vector<int> equal(4, 0);
    for (std::size_t t = 0; t < equal.size(); ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 20; ++i) {
                equal[t] += h5::read<std::int64_t>(file.id(), "x") == values ? 1 : 0;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_THAT(equal, ::testing::Each(20));
}

TEST(H5, WrongNumberOfValuesIsOurFault) {
    TempDir dir;
    const h5::File file = h5::create_file(dir.file("a.hdf"));
    EXPECT_EQ(error_of([&] {
                  h5::write(file.id(), "x", std::vector<double>(3), {2, 2});
              }).code(),
              ExitCode::internal);
}

}  // namespace
}  // namespace xpcs
