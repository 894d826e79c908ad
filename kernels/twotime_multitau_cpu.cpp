// SPDX-License-Identifier: BSD-3-Clause
// Level by level: spans of blocks in parallel, each span going through all pixels with a cursor, so
// that the sums of a span stay in the cache; then the events are merged two blocks into one.
#include "kernels/twotime_multitau.hpp"

#include "kernels/bin_events.hpp"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace xpcs {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t most_span_blocks = 2048;
constexpr std::int64_t fewest_span_blocks = 64;
constexpr std::size_t pixels_per_task = 256;

/// The events of a bin at the present level.
struct LevelEvents {
    std::int64_t span = most_span_blocks;   ///< blocks that are worked off together
    BinEvents events;                       ///< frame = block
    std::vector<std::uint64_t> end;         ///< [n_pixels] merging leaves gaps behind each pixel
    std::vector<std::uint64_t> sum;         ///< [n_blocks] photons
    std::vector<std::uint64_t> span_begin;  ///< [spans + 1][n_pixels]
};

template <class Work>
void for_pixels(std::size_t n, const Work& work) {
    oneapi::tbb::parallel_for(
        std::size_t{0}, (n + pixels_per_task - 1) / pixels_per_task, [&](std::size_t task) {
            const std::size_t last = std::min(n, (task + 1) * pixels_per_task);
            for (std::size_t p = task * pixels_per_task; p < last; ++p)
                work(p);
        });
}

std::size_t n_spans(const LevelEvents& at, std::int64_t n_blocks) {
    return static_cast<std::size_t>((n_blocks + at.span - 1) / at.span);
}

/// Short enough that every thread has some, and where each begins in each pixel.
void find_spans(LevelEvents& at, std::int64_t n_blocks) {
    const std::int64_t wanted = 4 * oneapi::tbb::this_task_arena::max_concurrency();
    at.span = std::clamp((n_blocks + wanted - 1) / wanted, fewest_span_blocks, most_span_blocks);
    const std::size_t n = at.events.slot.size();
    const std::size_t spans = n_spans(at, n_blocks);
    at.span_begin.resize((spans + 1) * n);
    for_pixels(n, [&](std::size_t p) {
        std::uint64_t i = at.events.begin[p];
        for (std::size_t s = 0; s <= spans; ++s) {
            const auto first = static_cast<std::int64_t>(s) * at.span;
            while (i < at.end[p] && std::int64_t{at.events.frame[i]} < first)
                ++i;
            at.span_begin[s * n + p] = i;
        }
    });
}

/// sums[channel][block of the span] of one span; events of blocks beyond n_blocks take no part.
void correlate_span(const LevelEvents& at,
                    const BandLevel& level,
                    std::size_t span,
                    std::vector<double>& sums) {
    const std::size_t n = at.events.slot.size();
    const auto low = static_cast<std::uint32_t>(level.channels.front());
    const auto high = static_cast<std::uint32_t>(level.channels.back());
    const auto length = static_cast<std::size_t>(at.span);
    sums.assign(level.channels.size() * length, 0.0);
    const std::uint32_t* block = at.events.frame.data();
    const std::uint32_t* count = at.events.count.data();
    const auto first = static_cast<std::uint32_t>(static_cast<std::int64_t>(span) * at.span);
    for (std::size_t p = 0; p < n; ++p) {
        for (std::uint64_t i = at.span_begin[span * n + p]; i < at.span_begin[(span + 1) * n + p];
             ++i) {
            double* out = sums.data() + (block[i] - first);
            for (std::uint64_t j = i + 1; j < at.end[p]; ++j) {
                const std::uint32_t apart = block[j] - block[i];
                if (apart > high) break;
                if (apart < low) continue;
                out[std::size_t{apart - low} * length] +=
                    static_cast<double>(count[i]) * static_cast<double>(count[j]);
            }
        }
    }
}

/// NaN where there is none.
void normalise_span(const LevelEvents& at,
                    const BandLevel& level,
                    std::size_t span,
                    const std::vector<double>& sums,
                    std::vector<float>& c2) {
    const auto n_pixels = static_cast<double>(at.events.slot.size());
    const auto first = static_cast<std::int64_t>(span) * at.span;
    const std::int64_t last = std::min(first + at.span, level.n_blocks);
    for (std::size_t k = 0; k < level.channels.size(); ++k) {
        const std::int64_t ch = level.channels[k];
        float* out = c2.data() + k * static_cast<std::size_t>(level.n_blocks);
        const double* products = sums.data() + k * static_cast<std::size_t>(at.span);
        for (std::int64_t j = first; j < last; ++j) {
            const bool inside = j + ch < level.n_blocks;
            const auto a = static_cast<double>(at.sum[static_cast<std::size_t>(j)]);
            const auto b =
                inside ? static_cast<double>(at.sum[static_cast<std::size_t>(j + ch)]) : 0.0;
            out[j] = a == 0 || b == 0 ? std::numeric_limits<float>::quiet_NaN()
                                      : static_cast<float>(n_pixels * products[j - first] / a / b);
        }
    }
}

