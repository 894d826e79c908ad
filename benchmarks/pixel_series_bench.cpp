// SPDX-License-Identifier: BSD-3-Clause
// From frame order to pixel order: sorting a chunk into tiles, and taking a tile out again.
// Bytes moved: 12 in and 4 out per event when sorting; 4 in and 8 out when gathering; the sample
// in and out for whole frames.
#include <benchmark/benchmark.h>

#include "bench_data.hpp"

namespace {

using namespace xpcs;

/// Occupancy in millionths is the argument.
void sort_events(benchmark::State& state) {
    const Partition partition = bench::module_partition();
    const double occupancy = static_cast<double>(state.range(0)) * 1e-6;
    const auto n_frames = static_cast<std::int64_t>(131072 / (occupancy * 524288.0)) + 1;
    const EventChunk chunk = bench::random_events(524288, 0, n_frames, occupancy, 1);
    PieceScratch scratch;
    for (auto _ : state) {
        SeriesPiece piece = make_piece(chunk, partition, {}, scratch);
        benchmark::DoNotOptimize(piece.narrow.data());
    }
    const auto events = static_cast<std::int64_t>(chunk.size()) * state.iterations();
    state.SetItemsProcessed(events);
    state.SetBytesProcessed(16 * events);
}
BENCHMARK(sort_events)->Arg(500)->Arg(2000)->Arg(10000)->Arg(200000);

void gather_tile(benchmark::State& state) {
    const Partition partition = bench::module_partition(32);
    const double occupancy = static_cast<double>(state.range(0)) * 1e-6;
    const PixelSeries series = bench::sparse_series(partition, 20000, occupancy, 2);
    TileEvents tile;
    std::int64_t at = 0, events = 0;
    for (auto _ : state) {
        series.gather(at, tile);
        benchmark::DoNotOptimize(tile.frame.data());
        events += static_cast<std::int64_t>(tile.frame.size());
        at = at + 1 == n_tiles(partition) ? 0 : at + 1;
    }
    state.SetItemsProcessed(events);
    state.SetBytesProcessed(12 * events);
}
BENCHMARK(gather_tile)->Arg(500)->Arg(2000)->Arg(10000)->Arg(50000);

template <class Sample>
void frames_to_lines(benchmark::State& state) {
    const Partition partition = bench::module_partition(256);
    const DenseChunk chunk = bench::random_frames<Sample>(262144, 0, 64, 1.5, 3);
    PieceScratch scratch;
    for (auto _ : state) {
        SeriesPiece piece = make_piece(chunk, partition, {}, false, scratch);
        benchmark::DoNotOptimize(piece.lines.data());
    }
    const std::int64_t samples = 262144 * 64 * state.iterations();
    state.SetItemsProcessed(samples);
    state.SetBytesProcessed(2 * static_cast<std::int64_t>(sizeof(Sample)) * samples);
}
BENCHMARK(frames_to_lines<std::uint8_t>);
BENCHMARK(frames_to_lines<std::uint16_t>);

}  // namespace
