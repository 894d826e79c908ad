// SPDX-License-Identifier: BSD-3-Clause
#include "host/multitau_run.hpp"

#include "host/band_writer.hpp"
#include "host/bright_reader.hpp"
#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/memory.hpp"
#include "host/progress.hpp"
#include "host/run_gathered.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "host/twotime_run.hpp"
#include "kernels/array.hpp"
#include "kernels/error_estimates.hpp"
#include "kernels/hot_pixels.hpp"
#include "kernels/multitau.hpp"
#include "kernels/reduce.hpp"
#include "kernels/scattering.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>

namespace xpcs {

namespace {

/// Above this fraction of frames without a count, normalising frames makes no sense.
constexpr double most_empty_frames = 0.5;
constexpr double few_counts_per_frame = 100;

class MultitauRun {
  public:
    MultitauRun(RunSetup& setup, ResultFile* file)
        : setup_(setup), result_(setup.result), file_(file) {}
    void run();

  private:
    ReadResult read_tiles(std::int64_t first, std::int64_t end, bool keep);
    std::optional<ReadResult> read_onto_gpu(ReadOptions options, const SeriesRange& range);
    void note_width(const PixelSeries& series);
    void let_cpu_decode(const std::string& reason);
    bool reads_bright() const { return result_.source.sparse && setup_.read.dense_rows; }
    void keep_events(const NotBright& found);
    void start_again();
    std::int64_t frames_of(const ReadResult& read) const;
    void settle_frames(ReadResult& read);
    void check_partial() const;
    void weigh_by_monitor();
    void note_counts(const ReadResult& read);
    void note_splits(const PixelSeries& series);
    void note_left_out(const PixelSeries& series);
    template <class Work>
    void on_threads(const Work& work) const;
    void add_frames(const ReadResult& read, std::vector<std::uint64_t>& photons) const;
    /// By the frames' own means; a monitor is known beforehand.
    bool normalises() const {
        return result_.config.normalize_frame && has_multitau(result_.config.type) &&
               setup_.monitor.values.empty();
    }
    std::function<void(const PixelMeans&)> takes_pixels(int n_lags);
    void make_weights();
    void exclude_overflow(const ReadResult& read);
    void exclude_hot(const std::vector<std::uint64_t>& photons);
    template <class Visit>
    void for_each_range(const Visit& visit);
    void survey();
    void correlate(const ReadResult& read);
    MultitauSums multitau_on_device(const PixelSeries& series, const MultitauRequest& request);
    void gather(MultitauSums&& sums, std::chrono::steady_clock::time_point start);
    void two_times(const PixelSeries* series);
    void passes();
    void require_room_for_frames(std::int64_t met) const;
    void finish();

