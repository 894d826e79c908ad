// SPDX-License-Identifier: BSD-3-Clause
// The hot loop of the Rigaku reader. Words are taken tile by tile (a tile stays in the first-level
// cache): a first loop takes the fields apart, the following ones gather what must be known of
// them, each without a branch so that the compiler makes vector code. A tile in which anything is
// out of the ordinary (count 0, bad index, counter wrap) goes through the exact loop, word by word.
#include "host/errors.hpp"
#include "host/readers/rigaku64.hpp"

#include <algorithm>
#include <limits>

namespace xpcs::rigaku {

namespace {

constexpr std::size_t tile_words = 1024;

struct Span {
    std::int64_t min = std::numeric_limits<std::int64_t>::max();
    std::int64_t max = -1;
    void add(std::int64_t lowest, std::int64_t highest) {
        min = std::min(min, lowest);
        max = std::max(max, highest);
    }
};

/// What a tile holds, found without branches.
struct TileFacts {
    std::int32_t frame_min, frame_max;
    std::uint32_t local_max;
    std::int32_t count_min, count_max;
    std::int32_t out_of_order;
};

[[noreturn]] void
bad_index(std::uint64_t word, std::int64_t record, std::int64_t frame, const WordContext& context) {
    const IndexMap& map = context.map;
    const std::uint32_t index = index_of(word);
    std::string text = *context.file + ": record " + std::to_string(record) + ": pixel index " +
                       std::to_string(index) + " in frame " + std::to_string(frame);
    const bool carries = index >= module_offset;
    if (map.n_pixels <= module_offset && carries != (map.offset > 0)) {
        text += carries ? " has the module offset 2^20, the records before have not"
                        : " lacks the module offset 2^20 that the records before have";
        text += " (mixed module offset";
    } else {
        text += " is outside the detector (indices";
        text += " " + std::to_string(map.offset) + " to " +
                std::to_string(std::int64_t{map.offset} + map.n_pixels - 1) + " allowed";
    }
    text += "; shape " + std::to_string(context.rows) + " x " + std::to_string(context.cols) +
            "; --drop-bad-index drops such records)";
    throw Error(ExitCode::data, text);
}

TileFacts facts_of(const std::uint32_t* local,
                   const std::uint32_t* frame,
                   const std::uint32_t* count,
                   std::size_t n) {
    // Fields have at most 24 bits, so signed comparisons (which vector units have) are right; the
    // local index may have wrapped below 0 and is compared as a bit pattern.
    std::int32_t frame_min = std::numeric_limits<std::int32_t>::max(), frame_max = 0;
    std::int32_t count_min = frame_min, count_max = 0, disorder = 0;
    std::uint32_t local_max = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const auto f = static_cast<std::int32_t>(frame[i]);
        frame_min = std::min(frame_min, f);
        frame_max = std::max(frame_max, f);
    }
    for (std::size_t i = 1; i < n; ++i) {
        disorder += static_cast<std::int32_t>(frame[i]) < static_cast<std::int32_t>(frame[i - 1]);
    }
    for (std::size_t i = 0; i < n; ++i) {
        const auto c = static_cast<std::int32_t>(count[i]);
        count_min = std::min(count_min, c);
        count_max = std::max(count_max, c);
        local_max = std::max(local_max, local[i]);
    }
    return {frame_min, frame_max, local_max, count_min, count_max, disorder};
}

void count_maxima(const std::uint32_t* count, std::size_t n, DecodeCounts& counts) {
    std::int32_t is_3 = 0, is_15 = 0, is_255 = 0, is_4095 = 0;
    for (std::size_t i = 0; i < n; ++i) {
        is_3 += count[i] == 3;
        is_15 += count[i] == 15;
        is_255 += count[i] == 255;
        is_4095 += count[i] == 4095;
    }
    counts.at_maximum_3 += is_3;
    counts.at_maximum_15 += is_15;
    counts.at_maximum_255 += is_255;
    counts.at_maximum_4095 += is_4095;
}

class Decoder {
  public:
    Decoder(const WordContext& context, EventChunk& chunk, DecodeCounts& counts)
        : context_(context), chunk_(chunk), counts_(counts), counter_(context.frame_before) {}

    void tile(const std::uint64_t* words, std::size_t n, std::int64_t record) {
        std::uint32_t* local = chunk_.pixel.data() + n_out_;
        std::uint32_t* frame = chunk_.frame.data() + n_out_;
        std::uint32_t* count = chunk_.count.data() + n_out_;
        const std::uint32_t offset = context_.map.offset;
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint64_t word = words[i];
            local[i] = index_of(word) - offset;
            frame[i] = frame_of(word);
            count[i] = count_of(word);
        }
        const TileFacts facts = facts_of(local, frame, count, n);
        const bool counter_moves_on = facts.frame_max - facts.frame_min <= wrap_threshold;
        if (facts.count_min == 0 || facts.local_max >= context_.map.n_pixels || !counter_moves_on) {
            exact(words, n, record);
            return;
        }
        ordinary(facts, local, frame, count, n);
    }

