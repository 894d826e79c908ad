// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/rigaku64.hpp"

#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/readers/raw_file.hpp"
#include "host/stop.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <optional>
#include <span>
#include <thread>
#include <utility>

namespace xpcs {

namespace {

using namespace rigaku;

/// One `.bin` file: where reading stands in it.
struct Stream {
    RawFile file;
    std::int64_t n_records = 0;
    std::int64_t next_record = 0;
    std::uint32_t first_index = 0;  ///< index of its first record
    FrameCounter counter;
    IndexMap map;

    explicit Stream(const std::string& path)
        : file(path), n_records(static_cast<std::int64_t>(file.size()) / word_bytes) {
        file.expect_sequential();
        if (n_records > 0) read_first();
    }
    bool at_end() const { return next_record == n_records; }

    /// Looks at the size again; true if there are more records than before.
    bool refresh() {
        const std::int64_t now = static_cast<std::int64_t>(file.size_now()) / word_bytes;
        if (now < n_records) {
            throw Error(ExitCode::data,
                        file.path() + ": has become shorter while it was followed (" +
                            std::to_string(now) + " records, " + std::to_string(n_records) +
                            " before)");
        }
        const bool more = now > n_records;
        const bool first = n_records == 0 && more;
        n_records = now;
        if (first) read_first();
        return more;
    }

  private:
    void read_first() {
        std::uint64_t word = 0;
        file.read(0, reinterpret_cast<std::byte*>(&word), sizeof word);
        first_index = index_of(word);
    }
};

constexpr std::size_t group_words = 512;
constexpr std::uint32_t spread = std::uint32_t{1} << 31;  // no frame has this bit

/// What the frame counter needs of the words of a block, group by group: the first and the last
/// frame where all frames of the group lie close together, so that no step in it is a wrap; else
/// `spread`. (The loop makes vector code: 31 bits from the top of the word, 24 of them the frame,
/// compare as integers.)
void mark(std::span<const std::uint64_t> words, std::vector<std::uint32_t>& marks) {
    constexpr std::int64_t close = wrap_threshold / 2;
    marks.clear();
    for (std::size_t at = 0; at < words.size(); at += group_words) {
        const auto group = words.subspan(at, std::min(group_words, words.size() - at));
        std::int32_t low = std::numeric_limits<std::int32_t>::max(), high = 0;
        for (const std::uint64_t word : group) {
            const auto top = static_cast<std::int32_t>(word >> 33);
            low = std::min(low, top);
            high = std::max(high, top);
        }
        const bool narrow = (high >> 7) - (low >> 7) < close;
        marks.push_back(narrow ? frame_of(group.front()) : spread);
        marks.push_back(frame_of(group.back()));
    }
}

/// Moves the counter through a block; returns whether it stayed in `epoch`.
bool follow(FrameCounter& counter,
            std::int64_t epoch,
            std::span<const std::uint64_t> words,
            std::span<const std::uint32_t> marks) {
    bool stayed = true;
    const auto advance = [&](std::uint32_t frame) {
        counter.advance(frame);
        stayed = stayed && counter.epoch() == epoch;
    };
    for (std::size_t g = 0; 2 * g < marks.size(); ++g) {
        if (marks[2 * g] != spread) {
            advance(marks[2 * g]);
            advance(marks[2 * g + 1]);
            continue;
        }
        const std::size_t at = g * group_words;
        for (const std::uint64_t word : words.subspan(at, std::min(group_words, words.size() - at)))
            advance(frame_of(word));
    }
    return stayed;
}

std::span<const std::uint64_t> words_of(const RawBlock& block) {
    return {reinterpret_cast<const std::uint64_t*>(block.bytes.data()),
            block.bytes.size() / word_bytes};
}

std::string shape_text(std::int64_t rows, std::int64_t cols) {
    return std::to_string(rows) + " x " + std::to_string(cols);
}

class RigakuSource final : public FrameSource {
  public:
    RigakuSource(std::vector<Stream> streams,
                 std::vector<int> modules,
                 SourceInfo info,
                 const SourceOptions& options)
        : streams_(std::move(streams)), modules_(std::move(modules)), info_(std::move(info)),
          options_(options) {
        note_files();
        if (options_.follow.on) watch_.emplace(options_.follow, info_.files.front());
        info_.n_frames = options_.n_frames;
        info_.n_frames_hint = frames_in_name(info_.files.front());
        if (is_3m()) {
            map_modules();
        } else {
            map_single(module_rows, module_cols);
        }
    }

