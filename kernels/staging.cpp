// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/staging.hpp"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/parallel_for.h>

#include <cstring>

namespace xpcs {

void parallel_copy(void* to, const void* from, std::size_t bytes) {
    constexpr std::size_t grain = std::size_t{1} << 20;
    if (bytes <= grain) {
        if (bytes != 0) std::memcpy(to, from, bytes);
        return;
    }
    oneapi::tbb::parallel_for(
        oneapi::tbb::blocked_range<std::size_t>(0, bytes, grain), [&](const auto& part) {
            std::memcpy(static_cast<unsigned char*>(to) + part.begin(),
                        static_cast<const unsigned char*>(from) + part.begin(),
                        part.size());
        });
}

}  // namespace xpcs