/// Two blocks become one; a block without its partner is dropped.
void merge_blocks(LevelEvents& at, std::int64_t n_blocks) {
    const std::int64_t half = n_blocks / 2;
    for_pixels(at.events.slot.size(), [&](std::size_t p) {
        std::uint64_t out = at.events.begin[p];
        const std::uint64_t first = out;
        for (std::uint64_t i = first; i < at.end[p]; ++i) {
            const std::uint32_t block = at.events.frame[i] / 2;
            if (std::int64_t{block} >= half) break;
            const std::uint32_t count = at.events.count[i];
            if (out > first && at.events.frame[out - 1] == block) {
                at.events.count[out - 1] = add_counts(at.events.count[out - 1], count);
                continue;
            }
            at.events.frame[out] = block;
            at.events.count[out] = count;
            ++out;
        }
        at.end[p] = out;
    });
    for (std::int64_t j = 0; j < half; ++j) {
        at.sum[static_cast<std::size_t>(j)] =
            at.sum[static_cast<std::size_t>(2 * j)] + at.sum[static_cast<std::size_t>(2 * j + 1)];
    }
    at.sum.resize(static_cast<std::size_t>(half));
}

/// Every channel by a thread.
void add_means(const BandLevel& level, const std::vector<float>& c2, BandBin& out) {
    const std::size_t first = out.lag.size();
    for (const std::int32_t channel : level.channels)
        out.lag.push_back(std::int64_t{channel} << level.level);
    out.n_values.resize(out.lag.size());
    out.g2.resize(out.lag.size());
    out.g2_err.resize(out.lag.size());
    oneapi::tbb::parallel_for(std::size_t{0}, level.channels.size(), [&](std::size_t k) {
        const float* values = c2.data() + k * static_cast<std::size_t>(level.n_blocks);
        double sum = 0, square = 0;
        std::int64_t n = 0;
        for (std::int64_t j = 0; j < level.n_blocks; ++j) {
            if (std::isnan(values[j])) continue;
            sum += values[j];
            ++n;
        }
        const double mean = n > 0 ? sum / static_cast<double>(n) : nan;
        for (std::int64_t j = 0; j < level.n_blocks; ++j) {
            if (!std::isnan(values[j])) square += (values[j] - mean) * (values[j] - mean);
        }
        const auto count = static_cast<double>(n);
        out.n_values[first + k] = n;
        out.g2[first + k] = mean;
        out.g2_err[first + k] = n > 1 ? std::sqrt(square / (count - 1) / count) : nan;
    });
}

void run_level(const LevelEvents& at, const BandLevel& level, std::vector<float>& c2) {
    c2.resize(level.channels.size() * static_cast<std::size_t>(level.n_blocks));
    oneapi::tbb::enumerable_thread_specific<std::vector<double>> sums;
    oneapi::tbb::parallel_for(std::size_t{0}, n_spans(at, level.n_blocks), [&](std::size_t span) {
        correlate_span(at, level, span, sums.local());
        normalise_span(at, level, span, sums.local(), c2);
    });
}

}  // namespace

std::vector<BandLevel> band_levels(std::int64_t n_frames, int depth) {
    std::vector<BandLevel> levels;
    const std::int32_t high = (std::int32_t{1} << depth) - 1;
    for (int c = 0; (n_frames >> c) > 0; ++c) {
        BandLevel level{c, n_frames >> c, {}};
        const std::int32_t low = c == 0 ? 1 : std::int32_t{1} << (depth - 1);
        for (std::int32_t ch = low; ch <= high && ch < level.n_blocks; ++ch)
            level.channels.push_back(ch);
        if (level.channels.empty()) break;
        levels.push_back(std::move(level));
    }
    return levels;
}

namespace cpu {

BandBin
twotime_multitau(const PixelSeries& series, std::uint32_t dynamic_bin, const BandRequest& request) {
    BandBin out;
    LevelEvents at;
    at.events = gather_bin(series, request.frames, dynamic_bin, request.excluded, request.threads);
    at.sum = at.events.frame_photons(request.frames.n_frames);
    at.end.assign(at.events.begin.begin() + 1, at.events.begin.end());
    out.n_pixels = at.events.n_pixels();
    for (const std::uint64_t photons : at.sum)
        out.photons += static_cast<std::int64_t>(photons);

    oneapi::tbb::task_arena arena(request.threads > 0 ? request.threads
                                                      : oneapi::tbb::task_arena::automatic);
    const std::vector<BandLevel> levels = band_levels(request.frames.n_frames, request.depth);
    std::vector<float> c2;
    for (const BandLevel& level : levels) {
        arena.execute([&] {
            if (level.level > 0) merge_blocks(at, request.frames.n_frames >> (level.level - 1));
            find_spans(at, level.n_blocks);
            run_level(at, level, c2);
            add_means(level, c2, out);
        });
        if (request.level) request.level(level, c2);
        if (request.progress) {
            request.progress(1.0 - static_cast<double>(level.n_blocks) / 2 /
                                       static_cast<double>(request.frames.n_frames));
        }
    }
    return out;
}

}  // namespace cpu

double band_bytes(double events, std::int64_t n_frames, int depth, int threads) {
    const auto T = static_cast<double>(n_frames);
    const double channels = std::pow(2.0, depth);
    return 16 * events + (4 * channels + 16) * T +
           channels * static_cast<double>(most_span_blocks) * 8 * threads;
}

}  // namespace xpcs
