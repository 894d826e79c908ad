// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/pixel_series.hpp"

#include "kernels/series_record.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <type_traits>

namespace xpcs {

SeriesCounts& SeriesCounts::operator+=(const SeriesCounts& other) {
    events += other.events;
    photons += other.photons;
    masked += other.masked;
    outside_frames += other.outside_frames;
    split_records += other.split_records;
    overflow_samples += other.overflow_samples;
    return *this;
}

std::uint64_t SeriesPiece::memory_bytes() const {
    return narrow.capacity() * sizeof narrow[0] + wide.capacity() * sizeof wide[0] +
           rows.capacity() + tile_begin.capacity() * sizeof tile_begin[0] +
           frame_photons.capacity() * sizeof frame_photons[0];
}

namespace {

struct TileSpan {
    std::uint32_t first = 0;
    std::uint32_t n = 0;  ///< tiles in range; index n is the bin of what is dropped
};

TileSpan tiles_of(const Partition& partition, const SeriesRange& range) {
    const std::int64_t end = std::min(range.end_tile, n_tiles(partition));
    const std::int64_t first = std::min(range.first_tile, end);
    return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(end - first)};
}

struct ChunkBounds {
    std::uint32_t first_frame = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t last_frame = 0;
    std::uint32_t largest_count = 0;
    bool ordered = true;
};

ChunkBounds bounds_of(const EventChunk& chunk) {
    ChunkBounds bounds;
    const std::size_t n = chunk.size();
    const std::uint32_t* frame = chunk.frame.data();
    const std::uint32_t* count = chunk.count.data();
    std::uint32_t falls = 0;
    for (std::size_t i = 0; i < n; ++i) {
        bounds.first_frame = std::min(bounds.first_frame, frame[i]);
        bounds.last_frame = std::max(bounds.last_frame, frame[i]);
        bounds.largest_count = std::max(bounds.largest_count, count[i]);
    }
    for (std::size_t i = 1; i < n; ++i)
        falls |= frame[i] < frame[i - 1];
    bounds.ordered = falls == 0;
    return bounds;
}

/// Adds up photons per frame; runs of one frame (the usual order) touch memory once.
class FramePhotons {
  public:
    explicit FramePhotons(std::vector<std::uint64_t>& sums) : sums_(sums) {}
    void add(std::uint32_t frame, std::uint64_t count) {
        if (frame != current_) {
            flush();
            current_ = frame;
        }
        pending_ += count;
    }
    void flush() {
        if (pending_ != 0) sums_[current_] += pending_;
        pending_ = 0;
    }

  private:
    std::vector<std::uint64_t>& sums_;
    std::uint32_t current_ = 0;
    std::uint64_t pending_ = 0;
};

template <class Record, class Word>
std::uint32_t write_records(RawVector<Word>& out,
                            std::uint32_t at,
                            std::uint32_t pixel,
                            std::uint32_t frame,
                            std::uint32_t count) {
    while (count > Record::max_count) {
        out[at++] = Record::pack(pixel, frame, Record::max_count);
        count -= Record::max_count;
    }
    out[at++] = Record::pack(pixel, frame, count);
    return at;
}

}  // namespace

