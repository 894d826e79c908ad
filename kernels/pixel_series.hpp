// SPDX-License-Identifier: BSD-3-Clause
// The photons of a run in pixel-major order.
//
// Files come frame by frame, correlation wants pixel by pixel. Each chunk of a file is sorted, on
// its own and in parallel, into *tiles* of 512 neighbouring kept pixels; the series of a tile is
// then the concatenation of its part of every piece, in file order. Events are kept as 4-byte
// records (pixel in tile, frame in piece, count), whole frames as lines: samples of 4 to 32 bits
// of 64 neighbouring kept pixels, frame after frame (of bright files word_lines.hpp). Memory: 4
// bytes per event, or the sample size per sample, and 4 bytes per frame.
//
// Or a GPU has the photons: events that it decoded and sorted (device_events.hpp), or frames as
// they lie in the file (device_frames.hpp). Then nothing can be gathered here.
//
// Deterministic: pieces are appended in file order, whatever the number of threads that made them.
#pragma once

#include "kernels/array.hpp"
#include "kernels/event_words.hpp"
#include "kernels/events.hpp"
#include "kernels/frame_map.hpp"
#include "kernels/frame_photons.hpp"
#include "kernels/hd.hpp"
#include "kernels/partition.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace xpcs {

namespace gpu {
class DeviceEvents;
class DeviceFrames;
}  // namespace gpu

constexpr int tile_bits = 9;
constexpr std::int64_t tile_pixels = std::int64_t{1} << tile_bits;

/// Pixels of whole frames whose samples of a frame lie side by side: a cache line of bytes.
constexpr std::int64_t line_pixels = 64;
static_assert(tile_pixels % line_pixels == 0, "no line lies in two tiles");

/// Where sample `place` of lines [line][frame][pixel] belongs.
struct LinePlace {
    std::uint64_t slot;  ///< from the first of the lines
    std::int64_t frame;
};
XPCS_HD inline LinePlace line_place(std::uint64_t place, std::int64_t n_frames) {
    const std::uint64_t line = place / std::uint64_t{line_pixels};
    const auto frames = static_cast<std::uint64_t>(n_frames);
    return {line / frames * std::uint64_t{line_pixels} + place % std::uint64_t{line_pixels},
            static_cast<std::int64_t>(line % frames)};
}

/// Samples of 4 bits: byte i of a line holds pixel i in its low and pixel i + 32 in its high half.
struct HalfByte {
    static constexpr std::int64_t apart = line_pixels / 2;
};
XPCS_HD inline std::uint32_t half_byte(const std::uint8_t* lines, std::uint64_t place) {
    constexpr auto apart = std::uint64_t{HalfByte::apart};
    const std::uint32_t both = lines[place / std::uint64_t{line_pixels} * apart + place % apart];
    return place % std::uint64_t{line_pixels} < apart ? both & 0xFU : both >> 4;
}

inline std::int64_t n_tiles(const Partition& partition) {
    return (partition.n_kept() + tile_pixels - 1) >> tile_bits;
}

/// Which part of the data is kept: file frames [begin, end) and tiles [first_tile, end_tile).
struct SeriesRange {
    std::int64_t begin_frame = 0;
    std::int64_t end_frame = INT64_MAX;
    std::int64_t first_tile = 0;
    std::int64_t end_tile = INT64_MAX;
};

/// What happened to the events of a piece (or of all pieces).
struct SeriesCounts {
    std::int64_t events = 0;          ///< kept
    std::int64_t photons = 0;         ///< kept
    std::int64_t masked = 0;          ///< on pixels that are not kept
    std::int64_t outside_frames = 0;  ///< outside [begin_frame, end_frame)
    std::int64_t split_records = 0;   ///< extra records made of counts above 255
    std::int64_t overflow_samples = 0;
    SeriesCounts& operator+=(const SeriesCounts& other);
};

