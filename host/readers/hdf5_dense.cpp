// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/hdf5_dense.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/h5_chunks.hpp"
#include "host/readers/hdf5_blocks.hpp"
#include "host/readers/hdf5_segments.hpp"
#include "host/readers/raw_file.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

namespace xpcs {

namespace {

constexpr std::int64_t largest_block_bytes = 256 << 20;
/// Of parts of frames: the lines that they become are read soon, so that few shall be on their way.
constexpr std::int64_t part_block_bytes = 8 << 20;

hid_t sample_memory_type(int sample_bytes) {
    if (sample_bytes == 1) return h5::native_type<std::uint8_t>();
    return sample_bytes == 2 ? h5::native_type<std::uint16_t>() : h5::native_type<std::uint32_t>();
}

/// How the samples of a segment are fetched: through HDF5, one caller at a time, or by their place
/// in the file, by any number of threads.
enum class Access { unknown, library, file };

/// Of a frame that the file does not have.
constexpr std::uint64_t nowhere = UINT64_MAX;

class Hdf5Source final : public FrameSource {
  public:
    Hdf5Source(const std::string& path, const SourceOptions& options, SourceInfo info)
        : info_(std::move(info)), segments_(find_segments(path, options, info_)),
          wanted_block_bytes_(options.frame_block_bytes) {
        const FrameSegment& first = segments_.front();
        info_.format = "hdf5";
        info_.sparse = false;
        info_.rows = first.rows;
        info_.cols = first.cols;
        info_.sample_bytes = first.sample_bytes;
        info_.whole_frames = true;
        info_.parts = std::all_of(segments_.begin(), segments_.end(), has_plain_frames);
        info_.n_frames = segments_.back().end();
        info_.n_frames_hint = frames_in_name(path);
        frame_bytes_ = first.frame_bytes();
        n_pixels_ = info_.rows * info_.cols;
        name_ = first.file + ": " + first.dataset;
        if (options.n_frames > info_.n_frames) {
            throw Error(ExitCode::data,
                        name_ + ": has " + std::to_string(info_.n_frames) +
                            " frames, fewer than the " + std::to_string(options.n_frames) +
                            " of --n-frames");
        }
        if (options.n_frames > 0) info_.n_frames = options.n_frames;
        for (const FrameSegment& segment : segments_)
            block_frames_.push_back(frames_per_block(segment));
        access_.assign(segments_.size(), Access::unknown);
        contiguous_at_.assign(segments_.size(), 0);
        end_ = info_.n_frames;
    }

    const SourceInfo& info() const override { return info_; }

    void set_shape(std::int64_t rows, std::int64_t cols) override {
        if (rows == info_.rows && cols == info_.cols) return;
        const bool transposed = rows == info_.cols && cols == info_.rows;
        throw Error(ExitCode::data,
                    name_ + ": frames have " + std::to_string(info_.rows) + " x " +
                        std::to_string(info_.cols) + " pixels, the q-map " + std::to_string(rows) +
                        " x " + std::to_string(cols) +
                        (transposed ? ": transposed (--transpose-qmap turns it)" : ""));
    }

    void select(std::int64_t first, std::int64_t end) override {
        if (first < 0 || end > info_.n_frames || first > end) {
            throw Error(ExitCode::internal,
                        name_ + ": frames " + std::to_string(first) + " to " + std::to_string(end) +
                            " of " + std::to_string(info_.n_frames));
        }
        first_ = next_ = first;
        end_ = end;
    }

    void select_pixels(std::int64_t first, std::int64_t end) override {
        const bool saves_little = 4 * (end - first) > 3 * n_pixels_;
        if (!info_.parts || saves_little) return;
        is_part_ = true;
        first_pixel_ = first;
        n_pixels_ = end - first;
        for (std::size_t k = 0; k < segments_.size(); ++k) {
            const std::int64_t wanted = std::max<std::int64_t>(1, part_block_bytes / part_bytes());
            block_frames_[k] = std::max(block_frames_[k], wanted);
        }
    }

    bool next(RawBlock& block) override {
        if (!announce(block)) return false;
        fetch(block);
        return true;
    }