SeriesPiece make_piece(const EventChunk& chunk,
                       const Partition& partition,
                       const SeriesRange& range,
                       PieceScratch& scratch) {
    SeriesPiece piece;
    const std::size_t n = chunk.size();
    if (n == 0) return piece;

    const ChunkBounds bounds = bounds_of(chunk);
    const TileSpan tiles = tiles_of(partition, range);
    const std::uint32_t shift = bounds.first_frame;
    const std::int64_t span = std::int64_t{bounds.last_frame} - shift + 1;
    if (span > std::int64_t{1} << WideRecord::frame_bits) {
        throw std::length_error("a block of events spans more than 2^31 frames");
    }
    const bool use_wide = span > std::int64_t{1} << NarrowRecord::frame_bits;
    const std::uint32_t max_count = use_wide ? WideRecord::max_count : NarrowRecord::max_count;
    const bool splits = bounds.largest_count > max_count;
    piece.frame_base = chunk.frame_base + shift;
    piece.n_frames = span;
    piece.ordered = bounds.ordered;
    if (!use_wide) piece.frame_photons.assign(static_cast<std::size_t>(span), 0);

    const std::int64_t lowest = range.begin_frame - chunk.frame_base;
    const std::int64_t beyond = range.end_frame - chunk.frame_base;
    const bool all_frames = shift >= lowest && bounds.last_frame < beyond;

    // Pass 1: the tile of every event (tiles.n = dropped) and the size of every tile.
    std::vector<std::uint32_t>& slots = scratch.slot;
    slots.resize(std::max(slots.size(), n));
    std::vector<std::uint32_t>& cursor = scratch.cursor;
    cursor.assign(tiles.n + 2, 0);
    FramePhotons frame_photons(piece.frame_photons);
    for (std::size_t i = 0; i < n; ++i) {
        std::uint32_t slot = partition.slot[chunk.pixel[i]];
        if (slot == Partition::not_kept) {
            ++piece.counts.masked;
        } else if (!all_frames && (chunk.frame[i] < lowest || chunk.frame[i] >= beyond)) {
            slot = Partition::not_kept;
            ++piece.counts.outside_frames;
        }
        const std::uint32_t tile = std::min((slot >> tile_bits) - tiles.first, tiles.n);
        slots[i] = slot;
        ++cursor[tile + 1];
        if (tile < tiles.n) {
            ++piece.counts.events;
            piece.counts.photons += chunk.count[i];
            if (!use_wide) frame_photons.add(chunk.frame[i] - shift, chunk.count[i]);
            if (splits) {
                const std::uint32_t extra = (chunk.count[i] - 1) / max_count;
                cursor[tile + 1] += extra;
                piece.counts.split_records += extra;
            }
        }
    }
    frame_photons.flush();
    std::partial_sum(cursor.begin(), cursor.end(), cursor.begin());
    piece.tile_begin.assign(cursor.begin(), cursor.begin() + tiles.n + 1);

    // Pass 2: scatter; all that is dropped goes to one place behind the last tile, cut off at the
    // end.
    const auto scatter = [&](auto record, auto& out) {
        using Record = decltype(record);
        out.resize(cursor[tiles.n] + 1);
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint32_t slot = slots[i];
            const std::uint32_t tile = std::min((slot >> tile_bits) - tiles.first, tiles.n);
            const std::uint32_t pixel = slot & (tile_pixels - 1);
            const std::uint32_t frame = chunk.frame[i] - shift;
            if (splits && tile < tiles.n) {
                cursor[tile] =
                    write_records<Record>(out, cursor[tile], pixel, frame, chunk.count[i]);
            } else {
                out[cursor[tile]] =
                    Record::pack(pixel, frame, std::min(chunk.count[i], Record::max_count));
                cursor[tile] += tile < tiles.n;
            }
        }
        out.resize(piece.tile_begin[tiles.n]);
    };
    if (use_wide) {
        scatter(WideRecord{}, piece.wide);
    } else {
        scatter(NarrowRecord{}, piece.narrow);
    }
    return piece;
}

