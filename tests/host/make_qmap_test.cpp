// SPDX-License-Identifier: BSD-3-Clause
#include "host/make_qmap.hpp"

#include "host/h5.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/temp_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <numbers>
#include <numeric>

namespace xpcs {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempDir;

MakeQmapOptions usual() {
    MakeQmapOptions options;
    options.rows = 60;
    options.cols = 80;
    options.pixel_size_m = 76e-6;
    options.energy_keV = 10.9;
    options.distance_m = 5;
    options.beam_center_x_px = 10.25;
    options.beam_center_y_px = 30.5;
    options.static_q_bins = 20;
    options.dynamic_q_bins = 5;
    return options;
}

double q_of(const MakeQmapOptions& o, std::int64_t row, std::int64_t col) {
    const double r = std::hypot(static_cast<double>(row) - o.beam_center_y_px,
                                static_cast<double>(col) - o.beam_center_x_px) *
                     o.pixel_size_m;
    const double wavelength = 12.39841984 / o.energy_keV;
    return 4 * std::numbers::pi / wavelength * std::sin(std::atan(r / o.distance_m) / 2);
}

std::size_t at(const QMap& qmap, std::int64_t row, std::int64_t col) {
    return static_cast<std::size_t>(row * qmap.cols + col);
}

/// mask > 0 <=> dynamic > 0 <=> static > 0, labels without holes, and nothing straddles.
void expect_consistent(const QMap& qmap) {
    std::vector<bool> seen_d(qmap.n_dynamic() + 1), seen_s(qmap.n_static() + 1);
    for (std::size_t p = 0; p < qmap.mask.size(); ++p) {
        ASSERT_EQ(qmap.mask[p] != 0, qmap.dynamic_roi_map[p] != 0) << p;
        ASSERT_EQ(qmap.mask[p] != 0, qmap.static_roi_map[p] != 0) << p;
        seen_d.at(qmap.dynamic_roi_map[p]) = true;
        seen_s.at(qmap.static_roi_map[p]) = true;
    }
    EXPECT_EQ(std::count(seen_d.begin() + 1, seen_d.end(), false), 0);
    EXPECT_EQ(std::count(seen_s.begin() + 1, seen_s.end(), false), 0);
    EXPECT_NO_THROW(partition_of(qmap, {}, false));
}

TEST(MakeQmap, EveryPixelLiesInTheBinOfItsQ) {
    const MakeQmapOptions options = usual();
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    const auto& centres = qmap.static_v_list[0];
    const double width = centres[1] - centres[0];
    for (std::int64_t row = 0; row < qmap.rows; ++row) {
        for (std::int64_t col = 0; col < qmap.cols; ++col) {
            const std::uint32_t label = qmap.static_roi_map[at(qmap, row, col)];
            ASSERT_NEAR(qmap.static_centre(label, 0), q_of(options, row, col), width / 2 + 2e-12);
        }
    }
}

TEST(MakeQmap, EdgesSpanTheKeptPixels) {
    MakeQmapOptions options = usual();
    options.circles.push_back({30.5, 10.25, 12, false});  // the beam stop
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    double low = 1, high = 0;
    for (std::int64_t row = 0; row < qmap.rows; ++row) {
        for (std::int64_t col = 0; col < qmap.cols; ++col) {
            if (qmap.mask[at(qmap, row, col)] == 0) continue;
            low = std::min(low, q_of(options, row, col));
            high = std::max(high, q_of(options, row, col));
        }
    }
    const double width = (high - low) / 20;
    EXPECT_NEAR(qmap.static_v_list[0].front(), low + width / 2, 1e-12);
    EXPECT_NEAR(qmap.static_v_list[0].back(), high - width / 2, 1e-12);
    EXPECT_NEAR(qmap.dynamic_v_list[0].front(), low + 2 * width, 1e-12);
    EXPECT_EQ(qmap.mask[at(qmap, 30, 10)], 0);
    EXPECT_EQ(qmap.blemish[at(qmap, 30, 10)], 1);
}

TEST(MakeQmap, ReferenceMapsAreMadeAgainExactly) {
    for (const char* name : {"S-3m", "S-hdf", "S-imm", "S-immdense", "S-phi", "rigaku-250"}) {
        const std::string path =
            testing::reference_file(std::string(name) + "/" + name + "_qmap.hdf");
        if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
        const QMap known = load_qmap(path);
        MakeQmapOptions options;
        options.rows = known.rows;
        options.cols = known.cols;
        options.pixel_size_m = known.pixel_size_m;
        options.energy_keV = known.energy_keV;
        options.distance_m = known.detector_distance_m;
        options.beam_center_x_px = known.beam_center_x;
        options.beam_center_y_px = known.beam_center_y;
        options.mask_file = path;
        options.static_q_bins = known.static_num_pts[0];
        options.static_phi_bins = known.static_num_pts[1];
        options.dynamic_q_bins = known.dynamic_num_pts[0];
        options.dynamic_phi_bins = known.dynamic_num_pts[1];
        const QMap made = make_qmap(options);
        EXPECT_EQ(made.dynamic_roi_map, known.dynamic_roi_map) << name;
        EXPECT_EQ(made.static_roi_map, known.static_roi_map) << name;
        EXPECT_EQ(made.dynamic_index_mapping, known.dynamic_index_mapping) << name;
        EXPECT_EQ(made.static_index_mapping, known.static_index_mapping) << name;
        for (std::size_t k = 0; k < known.static_v_list[0].size(); ++k) {
            EXPECT_NEAR(made.static_v_list[0][k] / known.static_v_list[0][k], 1, 1e-11) << name;
        }
    }
}

TEST(MakeQmap, LogarithmicBinsHaveEqualRatios) {
    MakeQmapOptions options = usual();
    options.logarithmic_q = true;
    options.beam_center_x_px = 10;  // q = 0 at one pixel
    options.beam_center_y_px = 30;
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    const auto& centres = qmap.static_v_list[0];
    for (std::size_t k = 2; k < centres.size(); ++k) {
        EXPECT_NEAR(centres[k] / centres[k - 1], centres[1] / centres[0], 1e-9);
    }
    EXPECT_EQ(qmap.static_roi_map[at(qmap, 30, 10)], 1U);  // left over: bin 1
}

TEST(MakeQmap, AzimuthRunsAgainstTheRows) {
    MakeQmapOptions options = usual();
    options.beam_center_x_px = 40;
    options.static_q_bins = options.dynamic_q_bins = 1;
    options.static_phi_bins = options.dynamic_phi_bins = 4;
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    const auto phi_at = [&](std::int64_t row, std::int64_t col) {
        return qmap.dynamic_centre(qmap.dynamic_roi_map[at(qmap, row, col)], 1);
    };
    EXPECT_NEAR(phi_at(5, 60), 45, 2);  // above the beam, to the right
    EXPECT_NEAR(phi_at(5, 20), 135, 2);
    EXPECT_NEAR(phi_at(55, 20), -135, 2);
    EXPECT_NEAR(phi_at(55, 60), -45, 2);
}

TEST(MakeQmap, OffsetTurnsAndFoldMergesTheAzimuth) {
    MakeQmapOptions options = usual();
    options.beam_center_x_px = 40;
    options.static_q_bins = options.dynamic_q_bins = 1;
    options.static_phi_bins = options.dynamic_phi_bins = 4;
    options.phi_offset_deg = 90;
    const QMap turned = make_qmap(options);
    EXPECT_NEAR(turned.dynamic_centre(turned.dynamic_roi_map[at(turned, 5, 60)], 1), 135, 2);
    options.phi_offset_deg = 0;
    options.symmetry_fold = 2;
    const QMap folded = make_qmap(options);
    expect_consistent(folded);
    EXPECT_EQ(folded.dynamic_roi_map[at(folded, 5, 60)],
              folded.dynamic_roi_map[at(folded, 56, 20)]);
    EXPECT_GT(folded.dynamic_v_list[1].front(), 0);
    EXPECT_LT(folded.dynamic_v_list[1].back(), 180);
}

TEST(MakeQmap, EmptyNaturalBinsAreLeftOutAndMapped) {
    MakeQmapOptions options = usual();
    options.beam_center_x_px = options.beam_center_y_px = -3;
    options.static_phi_bins = options.dynamic_phi_bins = 12;
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    EXPECT_LT(qmap.n_static(), 240U);
    EXPECT_TRUE(std::is_sorted(qmap.static_index_mapping.begin(), qmap.static_index_mapping.end()));
    EXPECT_LT(qmap.static_index_mapping.back(), 240);
}

TEST(MakeQmap, StaticRefinesDynamicForManyNumbers) {
    for (const std::int64_t dynamic : {1, 3, 7, 36}) {
        for (const std::int64_t factor : {1, 2, 3, 10}) {
            for (const bool logarithmic : {false, true}) {
                MakeQmapOptions options = usual();
                options.dynamic_q_bins = dynamic;
                options.static_q_bins = dynamic * factor;
                options.dynamic_phi_bins = 3;
                options.static_phi_bins = 3 * factor;
                options.logarithmic_q = logarithmic;
                expect_consistent(make_qmap(options));
            }
        }
    }
}

TEST(MakeQmap, StraddlingOnlyOnRequest) {
    MakeQmapOptions options = usual();
    options.static_q_bins = 9;
    options.dynamic_q_bins = 4;
    const Error error = error_of([&] { make_qmap(options); });
    EXPECT_EQ(error.code(), ExitCode::config);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("9"), HasSubstr("multiple"), HasSubstr("4")));
    options.allow_straddling = true;
    const QMap qmap = make_qmap(options);
    EXPECT_EQ(error_of([&] { partition_of(qmap, {}, false); }).code(), ExitCode::data);
    EXPECT_GT(partition_of(qmap, {}, true).report.split_static_bins, 0);
}

