// SPDX-License-Identifier: BSD-3-Clause
// Layouts of plain bytes: Rigaku words, IMM, UFXC.
#include "host/errors.hpp"
#include "host/readers/imm_header.hpp"
#include "host/readers/rigaku_word.hpp"
#include "host/readers/ufxc.hpp"
#include "host/writers/frame_writer.hpp"
#include "host/writers/raw_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace xpcs {

ByteFile::ByteFile(const std::string& path) : path_(path), stream_(path, std::ios::binary) {
    if (!stream_) throw Error(ExitCode::cannot_create, path_ + ": " + std::strerror(errno));
}

void ByteFile::put(const void* bytes, std::size_t n) {
    stream_.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(n));
    if (!stream_) throw Error(ExitCode::io, "writing " + path_ + ": " + std::strerror(errno));
}

void ByteFile::close() {
    stream_.close();
    if (!stream_) throw Error(ExitCode::io, "writing " + path_ + ": " + std::strerror(errno));
}

namespace {

class RigakuWriter final : public PhotonWriter {
  public:
    RigakuWriter(const std::string& path, const RigakuLayout& layout)
        : out_(path), layout_(layout) {}

    void add(std::span<const Photons> photons) override {
        words_.clear();
        for (const Photons& p : photons) {
            check_gap(p.frame);
            // Readers add up what one pixel has in one frame.
            for (std::uint32_t left = p.count; left > 0;) {
                const std::uint32_t count = std::min(left, rigaku::count_limit - 1);
                words_.push_back(rigaku::make_word(p.frame, p.pixel + layout_.index_offset, count));
                left -= count;
            }
        }
        out_.put(words_);
    }

    void close(std::int64_t n_frames) override {
        if (layout_.mark_end && n_frames > 0 && last_ + 1 < n_frames) {
            check_gap(n_frames - 1);
            const std::uint64_t word = rigaku::make_word(n_frames - 1, layout_.index_offset, 0);
            out_.put(&word, sizeof word);
        }
        out_.close();
    }

  private:
    void check_gap(std::int64_t frame) {
        if (frame - std::max<std::int64_t>(last_, 0) >= rigaku::wrap_threshold) {
            throw Error(ExitCode::data,
                        layout_.name + ": no photons from frame " + std::to_string(last_) + " to " +
                            std::to_string(frame) +
                            "; the 24-bit frame counter of a .bin file cannot tell; .h5 can");
        }
        last_ = frame;
    }

    ByteFile out_;
    RigakuLayout layout_;
    std::int64_t last_ = -1;
    std::vector<std::uint64_t> words_;
};

imm::Header imm_header(std::int64_t rows, std::int64_t cols, std::int64_t frame, double time_s) {
    imm::Header header;
    header.rows = rows;
    header.cols = cols;
    header.version = imm::first_version_with_width;
    header.stated_value_bytes = 2;
    header.elapsed_s = time_s * static_cast<double>(frame);
    header.tick = time_s > 0 ? static_cast<std::uint32_t>(frame) : 0;
    return header;
}

class ImmWriter final : public PhotonWriter {
  public:
    ImmWriter(const std::string& path, std::int64_t rows, std::int64_t cols, double frame_time_s)
        : out_(path), rows_(rows), cols_(cols), frame_time_s_(frame_time_s) {}

    void add(std::span<const Photons> photons) override {
        for (std::size_t at = 0; at < photons.size();) {
            const std::int64_t frame = photons[at].frame;
            if (frame != frame_) {
                put_frame();
                while (++frame_ < frame)
                    put_frame();
            }
            for (; at < photons.size() && photons[at].frame == frame; ++at)
                pending_.push_back(photons[at]);
        }
    }

    void close(std::int64_t n_frames) override {
        put_frame();
        while (++frame_ < n_frames)
            put_frame();
        out_.close();
    }