    bool announce(RawBlock& block) override {
        if (next_ >= end_) return false;
        open_segment_of(next_);
        const FrameSegment& segment = segments_[at_];
        // Blocks end where chunks do, so that no chunk is decompressed twice.
        const std::int64_t in_source = next_ - segment.first + segment.source_first;
        const std::int64_t step = block_frames_[at_];
        const std::int64_t boundary = next_ + step - in_source % step;
        const std::int64_t n = std::min({boundary, segment.end(), end_}) - next_;
        if (is_part_) {
            list_parts(segment, in_source, n, block.bytes);
        } else if (segment.pipeline) {
            list_chunks(segment, in_source, n, block.bytes);
        } else if (access_[at_] == Access::library) {
            read_frames(segment, in_source, n, block.bytes);
        } else {
            block.bytes.resize(static_cast<std::size_t>(n * frame_bytes_));
        }
        block.sequence = sequence_++;
        block.first_record = next_;
        block.frame_epoch = 0;
        block.frame_before = next_ - 1;
        next_ += n;
        block.frame_after = next_ - 1;
        block.file = static_cast<int>(at_);
        frames_read_ += n;
        return true;
    }

    void fetch(RawBlock& block) const override {
        const auto index = static_cast<std::size_t>(block.file);
        if (access_[index] != Access::file) return;
        const FrameSegment& segment = segments_[index];
        const RawFile file(segment.stored_in);
        if (is_part_) {
            read_parts(file, block);
            return;
        }
        if (!segment.pipeline) {
            const std::int64_t first = block.first_record - segment.first + segment.source_first;
            file.read(contiguous_at_[index] + static_cast<std::uint64_t>(first * frame_bytes_),
                      block.bytes.data(),
                      block.bytes.size());
            return;
        }
        for_chunks(block.bytes, [&](const ChunkEntry& entry) {
            if (entry.bytes == 0) return;
            file.read(entry.address,
                      block.bytes.data() + entry.offset,
                      static_cast<std::size_t>(entry.bytes));
        });
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (!std::holds_alternative<DenseChunk>(chunk)) chunk.emplace<DenseChunk>();
        auto& frames = std::get<DenseChunk>(chunk);
        frames.first_frame = block.first_record;
        frames.n_frames = block.frame_after - block.first_record + 1;
        frames.first_pixel = first_pixel_;
        frames.n_pixels = n_pixels_;
        frames.sample_bytes = info_.sample_bytes;
        const auto n_bytes = static_cast<std::size_t>(frames.n_frames * part_bytes());
        const FrameSegment& segment = segments_[static_cast<std::size_t>(block.file)];
        if (is_part_ || !segment.pipeline) {
            frames.samples = std::span(block.bytes).first(n_bytes);
        } else if (const std::byte* plain = plain_frames(segment, block, n_bytes)) {
            frames.samples = {plain, n_bytes};
        } else {
            decode_chunks(segment, block, frames, frames.allocate(n_bytes));
        }
        counts.records += frames.n_frames;
        counts.last_frame = std::max(counts.last_frame, block.frame_after);
    }

    BlockRoom block_room() const override {
        BlockRoom room;
        for (std::size_t k = 0; k < segments_.size(); ++k) {
            const FrameSegment& segment = segments_[k];
            const std::int64_t frames = block_frames_[k];
            room.frames = std::max(room.frames, frames);
            std::size_t bytes = static_cast<std::size_t>(frames * frame_bytes_);
            if (segment.pipeline) {
                const auto parts = [](std::int64_t whole, hsize_t part) {
                    return static_cast<std::size_t>(whole + static_cast<std::int64_t>(part) - 1) /
                           static_cast<std::size_t>(part);
                };
                const std::size_t n_chunks = (parts(frames, segment.chunk[0]) + 1) *
                                             parts(segment.rows, segment.chunk[1]) *
                                             parts(segment.cols, segment.chunk[2]);
                bytes = sizeof(std::uint64_t) +
                        n_chunks * (sizeof(ChunkEntry) + largest_chunk(*segment.pipeline));
            }
            room.bytes = std::max(room.bytes, bytes);
        }
        return room;
    }

    double fraction_read() const override {
        const std::int64_t all = end_ - first_;
        return all == 0 ? 1.0 : static_cast<double>(frames_read_.load()) / static_cast<double>(all);
    }

