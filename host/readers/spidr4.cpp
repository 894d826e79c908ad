// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/spidr4.hpp"

#include "host/errors.hpp"
#include "host/readers/event_sink.hpp"
#include "host/readers/raw_file.hpp"
#include "host/readers/spidr4_word.hpp"
#include "host/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cmath>
#include <cstring>
#include <fstream>
#include <utility>

namespace xpcs {

namespace {

constexpr std::int64_t unknown = -1;

/// Where a stream stands between two words.
struct StreamState {
    std::int64_t clock[2] = {0, 0};  ///< of each half, units of 25 ns
    std::int64_t start = unknown;    ///< t0, ticks
    std::int64_t latest = 0;         ///< ticks
    std::int64_t payload = 0;        ///< words left of the packet
    std::int64_t skip = 0;           ///< the packet is not ours
};

/// Goes through whole words; on_hit(word, tick). Returns the number of words until one that is the
/// header of an unknown packet, or all.
template <class OnHit>
std::size_t walk(StreamState& state, const std::byte* bytes, std::size_t n, const OnHit& on_hit) {
    for (std::size_t i = 0; i < n; ++i) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes + i * sizeof word, sizeof word);
        if (state.payload == 0) {
            const std::uint32_t group = spidr4::group_of(word);
            if (group != spidr4::group_timepix4 && group != spidr4::group_user) return i;
            state.payload = spidr4::payload_words(word);
            state.skip = group == spidr4::group_user;
            continue;
        }
        --state.payload;
        if (state.skip != 0) continue;
        std::int64_t& clock = state.clock[spidr4::half_of(word)];
        if (spidr4::is_control(word)) {
            const std::uint32_t what = spidr4::column_address(word);
            if (what != spidr4::heartbeat && what != spidr4::time_sync) continue;
            clock = spidr4::control_time(word);
            const std::int64_t tick = clock * spidr4::ticks_per_clock;
            if (state.start == unknown) state.start = tick;
            state.latest = std::max(state.latest, tick);
            continue;
        }
        if (state.start == unknown) state.start = 0;
        const std::int64_t time = spidr4::extended(spidr4::arrival_of(word), clock);
        clock = std::max(clock, time);
        const std::int64_t tick = time * spidr4::ticks_per_clock + spidr4::fine_ticks(word);
        state.latest = std::max(state.latest, tick);
        on_hit(word, tick);
    }
    return n;
}

struct RunConfigFile {
    bool keep_digital = false;
    std::vector<std::string> ignored;
};

std::string lower(std::string text) {
    for (char& c : text)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return text;
}

RunConfigFile read_run_config(const std::string& path) {
    RunConfigFile out;
    if (path.empty()) return out;
    std::ifstream in(path);
    if (!in) throw Error(ExitCode::no_input, "--run-config-path " + path + ": cannot be read");
    const auto refuse = [&](const std::string& what) {
        throw Error(ExitCode::config, "--run-config-path " + path + ": " + what);
    };
    const auto json = nlohmann::json::parse(in, nullptr, false);
    if (!json.is_object()) refuse("a JSON object expected");
    for (const auto& [key, value] : json.items()) {
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (key == "detector") {
            if (lower(text) != "timepix4") {
                refuse("detector '" + printable(text, 60) + "'; Timepix4 is read");
            }
        } else if (key == "digital_pixels") {
            if (text != "skip" && text != "keep") {
                refuse("digital_pixels '" + printable(text, 60) + "'; skip or keep allowed");
            }
            out.keep_digital = text == "keep";
        } else {
            out.ignored.push_back(printable(key, 60));
        }
    }
    return out;
}

