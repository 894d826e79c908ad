// SPDX-License-Identifier: BSD-3-Clause
// Squares of 256 x 256 frames: their sums (512 KiB) stay in the L2 cache while the events of two
// blocks of frames stream through.
#include "kernels/twotime.hpp"

#include "kernels/twotime_factors.hpp"
#include "kernels/twotime_tile.hpp"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <utility>

// The order of what follows matters: this file is read once per instruction set.
// clang-format off
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/twotime_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "kernels/twotime_tile-inl.hpp"
// clang-format on

#if HWY_ONCE

namespace xpcs {

HWY_EXPORT(twotime_tile);

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TwotimeJob make_job(BinEvents&& events,
                    const Partition& partition,
                    const TwotimeRequest& request,
                    TwotimeBin& about) {
    TwotimeJob job;
    job.blocks = make_blocks(events, partition, request, about);
    events = {};
    job.segment_frames = about.segment_frames;
    for (const double sum : job.blocks.sum) {
        job.inverse.push_back(sum > 0 ? 1 / sum : 0);
        job.inverse_or_nan.push_back(sum > 0 ? 1 / sum : nan);
    }
    return job;
}

/// Adds what a square holds of the diagonals k = 0 ... n - 1.
void fold(const double* of_tile,
          std::int64_t offset,
          std::int64_t side,
          double* sums,
          std::int64_t stride,
          std::int64_t n) {
    for (std::int64_t i = 0; i < 2 * side; ++i) {
        const std::int64_t k = offset + i - side;
        if (k >= 0 && k < n) sums[k * stride] += of_tile[i];
    }
}

using Square = std::pair<std::int64_t, std::int64_t>;

/// Squares of the upper triangle, row by row.
class Squares {
  public:
    explicit Squares(std::int64_t n_blocks) : n_(n_blocks) {}
    std::int64_t total() const { return n_ * (n_ + 1) / 2; }
    /// The next squares, at most `most`.
    std::vector<Square> take(std::size_t most) {
        std::vector<Square> out;
        for (; row_ < n_ && out.size() < most; ++col_) {
            if (col_ == n_) {
                col_ = ++row_ - 1;
                continue;
            }
            out.emplace_back(row_, col_);
        }
        return out;
    }

  private:
    std::int64_t n_, row_ = 0, col_ = 0;
};

/// Squares between two foldings of their diagonals: bounds memory, and leaves threads busy.
constexpr std::size_t squares_at_once = 1024;

void run_squares(const TwotimeJob& job, const TwotimeRequest& request, TwotimeBin& out) {
    Squares squares(job.blocks.n_blocks);
    const std::int64_t side = job.blocks.side;
    oneapi::tbb::enumerable_thread_specific<TwotimeScratch> scratch;
    oneapi::tbb::task_arena arena(request.threads > 0 ? request.threads
                                                      : oneapi::tbb::task_arena::automatic);
    std::atomic<std::int64_t> done{0};
    std::vector<TwotimeTileSums> sums(squares_at_once);
    for (auto group = squares.take(squares_at_once); !group.empty();
         group = squares.take(squares_at_once)) {
        arena.execute([&] {
            oneapi::tbb::parallel_for(std::size_t{0}, group.size(), [&](std::size_t i) {
                const auto [row, col] = group[i];
                TwotimeScratch& mine = scratch.local();
                HWY_DYNAMIC_DISPATCH(twotime_tile)(job, row, col, mine, sums[i]);
                if (request.tile) request.tile({row * side, col * side, mine.map.data()});
                ++done;
                if (request.progress) {
                    request.progress(static_cast<double>(done) /
                                     static_cast<double>(squares.total()));
                }
            });
        });
        for (std::size_t i = 0; i < group.size(); ++i) {
            const std::int64_t offset = (group[i].second - group[i].first) * side;
            fold(sums[i].diagonal.data(), offset, side, out.g2.data(), 1, job.blocks.n_frames);
            for (std::int64_t s = 0; s < twotime_segments && !sums[i].segment.empty(); ++s) {
                fold(sums[i].segment.data() + s * 2 * side,
                     offset,
                     side,
                     out.g2_segments.data() + s,
                     twotime_segments,
                     out.segment_frames);
            }
        }
    }
}

}  // namespace

namespace cpu {

TwotimeBin
twotime(const PixelSeries& series, std::uint32_t dynamic_bin, const TwotimeRequest& request) {
    TwotimeBin out;
    const std::int64_t T = request.frames.n_frames;
    out.segment_frames = T / twotime_segments;
    out.g2.assign(static_cast<std::size_t>(T), 0.0);
    out.g2_segments.assign(static_cast<std::size_t>(twotime_segments * out.segment_frames), 0.0);
    oneapi::tbb::task_arena arena(request.threads > 0 ? request.threads
                                                      : oneapi::tbb::task_arena::automatic);
    BinEvents events =
        gather_bin(series, request.frames, dynamic_bin, request.excluded, request.threads);
    TwotimeJob job;
    arena.execute([&] { job = make_job(std::move(events), series.partition(), request, out); });
    run_squares(job, request, out);
    divide_by_pairs(job.blocks.sum, out);
    return out;
}

}  // namespace cpu

double twotime_bytes(double events, std::int64_t n_frames, std::int64_t n_pixels, int threads) {
    const auto T = static_cast<double>(n_frames);
    const double blocks = std::ceil(T / static_cast<double>(twotime_side));
    // 8 bytes as gathered, twice while they are put together, then 5 in blocks.
    const double bin = 16 * events + 8 * blocks * static_cast<double>(n_pixels) + 200 * T;
    const double scratch = 2.5e6 * threads;
    const double diagonals = 1024.0 * 2 * twotime_side * 8 * 6;
    return bin + scratch + diagonals;
}

}  // namespace xpcs

#endif  // HWY_ONCE
