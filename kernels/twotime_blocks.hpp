// SPDX-License-Identifier: BSD-3-Clause
// A dynamic bin cut into blocks of frames, ready for either engine of two-time correlation.
#pragma once

#include "kernels/bin_events.hpp"
#include "kernels/twotime.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// Values of the pixels of a bin, block of frames by block of frames; 5 bytes per event. Pixels for
/// the sparse engine come first.
struct TwotimeBlocks {
    std::int64_t side = 0;
    std::int64_t n_frames = 0;
    std::int64_t n_blocks = 0;
    std::int64_t n_pixels = 0;
    std::int64_t n_sparse = 0;
    std::vector<std::uint64_t> begin;  ///< [n_blocks][n_pixels + 1] into frame and value
    RawVector<std::uint8_t> frame;     ///< within the block
    RawVector<float> value;
    std::vector<double> sum;  ///< [n_frames] of x over the pixels; 0 for an empty frame

    const std::uint64_t* block(std::int64_t b) const { return begin.data() + b * (n_pixels + 1); }
};

/// Share of frames with an event above which a pixel goes to the dense engine.
double dense_share(TwotimeEngine engine);

TwotimeBlocks make_blocks(const BinEvents& events,
                          const Partition& partition,
                          const TwotimeRequest& request,
                          TwotimeBin& about);

}  // namespace xpcs
