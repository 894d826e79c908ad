// SPDX-License-Identifier: BSD-3-Clause
// Two-time correlation whose resolution falls with the lag: memory and work grow with T, not T^2.
//
// At level c = 0, 1, 2, ... frames are summed in blocks of 2^c, I_c(j,p). Channels are the lags of
// ch = 1 ... 2^d - 1 blocks at level 0 and ch = 2^(d-1) ... 2^d - 1 above (d = depth):
//
//   C_{c,ch}(j) = N sum_p I_c(j,p) I_c(j+ch,p) / ( sum_p I_c(j,p) sum_p I_c(j+ch,p) )
//   lag = ch 2^c     age of the centre = j 2^c + (1 + ch) 2^c / 2      in frames
//
// F. Brugnara et al., J. Synchrotron Rad. 33, 698 (2026). Counts are re-binned at every level, so
// each value is a ratio of sums. Blocks without counts give NaN. Frames beyond floor(T / 2^c) whole
// blocks are left out at level c. About (1.5 2^d - 1) T values.
//
// Sums of counts are integers (exact up to 2^53); the same for any number of threads.
#pragma once

#include "kernels/frame_map.hpp"
#include "kernels/pixel_series.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace xpcs {

/// What a level has; the same for every bin.
struct BandLevel {
    int level = 0;
    std::int64_t n_blocks = 0;           ///< floor(T / 2^level)
    std::vector<std::int32_t> channels;  ///< lags in blocks, ascending, each below n_blocks
};
/// Levels that have a channel with at least one value, in order.
std::vector<BandLevel> band_levels(std::int64_t n_frames, int depth);

constexpr int default_band_depth = 4;

struct BandRequest {
    FrameMap frames;
    int depth = default_band_depth;                       ///< 2 ... 8
    const std::vector<std::uint8_t>* excluded = nullptr;  ///< [n_kept] 1 = pixel takes no part
    int threads = 0;                                      ///< 0 = all
    /// Called level after level with c2 [channels][n_blocks], NaN for j >= n_blocks - ch.
    std::function<void(const BandLevel&, const std::vector<float>& c2)> level;
    /// If set, called now and then with the finished part (0 ... 1); may throw to stop.
    std::function<void(double)> progress;
};

/// g2 of one bin: mean over j of every channel of every level, in order of lag.
struct BandBin {
    std::int64_t n_pixels = 0;
    std::int64_t photons = 0;
    std::vector<std::int64_t> lag;       ///< frames, ascending
    std::vector<std::int64_t> n_values;  ///< values of C that are not NaN
    std::vector<double> g2;              ///< mean, NaN without values
    std::vector<double> g2_err;          ///< standard deviation (ddof 1) / sqrt(n), NaN for n < 2
};

namespace cpu {
/// `series` must hold all tiles.
BandBin
twotime_multitau(const PixelSeries& series, std::uint32_t dynamic_bin, const BandRequest& request);
}  // namespace cpu

/// Bytes that cpu::twotime_multitau takes for a bin of `events` events, besides the series.
double band_bytes(double events, std::int64_t n_frames, int depth, int threads);

}  // namespace xpcs
