// SPDX-License-Identifier: BSD-3-Clause
// The library calls of the GPU twins, in a file of their own: CUB takes long to compile.
#pragma once

#include "kernels/cuda_support.cuh"

#include <cstddef>
#include <cstdint>

namespace xpcs::gpu {

/// Two buffers each for keys and values; which one holds the data changes with every sort.
struct SortBuffers {
    std::uint64_t* keys;
    std::uint64_t* spare_keys;
    std::uint32_t* values;
    std::uint32_t* spare_values;
};

/// Bytes of work space for up to n elements.
std::size_t sort_workspace_bytes(std::size_t n);

/// Stable sort by the key bits [first_bit, end_bit).
void sort_pairs(SortBuffers& buffers,
                std::size_t n,
                int first_bit,
                int end_bit,
                void* workspace,
                std::size_t workspace_bytes,
                const Stream& stream);

/// The same for words alone, of any number; `spare` is as large. What was sorted lies in `words`.
std::size_t sort_words_workspace_bytes(std::size_t n);
void sort_words(std::uint64_t*& words,
                std::uint64_t*& spare,
                std::size_t n,
                int first_bit,
                int end_bit,
                void* workspace,
                std::size_t workspace_bytes,
                const Stream& stream);

/// In place: x[i] = x[0] + ... + x[i].
void inclusive_sum(std::uint32_t* x,
                   std::size_t n,
                   void* workspace,
                   std::size_t workspace_bytes,
                   const Stream& stream);

}  // namespace xpcs::gpu