  private:
    std::int64_t frames_per_block(const FrameSegment& segment) {
        const std::int64_t chunk_frames =
            segment.chunk.empty()
                ? 1
                : std::max<std::int64_t>(1, static_cast<std::int64_t>(segment.chunk[0]));
        const std::int64_t most = std::max<std::int64_t>(1, largest_block_bytes / frame_bytes_);
        if (std::min(chunk_frames, segment.n_frames) > most) {
            info_.warnings.push_back(segment.file + ": " + segment.dataset + ": chunks of " +
                                     std::to_string(chunk_frames) +
                                     " frames are larger than 256 MiB; reading will be slow");
            return most;
        }
        const std::int64_t wanted = std::max<std::int64_t>(1, wanted_block_bytes_ / frame_bytes_);
        return std::max<std::int64_t>(1, wanted / chunk_frames) * chunk_frames;
    }

    void open_segment_of(std::int64_t frame) {
        const auto found = std::upper_bound(
            segments_.begin(), segments_.end(), frame, [](std::int64_t value, const auto& segment) {
                return value < segment.end();
            });
        const auto index = static_cast<std::size_t>(found - segments_.begin());
        if (dataset_ && index == at_) return;
        places_.reset();
        dataset_ = {};
        if (!file_ || segments_[index].file != segments_[at_].file) {
            file_ = h5::open_file(segments_[index].file);
        }
        at_ = index;
        dataset_ = h5::open_dataset(file_.id(), segments_[index].dataset);
        if (segments_[index].pipeline) places_.emplace(dataset_);
        if (access_[index] == Access::unknown) access_[index] = choose_access(segments_[index]);
    }

    /// By place in the file, where HDF5 tells the places and a look there finds the same bytes
    /// (they count from the end of a user block, and other drivers spread a file over several).
    Access choose_access(const FrameSegment& segment) {
        try {
            return segment.pipeline ? access_of_chunks(segment) : access_of_frames(segment);
        } catch (const Error&) {  // HDF5 will say what is wrong when its turn comes
            return Access::library;
        }
    }

    Access access_of_chunks(const FrameSegment& segment) {
        const auto depth = static_cast<std::int64_t>(segment.chunk[0]);
        const std::int64_t frame = segment.source_first / depth * depth;
        ChunkEntry entry{};
        if (!find_chunk(segment, frame, 0, 0, entry)) return Access::library;
        RawVector<std::byte> here, there;
        here.resize(static_cast<std::size_t>(entry.bytes));
        there.resize(here.size());
        read_chunk(segment, entry, here.data());
        RawFile(segment.stored_in).read(entry.address, there.data(), there.size());
        return std::memcmp(here.data(), there.data(), here.size()) == 0 ? Access::file
                                                                        : Access::library;
    }

    Access access_of_frames(const FrameSegment& segment) {
        if (segment.channel || !segment.chunk.empty() || !segment.native_order) {
            return Access::library;
        }
        {
            const auto held = h5::lock();
            const h5::PropertyList storage(H5Dget_create_plist(dataset_.id()));
            const haddr_t at = H5Dget_offset(dataset_.id());
            if (H5Pget_layout(storage.id()) != H5D_CONTIGUOUS ||
                H5Pget_external_count(storage.id()) != 0 || at == HADDR_UNDEF) {
                return Access::library;
            }
            contiguous_at_[at_] = at;
        }
        RawVector<std::byte> here, there;
        read_frames(segment, segment.source_first, 1, here);
        there.resize(here.size());
        RawFile(segment.stored_in)
            .read(contiguous_at_[at_] +
                      static_cast<std::uint64_t>(segment.source_first * frame_bytes_),
                  there.data(),
                  there.size());
        return std::memcmp(here.data(), there.data(), here.size()) == 0 ? Access::file
                                                                        : Access::library;
    }

