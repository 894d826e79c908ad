// SPDX-License-Identifier: BSD-3-Clause
#include "host/chunk_writer.hpp"

#include "host/chunk_pack.hpp"
#include "host/errors.hpp"

#include <cstdint>
#include <span>

namespace xpcs {

namespace {

/// Counts are noise: more effort makes these files hardly smaller.
constexpr int gzip_level = 1;

h5::Storage storage_of(const h5::Shape& chunk) {
    h5::Storage storage;
    storage.filter = h5::Filter::gzip;
    storage.gzip_level = gzip_level;
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
    const std::span<const std::uint8_t> packed =
        pack_chunk(values, n_values_, sizeof *values, gzip_level);
    const auto held = h5::lock();
    if (H5Dwrite_chunk(dataset_.id(), H5P_DEFAULT, 0, offset.data(), packed.size(), packed.data()) <
        0) {
        throw Error(ExitCode::io,
                    h5::name_of(dataset_.id()) + ": cannot be written: " + h5::take_error());
    }
}

}  // namespace xpcs
