// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/ufxc_dense.hpp"

#include "host/errors.hpp"
#include "host/readers/event_sink.hpp"
#include "host/readers/raw_file.hpp"
#include "host/readers/ufxc.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace xpcs {

namespace {

constexpr std::int64_t all_pixels = ufxc::rows * ufxc::cols;

class UfxcDenseSource final : public FrameSource {
  public:
    UfxcDenseSource(const std::string& path,
                    int sample_bytes,
                    const SourceOptions& options,
                    SourceInfo info)
        : file_(path), width_(static_cast<std::size_t>(sample_bytes)), options_(options),
          info_(std::move(info)) {
        info_.format = width_ == 2 ? "ufxc-dense16" : "ufxc-dense8";
        info_.files = {path};
        info_.rows = ufxc::rows;
        info_.cols = ufxc::cols;
        info_.n_bytes = file_.size();
        n_frames_ = static_cast<std::int64_t>(file_.size()) / frame_bytes();
        if (n_frames_ == 0 || static_cast<std::int64_t>(file_.size()) % frame_bytes() != 0) {
            throw Error(ExitCode::data,
                        path + ": " + std::to_string(file_.size()) +
                            " bytes; dense UFXC frames of " + std::to_string(frame_bytes()) +
                            " bytes expected, whole ones");
        }
        info_.n_frames = std::max(n_frames_, options.n_frames);
        info_.warnings.push_back(path + ": dense UFXC dump of " + std::to_string(width_) +
                                 " bytes per count; column-major pixels are an assumption, compare "
                                 "an image before trusting it");
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
        if (frame_ == n_frames_) {
            file_.check_unchanged();
            return false;
        }
        const std::int64_t n = std::min(
            std::max<std::int64_t>(1, options_.block_bytes / frame_bytes()), n_frames_ - frame_);
        block.bytes.resize(static_cast<std::size_t>(n * frame_bytes()));
        file_.read(static_cast<std::uint64_t>(frame_ * frame_bytes()),
                   block.bytes.data(),
                   block.bytes.size());
        block.sequence = sequence_++;
        block.first_record = frame_;
        block.frame_before = frame_ - 1;
        frame_ += n;
        block.frame_after = frame_ - 1;
        block.file = 0;
        read_ = frame_;
        return true;
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (!std::holds_alternative<EventChunk>(chunk)) chunk.emplace<EventChunk>();
        const std::size_t n = block.bytes.size() / width_;
        EventSink sink(std::get<EventChunk>(chunk), counts, block.first_record, n);
        for (std::size_t i = 0; i < n; ++i) {
            std::uint32_t count = 0;
            std::memcpy(&count, block.bytes.data() + i * width_, width_);
            if (count == 0) continue;
            ++counts.records;
            sink.add(block.first_record + static_cast<std::int64_t>(i) / all_pixels,
                     ufxc::pixel_of(static_cast<std::uint32_t>(i % all_pixels)),
                     count);
        }
        sink.finish();
        counts.last_frame = std::max(counts.last_frame, block.frame_after);
    }

    double fraction_read() const override {
        return static_cast<double>(read_) / static_cast<double>(n_frames_);
    }

  private:
    std::int64_t frame_bytes() const { return all_pixels * static_cast<std::int64_t>(width_); }

    RawFile file_;
    std::size_t width_;
    SourceOptions options_;
    SourceInfo info_;
    std::int64_t n_frames_ = 0, frame_ = 0, sequence_ = 0;
    std::atomic<std::int64_t> read_{0};
};

std::vector<std::byte> first_bytes(const RawFile& file, std::size_t most) {
    std::vector<std::byte> bytes(
        static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), most)));
    file.read(0, bytes.data(), bytes.size());
    return bytes;
}

bool many_empty_words(const RawFile& file) {
    const std::vector<std::byte> bytes = first_bytes(file, std::size_t{4} * 8192);
    std::size_t empty = 0;
    for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data() + at, sizeof word);
        empty += word == 0;
    }
    return empty * 8 > bytes.size() / 4;
}

bool odd_bytes_empty(const RawFile& file) {
    const std::vector<std::byte> bytes = first_bytes(file, std::size_t{16} * 2 * all_pixels);
    for (std::size_t at = 1; at < bytes.size(); at += 2) {
        if (bytes[at] != std::byte{0}) return false;
    }
    return true;
}

}  // namespace

int ufxc_dump_bytes(const RawFile& file) {
    if (file.path().ends_with(".u16.ufxc")) return 2;
    if (file.path().ends_with(".u8.ufxc")) return 1;
    const auto size = static_cast<std::int64_t>(file.size());
    if (!file.path().ends_with(".ufxc") || size == 0 || size % all_pixels != 0) return 0;
    if (looks_like_ufxc(file) && !many_empty_words(file)) return 0;
    return size % (2 * all_pixels) == 0 && odd_bytes_empty(file) ? 2 : 1;
}

std::unique_ptr<FrameSource> open_ufxc_dense(const std::string& path,
                                             int sample_bytes,
                                             const SourceOptions& options,
                                             SourceInfo info) {
    return std::make_unique<UfxcDenseSource>(path, sample_bytes, options, std::move(info));
}

}  // namespace xpcs
