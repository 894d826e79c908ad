// SPDX-License-Identifier: BSD-3-Clause
// The photons of a run on a GPU that decodes and sorts them itself: words of a file go up as they
// are read, and the host never looks at them. Eight bytes of device memory per event, sixteen while
// they are sorted (event_words.hpp).
//
//   DeviceEvents events(partition, range, n, gpu);
//   events.add(...);  // block after block, in file order
//   events.finish();  // sorted by pixel, each pixel in time order; counts are known from here on
//
// Deterministic: the order of the words is that of the file, sorting is stable, sums are integers.
#pragma once

#include "kernels/event_words.hpp"
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

/// Host memory on its way to a device, which is not written to before wait() returned.
class Upload {
  public:
    Upload();
    ~Upload();
    Upload(const Upload&) = delete;
    Upload& operator=(const Upload&) = delete;

    /// What is copied lies in this memory, which has its pages to itself, stays where it is and
    /// outlives this object: it is page-locked from the first copy on, where the system allows
    /// that. The memory may become another one after wait().
    void set_memory(const void* at, std::size_t bytes);
    void wait();

  private:
    friend class DeviceEvents;
    friend class DeviceFrames;
    struct Memory;
    std::unique_ptr<Memory> memory_;
};

/// The sorted words on the device, for the kernels.
struct EventsView {
    const std::uint64_t* words = nullptr;
    const std::uint32_t* begin = nullptr;  ///< [n_kept + 1] into words
};

class DeviceEvents {
  public:
    /// Room for `capacity` words (below 2^32 - 1) on a GPU. All tiles, the frames of `range`. The
    /// partition outlives this object. Throws DeviceOutOfMemory, DeviceError,
    /// std::length_error (capacity, or 2^24 kept pixels).
    DeviceEvents(const Partition& partition,
                 const SeriesRange& range,
                 std::size_t capacity,
                 int device);
    ~DeviceEvents();
    DeviceEvents(const DeviceEvents&) = delete;
    DeviceEvents& operator=(const DeviceEvents&) = delete;

    int device() const;

    /// Queues words as they lie in a file; `block`'s frames are set here. One caller at a time.
    void add(const std::uint64_t* words, std::size_t n, WordBlock block, Upload& upload);
    /// Events that the host had to decode. Throws std::length_error for counts from 2^12 on.
    void add(const EventChunk& chunk);
    /// Sorts. Nothing is added afterwards.
    void finish();

    const WordCounts& word_counts() const;      ///< of words that the device decoded
    const SeriesCounts& counts() const;         ///< of all
    std::int64_t last_frame() const;            ///< largest kept, -1 if none
    const FramePhotons& frame_photons() const;  ///< [frame - begin_frame]
    /// [n_kept + 1] where each pixel's words begin.
    const std::vector<std::uint32_t>& begin() const;

    /// Adds the photons of every pixel, in the file frames that `frames` uses, to sums [n_kept].
    void add_pixel_photons(const FrameMap& frames, std::vector<std::uint64_t>& sums) const;
    /// Photons of the marked pixels [n_kept], frame by frame.
    std::vector<std::uint64_t> photons_on(const std::vector<std::uint8_t>& marked) const;

    EventsView view() const;

  private:
    struct Memory;
    std::unique_ptr<Memory> memory_;
};

/// Bytes of device memory that `capacity` words take while they are sorted.
constexpr std::uint64_t device_events_bytes(std::uint64_t capacity) {
    return 2 * sizeof(std::uint64_t) * capacity;
}

}  // namespace gpu
}  // namespace xpcs