/// An event whose count takes `extra` more records than one.
struct SplitEvent {
    std::int64_t frame = 0;  ///< of the file
    std::uint32_t slot = 0;
    std::uint32_t extra = 0;
};

/// Photons of one chunk, tile by tile. One of the three stores is used.
struct SeriesPiece {
    std::int64_t frame_base = 0;
    std::int64_t n_frames = 0;        ///< span covered: frame_base ... frame_base + n_frames - 1
    bool ordered = true;              ///< frames never decrease
    RawVector<std::uint32_t> narrow;  ///< records, see series_record.hpp
    RawVector<std::uint64_t> wide;    ///< records of chunks that span many frames
    std::vector<std::uint32_t> tile_begin;  ///< [tiles in range + 1] into narrow or wide
    /// Dense: [kept pixels in range / line_pixels, rounded up][n_frames][line_pixels] samples, 0
    /// behind the last pixel.
    RawVector<std::byte> lines;
    int sample_bits = 0;                       ///< dense: 4 (HalfByte), 8, 16 or 32
    std::vector<std::uint64_t> frame_photons;  ///< [n_frames] sum over kept pixels of the range
    std::vector<SplitEvent> splits;
    std::vector<std::uint32_t> overflow_slots;  ///< kept pixels that met a no-data sample
    SeriesCounts counts;

    std::uint64_t memory_bytes() const;
};

/// Buffers that a thread reuses from chunk to chunk.
struct PieceScratch {
    EventChunk events;                ///< lit samples of dense frames
    EventChunk split;                 ///< events with large counts taken apart
    RawVector<std::uint32_t> narrow;  ///< packed events in file order ...
    RawVector<std::uint64_t> wide;
    RawVector<std::uint32_t> tile;  ///< ... and their tiles
    std::vector<std::uint32_t> cursor;
    RawVector<std::uint8_t> cells;  ///< counts of frames whose words are being taken
    int sample_bits = 4;            ///< of lines: what the last chunk took is tried first; 0: only
                                    ///< the sums of frames are wanted
};

/// Sorts a chunk of events into tiles. Thread-safe.
SeriesPiece make_piece(const EventChunk& chunk,
                       const Partition& partition,
                       const SeriesRange& range,
                       PieceScratch& scratch);

/// The same from words as they lie in a file, which takes less time; false, and nothing done, where
/// anything about them is out of the ordinary (event_pack.hpp). `counts` gets what they held.
/// Thread-safe.
bool make_piece(const std::uint64_t* words,
                std::size_t n,
                const WordBlock& block,
                const Partition& partition,
                const SeriesRange& range,
                PieceScratch& scratch,
                SeriesPiece& piece,
                WordCounts& counts);

/// Sorts whole frames into tiles as events (`as_events`) or as lines.
SeriesPiece make_piece(const DenseChunk& chunk,
                       const Partition& partition,
                       const SeriesRange& range,
                       bool as_events,
                       PieceScratch& scratch);

/// Fraction of the samples on kept pixels that are neither 0 nor "no data".
double occupancy_of(const DenseChunk& chunk, const Partition& partition);

/// One tile's events, pixel by pixel, each pixel in time order. Buffers are reused.
struct TileEvents {
    std::vector<std::uint32_t> begin;  ///< [pixels in tile + 1]
    RawVector<std::uint32_t> frame;    ///< file frame - SeriesRange::begin_frame
    RawVector<std::uint32_t> count;
    std::int64_t duplicates = 0;  ///< records that share pixel and frame with the one before
    RawVector<std::uint32_t> cursor;
};

/// The same in one word per event, for series that `packs()`: frame << 8 | count.
struct PackedTileEvents {
    std::vector<std::uint32_t> begin;  ///< [pixels in tile + 1]
    RawVector<std::uint32_t> word;
    RawVector<std::uint32_t> cursor;
};

