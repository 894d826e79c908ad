// SPDX-License-Identifier: BSD-3-Clause
// One GPU's share of a multi-tau pass: its memory, and its batches from upload to result.
#pragma once

#include "kernels/gpu_batches.hpp"
#include "kernels/multitau_frames_gpu.cuh"
#include "kernels/multitau_pixel_gpu.cuh"
#include "kernels/multitau_plan.hpp"
#include "kernels/multitau_reduce_gpu.cuh"
#include "kernels/series_gpu.cuh"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace xpcs::gpu {

/// What the devices of a pass share.
struct Pass {
    const PixelSeries& series;
    const MultitauRequest& request;
    const std::vector<Stretch>& stretches;
    std::vector<Batch> batches;
    std::vector<BatchGroups> groups;  ///< [batches]
    double neighbours = 0;
    std::size_t staging_bytes = 0;
    std::size_t in_flight = 2;  ///< batches per device
    std::size_t wide_capacity = 0;
    SeriesBuffers::Form form = SeriesBuffers::Form::events;

    bool takes_frames() const { return form == SeriesBuffers::Form::frames; }
    bool weighted() const { return request.weights != nullptr; }
    bool with_means() const { return static_cast<bool>(request.pixel_means); }
    int n_lags() const { return stretches.front().ladder.n_lags(); }
};

/// What a batch gives, copied from the device.
struct BatchResult {
    std::vector<std::vector<PackedTile>> ratios, weighted;  ///< [unit of the batch][stretch]
};

/// Lets the batches of several devices hand over their pixel means in ascending order.
class Turnstile {
  public:
    /// Waits for the turn of batch `index`; false if the pass has been given up.
    bool wait(std::size_t index);
    void advance();
    void give_up();
    bool given_up();

  private:
    std::mutex mutex_;
    std::condition_variable moved_;
    std::size_t next_ = 0;
    bool given_up_ = false;
};

/// Device memory of a pixel in flight, beside the series: sums, lists, means.
std::size_t result_bytes_per_slot(const Pass& pass);
/// Device memory that does not depend on the batches.
std::size_t fixed_bytes(const Pass& pass);

/// Owns all memory on one device. Made and used while that device is current.
class DeviceRun {
  public:
    explicit DeviceRun(const Pass& pass);

    /// Works off the batches first, first + step, ...; `results` and `pixel_photons` are those of
    /// all batches.
    void run(std::size_t first,
             std::size_t step,
             Turnstile& turnstile,
             std::vector<BatchResult>& results,
             std::uint64_t* pixel_photons);

    /// Adds the sums of all batches of this device.
    void add_totals(std::vector<BinSums>& sums, MultitauSums& out);

  private:
    /// A stretch on the device, with the sums over all batches.
    struct StretchMemory {
        StretchView view;
        DeviceArray<double> pairs;
        DeviceArray<std::uint32_t> taken;
        DeviceArray<std::uint64_t> taken_begin;
        DeviceArray<std::uint64_t> bins, n_signal;
    };
    /// Groups of the pixels of a batch by one kind of bin.
    struct GroupMemory {
        DeviceArray<std::uint32_t> begin, slots, bin;
        PixelGroups upload(const GroupTable& table, const Stream& stream);
    };
    /// One batch in flight. The stream comes last, so that it ends before the memory it uses.
    struct Slot {
        Slot(const Pass& pass, std::size_t n_slots, std::size_t n_events);
        std::size_t batch = idle;
        SeriesBuffers series;
        FrameWork frames;
        DeviceArray<std::uint64_t> G2, past, future, G2_high;
        DeviceArray<std::uint32_t> wide_place, list_slots, list_counters;
        DeviceArray<float> means;
        DeviceArray<double> packed;
        PinnedArray<float> means_host;
        PinnedArray<double> packed_host;
        PinnedArray<std::uint64_t> totals_host;
        GroupMemory by_static, by_dynamic;
        Stream stream;
    };
    static constexpr std::size_t idle = SIZE_MAX;

    void add_stretch(const Stretch& stretch);
    void start(Slot& slot, std::size_t batch);
    void finish(Slot& slot,
                Turnstile& turnstile,
                std::vector<BatchResult>& results,
                std::uint64_t* pixel_photons);
    void hand_over_means(const Slot& slot, const Batch& batch);

    const Pass& pass_;
    int n_multiprocessors_ = 1;
    DeviceArray<double> weight_;
    DeviceArray<std::uint64_t> segments_, counts_;
    std::vector<StretchMemory> stretches_;
    Stream stream_;
    Staging staging_;
    std::vector<Slot> slots_;  // last: its streams end before what they use
};

}  // namespace xpcs::gpu