    const SourceInfo& info() const override { return info_; }

    void set_shape(std::int64_t rows, std::int64_t cols) override {
        if (is_3m()) {
            if (rows == info_.rows && cols == info_.cols) return;
            const bool transposed = rows == info_.cols && cols == info_.rows;
            throw Error(ExitCode::data,
                        info_.files.front() + ": the Rigaku 3M has " +
                            shape_text(info_.rows, info_.cols) + " pixels, the q-map " +
                            shape_text(rows, cols) +
                            (transposed ? ": transposed (--transpose-qmap turns it)" : ""));
        }
        if (rows < 1 || cols < 1 || rows > index_limit || cols > index_limit ||
            rows * cols > index_limit) {
            throw Error(ExitCode::data,
                        info_.files.front() + ": a shape of " + shape_text(rows, cols) +
                            " pixels does not fit the format's 21-bit pixel index (1 to 2097152 "
                            "pixels allowed)");
        }
        info_.rows = rows;
        info_.cols = cols;
        map_single(rows, cols);
    }

    // Sparse: events outside the selection are dropped by the stage that knows the frames.
    void select(std::int64_t, std::int64_t) override {}

    bool next(RawBlock& block) override {
        if (!announce_from(watch_ ? wait_for_records() : earliest(), block)) return false;
        read(block);
        settle(block);
        return true;
    }

    // A growing file is taken as it comes: there is nothing to read ahead.
    bool announce(RawBlock& block) override {
        return watch_ ? next(block) : announce_from(least_read(), block);
    }
    void fetch(RawBlock& block) const override {
        if (!watch_) read(block);
    }
    void place(RawBlock& block) override {
        if (!watch_) settle(block);
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (!std::holds_alternative<EventChunk>(chunk)) chunk.emplace<EventChunk>();
        const Stream& stream = stream_of(block);
        WordContext context;
        context.map = stream.map;
        context.rows = is_3m() ? module_rows : shape_rows_;
        context.cols = is_3m() ? module_cols : shape_cols_;
        context.first_record = block.first_record;
        context.frame_before = block.frame_before;
        context.drop_bad_index = options_.drop_bad_index;
        context.file = &stream.file.path();
        const auto words = words_of(block);
        const std::int64_t last =
            decode_words(words.data(), words.size(), context, std::get<EventChunk>(chunk), counts);
        if (last != block.frame_after) {
            throw Error(ExitCode::internal,
                        stream.file.path() + ": records from " +
                            std::to_string(block.first_record) + ": frame " + std::to_string(last) +
                            " decoded at the end, " + std::to_string(block.frame_after) +
                            " when it was read");
        }
    }

    Undecoded undecoded(const RawBlock& block) const override {
        if (!block.one_epoch) return {};
        const auto words = words_of(block);
        Undecoded out{words.data(), words.size(), {}};
        out.place.map = stream_of(block).map;
        out.place.epoch = block.frame_epoch;
        out.place.frame_before = block.frame_before;
        return out;
    }

    std::optional<WordFile> word_file() const override {
        if (is_3m() || watch_) return std::nullopt;
        const Stream& stream = streams_.front();
        return WordFile{&stream.file, stream.n_records, stream.map};
    }

    double fraction_read() const override {
        return static_cast<double>(bytes_read_.load()) / static_cast<double>(bytes_known_.load());
    }

  private:
    bool is_3m() const { return !modules_.empty(); }

    const Stream& stream_of(const RawBlock& block) const {
        return streams_[static_cast<std::size_t>(block.file)];
    }

    /// Sets which records of the stream the block is of; null at the end of all.
    bool announce_from(Stream* stream, RawBlock& block) {
        if (stream == nullptr) {
            finish();
            return false;
        }
        const std::int64_t most = std::max<std::int64_t>(1, options_.block_bytes / word_bytes);
        const std::int64_t n = std::min(most, stream->n_records - stream->next_record);
        block.bytes.resize(static_cast<std::size_t>(n * word_bytes));
        block.sequence = sequence_++;
        block.first_record = stream->next_record;
        block.file = static_cast<int>(stream - streams_.data());
        stream->next_record += n;
        return true;
    }

