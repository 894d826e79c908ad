// SPDX-License-Identifier: BSD-3-Clause
// The dense UFXC dumps of 2015: frames of 128 x 256 counts, one after the other, of 2 bytes (July)
// or 1 byte (October), without a header. Pixels are taken to be column-major, as in the streams.
#pragma once

#include "host/readers/frame_source.hpp"

#include <memory>
#include <string>

namespace xpcs {

class RawFile;

/// Bytes per sample of a dump, 0 for a file that is none. Names ending in .u16.ufxc or .u8.ufxc say
/// it themselves. Other names in .ufxc, if the file is whole frames and no stream: more than one in
/// eight of its first 32-bit words are 0, which no record of a stream is, or they make no sense as
/// records. Then 2 bytes if every second byte of the first 16 frames is 0, else 1.
int ufxc_dump_bytes(const RawFile& file);

/// Throws Error: no_input, data (not a whole number of frames).
std::unique_ptr<FrameSource> open_ufxc_dense(const std::string& path,
                                             int sample_bytes,
                                             const SourceOptions& options,
                                             SourceInfo info = {});

}  // namespace xpcs
