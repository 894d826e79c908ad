// SPDX-License-Identifier: BSD-3-Clause
// Passes of four levels (frame_levels.hpp): the first over the frames, the next ones over sums of
// 16 blocks of the pass before. Counts are exact. Weighted values are added in the order of time,
// beside the counts, which tell where there is nothing.
#include "kernels/multitau_frames_gpu.cuh"

#include "kernels/frame_levels.hpp"
#include "kernels/multitau_frame_bytes.cuh"
#include "kernels/multitau_frame_values.cuh"
#include "kernels/multitau_frame_windows.cuh"

namespace xpcs::gpu {

namespace {

template <class Column, bool weighted>
void start_windows(const FrameJob& job, const Stream& stream) {
    constexpr auto threads = static_cast<unsigned>(window_threads<weighted>);
    launch(window_sums<Column, weighted>,
           blocks_for(job.series.n_slots, threads),
           threads,
           0,
           stream,
           job);
}

std::size_t blocks_of_next(std::int64_t n_frames, int pass) {
    return static_cast<std::size_t>(n_frames >> (levels::n_levels * (pass + 1)));
}

template <class Value, class Sum, class Column, bool from_frames>
void start_values(const FrameJob& job, bool small_too, const Stream& stream) {
    launch(correlate_values<Value, Sum, Column, from_frames>,
           blocks_for(job.series.n_slots, frame_block_size),
           frame_block_size,
           0,
           stream,
           job,
           small_too);
}

/// The pass over the frames.
template <class Sample>
void first_pass(const FrameJob& job, const Stream& stream) {
    using Column = FrameColumn<Sample>;
    if (job.stretch.weight != nullptr) {
        start_values<double, double, Column, true>(job, true, stream);
        start_windows<Column, true>(job, stream);
        return;
    }
    const FramesOfBatch& raw = job.series.raw;
    const auto pairs = static_cast<std::size_t>((raw.end_column - raw.first_column + 1) / 2);
    launch(correlate_bytes<Sample>,
           blocks_for(pairs, frame_block_size),
           frame_block_size,
           0,
           stream,
           job,
           raw.first_column,
           raw.end_column,
           raw.first_slot);
    if (raw.largest_sample > levels::most_in_byte) {
        start_values<std::uint32_t, std::uint64_t, Column, true>(job, false, stream);
    }
    start_windows<Column, false>(job, stream);
}

void next_pass(const FrameJob& job, const Stream& stream) {
    if (job.stretch.weight != nullptr) {
        start_values<double, double, BlockColumn<true>, false>(job, true, stream);
        start_windows<BlockColumn<true>, true>(job, stream);
    } else {
        start_values<std::uint32_t, std::uint64_t, BlockColumn<false>, false>(job, true, stream);
        start_windows<BlockColumn<false>, false>(job, stream);
    }
}

}  // namespace

FrameWork::FrameWork(std::size_t n_slots, std::int64_t n_frames, bool weighted)
    : total_(n_slots), total_value_(weighted ? n_slots : 0) {
    for (int pass = 0; pass < 2; ++pass) {
        const std::size_t n = n_slots * blocks_of_next(n_frames, pass);
        counts_[pass] = DeviceArray<std::uint32_t>(n);
        if (weighted) values_[pass] = DeviceArray<double>(n);
    }
}

std::size_t FrameWork::bytes_per_slot(std::int64_t n_frames, bool weighted) {
    return (blocks_of_next(n_frames, 0) + blocks_of_next(n_frames, 1) + 2) * (weighted ? 12 : 4) +
           8;
}

void correlate_frames(const SeriesView& series,
                      const StretchView& stretch,
                      const FrameWork& work,
                      const PixelSums& sums,
                      const SeriesTallies* tallies,
                      std::uint64_t* totals,
                      const Stream& stream) {
    const std::size_t size = std::size_t{series.n_slots} * static_cast<std::size_t>(stretch.n_lags);
    clear(sums.G2, size, stream);
    clear(sums.past, size, stream);
    clear(sums.future, size, stream);
    clear(sums.wide_place, series.n_slots, stream);
    FrameJob job{};
    job.series = series;
    job.stretch = stretch;
    job.sums = sums;
    job.total = work.total();
    job.total_value = work.total_value();
    job.n = stretch.n_frames;
    for (int pass = 0; levels::n_levels * pass < stretch.n_levels; ++pass) {
        job.base = levels::n_levels * pass;
        job.totals = pass == 0 && tallies != nullptr ? totals : nullptr;
        job.tallies = job.totals != nullptr ? *tallies : SeriesTallies{};
        job.counts_out = work.counts(pass);
        job.values_out = work.values(pass);
        if (pass > 0) {
            next_pass(job, stream);
        } else if (series.raw.sample_bytes == 1) {
            first_pass<std::uint8_t>(job, stream);
        } else if (series.raw.sample_bytes == 2) {
            first_pass<std::uint16_t>(job, stream);
        } else {
            first_pass<std::uint32_t>(job, stream);
        }
        job.counts_in = job.counts_out;
        job.values_in = stretch.weight == nullptr ? nullptr : job.values_out;
        job.n >>= levels::n_levels;
    }
}

}  // namespace xpcs::gpu
