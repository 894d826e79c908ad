// SPDX-License-Identifier: BSD-3-Clause
// Dense batches: samples of every piece become rows of 32-bit counts by analysis frame.
#include "kernels/multitau_group.cuh"
#include "kernels/series_gpu.cuh"
#include "kernels/staging.hpp"

#include <algorithm>
#include <type_traits>

namespace xpcs::gpu {

namespace {

constexpr unsigned block_size = 256;

/// Some samples of one piece, in the piece's order [line][frame][pixel].
struct SampleSpan {
    const void* samples;
    std::uint64_t first;  ///< place of the first sample among those of the batch's lines
    std::uint64_t n;
    std::uint32_t n_slots;  ///< of the batch, which begins with a line
    std::int64_t piece_frames;
    std::int64_t frame_base;  ///< in the file
};

template <class Sample>
__global__ void
unpack_rows(SampleSpan span, FrameMap frames, std::int64_t n_frames, std::uint32_t* rows) {
    const std::size_t i = thread_index();
    if (i >= span.n) return;
    std::uint32_t value = 0;
    if constexpr (std::is_same_v<Sample, HalfByte>) {
        value = half_byte(static_cast<const std::uint8_t*>(span.samples), i);
    } else {
        value = static_cast<const Sample*>(span.samples)[i];
    }
    if (value == 0) return;
    const LinePlace place = line_place(span.first + i, span.piece_frames);
    if (place.slot >= span.n_slots) return;
    const std::int64_t frame = frames(span.frame_base + place.frame);
    if (frame == FrameMap::left_out) return;
    add_atomic(rows + place.slot * static_cast<std::uint64_t>(n_frames) +
                   static_cast<std::uint64_t>(frame),
               value);
}

constexpr int square = 32;  ///< pixels, and frames, of a block of rows_of_frames
constexpr int square_rows = static_cast<int>(block_size) / square;

/// Frames that are on the device to rows, through squares in shared memory.
template <class Sample>
__global__ void rows_of_frames(const Sample* samples, SeriesView view, std::uint32_t* rows) {
    __shared__ std::uint32_t tile[square][square + 1];
    const std::size_t slot_squares = (view.n_slots + square - 1) / square;
    const std::size_t first_slot = blockIdx.x % slot_squares * square;
    const std::int64_t first_frame = blockIdx.x / slot_squares * square;
    const int lane = static_cast<int>(threadIdx.x) % square;
    const int line = static_cast<int>(threadIdx.x) / square;
    const FrameMap& map = view.frames;
    for (int f = line; f < square; f += square_rows) {
        const std::size_t slot = first_slot + static_cast<std::size_t>(lane);
        const std::int64_t t = first_frame + f;
        std::uint32_t sum = 0;
        for (std::int64_t k = 0; slot < view.n_slots && t < view.n_frames && k < map.average; ++k) {
            const std::int64_t frame =
                map.begin - view.begin_frame + (t * map.average + k) * map.stride;
            if (frame >= 0 && frame < view.raw.n_frames) {
                sum += samples[frame * view.raw.pitch + view.raw.pixel[slot]];
            }
        }
        tile[f][lane] = sum;
    }
    __syncthreads();
    for (int s = line; s < square; s += square_rows) {
        const std::size_t slot = first_slot + static_cast<std::size_t>(s);
        const std::int64_t t = first_frame + lane;
        if (slot < view.n_slots && t < view.n_frames) {
            rows[slot * static_cast<std::size_t>(view.n_frames) + static_cast<std::size_t>(t)] =
                tile[lane][s];
        }
    }
}

/// A warp per pixel: its photons in all and by segment.
__global__ void tally_rows(const std::uint32_t* rows,
                           std::uint32_t n_slots,
                           std::int64_t n_frames,
                           const std::uint8_t* excluded,
                           const std::uint32_t* static_bin,
                           SeriesTallies tallies,
                           std::uint64_t* totals) {
    const std::size_t slot = thread_index() / warp_lanes;
    if (slot >= n_slots || excluded[slot] != 0) return;
    const std::uint32_t* row = rows + slot * static_cast<std::size_t>(n_frames);
    const int lane = static_cast<int>(threadIdx.x) % warp_lanes;
    const auto sum_of = [&](std::int64_t begin, std::int64_t end) {
        std::uint64_t sum = 0;
        for (std::int64_t t = begin + lane; t < end && t < n_frames; t += warp_lanes)
            sum += row[t];
        return warp_sum(sum);
    };
    std::uint64_t total = 0;
    for (int k = 0; k < tallies.n_segments; ++k) {
        const std::uint64_t sum =
            sum_of(k * tallies.segment_frames, (k + 1) * tallies.segment_frames);
        total += sum;
        if (lane != 0 || sum == 0) continue;
        add_atomic(tallies.segments +
                       std::size_t{static_bin[slot]} *
                           static_cast<std::size_t>(tallies.n_segments) +
                       static_cast<std::size_t>(k),
                   sum);
    }
    total += sum_of(tallies.n_segments * tallies.segment_frames, n_frames);
    if (lane == 0) totals[slot] = total;
}

}  // namespace

void SeriesBuffers::load_rows(const PixelSeries& series,
                              const FrameMap& frames,
                              const Batch& batch,
                              Staging& staging,
                              const Stream& stream) {
    clear(rows_.data(),
          static_cast<std::size_t>(batch.n_slots) * static_cast<std::size_t>(frames.n_frames),
          stream);
    const auto first_slot =
        static_cast<std::size_t>(batch.first_slot - series.first_slot(series.first_tile()));
    for (const SeriesPiece& piece : series.pieces()) {
        if (piece.lines.empty()) continue;
        const auto bits = static_cast<std::size_t>(piece.sample_bits);
        const auto length = static_cast<std::size_t>(piece.n_frames);
        const std::byte* lines = piece.lines.data() + first_slot * length * bits / 8;
        constexpr auto line = static_cast<std::size_t>(line_pixels);
        const std::size_t n_samples =
            (static_cast<std::size_t>(batch.n_slots) + line - 1) / line * line * length;
        const std::size_t room = staging.bytes() * 8 / bits / line * line;
        for (std::size_t at = 0; at < n_samples;) {
            const std::size_t n = std::min(room, n_samples - at);
            Staging::Buffer& buffer = staging.acquire();
            parallel_copy(buffer.host.data(), lines + at * bits / 8, n * bits / 8);
            copy_to_device(buffer.device.data(), buffer.host.data(), n * bits / 8, stream);
            const SampleSpan span{buffer.device.data(),
                                  at,
                                  n,
                                  static_cast<std::uint32_t>(batch.n_slots),
                                  piece.n_frames,
                                  piece.frame_base};
            launch(bits == 4    ? unpack_rows<HalfByte>
                   : bits == 8  ? unpack_rows<std::uint8_t>
                   : bits == 16 ? unpack_rows<std::uint16_t>
                                : unpack_rows<std::uint32_t>,
                   blocks_for(n, block_size),
                   block_size,
                   0,
                   stream,
                   span,
                   frames,
                   frames.n_frames,
                   rows_.data());
            buffer.done.record(stream);
            at += n;
        }
    }
}

void SeriesBuffers::fill_rows(const FramesOfBatch& raw,
                              const SeriesView& view,
                              const Stream& stream) {
    const std::size_t slot_squares = (std::size_t{view.n_slots} + square - 1) / square;
    const auto frame_squares = static_cast<std::size_t>((view.n_frames + square - 1) / square);
    const auto run = [&](auto sample) {
        using Sample = decltype(sample);
        launch(rows_of_frames<Sample>,
               slot_squares * frame_squares,
               block_size,
               0,
               stream,
               static_cast<const Sample*>(raw.samples),
               view,
               rows_.data());
    };
    if (raw.sample_bytes == 1) {
        run(std::uint8_t{});
    } else if (raw.sample_bytes == 2) {
        run(std::uint16_t{});
    } else {
        run(std::uint32_t{});
    }
}

void SeriesBuffers::sum_rows(const SeriesView& view,
                             const SeriesTallies& tallies,
                             const Stream& stream) {
    launch(tally_rows,
           blocks_for(std::size_t{view.n_slots} * warp_lanes, block_size),
           block_size,
           0,
           stream,
           view.rows,
           view.n_slots,
           view.n_frames,
           view.excluded,
           view.static_bin,
           tallies,
           totals_.data());
}

}  // namespace xpcs::gpu
