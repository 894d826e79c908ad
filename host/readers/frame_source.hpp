// SPDX-License-Identifier: BSD-3-Clause
// One small interface for every detector format. A file is read block by block: `next()` fetches
// the raw bytes in file order and is called by one thread at a time; `decode()` turns a block into
// events or frames and may run on many threads at once. Nothing in memory grows with the file.
//
// One thread copies some 5 GB/s out of the page cache. Where that bounds the run, next() falls into
// three steps, of which the middle one may run on many threads: announce(), fetch(), place().
#pragma once

#include "host/readers/follow.hpp"
#include "host/run_config.hpp"
#include "kernels/array.hpp"
#include "kernels/event_words.hpp"
#include "kernels/events.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace xpcs {

/// What is known before the events are read.
struct SourceInfo {
    std::string format;              ///< "rigaku64", "rigaku3m", "hdf5", "imm", ...
    std::string detected_by;         ///< what decided it, in words (content, then name)
    std::vector<std::string> files;  ///< every file that is read
    std::int64_t rows = 0;           ///< 0 if the file does not say (Rigaku: the q-map decides)
    std::int64_t cols = 0;
    std::int64_t n_frames = 0;        ///< 0 if only reading tells
    std::int64_t n_frames_hint = 0;   ///< from the file name token _fNNNNNN_, 0 if none
    double frame_time_s = 0;          ///< fixed by how the file was binned (Timepix4); 0 = not
    bool last_frame_partial = false;  ///< the last frame seen is incomplete and left out
    std::uint64_t n_bytes = 0;        ///< of all files
    std::int64_t trailing_bytes = 0;  ///< beyond the last whole record, ignored
    bool sparse = true;               ///< EventChunk, else DenseChunk
    int sample_bytes = 0;             ///< dense: 1, 2, 4
    std::uint64_t n_words = 0;        ///< 64-bit words that a GPU could decode; 0 = none
    bool whole_frames = false;        ///< dense: a GPU could take the frames as they are
    bool parts = false;               ///< dense: pixels of a frame can be read without the others
    std::int64_t sample_scale = 1;    ///< samples are counts times this (dark and flat correction)
    std::vector<std::uint8_t> gap;    ///< [rows * cols] 1 = no detector there; empty if no gaps
    std::vector<std::string> warnings;
};

/// Raw bytes of a piece of a file, and what decode needs to know about its place.
struct RawBlock {
    std::int64_t sequence = 0;       ///< 0, 1, 2, ... in order of time
    std::int64_t first_record = 0;   ///< record (or frame) number in its file
    std::int64_t frame_epoch = 0;    ///< of the first record: 2^24 per counter wrap before it
    std::int64_t frame_before = -1;  ///< absolute frame of the record before, -1 = none
    std::int64_t frame_after = -1;   ///< absolute frame of the last record, as far as next() knows
    bool one_epoch = false;          ///< no wrap: frame_epoch is that of every record
    int file = 0;                    ///< index into SourceInfo::files
    RawVector<std::byte> bytes;
    std::vector<std::uint32_t> marks;  ///< from fetch() to place()
};

/// What a decoder met in one block. decode() adds to what is there; += merges two threads' counts.
struct DecodeCounts {
    std::int64_t records = 0;
    std::int64_t zero_count = 0;     ///< records with count 0, dropped
    std::int64_t before_start = 0;   ///< earlier than the start of the run, dropped
    std::int64_t bad_index = 0;      ///< pixel index beyond the detector, dropped on request
    std::int64_t out_of_order = 0;   ///< frame smaller than that of the record before
    std::int64_t last_frame = -1;    ///< largest frame seen (count-0 records included)
    std::int64_t counter_wraps = 0;  ///< of the frame counter, since the start (a maximum)
    std::int64_t at_maximum_3 = 0;   ///< events with count exactly 3, 15, 255, 4095
    std::int64_t at_maximum_15 = 0;
    std::int64_t at_maximum_255 = 0;
    std::int64_t at_maximum_4095 = 0;
    std::int64_t largest_count = 0;
    DecodeCounts& operator+=(const DecodeCounts& other);
};

/// Time stamps of frames, where the format has them: entry k is of frame first_frame + k.
struct FrameTimes {
    std::int64_t first_frame = 0;
    std::vector<double> clock_s;  ///< IMM: elapsed
    std::vector<double> tick;     ///< IMM: corecotick
};

