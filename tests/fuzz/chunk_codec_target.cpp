// SPDX-License-Identifier: BSD-3-Clause
// Chunks of HDF5 files, decoded outside of HDF5: every codec alone and behind byte shuffling.
#include "host/readers/chunk_codec.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <vector>

namespace xpcs::fuzz {

void one_input(Bytes input) {
    constexpr int ids[] = {1, 2, 32000, 32001, 32004, 32008, 32015};
    Choices choices(input);
    ChunkPipeline pipeline;
    const std::uint8_t what = choices.byte();
    pipeline.element_bytes = std::size_t{1} << (choices.byte() % 4);
    pipeline.chunk_bytes = pipeline.element_bytes * (choices.number<std::uint16_t>() % 20000);
    const std::uint8_t skipped = choices.byte();
    if ((what & 0x80) != 0) {
        pipeline.filters.push_back({2, {static_cast<unsigned>(pipeline.element_bytes)}});
    }
    ChunkPipeline::Filter filter{ids[(what & 0x7F) % std::size(ids)], {}};
    const std::uint8_t n = choices.byte() % 8;
    for (int i = 0; i < n; ++i)
        filter.parameters.push_back(choices.number<std::uint16_t>());
    pipeline.filters.push_back(filter);
    static ChunkScratch scratch;
    std::vector<std::byte> out(pipeline.chunk_bytes);
    const Bytes rest = choices.rest();
    tolerate([&] {
        decode_chunk(pipeline,
                     {reinterpret_cast<const std::byte*>(rest.data()), rest.size()},
                     skipped & 3U,
                     out,
                     scratch,
                     "chunk");
    });
}

}  // namespace xpcs::fuzz
