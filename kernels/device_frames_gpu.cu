// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/device_frames.hpp"

#include "kernels/cuda_support.cuh"
#include "kernels/multitau_group.cuh"
#include "kernels/pixel_series.hpp"
#include "kernels/upload.cuh"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <type_traits>

namespace xpcs::gpu {

namespace {

constexpr int block_size = 256;
constexpr int pixels_at_once = 4;  ///< of a thread of take_frames
constexpr std::int64_t frames_at_once = 8;
constexpr std::int64_t frames_of_thread = 256;  ///< of one pixel, in sum_marked
constexpr std::int64_t row_unit = 128;          ///< a row of samples is a multiple of this

static_assert(row_unit % DeviceFrames::largest_pixels == 0);
static_assert(warp_lanes * pixels_at_once == DeviceFrames::largest_pixels);

std::int64_t pitch_of(std::int64_t n_pixels) {
    return (n_pixels + row_unit - 1) / row_unit * row_unit;
}

template <class Sample>
struct alignas(pixels_at_once * sizeof(Sample)) Samples {
    Sample sample[pixels_at_once];
};

/// Photons and lit samples of a frame in one sum: a block has at most 1024 samples of 32 bits.
constexpr int lit_shift = 48;

/// What take_frames writes to.
struct FrameTallies {
    std::uint64_t* photons;     ///< [frames of this call]
    std::uint64_t* n_lit;       ///< [1]
    std::uint64_t* n_overflow;  ///< [1]
    std::uint32_t* largest;     ///< [pitch / largest_pixels]
    std::uint8_t* overflow;     ///< [pitch]
};

/// Looks at every sample once, when it has just come: sets those to 0 that are not to count, and
/// adds up the others. A block takes 1024 pixels of several frames.
template <class Sample>
__global__ void take_frames(Sample* samples,
                            std::int64_t pitch,
                            std::uint32_t n_frames,
                            const Partition::KeptGroup* groups,
                            FrameTallies tallies) {
    constexpr Sample no_data = static_cast<Sample>(~Sample{0});
    const Group<block_size> group;
    __shared__ std::uint64_t partial[block_size / warp_lanes];
    constexpr std::int64_t block_pixels = std::int64_t{block_size} * pixels_at_once;
    const std::int64_t parts = (pitch + block_pixels - 1) / block_pixels;
    const std::int64_t pixel = blockIdx.x % parts * block_pixels + group.rank * pixels_at_once;
    const auto first = static_cast<std::uint32_t>(blockIdx.x / parts * frames_at_once);
    const bool inside = pixel < pitch;
    const std::uint32_t kept = inside ? groups[pixel / 32].mask >> (pixel % 32) : 0;
    std::uint32_t largest = 0, n_overflow = 0;
    for (std::uint32_t f = first; f < first + frames_at_once && f < n_frames; ++f) {
        std::uint64_t sum = 0;
        if (inside) {
            auto* at = reinterpret_cast<Samples<Sample>*>(samples + f * pitch + pixel);
            Samples<Sample> all = *at;
            bool changed = false;
#pragma unroll
            for (int i = 0; i < pixels_at_once; ++i) {
                Sample& value = all.sample[i];
                const bool is_kept = (kept >> i & 1U) != 0;
                if (value == 0) continue;
                if (!is_kept || value == no_data) {
                    if (is_kept) {
                        tallies.overflow[pixel + i] = 1;
                        ++n_overflow;
                    }
                    value = 0;
                    changed = true;
                    continue;
                }
                sum += (std::uint64_t{1} << lit_shift) + value;
                largest = max(largest, static_cast<std::uint32_t>(value));
            }
            if (changed) *at = all;
        }
        sum = group.sum(sum, partial);
        if (group.rank != 0 || sum == 0) continue;
        add_atomic(tallies.photons + f, sum & ((std::uint64_t{1} << lit_shift) - 1));
        add_atomic(tallies.n_lit, sum >> lit_shift);
    }
    for (int mask = warp_lanes / 2; mask > 0; mask /= 2)
        largest = max(largest, lane_xor(largest, mask));
    n_overflow = warp_sum(n_overflow);
    if (group.lane != 0) return;
    if (n_overflow != 0) add_atomic(tallies.n_overflow, std::uint64_t{n_overflow});
    if (largest == 0) return;
    std::uint32_t* entry = tallies.largest + pixel / DeviceFrames::largest_pixels;
    atomicMax(entry, largest);
}

/// Calls `visit` with samples of the right type.
template <class Visit>
void with_samples(const FramesView& frames, const Visit& visit) {
    switch (frames.sample_bytes) {
    case 1:
        return visit(static_cast<const std::uint8_t*>(frames.samples));
    case 2:
        return visit(static_cast<const std::uint16_t*>(frames.samples));
    default:
        return visit(static_cast<const std::uint32_t*>(frames.samples));
    }
}

template <class Sample>
__global__ void sum_pixels(const Sample* samples,
                           FramesView view,
                           std::uint32_t n_slots,
                           FrameMap frames,
                           std::int64_t begin_frame,
                           std::uint64_t* sums) {
    const std::size_t slot = thread_index();
    if (slot >= n_slots) return;
    const Sample* at = samples + view.pixel[slot];
    std::uint64_t sum = 0;
    for (std::int64_t f = 0; f < view.n_frames; ++f, at += view.pitch) {
        if (frames(begin_frame + f) != FrameMap::left_out) sum += *at;
    }
    sums[slot] = sum;
}

/// A thread takes some frames of a marked pixel; those behind the last do nothing.
template <class Sample>
__global__ void sum_marked(const Sample* samples,
                           FramesView view,
                           const std::uint32_t* marked,
                           std::uint32_t n_marked,
                           std::uint64_t* photons,
                           std::uint64_t* n_lit) {
    const std::size_t thread = thread_index();
    const std::int64_t first = static_cast<std::int64_t>(thread / n_marked) * frames_of_thread;
    const Sample* column = samples + view.pixel[marked[thread % n_marked]];
    std::uint64_t lit = 0;
    for (std::int64_t f = first; f < first + frames_of_thread && f < view.n_frames; ++f) {
        const std::uint64_t value = column[f * view.pitch];
        if (value == 0) continue;
        add_atomic(photons + f, value);
        ++lit;
    }
    if (lit != 0) add_atomic(n_lit, lit);
}

template <class Sample>
__global__ void count_left_out(const Sample* samples,
                               FramesView view,
                               std::uint32_t n_slots,
                               const std::uint8_t* marked,
                               FrameMap frames,
                               std::int64_t begin_frame,
                               std::uint64_t* n_lit) {
    const std::size_t slot = thread_index();
    std::uint64_t lit = 0;
    if (slot < n_slots && marked[slot] == 0) {
        const Sample* at = samples + view.pixel[slot];
        for (std::int64_t f = 0; f < view.n_frames; ++f, at += view.pitch) {
            if (frames(begin_frame + f) == FrameMap::left_out) lit += *at != 0;
        }
    }
    lit = warp_sum(lit);
    if (threadIdx.x % warp_lanes == 0 && lit != 0) add_atomic(n_lit, lit);
}

}  // namespace

struct DeviceFrames::Memory {
    const Partition& partition;
    std::int64_t begin_frame, end_frame;
    int device;
    int sample_bytes;
    std::int64_t pitch, capacity;
    std::int64_t next = 0;  // frames before it have come, or never will
    Stream stream;
    DeviceArray<unsigned char> samples;
    DeviceArray<Partition::KeptGroup> groups;
    DeviceArray<std::uint32_t> pixel, largest;
    DeviceArray<std::uint8_t> overflow;
    DeviceArray<std::uint64_t> photons, tallies;  // tallies: lit, overflow

