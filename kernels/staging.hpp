// SPDX-License-Identifier: BSD-3-Clause
// Copying into page-locked memory: one thread reaches a fraction of what a PCIe link takes.
#pragma once

#include <cstddef>

namespace xpcs {

/// memcpy by several threads.
void parallel_copy(void* to, const void* from, std::size_t bytes);

}  // namespace xpcs
