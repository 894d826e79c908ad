// SPDX-License-Identifier: BSD-3-Clause
// Frames as they lie in the file, correlated one or two pixels to a thread: neighbouring threads
// read neighbouring samples, each sample once.
#pragma once

#include "kernels/cuda_support.cuh"
#include "kernels/multitau_pixel_gpu.cuh"
#include "kernels/series_gpu.cuh"

#include <cstddef>
#include <cstdint>

namespace xpcs::gpu {

/// What passes over four levels each leave for the next ones.
class FrameWork {
  public:
    FrameWork() = default;
    /// For batches of at most n_slots pixels and n_frames analysis frames.
    FrameWork(std::size_t n_slots, std::int64_t n_frames, bool weighted);
    static std::size_t bytes_per_slot(std::int64_t n_frames, bool weighted);

    std::uint32_t* counts(int pass) const { return counts_[pass % 2].data(); }
    double* values(int pass) const { return values_[pass % 2].data(); }
    std::uint64_t* total() const { return total_.data(); }
    double* total_value() const { return total_value_.data(); }

  private:
    DeviceArray<std::uint32_t> counts_[2];  ///< [blocks of 16, of 16^2][n_slots]
    DeviceArray<double> values_[2];
    DeviceArray<std::uint64_t> total_;  ///< [n_slots] of a pass
    DeviceArray<double> total_value_;
};

/// The same as correlate_pixels, for series that have `raw` frames, no pixel of which has more than
/// narrow_total_limit photons. Where `tallies` and `totals` [n_slots] are not null, the stretch is
/// all frames: also puts there the photons of the pixels, and adds up the segments.
void correlate_frames(const SeriesView& series,
                      const StretchView& stretch,
                      const FrameWork& work,
                      const PixelSums& sums,
                      const SeriesTallies* tallies,
                      std::uint64_t* totals,
                      const Stream& stream);

}  // namespace xpcs::gpu
