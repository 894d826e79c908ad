// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/device_events.hpp"

#include "kernels/cuda_support.cuh"
#include "kernels/gpu_sort.cuh"
#include "kernels/multitau_group.cuh"
#include "kernels/pixel_series.hpp"
#include "kernels/upload.cuh"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>
#include <string>

namespace xpcs::gpu {

namespace {

constexpr unsigned block_size = 256;
constexpr unsigned per_thread = 16;

/// What decode_words adds up; first the fates of words, in their order.
enum Tally {
    kept = static_cast<int>(WordFate::kept),
    masked = static_cast<int>(WordFate::masked),
    outside_frames = static_cast<int>(WordFate::outside_frames),
    zero_count = static_cast<int>(WordFate::zero_count),
    bad_index = static_cast<int>(WordFate::bad_index),
    too_late = static_cast<int>(WordFate::too_late),
    out_of_order,
    at_3,
    at_15,
    at_255,
    at_4095,
    photons,
    n_sums,
    // Maxima: frames are absolute, one more than the largest; 0 = none.
    beyond_last = n_sums,
    beyond_last_kept,
    largest_count,
    n_tallies
};

/// Over the lanes of a full warp, the same in every lane.
__device__ std::uint32_t warp_max(std::uint32_t value) {
    for (int step = warp_lanes / 2; step > 0; step /= 2)
        value = max(value, __shfl_xor_sync(all_lanes, value, step));
    return value;
}

__global__ void decode_words(const std::uint64_t* raw,
                             std::uint32_t n,
                             WordBlock block,
                             const Partition::KeptGroup* groups,
                             std::uint32_t n_kept,
                             std::uint64_t* out,
                             std::uint64_t* tallies) {
    std::uint32_t sums[n_sums] = {};
    std::uint32_t beyond = 0, beyond_kept = 0, largest = 0;  // frames from the epoch
    const std::uint32_t first = blockIdx.x * block_size * per_thread + threadIdx.x;
    for (unsigned k = 0; k < per_thread; ++k) {
        const std::uint32_t i = first + k * block_size;
        if (i >= n) break;
        const std::uint64_t word = raw[i];
        const std::uint32_t counter = rigaku::frame_of(word);
        const std::int64_t before =
            i > 0 ? block.epoch + rigaku::frame_of(raw[i - 1]) : block.frame_before;
        sums[out_of_order] += block.epoch + counter < before;
        const DecodedWord decoded = decode_word(word, block, groups);
#pragma unroll
        for (int t = 0; t <= too_late; ++t)
            sums[t] += static_cast<int>(decoded.fate) == t;
        const bool is_kept = decoded.fate == WordFate::kept;
        out[i] = is_kept ? decoded.word : EventWord::pack(n_kept, 0, 0);
        if (decoded.fate == WordFate::bad_index) continue;
        const std::uint32_t count = rigaku::count_of(word);
        sums[at_3] += count == 3;
        sums[at_15] += count == 15;
        sums[at_255] += count == 255;
        sums[at_4095] += count == 4095;
        largest = max(largest, count);
        beyond = max(beyond, counter + 1);
        if (!is_kept) continue;
        sums[photons] += count;
        beyond_kept = max(beyond_kept, counter + 1);
    }
    const bool writes = threadIdx.x % warp_lanes == 0;
#pragma unroll
    for (int t = 0; t < n_sums; ++t) {
        const std::uint32_t sum = warp_sum(sums[t]);
        if (writes && sum != 0) add_atomic(tallies + t, std::uint64_t{sum});
    }
    beyond = warp_max(beyond);
    beyond_kept = warp_max(beyond_kept);
    largest = warp_max(largest);
    if (!writes) return;
    const auto epoch = static_cast<std::uint64_t>(block.epoch);
    if (beyond != 0) max_atomic(tallies + beyond_last, epoch + beyond);
    if (beyond_kept != 0) max_atomic(tallies + beyond_last_kept, epoch + beyond_kept);
    if (largest != 0) max_atomic(tallies + largest_count, std::uint64_t{largest});
}

/// Photons of every frame, from words in the order of the file: a warp takes neighbouring words,
/// which are mostly of one frame.
__global__ void
sum_frames(const std::uint64_t* words, std::size_t n, std::uint32_t n_kept, std::uint64_t* frames) {
    const std::size_t warp = thread_index() / warp_lanes;
    const unsigned lane = threadIdx.x % warp_lanes;
    RunningSum frame_sum;
    for (unsigned k = 0; k < per_thread; ++k) {
        const std::size_t i = (warp * per_thread + k) * warp_lanes + lane;
        const std::uint64_t word = i < n ? words[i] : EventWord::pack(n_kept, 0, 0);
        const bool counts = EventWord::slot(word) < n_kept;
        const std::uint32_t frame = EventWord::frame(word);
        const unsigned counting = __ballot_sync(all_lanes, counts);
        if (counting == 0) continue;
        const std::uint32_t common =
            __shfl_sync(all_lanes, frame, __ffs(static_cast<int>(counting)) - 1);
        if (__ballot_sync(all_lanes, counts && frame != common) == 0) {
            const std::uint32_t sum = warp_sum(counts ? EventWord::count(word) : 0U);
            if (lane == 0) frame_sum.add(frames + common, sum);
        } else if (counts) {
            add_atomic(frames + frame, std::uint64_t{EventWord::count(word)});
        }
    }
    if (lane == 0) frame_sum.flush();
}

__global__ void count_disorder(const std::uint64_t* words, std::size_t n, std::uint64_t* disorder) {
    const std::size_t i = thread_index() + 1;
    if (i >= n) return;
    if (words[i - 1] >> EventWord::frame_shift > words[i] >> EventWord::frame_shift) {
        add_atomic(disorder, std::uint64_t{1});
    }
}

/// begin[slot] = the first word that is of this slot or a later one.
__global__ void find_slots(const std::uint64_t* words,
                           std::uint32_t n,
                           std::uint32_t n_slots,
                           std::uint32_t* begin) {
    const std::size_t slot = thread_index();
    if (slot > n_slots) return;
    std::uint32_t first = 0, last = n;
    while (first < last) {
        const std::uint32_t middle = first + (last - first) / 2;
        if (EventWord::slot(words[middle]) < slot) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    begin[slot] = first;
}

/// A warp per pixel.
__global__ void sum_pixels(EventsView events,
                           std::uint32_t n_slots,
                           FrameMap frames,
                           std::int64_t begin_frame,
                           std::uint64_t* sums) {
    const std::size_t slot = thread_index() / warp_lanes;
    if (slot >= n_slots) return;
    const unsigned lane = threadIdx.x % warp_lanes;
    std::uint64_t sum = 0;
    for (std::size_t i = events.begin[slot] + lane; i < events.begin[slot + 1]; i += warp_lanes) {
        const std::uint64_t word = events.words[i];
        const std::int64_t frame = begin_frame + static_cast<std::int64_t>(EventWord::frame(word));
        if (frames(frame) != FrameMap::left_out) sum += EventWord::count(word);
    }
    sum = warp_sum(sum);
    if (lane == 0) sums[slot] = sum;
}

/// A warp per pixel.
__global__ void sum_marked(EventsView events,
                           std::uint32_t n_slots,
                           const std::uint8_t* marked,
                           std::uint64_t* frames) {
    const std::size_t slot = thread_index() / warp_lanes;
    if (slot >= n_slots || marked[slot] == 0) return;
    for (std::size_t i = events.begin[slot] + threadIdx.x % warp_lanes; i < events.begin[slot + 1];
         i += warp_lanes) {
        const std::uint64_t word = events.words[i];
        add_atomic(frames + EventWord::frame(word), std::uint64_t{EventWord::count(word)});
    }
}

}  // namespace

struct DeviceEvents::Memory {
    const Partition& partition;
    std::int64_t begin_frame, end_frame;
    int device;
    std::size_t capacity, used = 0;
    Stream stream;
    DeviceArray<std::uint64_t> words, spare;
    DeviceArray<std::uint64_t> raw;
    DeviceArray<Partition::KeptGroup> groups;
    DeviceArray<std::uint64_t> tallies;
    DeviceArray<std::uint32_t> begin;
    std::uint64_t* sorted = nullptr;