namespace {

template <class Sample>
std::int64_t frames_wanted(const DenseChunk& chunk, const SeriesRange& range, std::int64_t& first) {
    if (chunk.sample_bytes != static_cast<int>(sizeof(Sample))) {
        throw std::invalid_argument("dense chunk: sample width");
    }
    first = std::max(std::int64_t{0}, range.begin_frame - chunk.first_frame);
    const std::int64_t end = std::min(chunk.n_frames, range.end_frame - chunk.first_frame);
    return std::max(std::int64_t{0}, end - first);
}

/// Non-zero samples of kept pixels as events; no-data samples are noted and dropped.
template <class Sample>
SeriesPiece events_from_frames(const DenseChunk& chunk,
                               const Partition& partition,
                               const SeriesRange& range,
                               PieceScratch& scratch) {
    constexpr Sample no_data = std::numeric_limits<Sample>::max();
    std::int64_t first = 0;
    const std::int64_t n_frames = frames_wanted<Sample>(chunk, range, first);
    EventChunk& events = scratch.events;
    events.frame_base = chunk.first_frame + first;
    std::vector<std::uint32_t> overflow;
    std::int64_t overflow_samples = 0;
    std::size_t n = 0;
    const auto* samples = reinterpret_cast<const Sample*>(chunk.samples.data());
    constexpr std::int64_t group = 64 / static_cast<std::int64_t>(sizeof(Sample));
    for (std::int64_t f = 0; f < n_frames; ++f) {
        const Sample* frame = samples + (first + f) * chunk.n_pixels;
        for (std::int64_t p = 0; p < chunk.n_pixels; p += group) {
            const std::int64_t end = std::min(p + group, chunk.n_pixels);
            std::uint64_t any = 0;
            for (std::int64_t q = p; q < end; ++q)
                any |= frame[q];
            if (any == 0) continue;
            if (events.size() < n + group)
                events.resize(std::max<std::size_t>(4096, 2 * (n + group)));
            for (std::int64_t q = p; q < end; ++q) {
                const Sample value = frame[q];
                if (value == no_data) {
                    const std::uint32_t slot = partition.slot[static_cast<std::size_t>(q)];
                    if (slot != Partition::not_kept) {
                        overflow.push_back(slot);
                        ++overflow_samples;
                    }
                    continue;
                }
                events.pixel[n] = static_cast<std::uint32_t>(q);
                events.frame[n] = static_cast<std::uint32_t>(f);
                events.count[n] = value;
                n += value != 0;
            }
        }
        // Compact the list of overflowing pixels: they are the same ones in every frame.
        if (overflow.size() > 65536) {
            std::sort(overflow.begin(), overflow.end());
            overflow.erase(std::unique(overflow.begin(), overflow.end()), overflow.end());
        }
    }
    events.resize(n);
    SeriesPiece piece = make_piece(events, partition, range, scratch);
    std::sort(overflow.begin(), overflow.end());
    overflow.erase(std::unique(overflow.begin(), overflow.end()), overflow.end());
    piece.overflow_slots = std::move(overflow);
    piece.counts.overflow_samples = overflow_samples;
    if (piece.n_frames == 0) piece.frame_base = events.frame_base;
    return piece;
}

template <class Sample>
Sample largest_sample(const DenseChunk& chunk, std::int64_t first, std::int64_t n_frames) {
    constexpr Sample no_data = std::numeric_limits<Sample>::max();
    const auto* samples =
        reinterpret_cast<const Sample*>(chunk.samples.data()) + first * chunk.n_pixels;
    Sample largest = 0;
    const std::int64_t n = n_frames * chunk.n_pixels;
    for (std::int64_t i = 0; i < n; ++i) {
        const Sample value = samples[i] == no_data ? Sample{0} : samples[i];
        largest = std::max(largest, value);
    }
    return largest;
}

constexpr std::int64_t block = 64;  ///< transposition goes in blocks of 64 pixels by 64 frames

/// One frame of a block: 64 samples of neighbouring kept pixels, no-data samples as 0.
template <class Sample>
struct BlockLine {
    Sample sample[block];
    std::uint64_t sum = 0;
    std::int64_t lit = 0;
    bool overflow = false;
};

template <class Sample>
void load_line(const Sample* frame,
               const std::uint32_t* pixel,
               std::int64_t n,
               BlockLine<Sample>& line) {
    constexpr Sample no_data = std::numeric_limits<Sample>::max();
    if (n == block && pixel[block - 1] - pixel[0] == block - 1) {
        std::memcpy(line.sample, frame + pixel[0], sizeof line.sample);
    } else {
        for (std::int64_t s = 0; s < n; ++s)
            line.sample[s] = frame[pixel[s]];
        std::fill(line.sample + n, line.sample + block, Sample{0});
    }
    // 64 samples of up to 16 bits fit 32 bits.
    std::conditional_t<(sizeof(Sample) < 4), std::uint32_t, std::uint64_t> sum = 0;
    Sample overflow = 0, lit = 0;
    for (std::int64_t s = 0; s < block; ++s) {
        const Sample value = line.sample[s];
        const Sample kept = value == no_data ? Sample{0} : value;
        overflow = static_cast<Sample>(overflow | (value ^ kept));
        lit = static_cast<Sample>(lit + (kept != 0));
        sum += kept;
        line.sample[s] = kept;
    }
    line.sum = sum;
    line.lit = lit;
    line.overflow = overflow != 0;
}

/// Frames by pixels in, pixels by frames out.
template <class Sample, class Out>
void transpose_rows(const DenseChunk& chunk,
                    const Partition& partition,
                    std::int64_t first_slot,
                    std::int64_t end_slot,
                    std::int64_t first,
                    SeriesPiece& piece) {
    constexpr Sample no_data = std::numeric_limits<Sample>::max();
    const std::int64_t n_frames = piece.n_frames;
    const auto* samples = reinterpret_cast<const Sample*>(chunk.samples.data());
    auto* out = reinterpret_cast<Out*>(piece.rows.data());
    BlockLine<Sample> line;
    Out lines[block][block];  // [frame][pixel]
    Out column[block];
    for (std::int64_t s0 = first_slot; s0 < end_slot; s0 += block) {
        const std::int64_t n_slots = std::min(block, end_slot - s0);
        const std::uint32_t* pixel = partition.pixel.data() + s0;
        for (std::int64_t f0 = 0; f0 < n_frames; f0 += block) {
            const std::int64_t n_f = std::min(block, n_frames - f0);
            for (std::int64_t f = 0; f < n_f; ++f) {
                const Sample* frame = samples + (first + f0 + f) * chunk.n_pixels;
                load_line(frame, pixel, n_slots, line);
                piece.frame_photons[static_cast<std::size_t>(f0 + f)] += line.sum;
                piece.counts.events += line.lit;
                for (std::int64_t s = 0; s < block; ++s) {
                    lines[f][s] = static_cast<Out>(line.sample[s]);
                }
                for (std::int64_t s = 0; line.overflow && s < n_slots; ++s) {
                    if (frame[pixel[s]] != no_data) continue;
                    ++piece.counts.overflow_samples;
                    if (piece.overflow_slots.empty() || piece.overflow_slots.back() != s0 + s) {
                        piece.overflow_slots.push_back(static_cast<std::uint32_t>(s0 + s));
                    }
                }
            }
            for (std::int64_t s = 0; s < n_slots; ++s) {
                for (std::int64_t f = 0; f < n_f; ++f)
                    column[f] = lines[f][s];
                std::memcpy(out + (s0 - first_slot + s) * n_frames + f0,
                            column,
                            static_cast<std::size_t>(n_f) * sizeof(Out));
            }
        }
    }
}

template <class Sample>
SeriesPiece
rows_from_frames(const DenseChunk& chunk, const Partition& partition, const SeriesRange& range) {
    std::int64_t first = 0;
    SeriesPiece piece;
    piece.n_frames = frames_wanted<Sample>(chunk, range, first);
    piece.frame_base = chunk.first_frame + first;
    if (piece.n_frames == 0) return piece;
    const TileSpan tiles = tiles_of(partition, range);
    const std::int64_t first_slot = std::int64_t{tiles.first} << tile_bits;
    const std::int64_t end_slot =
        std::min(partition.n_kept(), std::int64_t{tiles.first + tiles.n} << tile_bits);
    const Sample largest = largest_sample<Sample>(chunk, first, piece.n_frames);
    piece.sample_bytes = largest <= 0xFF ? 1 : largest <= 0xFFFF ? 2 : 4;
    piece.frame_photons.assign(static_cast<std::size_t>(piece.n_frames), 0);
    piece.rows.resize(static_cast<std::size_t>((end_slot - first_slot) * piece.n_frames) *
                      static_cast<std::size_t>(piece.sample_bytes));
    switch (piece.sample_bytes) {
    case 1:
        transpose_rows<Sample, std::uint8_t>(chunk, partition, first_slot, end_slot, first, piece);
        break;
    case 2:
        transpose_rows<Sample, std::uint16_t>(chunk, partition, first_slot, end_slot, first, piece);
        break;
    default:
        transpose_rows<Sample, std::uint32_t>(chunk, partition, first_slot, end_slot, first, piece);
    }
    piece.counts.photons = static_cast<std::int64_t>(
        std::accumulate(piece.frame_photons.begin(), piece.frame_photons.end(), std::uint64_t{0}));
    return piece;
}

template <class Sample>
double occupancy_of_samples(const DenseChunk& chunk, const Partition& partition) {
    constexpr Sample no_data = std::numeric_limits<Sample>::max();
    const auto* samples = reinterpret_cast<const Sample*>(chunk.samples.data());
    std::int64_t lit = 0;
    for (std::int64_t f = 0; f < chunk.n_frames; ++f) {
        const Sample* frame = samples + f * chunk.n_pixels;
        for (const std::uint32_t pixel : partition.pixel) {
            lit += frame[pixel] != 0 && frame[pixel] != no_data;
        }
    }
    const double all =
        static_cast<double>(chunk.n_frames) * static_cast<double>(partition.n_kept());
    return all > 0 ? static_cast<double>(lit) / all : 0;
}

}  // namespace

