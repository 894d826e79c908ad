// SPDX-License-Identifier: BSD-3-Clause
#include "host/benchmark_limits.hpp"

#include "host/qmap.hpp"
#include "host/readers/frame_source.hpp"
#include "host/readers/raw_file.hpp"
#include "kernels/pixel_series.hpp"
#include "kernels/word_lines.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <span>
#include <thread>
#include <utility>

namespace xpcs {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Runs `work(k)` on n threads and returns the wall time.
double timed_on(int n, const std::function<void(int)>& work) {
    const auto start = Clock::now();
    std::vector<std::thread> threads;
    threads.reserve(static_cast<std::size_t>(n));
    for (int k = 0; k < n; ++k)
        threads.emplace_back(work, k);
    for (std::thread& thread : threads)
        thread.join();
    return seconds_since(start);
}

}  // namespace

double measure_read(const std::string& path, int threads) {
    const RawFile file(path);
    constexpr std::uint64_t block = 1 << 20;
    // A file of a few blocks is read over and over: the threads alone take a millisecond to start.
    const std::uint64_t n_blocks = std::max<std::uint64_t>(file.size() / block, 1);
    const std::uint64_t wanted = std::max<std::uint64_t>(n_blocks, 256);
    double best = 0;
    for (int repeat = 0; repeat < 3; ++repeat) {
        std::atomic<std::uint64_t> next{0}, bytes{0};
        const double seconds = timed_on(threads, [&](int) {
            std::vector<std::byte> buffer(block);
            for (std::uint64_t b = next++; b < wanted; b = next++)
                bytes += file.read_some(b % n_blocks * block, buffer.data(), block);
        });
        best = std::max(best, static_cast<double>(bytes.load()) / seconds);
    }
    return best;
}

double measure_copy(int threads) {
    constexpr std::size_t bytes = std::size_t{64} << 20;
    std::vector<std::vector<char>> from(static_cast<std::size_t>(threads)), to(from.size());
    double best = 0;
    const auto prepare = [&](int k) {
        // Each thread touches its own memory first, so that it lies near.
        from[static_cast<std::size_t>(k)].assign(bytes, 1);
        to[static_cast<std::size_t>(k)].assign(bytes, 2);
    };
    timed_on(threads, prepare);
    for (int repeat = 0; repeat < 5; ++repeat) {
        const double seconds = timed_on(threads, [&](int k) {
            std::memcpy(to[static_cast<std::size_t>(k)].data(),
                        from[static_cast<std::size_t>(k)].data(),
                        bytes);
        });
        best = std::max(best, static_cast<double>(bytes) * threads / seconds);
    }
    return best;
}

namespace {

/// Words of a bright file straight into lines.
void lines_of_words(const FrameSource::Undecoded& from,
                    const Partition& partition,
                    PieceScratch& scratch) {
    const std::span words(from.words, from.n);
    WordLines lines(from.place.map, partition, {}, scratch);
    lines.begin(rigaku::frame_of(words.front()), rigaku::frame_of(words.back()));
    SeriesPiece piece;
    WordCounts counts;
    if (lines.add(words) == WordLines::Fate::taken) lines.finish(piece, counts);
}

}  // namespace

StageCost measure_stages(const BenchmarkFiles& files, bool dense_rows) {
    constexpr double enough_s = 0.3;
    const std::unique_ptr<FrameSource> source = open_frame_source(files.raw, {});
    const QMap qmap = load_qmap(files.qmap);
    source->set_shape(qmap.rows, qmap.cols);
    const Partition partition = partition_of(qmap, source->info().gap, false).partition;
    RawBlock block;
    Chunk chunk;
    PieceScratch scratch;
    DecodeCounts counts;
    StageCost cost;
    const auto decode_and_sort = [&](StageCost& add) {
        const auto start = Clock::now();
        if (dense_rows && source->info().sparse) {
            lines_of_words(source->undecoded(block), partition, scratch);
            add.sort_s += seconds_since(start);
            return;
        }
        source->decode(block, chunk, counts);
        add.decode_s += seconds_since(start);
        const auto middle = Clock::now();
        if (const auto* events = std::get_if<EventChunk>(&chunk)) {
            make_piece(*events, partition, {}, scratch);
        } else {
            make_piece(std::get<DenseChunk>(chunk), partition, {}, !dense_rows, scratch);
        }
        add.sort_s += seconds_since(middle);
    };
    bool first = true;
    while (cost.decode_s + cost.sort_s < enough_s && source->next(block)) {
        // The first time pays for buffers that the others use again.
        StageCost buffers;
        if (std::exchange(first, false)) decode_and_sort(buffers);
        decode_and_sort(cost);
    }
    const double fraction = source->fraction_read();
    if (fraction > 0) {
        cost.decode_s /= fraction;
        cost.sort_s /= fraction;
    }
    return cost;
}

}  // namespace xpcs
