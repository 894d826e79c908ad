// SPDX-License-Identifier: BSD-3-Clause
// Every instruction set that this machine has gives what the best one gives.
#include "kernels/multitau.hpp"
#include "kernels/twotime.hpp"
#include "kernels/word_lines.hpp"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <mutex>
#include <string>
#include <vector>

#include "series_fixture.hpp"
#include "twins.hpp"

namespace xpcs::test {
namespace {

/// The program uses this instruction set alone for as long as the object lives.
class Only {
  public:
    explicit Only(std::int64_t target) { use(target); }
    ~Only() { use(0); }
    Only(const Only&) = delete;
    Only& operator=(const Only&) = delete;

  private:
    static void use(std::int64_t targets) {
        hwy::SetSupportedTargetsForTest(targets);
        hwy::GetChosenTarget().DeInit();  // chosen anew at the next call
    }
};

/// Calls visit(name) once for each instruction set that this file was compiled to know.
template <class Visit>
void each_instruction_set(const Visit& visit) {
    std::int64_t left = hwy::SupportedTargets() & HWY_TARGETS;
    ASSERT_NE(left, 0);
    for (; left != 0; left &= left - 1) {
        const std::int64_t target = left & -left;
        const Only only(target);
        visit(std::string(hwy::TargetName(target)));
    }
}

FrameWeights slow_weights(std::int64_t n_frames) {
    FrameWeights weights;
    for (std::int64_t t = 0; t < n_frames; ++t)
        weights.weight.push_back(0.8 + 1e-4 * static_cast<double>(t % 3001));
    return weights;
}

/// Some pixels with few events, some with many, one that fires in nearly every frame.
reference::Run mixed_run(std::int64_t n_frames) {
    reference::Run run = poisson_run(n_frames, 700, 0.01, 31, 50);
    std::mt19937_64 random(32);
    std::poisson_distribution<int> counts(2.5);
    for (std::int64_t t = 0; t < n_frames; ++t) {
        at(run, t, 3) = counts(random);
        at(run, t, 600) = 200 + static_cast<double>(random() % 100);
        at(run, t, 601) = static_cast<double>(random() % 60000);
    }
    return run;
}

TEST(InstructionSets, MultitauOfEvents) {
    const reference::Run run = mixed_run(3000);
    const Partition partition = partition_of(run);
    const FrameWeights weights = slow_weights(run.n_frames);
    for (const FrameWeights* w : {static_cast<const FrameWeights*>(nullptr), &weights}) {
        MultitauRequest request = request_for(run.n_frames);
        request.weights = w;
        const auto correlate = [&] {
            return cpu::multitau(sparse_series(run, partition, {}, 4099), request);
        };
        const MultitauSums best = correlate();
        each_instruction_set([&](const std::string& name) {
            expect_equal_sums(best, correlate(), name + (w != nullptr ? ", weights" : ""));
        });
    }
}

std::vector<std::uint64_t> words_of(const reference::Run& run) {
    std::vector<std::uint64_t> words;
    for (std::int64_t t = 0; t < run.n_frames; ++t) {
        for (std::int64_t p = 0; p < run.n_pixels; ++p) {
            const double count = run.at(t, p);
            if (count == 0) continue;
            words.push_back(rigaku::make_word(
                t, static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(count)));
        }
    }
    return words;
}

TEST(InstructionSets, WordsOfAFile) {
    const reference::Run run = poisson_run(500, 1300, 0.4, 33, 50);
    const Partition partition = partition_of(run);
    const std::vector<std::uint64_t> words = words_of(run);
    WordBlock block;
    block.map.n_pixels = static_cast<std::uint32_t>(run.n_pixels);
    const auto sorted = [&] {
        SeriesPiece piece;
        WordCounts counts;
        PieceScratch scratch;
        EXPECT_TRUE(
            make_piece(words.data(), words.size(), block, partition, {}, scratch, piece, counts));
        EXPECT_GT(counts.at_maximum_3, 0);
        return piece;
    };
    const PixelSeries expected = sparse_series(run, partition, {}, words.size());
    const SeriesPiece& best = expected.pieces().front();
    each_instruction_set([&](const std::string& name) {
        const SeriesPiece piece = sorted();
        EXPECT_EQ(piece.narrow, best.narrow) << name;
        EXPECT_EQ(piece.tile_begin, best.tile_begin) << name;
        EXPECT_EQ(piece.counts.events, best.counts.events) << name;
        EXPECT_EQ(piece.counts.photons, best.counts.photons) << name;
    });
}

TEST(InstructionSets, WordsOfBrightFrames) {
    const reference::Run run = poisson_run(900, 1300, 0.4, 35, 50);
    const Partition partition = partition_of(run);
    const std::vector<std::uint64_t> words = words_of(run);
    const auto lines = [&] {
        PieceScratch scratch;
        SeriesPiece piece;
        WordCounts counts;
        WordLines made({0, static_cast<std::uint32_t>(run.n_pixels), 0, 0}, partition, {}, scratch);
        made.begin(0, run.n_frames - 1);
        EXPECT_EQ(made.add(words), WordLines::Fate::taken);
        EXPECT_EQ(made.finish(piece, counts), WordLines::Fate::taken);
        EXPECT_GT(counts.at_maximum_3, 0);
        EXPECT_EQ(piece.counts.events, static_cast<std::int64_t>(words.size()));
        return piece;
    };
    const SeriesPiece best = lines();
    each_instruction_set([&](const std::string& name) {
        const SeriesPiece piece = lines();
        EXPECT_TRUE(piece.lines == best.lines) << name;
        EXPECT_EQ(piece.frame_photons, best.frame_photons) << name;
        EXPECT_EQ(piece.counts.photons, best.counts.photons) << name;
    });
}

TEST(InstructionSets, MultitauOfRows) {
    const reference::Run run = mixed_run(701);
    const Partition partition = partition_of(run);
    const FrameWeights weights = slow_weights(run.n_frames);
    for (const FrameWeights* w : {static_cast<const FrameWeights*>(nullptr), &weights}) {
        MultitauRequest request = request_for(run.n_frames);
        request.weights = w;
        const auto narrow = [&] {
            return cpu::multitau(dense_series<std::uint16_t>(run, partition, false), request);
        };
        const auto wide = [&] {
            return cpu::multitau(dense_series<std::uint32_t>(run, partition, false), request);
        };
        const MultitauSums best = narrow();
        each_instruction_set([&](const std::string& name) {
            expect_equal_sums(best, narrow(), name + ", 16 bits");
            expect_equal_sums(best, wide(), name + ", 32 bits");
        });
    }
}

TEST(InstructionSets, MultitauOfFramesOfBytes) {
    for (const double mean : {0.4, 9.0}) {  // lines of half bytes, and of bytes
        const reference::Run run = poisson_run(701, 1300, mean, 36, 50);
        const Partition partition = partition_of(run);
        const auto correlate = [&] {
            const PixelSeries series = dense_series<std::uint8_t>(run, partition, false);
            EXPECT_EQ(series.pieces().front().sample_bits, mean < 1 ? 4 : 8);
            return cpu::multitau(series, request_for(run.n_frames));
        };
        const MultitauSums best = correlate();
        each_instruction_set([&](const std::string& name) {
            expect_equal_sums(best, correlate(), name + ", mean " + std::to_string(mean));
        });
    }
}

TEST(InstructionSets, TwotimeMaps) {
    const reference::Run run = mixed_run(400);
    const Partition partition = partition_of(run);
    for (const TwotimeEngine engine : {TwotimeEngine::sparse, TwotimeEngine::dense}) {
        const auto diagonals = [&] {
            TwotimeRequest request;
            request.frames.n_frames = run.n_frames;
            request.engine = engine;
            return cpu::twotime(sparse_series(run, partition), 6, request).g2;
        };
        const std::vector<double> best = diagonals();
        each_instruction_set([&](const std::string& name) {
            const std::vector<double> found = diagonals();
            ASSERT_EQ(found.size(), best.size());
            for (std::size_t k = 0; k < best.size(); ++k)
                ASSERT_NEAR(found[k], best[k], 1e-6 * best[k]) << name << ", diagonal " << k;
        });
    }
}

}  // namespace
}  // namespace xpcs::test
