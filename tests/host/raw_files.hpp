// SPDX-License-Identifier: BSD-3-Clause
// Small raw files for tests, and reading of a whole source.
#pragma once

#include "host/errors.hpp"
#include "host/readers/frame_source.hpp"
#include "host/readers/rigaku_word.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace xpcs::testing {

/// One photon event: absolute frame, pixel, count.
using Event = std::tuple<std::int64_t, std::uint32_t, std::uint32_t>;

inline void write_bytes(const std::string& path, const void* bytes, std::size_t n) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(n));
    ASSERT_TRUE(out.good());
}

inline void write_words(const std::string& path, const std::vector<std::uint64_t>& words) {
    write_bytes(path, words.data(), words.size() * sizeof(std::uint64_t));
}

/// Events as words; `offset` is added to every index.
inline std::vector<std::uint64_t> words_of(const std::vector<Event>& events,
                                           std::uint32_t offset = 0) {
    std::vector<std::uint64_t> words;
    for (const auto& [frame, pixel, count] : events) {
        words.push_back(rigaku::make_word(frame, pixel + offset, count));
    }
    return words;
}

/// Calls use(DenseChunk) for everything that a dense source delivers, in the order in which it
/// comes.
template <class Use>
void for_each_chunk(FrameSource& source, const Use& use) {
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    while (source.next(block)) {
        source.decode(block, chunk, counts);
        use(std::get<DenseChunk>(chunk));
    }
}

struct ReadEvents {
    std::vector<Event> events;
    DecodeCounts counts;
    std::vector<std::int64_t> frame_bases;
};

/// Everything a sparse source delivers, in the order in which it comes.
inline ReadEvents read_events(FrameSource& source) {
    ReadEvents out;
    RawBlock block;
    Chunk chunk;
    std::int64_t sequence = 0;
    while (source.next(block)) {
        EXPECT_EQ(block.sequence, sequence++);
        source.decode(block, chunk, out.counts);
        const auto& events = std::get<EventChunk>(chunk);
        out.frame_bases.push_back(events.frame_base);
        for (std::size_t i = 0; i < events.size(); ++i) {
            out.events.emplace_back(
                events.frame_base + events.frame[i], events.pixel[i], events.count[i]);
        }
    }
    EXPECT_DOUBLE_EQ(source.fraction_read(), 1.0);
    return out;
}

/// Runs `action` and checks kind and words of the Error that it must throw.
template <class Action>
void expect_error(ExitCode code, const std::vector<std::string>& words, Action&& action) {
    try {
        action();
        ADD_FAILURE() << "no error";
    } catch (const Error& error) {
        EXPECT_EQ(error.exit_status(), static_cast<int>(code)) << error.what();
        for (const std::string& word : words) {
            EXPECT_THAT(error.what(), ::testing::HasSubstr(word));
        }
    }
}

}  // namespace xpcs::testing
