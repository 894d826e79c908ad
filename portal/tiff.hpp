// SPDX-License-Identifier: BSD-3-Clause
// Images as numbers: 32-bit floats, one channel, as image programs and numpy read them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs::portal {

/// Writes rows x cols values. Throws Error (cannot_create, io).
void write_tiff(const std::string& path,
                std::int64_t rows,
                std::int64_t cols,
                const std::vector<double>& values);

}  // namespace xpcs::portal