TEST(MakeQmap, RegionsDropAndKeep) {
    MakeQmapOptions options = usual();
    options.rectangles.push_back({-5, 70, 100, 90, false});  // reaches over the edge
    options.rectangles.push_back({0, 0, 40, 80, true});
    options.circles.push_back({50, 40, 3, true});
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    EXPECT_EQ(std::accumulate(qmap.mask.begin(), qmap.mask.end(), 0), 40 * 70 + 29);
    EXPECT_EQ(qmap.mask[at(qmap, 50, 43)], 1);
    EXPECT_EQ(qmap.mask[at(qmap, 50, 44)], 0);
}

TEST(MakeQmap, RangeOfQ) {
    MakeQmapOptions options = usual();
    options.q_min_inv_angstrom = 0.001;
    options.q_max_inv_angstrom = 0.004;
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    for (std::int64_t col = 0; col < qmap.cols; ++col) {
        const double q = q_of(options, 7, col);
        EXPECT_EQ(qmap.mask[at(qmap, 7, col)] != 0, q >= 0.001 && q <= 0.004) << col;
    }
    options.q_min_inv_angstrom = 3;
    options.q_max_inv_angstrom = 4;
    EXPECT_EQ(error_of([&] { make_qmap(options); }).code(), ExitCode::config);
}