/// Frames of a file of which reading saw the last one: stated, or counted.
std::int64_t frames_seen(const SourceInfo& info, std::int64_t last_frame);

using Chunk = std::variant<EventChunk, DenseChunk>;

class RawFile;

class FrameSource {
  public:
    virtual ~FrameSource() = default;
    FrameSource() = default;
    FrameSource(const FrameSource&) = delete;
    FrameSource& operator=(const FrameSource&) = delete;

    virtual const SourceInfo& info() const = 0;

    /// Tells a source whose file carries no shape what the q-map says. Throws Error (data) if the
    /// file contradicts it.
    virtual void set_shape(std::int64_t rows, std::int64_t cols) = 0;

    /// Restricts a dense source to frames [first, end); sparse sources ignore it. Call before
    /// next().
    virtual void select(std::int64_t first, std::int64_t end) = 0;

    /// Nothing but pixels [first, end) of every frame is wanted. A dense source of
    /// SourceInfo::parts may leave out others; DenseChunk says what is there. Call before next().
    virtual void select_pixels(std::int64_t /*first*/, std::int64_t /*end*/) {}

    /// The next block in file order, false at the end. `block.bytes` is reused. One caller at a
    /// time.
    virtual bool next(RawBlock& block) = 0;

    /// next() in three steps. announce(), one caller at a time, says which block comes; fetch(),
    /// thread-safe, brings its bytes; place(), one caller at a time and in the order of the
    /// announcements, settles what depends on the blocks before. A source that does not override
    /// them does everything in announce().
    virtual bool announce(RawBlock& block) { return next(block); }
    virtual void fetch(RawBlock& block) const;
    virtual void place(RawBlock& block);

    /// Decodes a block. Thread-safe. `chunk` is reused: pass the one of the last call.
    virtual void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const = 0;

    /// The words of a block, where a GPU could decode them; null where the host has to.
    struct Undecoded {
        const std::uint64_t* words = nullptr;
        std::size_t n = 0;
        WordBlock place;  ///< frames of the range are not set
    };
    virtual Undecoded undecoded(const RawBlock& block) const;

    /// The one file of 64-bit words that the source reads, where these cover the detector and may
    /// be read in any order and number; else nothing. As long as the source lives.
    struct WordFile {
        const RawFile* file = nullptr;
        std::int64_t n_words = 0;
        rigaku::IndexMap map;
    };
    virtual std::optional<WordFile> word_file() const { return std::nullopt; }

    /// What no block exceeds: its bytes, and its frames. Of sources of whole_frames.
    struct BlockRoom {
        std::size_t bytes = 0;
        std::int64_t frames = 0;
    };
    virtual BlockRoom block_room() const { return {}; }

    /// Fraction of the input bytes fetched so far, for progress.
    virtual double fraction_read() const = 0;

    /// Of the frames that next() has passed; empty where the format has none.
    virtual const FrameTimes& frame_times() const;
};

struct FrameCorrection;

struct SourceOptions {
    std::string dataset;        ///< HDF5 path, "" = /entry/data/data
    std::int64_t n_frames = 0;  ///< stated by the user, 0 = from the file
    bool strict = false;
    bool drop_bad_index = false;
    bool allow_missing_module = false;
    bool allow_truncated = false;
    bool direct_chunks = true;  ///< HDF5: decode chunks here where their filters are known
    std::vector<std::string> more_files;  ///< HDF5: go on with these, in this order; Timepix4:
                                          ///< other streams of the run
    std::string channel;          ///< of a 4-D dataset: name, or number from 0; "" = @default_slice
    bool ftf_high_first = false;  ///< fast transfer: the first pixel lies in the highest bits
    double bin_time_s = 1e-6;     ///< Timepix4 streams
    std::string run_config_path;  ///< Timepix4 streams, "" = none
    std::int64_t block_bytes = 1 << 20;                 ///< bytes per RawBlock of a sparse file
    std::int64_t frame_block_bytes = 16 << 20;          ///< HDF5: the same of frames, if they fit
    FollowOptions follow;                               ///< sparse files that still grow
    std::shared_ptr<const FrameCorrection> correction;  ///< dark and flat; null = none
};

/// Opens a raw file, by content first, name second. Throws Error (no_input, data).
std::unique_ptr<FrameSource> open_frame_source(const std::string& raw,
                                               const SourceOptions& options);

}  // namespace xpcs
