// SPDX-License-Identifier: BSD-3-Clause
#include "host/series_reader.hpp"

#include "host/progress.hpp"
#include "host/readers/rigaku_word.hpp"
#include "host/reading.hpp"
#include "host/stop.hpp"
#include "kernels/device_events.hpp"
#include "kernels/device_frames.hpp"
#include "kernels/lag_sums.hpp"
#include "kernels/series_tiles.hpp"

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <deque>
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
    FrameSource::Undecoded words;  ///< of `block`
    gpu::Upload upload;            ///< last: it ends before the memory that it copies
};

/// As many buffers as there are blocks on their way.
class WorkPool {
  public:
    /// Which of the idle ones is taken first: the newest, whose memory is most likely still in a
    /// cache, or the oldest, whose memory is least likely still being copied to a device.
    enum class Order { newest, oldest };

    WorkPool(std::size_t n, Order order) : all_(n), order_(order) {
        for (Work& work : all_)
            idle_.push_back(&work);
    }
    Work* take() {
        const std::scoped_lock lock(mutex_);
        Work* work = order_ == Order::newest ? idle_.back() : idle_.front();
        if (order_ == Order::newest) {
            idle_.pop_back();
        } else {
            idle_.pop_front();
        }
        return work;
    }
    void give_back(Work* work) {
        const std::scoped_lock lock(mutex_);
        idle_.push_back(work);
    }
    std::vector<Work>& all() { return all_; }

  private:
    std::vector<Work> all_;
    Order order_;
    std::mutex mutex_;
    std::deque<Work*> idle_;
};

/// The stages that every way of reading shares: announce, fetch, place; then `decode`, on many
/// threads, and `take`, in file order. `prepare` gets every Work before the first block.
template <class Prepare, class Decode, class Take>
void read_blocks(const ReadOptions& options,
                 FrameSource& source,
                 WorkPool::Order order,
                 const Prepare& prepare,
                 const Decode& decode,
                 const Take& take) {
    const int threads = options.threads > 0 ? options.threads : default_threads();
    const auto tokens = 3 * static_cast<std::size_t>(threads) + 1;
    WorkPool pool(tokens, order);
    for (Work& work : pool.all())
        prepare(work);

    const auto announce = [&](tbb::flow_control& flow) -> Work* {
        throw_if_stopped();
        if (options.between) options.between();
        Work* work = pool.take();
        work->upload.wait();
        if (!source.announce(work->block)) {
            pool.give_back(work);
            flow.stop();
            return nullptr;
        }
        return work;
    };
    const auto fetch = [&](Work* work) {
        source.fetch(work->block);
        return work;
    };
    const auto place = [&](Work* work) {
        source.place(work->block);
        return work;
    };
    const auto decode_one = [&](Work* work) {
        work->counts = {};
        decode(*work);
        return work;
    };
    const auto take_one = [&](Work* work) {
        take(*work);
        pool.give_back(work);
    };
    tbb::task_arena arena(threads);
    arena.execute([&] {
        tbb::parallel_pipeline(
            tokens,
            tbb::make_filter<void, Work*>(tbb::filter_mode::serial_in_order, announce) &
                tbb::make_filter<Work*, Work*>(tbb::filter_mode::parallel, fetch) &
                tbb::make_filter<Work*, Work*>(tbb::filter_mode::serial_in_order, place) &
                tbb::make_filter<Work*, Work*>(tbb::filter_mode::parallel, decode_one) &
                tbb::make_filter<Work*, void>(tbb::filter_mode::serial_in_order, take_one));
    });
}

SeriesPiece
make_piece_of(Work& work, const Partition& partition, const SeriesRange& range, bool dense_rows) {
    if (const auto* events = std::get_if<EventChunk>(&work.chunk)) {
        return make_piece(*events, partition, range, work.scratch);
    }
    return make_piece(
        std::get<DenseChunk>(work.chunk), partition, range, !dense_rows, work.scratch);
}

/// Without decoding first, where the source has words and these allow it.
bool make_piece_of_words(const FrameSource& source,
                         Work& work,
                         const Partition& partition,
                         const SeriesRange& range) {
    const FrameSource::Undecoded words = source.undecoded(work.block);
    WordCounts met;
    if (words.words == nullptr ||
        !make_piece(
            words.words, words.n, words.place, partition, range, work.scratch, work.piece, met)) {
        return false;
    }
    work.counts.records += static_cast<std::int64_t>(words.n);
    add_words(work.counts, met);
    return true;
}

}  // namespace

