// SPDX-License-Identifier: BSD-3-Clause
#include "kernels/pixel_series.hpp"

#include "kernels/cell_sums.hpp"
#include "kernels/device_events.hpp"
#include "kernels/device_frames.hpp"
#include "kernels/row_reader.hpp"
#include "kernels/series_record.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>

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
           lines.capacity() + tile_begin.capacity() * sizeof tile_begin[0] +
           frame_photons.capacity() * sizeof frame_photons[0];
}

PixelSeries::PixelSeries(const Partition& partition,
                         const SeriesRange& range,
                         bool dense,
                         bool keep)
    : partition_(&partition), range_(range), dense_(dense), keep_(keep) {
    range_.end_tile = std::min(range.end_tile, n_tiles(partition));
    range_.first_tile = std::min(range.first_tile, range_.end_tile);
}

PixelSeries::PixelSeries(const Partition& partition,
                         const SeriesRange& range,
                         std::shared_ptr<const gpu::DeviceEvents> events)
    : PixelSeries(partition, range, false) {
    counts_ = events->counts();
    last_frame_ = events->last_frame();
    take_frame_photons(events->frame_photons());
    on_device_ = std::move(events);
}

PixelSeries::PixelSeries(const Partition& partition,
                         const SeriesRange& range,
                         std::shared_ptr<const gpu::DeviceFrames> frames)
    : PixelSeries(partition, range, true) {
    counts_ = frames->counts();
    last_frame_ = frames->last_frame();
    overflow_ = frames->overflow();
    largest_sample_ = frames->largest_sample();
    take_frame_photons(frames->frame_photons());
    frames_on_device_ = std::move(frames);
}

void PixelSeries::take_frame_photons(const FramePhotons& photons) {
    for (std::size_t f = 0; f < photons.size(); ++f) {
        if (photons[f] != 0) frame_photons_.add(f, photons[f]);
    }
}

int PixelSeries::device() const {
    if (on_device_) return on_device_->device();
    if (frames_on_device_) return frames_on_device_->device();
    throw std::logic_error("this series does not lie on a GPU");
}

std::int64_t PixelSeries::end_slot(std::int64_t tile) const {
    return std::min((tile + 1) << tile_bits, partition_->n_kept());
}

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
        frame_photons_.add(static_cast<std::size_t>(base) + f, piece.frame_photons[f]);
    }
    piece.frame_photons = {};
    for (const std::uint64_t record : piece.wide) {
        frame_photons_.add(static_cast<std::size_t>(base) + WideRecord::frame(record),
                           WideRecord::count(record));
    }
    // Frames of one file arrive in order; a piece that starts before the last one ended (six module
    // files side by side, or disorder) makes every tile sort its pixels.
    ordered_ = ordered_ && piece.ordered && piece.frame_base >= last_frame_;
    last_frame_ = std::max(last_frame_, piece.frame_base + piece.n_frames - 1);
    if (piece.sample_bits != 0) {
        largest_sample_ = std::max(largest_sample_, 0xFFFFFFFFU >> (32 - piece.sample_bits));
    }
    all_narrow_ = all_narrow_ && piece.wide.empty();
    if (!keep_) return;
    splits_.insert(splits_.end(), piece.splits.begin(), piece.splits.end());
    memory_bytes_ += piece.splits.size() * sizeof piece.splits[0];
    piece.splits = {};
    memory_bytes_ += piece.memory_bytes();
    if (!piece.tile_begin.empty()) index(piece);
    pieces_.push_back(std::move(piece));
}

void PixelSeries::index(const SeriesPiece& piece) {
    const std::size_t n_tiles = piece.tile_begin.size() - 1;
    begins_.resize((n_tiles + tiles_in_row - 1) / tiles_in_row);
    for (std::size_t row = 0; row < begins_.size(); ++row) {
        const std::size_t first = row * tiles_in_row;
        std::array<std::uint32_t, 16> begin{};
        for (std::size_t k = 0; k < begin.size(); ++k)
            begin[k] = piece.tile_begin[std::min(first + k, n_tiles)];
        begins_[row].push_back(begin);
    }
    // The records stay where they are when the piece moves.
    records_.push_back({piece.narrow.empty() ? nullptr : piece.narrow.data(),
                        piece.wide.data(),
                        static_cast<std::uint32_t>(piece.frame_base - range_.begin_frame)});
    memory_bytes_ += sizeof records_[0] + begins_.size() * sizeof begins_[0][0];
}

PixelSeries::TileParts PixelSeries::parts(std::int64_t tile) const {
    if (is_on_device()) throw std::logic_error("this series lies on a GPU");
    const auto local = static_cast<std::size_t>(tile - range_.first_tile);
    if (begins_.empty()) return {nullptr, nullptr, 0, 0};
    return {records_.data(),
            begins_[local / tiles_in_row].data(),
            records_.size(),
            local % tiles_in_row};
}

