// SPDX-License-Identifier: BSD-3-Clause
#include "host/chunk_pack.hpp"

#include "kernels/array.hpp"

#include <libdeflate.h>

#include <array>
#include <cstring>
#include <memory>
#include <new>

namespace xpcs {

namespace {

struct FreeCompressor {
    void operator()(libdeflate_compressor* compressor) const {
        libdeflate_free_compressor(compressor);
    }
};

/// What a thread reuses from chunk to chunk.
struct PackScratch {
    std::array<std::unique_ptr<libdeflate_compressor, FreeCompressor>, 10> compressors;  // by level
    RawVector<std::uint8_t> shuffled, packed;

    libdeflate_compressor* compressor(int level) {
        auto& one = compressors.at(static_cast<std::size_t>(level));
        if (!one) one.reset(libdeflate_alloc_compressor(level));
        if (!one) throw std::bad_alloc();
        return one.get();
    }
};

template <std::size_t width>
void shuffle(const std::uint8_t* in, std::size_t n, std::uint8_t* out) {
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t byte = 0; byte < width; ++byte)
            out[byte * n + i] = in[width * i + byte];
    }
}

void shuffle(const std::uint8_t* in, std::size_t n, std::size_t width, std::uint8_t* out) {
    switch (width) {
    case 2:
        return shuffle<2>(in, n, out);
    case 4:
        return shuffle<4>(in, n, out);
    case 8:
        return shuffle<8>(in, n, out);
    default:
        for (std::size_t byte = 0; byte < width; ++byte) {
            for (std::size_t i = 0; i < n; ++i)
                out[byte * n + i] = in[width * i + byte];
        }
    }
}

}  // namespace

std::span<const std::uint8_t>
pack_chunk(const void* values, std::size_t n, std::size_t element_bytes, int level) {
    static thread_local PackScratch scratch;
    libdeflate_compressor* const compressor = scratch.compressor(level);
    const std::size_t bytes = n * element_bytes;
    const void* in = values;
    if (element_bytes > 1) {
        scratch.shuffled.resize(bytes);
        shuffle(
            static_cast<const std::uint8_t*>(values), n, element_bytes, scratch.shuffled.data());
        in = scratch.shuffled.data();
    }
    scratch.packed.resize(libdeflate_zlib_compress_bound(compressor, bytes));
    const std::size_t packed = libdeflate_zlib_compress(
        compressor, in, bytes, scratch.packed.data(), scratch.packed.size());
    return {scratch.packed.data(), packed};
}

}  // namespace xpcs
