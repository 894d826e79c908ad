// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>

namespace xpcs {

/// "0.1.0"
std::string version();
/// Commit of the build, "unknown" outside a checkout.
std::string build_commit();
/// CUDA toolkit of the build, "none" without.
std::string cuda_version();

}  // namespace xpcs
