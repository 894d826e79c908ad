// SPDX-License-Identifier: BSD-3-Clause
// One block per group of pixels, one thread per lag: neighbouring threads read neighbouring words.
#include "kernels/multitau_reduce_gpu.cuh"

#include "kernels/multitau_core.hpp"

#include <algorithm>

namespace xpcs::gpu {

namespace core = multitau_core;

namespace {

__device__ uint128 full_G2(const PixelSums& sums, std::uint32_t slot, int lag, int n_lags) {
    const auto row = static_cast<std::size_t>(n_lags);
    const auto column = static_cast<std::size_t>(lag);
    uint128 value = sums.G2[slot * row + column];
    const std::uint32_t place = sums.wide_place[slot];
    if (place != 0) value += uint128{sums.G2_high[(place - 1) * row + column]} << 64;
    return value;
}

__global__ void bins_kernel(
    PixelGroups groups, PixelSums sums, int n_lags, std::uint32_t n_static, std::uint64_t* bins) {
    const std::uint32_t group = blockIdx.x;
    const auto row = static_cast<std::size_t>(n_lags);
    for (int lag = static_cast<int>(threadIdx.x); lag < n_lags;
         lag += static_cast<int>(blockDim.x)) {
        uint128 G2 = 0, past = 0, future = 0;
        for (std::uint32_t i = groups.begin[group]; i < groups.begin[group + 1]; ++i) {
            const std::uint32_t slot = groups.slots[i];
            const std::size_t at = slot * row + static_cast<std::size_t>(lag);
            G2 += full_G2(sums, slot, lag, n_lags);
            past += sums.past[at];
            future += sums.future[at];
        }
        if (G2 == 0 && past == 0 && future == 0) continue;
        const std::size_t at = groups.bin[group] * row + static_cast<std::size_t>(lag);
        const std::size_t size = n_static * row;
        add_atomic_wide(bins + 2 * at, G2);
        add_atomic_wide(bins + 2 * (size + at), past);
        add_atomic_wide(bins + 2 * (2 * size + at), future);
    }
}

/// The sums of one pixel at one lag as real numbers.
struct RealSums {
    double G2, past, future;
};

__device__ RealSums
real_sums(const PixelSums& sums, std::uint32_t slot, int lag, int n_lags, bool weighted) {
    const std::size_t at =
        std::size_t{slot} * static_cast<std::size_t>(n_lags) + static_cast<std::size_t>(lag);
    if (weighted) {
        return {reinterpret_cast<const double*>(sums.G2)[at],
                reinterpret_cast<const double*>(sums.past)[at],
                reinterpret_cast<const double*>(sums.future)[at]};
    }
    const double G2 = sums.wide_place[slot] == 0
                          ? static_cast<double>(sums.G2[at])
                          : static_cast<double>(full_G2(sums, slot, lag, n_lags));
    return {G2, static_cast<double>(sums.past[at]), static_cast<double>(sums.future[at])};
}

/// Adds up pixels tile by tile, then the tiles: the order in which tiles that are not added here
/// are added on the host. Batches begin with a whole tile, so that slots tell tiles apart.
struct TileSum {
    double all = 0, of_tile = 0;
    std::uint32_t tile = 0;

