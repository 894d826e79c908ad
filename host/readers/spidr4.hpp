// SPDX-License-Identifier: BSD-3-Clause
// Raw Timepix4 streams (spidr4_word.hpp), experimental: the layout is that of other SPIDR4 systems
// and was not compared with a file of this beamline; a warning says so.
//
// Hits are binned in time: frame = floor((t - t0) / bin), whole ticks of 25 ns / 128 throughout. t0
// is the first time synchronisation of the stream, or its first heartbeat, if one comes before the
// first hit; else 0. Each half of the chip has its own clock count, extended from 16 bits by its
// heartbeats and hits. The bin in which the stream ends is incomplete and left out.
#pragma once

#include "host/readers/frame_source.hpp"

#include <memory>
#include <string>

namespace xpcs {

/// Ticks in a bin of `seconds`, rounded. Throws Error (config) outside of 1 ... 2^40 ticks.
std::int64_t spidr4_bin_ticks(double seconds);

/// options.more_files: other streams of the same run (the other half). options.run_config_path: a
/// JSON object; `detector` must be Timepix4 if it is there, `digital_pixels` "skip" or "keep";
/// other keys are named in a warning. Throws Error: no_input, data (no mark, packet of unknown kind
/// or cut short), config (bin, run configuration).
std::unique_ptr<FrameSource>
open_spidr4(const std::string& path, const SourceOptions& options, SourceInfo info = {});

}  // namespace xpcs