SeriesPiece make_piece(const DenseChunk& chunk,
                       const Partition& partition,
                       const SeriesRange& range,
                       bool as_events,
                       PieceScratch& scratch) {
    if (chunk.n_pixels != partition.rows * partition.cols) {
        throw std::invalid_argument("dense chunk: number of pixels differs from the partition");
    }
    const auto make = [&](auto sample) {
        using Sample = decltype(sample);
        return as_events ? events_from_frames<Sample>(chunk, partition, range, scratch)
                         : rows_from_frames<Sample>(chunk, partition, range);
    };
    switch (chunk.sample_bytes) {
    case 1:
        return make(std::uint8_t{});
    case 2:
        return make(std::uint16_t{});
    case 4:
        return make(std::uint32_t{});
    default:
        throw std::invalid_argument("dense chunk: samples of 1, 2 or 4 bytes expected");
    }
}

double occupancy_of(const DenseChunk& chunk, const Partition& partition) {
    switch (chunk.sample_bytes) {
    case 1:
        return occupancy_of_samples<std::uint8_t>(chunk, partition);
    case 2:
        return occupancy_of_samples<std::uint16_t>(chunk, partition);
    default:
        return occupancy_of_samples<std::uint32_t>(chunk, partition);
    }
}

PixelSeries::PixelSeries(const Partition& partition,
                         const SeriesRange& range,
                         bool dense,
                         bool keep)
    : partition_(&partition), range_(range), dense_(dense), keep_(keep) {
    range_.end_tile = std::min(range.end_tile, n_tiles(partition));
    range_.first_tile = std::min(range.first_tile, range_.end_tile);
}

