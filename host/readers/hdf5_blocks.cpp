// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/hdf5_blocks.hpp"

#include <algorithm>

namespace xpcs {

namespace {

/// In each of its chunks.
bool has_whole_frames(const FrameSegment& segment) {
    return static_cast<std::int64_t>(segment.chunk[1]) == segment.rows &&
           static_cast<std::int64_t>(segment.chunk[2]) == segment.cols;
}

/// Copies what of a chunk lies in the frames of the block.
void place_chunk(const FrameSegment& segment,
                 const ChunkEntry& entry,
                 const RawVector<std::byte>& decoded,
                 const DenseChunk& frames,
                 std::span<std::byte> samples) {
    const auto depth = static_cast<std::int64_t>(segment.chunk[0]);
    const auto high = static_cast<std::int64_t>(segment.chunk[1]);
    const auto wide = static_cast<std::int64_t>(segment.chunk[2]);
    const std::int64_t rows = std::min(high, segment.rows - entry.row);
    const std::int64_t cols = std::min(wide, segment.cols - entry.col);
    const std::int64_t sample = segment.sample_bytes;
    for (std::int64_t k = 0; k < depth; ++k) {
        const std::int64_t frame = entry.frame + k - frames.first_frame;
        if (frame < 0 || frame >= frames.n_frames) continue;
        for (std::int64_t row = 0; row < rows; ++row) {
            const std::byte* from = decoded.data() + (k * high + row) * wide * sample;
            std::byte* to = samples.data() + frame * segment.frame_bytes() +
                            ((entry.row + row) * segment.cols + entry.col) * sample;
            std::memcpy(to, from, static_cast<std::size_t>(cols * sample));
        }
    }
}

}  // namespace

std::string place_of(const FrameSegment& segment, std::int64_t frame) {
    return segment.stored_in + ": " + segment.dataset + ": frame " + std::to_string(frame);
}

bool has_plain_frames(const FrameSegment& segment) {
    if (segment.channel || !segment.native_order) return false;
    if (!segment.pipeline) return segment.chunk.empty();
    return segment.pipeline->filters.empty() && has_whole_frames(segment);
}

const std::byte*
plain_frames(const FrameSegment& segment, const RawBlock& block, std::size_t n_bytes) {
    const ChunkPipeline& pipeline = *segment.pipeline;
    if (!pipeline.filters.empty() || !has_whole_frames(segment)) return nullptr;
    const std::byte* first = nullptr;
    std::uint64_t n = 0;
    bool plain = true;
    for_chunks(block.bytes, [&](const ChunkEntry& entry) {
        const std::byte* at = block.bytes.data() + entry.offset;
        if (first == nullptr) {
            first = at;
            plain = entry.frame == block.first_record;
        }
        plain = plain && entry.bytes == pipeline.chunk_bytes && at == first + n;
        n += entry.bytes;
    });
    return plain && n >= n_bytes ? first : nullptr;
}

void decode_chunks(const FrameSegment& segment,
                   const RawBlock& block,
                   const DenseChunk& frames,
                   std::span<std::byte> samples) {
    thread_local ChunkScratch scratch;
    thread_local RawVector<std::byte> decoded;
    for_chunks(block.bytes, [&](const ChunkEntry& entry) {
        const std::string what =
            place_of(segment, entry.frame - segment.first + segment.source_first);
        const std::span<const std::byte> raw(block.bytes.data() + entry.offset,
                                             static_cast<std::size_t>(entry.bytes));
        const auto skipped = static_cast<std::uint32_t>(entry.skipped);
        const auto depth = static_cast<std::int64_t>(segment.chunk[0]);
        const std::int64_t relative = entry.frame - frames.first_frame;
        const bool fits =
            relative >= 0 && relative + depth <= frames.n_frames && has_whole_frames(segment);
        if (fits && entry.bytes > 0) {
            const std::span<std::byte> to =
                samples.subspan(static_cast<std::size_t>(relative * segment.frame_bytes()),
                                segment.pipeline->chunk_bytes);
            decode_chunk(*segment.pipeline, raw, skipped, to, scratch, what);
            return;
        }
        decoded.resize(segment.pipeline->chunk_bytes);
        if (entry.bytes == 0) {
            std::memset(decoded.data(), 0, decoded.size());
        } else {
            decode_chunk(*segment.pipeline, raw, skipped, decoded, scratch, what);
        }
        place_chunk(segment, entry, decoded, frames, samples);
    });
}

}  // namespace xpcs