namespace {

/// A tile's part of a piece is short and lies far from that of the next piece, so the hardware does
/// not see it coming: it is asked for this many pieces before its turn.
constexpr std::size_t ahead = 4;

/// Calls visit(piece, begin, end) for the part of every piece that belongs to a tile, in file
/// order.
template <class Visit>
void for_each_part(const PixelSeries& series, std::int64_t tile, const Visit& visit) {
    const PixelSeries::TileParts parts = series.parts(tile);
    constexpr std::uint32_t line = 64 / sizeof(std::uint32_t);
    for (std::size_t k = 0; k < parts.n; ++k) {
        if (k + ahead < parts.n && parts.pieces[k + ahead].narrow != nullptr) {
            const std::uint32_t* begin = &parts.begin[k + ahead][parts.column];
            const std::uint32_t end = std::min(begin[1], begin[0] + 16 * line);
            for (std::uint32_t i = begin[0]; i < end; i += line)
                __builtin_prefetch(parts.pieces[k + ahead].narrow + i);
        }
        const std::uint32_t* begin = &parts.begin[k][parts.column];
        visit(parts.pieces[k], begin[0], begin[1]);
    }
}

/// Calls visit(pixel, file frame - begin_frame, count) for the records of a tile, in file order.
template <class Visit>
void for_each_record(const PixelSeries& series, std::int64_t tile, const Visit& visit) {
    for_each_part(series,
                  tile,
                  [&](const PixelSeries::PieceRecords& piece, std::uint32_t i, std::uint32_t end) {
                      if (piece.narrow != nullptr) {
                          for (; i < end; ++i) {
                              const std::uint32_t r = piece.narrow[i];
                              visit(NarrowRecord::pixel(r),
                                    piece.base + NarrowRecord::frame(r),
                                    NarrowRecord::count(r));
                          }
                      } else {
                          for (; i < end; ++i) {
                              const std::uint64_t r = piece.wide[i];
                              visit(WideRecord::pixel(r),
                                    piece.base + static_cast<std::uint32_t>(WideRecord::frame(r)),
                                    WideRecord::count(r));
                          }
                      }
                  });
}

/// The same for series that pack: visit(pixel, word of PackedTileEvents).
template <class Visit>
void for_each_word(const PixelSeries& series, std::int64_t tile, const Visit& visit) {
    static_assert(NarrowRecord::frame_bits == 15);
    for_each_part(series,
                  tile,
                  [&](const PixelSeries::PieceRecords& piece, std::uint32_t i, std::uint32_t end) {
                      const std::uint32_t base = piece.base << 8;
                      for (; i < end; ++i) {
                          const std::uint32_t r = piece.narrow[i];
                          visit(NarrowRecord::pixel(r), (r & 0x7FFFFFU) + base);
                      }
                  });
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

/// begin[] of every pixel of a tile from the numbers of its records in `cursor`, which then stand
/// at the beginnings; returns the number of all.
std::uint32_t begin_of_pixels(std::uint32_t* cursor, std::vector<std::uint32_t>& begin) {
    std::uint32_t at = 0;
    for (std::size_t p = 0; p + 1 < begin.size(); ++p) {
        begin[p] = at;
        const std::uint32_t n = cursor[p];
        cursor[p] = at;
        at += n;
    }
    begin.back() = at;
    return at;
}

/// Makes room for the cursors of a tile and one `begin` more than it has pixels.
std::uint32_t* start_sort(const PixelSeries& series,
                          std::int64_t tile,
                          std::vector<std::uint32_t>& begin,
                          RawVector<std::uint32_t>& cursors) {
    begin.resize(static_cast<std::size_t>(series.end_slot(tile) - series.first_slot(tile)) + 1);
    cursors.resize(static_cast<std::size_t>(tile_pixels));
    std::fill(cursors.begin(), cursors.end(), 0U);
    return cursors.data();
}

}  // namespace

// Counting sorts of a tile's records by pixel, which keep their order.

void PixelSeries::gather(std::int64_t tile, TileEvents& out) const {
    std::uint32_t* cursor = start_sort(*this, tile, out.begin, out.cursor);
    for_each_record(
        *this, tile, [&](std::uint32_t pixel, std::uint32_t, std::uint32_t) { ++cursor[pixel]; });
    const std::uint32_t n_records = begin_of_pixels(cursor, out.begin);
    out.frame.resize(n_records);
    out.count.resize(n_records);
    std::uint32_t *frames = out.frame.data(), *counts = out.count.data();
    for_each_record(
        *this, tile, [&](std::uint32_t pixel, std::uint32_t frame, std::uint32_t count) {
            const std::uint32_t to = cursor[pixel]++;
            frames[to] = frame;
            counts[to] = count;
        });
    std::int64_t equal = 0;
    for (std::size_t p = 0; p + 1 < out.begin.size(); ++p) {
        std::uint32_t* frame = frames + out.begin[p];
        const std::size_t n = out.begin[p + 1] - out.begin[p];
        if (!ordered_) sort_pixel(frame, counts + out.begin[p], n);
        for (std::size_t i = 1; i < n; ++i)
            equal += frame[i] == frame[i - 1];
    }
    out.duplicates = equal;
}

void PixelSeries::gather(std::int64_t tile, PackedTileEvents& out) const {
    std::uint32_t* cursor = start_sort(*this, tile, out.begin, out.cursor);
    for_each_word(*this, tile, [&](std::uint32_t pixel, std::uint32_t) { ++cursor[pixel]; });
    out.word.resize(begin_of_pixels(cursor, out.begin));
    std::uint32_t* words = out.word.data();
    for_each_word(*this, tile, [&](std::uint32_t pixel, std::uint32_t word) {
        words[cursor[pixel]++] = word;
    });
    if (ordered_) return;
    for (std::size_t p = 0; p + 1 < out.begin.size(); ++p) {
        std::uint32_t *first = words + out.begin[p], *last = words + out.begin[p + 1];
        if (!std::is_sorted(first, last)) std::sort(first, last);
    }
}

std::int64_t PixelSeries::n_records(std::int64_t tile) const {
    if (on_device_) {
        const std::vector<std::uint32_t>& begin = on_device_->begin();
        return std::int64_t{begin[static_cast<std::size_t>(end_slot(tile))]} -
               begin[static_cast<std::size_t>(first_slot(tile))];
    }
    std::int64_t n = 0;
    const TileParts all = parts(tile);
    for (std::size_t k = 0; k < all.n; ++k)
        n += all.begin[k][all.column + 1] - all.begin[k][all.column];
    return n;
}

std::int64_t PixelSeries::n_records_on(std::int64_t tile,
                                       const std::vector<std::uint8_t>& marked) const {
    const std::uint8_t* mark = marked.data() + first_slot(tile);
    const std::int64_t n_pixels = end_slot(tile) - first_slot(tile);
    std::int64_t n = 0;
    if (std::find_if(mark, mark + n_pixels, [](std::uint8_t m) { return m != 0; }) ==
        mark + n_pixels) {
        return n;
    }
    for_each_word(*this, tile, [&](std::uint32_t pixel, std::uint32_t) { n += mark[pixel] != 0; });
    return n;
}

namespace {

/// An odd number of cache lines, so that the same frame of all blocks does not fall into one set of
/// the cache.
std::int64_t pitch_of_blocks(std::int64_t n_frames) {
    constexpr std::int64_t line = 64;
    return ((n_frames * TileCells::block + line - 1) / line | 1) * line;
}

/// The counts of a tile while they are filled by time: cleared shortly before their records come
/// and added up shortly after, both while they are in the cache.
class CellWindow {
  public:
    CellWindow(std::int64_t n_frames, TileCells& cells) : n_frames_(n_frames), cells_(cells) {}

