// SPDX-License-Identifier: BSD-3-Clause
#include "host/series_reader.hpp"

#include "host/progress.hpp"
#include "host/stop.hpp"

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace xpcs {

namespace {

namespace tbb = oneapi::tbb;

/// A block on its way through the stages, with buffers that are used again.
struct Work {
    RawBlock block;
    Chunk chunk;
    PieceScratch scratch;
    SeriesPiece piece;
    DecodeCounts counts;
};

/// As many buffers as there are blocks on their way. The last one given back is the first one
/// taken: its memory is most likely still in a cache.
class WorkPool {
  public:
    explicit WorkPool(std::size_t n) : all_(n) {
        for (Work& work : all_)
            idle_.push_back(&work);
    }
    Work* take() {
        const std::scoped_lock lock(mutex_);
        Work* work = idle_.back();
        idle_.pop_back();
        return work;
    }
    void give_back(Work* work) {
        const std::scoped_lock lock(mutex_);
        idle_.push_back(work);
    }

  private:
    std::vector<Work> all_;
    std::mutex mutex_;
    std::vector<Work*> idle_;
};

SeriesPiece
make_piece_of(Work& work, const Partition& partition, const SeriesRange& range, bool dense_rows) {
    if (const auto* events = std::get_if<EventChunk>(&work.chunk)) {
        return make_piece(*events, partition, range, work.scratch);
    }
    return make_piece(
        std::get<DenseChunk>(work.chunk), partition, range, !dense_rows, work.scratch);
}

std::unique_ptr<FrameSource> open_selected(const ReadOptions& options, const SeriesRange& range) {
    std::unique_ptr<FrameSource> source = open_frame_source(options.raw, options.source);
    source->set_shape(options.rows, options.cols);
    if (!source->info().sparse) {
        source->select(range.begin_frame, std::min(range.end_frame, source->info().n_frames));
    }
    return source;
}

}  // namespace

int default_threads() {
    return tbb::info::default_concurrency();
}

ReadResult
read_series(const ReadOptions& options, const Partition& partition, const SeriesRange& range) {
    const std::unique_ptr<FrameSource> source = open_selected(options, range);
    ReadResult out{PixelSeries(partition, range, options.dense_rows, options.keep), {}, {}};
    Progress progress("reading", options.progress);

    const int threads = options.threads > 0 ? options.threads : default_threads();
    const auto tokens = 3 * static_cast<std::size_t>(threads) + 1;
    WorkPool pool(tokens);

    const auto announce = [&](tbb::flow_control& flow) -> Work* {
        throw_if_stopped();
        if (options.between) options.between();
        Work* work = pool.take();
        if (!source->announce(work->block)) {
            pool.give_back(work);
            flow.stop();
            return nullptr;
        }
        return work;
    };
    const auto fetch = [&](Work* work) {
        source->fetch(work->block);
        return work;
    };
    const auto place = [&](Work* work) {
        source->place(work->block);
        return work;
    };
    const auto decode = [&](Work* work) {
        work->counts = {};
        source->decode(work->block, work->chunk, work->counts);
        work->piece = make_piece_of(*work, partition, range, options.dense_rows);
        return work;
    };
    const auto append = [&](Work* work) {
        progress.add(work->piece.counts.events,
                     static_cast<std::int64_t>(work->block.bytes.size()));
        progress.set_fraction(source->fraction_read());
        out.decode += work->counts;
        out.series.append(std::move(work->piece));
        work->piece = {};
        const std::int64_t last = std::max(out.decode.last_frame, out.series.last_frame());
        const std::int64_t frames = std::min(last + 1, range.end_frame) - range.begin_frame;
        if (options.memory_limit > 0 &&
            out.series.memory_bytes() +
                    options.frame_bytes *
                        static_cast<std::uint64_t>(std::max<std::int64_t>(0, frames)) >
                options.memory_limit) {
            throw SeriesTooLarge{frames};
        }
        pool.give_back(work);
    };
    tbb::task_arena arena(threads);
    arena.execute([&] {
        tbb::parallel_pipeline(
            tokens,
            tbb::make_filter<void, Work*>(tbb::filter_mode::serial_in_order, announce) &
                tbb::make_filter<Work*, Work*>(tbb::filter_mode::parallel, fetch) &
                tbb::make_filter<Work*, Work*>(tbb::filter_mode::serial_in_order, place) &
                tbb::make_filter<Work*, Work*>(tbb::filter_mode::parallel, decode) &
                tbb::make_filter<Work*, void>(tbb::filter_mode::serial_in_order, append));
    });
    out.times = source->frame_times();
    return out;
}

DenseProbe
probe_dense(const ReadOptions& options, const Partition& partition, const SeriesRange& range) {
    constexpr std::int64_t enough_frames = 16;
    SeriesRange first_frames = range;
    first_frames.end_frame = std::min(range.end_frame, range.begin_frame + enough_frames);
    const std::unique_ptr<FrameSource> source = open_selected(options, first_frames);
    Work work;
    DenseProbe probe;
    if (!source->next(work.block)) return probe;
    source->decode(work.block, work.chunk, work.counts);
    const auto& frames = std::get<DenseChunk>(work.chunk);
    probe.occupancy = occupancy_of(frames, partition);
    SeriesRange first_tile = range;
    first_tile.end_tile = std::min<std::int64_t>(range.end_tile, range.first_tile + 64);
    const SeriesPiece piece = make_piece(frames, partition, first_tile, false, work.scratch);
    probe.sample_bytes = static_cast<std::uint32_t>(std::max(piece.sample_bytes, 1));
    return probe;
}

double probe_frames(const ReadOptions& options) {
    const std::unique_ptr<FrameSource> source = open_frame_source(options.raw, options.source);
    source->set_shape(options.rows, options.cols);
    Work work;
    if (!source->next(work.block)) return 0;
    source->decode(work.block, work.chunk, work.counts);
    const auto& events = std::get<EventChunk>(work.chunk);
    const double part = source->fraction_read();
    if (events.size() == 0 || part <= 0) return 0;
    const auto [first, last] = std::minmax_element(events.frame.begin(), events.frame.end());
    const double before = static_cast<double>(events.frame_base) + *first;
    return before + (static_cast<double>(*last) - *first + 1) / part;
}

}  // namespace xpcs