    /// Samples through HDF5 and its filters.
    void read_frames(const FrameSegment& segment,
                     std::int64_t first,
                     std::int64_t n,
                     RawVector<std::byte>& bytes) {
        bytes.resize(static_cast<std::size_t>(n * frame_bytes_));
        h5::Shape offset = {static_cast<hsize_t>(first), 0, 0};
        h5::Shape count = {static_cast<hsize_t>(n),
                           static_cast<hsize_t>(segment.rows),
                           static_cast<hsize_t>(segment.cols)};
        if (segment.channel) {
            offset.insert(offset.begin() + 1, static_cast<hsize_t>(*segment.channel));
            count.insert(count.begin() + 1, 1);
        }
        h5::read_slab(
            dataset_, sample_memory_type(info_.sample_bytes), offset, count, bytes.data());
    }

    std::int64_t part_bytes() const { return n_pixels_ * info_.sample_bytes; }

    /// Room for the parts of n frames, and behind it where each of them lies in the file; the parts
    /// themselves where only HDF5 can read them.
    void list_parts(const FrameSegment& segment,
                    std::int64_t first,
                    std::int64_t n,
                    RawVector<std::byte>& bytes) {
        const std::int64_t offset = first_pixel_ * info_.sample_bytes;
        bytes.resize(static_cast<std::size_t>(n * part_bytes()) +
                     static_cast<std::size_t>(n) * sizeof(std::uint64_t));
        if (access_[at_] == Access::library) {
            RawVector<std::byte> whole;
            for (std::int64_t k = 0; k < n; ++k) {
                read_frames(segment, first + k, 1, whole);
                std::memcpy(bytes.data() + k * part_bytes(),
                            whole.data() + offset,
                            static_cast<std::size_t>(part_bytes()));
            }
            return;
        }
        for (std::int64_t k = 0; k < n; ++k) {
            std::uint64_t place = place_of_frame(segment, first + k);
            if (place != nowhere) place += static_cast<std::uint64_t>(offset);
            std::memcpy(bytes.data() + n * part_bytes() +
                            k * static_cast<std::int64_t>(sizeof place),
                        &place,
                        sizeof place);
        }
    }

    /// Where a frame of has_plain_frames() begins in its file.
    std::uint64_t place_of_frame(const FrameSegment& segment, std::int64_t frame) {
        if (!segment.pipeline) {
            return contiguous_at_[at_] + static_cast<std::uint64_t>(frame * frame_bytes_);
        }
        const auto depth = static_cast<std::int64_t>(segment.chunk[0]);
        ChunkEntry entry{};
        if (!find_chunk(segment, frame / depth * depth, 0, 0, entry)) return nowhere;
        if (entry.bytes != segment.pipeline->chunk_bytes) {
            throw Error(ExitCode::data,
                        place_of(segment, frame) + ": chunk of " + std::to_string(entry.bytes) +
                            " bytes for " + std::to_string(segment.pipeline->chunk_bytes) +
                            " bytes of samples");
        }
        return entry.address + static_cast<std::uint64_t>(frame % depth * frame_bytes_);
    }

    void read_parts(const RawFile& file, RawBlock& block) const {
        const auto part = static_cast<std::size_t>(part_bytes());
        const std::size_t n = block.bytes.size() / (part + sizeof(std::uint64_t));
        for (std::size_t k = 0; k < n; ++k) {
            std::uint64_t place = 0;
            std::memcpy(&place, block.bytes.data() + n * part + k * sizeof place, sizeof place);
            std::byte* const to = block.bytes.data() + k * part;
            if (place == nowhere) {
                std::memset(to, 0, part);
            } else {
                file.read(place, to, part);
            }
        }
    }

    /// An incompressible chunk grows a little; far more than its content is damage.
    static std::size_t largest_chunk(const ChunkPipeline& pipeline) {
        return 2 * pipeline.chunk_bytes + 4096;
    }

    /// Where a chunk lies; false and 0 bytes for one that was never written.
    bool find_chunk(const FrameSegment& segment,
                    std::int64_t frame,
                    std::int64_t row,
                    std::int64_t col,
                    ChunkEntry& entry) {
        const auto held = h5::lock();
        const auto found = places_->find(chunk_offset(segment, frame, row, col));
        if (!found) throw Error(ExitCode::data, place_of(segment, frame) + ": " + h5::take_error());
        if (found->bytes > largest_chunk(*segment.pipeline)) {
            throw Error(ExitCode::data,
                        place_of(segment, frame) + ": chunk of " + std::to_string(found->bytes) +
                            " bytes for " + std::to_string(segment.pipeline->chunk_bytes) +
                            " bytes of samples");
        }
        const std::int64_t in_run = frame - segment.source_first + segment.first;
        entry = {in_run, row, col, 0, found->bytes, found->skipped, found->address};
        return found->bytes > 0;
    }