    SeriesCounts counts;
    FramePhotons frame_photons;
    std::vector<std::uint8_t> overflow_slots;
    std::uint32_t largest_sample = 0;
    std::int64_t last_frame = -1;

    Memory(const Partition& kept,
           const SeriesRange& range,
           int bytes_of_sample,
           std::int64_t n_frames,
           int index)
        : partition(kept), begin_frame(range.begin_frame),
          end_frame(std::min(range.end_frame, range.begin_frame + n_frames)), device(index),
          sample_bytes(bytes_of_sample), pitch(pitch_of(kept.rows * kept.cols)), capacity(n_frames),
          samples(row_bytes() * static_cast<std::size_t>(n_frames)),
          groups(static_cast<std::size_t>(pitch / 32)), pixel(kept.pixel.size()),
          largest(static_cast<std::size_t>(pitch / largest_pixels)),
          overflow(static_cast<std::size_t>(pitch)), photons(static_cast<std::size_t>(n_frames)),
          tallies(2) {
        clear(groups.data(), groups.size(), stream);
        copy_to_device(groups.data(), kept.groups.data(), kept.groups.size(), stream);
        copy_to_device(pixel.data(), kept.pixel.data(), pixel.size(), stream);
        clear(largest.data(), largest.size(), stream);
        clear(overflow.data(), overflow.size(), stream);
        clear(photons.data(), photons.size(), stream);
        clear(tallies.data(), tallies.size(), stream);
    }

