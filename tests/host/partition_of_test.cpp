// SPDX-License-Identifier: BSD-3-Clause
// Which pixels of a q-map are used, and in which bins.
#include "host/qmap.hpp"
#include "tests/host/errors_of.hpp"
#include "tests/host/qmap_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace xpcs {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::small_qmap;

TEST(PartitionOf, KeepsMaskAndBothLabelsAndNoGap) {
    QMap qmap = small_qmap();
    qmap.mask[0] = 0;
    qmap.dynamic_roi_map[1] = 0;
    qmap.static_roi_map[2] = 0;
    std::vector<std::uint8_t> gap(24, 0);
    gap[3] = 1;
    gap[0] = 1;  // masked already: counted once
    const QMapPartition result = partition_of(qmap, gap, false);
    EXPECT_EQ(result.partition.n_kept(), 20);
    EXPECT_EQ(result.partition.pixel.front(), 4U);
    EXPECT_EQ(result.report.masked, 1);
    EXPECT_EQ(result.report.labelled_outside_mask, 1);
    EXPECT_EQ(result.report.no_dynamic, 1);
    EXPECT_EQ(result.report.no_static, 1);
    EXPECT_EQ(result.report.in_gap, 1);
    EXPECT_EQ(result.report.split_static_bins, 0);
    EXPECT_THAT(result.label_of_static, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(PartitionOf, TableEAllPixelsValidWorks) {
    EXPECT_EQ(partition_of(small_qmap(), {}, false).partition.n_kept(), 24);
}

TEST(PartitionOf, TableEAllPixelsMasked) {
    QMap qmap = small_qmap();
    qmap.mask.assign(24, 0);
    const Error error = error_of([&] { partition_of(qmap, {}, false); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(), AllOf(HasSubstr("no usable pixel"), HasSubstr("masked 24")));
    EXPECT_THAT(error_of([] {
                    partition_of(small_qmap(), std::vector<std::uint8_t>(24, 1), false);
                }).what(),
                HasSubstr("gaps 24"));
}

TEST(PartitionOf, TableEEmptyLabelsAreNamedAndKeepTheirColumn) {
    QMap qmap = small_qmap();
    for (int p = 0; p < 24; ++p) {
        if (qmap.dynamic_roi_map[p] == 2) qmap.mask[p] = 0;
    }
    const QMapPartition result = partition_of(qmap, {}, false);
    EXPECT_THAT(result.report.empty_dynamic, ElementsAre(2));
    EXPECT_THAT(result.report.empty_static, ElementsAre(3, 4));
    EXPECT_EQ(result.partition.n_dynamic, 3U);
    EXPECT_EQ(result.partition.dynamic_of_static[2], Partition::not_kept);
}

TEST(PartitionOf, TableEStraddlingStaticBin) {
    QMap qmap = small_qmap();
    qmap.static_roi_map[2] = 2;  // dynamic bin 2, static bin 2 belongs to dynamic bin 1
    qmap.static_roi_map[8] = 2;
    qmap.static_roi_map[10] = 2;  // dynamic bin 3
    const Error error = error_of([&] { partition_of(qmap, {}, false); });
    EXPECT_EQ(error.code(), ExitCode::data);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("static bin 2 lies in dynamic bins 1 and 2; one expected"),
                      HasSubstr("--split-static")));

    const QMapPartition split = partition_of(qmap, {}, true);
    EXPECT_EQ(split.report.split_static_bins, 2);
    EXPECT_THAT(split.label_of_static, ElementsAre(1, 2, 3, 4, 5, 6, 2, 2));
    EXPECT_EQ(split.partition.n_static, 8U);
    EXPECT_EQ(split.partition.static_bin[2], 6U);
    EXPECT_EQ(split.partition.static_bin[10], 7U);
    EXPECT_THAT(split.partition.dynamic_of_static, ElementsAre(0, 0, 1, 1, 2, 2, 1, 2));
}

TEST(PartitionOf, StraddlingOnlyOutsideTheMaskIsNone) {
    QMap qmap = small_qmap();
    qmap.static_roi_map[2] = 2;
    qmap.mask[2] = 0;
    EXPECT_EQ(partition_of(qmap, {}, false).report.split_static_bins, 0);
}

TEST(PartitionOf, GapOfAnotherDetector) {
    EXPECT_EQ(
        error_of([] { partition_of(small_qmap(), std::vector<std::uint8_t>(9, 0), false); }).code(),
        ExitCode::data);
}

TEST(PartitionOf, LabelsBeyondTheMappingAreRefused) {
    QMap qmap = small_qmap();
    qmap.static_roi_map[7] = 7;
    EXPECT_EQ(error_of([&] { partition_of(qmap, {}, false); }).code(), ExitCode::data);
}

}  // namespace
}  // namespace xpcs
