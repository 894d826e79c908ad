// SPDX-License-Identifier: BSD-3-Clause
// Chunks decoded without HDF5.
#include "host/readers/chunk_codec.hpp"

#include "tests/host/raw_files.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace xpcs {
namespace {

using testing::expect_error;

TEST(BitUnshuffle, IsTheInverseOfItsDefinition) {
    std::mt19937 random(11);
    RawVector<std::byte> scratch;
    for (const std::size_t size : {1, 2, 4, 8}) {
        for (const std::size_t n : {8, 120, 128, 136, 1024, 4096}) {
            std::vector<std::byte> values(n * size), planes(n * size, std::byte{0}), back(n * size);
            for (auto& byte : values)
                byte = static_cast<std::byte>(random());
            for (std::size_t e = 0; e < n; ++e) {
                for (std::size_t bit = 0; bit < 8 * size; ++bit) {
                    const auto byte = static_cast<unsigned>(values[e * size + bit / 8]);
                    planes[bit * (n / 8) + e / 8] |=
                        static_cast<std::byte>((byte >> (bit % 8) & 1U) << (e % 8));
                }
            }
            bit_unshuffle(planes.data(), back.data(), n, size, scratch);
            EXPECT_EQ(back, values) << size << " " << n;
        }
    }
}

TEST(ChunkCodec, Lz4FramesOfStoredBlocks) {
    // Blocks as long as what they hold are stored as they are.
    const std::string data = "0123456789";
    std::string raw("\0\0\0\0\0\0\0\x0a\0\0\0\x06\0\0\0\x06", 16);
    raw += data.substr(0, 6) + std::string("\0\0\0\x04", 4) + data.substr(6);
    const auto pipeline = pipeline_of({{32004, "", false, {}}}, 1, 10);
    ASSERT_TRUE(pipeline.has_value());
    ChunkScratch scratch;
    std::vector<std::byte> out(10);
    const auto bytes = std::as_bytes(std::span(raw));
    decode_chunk(*pipeline, bytes, 0, out, scratch, "x");
    EXPECT_EQ(std::memcmp(out.data(), data.data(), 10), 0);
    expect_error(ExitCode::data, {"x", "too early"}, [&] {
        decode_chunk(*pipeline, bytes.first(20), 0, out, scratch, "x");
    });
    out.resize(11);
    expect_error(ExitCode::data, {"another size"}, [&] {
        decode_chunk(*pipeline, bytes, 0, out, scratch, "x");
    });
    EXPECT_FALSE(pipeline_of({{307, "bzip2", false, {}}}, 1, 10).has_value());
}

/// What has no bytes has no address either, and some codecs copy from and to it.
TEST(ChunkCodec, AChunkOfNoBytesIsRefused) {
    ChunkPipeline pipeline;
    pipeline.element_bytes = 1;
    pipeline.chunk_bytes = 0;
    pipeline.filters.push_back({2, {1}});  // shuffle
    ChunkScratch scratch;
    expect_error(ExitCode::data, {"x", "chunk of 0 bytes"}, [&] {
        decode_chunk(pipeline, {}, 0, {}, scratch, "x");
    });
}

TEST(ChunkCodec, AShuffleOfElementsOfNoBytesIsRefused) {
    ChunkPipeline pipeline;
    pipeline.element_bytes = 1;
    pipeline.chunk_bytes = 4;
    pipeline.filters.push_back({2, {0}});
    ChunkScratch scratch;
    const std::vector<std::byte> stored(4);
    std::vector<std::byte> out(4);
    expect_error(ExitCode::data, {"x", "shuffle"}, [&] {
        decode_chunk(pipeline, stored, 0, out, scratch, "x");
    });
}

}  // namespace
}  // namespace xpcs