    void note_files() {
        std::int64_t n_records = 0;
        for (const Stream& stream : streams_) {
            info_.files.push_back(stream.file.path());
            info_.n_bytes += stream.file.size();
            n_records += stream.n_records;
            const auto tail = static_cast<std::int64_t>(stream.file.size() % word_bytes);
            // A record may just be on its way.
            if (tail == 0 || options_.follow.on) continue;
            const std::string text = stream.file.path() + ": " + std::to_string(tail) +
                                     " bytes after the last whole record of 8 bytes (size " +
                                     std::to_string(stream.file.size()) + ")";
            if (options_.strict) throw Error(ExitCode::data, text);
            info_.trailing_bytes += tail;
            info_.warnings.push_back(text + ", ignored");
        }
        if (n_records == 0) {
            throw Error(ExitCode::data,
                        info_.files.front() + ": no events (" + std::to_string(info_.n_bytes) +
                            " bytes" + (is_3m() ? " in all modules" : "") +
                            "; at least one record of 8 bytes expected)");
        }
        bytes_known_ = static_cast<std::uint64_t>(n_records * word_bytes);
        if (!options_.follow.on) info_.n_words = static_cast<std::uint64_t>(n_records);
        for (const Stream& stream : streams_) {
            if (stream.n_records == 0 && !options_.follow.on) {
                info_.warnings.push_back(stream.file.path() +
                                         ": no events; its module counts as dark");
            }
        }
    }

    static std::uint32_t offset_of(const Stream& stream, std::int64_t n_pixels) {
        const bool carries = stream.first_index >= module_offset;
        return carries && n_pixels <= module_offset ? module_offset : 0;
    }

    void map_single(std::int64_t rows, std::int64_t cols) {
        shape_rows_ = rows;
        shape_cols_ = cols;
        const std::int64_t n_pixels = rows * cols;
        streams_[0].map = {
            offset_of(streams_[0], n_pixels), static_cast<std::uint32_t>(n_pixels), 0, 0};
    }

    void map_modules() {
        info_.rows = layout_3m::rows;
        info_.cols = layout_3m::cols;
        info_.gap.assign(static_cast<std::size_t>(info_.rows * info_.cols), 1);
        for (std::size_t i = 0; i < streams_.size(); ++i) {
            const ModuleOrigin at = layout_3m::origin(modules_[i]);
            streams_[i].map = {offset_of(streams_[i], module_pixels),
                               static_cast<std::uint32_t>(module_pixels),
                               static_cast<std::uint32_t>(at.row * info_.cols + at.col),
                               static_cast<std::uint32_t>(info_.cols - module_cols)};
            for (std::int64_t row = at.row; row < at.row + module_rows; ++row) {
                const auto first = info_.gap.begin() + row * info_.cols + at.col;
                std::fill(first, first + module_cols, std::uint8_t{0});
            }
        }
    }

    void read(RawBlock& block) const {
        stream_of(block).file.read(static_cast<std::uint64_t>(block.first_record * word_bytes),
                                   block.bytes.data(),
                                   block.bytes.size());
        mark(words_of(block), block.marks);
    }

    void settle(RawBlock& block) {
        FrameCounter& counter = streams_[static_cast<std::size_t>(block.file)].counter;
        const auto words = words_of(block);
        block.frame_before = counter.last();
        FrameCounter first = counter;
        first.advance(frame_of(words.front()));
        block.frame_epoch = first.epoch();
        block.one_epoch = follow(counter, block.frame_epoch, words, block.marks);
        block.frame_after = counter.last();
        bytes_read_ += block.bytes.size();
    }

    /// The stream whose reading stands at the smallest frame, none at the end of all.
    Stream* earliest() {
        Stream* best = nullptr;
        for (Stream& stream : streams_) {
            if (stream.at_end()) continue;
            if (best == nullptr || stream.counter.last() < best->counter.last()) best = &stream;
        }
        return best;
    }

    /// The stream of which the smallest part has been read, none at the end of all: close to
    /// earliest(), but known without looking at the records.
    Stream* least_read() {
        Stream* best = nullptr;
        const auto part = [](const Stream& stream) {
            return static_cast<double>(stream.next_record) / static_cast<double>(stream.n_records);
        };
        for (Stream& stream : streams_) {
            if (!stream.at_end() && (best == nullptr || part(stream) < part(*best))) best = &stream;
        }
        return best;
    }

    /// Looks for records that were written since; keeps offset and progress up to date.
    void refresh() {
        std::uint64_t known = 0;
        for (Stream& stream : streams_) {
            const bool dark = stream.n_records == 0;
            if (stream.refresh()) {
                watch_->grown();
                // No block of this stream was handed out yet: nobody looks at its map.
                if (dark) stream.map.offset = offset_of(stream, stream.map.n_pixels);
            }
            known += static_cast<std::uint64_t>(stream.n_records * word_bytes);
        }
        bytes_known_ = known;
    }