TEST(MakeQmap, Rigaku3mKnowsItsGaps) {
    MakeQmapOptions options = usual();
    options.detector = "rigaku3m";
    options.rows = options.cols = 0;
    options.pixel_size_m = 0;
    options.static_q_bins = 360;
    options.dynamic_q_bins = 36;
    const QMap qmap = make_qmap(options);
    EXPECT_EQ(qmap.rows, 1676);
    EXPECT_EQ(qmap.cols, 2100);
    EXPECT_EQ(qmap.pixel_size_m, 76e-6);
    EXPECT_EQ(std::accumulate(qmap.mask.begin(), qmap.mask.end(), 0), 6 * 512 * 1024);
    for (const std::int64_t row : {511, 582, 1093, 1164})
        EXPECT_EQ(qmap.mask[at(qmap, row, 0)], 1);
    for (const std::int64_t row : {512, 581, 1094, 1163})
        EXPECT_EQ(qmap.mask[at(qmap, row, 0)], 0);
    for (const std::int64_t col : {1023, 1076})
        EXPECT_EQ(qmap.mask[at(qmap, 0, col)], 1);
    for (const std::int64_t col : {1024, 1075})
        EXPECT_EQ(qmap.mask[at(qmap, 0, col)], 0);
}

TEST(MakeQmap, OtherPresets) {
    MakeQmapOptions options = usual();
    options.detector = "rigaku500k";
    options.rows = options.cols = 0;
    const MakeQmapOptions rigaku = validate(options);
    EXPECT_EQ(rigaku.rows, 512);
    EXPECT_EQ(rigaku.cols, 1024);
    options.detector = "eiger4m";
    options.pixel_size_m = 0;
    const MakeQmapOptions eiger = validate(options);
    EXPECT_EQ(eiger.rows, 2167);
    EXPECT_EQ(eiger.cols, 2070);
    EXPECT_EQ(eiger.pixel_size_m, 75e-6);
    const auto gap = detector_gap("eiger4m");
    EXPECT_EQ(static_cast<std::int64_t>(std::count(gap.begin(), gap.end(), 0)), 8 * 514 * 1030);
    EXPECT_THAT(detector_gap("rigaku500k"), IsEmpty());
    EXPECT_THAT(error_of([] { detector_gap("eigar4m"); }).what(), HasSubstr("'eiger4m'?"));
}

