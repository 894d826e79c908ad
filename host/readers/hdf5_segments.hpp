// SPDX-License-Identifier: BSD-3-Clause
// Where the frames of an HDF5 run lie: one dataset, the linked files of a master, the sources of a
// virtual dataset, several files in order. Found when a run is opened, read one by one.
#pragma once

#include "host/h5.hpp"
#include "host/readers/chunk_codec.hpp"
#include "host/readers/frame_source.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xpcs {

/// Consecutive frames of one dataset.
struct FrameSegment {
    std::string file;        ///< that is opened
    std::string dataset;     ///< path in it; may be an external link
    std::string stored_in;   ///< the file that holds the samples
    std::int64_t first = 0;  ///< frame of the run
    std::int64_t n_frames = 0;
    std::int64_t source_first = 0;  ///< its frame in the dataset
    std::int64_t rows = 0, cols = 0;
    int sample_bytes = 0;                   ///< 1, 2, 4
    std::optional<std::int64_t> channel;    ///< (frame, channel, row, column)
    h5::Shape chunk;                        ///< frames, rows, columns; empty if not chunked
    bool native_order = true;               ///< of the bytes of a sample
    std::optional<ChunkPipeline> pipeline;  ///< chunks are read as they lie and decoded here

    std::int64_t end() const { return first + n_frames; }
    std::int64_t frame_bytes() const { return rows * cols * sample_bytes; }
};

/// Frames of `path` and then of options.more_files. Adds to `info`: files, n_bytes, warnings.
/// Throws Error: no_input (missing), data (no frames found - lists the 3-D datasets there are -,
/// sample type, filter not available, no channel chosen, files that do not fit together).
std::vector<FrameSegment>
find_segments(const std::string& path, const SourceOptions& options, SourceInfo& info);

/// The group with frame_ptr, index and intensity of a sparse file, "" if it has none.
std::string sparse_group_of(const h5::File& file, const SourceOptions& options);

}  // namespace xpcs