std::int64_t PixelSeries::end_slot(std::int64_t tile) const {
    return std::min((tile + 1) << tile_bits, partition_->n_kept());
}

namespace {

void add_frame_photons(std::vector<std::uint64_t>& sums, std::int64_t at, std::uint64_t photons) {
    const auto index = static_cast<std::size_t>(at);
    if (sums.size() <= index) sums.resize(std::max(index + 1, sums.size() + sums.size() / 2), 0);
    sums[index] += photons;
}

}  // namespace

void PixelSeries::append(SeriesPiece&& piece) {
    counts_ += piece.counts;
    if (!piece.overflow_slots.empty()) {
        if (overflow_.empty()) overflow_.assign(static_cast<std::size_t>(partition_->n_kept()), 0);
        for (const std::uint32_t slot : piece.overflow_slots)
            overflow_[slot] = 1;
        piece.overflow_slots = {};
    }
    if (piece.n_frames == 0) return;
    const std::int64_t base = piece.frame_base - range_.begin_frame;
    for (std::size_t f = 0; f < piece.frame_photons.size(); ++f) {
        if (piece.frame_photons[f] == 0) continue;
        add_frame_photons(
            frame_photons_, base + static_cast<std::int64_t>(f), piece.frame_photons[f]);
    }
    piece.frame_photons = {};
    for (const std::uint64_t record : piece.wide) {
        add_frame_photons(frame_photons_,
                          base + static_cast<std::int64_t>(WideRecord::frame(record)),
                          WideRecord::count(record));
    }
    // Frames of one file arrive in order; a piece that starts before the last one ended (six module
    // files side by side, or disorder) makes every tile sort its pixels.
    ordered_ = ordered_ && piece.ordered && piece.frame_base >= last_frame_;
    last_frame_ = std::max(last_frame_, piece.frame_base + piece.n_frames - 1);
    if (piece.sample_bytes != 0) {
        const std::uint32_t largest = piece.sample_bytes == 1   ? 0xFFU
                                      : piece.sample_bytes == 2 ? 0xFFFFU
                                                                : 0xFFFFFFFFU;
        largest_sample_ = std::max(largest_sample_, largest);
    }
    if (!keep_) return;
    memory_bytes_ += piece.memory_bytes();
    pieces_.push_back(std::move(piece));
}

