// SPDX-License-Identifier: BSD-3-Clause
// IMM files: a header and a payload per frame, sparse or dense, frame by frame (imm_header.hpp).
//
// A file whose first frame is sparse is read as events, without an index: its number of frames is
// known at its end. A file whose first frame is dense is read as whole frames; its headers are
// walked when it is opened. A frame of the other kind is converted to that of the first.
#pragma once

#include "host/readers/frame_source.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace xpcs {

class RawFile;

/// Memory that a run has for the time stamps of a frame: what reading has collected (18 bytes) and
/// handed on as a copy (16), and what an earlier pass has kept (16).
inline constexpr std::uint64_t imm_times_bytes = 50;
/// Besides, where frames are dense, for the place of a frame in the file.
inline constexpr std::uint64_t imm_place_bytes = 8;

/// True if the file starts with an IMM header and, where it is longer, goes on with another one.
bool looks_like_imm(const RawFile& file);

/// Throws Error (data) when opening or reading, naming frame and byte offset: header or payload
/// incomplete (with options.allow_truncated the complete frames are used), mark missing, shape that
/// changes, dlen or a pixel index beyond the detector.
std::unique_ptr<FrameSource>
open_imm(const std::string& path, const SourceOptions& options, SourceInfo info = {});

}  // namespace xpcs
