// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/series_gpu.cuh"

#include "kernels/device_events.hpp"
#include "kernels/multitau_core.hpp"
#include "kernels/multitau_group.cuh"
#include "kernels/series_record.hpp"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace xpcs::gpu {

namespace core = multitau_core;

namespace {

constexpr unsigned block_size = 256;
constexpr unsigned per_thread = 16;

/// Some records of one piece as they lie in a staging buffer. Offsets are in bytes from its start.
struct RecordSpan {
    std::uint32_t begin;    ///< number of the first record among those of the buffer
    std::uint32_t first;    ///< its place in the piece
    std::uint32_t base;     ///< frame of the piece - begin_frame (modulo 2^32)
    std::uint32_t table;    ///< tile_begin [n_tiles + 1], as in the piece
    std::uint32_t records;  ///< the first record
    std::uint32_t narrow;   ///< 1 = NarrowRecord, 0 = WideRecord
};

/// The last entry of an ascending list that is at most `value`; the first is known to be.
template <class Entry>
__device__ std::uint32_t last_at_most(std::uint32_t n, std::uint32_t value, const Entry& entry) {
    std::uint32_t low = 0, high = n;
    while (high - low > 1) {
        const std::uint32_t middle = (low + high) / 2;
        if (entry(middle) <= value) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/// A buffer begins with its spans.
__global__ void unpack_records(const unsigned char* buffer,
                               std::uint32_t n_spans,
                               std::uint32_t n_records,
                               std::uint32_t n_tiles,
                               std::uint64_t* keys,
                               std::uint32_t* counts) {
    const std::size_t at = thread_index();
    if (at >= n_records) return;
    const auto i = static_cast<std::uint32_t>(at);
    const auto* spans = reinterpret_cast<const RecordSpan*>(buffer);
    const RecordSpan span =
        spans[last_at_most(n_spans, i, [&](std::uint32_t k) { return spans[k].begin; })];
    const auto* table = reinterpret_cast<const std::uint32_t*>(buffer + span.table);
    const std::uint32_t place = span.first + (i - span.begin);
    const std::uint32_t tile =
        last_at_most(n_tiles, place, [&](std::uint32_t k) { return table[k]; });
    std::uint32_t pixel, frame, count;
    if (span.narrow != 0) {
        const std::uint32_t record =
            reinterpret_cast<const std::uint32_t*>(buffer + span.records)[i - span.begin];
        pixel = NarrowRecord::pixel(record);
        frame = NarrowRecord::frame(record);
        count = NarrowRecord::count(record);
    } else {
        const std::uint64_t record =
            reinterpret_cast<const std::uint64_t*>(buffer + span.records)[i - span.begin];
        pixel = WideRecord::pixel(record);
        frame = static_cast<std::uint32_t>(WideRecord::frame(record));
        count = WideRecord::count(record);
    }
    const std::uint64_t slot = (std::uint64_t{tile} << tile_bits) + pixel;
    keys[i] = slot << 32 | (span.base + frame);
    counts[i] = count;
}

/// The same from words that are sorted already.
__global__ void unpack_words(const std::uint64_t* words,
                             std::uint32_t n,
                             std::uint32_t first_slot,
                             std::uint64_t* keys,
                             std::uint32_t* counts) {
    const std::size_t i = thread_index();
    if (i >= n) return;
    const std::uint64_t word = words[i];
    keys[i] = std::uint64_t{EventWord::slot(word) - first_slot} << 32 | EventWord::frame(word);
    counts[i] = EventWord::count(word);
}

__global__ void find_begins(const std::uint64_t* keys,
                            std::uint32_t n,
                            std::uint32_t n_slots,
                            std::uint32_t* begin) {
    const std::size_t slot = thread_index();
    if (slot > n_slots) return;
    std::uint32_t first = 0, last = n;
    while (first < last) {
        const std::uint32_t middle = first + (last - first) / 2;
        if (keys[middle] >> 32 < slot) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    begin[slot] = first;
}

/// What the passes over the sorted records need to know.
struct Selection {
    const std::uint64_t* keys;
    const std::uint32_t* counts;
    std::uint32_t n;
    FrameMap frames;
    std::int64_t begin_frame;
    const std::uint8_t* excluded;

    /// Analysis frame of record i, or left_out.
    __device__ std::int64_t frame(std::uint32_t i) const {
        const std::uint64_t key = keys[i];
        if (excluded[key >> 32] != 0) return FrameMap::left_out;
        return frames(begin_frame + static_cast<std::uint32_t>(key));
    }
    /// Record i adds to the word of the record before it; both are kept.
    __device__ bool joins_previous(std::uint32_t i, std::int64_t frame_of_i) const {
        return i > 0 && keys[i - 1] >> 32 == keys[i] >> 32 && frame(i - 1) == frame_of_i;
    }
};

/// Adds the values of a warp's lanes to sums[place]. Lane 0 adds up while the place stays the same:
/// sorted records have few places. All lanes call it.
__device__ void add_by_place(bool adds,
                             std::uint32_t place,
                             std::uint32_t value,
                             std::uint64_t* sums,
                             RunningSum& of_lane_0) {
    unsigned left = __ballot_sync(all_lanes, adds);
    while (left != 0) {
        const std::uint32_t common =
            __shfl_sync(all_lanes, place, __ffs(static_cast<int>(left)) - 1);
        const bool mine = adds && place == common;
        const std::uint64_t sum = warp_sum(mine ? std::uint64_t{value} : 0);
        if (threadIdx.x % warp_lanes == 0) of_lane_0.add(sums + common, sum);
        left &= ~__ballot_sync(all_lanes, mine);
    }
}

/// Tallies of every record, and leader[i] = 1 where a new word begins. A warp takes neighbouring
/// records, so that few atomics meet.
__global__ void mark_records(Selection records,
                             SeriesTallies tallies,
                             const std::uint32_t* static_bin,
                             std::uint64_t* totals,
                             std::uint32_t* leader) {
    const std::size_t first = thread_index() / warp_lanes * warp_lanes * per_thread;
    const unsigned lane = threadIdx.x % warp_lanes;
    RunningSum total, segment;
    std::uint32_t duplicates = 0, used = 0;
    for (unsigned k = 0; k < per_thread; ++k) {
        const std::size_t begin = first + k * warp_lanes;
        if (begin >= records.n) break;
        const bool inside = begin + lane < records.n;
        const auto i = static_cast<std::uint32_t>(begin + lane);
        const std::int64_t frame = inside ? records.frame(i) : FrameMap::left_out;
        const bool kept = frame != FrameMap::left_out;
        if (inside) {
            duplicates += i > 0 && records.keys[i] == records.keys[i - 1];
            leader[i] = kept && !records.joins_previous(i, frame);
        }
        used += kept;
        const std::uint32_t slot =
            kept ? static_cast<std::uint32_t>(records.keys[i] >> 32) : std::uint32_t{0};
        const std::uint32_t count = kept ? records.counts[i] : 0;
        add_by_place(kept, slot, count, totals, total);
        if (tallies.n_segments == 0) continue;
        const auto n_segments = static_cast<std::uint32_t>(tallies.n_segments);
        const std::uint32_t part = kept ? static_cast<std::uint32_t>(frame) /
                                              static_cast<std::uint32_t>(tallies.segment_frames)
                                        : n_segments;
        const bool counts = part < n_segments;
        const std::uint32_t place = counts ? static_bin[slot] * n_segments + part : 0;
        add_by_place(counts, place, count, tallies.segments, segment);
    }
    duplicates = warp_sum(duplicates);
    used = warp_sum(used);
    if (lane != 0) return;
    total.flush();
    segment.flush();
    if (duplicates != 0) add_atomic(tallies.duplicates, std::uint64_t{duplicates});
    if (used != 0) add_atomic(tallies.events_used, std::uint64_t{used});
}

/// Adds every kept record to its word. Sums that pass 32 bits spoil the words of their pixel alone,
/// and pixels that bright are correlated from the records instead.
__global__ void write_words(Selection records, const std::uint32_t* sums, std::uint64_t* words) {
    const std::size_t at = thread_index();
    if (at >= records.n) return;
    const auto i = static_cast<std::uint32_t>(at);
    const std::int64_t frame = records.frame(i);
    if (frame == FrameMap::left_out) return;
    const bool leads = sums[i] != (i > 0 ? sums[i - 1] : 0);
    const std::uint64_t word =
        core::pack_event(leads ? static_cast<std::uint32_t>(frame) : 0, records.counts[i]);
    add_atomic(words + sums[i] - 1, word);
}

__global__ void word_begins(const std::uint32_t* record_begin,
                            const std::uint32_t* sums,
                            std::uint32_t n_slots,
                            std::uint32_t* begin) {
    const std::size_t slot = thread_index();
    if (slot > n_slots) return;
    const std::uint32_t place = record_begin[slot];
    begin[slot] = place == 0 ? 0 : sums[place - 1];
}

}  // namespace

Staging::Staging(std::size_t bytes, const PixelSeries& series, const Stream& stream)
    : bytes_(bytes) {
    if (series.is_on_device()) return;  // locking pages takes a third of a ms per MiB
    for (int i = 0; i < n_buffers; ++i) {
        buffers_.push_back(
            {PinnedArray<unsigned char>(bytes), DeviceArray<unsigned char>(bytes), Event()});
        buffers_.back().done.record(stream);
    }
}

Staging::Buffer& Staging::acquire() {
    Buffer& buffer = buffers_[next_];
    next_ = (next_ + 1) % buffers_.size();
    buffer.done.wait();
    return buffer;
}

SeriesBuffers::SeriesBuffers(std::size_t n_slots,
                             std::size_t n_events,
                             Form form,
                             std::int64_t n_frames)
    : form_(form), begin_(n_slots + 1), record_begin_(n_slots + 1), static_bin_(n_slots),
      totals_(n_slots), excluded_(n_slots) {
    if (form == Form::rows) {
        rows_ = DeviceArray<std::uint32_t>(n_slots * static_cast<std::size_t>(n_frames));
    }
    if (form != Form::events) return;
    for (auto& keys : keys_)
        keys = DeviceArray<std::uint64_t>(n_events);
    for (auto& values : values_)
        values = DeviceArray<std::uint32_t>(n_events);
    if (n_events > 0) workspace_ = DeviceArray<unsigned char>(sort_workspace_bytes(n_events));
}

namespace {

/// Packs parts of pieces into one staging buffer: spans, then for each its tile table and records.
class SpanPacker {
  public:
    SpanPacker(std::size_t bytes, std::uint32_t n_tiles)
        : bytes_(bytes / 8 * 8), n_tiles_(n_tiles), used_(max_spans * sizeof(RecordSpan)) {}

    bool empty() const { return parts_.empty(); }
    std::uint32_t n_records() const { return n_records_; }
    std::size_t used() const { return used_; }

    /// Plans records [at, end) of a piece as far as there is room; returns how many.
    std::uint32_t add(const SeriesPiece& piece,
                      const std::uint32_t* table,
                      std::uint32_t base,
                      std::uint32_t at,
                      std::uint32_t end) {
        const bool narrow = !piece.narrow.empty();
        const std::size_t width = narrow ? sizeof(std::uint32_t) : sizeof(std::uint64_t);
        const std::size_t records = align(used_ + (n_tiles_ + 1) * sizeof table[0]);
        if (parts_.size() == max_spans || records + width > bytes_) return 0;
        const auto n =
            static_cast<std::uint32_t>(std::min<std::size_t>(end - at, (bytes_ - records) / width));
        const void* from = narrow ? static_cast<const void*>(piece.narrow.data() + at)
                                  : static_cast<const void*>(piece.wide.data() + at);
        parts_.push_back({{n_records_,
                           at,
                           base,
                           static_cast<std::uint32_t>(used_),
                           static_cast<std::uint32_t>(records),
                           narrow ? 1U : 0U},
                          table,
                          from,
                          n * width});
        used_ = align(records + n * width);
        n_records_ += n;
        return n;
    }

    /// Copies everything planned; returns the number of spans.
    std::uint32_t fill(unsigned char* buffer) {
        const std::size_t n = parts_.size();
        oneapi::tbb::parallel_for(std::size_t{0}, n, [&](std::size_t k) {
            const Part& part = parts_[k];
            std::memcpy(buffer + k * sizeof part.span, &part.span, sizeof part.span);
            std::memcpy(
                buffer + part.span.table, part.table, (n_tiles_ + 1) * sizeof part.table[0]);
            std::memcpy(buffer + part.span.records, part.from, part.bytes);
        });
        parts_.clear();
        used_ = max_spans * sizeof(RecordSpan);
        n_records_ = 0;
        return static_cast<std::uint32_t>(n);
    }

  private:
    struct Part {
        RecordSpan span;
        const std::uint32_t* table;
        const void* from;
        std::size_t bytes;
    };
    static constexpr std::size_t max_spans = 1024;
    static std::size_t align(std::size_t n) { return (n + 7) / 8 * 8; }

    std::size_t bytes_;
    std::uint32_t n_tiles_;
    std::size_t used_;
    std::uint32_t n_records_ = 0;
    std::vector<Part> parts_;
};

}  // namespace

void SeriesBuffers::load_events(const PixelSeries& series,
                                const Batch& batch,
                                Staging& staging,
                                const Stream& stream) {
    const auto first_tile = static_cast<std::size_t>(batch.first_tile - series.first_tile());
    const auto n_tiles = static_cast<std::uint32_t>(batch.end_tile - batch.first_tile);
    SpanPacker packer(staging.bytes(), n_tiles);
    std::size_t out = 0;
    const auto send = [&] {
        if (packer.empty()) return;
        Staging::Buffer& buffer = staging.acquire();
        const std::uint32_t n = packer.n_records();
        const std::size_t bytes = packer.used();
        const std::uint32_t n_spans = packer.fill(buffer.host.data());
        copy_to_device(buffer.device.data(), buffer.host.data(), bytes, stream);
        launch(unpack_records,
               blocks_for(n, block_size),
               block_size,
               0,
               stream,
               static_cast<const unsigned char*>(buffer.device.data()),
               n_spans,
               n,
               n_tiles,
               keys_[0].data() + out,
               values_[0].data() + out);
        buffer.done.record(stream);
        out += n;
    };
    for (const SeriesPiece& piece : series.pieces()) {
        if (piece.tile_begin.empty()) continue;
        const std::uint32_t* table = piece.tile_begin.data() + first_tile;
        const auto base = static_cast<std::uint32_t>(piece.frame_base - series.range().begin_frame);
        for (std::uint32_t at = table[0]; at < table[n_tiles];) {
            const std::uint32_t n = packer.add(piece, table, base, at, table[n_tiles]);
            if (n == 0) send();
            at += n;
        }
    }
    send();
}

void SeriesBuffers::sort_events(const PixelSeries& series,
                                const Batch& batch,
                                const Stream& stream) {
    sorted_ = {keys_[0].data(), keys_[1].data(), values_[0].data(), values_[1].data()};
    const auto sort = [&](int first_bit, std::uint64_t largest) {
        sort_pairs(sorted_,
                   batch.n_events,
                   first_bit,
                   first_bit + static_cast<int>(std::bit_width(largest)),
                   workspace_.data(),
                   workspace_.size(),
                   stream);
    };
    if (!series.ordered()) {
        sort(0, static_cast<std::uint64_t>(series.last_frame() - series.range().begin_frame));
    }
    sort(32, static_cast<std::uint64_t>(batch.n_slots - 1));
}

void SeriesBuffers::take_events(const DeviceEvents& events,
                                const Batch& batch,
                                const Stream& stream) {
    sorted_ = {keys_[0].data(), keys_[1].data(), values_[0].data(), values_[1].data()};
    launch(unpack_words,
           blocks_for(batch.n_events, block_size),
           block_size,
           0,
           stream,
           events.view().words + events.begin()[static_cast<std::size_t>(batch.first_slot)],
           static_cast<std::uint32_t>(batch.n_events),
           static_cast<std::uint32_t>(batch.first_slot),
           sorted_.keys,
           sorted_.values);
}

namespace {

FramesOfBatch
frames_of(const DeviceFrames& frames, const Partition& partition, const Batch& batch) {
    FramesOfBatch raw{frames.view()};
    const auto first = static_cast<std::size_t>(batch.first_slot);
    const auto last = static_cast<std::size_t>(batch.first_slot + batch.n_slots - 1);
    raw.pixel += first;
    raw.first_slot = static_cast<std::uint32_t>(first);
    raw.first_column = partition.pixel[first] / 2 * 2;
    raw.end_column = std::int64_t{partition.pixel[last]} + 1;
    raw.largest_sample = frames.largest_sample();
    return raw;
}

}  // namespace

SeriesView SeriesBuffers::load(const PixelSeries& series,
                               const MultitauRequest& request,
                               const Batch& batch,
                               const SeriesTallies& tallies,
                               Staging& staging,
                               const Stream& stream) {
    const auto n_slots = static_cast<std::size_t>(batch.n_slots);
    const auto first_slot = static_cast<std::size_t>(batch.first_slot);
    excluded_host_.assign(n_slots, 0);
    if (request.excluded != nullptr && !request.excluded->empty()) {
        std::copy_n(request.excluded->begin() + batch.first_slot, n_slots, excluded_host_.begin());
    }
    copy_to_device(excluded_.data(), excluded_host_.data(), n_slots, stream);
    copy_to_device(
        static_bin_.data(), series.partition().static_bin.data() + first_slot, n_slots, stream);
    clear(totals_.data(), n_slots, stream);

    SeriesView view;
    view.dense = series.dense();
    view.n_slots = static_cast<std::uint32_t>(n_slots);
    view.n_frames = request.frames.n_frames;
    view.frames = request.frames;
    view.begin_frame = series.range().begin_frame;
    view.totals = totals_.data();
    view.excluded = excluded_.data();
    view.static_bin = static_bin_.data();
    if (series.dense()) {
        if (const DeviceFrames* frames = series.frames_on_device()) {
            view.raw = frames_of(*frames, series.partition(), batch);
        }
        if (form_ == Form::frames) return view;
        view.rows = rows_.data();
        if (series.frames_on_device() != nullptr) {
            fill_rows(view.raw, view, stream);
        } else {
            load_rows(series, request.frames, batch, staging, stream);
        }
        sum_rows(view, tallies, stream);
        return view;
    }
    if (const DeviceEvents* events = series.on_device()) {
        take_events(*events, batch, stream);
    } else {
        load_events(series, batch, staging, stream);
        sort_events(series, batch, stream);
    }
    const auto n = static_cast<std::uint32_t>(batch.n_events);
    const std::size_t slot_blocks = blocks_for(n_slots + 1, block_size);
    launch(find_begins,
           slot_blocks,
           block_size,
           0,
           stream,
           static_cast<const std::uint64_t*>(sorted_.keys),
           n,
           view.n_slots,
           record_begin_.data());
    // The buffers that the sort left free take the words and their places.
    const Selection records{
        sorted_.keys, sorted_.values, n, request.frames, view.begin_frame, view.excluded};
    clear(sorted_.spare_keys, batch.n_events, stream);
    launch(mark_records,
           blocks_for(n, block_size * per_thread),
           block_size,
           0,
           stream,
           records,
           tallies,
           view.static_bin,
           totals_.data(),
           sorted_.spare_values);
    inclusive_sum(
        sorted_.spare_values, batch.n_events, workspace_.data(), workspace_.size(), stream);
    launch(write_words,
           blocks_for(n, block_size),
           block_size,
           0,
           stream,
           records,
           static_cast<const std::uint32_t*>(sorted_.spare_values),
           sorted_.spare_keys);
    launch(word_begins,
           slot_blocks,
           block_size,
           0,
           stream,
           static_cast<const std::uint32_t*>(record_begin_.data()),
           static_cast<const std::uint32_t*>(sorted_.spare_values),
           view.n_slots,
           begin_.data());
    view.words = sorted_.spare_keys;
    view.begin = begin_.data();
    view.keys = sorted_.keys;
    view.counts = sorted_.values;
    view.record_begin = record_begin_.data();
    return view;
}

}  // namespace xpcs::gpu
