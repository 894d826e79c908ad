// SPDX-License-Identifier: BSD-3-Clause
// Bits back to elements. 16 bytes of each of the 8 bit planes of a byte are 128 elements: a byte
// transposition puts the 8 bytes that belong to 8 elements side by side, and an 8 x 8 bit
// transposition in each 64-bit lane turns them into those elements' bytes. Vectors of 16 bytes are
// in the base instruction set of every 64-bit machine, so nothing is chosen at run time.
#include "host/readers/chunk_codec.hpp"

#include <cstring>

namespace xpcs {

namespace {

constexpr std::size_t vector_bytes = 16;
using Bytes = std::uint8_t __attribute__((vector_size(vector_bytes)));
using Halves = std::uint16_t __attribute__((vector_size(vector_bytes)));
using Words = std::uint32_t __attribute__((vector_size(vector_bytes)));
using Longs = std::uint64_t __attribute__((vector_size(vector_bytes)));

template <class V>
V load(const std::byte* from) {
    V value;
    std::memcpy(&value, from, sizeof value);
    return value;
}
template <class V>
void store(V value, std::byte* to) {
    std::memcpy(to, &value, sizeof value);
}

Bytes interleave_low(Bytes a, Bytes b) {
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
Bytes interleave_high(Bytes a, Bytes b) {
    return __builtin_shufflevector(
        a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
Words interleave_low(Halves a, Halves b) {
    return reinterpret_cast<Words>(__builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11));
}
Words interleave_high(Halves a, Halves b) {
    return reinterpret_cast<Words>(__builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15));
}
Longs interleave_low(Words a, Words b) {
    return reinterpret_cast<Longs>(__builtin_shufflevector(a, b, 0, 4, 1, 5));
}
Longs interleave_high(Words a, Words b) {
    return reinterpret_cast<Longs>(__builtin_shufflevector(a, b, 2, 6, 3, 7));
}

/// Bit m of byte k becomes bit k of byte m, in every 64-bit lane.
template <class V>
V transpose_bits(V x) {
    V t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAULL;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCULL;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0ULL;
    return x ^ t ^ (t << 28);
}

/// 16-byte pieces of interleaved rows (0 1), (2 3), (4 5), (6 7): 64 elements' bytes.
void finish_half(Bytes r01, Bytes r23, Bytes r45, Bytes r67, std::byte* out) {
    const auto a = reinterpret_cast<Halves>(r01), b = reinterpret_cast<Halves>(r23);
    const auto c = reinterpret_cast<Halves>(r45), d = reinterpret_cast<Halves>(r67);
    const Words low_0123 = interleave_low(a, b), high_0123 = interleave_high(a, b);
    const Words low_4567 = interleave_low(c, d), high_4567 = interleave_high(c, d);
    store(transpose_bits(interleave_low(low_0123, low_4567)), out);
    store(transpose_bits(interleave_high(low_0123, low_4567)), out + vector_bytes);
    store(transpose_bits(interleave_low(high_0123, high_4567)), out + 2 * vector_bytes);
    store(transpose_bits(interleave_high(high_0123, high_4567)), out + 3 * vector_bytes);
}

/// One byte of every element: 8 planes of `plane` bytes to 8 * plane bytes.
void byte_plane(const std::byte* in, std::size_t plane, std::byte* out) {
    std::size_t i = 0;
    for (; i + vector_bytes <= plane; i += vector_bytes) {
        const auto row = [&](std::size_t k) { return load<Bytes>(in + k * plane + i); };
        const Bytes r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
        const Bytes r4 = row(4), r5 = row(5), r6 = row(6), r7 = row(7);
        finish_half(interleave_low(r0, r1),
                    interleave_low(r2, r3),
                    interleave_low(r4, r5),
                    interleave_low(r6, r7),
                    out + 8 * i);
        finish_half(interleave_high(r0, r1),
                    interleave_high(r2, r3),
                    interleave_high(r4, r5),
                    interleave_high(r6, r7),
                    out + 8 * i + 4 * vector_bytes);
    }
    for (; i < plane; ++i) {
        std::uint64_t lane = 0;
        for (std::size_t k = 0; k < 8; ++k) {
            lane |= static_cast<std::uint64_t>(in[k * plane + i]) << (8 * k);
        }
        store(transpose_bits(lane), out + 8 * i);
    }
}

/// Two byte planes of n bytes to n pairs.
void zip(const std::byte* low, const std::byte* high, std::byte* out, std::size_t n) {
    std::size_t i = 0;
    for (; i + vector_bytes <= n; i += vector_bytes) {
        const auto a = load<Bytes>(low + i), b = load<Bytes>(high + i);
        store(interleave_low(a, b), out + 2 * i);
        store(interleave_high(a, b), out + 2 * i + vector_bytes);
    }
    for (; i < n; ++i) {
        out[2 * i] = low[i];
        out[2 * i + 1] = high[i];
    }
}

}  // namespace

void bit_unshuffle(const std::byte* in,
                   std::byte* out,
                   std::size_t n_elements,
                   std::size_t element_bytes,
                   RawVector<std::byte>& scratch) {
    const std::size_t plane = n_elements / 8;
    if (element_bytes == 1) return byte_plane(in, plane, out);
    scratch.resize(n_elements * element_bytes);
    for (std::size_t j = 0; j < element_bytes; ++j) {
        byte_plane(in + 8 * j * plane, plane, scratch.data() + j * n_elements);
    }
    const std::byte* planes = scratch.data();
    if (element_bytes == 2) return zip(planes, planes + n_elements, out, n_elements);
    for (std::size_t i = 0; i < n_elements; ++i) {
        for (std::size_t j = 0; j < element_bytes; ++j) {
            out[i * element_bytes + j] = planes[j * n_elements + i];
        }
    }
}

}  // namespace xpcs
