// SPDX-License-Identifier: BSD-3-Clause
// Words of the Rigaku stream to events: 8 bytes in, 12 out.
#include "host/readers/rigaku64.hpp"

#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

namespace {

using namespace xpcs;

/// `state.range(0)`: 0 a single module, 1 a module of the 3M, whose rows have gaps between.
void decode_words_of_module(benchmark::State& state) {
    constexpr std::size_t n = 131072;
    std::mt19937_64 random(1);
    std::vector<std::uint64_t> words(n);
    for (std::size_t i = 0; i < n; ++i) {
        words[i] = rigaku::make_word(static_cast<std::int64_t>(i / 1000),
                                     static_cast<std::uint32_t>(random() % 524288),
                                     random() % 32 == 0 ? 2 : 1);
    }
    const std::string file = "benchmark";
    rigaku::WordContext context;
    context.map = {0, 524288, 0, state.range(0) == 1 ? 1076U : 0U};
    context.rows = 512;
    context.cols = 1024;
    context.file = &file;
    EventChunk chunk;
    DecodeCounts counts;
    for (auto _ : state) {
        rigaku::decode_words(words.data(), n, context, chunk, counts);
        benchmark::DoNotOptimize(chunk.pixel.data());
    }
    const auto events = static_cast<std::int64_t>(n) * state.iterations();
    state.SetItemsProcessed(events);
    state.SetBytesProcessed(20 * events);
}
BENCHMARK(decode_words_of_module)->Arg(0)->Arg(1);

}  // namespace