    __device__ void add(std::uint32_t slot, double value) {
        if (slot >> tile_bits != tile) {
            all += of_tile;
            of_tile = 0;
            tile = slot >> tile_bits;
        }
        of_tile += value;
    }
    __device__ double total() const { return all + of_tile; }
};

__global__ void weighted_kernel(PixelGroups groups, PixelSums sums, int n_lags, double* out) {
    const std::uint32_t group = blockIdx.x;
    double* row = out + std::size_t{group} * 3 * static_cast<std::size_t>(n_lags);
    for (int lag = static_cast<int>(threadIdx.x); lag < n_lags;
         lag += static_cast<int>(blockDim.x)) {
        TileSum G2, past, future;
        for (std::uint32_t i = groups.begin[group]; i < groups.begin[group + 1]; ++i) {
            const std::uint32_t slot = groups.slots[i];
            const RealSums one = real_sums(sums, slot, lag, n_lags, true);
            G2.add(slot, one.G2);
            past.add(slot, one.past);
            future.add(slot, one.future);
        }
        row[lag] = G2.total();
        row[n_lags + lag] = past.total();
        row[2 * n_lags + lag] = future.total();
    }
}

/// Several pixels at a time, for divisions are slow and groups few: one row of threads for each,
/// `width` threads wide. The first row adds up in the order of the pixels.
__global__ void ratios_kernel(PixelGroups groups,
                              PixelSums sums,
                              const double* pairs,
                              int n_lags,
                              bool weighted,
                              int width,
                              double* out,
                              std::uint64_t* n_signal) {
    const std::uint32_t group = blockIdx.x;
    const int column = static_cast<int>(threadIdx.x) % width;
    const auto row = threadIdx.x / static_cast<unsigned>(width);
    const auto n_rows = blockDim.x / static_cast<unsigned>(width);
    auto* ratios = reinterpret_cast<double*>(shared_pool());  // [n_rows][width]
    double* values = out + std::size_t{group} * 2 * static_cast<std::size_t>(n_lags);
    const std::uint32_t end = groups.begin[group + 1];
    for (int lag = column; lag - column < n_lags; lag += width) {
        const bool inside = lag < n_lags;
        TileSum sum, square;
        std::uint64_t signal = 0;
        for (std::uint32_t first = groups.begin[group]; first < end; first += n_rows) {
            if (inside && first + row < end) {
                const RealSums one =
                    real_sums(sums, groups.slots[first + row], lag, n_lags, weighted);
                const core::PixelRatio ratio =
                    core::pixel_ratio(one.G2, one.past, one.future, pairs[lag]);
                ratios[threadIdx.x] = ratio.value;
                signal += ratio.signal;
            }
            __syncthreads();
            for (unsigned r = 0; row == 0 && inside && r < n_rows && first + r < end; ++r) {
                const double ratio = ratios[r * static_cast<unsigned>(width) + threadIdx.x];
                sum.add(groups.slots[first + r], ratio);
                square.add(groups.slots[first + r], ratio * ratio);
            }
            __syncthreads();
        }
        if (row == 0 && inside) {
            values[lag] = sum.total();
            values[n_lags + lag] = square.total();
        }
        if (signal != 0) {
            add_atomic(n_signal +
                           std::size_t{groups.bin[group]} * static_cast<std::size_t>(n_lags) +
                           static_cast<std::size_t>(lag),
                       signal);
        }
    }
}

__global__ void means_kernel(PixelSums sums,
                             const double* pairs,
                             int n_lags,
                             std::uint32_t n_slots,
                             bool weighted,
                             float* out) {
    const std::size_t at = thread_index();
    const std::size_t size = std::size_t{n_slots} * static_cast<std::size_t>(n_lags);
    if (at >= size) return;
    const int lag = static_cast<int>(at / n_slots);
    const RealSums one =
        real_sums(sums, static_cast<std::uint32_t>(at % n_slots), lag, n_lags, weighted);
    const double scale = 1.0 / static_cast<double>(std::int64_t{1} << core::lag_level(lag));
    const double per_pair = pairs[lag] > 0 ? scale / pairs[lag] : 0.0;
    out[at] = static_cast<float>(one.G2 * per_pair * scale);
    out[size + at] = static_cast<float>(one.past * per_pair);
    out[2 * size + at] = static_cast<float>(one.future * per_pair);
}

unsigned lag_threads(int n_lags) {
    return static_cast<unsigned>(
        std::min(256, (n_lags + warp_lanes - 1) / warp_lanes * warp_lanes));
}

}  // namespace

void add_to_bins(const PixelGroups& groups,
                 const PixelSums& sums,
                 int n_lags,
                 std::uint32_t n_static,
                 std::uint64_t* bins,
                 const Stream& stream) {
    launch(bins_kernel,
           groups.n,
           lag_threads(n_lags),
           0,
           stream,
           groups,
           sums,
           n_lags,
           n_static,
           bins);
}

void sum_weighted(const PixelGroups& groups,
                  const PixelSums& sums,
                  int n_lags,
                  double* out,
                  const Stream& stream) {
    launch(weighted_kernel, groups.n, lag_threads(n_lags), 0, stream, groups, sums, n_lags, out);
}

void sum_ratios(const PixelGroups& groups,
                const PixelSums& sums,
                const double* pairs,
                int n_lags,
                bool weighted,
                double* out,
                std::uint64_t* n_signal,
                const Stream& stream) {
    constexpr unsigned most_threads = 512;
    const unsigned width = lag_threads(n_lags);
    const unsigned threads = most_threads / width * width;
    launch(ratios_kernel,
           groups.n,
           threads,
           threads * sizeof(double),
           stream,
           groups,
           sums,
           pairs,
           n_lags,
           weighted,
           static_cast<int>(width),
           out,
           n_signal);
}

void pixel_means(const PixelSums& sums,
                 const double* pairs,
                 int n_lags,
                 std::uint32_t n_slots,
                 bool weighted,
                 float* out,
                 const Stream& stream) {
    launch(means_kernel,
           blocks_for(std::size_t{n_slots} * static_cast<std::size_t>(n_lags), 256),
           256,
           0,
           stream,
           sums,
           pairs,
           n_lags,
           n_slots,
           weighted,
           out);
}

}  // namespace xpcs::gpu
