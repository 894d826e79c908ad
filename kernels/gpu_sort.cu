// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/gpu_sort.cuh"

#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include <algorithm>

namespace xpcs::gpu {

std::size_t sort_workspace_bytes(std::size_t n) {
    const auto count = static_cast<std::uint32_t>(n);
    cub::DoubleBuffer<std::uint64_t> keys;
    cub::DoubleBuffer<std::uint32_t> values;
    std::uint32_t* sums = nullptr;
    std::size_t sort_bytes = 0, sum_bytes = 0;
    XPCS_CUDA_CHECK(
        cub::DeviceRadixSort::SortPairs(nullptr, sort_bytes, keys, values, count, 0, 64));
    XPCS_CUDA_CHECK(cub::DeviceScan::InclusiveSum(nullptr, sum_bytes, sums, sums, count));
    return std::max(sort_bytes, sum_bytes);
}

void sort_pairs(SortBuffers& buffers,
                std::size_t n,
                int first_bit,
                int end_bit,
                void* workspace,
                std::size_t workspace_bytes,
                const Stream& stream) {
    if (n == 0 || first_bit == end_bit) return;
    cub::DoubleBuffer<std::uint64_t> keys(buffers.keys, buffers.spare_keys);
    cub::DoubleBuffer<std::uint32_t> values(buffers.values, buffers.spare_values);
    XPCS_CUDA_CHECK(cub::DeviceRadixSort::SortPairs(workspace,
                                                    workspace_bytes,
                                                    keys,
                                                    values,
                                                    static_cast<std::uint32_t>(n),
                                                    first_bit,
                                                    end_bit,
                                                    stream.get()));
    buffers = {keys.Current(), keys.Alternate(), values.Current(), values.Alternate()};
}

std::size_t sort_words_workspace_bytes(std::size_t n) {
    cub::DoubleBuffer<std::uint64_t> keys;
    std::size_t bytes = 0;
    XPCS_CUDA_CHECK(cub::DeviceRadixSort::SortKeys(nullptr, bytes, keys, n, 0, 64));
    return bytes;
}

void sort_words(std::uint64_t*& words,
                std::uint64_t*& spare,
                std::size_t n,
                int first_bit,
                int end_bit,
                void* workspace,
                std::size_t workspace_bytes,
                const Stream& stream) {
    if (n == 0 || first_bit == end_bit) return;
    cub::DoubleBuffer<std::uint64_t> keys(words, spare);
    XPCS_CUDA_CHECK(cub::DeviceRadixSort::SortKeys(
        workspace, workspace_bytes, keys, n, first_bit, end_bit, stream.get()));
    words = keys.Current();
    spare = keys.Alternate();
}

void inclusive_sum(std::uint32_t* x,
                   std::size_t n,
                   void* workspace,
                   std::size_t workspace_bytes,
                   const Stream& stream) {
    if (n == 0) return;
    XPCS_CUDA_CHECK(cub::DeviceScan::InclusiveSum(
        workspace, workspace_bytes, x, x, static_cast<std::uint32_t>(n), stream.get()));
}

}  // namespace xpcs::gpu
