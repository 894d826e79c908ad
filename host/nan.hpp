// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <limits>

namespace xpcs {

/// No signal, no value.
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

}  // namespace xpcs
