// SPDX-License-Identifier: BSD-3-Clause
// The files of a simulated run besides the raw ones: metadata, truth; and the names of all.
#pragma once

#include "host/simulate.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

/// "a/b" of "a/b.bin", "a/b.bin.000", "a/b.h5". Throws Error (config) for an ending that the format
/// does not have.
std::string simulated_stem(const SimulateOptions& options);

/// Raw files of the run, the one to read first.
std::vector<std::string> simulated_files(const SimulateOptions& options);

void write_simulated_metadata(const std::string& path,
                              const SimulateOptions& options,
                              const SimulateReport& report);
std::string simulated_truth(const SimulateOptions& options, const SimulateReport& report);

}  // namespace xpcs
