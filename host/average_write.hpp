// SPDX-License-Identifier: BSD-3-Clause
// The parts of an average, written into an open HDF5 file.
#pragma once

#include "host/average_input.hpp"
#include "host/h5.hpp"

#include <vector>

namespace xpcs {

/// Everything but marks and names: /entry, q-map and options of the first result, means of all.
/// Throws Error (io; data for tables that differ in shape or cannot be read).
void write_average(hid_t file,
                   const std::vector<Repeat>& kept,
                   const std::vector<AveragedFile>& files,
                   const AverageOptions& options);

/// The maps of all bins, which exist in every result with the same shape.
void average_maps(hid_t file, const std::vector<Repeat>& kept);

const char* to_text(AverageWeights weights);

}  // namespace xpcs
