// SPDX-License-Identifier: BSD-3-Clause
// Correlation alone on one thread: items are events (sparse) or samples (dense), bytes those of the
// series that is read.
#include <benchmark/benchmark.h>

#include "bench_data.hpp"

namespace {

using namespace xpcs;

constexpr std::int64_t n_frames = 20000;

/// Occupancy in millionths is the argument. 16 tiles: the series does not fit the caches.
void multitau_sparse(benchmark::State& state) {
    const Partition partition = bench::module_partition(8);
    const double occupancy = static_cast<double>(state.range(0)) * 1e-6;
    const PixelSeries series = bench::sparse_series(partition, n_frames, occupancy, 1);
    const MultitauRequest request = bench::request_for(n_frames, 1);
    for (auto _ : state) {
        const MultitauSums sums = cpu::multitau(series, request);
        benchmark::DoNotOptimize(sums.whole.G2.data());
    }
    state.SetItemsProcessed(series.counts().events * state.iterations());
    state.SetBytesProcessed(4 * series.counts().events * state.iterations());
    state.counters["samples/s"] =
        benchmark::Counter(static_cast<double>(n_frames * partition.n_kept() * state.iterations()),
                           benchmark::Counter::kIsRate);
}
BENCHMARK(multitau_sparse)
    ->Arg(500)
    ->Arg(2000)
    ->Arg(10000)
    ->Arg(50000)
    ->Arg(200000)
    ->Unit(benchmark::kMillisecond);

void multitau_sparse_weighted(benchmark::State& state) {
    const Partition partition = bench::module_partition(8);
    const PixelSeries series =
        bench::sparse_series(partition, n_frames, static_cast<double>(state.range(0)) * 1e-6, 1);
    MultitauRequest request = bench::request_for(n_frames, 1);
    const FrameWeights weights = make_frame_weights(series.frame_photons().to_vector());
    request.weights = &weights;
    for (auto _ : state) {
        const MultitauSums sums = cpu::multitau(series, request);
        benchmark::DoNotOptimize(sums.whole.weighted_tiles.data());
    }
    state.SetItemsProcessed(series.counts().events * state.iterations());
    state.SetBytesProcessed(4 * series.counts().events * state.iterations());
}
BENCHMARK(multitau_sparse_weighted)->Arg(2000)->Arg(10000)->Unit(benchmark::kMillisecond);

/// Where to change from pairs of events to arrays: occupancy in millionths, and the hundredths of
/// MultitauRequest::dense_neighbours. The defaults in kernels/multitau_cpu.cpp are what is fastest
/// here.
void multitau_crossover(benchmark::State& state, bool weighted) {
    const Partition partition = bench::module_partition(8);
    const PixelSeries series =
        bench::sparse_series(partition, n_frames, static_cast<double>(state.range(0)) * 1e-6, 1);
    MultitauRequest request = bench::request_for(n_frames, 1);
    const FrameWeights weights = make_frame_weights(series.frame_photons().to_vector());
    if (weighted) request.weights = &weights;
    request.dense_neighbours = static_cast<double>(state.range(1)) / 100;
    for (auto _ : state) {
        const MultitauSums sums = cpu::multitau(series, request);
        benchmark::DoNotOptimize(sums.whole.G2.data());
    }
    state.SetItemsProcessed(series.counts().events * state.iterations());
}
void crossovers(benchmark::internal::Benchmark* of) {
    of->ArgsProduct({{500, 2000, 10000, 50000}, {20, 30, 45, 65, 90, 130, 190}})
        ->Unit(benchmark::kMillisecond);
}
BENCHMARK_CAPTURE(multitau_crossover, counts, false)->Apply(crossovers);
BENCHMARK_CAPTURE(multitau_crossover, weighted, true)->Apply(crossovers);

template <class Sample>
void multitau_dense(benchmark::State& state) {
    const Partition partition = bench::module_partition(16);
    const PixelSeries series = bench::dense_series<Sample>(partition, 1000, 1.5, 4);
    const MultitauRequest request = bench::request_for(1000, 1);
    for (auto _ : state) {
        const MultitauSums sums = cpu::multitau(series, request);
        benchmark::DoNotOptimize(sums.whole.G2.data());
    }
    const std::int64_t samples = 1000 * partition.n_kept() * state.iterations();
    state.SetItemsProcessed(samples);
    state.SetBytesProcessed(static_cast<std::int64_t>(sizeof(Sample)) * samples);
}
BENCHMARK(multitau_dense<std::uint8_t>)->Unit(benchmark::kMillisecond);
BENCHMARK(multitau_dense<std::uint16_t>)->Unit(benchmark::kMillisecond);

}  // namespace