namespace {

/// Calls visit(pixel, file frame - begin_frame, count) for the records of a tile, in file order.
template <class Visit>
void for_each_record(const PixelSeries& series, std::int64_t tile, Visit&& visit) {
    const auto local = static_cast<std::size_t>(tile - series.first_tile());
    for (const SeriesPiece& piece : series.pieces()) {
        if (piece.tile_begin.empty()) continue;
        const std::uint32_t begin = piece.tile_begin[local];
        const std::uint32_t end = piece.tile_begin[local + 1];
        const auto base = static_cast<std::uint32_t>(piece.frame_base - series.range().begin_frame);
        if (!piece.narrow.empty()) {
            for (std::uint32_t i = begin; i < end; ++i) {
                const std::uint32_t r = piece.narrow[i];
                visit(
                    NarrowRecord::pixel(r), base + NarrowRecord::frame(r), NarrowRecord::count(r));
            }
        } else {
            for (std::uint32_t i = begin; i < end; ++i) {
                const std::uint64_t r = piece.wide[i];
                visit(WideRecord::pixel(r),
                      base + static_cast<std::uint32_t>(WideRecord::frame(r)),
                      WideRecord::count(r));
            }
        }
    }
}

void sort_pixel(std::uint32_t* frame, std::uint32_t* count, std::size_t n) {
    if (std::is_sorted(frame, frame + n)) return;
    std::vector<std::uint64_t> both(n);
    for (std::size_t i = 0; i < n; ++i)
        both[i] = std::uint64_t{frame[i]} << 32 | count[i];
    std::sort(both.begin(), both.end());
    for (std::size_t i = 0; i < n; ++i) {
        frame[i] = static_cast<std::uint32_t>(both[i] >> 32);
        count[i] = static_cast<std::uint32_t>(both[i]);
    }
}

}  // namespace

void PixelSeries::gather(std::int64_t tile, TileEvents& out) const {
    const auto n_pixels = static_cast<std::size_t>(end_slot(tile) - first_slot(tile));
    out.begin.assign(n_pixels + 1, 0);
    out.cursor.resize(static_cast<std::size_t>(tile_pixels));
    std::fill(out.cursor.begin(), out.cursor.end(), 0U);
    for_each_record(*this, tile, [&](std::uint32_t pixel, std::uint32_t, std::uint32_t) {
        ++out.cursor[pixel];
    });
    std::uint32_t at = 0;
    for (std::size_t p = 0; p < n_pixels; ++p) {
        out.begin[p] = at;
        const std::uint32_t n = out.cursor[p];
        out.cursor[p] = at;
        at += n;
    }
    out.begin[n_pixels] = at;
    out.frame.resize(at);
    out.count.resize(at);
    for_each_record(
        *this, tile, [&](std::uint32_t pixel, std::uint32_t frame, std::uint32_t count) {
            const std::uint32_t to = out.cursor[pixel]++;
            out.frame[to] = frame;
            out.count[to] = count;
        });
    std::int64_t equal = 0;
    for (std::size_t p = 0; p < n_pixels; ++p) {
        std::uint32_t* frame = out.frame.data() + out.begin[p];
        const std::size_t n = out.begin[p + 1] - out.begin[p];
        if (!ordered_) sort_pixel(frame, out.count.data() + out.begin[p], n);
        for (std::size_t i = 1; i < n; ++i)
            equal += frame[i] == frame[i - 1];
    }
    out.duplicates = equal;
}

