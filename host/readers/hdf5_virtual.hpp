// SPDX-License-Identifier: BSD-3-Clause
// The sources of a virtual dataset whose frames lie one file after the other.
#pragma once

#include "host/h5.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xpcs {

struct VirtualPart {
    std::string file;  ///< with the directory of the virtual dataset's file
    std::string dataset;
    std::int64_t first = 0, n_frames = 0;  ///< in the virtual dataset
    std::int64_t source_first = 0;         ///< in the source
};

/// The parts in order of time; empty for a dataset that is not virtual. Throws Error (data) where
/// frames are put together from several files, or have gaps: what is missing would read as 0.
std::optional<std::vector<VirtualPart>> virtual_parts(const h5::Dataset& dataset,
                                                      const std::string& path);

}  // namespace xpcs
