// SPDX-License-Identifier: BSD-3-Clause
// The photons of one dynamic bin, pixel by pixel: what two-time correlation works on.
#pragma once

#include "kernels/array.hpp"
#include "kernels/frame_map.hpp"
#include "kernels/pixel_series.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// Events of the pixels of one dynamic bin, in analysis frames. Each pixel's frames ascend and
/// occur once: duplicates and averaged frames are summed. 8 bytes per event.
struct BinEvents {
    std::vector<std::uint32_t> slot;  ///< [n_pixels] kept pixels, ascending; excluded ones left out
    std::vector<std::uint64_t> begin;  ///< [n_pixels + 1]
    RawVector<std::uint32_t> frame;    ///< analysis frames
    RawVector<std::uint32_t> count;

    std::int64_t n_pixels() const { return static_cast<std::int64_t>(slot.size()); }
    std::int64_t n_events() const { return static_cast<std::int64_t>(frame.size()); }
    /// [n_frames] photons of every analysis frame.
    std::vector<std::uint64_t> frame_photons(std::int64_t n_frames) const;
};

/// a + b; throws std::overflow_error beyond 32 bits.
std::uint32_t add_counts(std::uint32_t a, std::uint32_t b);

/// Gathers a bin in parallel (`threads`, 0 = all); `series` must hold all tiles. `excluded`
/// [n_kept] may be null. The same for any number of threads.
BinEvents gather_bin(const PixelSeries& series,
                     const FrameMap& frames,
                     std::uint32_t dynamic_bin,
                     const std::vector<std::uint8_t>* excluded,
                     int threads);

}  // namespace xpcs