  private:
    void put_frame() {
        if (frame_ < 0) return;
        std::uint32_t largest = 0;
        for (const Photons& p : pending_)
            largest = std::max(largest, p.count);
        const std::size_t width = largest > 0xFFFF ? 4 : 2;
        imm::Header header = imm_header(rows_, cols_, frame_, frame_time_s_);
        header.compression = imm::compression_sparse;
        header.stated_value_bytes = static_cast<std::int32_t>(width);
        header.dlen = static_cast<std::int64_t>(pending_.size());
        index_.clear();
        values_.clear();
        for (const Photons& p : pending_) {
            index_.push_back(p.pixel);
            values_.append(reinterpret_cast<const char*>(&p.count), width);
        }
        const auto bytes = imm::make_header(header, static_cast<std::int32_t>(frame_));
        out_.put(bytes.data(), bytes.size());
        out_.put(index_);
        out_.put(values_.data(), values_.size());
        pending_.clear();
    }

    ByteFile out_;
    std::int64_t rows_, cols_;
    double frame_time_s_;
    std::int64_t frame_ = -1;  ///< of pending_
    std::vector<Photons> pending_;
    std::vector<std::uint32_t> index_;
    std::string values_;
};

class ImmFramesWriter final : public FramesWriter {
  public:
    ImmFramesWriter(const std::string& path, const FrameLayout& layout, double frame_time_s)
        : out_(path), layout_(layout), frame_time_s_(frame_time_s) {}

    void write(std::int64_t first, std::int64_t n, const std::byte* samples) override {
        for (std::int64_t k = 0; k < n; ++k, samples += layout_.frame_bytes()) {
            imm::Header header = imm_header(layout_.rows, layout_.cols, first + k, frame_time_s_);
            header.dlen = layout_.rows * layout_.cols;
            const auto bytes = imm::make_header(header, static_cast<std::int32_t>(first + k));
            out_.put(bytes.data(), bytes.size());
            out_.put(samples, layout_.frame_bytes());
        }
    }
    void close() override { out_.close(); }

  private:
    ByteFile out_;
    FrameLayout layout_;
    double frame_time_s_;
};

class UfxcWriter final : public PhotonWriter {
  public:
    explicit UfxcWriter(const std::string& path) : out_(path) {}

    void add(std::span<const Photons> photons) override {
        for (const Photons& p : photons) {
            mark_up_to(p.frame);
            const std::uint32_t row = p.pixel / ufxc::cols, col = p.pixel % ufxc::cols;
            words_.push_back(ufxc::make_word(p.frame, col * ufxc::rows + row, p.count));
            last_ = p.frame;
        }
        out_.put(words_);
        words_.clear();
    }
    void close(std::int64_t n_frames) override {
        mark_up_to(n_frames - 1);
        if (last_ < n_frames - 1) mark(n_frames - 1);
        out_.put(words_);
        out_.close();
    }

  private:
    static constexpr std::int64_t step = ufxc::wrap_threshold / 2;

    void mark(std::int64_t frame) {
        words_.push_back(ufxc::make_word(frame, 0, 0));
        last_ = frame;
    }
    /// The first record is frame 0, and no gap is so long that the counter cannot tell.
    void mark_up_to(std::int64_t frame) {
        if (last_ < 0 && frame > 0) mark(0);
        while (frame - last_ > step && last_ >= 0)
            mark(last_ + step);
    }

    ByteFile out_;
    std::int64_t last_ = -1;
    std::vector<std::uint32_t> words_;
};

}  // namespace

std::unique_ptr<PhotonWriter> rigaku_writer(const std::string& path, const RigakuLayout& layout) {
    return std::make_unique<RigakuWriter>(path, layout);
}

std::unique_ptr<PhotonWriter>
imm_writer(const std::string& path, std::int64_t rows, std::int64_t cols, double frame_time_s) {
    return std::make_unique<ImmWriter>(path, rows, cols, frame_time_s);
}

std::unique_ptr<FramesWriter>
imm_frames_writer(const std::string& path, const FrameLayout& layout, double frame_time_s) {
    return std::make_unique<ImmFramesWriter>(path, layout, frame_time_s);
}

std::unique_ptr<PhotonWriter> ufxc_writer(const std::string& path) {
    return std::make_unique<UfxcWriter>(path);
}

}  // namespace xpcs
