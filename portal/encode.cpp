// SPDX-License-Identifier: BSD-3-Clause
#include "portal/encode.hpp"

#include "host/errors.hpp"

#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>

namespace xpcs::portal {

std::string base64(const std::vector<std::uint8_t>& bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const int length = EVP_EncodeBlock(
        reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(length));
    return out;
}

std::string pack(const std::vector<std::uint16_t>& codes) {
    std::vector<std::uint8_t> planes(2 * codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) {
        planes[i] = static_cast<std::uint8_t>(codes[i] & 0xff);
        planes[codes.size() + i] = static_cast<std::uint8_t>(codes[i] >> 8);
    }
    uLongf length = compressBound(planes.size());
    std::vector<std::uint8_t> packed(length);
    if (compress2(packed.data(), &length, planes.data(), planes.size(), 6) != Z_OK) {
        throw Error(ExitCode::no_memory, "report: an image of the page cannot be compressed");
    }
    packed.resize(length);
    return base64(packed);
}

Quantised quantise(const std::vector<double>& values, bool logarithmic, int n_codes) {
    Quantised out;
    out.n_codes = n_codes;
    out.logarithmic = logarithmic;
    bool any = false;
    for (const double value : values) {
        if (std::isfinite(value) && (!logarithmic || value > 0)) {
            out.low = any ? std::min(out.low, value) : value;
            out.high = any ? std::max(out.high, value) : value;
            any = true;
        }
    }
    if (!any) {
        out.low = logarithmic ? 1 : 0;
        out.high = logarithmic ? 10 : 1;
    } else if (out.low == out.high) {
        out.high = logarithmic ? 10 * out.low : out.low + std::max(1.0, std::abs(out.low));
    }
    const auto scale = [&](double v) { return logarithmic ? std::log(v) : v; };
    const double low = scale(out.low), span = scale(out.high) - low;
    std::vector<std::uint16_t> codes(values.size(), 0);
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (!std::isfinite(values[i])) {
            continue;
        }
        const bool lowest = logarithmic && values[i] <= 0;
        const double step = lowest ? 0 : (scale(values[i]) - low) / span * (n_codes - 1);
        codes[i] =
            static_cast<std::uint16_t>(1 + std::lround(std::clamp(step, 0.0, n_codes - 1.0)));
    }
    out.data = pack(codes);
    return out;
}

}  // namespace xpcs::portal
