// SPDX-License-Identifier: BSD-3-Clause
// Whole frames from an HDF5 dataset (frame, row, column) of uint8, uint16 or uint32, whatever its
// byte order, layout and filters, as long as HDF5 has the filters. Samples keep their bits: the
// all-ones value ("no data") stays the all-ones value.
#pragma once

#include "host/readers/frame_source.hpp"

#include <memory>
#include <string>

namespace xpcs {

/// Throws Error: no_input (missing), data (not HDF5, truncated, dataset missing - lists the 3-D
/// datasets there are -, not 3-D, other sample types, a filter that is not available).
std::unique_ptr<FrameSource>
open_hdf5_dense(const std::string& path, const SourceOptions& options, SourceInfo info = {});

/// Adds the plug-in folder of the distribution (or conda environment) that HDF5 itself came from to
/// HDF5's search path, so that a HDF5_PLUGIN_PATH that lacks it hides nothing. Called when opening.
void find_distribution_plugins();

}  // namespace xpcs
