// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/frame_source.hpp"

#include <algorithm>

namespace xpcs {

void FrameSource::fetch(RawBlock&) const {}

void FrameSource::place(RawBlock&) {}

FrameSource::Undecoded FrameSource::undecoded(const RawBlock&) const {
    return {};
}

const FrameTimes& FrameSource::frame_times() const {
    static const FrameTimes none;
    return none;
}

std::int64_t frames_seen(const SourceInfo& info, std::int64_t last_frame) {
    if (info.n_frames > 0) return info.n_frames;
    return info.last_frame_partial ? last_frame : last_frame + 1;
}

DecodeCounts& DecodeCounts::operator+=(const DecodeCounts& other) {
    records += other.records;
    zero_count += other.zero_count;
    before_start += other.before_start;
    bad_index += other.bad_index;
    out_of_order += other.out_of_order;
    last_frame = std::max(last_frame, other.last_frame);
    counter_wraps = std::max(counter_wraps, other.counter_wraps);
    at_maximum_3 += other.at_maximum_3;
    at_maximum_15 += other.at_maximum_15;
    at_maximum_255 += other.at_maximum_255;
    at_maximum_4095 += other.at_maximum_4095;
    largest_count = std::max(largest_count, other.largest_count);
    return *this;
}

}  // namespace xpcs
