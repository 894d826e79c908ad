// SPDX-License-Identifier: BSD-3-Clause
#include "host/run_result.hpp"
#include "tests/host/raw_files.hpp"

#include <limits>

namespace xpcs {
namespace {

using testing::expect_error;

struct Example {
    std::int64_t begin, end, stride, average;
    std::vector<std::vector<std::int64_t>> frames;  ///< raw frames in each output frame
};

std::vector<std::vector<std::int64_t>> frames_of(const FrameSelection& selection) {
    std::vector<std::vector<std::int64_t>> out;
    for (std::int64_t k = 0; k < selection.n_frames; ++k) {
        std::vector<std::int64_t> frames;
        for (std::int64_t i = 0; i < selection.average; ++i) {
            frames.push_back(selection.begin + k * selection.stride * selection.average +
                             i * selection.stride);
        }
        out.push_back(frames);
    }
    return out;
}

std::vector<std::vector<std::int64_t>>
each(std::int64_t first, std::int64_t end, std::int64_t step = 1) {
    std::vector<std::vector<std::int64_t>> out;
    for (std::int64_t frame = first; frame < end; frame += step) {
        out.push_back({frame});
    }
    return out;
}

TEST(FrameSelection, WorkedExamplesOf20Frames) {
    const std::vector<Example> examples = {
        {0, -1, 1, 1, each(0, 20)},
        {0, -1, 3, 1, each(0, 18, 3)},
        {0, -1, 1, 3, {{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {9, 10, 11}, {12, 13, 14}, {15, 16, 17}}},
        {0, -1, 2, 3, {{0, 2, 4}, {6, 8, 10}, {12, 14, 16}}},
        {1, -1, 2, 3, {{1, 3, 5}, {7, 9, 11}, {13, 15, 17}}},
        {5, 10, 1, 1, each(5, 10)},
        {-5, -1, 1, 1, each(15, 20)},
        {-50, -1, 1, 1, each(0, 20)},
        {0, 0, 1, 1, each(0, 20)},
        {0, 100, 1, 1, each(0, 20)},
    };
    for (const Example& e : examples) {
        const auto got = select_frames(20, e.begin, e.end, e.stride, e.average);
        EXPECT_EQ(frames_of(got), e.frames) << e.begin << " " << e.end << " " << e.stride;
        EXPECT_EQ(got.n_frames_file, 20);
        EXPECT_EQ(got.raw_frames_used, got.n_frames * e.average);
    }
}

TEST(FrameSelection, BeginNotBeforeEnd) {
    for (const auto& [begin, end] :
         std::vector<std::pair<int, int>>{{25, -1}, {20, -1}, {10, 5}, {5, 5}, {-1, 10}}) {
        expect_error(ExitCode::config,
                     {"begin frame " + std::to_string(begin), "20 frames"},
                     [b = begin, e = end] { select_frames(20, b, e, 1, 1); });
    }
}

TEST(FrameSelection, EndBelowMinus1) {
    expect_error(ExitCode::config, {"end frame -3"}, [] { select_frames(20, 0, -3, 1, 1); });
}

TEST(FrameSelection, StrideTimesAverageAboveTheFrames) {
    expect_error(ExitCode::config, {"stride 2", "average 3", "5 frames"}, [] {
        select_frames(20, 0, 5, 2, 3);
    });
    const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    expect_error(ExitCode::config, {"stride"}, [=] { select_frames(20, 0, -1, huge, huge); });
    expect_error(ExitCode::config, {"stride 2"}, [=] { select_frames(20, 0, -1, 2, huge); });
}

TEST(FrameSelection, FewerThan2FramesLeft) {
    expect_error(
        ExitCode::config, {"1 frame", "at least 2"}, [] { select_frames(20, 19, -1, 1, 1); });
    expect_error(ExitCode::config, {"at least 2"}, [] { select_frames(20, 0, -1, 11, 1); });
    expect_error(ExitCode::config, {"at least 2"}, [] { select_frames(0, 0, -1, 1, 1); });
    EXPECT_EQ(select_frames(20, 18, -1, 1, 1).n_frames, 2);
}

TEST(FrameSelection, StrideAndAverageFrom1) {
    expect_error(ExitCode::config, {"stride 0"}, [] { select_frames(20, 0, -1, 0, 1); });
    expect_error(ExitCode::config, {"average -2"}, [] { select_frames(20, 0, -1, 1, -2); });
}

TEST(FrameSelection, ExtremeArguments) {
    const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
    const std::int64_t tiny = std::numeric_limits<std::int64_t>::min();
    EXPECT_EQ(select_frames(huge, tiny, huge, 1, 1).n_frames, huge);
    EXPECT_EQ(select_frames(100, -100, -1, 1, 1).begin, 0);
}

}  // namespace
}  // namespace xpcs
