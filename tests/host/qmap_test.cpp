// SPDX-License-Identifier: BSD-3-Clause
#include "host/qmap.hpp"

#include "host/h5.hpp"
#include "host/qmap_file.hpp"
#include "host/sha256.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/qmap_fixture.hpp"
#include "tests/host/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <random>

namespace xpcs {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::small_qmap;
using testing::TempDir;

/// A saved q-map that `change` spoils.
class Spoiled {
  public:
    explicit Spoiled(const std::function<void(hid_t)>& change) {
        save_qmap(small_qmap(), path(), false);
        const h5::File file = h5::open_file_for_writing(path());
        change(file.id());
    }
    std::string path() const { return dir_.file("a_qmap.hdf"); }
    Error error() const {
        return error_of([&] { load_qmap(path()); });
    }

  private:
    TempDir dir_;
};

template <class T>
std::function<void(hid_t)>
replace(const std::string& name, const std::vector<T>& values, const h5::Shape& shape) {
    return [=](hid_t file) {
        h5::remove(file, "/qmap/" + name);
        h5::write(file, "/qmap/" + name, values, shape);
    };
}

std::vector<double> labels_with(std::size_t at, double value) {
    const QMap qmap = small_qmap();
    std::vector<double> labels(qmap.dynamic_roi_map.begin(), qmap.dynamic_roi_map.end());
    labels[at] = value;
    return labels;
}

TEST(QMap, RoundTripKeepsEverything) {
    TempDir dir;
    QMap saved = small_qmap();
    saved.blemish.assign(24, 1);
    saved.blemish[3] = 0;
    saved.mask[3] = 0;
    save_qmap(saved, dir.file("a.hdf"), false);
    const QMap loaded = load_qmap(dir.file("a.hdf"));
    EXPECT_THAT(loaded.warnings, IsEmpty());
    EXPECT_EQ(loaded.rows, 4);
    EXPECT_EQ(loaded.cols, 6);
    EXPECT_EQ(loaded.mask, saved.mask);
    EXPECT_EQ(loaded.blemish, saved.blemish);
    EXPECT_EQ(loaded.dynamic_roi_map, saved.dynamic_roi_map);
    EXPECT_EQ(loaded.static_roi_map, saved.static_roi_map);
    EXPECT_EQ(loaded.dynamic_num_pts, saved.dynamic_num_pts);
    EXPECT_EQ(loaded.static_num_pts, saved.static_num_pts);
    EXPECT_EQ(loaded.dynamic_v_list, saved.dynamic_v_list);
    EXPECT_EQ(loaded.static_v_list, saved.static_v_list);
    EXPECT_EQ(loaded.dynamic_index_mapping, saved.dynamic_index_mapping);
    EXPECT_EQ(loaded.static_index_mapping, saved.static_index_mapping);
    EXPECT_EQ(loaded.map_names, saved.map_names);
    EXPECT_EQ(loaded.map_units, saved.map_units);
    EXPECT_EQ(loaded.beam_center_x, saved.beam_center_x);
    EXPECT_EQ(loaded.beam_center_y, saved.beam_center_y);
    EXPECT_EQ(loaded.pixel_size_m, saved.pixel_size_m);
    EXPECT_EQ(loaded.detector_distance_m, saved.detector_distance_m);
    EXPECT_EQ(loaded.energy_keV, saved.energy_keV);
    EXPECT_EQ(loaded.source_file, saved.source_file);
    EXPECT_EQ(loaded.version, "0.2.0");
    EXPECT_EQ(loaded.hash, qmap_hash(saved));
}

// Independent of how the program gets there: the bytes and texts of `small_qmap()` put together by
// hand.
TEST(QMap, HashIsThatOfTheDefinition) {
    const QMap qmap = small_qmap();
    Sha256 sha;
    const auto array = [&](const char* name, const auto& values) {
        sha.add(name);
        sha.add(values.data(), values.size() * sizeof(values[0]));
    };
    const auto text = [&](const char* name, const char* json) {
        sha.add(name);
        sha.add(json);
    };
    const auto bytes = [](const auto& values) {
        return std::vector<std::uint8_t>(values.begin(), values.end());
    };
    text("beam_center_x", "2.5");
    text("beam_center_y", "1e-05");
    text("detector_distance", "12.0");
    array("dynamic_index_mapping", bytes(qmap.dynamic_index_mapping));
    text("dynamic_num_pts", "[2, 2]");
    array("dynamic_roi_map", bytes(qmap.dynamic_roi_map));
    array("dynamic_v_list_dim0", qmap.dynamic_v_list[0]);
    array("dynamic_v_list_dim1", qmap.dynamic_v_list[1]);
    text("energy", "10.9");
    text("map_names", "[\"q\", \"phi\"]");
    text("map_units", "[\"\\u00c5\\u207b\\u00b9\", \"deg\"]");
    array("mask", qmap.mask);
    text("pixel_size", "7.6e-05");
    text("source_file", "\"/data/\\u00c5 \\\"x\\\".h5\"");
    array("static_index_mapping", bytes(qmap.static_index_mapping));
    text("static_num_pts", "[4, 2]");
    array("static_roi_map", bytes(qmap.static_roi_map));
    array("static_v_list_dim0", qmap.static_v_list[0]);
    array("static_v_list_dim1", qmap.static_v_list[1]);
    EXPECT_EQ(qmap_hash(qmap), sha.hex());
}

TEST(QMap, HashDependsOnEveryPart) {
    const std::string original = qmap_hash(small_qmap());
    const auto changed = [&](const std::function<void(QMap&)>& change) {
        QMap qmap = small_qmap();
        change(qmap);
        return qmap_hash(qmap) != original;
    };
    EXPECT_TRUE(changed([](QMap& q) { q.mask[5] = 0; }));
    EXPECT_TRUE(changed([](QMap& q) { q.static_roi_map[5] = 1; }));
    EXPECT_TRUE(changed([](QMap& q) { q.source_file += "x"; }));
    EXPECT_TRUE(changed([](QMap& q) { q.energy_keV = std::nextafter(q.energy_keV, 20); }));
    EXPECT_TRUE(changed([](QMap& q) { q.blemish.assign(24, 1); }));
    EXPECT_FALSE(changed([](QMap& q) { q.version = "other"; }));
}

TEST(QMap, AFileStillHasAMapOnlyWhereEveryPartIsTheSame) {
    const TempDir dir;
    const std::string path = dir.file("q.h5");
    QMap written = small_qmap();
    written.blemish.assign(24, 1);
    save_qmap(written, path, false);
    const QMap loaded = load_qmap(path);
    EXPECT_TRUE(file_still_has(loaded));
    const std::function<void(QMap&)> changes[] = {
        [](QMap& q) { std::swap(q.rows, q.cols); },
        [](QMap& q) { q.mask[5] = 0; },
        [](QMap& q) { q.blemish[5] = 0; },
        [](QMap& q) { q.blemish.clear(); },
        [](QMap& q) { q.dynamic_roi_map[5] = 0; },
        [](QMap& q) { q.static_roi_map[5] = 0; },
        [](QMap& q) { std::swap(q.dynamic_num_pts, q.static_num_pts); },
        [](QMap& q) { q.dynamic_v_list[1][0] = 1; },
        [](QMap& q) { q.static_v_list[0][3] = 1; },
        [](QMap& q) { q.dynamic_index_mapping[1] = 1; },
        [](QMap& q) { q.static_index_mapping[1] = 2; },
        [](QMap& q) { q.map_names[0] = "x"; },
        [](QMap& q) { q.map_units[1] = "rad"; },
        [](QMap& q) { q.beam_center_x += 1e-12; },
        [](QMap& q) { q.beam_center_y = 0; },
        [](QMap& q) { q.pixel_size_m *= 2; },
        [](QMap& q) { q.detector_distance_m = 4; },
        [](QMap& q) { q.energy_keV = 9; },
        [](QMap& q) { q.source_file += " "; },
    };
    for (std::size_t i = 0; i < std::size(changes); ++i) {
        QMap changed = loaded;
        changes[i](changed);
        EXPECT_FALSE(file_still_has(changed)) << "change " << i;
    }
    std::filesystem::remove(path);
    EXPECT_FALSE(file_still_has(loaded));
}

TEST(QMap, WideLabelsAreStoredInTheSmallestType) {
    QMap qmap = small_qmap();
    const auto type_of_largest = [&](std::uint32_t n_bins) {
        TempDir dir;
        qmap.rows = 1;
        qmap.cols = n_bins;
        qmap.mask.assign(n_bins, 1);
        qmap.static_roi_map.resize(n_bins);
        for (std::uint32_t p = 0; p < n_bins; ++p)
            qmap.static_roi_map[p] = p + 1;
        qmap.static_index_mapping.assign(n_bins, 0);
        qmap.dynamic_roi_map.assign(n_bins, 1);
        save_qmap(qmap, dir.file("a.hdf"), false);
        EXPECT_EQ(load_qmap(dir.file("a.hdf")).static_roi_map, qmap.static_roi_map);
        const h5::File file = h5::open_file(dir.file("a.hdf"));
        const h5::Dataset map = h5::open_dataset(file.id(), "/qmap/static_roi_map");
        return h5::type_name(h5::type_of(map).id());
    };
    EXPECT_EQ(type_of_largest(255), "uint8");
    EXPECT_EQ(type_of_largest(256), "uint16");
    EXPECT_EQ(type_of_largest(65536), "uint32");
}

TEST(QMap, ReferenceFilesLoadAndTheirHashesHold) {
    for (const char* name :
         {"S-3m", "S-hdf", "S-hdfc", "S-imm", "S-immdense", "S-phi", "rigaku-250"}) {
        const std::string path =
            testing::reference_file(std::string(name) + "/" + name + "_qmap.hdf");
        if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
        const QMap qmap = load_qmap(path);
        for (const std::string& warning : qmap.warnings) {
            EXPECT_THAT(warning, ::testing::Not(HasSubstr("hash"))) << path;
        }
        EXPECT_EQ(qmap.hash.size(), 64U);
        const QMapPartition partition = partition_of(qmap, {}, false);
        EXPECT_GT(partition.partition.n_kept(), 0);
        EXPECT_THAT(partition.report.empty_static, IsEmpty());
    }
}

TEST(QMap, UnalteredReferenceFileKeepsItsHashWhenSaved) {
    const std::string path = testing::reference_file("S-phi/S-phi_qmap.hdf");
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
    const QMap qmap = load_qmap(path);
    EXPECT_EQ(qmap_hash(qmap), qmap.hash);
    EXPECT_EQ(qmap.n_dynamic(), 7U);
    EXPECT_NEAR(qmap.dynamic_centre(6, 0), 0.00836892, 1e-8);  // mapping[5] = 6 = 2 * 3 + 0
    EXPECT_NEAR(qmap.dynamic_centre(6, 1), -44.25147406, 1e-8);
}

TEST(QMap, CentresFollowTheMapping) {
    const QMap qmap = small_qmap();
    EXPECT_EQ(qmap.dynamic_centre(1, 0), 0.01);
    EXPECT_EQ(qmap.dynamic_centre(2, 0), 0.02);  // natural bin 2 = 1 * 2 + 0
    EXPECT_EQ(qmap.dynamic_centre(2, 1), -90);
    EXPECT_EQ(qmap.dynamic_centre(3, 1), 90);
    EXPECT_EQ(qmap.static_centre(6, 0), 0.04);
    EXPECT_TRUE(std::isnan(qmap.dynamic_centre(0, 0)));
    EXPECT_TRUE(std::isnan(qmap.dynamic_centre(4, 0)));
}

// --- table E: files that are not what they should be ---------------------------------------------

TEST(QMapTableE, Missing) {
    EXPECT_EQ(error_of([] { load_qmap("/nowhere/q.hdf"); }).code(), ExitCode::no_input);
}

TEST(QMapTableE, NotHdf5) {
    TempDir dir;
    std::ofstream(dir.file("q.hdf")) << "text";
    EXPECT_EQ(error_of([&] { load_qmap(dir.file("q.hdf")); }).code(), ExitCode::data);
}

TEST(QMapTableE, NoQmapGroup) {
    TempDir dir;
    {
        const h5::File file = h5::create_file(dir.file("q.hdf"));
        h5::require_group(file.id(), "entry");
    }
    const Error error = error_of([&] { load_qmap(dir.file("q.hdf")); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("q.hdf"), HasSubstr("no group /qmap")));
}

TEST(QMapTableE, OlderLayoutsAreNamed) {
    const auto message = [](const std::string& dataset) {
        TempDir dir;
        {
            const h5::File file = h5::create_file(dir.file("q.hdf"));
            h5::write_scalar<std::int32_t>(file.id(), dataset, 1);
        }
        const Error error = error_of([&] { load_qmap(dir.file("q.hdf")); });
        EXPECT_EQ(error.code(), ExitCode::data);
        return std::string(error.what());
    };
    EXPECT_THAT(message("/data/dynamicMap"), HasSubstr("/data layout"));
    EXPECT_THAT(message("/qmap/dqmap"), HasSubstr("February 2025"));
    EXPECT_THAT(message("/xpcs/dqmap"), HasSubstr("/xpcs layout"));
}

TEST(QMapTableE, NanNegativeAndFractionalLabelsWithNumberAndFirstPosition) {
    const auto message = [](double value) {
        const Spoiled file(replace("dynamic_roi_map", labels_with(8, value), {4, 6}));
        const Error error = file.error();
        EXPECT_EQ(error.code(), ExitCode::data);
        EXPECT_THAT(error.what(),
                    AllOf(HasSubstr("a_qmap.hdf"),
                          HasSubstr("dynamic_roi_map"),
                          HasSubstr("has 1 label"),
                          HasSubstr("row 1, column 2")));
        return std::string(error.what());
    };
    EXPECT_THAT(message(std::nan("")), HasSubstr("NaN"));
    EXPECT_THAT(message(-1), HasSubstr("negative"));
    EXPECT_THAT(message(1.5), HasSubstr("fractional"));
    EXPECT_THAT(message(5e9), HasSubstr("too large"));
    EXPECT_THAT(message(std::numeric_limits<double>::infinity()), HasSubstr("too large"));
}

TEST(QMapTableE, NegativeIntegerLabel) {
    std::vector<std::int32_t> labels(24, 1);
    labels[23] = -3;
    const Spoiled file(replace("static_roi_map", labels, {4, 6}));
    EXPECT_THAT(file.error().what(), AllOf(HasSubstr("negative"), HasSubstr("row 3, column 5")));
}

TEST(QMapTableE, FloatLabelsWithWholeValuesAreAccepted) {
    const Spoiled file(replace("dynamic_roi_map", labels_with(0, 1), {4, 6}));
    EXPECT_EQ(load_qmap(file.path()).dynamic_roi_map, small_qmap().dynamic_roi_map);
}

TEST(QMapTableE, ShapesThatDiffer) {
    const Spoiled file(replace("static_roi_map", std::vector<std::uint8_t>(24, 1), {6, 4}));
    EXPECT_THAT(file.error().what(), AllOf(HasSubstr("(6, 4)"), HasSubstr("(4, 6)")));
    const Spoiled flat(replace("mask", std::vector<std::uint8_t>(24, 1), {24}));
    EXPECT_THAT(flat.error().what(), HasSubstr("(24,)"));
    const Spoiled empty(replace("mask", std::vector<std::uint8_t>(), {0, 6}));
    EXPECT_EQ(empty.error().code(), ExitCode::data);
}

TEST(QMapTableE, HashMissing) {
    const Spoiled file([](hid_t id) { H5Adelete_by_name(id, "/qmap", "hash", H5P_DEFAULT); });
    const QMap qmap = load_qmap(file.path());
    EXPECT_EQ(qmap.hash, "");
    EXPECT_THAT(qmap.warnings, Contains(HasSubstr("no hash")));
}

TEST(QMapTableE, HashStale) {
    const Spoiled file(replace("energy", std::vector<double>{11.0}, {}));
    const QMap qmap = load_qmap(file.path());
    EXPECT_EQ(qmap.hash, qmap_hash(small_qmap()));
    EXPECT_THAT(qmap.warnings, ElementsAre(HasSubstr("stale hash")));
}

TEST(QMapTableE, HashOfAnotherKind) {
    const Spoiled file(
        [](hid_t id) { h5::write_attribute(h5::open_group(id, "/qmap").id(), "hash", 1.0); });
    EXPECT_THAT(load_qmap(file.path()).warnings, Contains(HasSubstr("hash")));
}

// --- hostile and hand-edited files ---------------------------------------------------------------

TEST(QMap, HugeDeclaredShapeTakesNoMemory) {
    const Spoiled file([](hid_t id) {
        h5::remove(id, "/qmap/mask");
        h5::Storage storage;
        storage.filter = h5::Filter::lzf;
        const hsize_t side = hsize_t{1} << 30;
        h5::create_dataset(id, "/qmap/mask", H5T_NATIVE_UINT8, {side, side}, storage);
    });
    EXPECT_THAT(file.error().what(), HasSubstr("pixels are possible"));
}

TEST(QMap, WrongKinds) {
    const auto text = [](const char* name) {
        return [=](hid_t id) {
            h5::remove(id, std::string("/qmap/") + name);
            h5::write_string(id, std::string("/qmap/") + name, "text");
        };
    };
    for (const char* name : {"mask",
                             "dynamic_roi_map",
                             "static_index_mapping",
                             "dynamic_num_pts",
                             "energy",
                             "static_v_list_dim0"}) {
        const Spoiled file(text(name));
        EXPECT_EQ(file.error().code(), ExitCode::data) << name;
        EXPECT_THAT(file.error().what(), HasSubstr(name));
    }
    const Spoiled names(replace("map_names", std::vector<double>{1, 2}, {2}));
    EXPECT_EQ(names.error().code(), ExitCode::data);
    const Spoiled group([](hid_t id) {
        h5::remove(id, "/qmap/mask");
        h5::require_group(id, "/qmap/mask");
    });
    EXPECT_THAT(group.error().what(), HasSubstr("no dataset /qmap/mask"));
}

TEST(QMap, MaskOfPlainIntegersAndFloats) {
    std::vector<std::int32_t> integers(24, 256);  // 0 in its lowest byte, and yet not 0
    integers[2] = 0;
    const Spoiled file(replace("mask", integers, {4, 6}));
    const QMap qmap = load_qmap(file.path());
    EXPECT_EQ(qmap.mask[1], 1);
    EXPECT_EQ(qmap.mask[2], 0);
    std::vector<float> floats(24, 0.5F);
    floats[9] = std::nanf("");
    const Spoiled with_nan(replace("mask", floats, {4, 6}));
    EXPECT_THAT(with_nan.error().what(), AllOf(HasSubstr("NaN"), HasSubstr("row 1, column 3")));
}

TEST(QMap, BadPixelsInTheMaskAreWarnedOf) {
    QMap qmap = small_qmap();
    qmap.blemish.assign(24, 1);
    qmap.blemish[3] = qmap.blemish[7] = 0;
    TempDir dir;
    save_qmap(qmap, dir.file("a.hdf"), false);
    EXPECT_THAT(load_qmap(dir.file("a.hdf")).warnings,
                ElementsAre(HasSubstr("blemish calls 2 pixels bad that are in /qmap/mask")));
}

TEST(QMap, NumberOfBinsMustBePossible) {
    const Spoiled zero(replace("static_num_pts", std::vector<std::int64_t>{0, 2}, {2}));
    EXPECT_THAT(zero.error().what(), HasSubstr("static_num_pts says 0"));
    const Spoiled three(replace("static_num_pts", std::vector<std::int64_t>{1, 2, 3}, {3}));
    EXPECT_EQ(three.error().code(), ExitCode::data);
    const Spoiled other(replace("static_v_list_dim0", std::vector<double>{1, 2, 3}, {3}));
    EXPECT_THAT(other.error().what(), AllOf(HasSubstr("3 centres"), HasSubstr("says 4")));
}

TEST(QMap, MappingBeyondTheNaturalBins) {
    const Spoiled file(replace("dynamic_index_mapping", std::vector<std::uint8_t>{0, 2, 4}, {3}));
    EXPECT_THAT(file.error().what(), AllOf(HasSubstr("[2] is 4"), HasSubstr("makes 4 bins")));
}

TEST(QMap, LabelsBeyondAShortMapping) {
    const Spoiled file(replace("dynamic_index_mapping", std::vector<std::uint8_t>{0, 2}, {2}));
    EXPECT_THAT(file.error().what(),
                AllOf(HasSubstr("dynamic label 3 at row 0, column 4"), HasSubstr("2 bins")));
}

TEST(QMap, NaturalLabelsWithAMappingOfTheFilledBinsAreCounted) {
    QMap holes = small_qmap();
    for (std::uint32_t& label : holes.static_roi_map)
        label += label > 2 ? 2 : 0;
    const Spoiled file([&](hid_t id) {
        h5::remove(id, "/qmap/static_roi_map");
        h5::write(id, "/qmap/static_roi_map", holes.static_roi_map, {4, 6});
    });
    const QMap qmap = load_qmap(file.path());
    EXPECT_EQ(qmap.static_roi_map, small_qmap().static_roi_map);
    EXPECT_EQ(qmap.n_static(), 6U);
    EXPECT_THAT(qmap.warnings, Contains(HasSubstr("3 to 4; labels above")));
}

TEST(QMap, MissingMappingIsIdentityWhereThatIsPossible) {
    const Spoiled file([](hid_t id) { h5::remove(id, "/qmap/dynamic_index_mapping"); });
    const QMap qmap = load_qmap(file.path());
    EXPECT_THAT(qmap.dynamic_index_mapping, ElementsAre(0, 1, 2));
    EXPECT_THAT(qmap.warnings, Contains(HasSubstr("dynamic_index_mapping")));
    const Spoiled huge([](hid_t id) {
        h5::remove(id, "/qmap/dynamic_index_mapping");
        h5::remove(id, "/qmap/dynamic_num_pts");
        replace("dynamic_roi_map", std::vector<std::uint32_t>(24, 4'000'000'000U), {4, 6})(id);
    });
    EXPECT_THAT(huge.error().what(), HasSubstr("4000000000"));
}

TEST(QMap, MissingGeometryAndNamesAreWarnedOf) {
    const Spoiled file([](hid_t id) {
        for (const char* name : {"energy", "map_names", "dynamic_v_list_dim1", "source_file"}) {
            h5::remove(id, std::string("/qmap/") + name);
        }
    });
    const QMap qmap = load_qmap(file.path());
    EXPECT_EQ(qmap.energy_keV, 0);
    EXPECT_EQ(qmap.map_names[0], "q");
    EXPECT_TRUE(std::isnan(qmap.dynamic_centre(1, 1)));
    EXPECT_THAT(qmap.warnings, Contains(HasSubstr("map_names")));
    EXPECT_THAT(qmap.warnings, Contains(HasSubstr("energy")));
}

/// Overwrites a few elements of a numeric dataset with numbers that hurt.
void write_nonsense(hid_t file, const std::string& name, std::mt19937& random) {
    static const double nonsense[] = {
        0, 1, 2, 7, 255, -1, 1.5, 1e9, 4294967295.0, 1e300, std::nan(""), HUGE_VAL};
    const std::string path = "/qmap/" + name;
    const h5::Shape shape = h5::shape_of(h5::open_dataset(file, path));
    auto values = h5::read<double>(file, path);
    for (int i = 0; i < 2; ++i) {
        values[random() % values.size()] = nonsense[random() % std::size(nonsense)];
    }
    h5::remove(file, path);
    h5::write(file, path, values, shape);
}

TEST(QMap, NonsenseValuesAreRefusedOrUsable) {
    const std::vector<std::string> names = {"mask",
                                            "dynamic_roi_map",
                                            "static_roi_map",
                                            "dynamic_num_pts",
                                            "static_num_pts",
                                            "dynamic_index_mapping",
                                            "static_index_mapping",
                                            "dynamic_v_list_dim0",
                                            "energy"};
    std::mt19937 random(11);
    int n_refused = 0, n_used = 0;
    for (int round = 0; round < 200; ++round) {
        const Spoiled file([&](hid_t id) {
            write_nonsense(id, names[random() % names.size()], random);
            write_nonsense(id, names[random() % names.size()], random);
        });
        const Error error = error_of([&] { partition_of(load_qmap(file.path()), {}, true); });
        EXPECT_THAT(error.code(), ::testing::AnyOf(ExitCode::ok, ExitCode::data)) << error.what();
        (error.code() == ExitCode::ok ? n_used : n_refused) += 1;
    }
    EXPECT_GT(n_refused, 50);
    EXPECT_GT(n_used, 5);
}

TEST(QMap, TruncatedAnywhereIsRefused) {
    TempDir dir;
    save_qmap(small_qmap(), dir.file("a.hdf"), false);
    const auto size = std::filesystem::file_size(dir.file("a.hdf"));
    for (std::uintmax_t kept = 0; kept < size; kept += 97) {
        std::filesystem::copy_file(dir.file("a.hdf"),
                                   dir.file("b.hdf"),
                                   std::filesystem::copy_options::overwrite_existing);
        std::filesystem::resize_file(dir.file("b.hdf"), kept);
        const Error error = error_of([&] { load_qmap(dir.file("b.hdf")); });
        EXPECT_EQ(error.code(), ExitCode::data) << kept;
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
}

TEST(QMap, SavingNeverHurtsWhatIsThere) {
    TempDir dir;
    save_qmap(small_qmap(), dir.file("a.hdf"), false);
    QMap other = small_qmap();
    other.energy_keV = 7;
    EXPECT_EQ(error_of([&] { save_qmap(other, dir.file("a.hdf"), false); }).code(),
              ExitCode::cannot_create);
    EXPECT_EQ(load_qmap(dir.file("a.hdf")).energy_keV, 10.9);
    save_qmap(other, dir.file("a.hdf"), true);
    EXPECT_EQ(load_qmap(dir.file("a.hdf")).energy_keV, 7);
    EXPECT_EQ(error_of([&] { save_qmap(other, dir.file("none/a.hdf"), false); }).code(),
              ExitCode::cannot_create);
    int n_files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path())) {
        ++n_files;
    }
    EXPECT_EQ(n_files, 1);
}

TEST(QMap, TransposeTwiceIsNothing) {
    QMap qmap = small_qmap();
    qmap.mask[1] = 0;  // row 0, column 1
    const QMap before = qmap;
    transpose(qmap);
    EXPECT_EQ(qmap.rows, 6);
    EXPECT_EQ(qmap.cols, 4);
    EXPECT_EQ(qmap.mask[4], 0);  // row 1, column 0
    EXPECT_TRUE(qmap.shape_transposed);
    transpose(qmap);
    EXPECT_EQ(qmap.mask, before.mask);
    EXPECT_EQ(qmap.static_roi_map, before.static_roi_map);
    EXPECT_FALSE(qmap.shape_transposed);
}

}  // namespace
}  // namespace xpcs
