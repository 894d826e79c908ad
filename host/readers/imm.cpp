// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/imm.hpp"

#include "host/errors.hpp"
#include "host/readers/event_sink.hpp"
#include "host/readers/imm_header.hpp"
#include "host/readers/raw_file.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

namespace xpcs {

namespace {

using imm::Header;

/// Where a frame begins.
struct Place {
    std::int64_t frame = 0;
    std::uint64_t offset = 0;
};

/// Payload of one frame, as it lies in a block.
struct Payload {
    Header header;
    const std::byte* bytes = nullptr;

    std::uint32_t value(std::int64_t i) const {
        const auto n = static_cast<std::size_t>(header.n_values());
        const auto width = static_cast<std::size_t>(header.value_bytes());
        const std::size_t start = header.sparse() ? n * imm::index_bytes : 0;
        const std::byte* at = bytes + start + static_cast<std::size_t>(i) * width;
        return width == 2 ? imm::field<std::uint16_t>(at, 0) : imm::field<std::uint32_t>(at, 0);
    }
    std::uint32_t index(std::int64_t i) const {
        if (!header.sparse()) return static_cast<std::uint32_t>(i);
        return imm::field<std::uint32_t>(bytes, static_cast<std::size_t>(i) * imm::index_bytes);
    }
};

class ImmSource final : public FrameSource {
  public:
    ImmSource(const std::string& path, const SourceOptions& options, SourceInfo info)
        : file_(path), options_(options), info_(std::move(info)) {
        info_.format = "imm";
        info_.files = {path};
        info_.n_bytes = file_.size();
        info_.n_frames_hint = frames_in_name(path);
        file_.expect_sequential();
        if (file_.size() == 0) throw Error(ExitCode::data, path + ": no events (0 bytes)");
        const Place start;
        first_ = header_at(start, read_header(start), true);
        info_.rows = first_.rows;
        info_.cols = first_.cols;
        if (first_.mark == imm::Mark::zero) {
            info_.warnings.push_back(path + ": frame headers end in zeros; twelve bytes 0xFF at "
                                            "byte 1012 expected");
        }
        info_.sparse = first_.sparse();
        if (!info_.sparse) walk_headers();
        if (info_.sparse) info_.n_frames = options_.n_frames;
        end_ = info_.n_frames;
    }

    const SourceInfo& info() const override { return info_; }

    void set_shape(std::int64_t rows, std::int64_t cols) override {
        if (rows == info_.rows && cols == info_.cols) return;
        const bool transposed = rows == info_.cols && cols == info_.rows;
        throw Error(ExitCode::data,
                    file_.path() + ": frames have " + shape_text(info_.rows, info_.cols) +
                        " pixels, the q-map " + shape_text(rows, cols) +
                        (transposed ? ": transposed (--transpose-qmap turns it)" : ""));
    }

    void select(std::int64_t first, std::int64_t end) override {
        if (info_.sparse) return;
        if (first < 0 || end > info_.n_frames || first > end) {
            throw Error(ExitCode::internal,
                        file_.path() + ": frames " + std::to_string(first) + " to " +
                            std::to_string(end) + " of " + std::to_string(info_.n_frames));
        }
        at_ = {first, offsets_[static_cast<std::size_t>(first)]};
        end_ = end;
    }

    bool next(RawBlock& block) override {
        if (info_.sparse ? at_.offset == file_.size() : at_.frame == end_) return at_end();
        const Place start = at_;
        const std::size_t n = fetch(block.bytes);
        if (n == 0) return at_end();
        block.bytes.resize(n);
        block.sequence = sequence_++;
        block.first_record = start.frame;
        block.frame_epoch = 0;
        block.frame_before = start.frame - 1;
        block.frame_after = at_.frame - 1;
        block.file = 0;
        bytes_read_ += n;
        return true;
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (info_.sparse) {
            if (!std::holds_alternative<EventChunk>(chunk)) chunk.emplace<EventChunk>();
            decode_events(block, std::get<EventChunk>(chunk), counts);
        } else {
            if (!std::holds_alternative<DenseChunk>(chunk)) chunk.emplace<DenseChunk>();
            decode_frames(block, std::get<DenseChunk>(chunk), counts);
        }
        counts.last_frame = std::max(counts.last_frame, block.frame_after);
    }

    double fraction_read() const override {
        const std::uint64_t all = info_.n_bytes - static_cast<std::uint64_t>(info_.trailing_bytes);
        return std::min(1.0, static_cast<double>(bytes_read_) / static_cast<double>(all));
    }

