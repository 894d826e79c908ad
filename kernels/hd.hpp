// SPDX-License-Identifier: BSD-3-Clause
// Words shared by the CPU and GPU twins: the host-and-device mark, a hint to unroll a loop (the
// compilers of the CPU need none) and the wide integers.
#pragma once

#include <bit>
#include <cstdint>

#if defined(__CUDACC__)
#define XPCS_HD __host__ __device__
#else
#define XPCS_HD
#endif
#if defined(__CUDA_ARCH__)
#define XPCS_UNROLL _Pragma("unroll")
#else
#define XPCS_UNROLL
#endif

namespace xpcs {

// Sums over many pixels of 64-bit sums: exact, so the order of addition never shows.
__extension__ using int128 = __int128;
__extension__ using uint128 = unsigned __int128;

/// Bits of x that are set.
XPCS_HD inline std::uint32_t count_bits(std::uint32_t x) {
#if defined(__CUDA_ARCH__)
    return static_cast<std::uint32_t>(__popc(x));
#else
    return static_cast<std::uint32_t>(std::popcount(x));
#endif
}

}  // namespace xpcs
