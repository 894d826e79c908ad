// SPDX-License-Identifier: BSD-3-Clause
// Arrays of numbers inside a page: 16-bit codes, deflated (zlib format), base64. The browser undoes
// it with its own DecompressionStream.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs::portal {

std::string base64(const std::vector<std::uint8_t>& bytes);

/// All low bytes, then all high bytes: deflates better than pairs.
std::string pack(const std::vector<std::uint16_t>& codes);

/// Values as codes: 0 = no value (NaN), 1 ... n_codes from `low` to `high` in equal steps of the
/// value or of its logarithm; outside of the range the nearest.
struct Quantised {
    std::string data;
    double low = 0;
    double high = 1;
    int n_codes = 0;
    bool logarithmic = false;
};

/// Range: smallest to largest finite value (> 0 where logarithmic; 0 then gets code 1).
Quantised quantise(const std::vector<double>& values, bool logarithmic, int n_codes);

}  // namespace xpcs::portal
