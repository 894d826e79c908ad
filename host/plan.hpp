// SPDX-License-Identifier: BSD-3-Clause
// --dry-run: what a run would do, before any event is read.
#pragma once

#include "host/run_result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

struct Plan {
    std::string raw;
    std::string format;  ///< in words, with what decided it
    std::vector<InputFile> inputs;
    std::int64_t rows = 0, cols = 0;
    FrameSelection frames;
    bool frames_from_hint = false;  ///< only reading will tell; n_frames_file is the expectation
    double frame_time_s = 0;        ///< of one raw frame, 0 = unknown
    std::int64_t pixels_kept = 0;
    std::uint32_t n_static = 0, n_dynamic = 0;
    std::vector<std::int64_t> lags;  ///< frames after stride and averaging
    std::string analysis;            ///< in words
    std::string engine;
    std::string device;
    std::uint64_t host_memory_bytes = 0;
    std::uint64_t device_memory_bytes = 0;
    std::string output;  ///< path that the result would get now
    std::vector<std::string> warnings;
};

/// One "name   value" line per fact.
std::string plan_text(const Plan& plan);
/// To standard output.
void print_plan(const Plan& plan);

}  // namespace xpcs
