// SPDX-License-Identifier: BSD-3-Clause
// Correlation on the first GPU, timed by CUDA events, beside what the device can do: copies on the
// device and from pinned host memory. Built with CUDA only; says so and stops where no GPU is.
#include "kernels/device_events.hpp"
#include "kernels/device_frames.hpp"

#include <cuda_runtime.h>

#include <benchmark/benchmark.h>

#include <memory>

#include "bench_data.hpp"

namespace {

using namespace xpcs;

bool has_gpu(benchmark::State& state) {
    int n = 0;
    if (cudaGetDeviceCount(&n) == cudaSuccess && n > 0) return true;
    state.SkipWithError("no GPU");
    return false;
}

/// Two events, and the seconds between them.
class Stopwatch {
  public:
    Stopwatch() {
        cudaEventCreate(&begin_);
        cudaEventCreate(&end_);
    }
    ~Stopwatch() {
        cudaEventDestroy(begin_);
        cudaEventDestroy(end_);
    }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;
    void start() { cudaEventRecord(begin_); }
    double stop_s() {
        float ms = 0;
        cudaEventRecord(end_);
        cudaEventSynchronize(end_);
        cudaEventElapsedTime(&ms, begin_, end_);
        return 1e-3 * static_cast<double>(ms);
    }

  private:
    cudaEvent_t begin_{}, end_{};
};

constexpr std::size_t copy_bytes = std::size_t{1} << 30;

void device_copy(benchmark::State& state) {
    if (!has_gpu(state)) return;
    void *from = nullptr, *to = nullptr;
    if (cudaMalloc(&from, copy_bytes) != cudaSuccess ||
        cudaMalloc(&to, copy_bytes) != cudaSuccess) {
        state.SkipWithError("no memory on the device");
        return;
    }
    cudaMemset(from, 1, copy_bytes);
    Stopwatch watch;
    for (auto _ : state) {
        watch.start();
        cudaMemcpyAsync(to, from, copy_bytes, cudaMemcpyDeviceToDevice);
        state.SetIterationTime(watch.stop_s());
    }
    // Read and written.
    state.SetBytesProcessed(2 * static_cast<std::int64_t>(copy_bytes) * state.iterations());
    cudaFree(from);
    cudaFree(to);
}
BENCHMARK(device_copy)->UseManualTime();

void host_to_device(benchmark::State& state) {
    if (!has_gpu(state)) return;
    void *from = nullptr, *to = nullptr;
    if (cudaMallocHost(&from, copy_bytes) != cudaSuccess ||
        cudaMalloc(&to, copy_bytes) != cudaSuccess) {
        state.SkipWithError("no memory");
        return;
    }
    Stopwatch watch;
    for (auto _ : state) {
        watch.start();
        cudaMemcpyAsync(to, from, copy_bytes, cudaMemcpyHostToDevice);
        state.SetIterationTime(watch.stop_s());
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(copy_bytes) * state.iterations());
    cudaFreeHost(from);
    cudaFree(to);
}
BENCHMARK(host_to_device)->UseManualTime();

/// Copies to the device included, as in a run. Occupancy in millionths is the argument.
void gpu_multitau_sparse(benchmark::State& state) {
    if (!has_gpu(state)) return;
    const Partition partition = bench::module_partition();
    const PixelSeries series =
        bench::sparse_series(partition, 20000, static_cast<double>(state.range(0)) * 1e-6, 1);
    const MultitauRequest request = bench::request_for(20000, 0);
    Stopwatch watch;
    for (auto _ : state) {
        watch.start();
        const MultitauSums sums = gpu::multitau(series, request);
        state.SetIterationTime(watch.stop_s());
        benchmark::DoNotOptimize(sums.whole.G2.data());
    }
    state.SetItemsProcessed(series.counts().events * state.iterations());
    state.SetBytesProcessed(4 * series.counts().events * state.iterations());
}
BENCHMARK(gpu_multitau_sparse)
    ->Arg(500)
    ->Arg(2000)
    ->Arg(10000)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

template <class Sample>
void gpu_multitau_dense(benchmark::State& state) {
    if (!has_gpu(state)) return;
    const Partition partition = bench::module_partition(256);
    const PixelSeries series = bench::dense_series<Sample>(partition, 1000, 1.5, 4);
    const MultitauRequest request = bench::request_for(1000, 0);
    Stopwatch watch;
    for (auto _ : state) {
        watch.start();
        const MultitauSums sums = gpu::multitau(series, request);
        state.SetIterationTime(watch.stop_s());
        benchmark::DoNotOptimize(sums.whole.G2.data());
    }
    const std::int64_t samples = 1000 * partition.n_kept() * state.iterations();
    state.SetItemsProcessed(samples);
    state.SetBytesProcessed(static_cast<std::int64_t>(sizeof(Sample)) * samples);
}
BENCHMARK(gpu_multitau_dense<std::uint8_t>)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(gpu_multitau_dense<std::uint16_t>)->UseManualTime()->Unit(benchmark::kMillisecond);

/// Frames that are on the device already, as they lie in a file. The argument is the number of
/// frames; with weights where the second one is not 0.
template <class Sample>
void gpu_multitau_frames(benchmark::State& state) {
    if (!has_gpu(state)) return;
    const Partition partition = bench::module_partition(512);
    const std::int64_t n_frames = state.range(0);
    const std::int64_t n_pixels = partition.rows * partition.cols;
    const auto frames = std::make_shared<gpu::DeviceFrames>(
        partition, SeriesRange{}, static_cast<int>(sizeof(Sample)), n_frames, 0);
    DenseChunk chunk = bench::random_frames<Sample>(n_pixels, 0, 50, 1.5, 4);
    for (std::int64_t first = 0; first < n_frames; first += chunk.n_frames) {
        gpu::Upload upload;
        chunk.first_frame = first;
        frames->add(chunk, upload);
    }
    frames->finish();
    const PixelSeries series(partition, {}, frames);
    MultitauRequest request = bench::request_for(n_frames, 0);
    FrameWeights weights;
    weights.weight.assign(static_cast<std::size_t>(n_frames), 0.75);
    if (state.range(1) != 0) request.weights = &weights;
    Stopwatch watch;
    for (auto _ : state) {
        watch.start();
        const MultitauSums sums = gpu::multitau(series, request);
        state.SetIterationTime(watch.stop_s());
        benchmark::DoNotOptimize(sums.whole.G2.data());
    }
    const std::int64_t samples = n_frames * partition.n_kept() * state.iterations();
    state.SetItemsProcessed(samples);
    state.SetBytesProcessed(static_cast<std::int64_t>(sizeof(Sample)) * samples);
}
BENCHMARK(gpu_multitau_frames<std::uint8_t>)
    ->ArgsProduct({{1000, 20000}, {0, 1}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(gpu_multitau_frames<std::uint16_t>)
    ->ArgsProduct({{1000, 20000}, {0, 1}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
