// SPDX-License-Identifier: BSD-3-Clause
// Writes whole chunks of a dataset, compressed by the threads that bring them: HDF5 itself would
// compress one after the other.
#pragma once

#include "host/h5.hpp"

#include <cstddef>
#include <string>

namespace xpcs {

/// A dataset of float32 with byte shuffling and gzip, stored in chunks of one shape. Chunks never
/// written read as 0.
class ChunkWriter {
  public:
    /// Creates the dataset; `chunk` is no longer than `shape` along any axis. Throws Error (io).
    ChunkWriter(hid_t file, const std::string& path, const h5::Shape& shape, h5::Shape chunk);

    /// `values`: one whole chunk (padded at the edges of the dataset) that begins at `offset`, a
    /// multiple of the chunk's shape. From any number of threads. Throws Error (io).
    void write(const h5::Shape& offset, const float* values);

    const h5::Dataset& dataset() const { return dataset_; }
    void close() { dataset_.close(); }

  private:
    h5::Shape chunk_;
    std::size_t n_values_;
    h5::Dataset dataset_;
};

}  // namespace xpcs
