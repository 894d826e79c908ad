// SPDX-License-Identifier: BSD-3-Clause
// The frames of a dense run on a GPU, as they lie in the file: they go up as they are read, and the
// host never looks at a sample. Samples of pixels that are not kept, and samples without data, are
// 0 there.
//
//   DeviceFrames frames(partition, range, sample_bytes, n_frames, gpu);
//   frames.add(...);  // chunk after chunk
//   frames.finish();  // counts are known from here on
//
// Deterministic: all sums are integers.
#pragma once

#include "kernels/events.hpp"
#include "kernels/frame_map.hpp"
#include "kernels/partition.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace xpcs {

struct SeriesCounts;
struct SeriesRange;
class FramePhotons;

namespace gpu {

class Upload;

/// The frames on the device, for the kernels. Frames count from SeriesRange::begin_frame.
struct FramesView {
    const void* samples = nullptr;  ///< [n_frames][pitch], unsigned
    int sample_bytes = 0;           ///< 1, 2 or 4
    std::int64_t pitch = 0;         ///< samples of a row: the detector's pixels, and some behind
    std::int64_t n_frames = 0;
    const std::uint32_t* pixel = nullptr;          ///< [n_kept]
    const Partition::KeptGroup* groups = nullptr;  ///< [pitch / 32]
    const std::uint32_t* largest = nullptr;        ///< [pitch / 128] largest sample there
};

class DeviceFrames {
  public:
    /// Pixels that share an entry of FramesView::largest.
    static constexpr std::int64_t largest_pixels = 128;

    /// Room for the frames begin_frame ... begin_frame + n_frames - 1 of `range`; all tiles. The
    /// partition outlives this object. Throws DeviceOutOfMemory, DeviceError.
    DeviceFrames(const Partition& partition,
                 const SeriesRange& range,
                 int sample_bytes,
                 std::int64_t n_frames,
                 int device);
    ~DeviceFrames();
    DeviceFrames(const DeviceFrames&) = delete;
    DeviceFrames& operator=(const DeviceFrames&) = delete;

    int device() const;

    /// Queues the frames of a chunk that are in the range. Their samples lie in the memory of
    /// `upload`, or are copied before this returns. Each frame comes at most once; what never comes
    /// counts nothing. One caller at a time. Throws std::invalid_argument (shape of the chunk).
    void add(const DenseChunk& chunk, Upload& upload);
    /// Nothing is added afterwards.
    void finish();

    const SeriesCounts& counts() const;
    std::int64_t last_frame() const;            ///< of the file; -1 if none came
    const FramePhotons& frame_photons() const;  ///< [frame - begin_frame] of the kept pixels
    /// [n_kept] 1 where a sample without data was met; empty if none was.
    const std::vector<std::uint8_t>& overflow() const;
    std::uint32_t largest_sample() const;

    /// Adds the photons of every pixel, in the file frames that `frames` uses, to sums [n_kept].
    void add_pixel_photons(const FrameMap& frames, std::vector<std::uint64_t>& sums) const;
    /// Photons of the marked pixels [n_kept], frame by frame; adds their lit samples to n_lit.
    std::vector<std::uint64_t> photons_on(const std::vector<std::uint8_t>& marked,
                                          std::int64_t& n_lit) const;
    /// Lit samples of pixels that are not marked, in frames that `frames` leaves out.
    std::int64_t n_lit_left_out(const FrameMap& frames,
                                const std::vector<std::uint8_t>& marked) const;

    FramesView view() const;

  private:
    struct Memory;
    std::unique_ptr<Memory> memory_;
};

/// Bytes of device memory that frames take.
std::uint64_t device_frames_bytes(std::int64_t n_pixels, std::int64_t n_frames, int sample_bytes);

}  // namespace gpu
}  // namespace xpcs
