// SPDX-License-Identifier: BSD-3-Clause
// Where the chunks of a dataset lie in its file.
//
// H5Dget_chunk_info_by_coord() goes through the chunks from the first one until it meets the one
// asked for: over all chunks of a file its time grows with the square of their number. Here it is
// O(log n) a chunk, whether the chunk was written or not.
#pragma once

#include "host/h5.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace xpcs::h5 {

struct ChunkPlace {
    std::uint64_t address = HADDR_UNDEF;
    std::uint64_t bytes = 0;    ///< 0 for a chunk that was never written
    std::uint32_t skipped = 0;  ///< filters
};

/// Borrows a chunked dataset that is open for reading. Up to HDF5 1.12 it holds nothing: the index
/// is asked by H5Dread_chunk(), and the driver of files that are only read notes where that would
/// read. From 1.14 on the first question makes a table, 32 bytes for each chunk.
class ChunkPlaces {
  public:
    explicit ChunkPlaces(const Dataset& dataset);

    /// The chunk that begins at `at`. nullopt: HDF5 failed, take_error() says why.
    std::optional<ChunkPlace> find(const Shape& at);

  private:
    hid_t dataset_;
#if H5_VERSION_GE(1, 14, 0)
    struct Entry {
        std::uint64_t number;  ///< of the chunk, in C order
        ChunkPlace place;
    };
    bool make_table();
    std::uint64_t number_of(const hsize_t* at) const;
    bool add(const hsize_t* at, const ChunkPlace& place);

    Shape shape_, chunk_;
    std::uint64_t n_chunks_ = 1;  ///< that there can be
    std::optional<std::vector<Entry>> table_;
#else
    bool plain_;  ///< its file is read by the driver that notes places
#endif
};

}  // namespace xpcs::h5
