// SPDX-License-Identifier: BSD-3-Clause
// --mask-hot: hot pixels leave everything, and the q-map of the result says so.
#include "host/qmap.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "analysis_fixture.hpp"

namespace xpcs::testing {
namespace {

class MaskHot : public ::testing::Test {
  protected:
    MaskHot() {
        std::erase_if(events,
                      [](const Event& e) { return std::get<1>(e) == 700 || std::get<1>(e) == 5; });
        for (std::int64_t t = 0; t < 400; ++t) {
            events.emplace_back(t, 700, 9);
            events.emplace_back(t, 5, 1 + static_cast<std::uint32_t>(t % 7));
        }
        std::sort(events.begin(), events.end());
        small.write_events(events);
    }
    /// The same run with a q-map that never had the hot pixels.
    std::map<std::string, std::vector<double>> without() {
        SmallRun clean;
        clean.write_events(events);
        for (const std::size_t p : {5, 700})
            clean.qmap.mask[p] = clean.qmap.dynamic_roi_map[p] = clean.qmap.static_roi_map[p] = 0;
        clean.write_qmap();
        std::map<std::string, std::vector<double>> found;
        for (const char* nf : {"0", "1"}) {
            clean.expect_done({}, {"-nf", nf, "-t", "Both"});
            for (const char* path : paths)
                found[std::string(nf) + path] = clean.read(path);
        }
        return found;
    }
    static constexpr const char* paths[] = {g2_path,
                                            g2_err_path,
                                            image_path,
                                            intensity_path,
                                            "/xpcs/temporal_mean/scattering_1d",
                                            "/xpcs/multitau/n_pixels",
                                            "/xpcs/twotime/normalized_g2"};

    SmallRun small;
    std::vector<Event> events = poisson_events(400, 2048, 0.05, 7);
};

TEST_F(MaskHot, GivesWhatAQmapWithoutThesePixelsGives) {
    const auto expected = without();
    for (const char* nf : {"0", "1"}) {
        const Outcome outcome =
            small.expect_done({"2 hot pixels masked"}, {"--mask-hot", "-nf", nf, "-t", "Both"});
        EXPECT_EQ(outcome.lines_with("of the counts in dynamic bin").size(), 0U) << outcome.err;
        for (const char* path : paths) {
            SCOPED_TRACE(path);
            // g2_err adds pixels up in tiles that begin elsewhere.
            expect_close(small.read(path), expected.at(std::string(nf) + path), 1e-6);
        }
    }
}

TEST_F(MaskHot, TheQmapOfTheResultLacksThemAndHasItsOwnHash) {
    small.expect_done({}, {"--mask-hot"});
    const h5::File file = h5::open_file(small.result());
    const auto mask = h5::read<double>(file.id(), "/xpcs/qmap/mask");
    const auto labels = h5::read<double>(file.id(), "/xpcs/qmap/dynamic_roi_map");
    for (std::size_t p = 0; p < mask.size(); ++p) {
        const bool hot = p == 5 || p == 700;
        EXPECT_EQ(mask[p], hot ? 0 : 1) << p;
        EXPECT_EQ(labels[p] == 0, hot) << p;
    }
    const h5::Group group = h5::open_group(file.id(), "/xpcs/qmap");
    const std::string stored = h5::read_string_attribute(group.id(), "hash").value_or("");
    QMap altered = load_qmap(small.qmap_file);
    EXPECT_NE(stored, qmap_hash(altered));
    for (const std::size_t p : {5, 700})
        altered.mask[p] = altered.dynamic_roi_map[p] = altered.static_roi_map[p] = 0;
    EXPECT_EQ(stored, qmap_hash(altered));
}

TEST_F(MaskHot, WithoutItTheyAreReportedAndKept) {
    const Outcome outcome = small.expect_done({"warning", "2 hot pixels", "--mask-hot"});
    EXPECT_GT(small.read(image_path)[700], 8.9);
    const auto table = small.read("/xpcs/provenance/hot_pixels");
    ASSERT_EQ(table.size(), 10U);
    EXPECT_EQ(table[0], 0);
    EXPECT_EQ(table[1], 5);
    EXPECT_EQ(table[5], 10);
    EXPECT_EQ(table[6], 60);
    EXPECT_EQ(outcome.lines_with("of the counts in dynamic bin").size(), 1U) << outcome.err;
}

TEST_F(MaskHot, OnlyTheFramesThatAreUsedSayWhatIsHot) {
    // Hot in even frames of the first half.
    for (std::int64_t t = 0; t < 200; t += 2)
        events.emplace_back(t, 1000, 9);
    std::sort(events.begin(), events.end());
    small.write_events(events);
    small.expect_done({"3 hot pixels masked"}, {"--mask-hot"});
    small.expect_done({"2 hot pixels masked"}, {"--mask-hot", "-b", "-200"});
    small.expect_done({"2 hot pixels masked"}, {"--mask-hot", "-b", "1", "-f", "2"});
}

TEST_F(MaskHot, SeveralPassesGiveTheSame) {
    small.expect_done({}, {"--mask-hot", "-nf", "1"});
    const auto whole = numeric_datasets(small.result());
    double too_little = 0, enough = 2;
    for (int i = 0; i < 16; ++i) {
        const double gib = 0.5 * (too_little + enough);
        const Outcome plan = small.correlate(
            {"--mask-hot", "-nf", "1", "--memory", std::to_string(gib), "--dry-run"});
        (plan.exit_code == 0 ? enough : too_little) = gib;
    }
    small.expect_done({"passes"},
                      {"--mask-hot", "-nf", "1", "--memory", std::to_string(enough + 1e-5)});
    EXPECT_TRUE(numeric_datasets(small.result()) == whole);
}

}  // namespace
}  // namespace xpcs::testing
