// SPDX-License-Identifier: BSD-3-Clause
// Sparse HDF5: a group with frame_ptr (n_frames + 1), index and intensity (n_events), the events of
// frame k being [frame_ptr[k], frame_ptr[k + 1]). Several files in order are one run.
//
// Attributes `rows` and `cols` of the group give the shape of the detector; without them it is the
// q-map's.
#pragma once

#include "host/readers/frame_source.hpp"

#include <memory>
#include <string>

namespace xpcs {

/// True if the file (already known to be HDF5) holds such a group where options.dataset, or one of
/// the usual places, says.
bool looks_like_sparse_hdf5(const std::string& path, const SourceOptions& options);

/// Throws Error: no_input (missing), data (types, lengths that contradict each other, frame_ptr
/// that decreases, a pixel index beyond the detector).
std::unique_ptr<FrameSource>
open_hdf5_sparse(const std::string& path, const SourceOptions& options, SourceInfo info = {});

}  // namespace xpcs