    /// Records of frames [first, last] come next, and none of an earlier one any more.
    void move(std::int64_t first, std::int64_t last) {
        if (last >= cleared_) clear_to(std::min(n_frames_, (last / step + 1) * step));
        if (first >= summed_ + step) sum_to(first / step * step);
    }
    /// What all counts hold.
    CellSums finish() {
        clear_to(n_frames_);
        sum_to(n_frames_);
        return held_;
    }

  private:
    static constexpr std::int64_t step = 16;  ///< frames; 8 KiB of counts. Measured

    template <class Use>
    void for_blocks(std::int64_t begin, std::int64_t end, const Use& use) {
        constexpr std::int64_t block = TileCells::block;
        for (std::int64_t k = 0; k < tile_pixels / block; ++k)
            use(cells_.count.data() + k * cells_.pitch + begin * block,
                static_cast<std::size_t>((end - begin) * block));
    }
    void clear_to(std::int64_t end) {
        for_blocks(cleared_, end, [](std::uint8_t* count, std::size_t n) {
            std::fill_n(count, n, std::uint8_t{0});
        });
        cleared_ = end;
    }
    void sum_to(std::int64_t end) {
        for_blocks(summed_, end, [&](const std::uint8_t* count, std::size_t n) {
            const CellSums sums = sums_of_cells(count, n);
            held_.photons += sums.photons;
            held_.lit += sums.lit;
        });
        summed_ = end;
    }

