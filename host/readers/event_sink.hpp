// SPDX-License-Identifier: BSD-3-Clause
// Fills an EventChunk event by event and counts what every sparse format counts. For formats whose
// events are not read by a loop of their own.
#pragma once

#include "host/errors.hpp"
#include "host/readers/frame_source.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

namespace xpcs {

class EventSink {
  public:
    /// Frames are absolute and not below `frame_base`; at most `capacity` events will be added.
    EventSink(EventChunk& chunk,
              DecodeCounts& counts,
              std::int64_t frame_base,
              std::size_t capacity)
        : chunk_(chunk), counts_(counts), base_(frame_base), last_(frame_base) {
        chunk_.frame_base = frame_base;
        chunk_.resize(capacity);
    }

    /// A count of 0 is dropped and counted. Records, and frames without events, are the caller's to
    /// count.
    void add(std::int64_t frame, std::uint32_t pixel, std::uint32_t count) {
        counts_.last_frame = std::max(counts_.last_frame, frame);
        if (count == 0) {
            ++counts_.zero_count;
            return;
        }
        counts_.out_of_order += frame < last_;
        last_ = frame;
        counts_.largest_count = std::max<std::int64_t>(counts_.largest_count, count);
        counts_.at_maximum_3 += count == 3;
        counts_.at_maximum_15 += count == 15;
        counts_.at_maximum_255 += count == 255;
        counts_.at_maximum_4095 += count == 4095;
        const std::int64_t relative = frame - base_;
        if (relative < 0 || relative > std::numeric_limits<std::uint32_t>::max()) {
            throw Error(ExitCode::data,
                        "frame " + std::to_string(frame) + " is more than 2^32 frames from frame " +
                            std::to_string(base_) + " of the same block");
        }
        chunk_.pixel[n_] = pixel;
        chunk_.frame[n_] = static_cast<std::uint32_t>(relative);
        chunk_.count[n_++] = count;
    }
    void finish() { chunk_.resize(n_); }

  private:
    EventChunk& chunk_;
    DecodeCounts& counts_;
    std::int64_t base_, last_;
    std::size_t n_ = 0;
};

}  // namespace xpcs