    bool all_frames_seen() const {
        if (options_.n_frames == 0) return false;
        return std::all_of(streams_.begin(), streams_.end(), [&](const Stream& stream) {
            return stream.n_records == 0 || stream.counter.last() >= options_.n_frames - 1;
        });
    }

    /// The stream to read from when the file grows: at once where a whole block is there, after a
    /// moment where there is less, none at the end of the acquisition.
    Stream* wait_for_records() {
        using Clock = std::chrono::steady_clock;
        constexpr auto patience = std::chrono::milliseconds(200);
        const std::int64_t block = std::max<std::int64_t>(1, options_.block_bytes / word_bytes);
        for (const auto start = Clock::now();;) {
            refresh();
            Stream* stream = earliest();
            const bool enough =
                stream != nullptr && stream->n_records - stream->next_record >= block;
            if (enough || (stream != nullptr && Clock::now() - start >= patience)) return stream;
            if (watch_->ended(all_frames_seen())) return earliest();
            throw_if_stopped();
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
    }

    void finish() const {
        for (const Stream& stream : streams_) {
            if (!watch_) {
                stream.file.check_unchanged();
                continue;
            }
            const std::uint64_t tail = stream.file.size_now() % word_bytes;
            if (tail == 0) continue;
            const std::string text = stream.file.path() + ": " + std::to_string(tail) +
                                     " bytes after the last whole record of 8 bytes";
            if (options_.strict) throw Error(ExitCode::data, text);
            Log::warning(text + ", ignored");
        }
    }

    std::vector<Stream> streams_;
    std::vector<int> modules_;  ///< 3M: module number of each stream; empty for one file
    SourceInfo info_;
    SourceOptions options_;
    std::int64_t shape_rows_ = 0, shape_cols_ = 0;
    std::int64_t sequence_ = 0;
    std::atomic<std::uint64_t> bytes_read_{0};
    std::atomic<std::uint64_t> bytes_known_{0};  ///< in whole records
    std::optional<FollowWatch> watch_;           ///< --follow
};

std::string module_path(const std::string& stem, int module) {
    return stem + ".bin.00" + std::to_string(module);
}

}  // namespace

int rigaku3m_module_of(const std::string& path) {
    constexpr std::string_view suffix = ".bin.00";
    if (path.size() <= suffix.size()) return -1;
    const char digit = path.back();
    const bool matches =
        std::string_view(path).substr(path.size() - suffix.size() - 1, suffix.size()) == suffix;
    return matches && digit >= '0' && digit < '0' + layout_3m::n_modules ? digit - '0' : -1;
}

std::unique_ptr<FrameSource>
open_rigaku64(const std::string& path, const SourceOptions& options, SourceInfo info) {
    std::vector<Stream> streams;
    streams.emplace_back(path);
    info.format = "rigaku64";
    return std::make_unique<RigakuSource>(
        std::move(streams), std::vector<int>{}, std::move(info), options);
}

std::unique_ptr<FrameSource>
open_rigaku3m(const std::string& path, const SourceOptions& options, SourceInfo info) {
    if (rigaku3m_module_of(path) < 0) {
        throw Error(ExitCode::data,
                    path + ": not a module of the Rigaku 3M (.bin.000 to .bin.005)");
    }
    const std::string stem = path.substr(0, path.size() - std::string(".bin.000").size());
    info.format = "rigaku3m";
    std::vector<Stream> streams;
    std::vector<int> modules;
    std::string missing;
    for (int module = 0; module < layout_3m::n_modules; ++module) {
        const std::string name = module_path(stem, module);
        if (file_exists(name)) {
            streams.emplace_back(name);
            modules.push_back(module);
            continue;
        }
        missing += (missing.empty() ? "" : ", ") + name;
        info.warnings.push_back(name + ": module file missing; its pixels are masked");
    }
    if (streams.empty() || (!missing.empty() && !options.allow_missing_module)) {
        throw Error(ExitCode::no_input,
                    "Rigaku 3M: module files missing: " + missing +
                        "; six expected, .bin.000 to .bin.005" +
                        (streams.empty() ? "" : " (--allow-missing-module goes on without)"));
    }
    return std::make_unique<RigakuSource>(
        std::move(streams), std::move(modules), std::move(info), options);
}

}  // namespace xpcs