    std::uint32_t n_kept() const { return static_cast<std::uint32_t>(partition.pixel.size()); }
    std::size_t row_bytes() const { return static_cast<std::size_t>(pitch * sample_bytes); }
    unsigned char* row(std::int64_t frame) const {
        return samples.data() + static_cast<std::size_t>(frame) * row_bytes();
    }
    FramesView view() const {
        return {
            samples.data(), sample_bytes, pitch, next, pixel.data(), groups.data(), largest.data()};
    }
    std::size_t slot_blocks() const { return blocks_for(n_kept(), block_size); }
    void skip_to(std::int64_t frame);
    void copy_frames(const std::byte* from, std::int64_t first, std::int64_t n);
    void take(std::int64_t first, std::int64_t n);
    std::uint64_t fetch_word(const DeviceArray<std::uint64_t>& from) const;
};

/// Frames that never come count nothing.
void DeviceFrames::Memory::skip_to(std::int64_t frame) {
    if (frame <= next) return;
    clear(row(next), static_cast<std::size_t>(frame - next) * row_bytes(), stream);
    next = frame;
}

void DeviceFrames::Memory::copy_frames(const std::byte* from, std::int64_t first, std::int64_t n) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(from);
    const auto n_pixels = static_cast<std::size_t>(partition.rows * partition.cols);
    const std::size_t frame_bytes = n_pixels * static_cast<std::size_t>(sample_bytes);
    if (frame_bytes == row_bytes()) {
        copy_to_device(row(first), bytes, static_cast<std::size_t>(n) * frame_bytes, stream);
        return;
    }
    for (std::int64_t f = 0; f < n; ++f)
        copy_to_device(
            row(first + f), bytes + static_cast<std::size_t>(f) * frame_bytes, frame_bytes, stream);
}

void DeviceFrames::Memory::take(std::int64_t first, std::int64_t n) {
    constexpr std::int64_t block_pixels = std::int64_t{block_size} * pixels_at_once;
    const std::int64_t parts = (pitch + block_pixels - 1) / block_pixels;
    const std::int64_t times = (n + frames_at_once - 1) / frames_at_once;
    const FrameTallies to{photons.data() + first,
                          tallies.data(),
                          tallies.data() + 1,
                          largest.data(),
                          overflow.data()};
    const auto run = [&](auto sample) {
        using Sample = decltype(sample);
        launch(take_frames<Sample>,
               static_cast<std::size_t>(parts * times),
               block_size,
               0,
               stream,
               reinterpret_cast<Sample*>(row(first)),
               pitch,
               static_cast<std::uint32_t>(n),
               static_cast<const Partition::KeptGroup*>(groups.data()),
               to);
    };
    if (sample_bytes == 1) {
        run(std::uint8_t{});
    } else if (sample_bytes == 2) {
        run(std::uint16_t{});
    } else {
        run(std::uint32_t{});
    }
}

std::uint64_t DeviceFrames::Memory::fetch_word(const DeviceArray<std::uint64_t>& from) const {
    std::uint64_t word = 0;
    copy_to_host(&word, from.data(), 1, stream);
    stream.wait();
    return word;
}

