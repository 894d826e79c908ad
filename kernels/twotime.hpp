// SPDX-License-Identifier: BSD-3-Clause
// Two-time correlation of one dynamic bin b of N pixels:
//
//   C(t1,t2) = N sum_p x(t1,p) x(t2,p) / ( sum_p x(t1,p) sum_p x(t2,p) )
//
// with x(t,p) = I(t,p) a(t, bin of p); the smoothing says what a is. M. Sutton et al., Opt. Express
// 11, 2268 (2003). The diagonal holds shot noise and is no correlation.
//
// A frame without counts in the bin has no C: NaN row and column, left out of every mean. Frame
// weights (f_t) cancel.
//
// Cost: a pixel with n events takes n^2/2 products (sparse), or T^2/2 multiply-adds at the speed of
// a matrix product (dense, for pixels with events in more than 15 % of the frames; chosen pixel by
// pixel). Squares of 256 x 256 frames are worked off in parallel and handed on at once, so
// memory grows with the events of one bin, not with T^2.
//
// Rounding: x is a float, sums are doubles (dense: floats over 64 pixels at most, then doubles), so
// that C is good to 1e-6 relative, and usually to 2e-7. The same for any number of threads.
#pragma once

#include "kernels/frame_map.hpp"
#include "kernels/pixel_series.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace xpcs {

/// What x is: the counts divided by
enum class TwotimeSmooth {
    static_bin,   ///< the mean of their static bin in the same frame
    dynamic_bin,  ///< the mean of their dynamic bin in the same frame (cancels: same C as none)
    time,         ///< the mean of their static bin over all frames
    none          ///< nothing
};
enum class TwotimeEngine { automatic, sparse, dense };

/// Longest side of a square of C that is handed on.
constexpr std::int64_t twotime_side = 256;
inline std::int64_t twotime_tile_side(std::int64_t n_frames) {
    return n_frames < twotime_side ? n_frames : twotime_side;
}

/// C for frames first_row ... and first_col ... (multiples of the side), first_row <= first_col.
struct TwotimeTile {
    std::int64_t first_row = 0, first_col = 0;
    /// [side][side]; 0 below the diagonal and beyond the last frame.
    const float* values = nullptr;
};

struct TwotimeRequest {
    FrameMap frames;
    const std::vector<std::uint8_t>* excluded = nullptr;  ///< [n_kept] 1 = pixel takes no part
    TwotimeSmooth smooth = TwotimeSmooth::static_bin;
    TwotimeEngine engine = TwotimeEngine::automatic;
    int threads = 0;  ///< 0 = all
    /// If set, called once for every tile of the upper triangle, from several threads.
    std::function<void(const TwotimeTile&)> tile;
    /// If set, called now and then with the finished part (0 ... 1) of the bin; may throw to stop.
    std::function<void(double)> progress;
};

struct TwotimeBin {
    std::int64_t n_pixels = 0;
    std::int64_t photons = 0;
    std::int64_t empty_frames = 0;    ///< frames without a count in the bin
    std::int64_t dense_pixels = 0;    ///< pixels that the dense engine took
    std::int64_t n_static = 0;        ///< static bins with a pixel
    std::int64_t segment_frames = 0;  ///< L = T / 5
    std::vector<double> g2;           ///< [T] mean of the k-th diagonal, k = 0 ... T - 1
    std::vector<double> g2_segments;  ///< [L][5] the same of five blocks of L frames
};

constexpr std::int64_t twotime_segments = 5;

namespace cpu {
/// `series` must hold all tiles. T below 2^32.
TwotimeBin
twotime(const PixelSeries& series, std::uint32_t dynamic_bin, const TwotimeRequest& request);
}  // namespace cpu

namespace gpu {
/// The same on one GPU, which keeps its buffers from bin to bin. Counts are multiplied and summed
/// as integers, so that only the factors and C itself are rounded. The engine that `request` names
/// has no meaning here. Device memory: a byte per pixel and frame of the bin (one more per digit of
/// counts above 127), and about 130 MiB. Throws DeviceError, DeviceOutOfMemory.
class TwotimeMaps {
  public:
    explicit TwotimeMaps(int device);
    ~TwotimeMaps();
    TwotimeMaps(const TwotimeMaps&) = delete;
    TwotimeMaps& operator=(const TwotimeMaps&) = delete;

    TwotimeBin
    correlate(const PixelSeries& series, std::uint32_t dynamic_bin, const TwotimeRequest& request);

  private:
    struct Memory;
    std::unique_ptr<Memory> memory_;
};
}  // namespace gpu

/// Bytes that cpu::twotime takes for a bin of `events` events, besides the series.
double twotime_bytes(double events, std::int64_t n_frames, std::int64_t n_pixels, int threads);

}  // namespace xpcs
