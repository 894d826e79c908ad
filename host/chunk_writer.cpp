// SPDX-License-Identifier: BSD-3-Clause
#include "host/chunk_writer.hpp"

#include "host/errors.hpp"
#include "kernels/array.hpp"

#include <libdeflate.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace xpcs {

namespace {

/// Counts are noise: more effort makes these files hardly smaller.
constexpr int level = 1;

struct FreeCompressor {
    void operator()(libdeflate_compressor* compressor) const {
        libdeflate_free_compressor(compressor);
    }
};

/// What a thread reuses from chunk to chunk.
struct Scratch {
    std::unique_ptr<libdeflate_compressor, FreeCompressor> compressor{
        libdeflate_alloc_compressor(level)};
    RawVector<std::uint8_t> shuffled, packed;
};

/// HDF5's shuffle filter: all first bytes, then all second bytes, ...
void shuffle(const float* values, std::size_t n, std::uint8_t* out) {
    for (std::size_t i = 0; i < n; ++i) {
        std::uint32_t bits = 0;
        std::memcpy(&bits, values + i, sizeof bits);
        out[i] = static_cast<std::uint8_t>(bits);
        out[n + i] = static_cast<std::uint8_t>(bits >> 8);
        out[2 * n + i] = static_cast<std::uint8_t>(bits >> 16);
        out[3 * n + i] = static_cast<std::uint8_t>(bits >> 24);
    }
}

h5::Storage storage_of(const h5::Shape& chunk) {
    h5::Storage storage;
    storage.filter = h5::Filter::gzip;
    storage.gzip_level = level;
    storage.contiguous_below = 1;
    storage.chunk = chunk;
    return storage;
}

}  // namespace

ChunkWriter::ChunkWriter(hid_t file,
                         const std::string& path,
                         const h5::Shape& shape,
                         h5::Shape chunk)
    : chunk_(std::move(chunk)), n_values_(h5::n_elements(chunk_)),
      dataset_(h5::create_dataset(file, path, H5T_IEEE_F32LE, shape, storage_of(chunk_))) {}

void ChunkWriter::write(const h5::Shape& offset, const float* values) {
    static thread_local Scratch scratch;
    if (!scratch.compressor) throw std::bad_alloc();
    const std::size_t bytes = 4 * n_values_;
    scratch.shuffled.resize(bytes);
    shuffle(values, n_values_, scratch.shuffled.data());
    scratch.packed.resize(libdeflate_zlib_compress_bound(scratch.compressor.get(), bytes));
    const std::size_t packed = libdeflate_zlib_compress(scratch.compressor.get(),
                                                        scratch.shuffled.data(),
                                                        bytes,
                                                        scratch.packed.data(),
                                                        scratch.packed.size());
    const auto held = h5::lock();
    if (H5Dwrite_chunk(
            dataset_.id(), H5P_DEFAULT, 0, offset.data(), packed, scratch.packed.data()) < 0) {
        throw Error(ExitCode::io,
                    h5::name_of(dataset_.id()) + ": cannot be written: " + h5::take_error());
    }
}

}  // namespace xpcs