TEST(MakeQmap, MaskFromAFile) {
    TempDir dir;
    std::vector<float> mask(60 * 80, 1.0F);
    mask[5] = 0;
    mask[6] = std::nanf("");
    {
        const h5::File file = h5::create_file(dir.file("m.h5"));
        h5::write(file.id(), "/a/mask", mask, {60, 80});
        h5::write(file.id(), "/a/other", mask, {80, 60});
    }
    MakeQmapOptions options = usual();
    std::tie(options.mask_file, options.mask_dataset) =
        split_mask_argument(dir.file("m.h5") + ":/a/mask");
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    EXPECT_EQ(std::accumulate(qmap.mask.begin(), qmap.mask.end(), 0), 60 * 80 - 2);
    options.mask_dataset = "/a/other";
    EXPECT_THAT(error_of([&] { make_qmap(options); }).what(), HasSubstr("(80, 60)"));
    options.mask_dataset = "/a/none";
    EXPECT_EQ(error_of([&] { make_qmap(options); }).code(), ExitCode::data);
    options.mask_file = dir.file("none.h5");
    EXPECT_EQ(error_of([&] { make_qmap(options); }).code(), ExitCode::no_input);
    EXPECT_EQ(split_mask_argument("a.h5").second, "/qmap/mask");
}

TEST(MakeQmap, SavesAndLoadsWithItsHash) {
    TempDir dir;
    const QMap made = make_qmap(usual());
    save_qmap(made, dir.file("q.hdf"), false);
    const QMap loaded = load_qmap(dir.file("q.hdf"));
    EXPECT_THAT(loaded.warnings, IsEmpty());
    EXPECT_EQ(loaded.hash, made.hash);
    EXPECT_EQ(loaded.static_roi_map, made.static_roi_map);
}

TEST(MakeQmap, EveryOptionHasARange) {
    const std::vector<std::function<void(MakeQmapOptions&)>> wrong = {
        [](auto& o) { o.rows = 0; },
        [](auto& o) { o.cols = -1; },
        [](auto& o) { o.rows = o.cols = 65536; },
        [](auto& o) { o.pixel_size_m = 76; },
        [](auto& o) { o.energy_keV = 0; },
        [](auto& o) { o.energy_keV = std::nan(""); },
        [](auto& o) { o.distance_m = -5; },
        [](auto& o) { o.beam_center_x_px = HUGE_VAL; },
        [](auto& o) { o.beam_center_y_px = std::nan(""); },
        [](auto& o) { o.static_q_bins = 0; },
        [](auto& o) { o.dynamic_q_bins = 0; },
        [](auto& o) { o.static_phi_bins = 2'000'000; },
        [](auto& o) { o.static_q_bins = o.static_phi_bins = 10'000; },
        [](auto& o) { o.dynamic_phi_bins = 2; },
        [](auto& o) { o.q_min_inv_angstrom = -1; },
        [](auto& o) { o.q_max_inv_angstrom = 0; },
        [](auto& o) { o.q_max_inv_angstrom = std::nan(""); },
        [](auto& o) { o.phi_offset_deg = 400; },
        [](auto& o) { o.symmetry_fold = 0; },
        [](auto& o) {
            o.rectangles.push_back({5, 5, 5, 9, false});
        },
        [](auto& o) {
            o.circles.push_back({5, 5, -1, false});
        },
        [](auto& o) { o.detector = "pilatus"; },
    };
    for (std::size_t i = 0; i < wrong.size(); ++i) {
        MakeQmapOptions options = usual();
        wrong[i](options);
        EXPECT_EQ(error_of([&] { validate(options); }).code(), ExitCode::config) << i;
    }
    EXPECT_NO_THROW(validate(usual()));
}

TEST(MakeQmap, OnePixel) {
    MakeQmapOptions options = usual();
    options.rows = options.cols = 1;
    const QMap qmap = make_qmap(options);
    expect_consistent(qmap);
    EXPECT_EQ(qmap.n_static(), 1U);
}

}  // namespace
}  // namespace xpcs