void PixelSeries::add_pixel_photons(std::vector<std::uint64_t>& sums) const {
    if (dense_) {
        std::vector<std::uint32_t> row(frame_photons_.size());
        for (std::int64_t tile = first_tile(); tile < end_tile(); ++tile) {
            for (std::int64_t slot = first_slot(tile); slot < end_slot(tile); ++slot) {
                gather_row(slot, static_cast<std::int64_t>(row.size()), row.data());
                sums[static_cast<std::size_t>(slot)] +=
                    std::accumulate(row.begin(), row.end(), std::uint64_t{0});
            }
        }
        return;
    }
    for (std::int64_t tile = first_tile(); tile < end_tile(); ++tile) {
        std::uint64_t* first = sums.data() + first_slot(tile);
        for_each_record(*this, tile, [&](std::uint32_t pixel, std::uint32_t, std::uint32_t count) {
            first[pixel] += count;
        });
    }
}

std::int64_t PixelSeries::remove_from_frames(const std::vector<std::uint8_t>& marked) {
    std::int64_t removed = 0;
    TileEvents events;
    std::vector<std::uint32_t> row(dense_ ? frame_photons_.size() : 0);
    for (std::int64_t tile = first_tile(); tile < end_tile(); ++tile) {
        const std::int64_t first = first_slot(tile);
        const std::uint8_t* mark = marked.data() + first;
        const std::int64_t n = end_slot(tile) - first;
        if (std::find(mark, mark + n, 1) == mark + n) continue;
        if (!dense_) gather(tile, events);
        for (std::int64_t p = 0; p < n; ++p) {
            if (mark[p] == 0) continue;
            if (dense_) {
                gather_row(first + p, static_cast<std::int64_t>(row.size()), row.data());
                for (std::size_t f = 0; f < row.size(); ++f) {
                    frame_photons_[f] -= row[f];
                    removed += row[f] != 0;
                }
                continue;
            }
            for (std::uint32_t i = events.begin[static_cast<std::size_t>(p)];
                 i < events.begin[static_cast<std::size_t>(p) + 1];
                 ++i) {
                frame_photons_[events.frame[i]] -= events.count[i];
                ++removed;
            }
        }
    }
    return removed;
}

void PixelSeries::gather_row(std::int64_t slot, std::int64_t n, std::uint32_t* out) const {
    std::fill(out, out + n, 0U);
    const std::int64_t local = slot - first_slot(first_tile());
    for (const SeriesPiece& piece : pieces_) {
        const std::int64_t base = piece.frame_base - range_.begin_frame;
        const std::int64_t n_f = std::min(piece.n_frames, n - base);
        const std::byte* row =
            piece.rows.data() + local * piece.n_frames * std::int64_t{piece.sample_bytes};
        switch (piece.sample_bytes) {
        case 1: {
            const auto* in = reinterpret_cast<const std::uint8_t*>(row);
            for (std::int64_t f = 0; f < n_f; ++f)
                out[base + f] = in[f];
            break;
        }
        case 2: {
            const auto* in = reinterpret_cast<const std::uint16_t*>(row);
            for (std::int64_t f = 0; f < n_f; ++f)
                out[base + f] = in[f];
            break;
        }
        default: {
            const auto* in = reinterpret_cast<const std::uint32_t*>(row);
            for (std::int64_t f = 0; f < n_f; ++f)
                out[base + f] = in[f];
        }
        }
    }
}

}  // namespace xpcs
