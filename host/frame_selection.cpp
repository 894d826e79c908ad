// SPDX-License-Identifier: BSD-3-Clause
#include "host/errors.hpp"
#include "host/run_result.hpp"

#include <algorithm>

namespace xpcs {

namespace {

[[noreturn]] void refuse(const std::string& text) {
    throw Error(ExitCode::config, "frame selection: " + text);
}

/// A negative begin counts from the end; the result lies in [0, n_frames].
std::int64_t resolve_begin(std::int64_t begin, std::int64_t n_frames) {
    // Compared before it is added: begin may be the most negative number.
    if (begin < 0) return begin < -n_frames ? 0 : begin + n_frames;
    return std::min(begin, n_frames);
}

void check_arguments(std::int64_t n_frames_file,
                     std::int64_t end,
                     std::int64_t stride,
                     std::int64_t average) {
    if (n_frames_file < 1) {
        refuse("the file has " + std::to_string(n_frames_file) + " frames; at least 2 needed");
    }
    if (end < -1) {
        refuse("end frame " + std::to_string(end) +
               "; a frame number (exclusive), or 0 or -1 for all, allowed");
    }
    if (stride < 1) refuse("stride " + std::to_string(stride) + "; at least 1 allowed");
    if (average < 1) refuse("average " + std::to_string(average) + "; at least 1 allowed");
}

}  // namespace

FrameSelection select_frames(std::int64_t n_frames_file,
                             std::int64_t begin,
                             std::int64_t end,
                             std::int64_t stride,
                             std::int64_t average) {
    check_arguments(n_frames_file, end, stride, average);
    FrameSelection out;
    out.n_frames_file = n_frames_file;
    out.stride = stride;
    out.average = average;
    out.end = end > 0 ? std::min(end, n_frames_file) : n_frames_file;
    out.begin = resolve_begin(begin, n_frames_file);
    const std::string of_file = " (the file has " + std::to_string(n_frames_file) + " frames)";
    if (out.begin >= out.end) {
        refuse("begin frame " + std::to_string(begin) + " is not before end frame " +
               std::to_string(out.end) + of_file);
    }
    const std::int64_t available = out.end - out.begin;
    // stride * average may not overflow; neither can exceed what is there.
    if (stride > available || average > available / stride) {
        refuse("stride " + std::to_string(stride) + " times average " + std::to_string(average) +
               " exceeds the " + std::to_string(available) + " frames selected" + of_file);
    }
    out.n_frames = available / (stride * average);
    if (out.n_frames < 2) {
        refuse(std::to_string(out.n_frames) + " frame is left of " + std::to_string(available) +
               " with stride " + std::to_string(stride) + " and average " +
               std::to_string(average) + "; at least 2 needed" + of_file);
    }
    out.raw_frames_used = out.n_frames * average;
    return out;
}

}  // namespace xpcs