    std::vector<std::uint64_t> host_words;  // of events that the host decoded
    std::vector<std::uint32_t> host_begin;
    SeriesCounts counts;
    WordCounts word_counts;
    std::int64_t last_frame = -1;
    FramePhotons frame_photons;

    Memory(const Partition& kept, const SeriesRange& range, std::size_t room, int index)
        : partition(kept), begin_frame(range.begin_frame), end_frame(range.end_frame),
          device(index), capacity(room), words(room), spare(room), groups(kept.groups.size()),
          tallies(n_tallies), begin(kept.pixel.size() + 1) {
        copy_to_device(groups.data(), kept.groups.data(), groups.size(), stream);
        clear(tallies.data(), tallies.size(), stream);
    }

    std::uint32_t n_kept() const { return static_cast<std::uint32_t>(partition.pixel.size()); }
    EventsView view() const { return {sorted, begin.data()}; }

    void take_room(std::size_t n) const {
        if (n > capacity - used) throw std::length_error("more words than were announced");
    }
    void take_tallies();
    void take_frames();
    void sort();
    std::size_t n_words_kept() const { return static_cast<std::size_t>(counts.events); }
};

DeviceEvents::DeviceEvents(const Partition& partition,
                           const SeriesRange& range,
                           std::size_t capacity,
                           int device) {
    if (capacity >= UINT32_MAX) throw std::length_error("2^32 words and more");
    if (partition.pixel.size() >= EventWord::slot_limit) throw std::length_error("2^24 pixels");
    const CurrentDevice current(device);
    memory_ = std::make_unique<Memory>(partition, range, capacity, device);
}

DeviceEvents::~DeviceEvents() {
    try {
        const CurrentDevice current(memory_->device);
        memory_.reset();
    } catch (const DeviceError&) {  // the device is gone, and its memory with it
    }
}

int DeviceEvents::device() const {
    return memory_->device;
}

void DeviceEvents::add(const std::uint64_t* words, std::size_t n, WordBlock block, Upload& upload) {
    if (n == 0) return;
    Memory& m = *memory_;
    m.take_room(n);
    const CurrentDevice current(m.device);
    upload.memory_->lock();
    if (n > m.raw.size()) m.stream.wait();  // for the kernels that read the old one
    m.raw.require(n);
    block.begin_frame = m.begin_frame;
    block.end_frame = m.end_frame;
    copy_to_device(m.raw.data(), words, n, m.stream);
    upload.memory_->queued_in(m.stream);
    launch(decode_words,
           blocks_for(n, block_size * per_thread),
           block_size,
           0,
           m.stream,
           static_cast<const std::uint64_t*>(m.raw.data()),
           static_cast<std::uint32_t>(n),
           block,
           static_cast<const Partition::KeptGroup*>(m.groups.data()),
           m.n_kept(),
           m.words.data() + m.used,
           m.tallies.data());
    m.used += n;
}

void DeviceEvents::add(const EventChunk& chunk) {
    Memory& m = *memory_;
    m.host_words.clear();
    for (std::size_t i = 0; i < chunk.size(); ++i) {
        const std::uint32_t slot = m.partition.slot_of(chunk.pixel[i]);
        const std::int64_t frame = chunk.frame_base + chunk.frame[i];
        if (slot == Partition::not_kept) {
            ++m.counts.masked;
        } else if (frame < m.begin_frame || frame >= m.end_frame) {
            ++m.counts.outside_frames;
        } else if (frame - m.begin_frame >= EventWord::frame_limit) {
            ++m.word_counts.too_late;
        } else {
            if (chunk.count[i] >= EventWord::count_limit) throw std::length_error("a large count");
            m.host_words.push_back(EventWord::pack(
                slot, static_cast<std::uint32_t>(frame - m.begin_frame), chunk.count[i]));
            m.counts.photons += chunk.count[i];
            m.last_frame = std::max(m.last_frame, frame);
        }
    }
    const std::size_t n = m.host_words.size();
    m.take_room(n);
    m.counts.events += static_cast<std::int64_t>(n);
    const CurrentDevice current(m.device);
    copy_to_device(m.words.data() + m.used, m.host_words.data(), n, m.stream);
    m.stream.wait();  // host_words is used again
    m.used += n;
}

void DeviceEvents::Memory::take_tallies() {
    std::array<std::uint64_t, n_tallies> got{};
    copy_to_host(got.data(), tallies.data(), got.size(), stream);
    stream.wait();
    const auto at = [&](Tally t) { return static_cast<std::int64_t>(got[t]); };
    counts.events += at(kept);
    counts.photons += at(photons);
    counts.masked += at(masked);
    counts.outside_frames += at(outside_frames);
    word_counts.too_late += at(too_late);
    word_counts.zero_count = at(zero_count);
    word_counts.bad_index = at(bad_index);
    word_counts.out_of_order = at(out_of_order);
    word_counts.last_frame = at(beyond_last) - 1;
    word_counts.at_maximum_3 = at(at_3);
    word_counts.at_maximum_15 = at(at_15);
    word_counts.at_maximum_255 = at(at_255);
    word_counts.at_maximum_4095 = at(at_4095);
    word_counts.largest_count = at(largest_count);
    last_frame = std::max(last_frame, at(beyond_last_kept) - 1);
}

void DeviceEvents::Memory::take_frames() {
    if (last_frame < 0) return;
    const auto n = static_cast<std::size_t>(last_frame - begin_frame + 1);
    DeviceArray<std::uint64_t> sums(n);
    clear(sums.data(), n, stream);
    launch(sum_frames,
           blocks_for(used, block_size * per_thread),
           block_size,
           0,
           stream,
           static_cast<const std::uint64_t*>(words.data()),
           used,
           n_kept(),
           sums.data());
    std::vector<std::uint64_t> host(n);
    copy_to_host(host.data(), sums.data(), n, stream);
    stream.wait();
    for (std::size_t frame = 0; frame < n; ++frame) {
        if (host[frame] != 0) frame_photons.add(frame, host[frame]);
    }
}

void DeviceEvents::Memory::sort() {
    DeviceArray<unsigned char> workspace(sort_words_workspace_bytes(used));
    DeviceArray<std::uint64_t> disorder(1);
    sorted = words.data();
    std::uint64_t* other = spare.data();
    const int slot_end = EventWord::slot_shift + static_cast<int>(std::bit_width(n_kept()));
    const auto by_bits_from = [&](int first_bit) {
        sort_words(
            sorted, other, used, first_bit, slot_end, workspace.data(), workspace.size(), stream);
    };
    by_bits_from(EventWord::slot_shift);
    const std::size_t n = n_words_kept();
    clear(disorder.data(), 1, stream);
    launch(count_disorder,
           blocks_for(n, block_size),
           block_size,
           0,
           stream,
           static_cast<const std::uint64_t*>(sorted),
           n,
           disorder.data());
    std::uint64_t out_of_order_words = 0;
    copy_to_host(&out_of_order_words, disorder.data(), 1, stream);
    stream.wait();
    if (out_of_order_words > 0) by_bits_from(EventWord::frame_shift);
    launch(find_slots,
           blocks_for(std::size_t{n_kept()} + 1, block_size),
           block_size,
           0,
           stream,
           static_cast<const std::uint64_t*>(sorted),
           static_cast<std::uint32_t>(n),
           n_kept(),
           begin.data());
    host_begin.resize(std::size_t{n_kept()} + 1);
    copy_to_host(host_begin.data(), begin.data(), host_begin.size(), stream);
    stream.wait();
    DeviceArray<std::uint64_t>& unused = sorted == words.data() ? spare : words;
    unused = {};
    raw = {};
}

void DeviceEvents::finish() {
    Memory& m = *memory_;
    const CurrentDevice current(m.device);
    m.take_tallies();
    m.take_frames();
    m.sort();
}

const WordCounts& DeviceEvents::word_counts() const {
    return memory_->word_counts;
}
const SeriesCounts& DeviceEvents::counts() const {
    return memory_->counts;
}
std::int64_t DeviceEvents::last_frame() const {
    return memory_->last_frame;
}
const FramePhotons& DeviceEvents::frame_photons() const {
    return memory_->frame_photons;
}
const std::vector<std::uint32_t>& DeviceEvents::begin() const {
    return memory_->host_begin;
}
EventsView DeviceEvents::view() const {
    return memory_->view();
}

void DeviceEvents::add_pixel_photons(const FrameMap& frames,
                                     std::vector<std::uint64_t>& sums) const {
    const Memory& m = *memory_;
    const CurrentDevice current(m.device);
    const std::size_t n = m.partition.pixel.size();
    DeviceArray<std::uint64_t> on_device(n);
    launch(sum_pixels,
           blocks_for(n * warp_lanes, block_size),
           block_size,
           0,
           m.stream,
           m.view(),
           m.n_kept(),
           frames,
           m.begin_frame,
           on_device.data());
    std::vector<std::uint64_t> host(n);
    copy_to_host(host.data(), on_device.data(), n, m.stream);
    m.stream.wait();
    for (std::size_t slot = 0; slot < n; ++slot)
        sums[slot] += host[slot];
}

std::vector<std::uint64_t> DeviceEvents::photons_on(const std::vector<std::uint8_t>& marked) const {
    const Memory& m = *memory_;
    std::vector<std::uint64_t> host(m.frame_photons.size());
    if (host.empty()) return host;
    const CurrentDevice current(m.device);
    DeviceArray<std::uint64_t> frames(host.size());
    DeviceArray<std::uint8_t> marks(marked.size());
    clear(frames.data(), frames.size(), m.stream);
    copy_to_device(marks.data(), marked.data(), marked.size(), m.stream);
    launch(sum_marked,
           blocks_for(marked.size() * warp_lanes, block_size),
           block_size,
           0,
           m.stream,
           m.view(),
           m.n_kept(),
           static_cast<const std::uint8_t*>(marks.data()),
           frames.data());
    copy_to_host(host.data(), frames.data(), host.size(), m.stream);
    m.stream.wait();
    return host;
}

}  // namespace xpcs::gpu
