// SPDX-License-Identifier: BSD-3-Clause
// How much memory there is for a run, and how much it took.
#pragma once

#include <cstdint>
#include <string>

namespace xpcs {

/// Bytes that this process may still take: the smaller of what the machine and the control group
/// (batch job, container) have left. 0 if unknown.
std::uint64_t available_memory_bytes();

/// Largest resident size of this process so far.
std::uint64_t peak_memory_bytes();

/// "1.23 GiB"
std::string gib_text(double bytes);

}  // namespace xpcs
