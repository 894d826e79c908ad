// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/ufxc.hpp"

#include "host/errors.hpp"
#include "host/readers/event_sink.hpp"
#include "host/readers/raw_file.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace xpcs {

namespace {

/// Absolute frames from a counter of 11 bits.
class Unwrap {
  public:
    Unwrap() = default;
    /// `last` is absolute, counted from the counter's own zero.
    explicit Unwrap(std::int64_t last)
        : last_(last), epoch_(last < 0 ? 0 : last / ufxc::frame_period * ufxc::frame_period) {}
    std::int64_t advance(std::uint32_t counter) {
        if (last_ >= 0) {
            const std::int64_t step = epoch_ + counter - last_;
            if (step < -ufxc::wrap_threshold) epoch_ += ufxc::frame_period;
            if (step > ufxc::wrap_threshold && epoch_ > 0) epoch_ -= ufxc::frame_period;
        }
        last_ = epoch_ + counter;
        return last_;
    }
    std::int64_t last() const { return last_; }
    std::int64_t epoch() const { return epoch_; }

  private:
    std::int64_t last_ = -1, epoch_ = 0;
};

class UfxcSource final : public FrameSource {
  public:
    UfxcSource(const std::string& path, const SourceOptions& options, SourceInfo info)
        : file_(path), options_(options), info_(std::move(info)) {
        info_.format = "ufxc";
        info_.files = {path};
        info_.rows = ufxc::rows;
        info_.cols = ufxc::cols;
        info_.n_bytes = file_.size();
        info_.n_frames = options.n_frames;
        info_.n_frames_hint = frames_in_name(path);
        info_.trailing_bytes = static_cast<std::int64_t>(file_.size()) % ufxc::word_bytes;
        n_records_ = static_cast<std::int64_t>(file_.size()) / ufxc::word_bytes;
        if (n_records_ == 0) throw Error(ExitCode::data, path + ": no events");
        if (info_.trailing_bytes > 0) {
            const std::string text = path + ": " + std::to_string(info_.trailing_bytes) +
                                     " bytes after the last whole record of 4 bytes";
            if (options.strict) throw Error(ExitCode::data, text);
            info_.warnings.push_back(text + ", ignored");
        }
        info_.warnings.push_back(path + ": UFXC counts frames modulo 2048; a gap of 1024 or more "
                                        "empty frames cannot be told");
        std::uint32_t word = 0;
        file_.read(0, reinterpret_cast<std::byte*>(&word), sizeof word);
        first_frame_ = ufxc::frame_of(word);
        file_.expect_sequential();
    }

    const SourceInfo& info() const override { return info_; }
    void set_shape(std::int64_t rows, std::int64_t cols) override {
        if (rows == ufxc::rows && cols == ufxc::cols) return;
        throw Error(ExitCode::data,
                    file_.path() + ": UFXC has 128 x 256 pixels, the q-map " +
                        std::to_string(rows) + " x " + std::to_string(cols));
    }
    void select(std::int64_t, std::int64_t) override {}

    bool next(RawBlock& block) override {
        if (next_ == n_records_) {
            file_.check_unchanged();
            return false;
        }
        const std::int64_t n = std::min(
            std::max<std::int64_t>(1, options_.block_bytes / ufxc::word_bytes), n_records_ - next_);
        block.bytes.resize(static_cast<std::size_t>(n * ufxc::word_bytes));
        file_.read(static_cast<std::uint64_t>(next_ * ufxc::word_bytes),
                   block.bytes.data(),
                   block.bytes.size());
        block.sequence = sequence_++;
        block.first_record = next_;
        block.frame_before = counter_.last();
        block.frame_epoch = counter_.epoch();
        block.file = 0;
        for (std::int64_t i = 0; i < n; ++i) {
            const std::int64_t frame = counter_.advance(ufxc::frame_of(word_at(block, i)));
            if (frame < first_frame_) {
                throw Error(ExitCode::data,
                            file_.path() + ": record " + std::to_string(next_ + i) +
                                ": a frame before that of the first record");
            }
        }
        block.frame_after = counter_.last();
        next_ += n;
        read_ = next_;
        return true;
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (!std::holds_alternative<EventChunk>(chunk)) chunk.emplace<EventChunk>();
        const auto n = static_cast<std::int64_t>(block.bytes.size()) / ufxc::word_bytes;
        const auto walk = [&](const auto& work) {
            Unwrap counter(block.frame_before);
            for (std::int64_t i = 0; i < n; ++i) {
                const std::uint32_t word = word_at(block, i);
                work(counter.advance(ufxc::frame_of(word)) - first_frame_, word);
            }
        };
        std::int64_t base = -1;
        walk([&](std::int64_t frame, std::uint32_t) {
            base = base < 0 ? frame : std::min(base, frame);
        });
        EventSink sink(std::get<EventChunk>(chunk), counts, base, static_cast<std::size_t>(n));
        walk([&](std::int64_t frame, std::uint32_t word) {
            ++counts.records;
            sink.add(frame, ufxc::pixel_of(ufxc::index_of(word)), ufxc::count_of(word));
        });
        sink.finish();
    }

    double fraction_read() const override {
        return static_cast<double>(read_) / static_cast<double>(n_records_);
    }

  private:
    static std::uint32_t word_at(const RawBlock& block, std::int64_t i) {
        std::uint32_t word = 0;
        std::memcpy(&word, block.bytes.data() + i * ufxc::word_bytes, sizeof word);
        return word;
    }

    RawFile file_;
    SourceOptions options_;
    SourceInfo info_;
    std::int64_t n_records_ = 0, next_ = 0, sequence_ = 0;
    std::int64_t first_frame_ = 0;
    Unwrap counter_;
    std::atomic<std::int64_t> read_{0};
};

}  // namespace

bool looks_like_ufxc(const RawFile& file) {
    std::vector<std::uint32_t> words(
        static_cast<std::size_t>(std::min<std::uint64_t>(file.size() / 4, 8192)));
    if (words.size() < 2) return false;
    file.read(0, reinterpret_cast<std::byte*>(words.data()), words.size() * 4);
    std::size_t backward = 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if ((words[i] >> 17 & 0xF) != 0) return false;
        if (i == 0) continue;
        const auto step = static_cast<std::int64_t>(ufxc::frame_of(words[i])) -
                          static_cast<std::int64_t>(ufxc::frame_of(words[i - 1]));
        backward += step < 0 && step >= -ufxc::wrap_threshold;
    }
    return backward * 8 <= words.size();
}

std::unique_ptr<FrameSource>
open_ufxc(const std::string& path, const SourceOptions& options, SourceInfo info) {
    return std::make_unique<UfxcSource>(path, options, std::move(info));
}

}  // namespace xpcs
