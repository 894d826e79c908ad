// SPDX-License-Identifier: BSD-3-Clause
// What all ways of reading a series share.
#pragma once

#include "host/series_reader.hpp"

#include <cstdint>
#include <memory>

namespace xpcs {

/// The source, of the shape and the frames that the run has.
std::unique_ptr<FrameSource> open_selected(const ReadOptions& options, const SeriesRange& range);

/// Throws SeriesTooLarge where the series and what goes with frames up to `last` pass the limit.
void require_room(const ReadOptions& options,
                  const SeriesRange& range,
                  const PixelSeries& series,
                  std::int64_t last);

/// What was met in words that were not decoded.
void add_words(DecodeCounts& counts, const WordCounts& words);

}  // namespace xpcs