std::uint64_t device_frames_bytes(std::int64_t n_pixels, std::int64_t n_frames, int sample_bytes) {
    return static_cast<std::uint64_t>(pitch_of(n_pixels)) * static_cast<std::uint64_t>(n_frames) *
           static_cast<std::uint64_t>(sample_bytes);
}

DeviceFrames::DeviceFrames(const Partition& partition,
                           const SeriesRange& range,
                           int sample_bytes,
                           std::int64_t n_frames,
                           int device) {
    if (sample_bytes != 1 && sample_bytes != 2 && sample_bytes != 4) {
        throw std::invalid_argument("samples of 1, 2 or 4 bytes expected");
    }
    const CurrentDevice current(device);
    memory_ = std::make_unique<Memory>(
        partition, range, sample_bytes, std::max<std::int64_t>(n_frames, 0), device);
}

DeviceFrames::~DeviceFrames() {
    try {
        const CurrentDevice current(memory_->device);
        memory_.reset();
    } catch (const DeviceError&) {  // the device is gone, and its memory with it
    }
}

int DeviceFrames::device() const {
    return memory_->device;
}

void DeviceFrames::add(const DenseChunk& chunk, Upload& upload) {
    Memory& m = *memory_;
    if (chunk.n_pixels != m.partition.rows * m.partition.cols) {
        throw std::invalid_argument("dense chunk: number of pixels differs from the partition");
    }
    if (chunk.sample_bytes != m.sample_bytes) {
        throw std::invalid_argument("dense chunk: sample width");
    }
    const std::int64_t begin = std::max(chunk.first_frame, m.begin_frame);
    const std::int64_t end = std::min(chunk.first_frame + chunk.n_frames, m.end_frame);
    if (begin >= end) return;
    const std::int64_t first = begin - m.begin_frame;
    if (first < m.next) throw std::invalid_argument("a frame that came before");
    const CurrentDevice current(m.device);
    m.skip_to(first);
    const std::byte* from =
        chunk.samples.data() + (begin - chunk.first_frame) * chunk.n_pixels * m.sample_bytes;
    const bool stays = upload.memory_->holds(
        from, static_cast<std::size_t>((end - begin) * chunk.n_pixels * m.sample_bytes));
    if (stays) upload.memory_->lock();
    m.copy_frames(from, first, end - begin);
    upload.memory_->queued_in(m.stream);
    m.take(first, end - begin);
    m.next = end - m.begin_frame;
    m.last_frame = end - 1;
    if (!stays) upload.wait();
}

void DeviceFrames::finish() {
    Memory& m = *memory_;
    const CurrentDevice current(m.device);
    const auto n = static_cast<std::size_t>(m.next);
    std::vector<std::uint64_t> photons(n);
    std::array<std::uint64_t, 2> tallies{};
    std::vector<std::uint32_t> largest(m.largest.size());
    copy_to_host(photons.data(), m.photons.data(), n, m.stream);
    copy_to_host(tallies.data(), m.tallies.data(), tallies.size(), m.stream);
    copy_to_host(largest.data(), m.largest.data(), largest.size(), m.stream);
    m.stream.wait();
    for (std::size_t f = 0; f < n; ++f) {
        m.counts.photons += static_cast<std::int64_t>(photons[f]);
        if (photons[f] != 0) m.frame_photons.add(f, photons[f]);
    }
    m.counts.events = static_cast<std::int64_t>(tallies[0]);
    m.counts.overflow_samples = static_cast<std::int64_t>(tallies[1]);
    for (const std::uint32_t value : largest)
        m.largest_sample = std::max(m.largest_sample, value);
    if (m.counts.overflow_samples == 0) return;
    std::vector<std::uint8_t> of_pixel(m.overflow.size());
    copy_to_host(of_pixel.data(), m.overflow.data(), of_pixel.size(), m.stream);
    m.stream.wait();
    for (const std::uint32_t pixel : m.partition.pixel)
        m.overflow_slots.push_back(of_pixel[pixel]);
}

