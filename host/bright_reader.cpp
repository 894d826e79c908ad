// SPDX-License-Identifier: BSD-3-Clause
// A thread reads a stretch of the file through a small buffer, so that words are taken while they
// are in the cache. A frame belongs to the stretch in which it begins: its reader goes on behind
// the end until the frame changes, and that of the next one skips as much.
#include "host/bright_reader.hpp"

#include "host/progress.hpp"
#include "host/readers/raw_file.hpp"
#include "host/reading.hpp"
#include "host/stop.hpp"
#include "kernels/word_lines.hpp"

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace xpcs {

namespace {

namespace tbb = oneapi::tbb;

using WordFile = FrameSource::WordFile;

constexpr std::int64_t words_at_once = 32768;  ///< of a thread: a quarter MiB

/// Many frames, so that lines are long, but several stretches for each thread.
std::int64_t words_of_stretch(const ReadOptions& options, std::int64_t n_words, int threads) {
    if (options.words_of_stretch > 0) return options.words_of_stretch;
    constexpr std::int64_t least = 1 << 18, most = 1 << 23;
    return std::clamp(n_words / (8 * threads), least, most);
}

std::span<const std::uint64_t>
read_words(const WordFile& from, std::int64_t first, std::int64_t n, RawVector<std::uint64_t>& to) {
    n = std::min(n, from.n_words - first);
    to.resize(static_cast<std::size_t>(n));
    from.file->read(static_cast<std::uint64_t>(first * rigaku::word_bytes),
                    reinterpret_cast<std::byte*>(to.data()),
                    to.size() * sizeof to[0]);
    return to;
}

/// The counter of one word.
std::int64_t frame_at(const WordFile& from, std::int64_t place) {
    RawVector<std::uint64_t> word;
    return rigaku::frame_of(read_words(from, place, 1, word).front());
}

/// Words [begin, end), but without those of the frame `before`, and with all of the frame `last`.
struct Stretch {
    std::int64_t begin = 0, end = 0;
    std::int64_t before = -1, last = -1;
};

/// A stretch on its way.
struct Work {
    Stretch stretch;
    SeriesPiece piece;
    DecodeCounts counts;
};

/// Of a thread, which finds them in its cache.
struct Buffers {
    RawVector<std::uint64_t> words;
    PieceScratch scratch;
};

/// Calls use(words) for those of the stretch, a few at a time; ends early where it is false.
template <class Use>
void for_words(const WordFile& from,
               const Stretch& stretch,
               RawVector<std::uint64_t>& buffer,
               const Use& use) {
    const auto is_of = [](std::int64_t frame) {
        return [frame](std::uint64_t word) { return rigaku::frame_of(word) == frame; };
    };
    bool skip = stretch.before >= 0;
    for (std::int64_t at = stretch.begin; at < from.n_words;) {
        const std::int64_t until = at < stretch.end ? stretch.end : from.n_words;
        auto words = read_words(from, at, std::min(words_at_once, until - at), buffer);
        at += static_cast<std::int64_t>(words.size());
        if (at > stretch.end) {
            const auto end = std::find_if_not(words.begin(), words.end(), is_of(stretch.last));
            if (end != words.end()) at = from.n_words;
            words = {words.begin(), end};
        }
        if (skip) {
            const auto begin = std::find_if_not(words.begin(), words.end(), is_of(stretch.before));
            skip = begin == words.end();
            words = {begin, words.end()};
        }
        if (!words.empty() && !use(words)) return;
    }
}

/// The piece of a stretch. Throws NotBright.
void make_lines(const WordFile& from,
                const Partition& partition,
                const SeriesRange& range,
                Buffers& buffers,
                Work& work) {
    using Fate = WordLines::Fate;
    const Stretch& stretch = work.stretch;
    work.counts = {};
    work.piece = {};
    if (stretch.last == stretch.before) return;  // all of a frame that began earlier
    WordLines lines(from.map, partition, range, buffers.scratch);
    WordCounts met;
    const auto take_all = [&] {
        Fate fate = Fate::taken;
        work.counts.records = 0;
        lines.begin(stretch.before + 1, stretch.last);
        for_words(from, stretch, buffers.words, [&](std::span<const std::uint64_t> words) {
            work.counts.records += static_cast<std::int64_t>(words.size());
            fate = lines.add(words);
            return fate == Fate::taken;
        });
        return fate == Fate::taken ? lines.finish(work.piece, met) : fate;
    };
    Fate fate = take_all();
    for (; fate == Fate::too_large; fate = take_all())
        buffers.scratch.sample_bits *= 2;
    if (fate == Fate::unusual) {
        throw NotBright{"words out of order, of no ordinary count, or of one pixel and frame"};
    }
    add_words(work.counts, met);
}

/// Stretch after stretch; the frames of two never overlap, so that all lines together take no more
/// than those of the frames from the first word to the last.
class Stretches {
  public:
    Stretches(const WordFile& from, std::int64_t n_words)
        : from_(from), n_words_(n_words), before_(frame_at(from, 0) - 1),
          last_(frame_at(from, from.n_words - 1)) {}

    /// False at the end. Throws NotBright.
    bool next(Stretch& stretch) {
        if (at_ == from_.n_words) return false;
        const std::int64_t end = std::min(from_.n_words, at_ + n_words_);
        const std::int64_t last = frame_at(from_, end - 1);
        if (last < before_ || last > last_) throw NotBright{"words out of order"};
        stretch = {at_, end, before_, last};
        at_ = end;
        before_ = last;
        return true;
    }

  private:
    const WordFile& from_;
    std::int64_t n_words_;  ///< of a stretch
    std::int64_t at_ = 0, before_, last_;
};

WordFile word_file_of(const FrameSource& source) {
    const std::optional<WordFile> file = source.word_file();
    if (!file) throw NotBright{"not words of one file"};
    return *file;
}

/// Words of kept pixels among `words`.
std::int64_t n_on_kept(std::span<const std::uint64_t> words,
                       const rigaku::IndexMap& map,
                       const Partition& partition) {
    return std::count_if(words.begin(), words.end(), [&](std::uint64_t word) {
        const std::uint32_t pixel = rigaku::index_of(word) - map.offset;
        return pixel < map.n_pixels && partition.slot_of(pixel) != Partition::not_kept;
    });
}

}  // namespace

std::optional<BrightProbe> probe_bright(const ReadOptions& options, const Partition& partition) {
    constexpr std::int64_t n_places = 16, words_of_place = 4096;
    constexpr std::uint32_t largest_half_byte = 15;
    const std::unique_ptr<FrameSource> source = open_selected(options, {});
    const std::optional<WordFile> file = source->word_file();
    if (!file) return std::nullopt;
    const std::int64_t first = frame_at(*file, 0), last = frame_at(*file, file->n_words - 1);
    std::int64_t before = first, looked_at = 0, kept = 0;
    std::uint32_t largest = 0;
    RawVector<std::uint64_t> buffer;
    for (std::int64_t k = 0; k < n_places; ++k) {
        const auto words = read_words(*file, file->n_words / n_places * k, words_of_place, buffer);
        for (const std::uint64_t word : words) {
            const std::int64_t frame = rigaku::frame_of(word);
            if (frame < before) return std::nullopt;
            before = frame;
            largest = std::max(largest, rigaku::count_of(word));
        }
        looked_at += static_cast<std::int64_t>(words.size());
        kept += n_on_kept(words, file->map, partition);
        if (file->n_words < n_places * words_of_place) break;
    }
    if (last < before) return std::nullopt;
    BrightProbe probe;
    probe.frames = static_cast<double>(last - first + 1);
    probe.occupancy = static_cast<double>(file->n_words) * static_cast<double>(kept) /
                      static_cast<double>(looked_at) /
                      (probe.frames * static_cast<double>(partition.n_kept()));
    probe.bytes_of_sample = largest > largest_half_byte ? 1 : 0.5;
    return probe;
}

ReadResult read_bright_series(const ReadOptions& options,
                              const Partition& partition,
                              const SeriesRange& range) {
    const std::unique_ptr<FrameSource> source = open_selected(options, range);
    const WordFile file = word_file_of(*source);
    ReadResult out{PixelSeries(partition, range, true, options.keep), {}, {}};
    Progress progress("reading", options.progress);
    const int threads = options.threads > 0 ? options.threads : default_threads();
    const auto tokens = 2 * static_cast<std::size_t>(threads) + 1;
    std::vector<Work> works(tokens);
    tbb::enumerable_thread_specific<Buffers> buffers;
    std::size_t n_announced = 0;
    Stretches stretches(file, words_of_stretch(options, file.n_words, threads));
    const auto announce = [&](tbb::flow_control& flow) -> Work* {
        throw_if_stopped();
        if (options.between) options.between();
        // Tokens are used again in the order of the pieces, in which they also come back.
        Work* work = &works[n_announced++ % tokens];
        if (!stretches.next(work->stretch)) flow.stop();
        return work;
    };
    const auto make = [&](Work* work) {
        make_lines(file, partition, range, buffers.local(), *work);
        return work;
    };
    const auto append = [&](Work* work) {
        const Stretch& stretch = work->stretch;
        progress.add(work->piece.counts.events, (stretch.end - stretch.begin) * rigaku::word_bytes);
        progress.set_fraction(static_cast<double>(stretch.end) / static_cast<double>(file.n_words));
        out.decode += work->counts;
        out.series.append(std::move(work->piece));
        const std::int64_t last = std::max(out.decode.last_frame, out.series.last_frame());
        require_room(options, range, out.series, last);
    };
    tbb::task_arena arena(threads);
    arena.execute([&] {
        tbb::parallel_pipeline(
            tokens,
            tbb::make_filter<void, Work*>(tbb::filter_mode::serial_in_order, announce) &
                tbb::make_filter<Work*, Work*>(tbb::filter_mode::parallel, make) &
                tbb::make_filter<Work*, void>(tbb::filter_mode::serial_in_order, append));
    });
    file.file->check_unchanged();
    // Where frames fall within a stretch, its ends do not show it.
    if (out.decode.records != file.n_words) throw NotBright{"words out of order"};
    return out;
}

}  // namespace xpcs
