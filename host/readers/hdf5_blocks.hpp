// SPDX-License-Identifier: BSD-3-Clause
// A block of HDF5 chunks as they lie in the file, and the frames that they hold. The bytes of such
// a block are the number of its chunks, a table of them, and what each has.
#pragma once

#include "host/readers/hdf5_segments.hpp"
#include "kernels/array.hpp"
#include "kernels/events.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

namespace xpcs {

/// A chunk in a block: `bytes` of the block from `offset` on; 0 bytes for one that the file does
/// not have.
struct ChunkEntry {
    std::int64_t frame;  ///< of the run
    std::int64_t row, col;
    std::uint64_t offset, bytes;
    std::uint64_t skipped;  ///< filters
    std::uint64_t address;  ///< in the file that holds the samples
};

/// Calls visit with every entry of the table of a block.
template <class Visit>
void for_chunks(const RawVector<std::byte>& bytes, const Visit& visit) {
    std::uint64_t n_chunks = 0;
    std::memcpy(&n_chunks, bytes.data(), sizeof n_chunks);
    for (std::uint64_t i = 0; i < n_chunks; ++i) {
        ChunkEntry entry{};
        std::memcpy(&entry, bytes.data() + sizeof n_chunks + i * sizeof entry, sizeof entry);
        visit(entry);
    }
}

/// File, dataset and frame of the dataset, for messages.
std::string place_of(const FrameSegment& segment, std::int64_t frame);

/// Frames that lie in the file sample after sample, in any storage that leaves them together: the
/// same part of each can be read without the rest.
bool has_plain_frames(const FrameSegment& segment);

/// The frames of a block whose chunks are whole frames as they are, one behind the other; null
/// where they have to be put together.
const std::byte*
plain_frames(const FrameSegment& segment, const RawBlock& block, std::size_t n_bytes);

/// Decodes the chunks of a block to `samples`, those of `frames`. Thread-safe. Throws Error (data)
/// where one is damaged.
void decode_chunks(const FrameSegment& segment,
                   const RawBlock& block,
                   const DenseChunk& frames,
                   std::span<std::byte> samples);

}  // namespace xpcs