    const FrameTimes& frame_times() const override { return times_; }

  private:
    static std::string shape_text(std::int64_t rows, std::int64_t cols) {
        return std::to_string(rows) + " x " + std::to_string(cols);
    }
    std::string place_text(const Place& at) const {
        return file_.path() + ": frame " + std::to_string(at.frame) + " at byte " +
               std::to_string(at.offset);
    }

    bool at_end() {
        file_.check_unchanged();
        bytes_read_ = info_.n_bytes - static_cast<std::uint64_t>(info_.trailing_bytes);
        return false;
    }

    std::array<std::byte, imm::header_bytes> read_header(const Place& at) const {
        std::array<std::byte, imm::header_bytes> bytes{};
        const std::size_t got = file_.read_some(at.offset, bytes.data(), bytes.size());
        if (got != bytes.size()) {
            throw Error(ExitCode::data,
                        place_text(at) + ": header of " + std::to_string(got) +
                            " bytes, 1024 expected; the file is cut (--allow-truncated uses the "
                            "frames before)");
        }
        return bytes;
    }

    /// The header at a place, all of it checked.
    Header header_at(const Place& at,
                     const std::array<std::byte, imm::header_bytes>& bytes,
                     bool is_first) const {
        return check(at, bytes.data(), is_first);
    }

    Header check(const Place& at, const std::byte* bytes, bool is_first) const {
        const Header header = imm::parse_header(bytes);
        const auto refuse = [&](const std::string& what) {
            throw Error(ExitCode::data, place_text(at) + ": " + what);
        };
        if (header.mark == imm::Mark::wrong || (!is_first && header.mark != first_.mark)) {
            refuse("no frame header here (its end mark, twelve bytes 0xFF at byte 1012, is "
                   "missing); the file is damaged");
        }
        if (header.rows < 1 || header.cols < 1 || header.rows > imm::largest_side ||
            header.cols > imm::largest_side) {
            refuse("frame of " + shape_text(header.rows, header.cols) +
                   " pixels; sides of 1 to 65536 allowed");
        }
        if (!is_first && (header.rows != first_.rows || header.cols != first_.cols)) {
            refuse("frame of " + shape_text(header.rows, header.cols) + " pixels after frames of " +
                   shape_text(first_.rows, first_.cols));
        }
        if (header.value_bytes() == 0) {
            refuse("values of " + std::to_string(header.stated_value_bytes) +
                   " bytes; 2 or 4 allowed");
        }
        const std::int64_t n_pixels = header.rows * header.cols, n = header.n_values();
        if (n < 0) {
            refuse("dlen " + std::to_string(header.dlen) + " bytes (compression 65540) is no " +
                   "multiple of " + std::to_string(imm::index_bytes + header.value_bytes()));
        }
        if (n > n_pixels || (!header.sparse() && n != n_pixels)) {
            refuse("dlen " + std::to_string(n) + "; " +
                   (header.sparse() ? "at most " : "exactly ") + std::to_string(n_pixels) + " (" +
                   shape_text(header.rows, header.cols) + ") expected");
        }
        return header;
    }

    [[noreturn]] void payload_cut(const Place& at, const Header& header) const {
        throw Error(ExitCode::data,
                    place_text(at) + ": payload of " + std::to_string(header.payload_bytes()) +
                        " bytes, the file has " +
                        std::to_string(file_.size() - at.offset - imm::header_bytes) +
                        " left; it is cut (--allow-truncated uses the frames before)");
    }

    /// With --allow-truncated the file ends where its last whole frame does.
    void cut_here(const Place& at) {
        info_.trailing_bytes = static_cast<std::int64_t>(file_.size() - at.offset);
        cut_ = true;
    }

    /// Bytes of header and payload, 0 if the file is cut in them and that is allowed.
    std::size_t frame_size(const Place& at, const std::byte* bytes, std::size_t n) {
        const std::uint64_t left = file_.size() - at.offset;
        if (left < imm::header_bytes) {
            if (!options_.allow_truncated) read_header(at);
            cut_here(at);
            return 0;
        }
        const Header header = n < imm::header_bytes ? check(at, read_header(at).data(), false)
                                                    : check(at, bytes, false);
        const std::uint64_t size =
            imm::header_bytes + static_cast<std::uint64_t>(header.payload_bytes());
        if (size > left) {
            if (!options_.allow_truncated) payload_cut(at, header);
            cut_here(at);
            return 0;
        }
        return static_cast<std::size_t>(size);
    }

