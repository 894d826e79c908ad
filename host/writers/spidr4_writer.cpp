// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/spidr4_word.hpp"
#include "host/writers/raw_writer.hpp"

#include <algorithm>
#include <utility>

namespace xpcs {

namespace {

class Spidr4Writer final : public PhotonWriter {
  public:
    Spidr4Writer(const std::string& path, std::int64_t bin_ticks) : out_(path), bin_(bin_ticks) {
        const std::uint64_t mark = spidr4::file_mark;
        out_.put(&mark, sizeof mark);
        for (int half = 0; half < 2; ++half)
            add_word(half, spidr4::make_control(spidr4::time_sync, half, 0));
    }

    void add(std::span<const Photons> photons) override {
        for (const Photons& p : photons) {
            if (p.frame != frame_) put_frame();
            frame_ = p.frame;
            const spidr4::Place at = {p.pixel / spidr4::cols, p.pixel % spidr4::cols};
            if (spidr4::is_digital(at)) continue;
            for (std::uint32_t k = 0; k < p.count; ++k) {
                // Anywhere in the bin, the same every time.
                const std::uint64_t mixed =
                    (std::uint64_t{p.pixel} * 2654435761U + std::uint64_t{k} * 40503U + 12345) %
                    1000003;
                const std::int64_t tick = p.frame * bin_ + static_cast<std::int64_t>(mixed) % bin_;
                hits_.emplace_back(tick, at);
            }
        }
    }

    void close(std::int64_t n_frames) override {
        put_frame();
        beat_up_to(n_frames * bin_);
        // What the last bin needs to be complete: a time beyond it.
        const std::int64_t end =
            (n_frames * bin_ + spidr4::ticks_per_clock - 1) / spidr4::ticks_per_clock;
        for (int half = 0; half < 2; ++half) {
            add_word(half, spidr4::make_control(spidr4::heartbeat, half, end));
            flush(half);
        }
        out_.close();
    }

  private:
    static constexpr std::int64_t beat_clocks = 1 << 14;  ///< 0.41 ms
    static constexpr std::size_t packet_words = 1024;

    void put_frame() {
        std::sort(hits_.begin(), hits_.end(), [](const auto& a, const auto& b) {
            return a.first < b.first;
        });
        for (const auto& [tick, at] : hits_) {
            beat_up_to(tick);
            add_word(at.row >= spidr4::rows / 2, spidr4::make_hit(at, tick, 10));
        }
        hits_.clear();
    }

    void beat_up_to(std::int64_t tick) {
        for (; next_beat_ * spidr4::ticks_per_clock <= tick; next_beat_ += beat_clocks) {
            for (int half = 0; half < 2; ++half)
                add_word(half, spidr4::make_control(spidr4::heartbeat, half, next_beat_));
        }
    }

    void add_word(int half, std::uint64_t word) {
        words_[half].push_back(word);
        if (words_[half].size() == packet_words) flush(half);
    }

    void flush(int half) {
        if (words_[half].empty()) return;
        const std::uint64_t header = spidr4::make_packet(
            spidr4::group_timepix4, static_cast<std::uint64_t>(half), words_[half].size());
        out_.put(&header, sizeof header);
        out_.put(words_[half]);
        words_[half].clear();
    }

    ByteFile out_;
    std::int64_t bin_;
    std::int64_t frame_ = -1, next_beat_ = 0;
    std::vector<std::pair<std::int64_t, spidr4::Place>> hits_;  ///< of frame_
    std::vector<std::uint64_t> words_[2];                       ///< of the packet in the making
};

}  // namespace

std::unique_ptr<PhotonWriter> spidr4_writer(const std::string& path, std::int64_t bin_ticks) {
    return std::make_unique<Spidr4Writer>(path, bin_ticks);
}

}  // namespace xpcs
