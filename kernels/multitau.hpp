// SPDX-License-Identifier: BSD-3-Clause
// Multi-tau correlation of every kept pixel, summed over static bins.
//
//   G2(tau)     = 1/(n 4^l) sum_j B_j B_{j+x}       tau = x 2^l frames, n = floor(T / 2^l) - x
//   past(tau)   = 1/(n 2^l) sum_j B_j               (IP)
//   future(tau) = 1/(n 2^l) sum_j B_{j+x}           (IF)
//   g2_s(tau)   = <G2>_s / (<past>_s <future>_s),   g2(tau) = mean of g2_s over the static bins
//
// B_j are sums of counts over blocks of 2^l frames. Source: K. Schaetzel, Quantum Optics 2, 287
// (1990); normalisation with past and future ("symmetric") from the same work; the static bins are
// those of XPCS practice, D. Lumma et al., Rev. Sci. Instrum. 71, 3274 (2000).
//
// Without frame weights every sum is an integer: the same on CPU and GPU, for any number of threads
// and any order. With weights, and for g2_err, sums are doubles added up in a fixed order.
#pragma once

#include "kernels/device.hpp"
#include "kernels/frame_map.hpp"
#include "kernels/hd.hpp"
#include "kernels/lag_ladder.hpp"
#include "kernels/partition.hpp"
#include "kernels/pixel_series.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace xpcs {

/// Frame normalisation: B_t is the count divided by `norm[t]`, and frames with norm 0 are left out
/// of every average pair by pair.
struct FrameWeights {
    std::vector<double> weight;  ///< [T] 1 / f_t with f_t = S_t / <S>; 0 for a frame left out
    bool any_left_out = false;
};

/// f_t = S_t / <S> from the photons of each analysis frame; <S> is the mean over the frames that
/// have any. All frames empty: every weight is 0.
FrameWeights make_frame_weights(const std::vector<std::uint64_t>& frame_photons);

/// Tiles t with the same t / bundle_tiles are a bundle.
constexpr std::int64_t bundle_tiles = 64;

/// Floating-point sums of one tile, or of all tiles of a bundle, for the bins touched. The tiles of
/// a bundle are added up in order, then the bundles in order, so that the result depends neither on
/// threads nor on devices nor on ranges.
struct PackedTile {
    static constexpr int ratio_arrays = 2, weighted_arrays = 3;  ///< see BinSums
    std::vector<std::uint32_t> bins;
    std::vector<double> values;  ///< [bins][arrays][n_lags]
    std::int64_t bundle = 0;     ///< tile / bundle_tiles
};

/// Sums over the pixels of every static bin; lag-wise, not yet divided by pairs or pixels.
struct BinSums {
    LagLadder ladder;
    std::uint32_t n_static = 0;
    std::uint32_t n_dynamic = 0;
    bool weighted = false;

    std::vector<uint128> G2, past, future;   ///< [n_static][n_lags], counts
    std::vector<double> pairs;               ///< [n_lags] n, less the pairs of frames left out
    std::vector<std::int64_t> n_pixels;      ///< [n_static] pixels that took part
    std::vector<std::int64_t> n_signal;      ///< [n_dynamic][n_lags] pixels with past, future > 0
    std::vector<PackedTile> ratio_tiles;     ///< by dynamic bin: sum, sum of squares of pixel g2
    std::vector<PackedTile> weighted_tiles;  ///< by static bin: G2, past, future; with weights
};

/// G2, past and future means of the pixels of one tile, for output; [n_lags][n_pixels] each.
struct PixelMeans {
    std::int64_t first_slot = 0;
    std::int64_t n_pixels = 0;
    std::vector<float> G2, past, future;
};

struct MultitauRequest {
    FrameMap frames;
    const FrameWeights* weights = nullptr;                ///< null: plain counts
    const std::vector<std::uint8_t>* excluded = nullptr;  ///< [n_kept] 1 = pixel takes no part
    int n_partial = 0;                                    ///< slices for partial g2
    bool partial_cumulative = false;
    int n_segments = 0;  ///< slices of `segment_frames` frames for the SAXS segments
    std::int64_t segment_frames = 0;
    int threads = 0;  ///< 0 = all
    /// If set, called tile after tile, in ascending order, with the means of its pixels.
    std::function<void(const PixelMeans&)> pixel_means;
    /// If set, called now and then with the number of pixels done since the last call; it may throw
    /// to stop the run. Called from several threads.
    std::function<void(std::int64_t)> progress;
    double dense_neighbours = 0;  ///< 0 = default; see multitau_core::choose_dense_level
    /// GPU: upper limit of the device memory used, per device; 0 = most of what is free.
    std::uint64_t device_memory_bytes = 0;
};

/// What one pass over a range of tiles gives; passes over disjoint ranges merge with `+=`.
struct MultitauSums {
    BinSums whole;
    std::vector<BinSums> partial;
    std::vector<std::int64_t> partial_begin;     ///< [n_partial + 1] frames
    std::vector<std::uint64_t> pixel_photons;    ///< [n_kept] in the analysis frames
    std::vector<std::uint64_t> segment_photons;  ///< [n_static][n_segments]
    std::int64_t duplicates = 0;                 ///< sparse: records summed into an earlier one
    std::int64_t events_used = 0;                ///< records inside the analysis frames

    /// Adds the sums of a later range of tiles; those of all tiles before are in already.
    void merge(const MultitauSums& later);
};

namespace cpu {
MultitauSums multitau(const PixelSeries& series, const MultitauRequest& request);
}
namespace gpu {
/// The same on the current CUDA device. Sums of counts are equal to those of the CPU, sums of
/// doubles equal to rounding and the same in every run. Throws DeviceError, and DeviceOutOfMemory
/// if not even one tile of 512 pixels fits.
MultitauSums multitau(const PixelSeries& series, const MultitauRequest& request);
/// The same on several devices, given by their CUDA numbers: the same bytes as on one.
MultitauSums multitau(const PixelSeries& series,
                      const MultitauRequest& request,
                      const std::vector<int>& devices);
}  // namespace gpu

/// On the device chosen by choose_device().
MultitauSums
multitau(const PixelSeries& series, const MultitauRequest& request, const Device& device);

}  // namespace xpcs