std::unique_ptr<FrameSource> open_selected(const ReadOptions& options, const SeriesRange& range) {
    std::unique_ptr<FrameSource> source = open_frame_source(options.raw, options.source);
    source->set_shape(options.rows, options.cols);
    if (!source->info().sparse) {
        source->select(range.begin_frame, std::min(range.end_frame, source->info().n_frames));
    }
    return source;
}

void require_room(const ReadOptions& options,
                  const SeriesRange& range,
                  const PixelSeries& series,
                  std::int64_t last) {
    if (options.memory_limit == 0) return;
    const std::int64_t frames = std::min(last + 1, range.end_frame) - range.begin_frame;
    if (series.memory_bytes() +
            options.frame_bytes * static_cast<std::uint64_t>(std::max<std::int64_t>(0, frames)) >
        options.memory_limit) {
        throw SeriesTooLarge{frames};
    }
}

void add_words(DecodeCounts& counts, const WordCounts& words) {
    DecodeCounts more;
    more.zero_count = words.zero_count;
    more.bad_index = words.bad_index;
    more.out_of_order = words.out_of_order;
    more.last_frame = words.last_frame;
    more.counter_wraps = words.last_frame < 0 ? 0 : words.last_frame / rigaku::frame_period;
    more.at_maximum_3 = words.at_maximum_3;
    more.at_maximum_15 = words.at_maximum_15;
    more.at_maximum_255 = words.at_maximum_255;
    more.at_maximum_4095 = words.at_maximum_4095;
    more.largest_count = words.largest_count;
    counts += more;
}

int default_threads() {
    return tbb::info::default_concurrency();
}

ReadResult
read_series(const ReadOptions& options, const Partition& partition, const SeriesRange& range) {
    const std::unique_ptr<FrameSource> source = open_selected(options, range);
    if (options.dense_rows) {
        const PixelSpan pixels = pixels_of(partition, range);
        source->select_pixels(pixels.first, pixels.end);
    }
    ReadResult out{PixelSeries(partition, range, options.dense_rows, options.keep), {}, {}};
    Progress progress("reading", options.progress);
    const auto decode = [&](Work& work) {
        if (make_piece_of_words(*source, work, partition, range)) return;
        source->decode(work.block, work.chunk, work.counts);
        work.piece = make_piece_of(work, partition, range, options.dense_rows);
    };
    const auto append = [&](Work& work) {
        progress.add(work.piece.counts.events, static_cast<std::int64_t>(work.block.bytes.size()));
        progress.set_fraction(source->fraction_read());
        out.decode += work.counts;
        out.series.append(std::move(work.piece));
        work.piece = {};
        const std::int64_t last = std::max(out.decode.last_frame, out.series.last_frame());
        require_room(options, range, out.series, last);
    };
    const auto prepare = [&](Work& work) {
        work.scratch.sample_bits = options.keep ? options.sample_bits : 0;
    };
    read_blocks(options, *source, WorkPool::Order::newest, prepare, decode, append);
    out.times = source->frame_times();
    return out;
}