/// The photons of one tile in every frame, for tiles whose pixels count in many of them.
struct TileCells {
    static constexpr std::int64_t block = 32;  ///< pixels
    /// [tile_pixels / block] blocks, `pitch` counts apart, of [n_frames][block], 0 behind the
    /// tile's last pixel: blocks of pixels are correlated one after the other, and their counts
    /// shall lie side by side.
    RawVector<std::uint8_t> count;
    std::int64_t pitch = 0;
    std::int64_t n_records = 0;
    std::int64_t duplicates = 0;  ///< records that share pixel and frame with an earlier one
};

class PixelSeries {
  public:
    /// `keep` false: pieces are counted and dropped, only frame sums and counts remain.
    PixelSeries(const Partition& partition, const SeriesRange& range, bool dense, bool keep = true);

    /// Sparse, of all tiles: events that lie on a GPU, finished.
    PixelSeries(const Partition& partition,
                const SeriesRange& range,
                std::shared_ptr<const gpu::DeviceEvents> events);

    /// Dense, of all tiles: frames that lie on a GPU, finished.
    PixelSeries(const Partition& partition,
                const SeriesRange& range,
                std::shared_ptr<const gpu::DeviceFrames> frames);

    /// Pieces come in file order; one caller at a time.
    void append(SeriesPiece&& piece);

    bool dense() const { return dense_; }
    /// Null unless the events lie on a GPU.
    const gpu::DeviceEvents* on_device() const { return on_device_.get(); }
    /// Null unless the frames lie on a GPU.
    const gpu::DeviceFrames* frames_on_device() const { return frames_on_device_.get(); }
    bool is_on_device() const { return on_device_ != nullptr || frames_on_device_ != nullptr; }
    /// CUDA number of that GPU. Throws std::logic_error if there is none.
    int device() const;
    /// Frames never decrease from record to record, so a stable sort by pixel keeps time order.
    bool ordered() const { return ordered_; }
    const Partition& partition() const { return *partition_; }
    const SeriesRange& range() const { return range_; }
    std::int64_t first_tile() const { return range_.first_tile; }
    std::int64_t end_tile() const { return range_.end_tile; }
    const SeriesCounts& counts() const { return counts_; }
    /// The events that are more than one record; what SeriesCounts::split_records sums up.
    const std::vector<SplitEvent>& splits() const { return splits_; }
    std::int64_t last_frame() const { return last_frame_; }  ///< largest kept, -1 if none
    std::uint64_t memory_bytes() const { return memory_bytes_; }
    const std::vector<SeriesPiece>& pieces() const { return pieces_; }

    /// Where a piece's records are, and its first frame - begin_frame.
    struct PieceRecords {
        const std::uint32_t* narrow;  ///< null: wide
        const std::uint64_t* wide;
        std::uint32_t base;
    };
    /// The parts of all pieces that belong to a tile: records [begin[k][column], begin[k][column +
    /// 1]) of pieces[k]. A row of `begin` is a cache line, which fifteen tiles share.
    struct TileParts {
        const PieceRecords* pieces;
        const std::array<std::uint32_t, 16>* begin;
        std::size_t n;
        std::size_t column;
    };
    /// Throws std::logic_error if they lie on a GPU.
    TileParts parts(std::int64_t tile) const;

    /// [frame - begin_frame] photons on the kept pixels of the range; as long as the data reach.
    const FramePhotons& frame_photons() const { return frame_photons_; }
    /// [n_kept] 1 where a no-data sample was met; empty if none was.
    const std::vector<std::uint8_t>& overflow() const { return overflow_; }

    /// Dense: no sample is larger (0xF, 0xFF, 0xFFFF or 0xFFFFFFFF: the width that pieces took).
    std::uint32_t largest_sample() const { return largest_sample_; }

    /// Adds the photons of every kept pixel of the range, in the file frames that `frames` uses, to
    /// sums [n_kept]. In the calling task arena.
    void add_pixel_photons(const FrameMap& frames, std::vector<std::uint64_t>& sums) const;

