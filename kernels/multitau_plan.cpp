// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/multitau_plan.hpp"

#include <algorithm>
#include <cstddef>

namespace xpcs {

namespace {

/// [level][block] frames that take part.
std::vector<std::vector<std::uint32_t>> frames_taken(const LagLadder& ladder,
                                                     const double* weight) {
    std::vector<std::vector<std::uint32_t>> taken(static_cast<std::size_t>(ladder.n_levels));
    for (int level = 0; level < ladder.n_levels; ++level) {
        auto& blocks = taken[static_cast<std::size_t>(level)];
        blocks.resize(static_cast<std::size_t>(ladder.n_blocks(level)));
        for (std::size_t j = 0; j < blocks.size(); ++j) {
            blocks[j] = level == 0 ? weight[j] > 0
                                   : taken[static_cast<std::size_t>(level) - 1][2 * j] +
                                         taken[static_cast<std::size_t>(level) - 1][2 * j + 1];
        }
    }
    return taken;
}

Stretch make_stretch(std::int64_t begin, std::int64_t end, const FrameWeights* weights) {
    Stretch stretch;
    stretch.ladder = make_lag_ladder(end - begin);
    stretch.begin = begin;
    stretch.end = end;
    for (const Lag& lag : stretch.ladder.lags) {
        stretch.pairs.push_back(static_cast<double>(lag.n_pairs));
    }
    if (weights == nullptr || !weights->any_left_out) return stretch;
    stretch.taken = frames_taken(stretch.ladder, weights->weight.data() + begin);
    for (std::size_t i = 0; i < stretch.pairs.size(); ++i) {
        const Lag& lag = stretch.ladder.lags[i];
        const auto& blocks = stretch.taken[static_cast<std::size_t>(lag.level)];
        std::uint64_t sum = 0;
        for (std::int64_t j = 0; j < lag.n_pairs; ++j) {
            sum += std::uint64_t{blocks[static_cast<std::size_t>(j)]} *
                   blocks[static_cast<std::size_t>(j + lag.blocks)];
        }
        stretch.pairs[i] = static_cast<double>(sum) /
                           static_cast<double>(std::int64_t{1} << (2 * std::min(lag.level, 30)));
    }
    return stretch;
}

}  // namespace

std::vector<Stretch> make_stretches(const MultitauRequest& request,
                                    std::vector<std::int64_t>& partial_begin) {
    const std::int64_t n = request.frames.n_frames;
    std::vector<Stretch> stretches{make_stretch(0, n, request.weights)};
    for (int k = 0; k < request.n_partial; ++k) {
        const std::int64_t begin = request.partial_cumulative ? 0 : n * k / request.n_partial;
        const std::int64_t end = n * (k + 1) / request.n_partial;
        stretches.push_back(make_stretch(begin, end, request.weights));
        partial_begin.push_back(n * k / request.n_partial);
    }
    partial_begin.push_back(n);
    return stretches;
}

BinSums
empty_sums(const PixelSeries& series, const MultitauRequest& request, const Stretch& stretch) {
    const Partition& partition = series.partition();
    BinSums sums;
    sums.ladder = stretch.ladder;
    sums.n_static = partition.n_static;
    sums.n_dynamic = partition.n_dynamic;
    sums.weighted = request.weights != nullptr;
    sums.pairs = stretch.pairs;
    const std::size_t n_lags = stretch.pairs.size();
    sums.G2.assign(partition.n_static * n_lags, 0);
    sums.past = sums.G2;
    sums.future = sums.G2;
    sums.n_signal.assign(partition.n_dynamic * n_lags, 0);
    sums.n_pixels.assign(partition.n_static, 0);
    for (std::int64_t tile = series.first_tile(); tile < series.end_tile(); ++tile) {
        for (std::int64_t s = series.first_slot(tile); s < series.end_slot(tile); ++s) {
            const bool excluded = is_excluded(request, s);
            sums.n_pixels[partition.static_bin[static_cast<std::size_t>(s)]] += excluded ? 0 : 1;
        }
    }
    return sums;
}

bool maps_frames(const PixelSeries& series, const MultitauRequest& request) {
    return request.frames.stride != 1 || request.frames.average != 1 ||
           request.frames.begin != series.range().begin_frame ||
           (!series.dense() && series.last_frame() >= request.frames.end());
}

}  // namespace xpcs