class Spidr4Source final : public FrameSource {
  public:
    Spidr4Source(const std::string& path, const SourceOptions& options, SourceInfo info)
        : options_(options), info_(std::move(info)), bin_(spidr4_bin_ticks(options.bin_time_s)) {
        const RunConfigFile config = read_run_config(options.run_config_path);
        keep_digital_ = config.keep_digital;
        info_.format = "timepix4";
        info_.rows = spidr4::rows;
        info_.cols = spidr4::cols;
        info_.n_frames = options.n_frames;
        info_.last_frame_partial = true;
        info_.frame_time_s = static_cast<double>(bin_) / static_cast<double>(spidr4::ticks_per_s);
        info_.warnings.push_back(
            path + ": raw Timepix4 streams are experimental: the layout is that of other SPIDR4 "
                   "systems; compare with the converted .bin file before trusting a result");
        if (!config.ignored.empty()) {
            std::string names;
            for (const std::string& name : config.ignored)
                names += (names.empty() ? "" : ", ") + name;
            info_.warnings.push_back(options.run_config_path +
                                     ": keys without a meaning here: " + names);
        }
        if (std::abs(info_.frame_time_s - options.bin_time_s) > 1e-9 * options.bin_time_s) {
            info_.warnings.push_back(path + ": --bin-time-s is rounded to " + std::to_string(bin_) +
                                     " ticks of 25 ns / 128, " + text_of(info_.frame_time_s) +
                                     " s");
        }
        add_file(path);
        for (const std::string& more : options.more_files)
            add_file(more);
    }

    const SourceInfo& info() const override { return info_; }
    void set_shape(std::int64_t rows, std::int64_t cols) override {
        if (rows == spidr4::rows && cols == spidr4::cols) return;
        throw Error(ExitCode::data,
                    files_.front().path() + ": Timepix4 has 512 x 448 pixels, the q-map " +
                        std::to_string(rows) + " x " + std::to_string(cols));
    }
    void select(std::int64_t, std::int64_t) override {}

    bool next(RawBlock& block) override {
        if (file_ == files_.size()) return false;
        const RawFile& file = files_[file_];
        if (at_ == 0) begin_file(file);
        const auto whole = static_cast<std::int64_t>(file.size()) / spidr4::word_bytes;
        const std::int64_t n = std::min(
            std::max<std::int64_t>(1, options_.block_bytes / spidr4::word_bytes), whole - at_);
        const std::size_t bytes = static_cast<std::size_t>(n * spidr4::word_bytes);
        block.bytes.resize(sizeof state_ + bytes);
        std::memcpy(block.bytes.data(), &state_, sizeof state_);
        std::byte* const words = block.bytes.data() + sizeof state_;
        file.read(static_cast<std::uint64_t>(at_ * spidr4::word_bytes), words, bytes);
        const auto good = static_cast<std::int64_t>(
            walk(state_, words, static_cast<std::size_t>(n), [](std::uint64_t, std::int64_t) {}));
        if (good < n) refuse_packet(file, at_ + good, words + good * spidr4::word_bytes);
        block.sequence = sequence_++;
        block.first_record = at_;
        block.file = static_cast<int>(file_);
        block.frame_before = -1;
        block.frame_after = (state_.latest - std::max<std::int64_t>(state_.start, 0)) / bin_;
        at_ += n;
        bytes_read_ += n * spidr4::word_bytes;
        if (at_ == whole) end_file(file);
        return true;
    }

    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override {
        if (!std::holds_alternative<EventChunk>(chunk)) chunk.emplace<EventChunk>();
        const std::byte* const words = block.bytes.data() + sizeof(StreamState);
        const std::size_t n = (block.bytes.size() - sizeof(StreamState)) / spidr4::word_bytes;
        const auto each = [&](const auto& work) {
            StreamState state;
            std::memcpy(&state, block.bytes.data(), sizeof state);
            walk(state, words, n, [&](std::uint64_t word, std::int64_t tick) {
                const spidr4::Place at = spidr4::place_of(word);
                if (!keep_digital_ && spidr4::is_digital(at)) return;
                work(tick - state.start,
                     static_cast<std::uint32_t>(at.row * spidr4::cols + at.col));
            });
        };
        std::int64_t first = -1;
        each([&](std::int64_t tick, std::uint32_t) {
            if (tick >= 0 && (first < 0 || tick < first)) first = tick;
        });
        EventSink sink(std::get<EventChunk>(chunk), counts, first < 0 ? 0 : first / bin_, n);
        DecodeCounts order;  // hits of a stream are never in strict order: nothing to report
        order.out_of_order = counts.out_of_order;
        each([&](std::int64_t tick, std::uint32_t pixel) {
            ++counts.records;
            if (tick < 0) {
                ++counts.before_start;
                return;
            }
            sink.add(tick / bin_, pixel, 1);
        });
        sink.finish();
        counts.out_of_order = order.out_of_order;
        counts.last_frame = std::max(counts.last_frame, block.frame_after);
    }

