// SPDX-License-Identifier: BSD-3-Clause
// Rigaku 64-bit sparse streams: one `.bin` file, or the six files `.bin.000` ... `.bin.005` of the
// 3M detector, read as one source. Bit layout: rigaku_word.hpp.
//
// One file: the shape comes from the q-map (set_shape), 512 x 1024 until then; indices that carry
// the module offset 2^20 are accepted if the whole file has it.
// Six files: canvas 1676 x 2100 with gaps; blocks of the six files alternate so that consecutive
// chunks cover neighbouring frames; one pixel lies in one file only.
#pragma once

#include "host/readers/frame_source.hpp"
#include "host/readers/rigaku_word.hpp"

#include <memory>
#include <string>

namespace xpcs {

/// `info` starts with what the caller found out (detected_by, warnings).
/// Throws Error: no_input (missing), data (no events, trailing bytes with options.strict).
std::unique_ptr<FrameSource>
open_rigaku64(const std::string& path, const SourceOptions& options, SourceInfo info = {});

/// `path` is any of the six files. Throws Error: no_input (all missing modules by name, unless
/// options.allow_missing_module), data (no module has events).
std::unique_ptr<FrameSource>
open_rigaku3m(const std::string& path, const SourceOptions& options, SourceInfo info = {});

/// The module number 0 ... 5 of a name that ends `.bin.00N`, -1 for any other.
int rigaku3m_module_of(const std::string& path);

namespace rigaku {

/// What decode_words needs to know of the file and of the place of the words in it.
struct WordContext {
    IndexMap map;
    std::int64_t rows = 0, cols = 0;  ///< for messages
    std::int64_t first_record = 0;
    std::int64_t frame_before = -1;  ///< absolute frame of the record before, -1 = none
    bool drop_bad_index = false;
    const std::string* file = nullptr;
};

/// Words to events. Counts of 0 are dropped (their frames count), frames are unwrapped exactly.
/// Returns the absolute frame of the last record. Throws Error (data): bad index, or a span of
/// more than 2^32 - 1 frames.
std::int64_t decode_words(const std::uint64_t* words,
                          std::size_t n_words,
                          const WordContext& context,
                          EventChunk& chunk,
                          DecodeCounts& counts);

}  // namespace rigaku

}  // namespace xpcs
