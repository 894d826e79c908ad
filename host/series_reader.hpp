// SPDX-License-Identifier: BSD-3-Clause
// From a raw file to a PixelSeries: reading, decoding and sorting overlap, a block at a time.
#pragma once

#include "host/readers/frame_source.hpp"
#include "kernels/partition.hpp"
#include "kernels/pixel_series.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace xpcs {

struct ReadOptions {
    std::string raw;
    SourceOptions source;
    std::int64_t rows = 0, cols = 0;  ///< of the q-map, for files that carry no shape
    bool dense_rows = false;          ///< keep whole frames as rows instead of events; of sparse
                                      ///< files see bright_reader.hpp
    int threads = 0;                  ///< 0 = all
    std::string progress = "auto";
    std::uint64_t memory_limit = 0;  ///< bytes of the series and of what goes with frames; 0 = none
    std::uint64_t frame_bytes = 0;   ///< that the caller has, or will have, for each frame
    std::int64_t words_of_stretch = 0;  ///< that one thread takes of a bright file; 0 = chosen
    int sample_bits = 4;                ///< of rows: the narrowest width tried
    bool keep = true;                   ///< false: only frame sums and counts
    std::function<void()> between;      ///< if set, called before every block; may throw to stop
};

/// Threads that a run uses unless told.
int default_threads();

/// Thrown where the series outgrows ReadOptions::memory_limit; the caller takes fewer tiles, unless
/// the frames alone are too many.
struct SeriesTooLarge {
    std::int64_t frames = 0;  ///< met so far
};

struct ReadResult {
    PixelSeries series;
    DecodeCounts decode;
    FrameTimes times;  ///< of the frames read, where the format has them
};

/// Reads the tiles and frames of `range`. Deterministic, whatever the number of threads.
/// Throws Error (of the source; interrupted), SeriesTooLarge.
ReadResult
read_series(const ReadOptions& options, const Partition& partition, const SeriesRange& range);

/// Thrown where only the host can decode a file, or can say what is wrong with it.
struct NeedsHostDecoding {
    std::string reason;
};

/// The same with events that a GPU decodes and sorts (SourceInfo::n_words is not 0), or with frames
/// that it takes as they are (SourceInfo::whole_frames, and ReadOptions::dense_rows). `open` is
/// called once there are words or frames: it returns the CUDA number of the GPU when that is open,
/// or throws. The same counts as read_series(). Throws NeedsHostDecoding, DeviceError as well.
ReadResult read_series_onto_gpu(const ReadOptions& options,
                                const Partition& partition,
                                const SeriesRange& range,
                                const std::function<int()>& open);

/// What the first frames of a dense source look like.
struct DenseProbe {
    double occupancy = 0;
    std::uint32_t sample_bytes = 1;  ///< that rows will need
};
DenseProbe
probe_dense(const ReadOptions& options, const Partition& partition, const SeriesRange& range);

/// How many frames a sparse source may have, from its first block and the share that this is of the
/// file; 0 if that tells nothing.
double probe_frames(const ReadOptions& options);

}  // namespace xpcs