    /// Takes the photons of the marked pixels [n_kept] out of frame_photons(); returns the number
    /// of records (dense: lit samples) that they have.
    std::int64_t remove_from_frames(const std::vector<std::uint8_t>& marked);

    /// Dense: lit samples of pixels that are not marked [n_kept], in frames that `frames` leaves
    /// out. In the calling task arena.
    std::int64_t n_lit_left_out(const FrameMap& frames,
                                const std::vector<std::uint8_t>& marked) const;

    /// Slots of a tile: [first, end) of the kept pixels.
    std::int64_t first_slot(std::int64_t tile) const { return tile << tile_bits; }
    std::int64_t end_slot(std::int64_t tile) const;

    /// Sparse: the events of a tile. Thread-safe.
    void gather(std::int64_t tile, TileEvents& out) const;

    /// Every event fits a word of PackedTileEvents: fewer than 2^24 frames, counts below 256.
    bool packs() const { return !dense_ && all_narrow_ && last_frame_ < std::int64_t{1} << 24; }
    /// The same as words, half the memory to move; records that share pixel and frame stay apart.
    void gather(std::int64_t tile, PackedTileEvents& out) const;

    /// The same as the counts of all frames; false where a pixel's count of a frame exceeds 255.
    /// Only for series that pack; `n_frames` is beyond their last frame.
    bool scatter(std::int64_t tile, std::int64_t n_frames, TileCells& out) const;
    std::int64_t n_records(std::int64_t tile) const;
    /// Of the records of a tile those on marked pixels; `marked` is of all kept pixels.
    std::int64_t n_records_on(std::int64_t tile, const std::vector<std::uint8_t>& marked) const;

    /// Dense: samples of the kept pixels [first_slot, first_slot + TileCells::block), frames
    /// begin_frame ... begin_frame + n - 1, to out [n][TileCells::block]; frames without data, and
    /// pixels behind the last one, are 0. `first_slot` is a multiple of TileCells::block. Not of
    /// series on a GPU. `Sample` (8, 16 or 32 bits, unsigned) must hold largest_sample().
    /// Thread-safe.
    template <class Sample>
    void gather_cells(std::int64_t first_slot, std::int64_t n, Sample* out) const;
    /// The same by analysis frame: the sums of those that `frames` puts together, out
    /// [frames.n_frames][TileCells::block]. `Sample` must hold them; throws std::overflow_error
    /// where 32 bits do not.
    template <class Sample>
    void gather_cells(std::int64_t first_slot, const FrameMap& frames, Sample* out) const;

  private:
    const Partition* partition_;
    SeriesRange range_;
    bool dense_;
    bool keep_;
    static constexpr std::size_t tiles_in_row = 15;  ///< of TileParts::begin
    void index(const SeriesPiece& piece);
    void add_line_photons(const FrameMap& frames, std::vector<std::uint64_t>& sums) const;
    std::int64_t remove_from_device_frames(const std::vector<std::uint8_t>& marked);
    void take_frame_photons(const FramePhotons& photons);

    std::shared_ptr<const gpu::DeviceEvents> on_device_;
    std::shared_ptr<const gpu::DeviceFrames> frames_on_device_;
    std::vector<SeriesPiece> pieces_;
    std::vector<PieceRecords> records_;                               ///< of pieces with events
    std::vector<std::vector<std::array<std::uint32_t, 16>>> begins_;  ///< [row of tiles][piece]
    FramePhotons frame_photons_;
    std::vector<std::uint8_t> overflow_;
    std::vector<SplitEvent> splits_;
    SeriesCounts counts_;
    std::int64_t last_frame_ = -1;
    std::uint64_t memory_bytes_ = 0;
    std::uint32_t largest_sample_ = 0;
    bool ordered_ = true;
    bool all_narrow_ = true;
};

}  // namespace xpcs
