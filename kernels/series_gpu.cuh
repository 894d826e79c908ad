// SPDX-License-Identifier: BSD-3-Clause
// A batch of tiles of a PixelSeries on a GPU: packed records or rows go up in pieces, are unpacked,
// sorted by pixel and reduced to the analysis frames there.
#pragma once

#include "kernels/cuda_support.cuh"
#include "kernels/device_frames.hpp"
#include "kernels/gpu_batches.hpp"
#include "kernels/gpu_sort.cuh"
#include "kernels/multitau.hpp"
#include "kernels/pixel_series.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xpcs::gpu {

/// Frames on the device, and the pixels of a batch among them.
struct FramesOfBatch : FramesView {
    // `pixel` is that of the batch's slots.
    std::uint32_t first_slot = 0;
    std::int64_t first_column = 0;  ///< even: pixels of the detector from the batch's first ...
    std::int64_t end_column = 0;    ///< ... to its last
    std::uint32_t largest_sample = 0;
};

/// The data of a batch as the correlation kernels see them. Slots count from the batch's first.
struct SeriesView {
    bool dense = false;
    std::uint32_t n_slots = 0;
    std::int64_t n_frames = 0;  ///< of the analysis
    // Sparse: the analysis frames of every pixel, equal neighbours merged.
    const std::uint64_t* words = nullptr;
    const std::uint32_t* begin = nullptr;  ///< [n_slots + 1] into words
    // Sparse: the records, in the file's frames, for pixels whose counts pass 32 bits.
    const std::uint64_t* keys = nullptr;  ///< slot above, frame - begin_frame below
    const std::uint32_t* counts = nullptr;
    const std::uint32_t* record_begin = nullptr;  ///< [n_slots + 1] into keys
    FrameMap frames;
    std::int64_t begin_frame = 0;
    // Dense: rows [n_slots][n_frames], or frames as they lie in the file.
    const std::uint32_t* rows = nullptr;
    FramesOfBatch raw;
    const std::uint64_t* totals = nullptr;      ///< [n_slots] photons in the analysis frames
    const std::uint8_t* excluded = nullptr;     ///< [n_slots] 1 = takes no part
    const std::uint32_t* static_bin = nullptr;  ///< [n_slots]
};

/// Sums over all batches of a device.
struct SeriesTallies {
    std::uint64_t* segments = nullptr;  ///< [n_static][n_segments]
    std::uint64_t* duplicates = nullptr;
    std::uint64_t* events_used = nullptr;
    int n_segments = 0;
    std::int64_t segment_frames = 0;
};

/// Page-locked buffers through which packed data go up, shared by the batches of a device: while
/// one is copied and unpacked, the host fills the next.
class Staging {
  public:
    static constexpr int n_buffers = 3;
    /// None for events that are on the device already.
    Staging(std::size_t bytes, const PixelSeries& series, const Stream& stream);

    struct Buffer {
        PinnedArray<unsigned char> host;
        DeviceArray<unsigned char> device;
        Event done;
    };
    std::size_t bytes() const { return bytes_; }
    /// The next buffer, when the work that used it last is done. Mark it with `done` when queued.
    Buffer& acquire();

  private:
    std::size_t bytes_;
    std::vector<Buffer> buffers_;
    std::size_t next_ = 0;
};

/// Device memory of one batch in flight.
class SeriesBuffers {
  public:
    /// What the kernels get: sorted events, rows of frames, or frames that are on the device.
    enum class Form { events, rows, frames };

    /// For batches of at most this size; `n_frames` of the analysis counts for rows only.
    SeriesBuffers(std::size_t n_slots, std::size_t n_events, Form form, std::int64_t n_frames);

    /// Bytes that the constructor takes, without the sort's work space.
    static std::size_t bytes_per_event() { return 24; }
    static std::size_t bytes_per_slot(Form form, std::int64_t n_frames) {
        return 32 + (form == Form::rows ? static_cast<std::size_t>(n_frames) * 4 : 0);
    }

    /// Queues everything from the upload to the sorted series. Totals and tallies are for later
    /// where the form is frames.
    SeriesView load(const PixelSeries& series,
                    const MultitauRequest& request,
                    const Batch& batch,
                    const SeriesTallies& tallies,
                    Staging& staging,
                    const Stream& stream);

    std::uint64_t* totals() const { return totals_.data(); }

  private:
    void load_events(const PixelSeries& series,
                     const Batch& batch,
                     Staging& staging,
                     const Stream& stream);
    void sort_events(const PixelSeries& series, const Batch& batch, const Stream& stream);
    void take_events(const DeviceEvents& events, const Batch& batch, const Stream& stream);
    void load_rows(const PixelSeries& series,
                   const FrameMap& frames,
                   const Batch& batch,
                   Staging& staging,
                   const Stream& stream);
    void fill_rows(const FramesOfBatch& raw, const SeriesView& view, const Stream& stream);
    void sum_rows(const SeriesView& view, const SeriesTallies& tallies, const Stream& stream);

    Form form_;

    DeviceArray<std::uint64_t> keys_[2];
    DeviceArray<std::uint32_t> values_[2];
    DeviceArray<unsigned char> workspace_;
    DeviceArray<std::uint32_t> begin_, record_begin_, static_bin_;
    DeviceArray<std::uint32_t> rows_;
    DeviceArray<std::uint64_t> totals_;
    DeviceArray<std::uint8_t> excluded_;
    SortBuffers sorted_{};
    std::vector<std::uint8_t> excluded_host_;
};

}  // namespace xpcs::gpu