    std::int64_t finish() {
        chunk_.resize(n_out_);
        if (span_.max < 0) {
            chunk_.frame_base = 0;
            return counter_.last();
        }
        if (span_.max - span_.min > std::numeric_limits<std::uint32_t>::max()) {
            throw Error(ExitCode::data,
                        *context_.file + ": records from " + std::to_string(context_.first_record) +
                            ": frames " + std::to_string(span_.min) + " to " +
                            std::to_string(span_.max) +
                            " in one block; at most 2^32 - 1 frames apart allowed");
        }
        rebase(span_.min);
        counts_.last_frame = std::max(counts_.last_frame, span_.max);
        counts_.counter_wraps = std::max(counts_.counter_wraps, span_.max / frame_period);
        return counter_.last();
    }

  private:
    void start_at(std::int64_t frame) {
        if (!started_) {
            started_ = true;
            chunk_.frame_base = frame;
        }
    }

    // Frames are kept modulo 2^32 relative to the first record's; a smaller one shows at the end.
    void rebase(std::int64_t base) {
        const auto shift = static_cast<std::uint32_t>(chunk_.frame_base - base);
        chunk_.frame_base = base;
        if (shift == 0) return;
        for (std::uint32_t& frame : chunk_.frame) {
            frame += shift;
        }
    }

    void ordinary(const TileFacts& facts,
                  std::uint32_t* local,
                  std::uint32_t* frame,
                  std::uint32_t* count,
                  std::size_t n) {
        const std::int64_t before = counter_.last();
        const std::int64_t first = counter_.advance(frame[0]);
        const std::int64_t epoch = counter_.epoch();
        start_at(first);
        counts_.out_of_order += facts.out_of_order + (first < before ? 1 : 0);
        counter_ = FrameCounter(epoch + frame[n - 1]);
        const auto shift = static_cast<std::uint32_t>(epoch - chunk_.frame_base);
        const std::uint32_t base = context_.map.base;
        const std::uint32_t row_gap = context_.map.row_gap;
        if (row_gap == 0) {
            for (std::size_t i = 0; i < n; ++i) {
                frame[i] += shift;
            }
        } else {
            for (std::size_t i = 0; i < n; ++i) {
                frame[i] += shift;
                local[i] += base + (local[i] >> 10) * row_gap;
            }
        }
        if (facts.count_max >= 3) count_maxima(count, n, counts_);
        counts_.largest_count = std::max<std::int64_t>(counts_.largest_count, facts.count_max);
        span_.add(epoch + facts.frame_min, epoch + facts.frame_max);
        n_out_ += n;
    }

    void exact(const std::uint64_t* words, std::size_t n, std::int64_t record) {
        const IndexMap& map = context_.map;
        const std::size_t first_out = n_out_;
        for (std::size_t i = 0; i < n; ++i) {
            const std::int64_t before = counter_.last();
            const std::int64_t frame = counter_.advance(frame_of(words[i]));
            start_at(frame);
            counts_.out_of_order += frame < before;
            const std::uint32_t count = count_of(words[i]);
            const std::uint32_t local = index_of(words[i]) - map.offset;
            if (local >= map.n_pixels) {
                if (!context_.drop_bad_index) {
                    bad_index(words[i], record + static_cast<std::int64_t>(i), frame, context_);
                }
                ++counts_.bad_index;
                continue;
            }
            span_.add(frame, frame);
            if (count == 0) {
                ++counts_.zero_count;
                continue;
            }
            counts_.largest_count = std::max<std::int64_t>(counts_.largest_count, count);
            chunk_.pixel[n_out_] = map.pixel(local);
            chunk_.frame[n_out_] = static_cast<std::uint32_t>(frame - chunk_.frame_base);
            chunk_.count[n_out_] = count;
            ++n_out_;
        }
        count_maxima(chunk_.count.data() + first_out, n_out_ - first_out, counts_);
    }

    const WordContext& context_;
    EventChunk& chunk_;
    DecodeCounts& counts_;
    FrameCounter counter_;
    Span span_;
    std::size_t n_out_ = 0;
    bool started_ = false;
};

}  // namespace

std::int64_t decode_words(const std::uint64_t* words,
                          std::size_t n_words,
                          const WordContext& context,
                          EventChunk& chunk,
                          DecodeCounts& counts) {
    chunk.resize(n_words);
    chunk.frame_base = 0;
    counts.records += static_cast<std::int64_t>(n_words);
    Decoder decoder(context, chunk, counts);
    for (std::size_t at = 0; at < n_words; at += tile_words) {
        decoder.tile(words + at,
                     std::min(tile_words, n_words - at),
                     context.first_record + static_cast<std::int64_t>(at));
    }
    return decoder.finish();
}

}  // namespace xpcs::rigaku
