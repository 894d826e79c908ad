// SPDX-License-Identifier: BSD-3-Clause
// Undoes HDF5 filters on a chunk that was read as it lies in the file, outside HDF5 and its global
// lock: as many threads as there are can decode at once. Codecs are those of the distribution's
// libraries; layouts are those of the registered filters (docs/formats.md, "Dense HDF5").
//
//   1 gzip, 2 shuffle, 32000 LZF, 32001 Blosc, 32004 LZ4, 32008 bitshuffle (none, LZ4, zstd),
//   32015 Zstandard
#pragma once

#include "host/h5.hpp"
#include "kernels/array.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xpcs {

/// The filters of a dataset, in the order in which writing applied them.
struct ChunkPipeline {
    struct Filter {
        int id = 0;
        std::vector<unsigned> parameters;
    };
    std::vector<Filter> filters;
    std::size_t element_bytes = 0;
    std::size_t chunk_bytes = 0;  ///< uncompressed
};

/// Buffers that a thread uses again.
struct ChunkScratch {
    RawVector<std::byte> a, b, c, block;
};

/// True if decode_chunk knows a filter with this id.
bool decodes_filter(int id);

/// Empty if one of the filters is not known.
std::optional<ChunkPipeline> pipeline_of(const std::vector<h5::FilterInfo>& filters,
                                         std::size_t element_bytes,
                                         std::size_t chunk_bytes);

/// Decodes `raw` into `out` (chunk_bytes). Bit k of `skipped` says that filter k was not applied to
/// this chunk. Thread-safe. Throws Error (data), beginning with `what`, for bytes that do not
/// decode to exactly the size of a chunk.
void decode_chunk(const ChunkPipeline& pipeline,
                  std::span<const std::byte> raw,
                  std::uint32_t skipped,
                  std::span<std::byte> out,
                  ChunkScratch& scratch,
                  const std::string& what);

/// Undoes the bit transposition of `n_elements` (a multiple of 8) of `element_bytes`: bit k of byte
/// j of all elements lies together, 8 elements to a byte, in order of (j, k). `scratch` has the
/// same size.
void bit_unshuffle(const std::byte* in,
                   std::byte* out,
                   std::size_t n_elements,
                   std::size_t element_bytes,
                   RawVector<std::byte>& scratch);

}  // namespace xpcs