    /// Frames of a dense file, found by their headers.
    void walk_headers() {
        Place at;
        int widest = 2;
        while (at.offset < file_.size()) {
            const std::size_t size = frame_size(at, nullptr, 0);
            if (size == 0) break;
            const auto bytes = read_header(at);
            widest =
                std::max(widest, static_cast<int>(imm::parse_header(bytes.data()).value_bytes()));
            offsets_.push_back(at.offset);
            at = {at.frame + 1, at.offset + size};
        }
        offsets_.push_back(at.offset);
        offsets_.shrink_to_fit();
        info_.n_frames = at.frame;
        info_.sample_bytes = widest;
        if (info_.n_frames == 0) {
            throw Error(ExitCode::data, file_.path() + ": no whole frame");
        }
        if (cut_) {
            info_.warnings.push_back(place_text(at) + ": cut; " + std::to_string(at.frame) +
                                     " whole frames are used");
        }
        if (options_.n_frames > info_.n_frames) {
            throw Error(ExitCode::data,
                        file_.path() + ": has " + std::to_string(info_.n_frames) +
                            " frames, fewer than the " + std::to_string(options_.n_frames) +
                            " of --n-frames");
        }
        if (options_.n_frames > 0) info_.n_frames = options_.n_frames;
        cut_ = false;
    }

    /// Fills `bytes` from where reading stands, moves on, returns the length of the whole frames.
    std::size_t fetch(RawVector<std::byte>& bytes) {
        const auto wanted = static_cast<std::size_t>(
            std::max<std::int64_t>(options_.block_bytes, imm::header_bytes));
        std::size_t have = fill(bytes, wanted), used = 0;
        while (used < have && !cut_ && (info_.sparse || at_.frame < end_)) {
            const std::size_t size = frame_size(at_, bytes.data() + used, have - used);
            if (size == 0) break;
            if (size > have - used) {
                if (used > 0) break;
                have = fill(bytes, size);
            }
            note_time(bytes.data() + used);
            used += size;
            at_ = {at_.frame + 1, at_.offset + size};
        }
        if (cut_) at_.offset = file_.size();
        return used;
    }
    std::size_t fill(RawVector<std::byte>& bytes, std::size_t n) const {
        const auto left = static_cast<std::size_t>(file_.size() - at_.offset);
        bytes.resize(std::min(n, left));
        file_.read(at_.offset, bytes.data(), bytes.size());
        return bytes.size();
    }
    void note_time(const std::byte* header) {
        const Header parsed = imm::parse_header(header);
        if (times_.clock_s.empty()) times_.first_frame = at_.frame;
        append(times_.clock_s, parsed.elapsed_s);
        append(times_.tick, static_cast<double>(parsed.tick));
    }
    /// Grows by an eighth, not to the double.
    static void append(std::vector<double>& values, double value) {
        if (values.size() == values.capacity())
            values.reserve(values.size() + values.size() / 8 + 1024);
        values.push_back(value);
    }

    template <class Work>
    void each_frame(const RawBlock& block, const Work& work) const {
        Place at{block.first_record, 0};
        for (std::size_t used = 0; used < block.bytes.size(); ++at.frame) {
            const Payload payload{imm::parse_header(block.bytes.data() + used),
                                  block.bytes.data() + used + imm::header_bytes};
            work(at.frame, payload);
            used += imm::header_bytes + static_cast<std::size_t>(payload.header.payload_bytes());
        }
    }

    [[noreturn]] void bad_index(std::int64_t frame, std::uint32_t index) const {
        throw Error(ExitCode::data,
                    file_.path() + ": frame " + std::to_string(frame) + ": pixel index " +
                        std::to_string(index) + " is outside the detector of " +
                        shape_text(info_.rows, info_.cols) +
                        " pixels (--drop-bad-index drops such records)");
    }