const SeriesCounts& DeviceFrames::counts() const {
    return memory_->counts;
}
std::int64_t DeviceFrames::last_frame() const {
    return memory_->last_frame;
}
const FramePhotons& DeviceFrames::frame_photons() const {
    return memory_->frame_photons;
}
const std::vector<std::uint8_t>& DeviceFrames::overflow() const {
    return memory_->overflow_slots;
}
std::uint32_t DeviceFrames::largest_sample() const {
    return memory_->largest_sample;
}
FramesView DeviceFrames::view() const {
    return memory_->view();
}

void DeviceFrames::add_pixel_photons(const FrameMap& frames,
                                     std::vector<std::uint64_t>& sums) const {
    const Memory& m = *memory_;
    const CurrentDevice current(m.device);
    DeviceArray<std::uint64_t> on_device(m.n_kept());
    with_samples(m.view(), [&](auto samples) {
        launch(sum_pixels<std::remove_const_t<std::remove_pointer_t<decltype(samples)>>>,
               m.slot_blocks(),
               block_size,
               0,
               m.stream,
               samples,
               m.view(),
               m.n_kept(),
               frames,
               m.begin_frame,
               on_device.data());
    });
    std::vector<std::uint64_t> host(m.n_kept());
    copy_to_host(host.data(), on_device.data(), host.size(), m.stream);
    m.stream.wait();
    for (std::size_t slot = 0; slot < host.size(); ++slot)
        sums[slot] += host[slot];
}

std::vector<std::uint64_t> DeviceFrames::photons_on(const std::vector<std::uint8_t>& marked,
                                                    std::int64_t& n_lit) const {
    const Memory& m = *memory_;
    std::vector<std::uint64_t> host(static_cast<std::size_t>(m.next));
    std::vector<std::uint32_t> slots;
    for (std::size_t slot = 0; slot < marked.size(); ++slot) {
        if (marked[slot] != 0) slots.push_back(static_cast<std::uint32_t>(slot));
    }
    if (host.empty() || slots.empty()) return host;
    const CurrentDevice current(m.device);
    DeviceArray<std::uint64_t> photons(host.size()), lit(1);
    DeviceArray<std::uint32_t> on_device(slots.size());
    clear(photons.data(), photons.size(), m.stream);
    clear(lit.data(), 1, m.stream);
    copy_to_device(on_device.data(), slots.data(), slots.size(), m.stream);
    const std::size_t times = (host.size() + frames_of_thread - 1) / frames_of_thread;
    with_samples(m.view(), [&](auto samples) {
        launch(sum_marked<std::remove_const_t<std::remove_pointer_t<decltype(samples)>>>,
               blocks_for(slots.size() * times, block_size),
               block_size,
               0,
               m.stream,
               samples,
               m.view(),
               static_cast<const std::uint32_t*>(on_device.data()),
               static_cast<std::uint32_t>(slots.size()),
               photons.data(),
               lit.data());
    });
    copy_to_host(host.data(), photons.data(), host.size(), m.stream);
    n_lit += static_cast<std::int64_t>(m.fetch_word(lit));
    return host;
}

std::int64_t DeviceFrames::n_lit_left_out(const FrameMap& frames,
                                          const std::vector<std::uint8_t>& marked) const {
    const Memory& m = *memory_;
    const CurrentDevice current(m.device);
    DeviceArray<std::uint64_t> lit(1);
    DeviceArray<std::uint8_t> marks(marked.size());
    clear(lit.data(), 1, m.stream);
    copy_to_device(marks.data(), marked.data(), marked.size(), m.stream);
    with_samples(m.view(), [&](auto samples) {
        launch(count_left_out<std::remove_const_t<std::remove_pointer_t<decltype(samples)>>>,
               m.slot_blocks(),
               block_size,
               0,
               m.stream,
               samples,
               m.view(),
               m.n_kept(),
               static_cast<const std::uint8_t*>(marks.data()),
               frames,
               m.begin_frame,
               lit.data());
    });
    return static_cast<std::int64_t>(m.fetch_word(lit));
}

}  // namespace xpcs::gpu