    double fraction_read() const override {
        return static_cast<double>(bytes_read_) / static_cast<double>(info_.n_bytes);
    }

  private:
    static std::string text_of(double value) {
        char text[40];
        std::snprintf(text, sizeof text, "%.9g", value);
        return text;
    }

    void add_file(const std::string& path) {
        RawFile file(path);
        info_.files.push_back(path);
        info_.n_bytes += file.size();
        std::uint64_t mark = 0;
        if (file.size() >= sizeof mark) {
            file.read(0, reinterpret_cast<std::byte*>(&mark), sizeof mark);
        }
        if (mark != spidr4::file_mark) {
            throw Error(ExitCode::data, path + ": does not begin with the mark SPIDR4");
        }
        const std::uint64_t rest = file.size() % spidr4::word_bytes;
        if (rest > 0) {
            const std::string text =
                path + ": " + std::to_string(rest) + " bytes after the last whole word of 8 bytes";
            if (options_.strict) throw Error(ExitCode::data, text);
            info_.warnings.push_back(text + ", ignored");
            info_.trailing_bytes += static_cast<std::int64_t>(rest);
        }
        if (file.size() / spidr4::word_bytes < 2) throw Error(ExitCode::data, path + ": no events");
        file.expect_sequential();
        files_.push_back(std::move(file));
    }

    void begin_file(const RawFile&) {
        // A stream of its own, but of the same start and the same clock.
        state_.clock[0] = state_.clock[1] = 0;
        state_.payload = state_.skip = 0;
        at_ = 1;
        bytes_read_ += spidr4::word_bytes;
    }

    void end_file(const RawFile& file) {
        file.check_unchanged();
        if (state_.payload > 0 && !options_.allow_truncated) {
            throw Error(ExitCode::data,
                        file.path() + ": the last packet lacks " + std::to_string(state_.payload) +
                            " words at byte " + std::to_string(at_ * spidr4::word_bytes) +
                            "; --allow-truncated uses what is there");
        }
        ++file_;
        at_ = 0;
    }

    [[noreturn]] static void
    refuse_packet(const RawFile& file, std::int64_t word, const std::byte* bytes) {
        std::uint64_t header = 0;
        std::memcpy(&header, bytes, sizeof header);
        throw Error(ExitCode::data,
                    file.path() + ": packet of group " + std::to_string(spidr4::group_of(header)) +
                        " at byte " + std::to_string(word * spidr4::word_bytes) +
                        "; 0 (Timepix4 data) and 7 (user) are known");
    }

    std::vector<RawFile> files_;
    SourceOptions options_;
    SourceInfo info_;
    std::int64_t bin_;
    bool keep_digital_ = false;
    StreamState state_;
    std::size_t file_ = 0;
    std::int64_t at_ = 0, sequence_ = 0;  ///< at_: next word of the file
    std::atomic<std::int64_t> bytes_read_{0};
};

}  // namespace

std::int64_t spidr4_bin_ticks(double seconds) {
    const double ticks = std::round(seconds * static_cast<double>(spidr4::ticks_per_s));
    if (!(ticks >= 1 && ticks <= static_cast<double>(std::int64_t{1} << 40))) {
        char text[40];
        std::snprintf(text, sizeof text, "%.9g", seconds);
        throw Error(ExitCode::config,
                    std::string("--bin-time-s ") + text +
                        ": 1 to 2^40 ticks of 25 ns / 128 allowed (1.953e-10 to 214 s)");
    }
    return static_cast<std::int64_t>(ticks);
}

std::unique_ptr<FrameSource>
open_spidr4(const std::string& path, const SourceOptions& options, SourceInfo info) {
    return std::make_unique<Spidr4Source>(path, options, std::move(info));
}

}  // namespace xpcs
