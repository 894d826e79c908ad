// SPDX-License-Identifier: BSD-3-Clause
// Sums of static bins to g2. Items are bins times lags.
#include "kernels/reduce.hpp"

#include <benchmark/benchmark.h>

#include "bench_data.hpp"

namespace {

using namespace xpcs;

void reduce_bins(benchmark::State& state) {
    const Partition partition = bench::module_partition(360);
    const PixelSeries series = bench::sparse_series(partition, 2000, 0.002, 1);
    const MultitauSums sums = cpu::multitau(series, bench::request_for(2000, 0));
    for (auto _ : state) {
        const OneTime curves = reduce(sums.whole, partition);
        benchmark::DoNotOptimize(curves.g2.data());
    }
    const std::int64_t cells = partition.n_static * sums.whole.ladder.n_lags();
    state.SetItemsProcessed(cells * state.iterations());
    state.SetBytesProcessed(48 * cells * state.iterations());  // three sums of 16 bytes
}
BENCHMARK(reduce_bins)->Unit(benchmark::kMicrosecond);

}  // namespace