    void decode_events(const RawBlock& block, EventChunk& chunk, DecodeCounts& counts) const {
        std::size_t most = 0;
        each_frame(block, [&](std::int64_t, const Payload& payload) {
            most += static_cast<std::size_t>(payload.header.n_values());
        });
        const auto n_pixels = static_cast<std::uint64_t>(info_.rows * info_.cols);
        EventSink sink(chunk, counts, block.first_record, most);
        each_frame(block, [&](std::int64_t frame, const Payload& payload) {
            for (std::int64_t i = 0; i < payload.header.n_values(); ++i) {
                const std::uint32_t index = payload.index(i), value = payload.value(i);
                if (value == 0 && !payload.header.sparse()) continue;
                ++counts.records;
                if (index >= n_pixels) {
                    if (!options_.drop_bad_index) bad_index(frame, index);
                    ++counts.bad_index;
                    continue;
                }
                sink.add(frame, index, value);
            }
        });
        sink.finish();
    }

    void decode_frames(const RawBlock& block, DenseChunk& chunk, DecodeCounts& counts) const {
        const auto n_pixels = static_cast<std::size_t>(info_.rows * info_.cols);
        const auto width = static_cast<std::size_t>(info_.sample_bytes);
        chunk.first_frame = block.first_record;
        chunk.n_frames = block.frame_after - block.first_record + 1;
        chunk.n_pixels = info_.rows * info_.cols;
        chunk.sample_bytes = info_.sample_bytes;
        std::byte* to =
            chunk.allocate(static_cast<std::size_t>(chunk.n_frames) * n_pixels * width).data();
        each_frame(block, [&](std::int64_t frame, const Payload& payload) {
            ++counts.records;
            if (!payload.header.sparse() && payload.header.value_bytes() == info_.sample_bytes) {
                std::memcpy(to, payload.bytes, n_pixels * width);
            } else {
                spread(frame, payload, to, counts);
            }
            to += n_pixels * width;
        });
    }

    /// A frame of another kind or width among dense ones.
    void
    spread(std::int64_t frame, const Payload& payload, std::byte* to, DecodeCounts& counts) const {
        const auto n_pixels = static_cast<std::uint64_t>(info_.rows * info_.cols);
        const auto width = static_cast<std::size_t>(info_.sample_bytes);
        std::memset(to, 0, n_pixels * width);
        for (std::int64_t i = 0; i < payload.header.n_values(); ++i) {
            const std::uint32_t index = payload.index(i);
            if (index >= n_pixels) {
                if (!options_.drop_bad_index) bad_index(frame, index);
                ++counts.bad_index;
                continue;
            }
            std::uint32_t value = payload.value(i);
            const bool no_data = !payload.header.sparse() && payload.header.value_bytes() == 2 &&
                                 value == 0xFFFF && width == 4;
            if (no_data) value = 0xFFFFFFFFU;
            std::byte* at = to + index * width;
            // A pixel that comes twice in a sparse frame adds up; samples stay below all ones.
            std::uint64_t sum = value;
            if (payload.header.sparse()) {
                std::uint32_t before = 0;
                std::memcpy(&before, at, width);
                sum = std::min<std::uint64_t>(sum + before, width == 2 ? 0xFFFE : 0xFFFFFFFEULL);
            }
            std::memcpy(at, &sum, width);
        }
    }

    RawFile file_;
    SourceOptions options_;
    SourceInfo info_;
    Header first_;
    std::vector<std::uint64_t> offsets_;  ///< dense: of each frame, and the end of the last
    Place at_;
    std::int64_t end_ = 0;  ///< dense: frame to stop before
    std::int64_t sequence_ = 0;
    std::atomic<std::uint64_t> bytes_read_{0};
    bool cut_ = false;
    FrameTimes times_;
};

}  // namespace

bool looks_like_imm(const RawFile& file) {
    std::array<std::byte, imm::header_bytes> bytes{};
    if (file.size() < bytes.size()) return false;
    file.read(0, bytes.data(), bytes.size());
    const Header first = imm::parse_header(bytes.data());
    if (first.mark == imm::Mark::present) return first.rows > 0 && first.cols > 0;
    if (!imm::plausible(first)) return false;
    // Zeros for a mark prove nothing: the next header must be one too.
    const std::uint64_t next =
        imm::header_bytes + static_cast<std::uint64_t>(first.payload_bytes());
    if (next + bytes.size() > file.size()) return next == file.size();
    file.read(next, bytes.data(), bytes.size());
    const Header second = imm::parse_header(bytes.data());
    return imm::plausible(second) && second.rows == first.rows && second.cols == first.cols;
}

std::unique_ptr<FrameSource>
open_imm(const std::string& path, const SourceOptions& options, SourceInfo info) {
    return std::make_unique<ImmSource>(path, options, std::move(info));
}

}  // namespace xpcs
