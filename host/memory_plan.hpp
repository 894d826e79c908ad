// SPDX-License-Identifier: BSD-3-Clause
// --memory: what a run will take, and how many passes over the file keep it within that.
#pragma once

#include "host/run_setup.hpp"

namespace xpcs {

/// Chooses engine and number of passes, and sets what a pass may take. Throws Error (no_memory)
/// where not even one tile of pixels, or the arrays that go with the frames, would fit.
void plan_memory(const RunConfig& config, RunSetup& setup);

}  // namespace xpcs