    /// The bytes of a chunk as they lie in the file.
    void read_chunk(const FrameSegment& segment, ChunkEntry& entry, std::byte* out) const {
        const auto held = h5::lock();
        const std::int64_t frame = entry.frame - segment.first + segment.source_first;
        const h5::Shape at = chunk_offset(segment, frame, entry.row, entry.col);
        std::uint32_t skipped = 0;
        if (H5Dread_chunk(dataset_.id(), H5P_DEFAULT, at.data(), &skipped, out) < 0) {
            throw Error(ExitCode::data, place_of(segment, frame) + ": " + h5::take_error());
        }
        entry.skipped = skipped;
    }

    /// The table of the chunks of a block, with room for their bytes behind it; the bytes
    /// themselves where only HDF5 can read them.
    void list_chunks(const FrameSegment& segment,
                     std::int64_t first,
                     std::int64_t n,
                     RawVector<std::byte>& bytes) {
        std::vector<ChunkEntry> table;
        std::uint64_t total = 0;
        const auto depth = static_cast<std::int64_t>(segment.chunk[0]);
        const auto high = static_cast<std::int64_t>(segment.chunk[1]);
        const auto wide = static_cast<std::int64_t>(segment.chunk[2]);
        for (std::int64_t frame = first / depth * depth; frame < first + n; frame += depth) {
            for (std::int64_t row = 0; row < segment.rows; row += high) {
                for (std::int64_t col = 0; col < segment.cols; col += wide) {
                    find_chunk(segment, frame, row, col, table.emplace_back());
                    table.back().offset = total;
                    total += table.back().bytes;
                }
            }
        }
        const std::size_t head = sizeof(std::uint64_t) + table.size() * sizeof(ChunkEntry);
        bytes.resize(head + total);
        for (ChunkEntry& entry : table) {
            entry.offset += head;
            if (entry.bytes > 0 && access_[at_] == Access::library) {
                read_chunk(segment, entry, bytes.data() + entry.offset);
            }
        }
        const std::uint64_t n_chunks = table.size();
        std::memcpy(bytes.data(), &n_chunks, sizeof n_chunks);
        std::memcpy(
            bytes.data() + sizeof n_chunks, table.data(), table.size() * sizeof(ChunkEntry));
    }

    static h5::Shape chunk_offset(const FrameSegment& segment,
                                  std::int64_t frame,
                                  std::int64_t row,
                                  std::int64_t col) {
        h5::Shape at = {
            static_cast<hsize_t>(frame), static_cast<hsize_t>(row), static_cast<hsize_t>(col)};
        if (segment.channel) at.insert(at.begin() + 1, static_cast<hsize_t>(*segment.channel));
        return at;
    }

    SourceInfo info_;
    std::vector<FrameSegment> segments_;
    std::int64_t wanted_block_bytes_;
    std::vector<std::int64_t> block_frames_;    ///< of each segment
    std::vector<Access> access_;                ///< of each segment, once it has been opened
    std::vector<std::uint64_t> contiguous_at_;  ///< of each segment: of frame 0 in the file
    std::string name_;
    h5::File file_;
    h5::Dataset dataset_;  ///< of segment at_
    std::optional<h5::ChunkPlaces> places_;
    std::size_t at_ = 0;
    std::int64_t frame_bytes_ = 0;  ///< of a whole frame
    bool is_part_ = false;          ///< only pixels [first_pixel_, first_pixel_ + n_pixels_)
    std::int64_t first_pixel_ = 0, n_pixels_ = 0;
    std::int64_t first_ = 0, next_ = 0, end_ = 0;
    std::int64_t sequence_ = 0;
    std::atomic<std::int64_t> frames_read_{0};
};

}  // namespace

std::unique_ptr<FrameSource>
open_hdf5_dense(const std::string& path, const SourceOptions& options, SourceInfo info) {
    h5::register_filters();
    find_distribution_plugins();
    return std::make_unique<Hdf5Source>(path, options, std::move(info));
}

}  // namespace xpcs