namespace {

/// Large enough to have pages of their own, which can be locked for the copy to a device.
constexpr std::size_t upload_block_bytes = 2 * huge_page;

/// Says where the frames of a block lie, so that this memory can be locked.
void set_upload_memory(Work& work) {
    const auto& frames = std::get<DenseChunk>(work.chunk);
    const RawVector<std::byte>& bytes = work.block.bytes;
    const bool in_block = frames.samples.data() >= bytes.data() &&
                          frames.samples.data() < bytes.data() + bytes.size();
    const RawVector<std::byte>& home = in_block ? bytes : frames.store;
    work.upload.set_memory(home.data(), home.size());
}

ReadResult read_frames_onto_gpu(const ReadOptions& options,
                                const Partition& partition,
                                const SeriesRange& range,
                                FrameSource& source,
                                const std::function<int()>& open) {
    const SourceInfo& info = source.info();
    if (!options.dense_rows || !info.whole_frames) {
        throw NeedsHostDecoding{"frames of " + info.format + " are taken apart by the host"};
    }
    const std::int64_t n_frames = std::min(range.end_frame, info.n_frames) - range.begin_frame;
    const FrameSource::BlockRoom room = source.block_room();
    const auto frame_bytes = static_cast<std::size_t>(info.rows * info.cols * info.sample_bytes);
    Progress progress("reading", options.progress);
    std::shared_ptr<gpu::DeviceFrames> frames;
    DecodeCounts decode_counts;
    // Locked memory must never move, so there is room for the largest block from the beginning.
    const auto prepare = [&](Work& work) {
        work.block.bytes.reserve(std::max(room.bytes, upload_block_bytes));
        work.chunk.emplace<DenseChunk>().store.reserve(
            std::max(static_cast<std::size_t>(room.frames) * frame_bytes, upload_block_bytes));
    };
    const auto decode = [&](Work& work) {
        source.decode(work.block, work.chunk, work.counts);
        set_upload_memory(work);
    };
    const auto send = [&](Work& work) {
        if (!frames) {
            frames = std::make_shared<gpu::DeviceFrames>(
                partition, range, info.sample_bytes, n_frames, open());
        }
        frames->add(std::get<DenseChunk>(work.chunk), work.upload);
        decode_counts += work.counts;
        progress.add(0, static_cast<std::int64_t>(work.block.bytes.size()));
        progress.set_fraction(source.fraction_read());
    };
    read_blocks(options, source, WorkPool::Order::oldest, prepare, decode, send);
    if (!frames) throw NeedsHostDecoding{"no frames"};
    frames->finish();
    if (static_cast<double>(frames->largest_sample()) * static_cast<double>(n_frames) >=
        static_cast<double>(narrow_total_limit)) {
        throw NeedsHostDecoding{"a pixel may hold more photons than 32 bits"};
    }
    return {PixelSeries(partition, range, std::move(frames)), decode_counts, source.frame_times()};
}

}  // namespace

ReadResult read_series_onto_gpu(const ReadOptions& asked,
                                const Partition& partition,
                                const SeriesRange& range,
                                const std::function<int()>& open) {
    ReadOptions options = asked;
    options.source.block_bytes = upload_block_bytes;
    options.source.frame_block_bytes = upload_block_bytes;
    const std::unique_ptr<FrameSource> source = open_selected(options, range);
    if (!source->info().sparse) {
        return read_frames_onto_gpu(options, partition, range, *source, open);
    }
    const std::uint64_t n_words = source->info().n_words;
    if (n_words == 0) throw NeedsHostDecoding{source->info().format + " is decoded by the host"};
    if (n_words >= UINT32_MAX || partition.pixel.size() >= EventWord::slot_limit) {
        throw NeedsHostDecoding{"more than 2^32 events or 2^24 pixels"};
    }
    Progress progress("reading", options.progress);
    std::shared_ptr<gpu::DeviceEvents> events;
    DecodeCounts decode_counts;
    const auto decode = [&](Work& work) {
        work.words = source->undecoded(work.block);
        if (work.words.words == nullptr) source->decode(work.block, work.chunk, work.counts);
    };
    const auto send = [&](Work& work) {
        if (!events) {
            events = std::make_shared<gpu::DeviceEvents>(
                partition, range, static_cast<std::size_t>(n_words), open());
        }
        if (work.words.words == nullptr) {
            events->add(std::get<EventChunk>(work.chunk));
        } else {
            work.counts.records += static_cast<std::int64_t>(work.words.n);
            events->add(work.words.words, work.words.n, work.words.place, work.upload);
        }
        decode_counts += work.counts;
        const auto bytes = static_cast<std::int64_t>(work.block.bytes.size());
        progress.add(bytes / rigaku::word_bytes, bytes);
        progress.set_fraction(source->fraction_read());
    };
    const auto prepare = [](Work& work) {
        work.block.bytes.reserve(upload_block_bytes);
        work.upload.set_memory(work.block.bytes.data(), upload_block_bytes);
    };
    read_blocks(options, *source, WorkPool::Order::oldest, prepare, decode, send);
    if (!events) throw NeedsHostDecoding{"no events"};
    events->finish();
    const WordCounts& words = events->word_counts();
    if (words.bad_index > 0 && !options.source.drop_bad_index) {
        throw NeedsHostDecoding{"records whose pixel index lies outside of the detector"};
    }
    if (words.too_late > 0) throw NeedsHostDecoding{"frames beyond 2^28"};
    add_words(decode_counts, words);
    ReadResult out{PixelSeries(partition, range, std::move(events)), decode_counts, {}};
    require_room(
        options, range, out.series, std::max(out.decode.last_frame, out.series.last_frame()));
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
    // Later frames may take a byte where these take half of one.
    probe.sample_bytes = static_cast<std::uint32_t>(std::max(piece.sample_bits / 8, 1));
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
