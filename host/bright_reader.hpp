// SPDX-License-Identifier: BSD-3-Clause
// Sparse files of bright runs: their words are read as whole frames, and become lines
// (kernels/word_lines.hpp), not events.
#pragma once

#include "host/series_reader.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace xpcs {

/// What a sparse file looks like at a few places, if it can be read this way.
struct BrightProbe {
    double frames = 0;           ///< from the first word to the last
    double occupancy = 0;        ///< words of kept pixels, of the samples that these have
    double bytes_of_sample = 0;  ///< that lines will take
};

/// Nothing where the words are not those of one file, in frame order as far as it was looked at.
/// Throws Error.
std::optional<BrightProbe> probe_bright(const ReadOptions& options, const Partition& partition);

/// Thrown where a file turns out to be none for lines; read_series() takes it.
struct NotBright {
    std::string reason;
};

/// The same series as read_series(), dense, with the same counts. Deterministic, whatever the
/// number of threads. Throws Error, SeriesTooLarge, NotBright.
ReadResult read_bright_series(const ReadOptions& options,
                              const Partition& partition,
                              const SeriesRange& range);

}  // namespace xpcs