    std::int64_t n_frames_;
    TileCells& cells_;
    std::int64_t cleared_ = 0, summed_ = 0;  ///< frames before these are
    CellSums held_;
};

}  // namespace

// Records of a piece go by time, so each block is filled from front to back. Bytes wrap; where one
// did, the counts hold fewer photons than the records.
bool PixelSeries::scatter(std::int64_t tile, std::int64_t n_frames, TileCells& out) const {
    constexpr std::size_t block = TileCells::block;
    out.pitch = pitch_of_blocks(n_frames);
    out.count.resize(static_cast<std::size_t>(out.pitch) * (tile_pixels / block));
    std::array<std::size_t, tile_pixels> place{};
    for (std::size_t p = 0; p < place.size(); ++p)
        place[p] = p / block * static_cast<std::size_t>(out.pitch) + p % block;
    std::uint8_t* counts = out.count.data();
    CellWindow window(n_frames, out);
    if (!ordered_) window.move(0, n_frames - 1);
    std::uint64_t photons = 0;
    std::int64_t n = 0;
    for_each_part(*this, tile, [&](const PieceRecords& piece, std::uint32_t i, std::uint32_t end) {
        if (i == end) return;
        n += end - i;
        // In 32 bits: a piece may begin before the first frame that is read.
        const auto frame_of = [&](std::uint32_t k) -> std::uint32_t {
            return piece.base + NarrowRecord::frame(piece.narrow[k]);
        };
        if (ordered_) window.move(frame_of(i), frame_of(end - 1));
        for (; i < end; ++i) {
            const std::uint32_t r = piece.narrow[i];
            counts[place[NarrowRecord::pixel(r)] + std::size_t{frame_of(i)} * block] +=
                static_cast<std::uint8_t>(NarrowRecord::count(r));
            photons += NarrowRecord::count(r);
        }
    });
    const CellSums held = window.finish();
    out.n_records = n;
    out.duplicates = n - held.lit;
    return held.photons == photons;
}

void PixelSeries::add_pixel_photons(const FrameMap& frames,
                                    std::vector<std::uint64_t>& sums) const {
    if (on_device_) {
        on_device_->add_pixel_photons(frames, sums);
        return;
    }
    if (frames_on_device_) {
        frames_on_device_->add_pixel_photons(frames, sums);
        return;
    }
    if (dense_) {
        add_line_photons(frames, sums);
        return;
    }
    const auto is_used = [&, begin = range_.begin_frame](std::int64_t frame) {
        return frames(begin + frame) != FrameMap::left_out;
    };
    for (std::int64_t tile = first_tile(); tile < end_tile(); ++tile) {
        std::uint64_t* first = sums.data() + first_slot(tile);
        for_each_record(
            *this, tile, [&](std::uint32_t pixel, std::uint32_t frame, std::uint32_t count) {
                if (is_used(frame)) first[pixel] += count;
            });
    }
}

std::int64_t PixelSeries::remove_from_device_frames(const std::vector<std::uint8_t>& marked) {
    std::int64_t removed = 0;
    std::vector<std::uint64_t> photons;
    if (frames_on_device_) {
        photons = frames_on_device_->photons_on(marked, removed);
    } else {
        const std::vector<std::uint32_t>& begin = on_device_->begin();
        for (std::size_t slot = 0; slot < marked.size(); ++slot) {
            if (marked[slot] != 0) removed += std::int64_t{begin[slot + 1]} - begin[slot];
        }
        if (removed == 0) return removed;
        photons = on_device_->photons_on(marked);
    }
    for (std::size_t f = 0; f < photons.size(); ++f) {
        if (photons[f] != 0) frame_photons_.remove(f, photons[f]);
    }
    return removed;
}

std::int64_t PixelSeries::remove_from_frames(const std::vector<std::uint8_t>& marked) {
    if (is_on_device()) return remove_from_device_frames(marked);
    std::int64_t removed = 0;
    TileEvents events;
    RowReader rows(*this, dense_ ? static_cast<std::int64_t>(frame_photons_.size()) : 0);
    for (std::int64_t tile = first_tile(); tile < end_tile(); ++tile) {
        const std::int64_t first = first_slot(tile);
        const std::uint8_t* mark = marked.data() + first;
        const std::int64_t n = end_slot(tile) - first;
        if (std::find(mark, mark + n, 1) == mark + n) continue;
        if (!dense_) gather(tile, events);
        for (std::int64_t p = 0; p < n; ++p) {
            if (mark[p] == 0) continue;
            if (dense_) {
                const std::uint32_t* row = rows.row(first + p);
                for (std::size_t f = 0; f < frame_photons_.size(); ++f) {
                    frame_photons_.remove(f, row[f]);
                    removed += row[f] != 0;
                }
                continue;
            }
            for (std::uint32_t i = events.begin[static_cast<std::size_t>(p)];
                 i < events.begin[static_cast<std::size_t>(p) + 1];
                 ++i) {
                frame_photons_.remove(events.frame[i], events.count[i]);
                ++removed;
            }
        }
    }
    return removed;
}

}  // namespace xpcs