    RunSetup& setup_;
    RunResult& result_;
    ResultFile* file_;  ///< for -G and two-time maps
    Gathered all_;
    FrameMap map_;
    std::optional<FrameWeights> weights_;
    std::vector<std::uint64_t> normalising_photons_;
    bool decodes_on_gpu_ = false;
    bool means_handed_on_ = false;
    double read_s_ = 0, correlate_s_ = 0, twotime_s_ = 0;
};

double since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

ReadResult MultitauRun::read_tiles(std::int64_t first, std::int64_t end, bool keep) {
    const auto start = std::chrono::steady_clock::now();
    SeriesRange range = setup_.frames;
    range.first_tile = first;
    range.end_tile = end;
    ReadOptions options = setup_.read;
    options.keep = keep;
    options.between = [&] { setup_.device->poll(); };
    options.memory_limit = setup_.memory_bytes;
    options.frame_bytes = setup_.frame_bytes;
    std::optional<ReadResult> read;
    if (decodes_on_gpu_) read = read_onto_gpu(options, range);
    if (!read && reads_bright()) read = read_bright_series(options, setup_.partition, range);
    if (!read) read = read_series(options, setup_.partition, range);
    read_s_ += since(start);
    if (read->series.dense()) note_width(read->series);
    return std::move(*read);
}

/// Every width that is too narrow costs the next pass a try.
void MultitauRun::note_width(const PixelSeries& series) {
    int& bits = setup_.read.sample_bits;
    while (bits < 32 && series.largest_sample() >> bits != 0)
        bits *= 2;
}

void MultitauRun::let_cpu_decode(const std::string& reason) {
    decodes_on_gpu_ = false;
    Log::info(fmt::format("{}: decoded by the CPU ({})", result_.raw, reason));
}

/// The words of a bright file are none for lines.
void MultitauRun::keep_events(const NotBright& found) {
    setup_.read.dense_rows = false;
    result_.engine = "sparse";
    Log::info(fmt::format("{}: {}; starting again with single events", result_.raw, found.reason));
}

/// Nothing where the host has to decode.
std::optional<ReadResult> MultitauRun::read_onto_gpu(ReadOptions options,
                                                     const SeriesRange& range) {
    options.between = {};  // it would ask for the device while `open` waits for it
    const auto open = [&] {
        setup_.device->wait();
        if (!setup_.device->on_gpu()) throw NeedsHostDecoding{"the run is on the CPU"};
        return setup_.device->device().indices.front();
    };
    std::string reason;
    try {
        return read_series_onto_gpu(options, setup_.partition, range, open);
    } catch (const NeedsHostDecoding& need) {
        reason = need.reason;
    } catch (const DeviceOutOfMemory& error) {
        reason = error.what();
    }
    let_cpu_decode(reason);
    return std::nullopt;
}

/// The frames of the file. Where it does not state their number, a monitor does: it also has the
/// frames without photons at the end.
std::int64_t MultitauRun::frames_of(const ReadResult& read) const {
    const Monitor& monitor = setup_.monitor;
    RunConfig config = result_.config;
    const auto values = static_cast<std::int64_t>(monitor.values.size());
    if (result_.source.sparse && config.n_frames == 0 &&
        values >= frames_seen(result_.source, read.decode.last_frame)) {
        config.n_frames = values;
    }
    const std::int64_t n = frames_in_file(config, result_.source, read.decode.last_frame);
    if (values > 0) require_length(monitor, n, result_.raw);
    return n;
}

/// After the first pass the number of frames in the file is known.
void MultitauRun::settle_frames(ReadResult& read) {
    const RunConfig& c = result_.config;
    // A file of frames in which nothing was counted is a run without signal.
    if (result_.source.sparse && read.decode.records == 0 &&
        frames_seen(result_.source, read.decode.last_frame) < 1) {
        throw Error(ExitCode::data, result_.raw + ": no events");
    }
    result_.frame_times = std::move(read.times);
    const std::int64_t n = frames_of(read);
    result_.frames = select_frames(c, n, result_.raw);
    map_ = {result_.frames.begin,
            result_.frames.stride,
            result_.frames.average,
            result_.frames.n_frames};
    check_partial();
    if (!setup_.monitor.values.empty()) weigh_by_monitor();
    all_.frame_photons.assign(static_cast<std::size_t>(map_.n_frames), 0);
    all_.excluded.assign(static_cast<std::size_t>(setup_.partition.n_kept()), 0);
    all_.segments =
        has_multitau(c.type) ? plan_segments(map_.n_frames) : plan_twotime_segments(map_.n_frames);
    if (all_.segments.n_segments == 0) {
        Log::warning(fmt::format("{}: {} frames; the ten segments of the scattering curve are left "
                                 "out below 10 frames",
                                 result_.raw,
                                 map_.n_frames));
    }
}

void MultitauRun::check_partial() const {
    const std::int64_t n = result_.config.num_partial_g2;
    if (!has_multitau(result_.config.type) || n <= map_.n_frames / 2) return;
    throw Error(ExitCode::config,
                fmt::format("{}: -np {} slices of {} frames; a slice needs at least 2 frames",
                            result_.raw,
                            n,
                            map_.n_frames));
}

void MultitauRun::weigh_by_monitor() {
    weights_ = monitor_weights(setup_.monitor, result_.frames);
    const auto left_out = std::count(weights_->weight.begin(), weights_->weight.end(), 0.0);
    result_.counts.excluded_frames = left_out;
    if (left_out > 0) {
        Log::warning(fmt::format("{}: {} frames are left out of every average (0 in the monitor)",
                                 result_.raw,
                                 left_out));
    }
}

/// Counts of the file, which every pass sees again, and those of the pixels of this pass.
void MultitauRun::note_counts(const ReadResult& read) {
    SeriesCounts counts = read.series.counts();
    if (all_.first_pass) {
        result_.counts.decode = read.decode;
    } else {
        counts.masked = counts.outside_frames = 0;
    }
    all_.series += counts;
    all_.first_pass = false;
}

/// What the sums count is records, of which large counts have several.
void MultitauRun::note_splits(const PixelSeries& series) {
    for (const SplitEvent& split : series.splits()) {
        if (all_.excluded[split.slot] != 0) {
            all_.excluded_events -= split.extra;
        } else if (map_(split.frame) != FrameMap::left_out) {
            all_.extra_records_used += split.extra;
        }
    }
}

/// Runs work() on the threads of the run.
template <class Work>
void MultitauRun::on_threads(const Work& work) const {
    const int threads = result_.config.threads > 0 ? static_cast<int>(result_.config.threads)
                                                   : oneapi::tbb::task_arena::automatic;
    oneapi::tbb::task_arena(threads).execute(work);
}

/// Rows hold every frame from the first to the last; of events the sums count those that are used.
void MultitauRun::note_left_out(const PixelSeries& series) {
    if (!series.dense()) return;
    const FrameSelection& frames = result_.frames;
    const bool all_used = frames.raw_frames_used == frames.end - frames.begin &&
                          frames.begin <= series.range().begin_frame &&
                          series.last_frame() < frames.end;
    if (all_used) return;
    on_threads([&] { all_.left_out_samples += series.n_lit_left_out(map_, all_.excluded); });
}

void MultitauRun::add_frames(const ReadResult& read, std::vector<std::uint64_t>& photons) const {
    const FramePhotons& in = read.series.frame_photons();
    for (std::size_t f = 0; f < in.size(); ++f) {
        const std::uint64_t n = in[f];
        if (n == 0) continue;
        const std::int64_t t = map_(read.series.range().begin_frame + static_cast<std::int64_t>(f));
        if (t != FrameMap::left_out) photons[static_cast<std::size_t>(t)] += n;
    }
}

void MultitauRun::make_weights() {
    if (!normalises()) return;
    weights_ = make_frame_weights(normalising_photons_);
    const auto empty = static_cast<std::int64_t>(
        std::count(normalising_photons_.begin(), normalising_photons_.end(), 0U));
    const auto n = static_cast<double>(map_.n_frames);
    const double photons =
        static_cast<double>(std::accumulate(
            normalising_photons_.begin(), normalising_photons_.end(), std::uint64_t{0})) /
        static_cast<double>(result_.source.sample_scale);
    result_.counts.excluded_frames = empty;
    if (photons > 0 && static_cast<double>(empty) > most_empty_frames * n) {
        throw Error(ExitCode::config,
                    fmt::format("{}: {} of {} frames have no count, frame normalisation allows at "
                                "most {:.0f} %; run with -nf 0",
                                result_.raw,
                                empty,
                                map_.n_frames,
                                100 * most_empty_frames));
    }
    if (empty > 0 && photons > 0) {
        Log::warning(fmt::format("{}: {} frames without a count are left out of every average "
                                 "(frame normalisation)",
                                 result_.raw,
                                 empty));
    }
    if (photons > 0 && photons / n < few_counts_per_frame) {
        Log::warning(fmt::format("{}: frame normalisation with {:.3g} counts per frame adds noise; "
                                 "-nf 0 switches it off",
                                 result_.raw,
                                 photons / n));
    }
}

/// Pixels that met a sample without data are left out of the whole run.
void MultitauRun::exclude_overflow(const ReadResult& read) {
    const std::vector<std::uint8_t>& overflow = read.series.overflow();
    if (result_.config.overflow != "run" || overflow.empty()) return;
    for (std::size_t s = 0; s < all_.excluded.size(); ++s)
        all_.excluded[s] |= overflow[s];
}

void MultitauRun::exclude_hot(const std::vector<std::uint64_t>& photons) {
    all_.masked_hot.assign(all_.excluded.size(), 0);
    for (const std::uint32_t slot : find_hot_pixels(
             setup_.partition, counts_of(photons, result_.source.sample_scale), all_.excluded)) {
        all_.excluded[slot] = all_.masked_hot[slot] = 1;
    }
}

/// Calls visit with every share of the tiles, in order.
template <class Visit>
void MultitauRun::for_each_range(const Visit& visit) {
    const std::int64_t tiles = n_tiles(setup_.partition);
    const std::int64_t share = (tiles + setup_.ranges - 1) / setup_.ranges;
    for (std::int64_t first = 0; first < tiles; first += share) {
        ReadResult read = read_tiles(first, std::min(tiles, first + share), true);
        if (all_.excluded.empty()) settle_frames(read);
        exclude_overflow(read);
        visit(read);
    }
}

/// Several passes over the file: hot pixels and frame weights need all tiles before the first tile
/// is correlated.
void MultitauRun::survey() {
    const bool mask_hot = result_.config.mask_hot;
    if (!mask_hot) {
        ReadResult read = read_tiles(0, n_tiles(setup_.partition), false);
        settle_frames(read);
        if (result_.config.overflow != "run" || read.series.overflow().empty()) {
            normalising_photons_.assign(all_.frame_photons.size(), 0);
            add_frames(read, normalising_photons_);
            make_weights();
            return;
        }
        exclude_overflow(read);
    } else {
        std::vector<std::uint64_t> photons(static_cast<std::size_t>(setup_.partition.n_kept()), 0);
        for_each_range([&](const ReadResult& read) {
            on_threads([&] { read.series.add_pixel_photons(map_, photons); });
        });
        exclude_hot(photons);
    }
    if (!normalises()) return;
    normalising_photons_.assign(all_.frame_photons.size(), 0);
    for_each_range([&](ReadResult& read) {
        read.series.remove_from_frames(all_.excluded);
        add_frames(read, normalising_photons_);
    });
    make_weights();
}

/// What -G and --errors do with the sums of every pixel; empty if neither is asked for.
std::function<void(const PixelMeans&)> MultitauRun::takes_pixels(int n_lags) {
    const RunConfig& config = result_.config;
    if (config.save_G2 && !all_.bands) {
        all_.bands.emplace(
            file_->unnormalized(n_lags, setup_.partition.rows, setup_.partition.cols),
            setup_.partition,
            n_lags,
            map_.average * result_.source.sample_scale);
    }
    if (config.errors && !all_.moments) all_.moments.emplace(setup_.partition, n_lags);
    if (!all_.bands && !all_.moments) return {};
    return
        [this, scale = static_cast<double>(result_.source.sample_scale)](const PixelMeans& means) {
            if (all_.moments) all_.moments->add(means, all_.excluded, scale);
            if (all_.bands) all_.bands->add(means);
        };
}

void MultitauRun::correlate(const ReadResult& read) {
    const auto start = std::chrono::steady_clock::now();
    const RunConfig& config = result_.config;
    if (!has_multitau(config.type)) {
        gather(count_photons(read.series, map_, all_.excluded, all_.segments, config.threads),
               start);
        return;
    }
    MultitauRequest request;
    request.frames = map_;
    request.weights = weights_ ? &*weights_ : nullptr;
    request.excluded = &all_.excluded;
    request.n_partial = static_cast<int>(config.num_partial_g2);
    request.partial_cumulative = config.partial == "cumulative";
    request.n_segments = all_.segments.n_segments;
    request.segment_frames = all_.segments.frames;
    request.threads = config.threads;
    if (result_.engine == "dense") request.dense_neighbours = 1e-9;
    request.pixel_means = takes_pixels(make_lag_ladder(map_.n_frames).n_lags());
    Progress progress("correlating", config.progress);
    std::atomic<std::int64_t> pixels{0};
    const auto n_kept = static_cast<double>(setup_.partition.n_kept());
    request.progress = [&](std::int64_t n) {
        throw_if_stopped();
        progress.set_fraction(static_cast<double>(pixels += n) / n_kept);
    };
    gather(multitau_on_device(read.series, request), start);
}

/// On the CPU instead where the choice was `auto` and the GPU fails.
MultitauSums MultitauRun::multitau_on_device(const PixelSeries& series,
                                             const MultitauRequest& request) {
    setup_.device->wait();
    result_.device = setup_.device->description();
    MultitauRequest watched = request;
    if (request.pixel_means) {
        watched.pixel_means = [&](const PixelMeans& means) {
            means_handed_on_ = true;
            request.pixel_means(means);
        };
    }
    // What --errors has added up can be taken back, what -G has written cannot.
    const std::optional<PixelMoments> before =
        setup_.device->on_gpu() ? all_.moments : std::nullopt;
    try {
        return multitau(series, watched, setup_.device->device());
    } catch (const DeviceError& error) {
        if (means_handed_on_ && all_.bands && setup_.device->text() == "auto") {
            throw DeviceError(std::string(error.what()) +
                              "; part of -G is written already, the CPU does not go on from there");
        }
        if (series.is_on_device()) throw;  // they have to be read again
        setup_.device->fall_back(error, "the correlation");
        all_.moments = before;
        result_.device = setup_.device->description();
    }
    return multitau(series, request, setup_.device->device());
}

void MultitauRun::gather(MultitauSums&& sums, std::chrono::steady_clock::time_point start) {
    if (all_.sums.pixel_photons.empty()) {
        all_.sums = std::move(sums);
    } else {
        all_.sums.merge(sums);
    }
    correlate_s_ += since(start);
}

void MultitauRun::passes() {
    const bool one_pass = setup_.ranges == 1;
    std::optional<KeptMemory> kept;
    if (setup_.kept_bytes > 0) kept.emplace(setup_.kept_bytes);
    if (!one_pass && (normalises() || result_.config.mask_hot)) survey();
    for_each_range([&](ReadResult& read) {
        if (one_pass && result_.config.mask_hot) {
            std::vector<std::uint64_t> photons(all_.excluded.size(), 0);
            on_threads([&] { read.series.add_pixel_photons(map_, photons); });
            exclude_hot(photons);
        }
        note_counts(read);
        all_.excluded_events += read.series.remove_from_frames(all_.excluded);
        note_splits(read.series);
        note_left_out(read.series);
        add_frames(read, all_.frame_photons);
        if (one_pass && normalises()) {
            normalising_photons_ = all_.frame_photons;
            make_weights();
        }
        throw_if_stopped();
        correlate(read);
        if (one_pass) two_times(&read.series);
    });
    if (!one_pass) two_times(nullptr);
}

void MultitauRun::two_times(const PixelSeries* series) {
    if (result_.config.type == AnalysisType::multitau) return;
    const auto start = std::chrono::steady_clock::now();
    run_twotime(setup_, map_, all_.excluded, series, *file_);
    twotime_s_ += since(start);
}

/// More passes do not help where the frames alone are too many.
void MultitauRun::require_room_for_frames(std::int64_t met) const {
    const double bytes = static_cast<double>(setup_.frame_bytes) * static_cast<double>(met);
    if (bytes < static_cast<double>(setup_.memory_bytes)) return;
    throw Error(ExitCode::no_memory,
                fmt::format("{}: {} frames and more need {} beside their events, --memory {} is "
                            "too little",
                            result_.raw,
                            met,
                            gib_text(bytes),
                            gib_text(static_cast<double>(setup_.budget_bytes))));
}

/// With an empty slate, but for the dataset of -G, to which nothing was written yet.
void MultitauRun::start_again() {
    std::optional<BandWriter> bands = std::move(all_.bands);
    all_ = Gathered{};
    all_.bands = std::move(bands);
    weights_.reset();
    normalising_photons_ = {};
    decodes_on_gpu_ = false;
}

void MultitauRun::run() {
    StageClock clock(result_.stage_s);
    if (result_.config.decode != "cpu") {
        const std::string reason = setup_.why_the_cpu_decodes();
        decodes_on_gpu_ = reason.empty();
        if (!reason.empty() && result_.config.decode == "gpu") let_cpu_decode(reason);
    }
    for (bool done = false; !done;) {
        try {
            passes();
            done = true;
        } catch (const SeriesTooLarge& large) {
            require_room_for_frames(large.frames);
            const std::int64_t tiles = n_tiles(setup_.partition);
            if (all_.bands || setup_.ranges >= tiles) {
                throw Error(ExitCode::no_memory,
                            fmt::format("{}: more events than expected; --memory {} is too little",
                                        result_.raw,
                                        gib_text(static_cast<double>(setup_.budget_bytes))));
            }
            setup_.ranges = std::min(tiles, 2 * setup_.ranges);
            Log::info(fmt::format("{}: more events than expected, starting again in {} passes",
                                  result_.raw,
                                  setup_.ranges));
            start_again();
        } catch (const NotBright& found) {
            keep_events(found);
            start_again();
        } catch (const DeviceOutOfMemory& error) {
            if (!decodes_on_gpu_ || (means_handed_on_ && all_.bands)) throw;
            let_cpu_decode(error.what());
            start_again();
        } catch (const DeviceError& error) {
            if (!decodes_on_gpu_ || (means_handed_on_ && all_.bands)) throw;
            setup_.device->fall_back(error, "the run");
            start_again();
        }
    }
    result_.stage_s.emplace_back("read", read_s_);
    result_.stage_s.emplace_back("correlate", correlate_s_);
    if (twotime_s_ > 0) result_.stage_s.emplace_back("two-time", twotime_s_);
    StageClock reduce_clock(result_.stage_s);
    finish();
    reduce_clock.lap("reduce");
}

void MultitauRun::finish() {
    result_.device = setup_.device->description();
    if (all_.bands) all_.bands->finish();
    const Partition& partition = setup_.partition;
    if (has_multitau(result_.config.type)) {
        result_.one_time = reduce(all_.sums.whole, partition);
    }
    if (all_.moments) {
        result_.errors = estimate_errors(all_.sums.whole, partition, *all_.moments);
    }
    if (result_.config.num_partial_g2 > 0 && has_multitau(result_.config.type)) {
        result_.partial = reduce_partial(all_.sums, partition);
    }
    result_.scattering = make_scattering(partition,
                                         all_.sums,
                                         all_.frame_photons,
                                         all_.segments,
                                         result_.frames.average * result_.source.sample_scale);
    result_.pixels_per_static = all_.sums.whole.n_pixels;
    result_.pixels_per_dynamic.assign(partition.n_dynamic, 0);
    for (std::size_t s = 0; s < result_.pixels_per_static.size(); ++s) {
        const std::uint32_t d = partition.dynamic_of_static[s];
        if (d != Partition::not_kept) result_.pixels_per_dynamic[d] += result_.pixels_per_static[s];
    }
    judge_counts(setup_, all_);
    report_hot_pixels(setup_, all_);
    if (!all_.masked_hot.empty()) unmask_in_qmap(setup_, all_);
    result_.finished = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
    result_.peak_memory_bytes = peak_memory_bytes();
}

}  // namespace

void run_multitau(RunSetup& setup, ResultFile* file) {
    MultitauRun(setup, file).run();
}

}  // namespace xpcs
