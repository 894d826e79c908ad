// SPDX-License-Identifier: BSD-3-Clause
#include "host/multitau_run.hpp"

#include "host/band_writer.hpp"
#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/memory.hpp"
#include "host/progress.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "host/twotime_run.hpp"
#include "kernels/hot_pixels.hpp"
#include "kernels/multitau.hpp"
#include "kernels/reduce.hpp"
#include "kernels/scattering.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <memory>
#include <numeric>
#include <optional>

namespace xpcs {

namespace {

/// Above this fraction of frames without a count, normalising frames makes no sense.
constexpr double most_empty_frames = 0.5;
constexpr double few_counts_per_frame = 100;
constexpr double hot_share = 0.1;
constexpr double telling_saturation = 1e-4;

/// What the passes over the file add up to.
struct Gathered {
    MultitauSums sums;
    std::vector<std::uint64_t> frame_photons;  ///< [T] of the analysis frames
    std::vector<std::uint8_t> excluded;        ///< [n_kept] pixels left out of everything
    std::vector<std::uint8_t> masked_hot;      ///< [n_kept] of these, by --mask-hot; else empty
    SeriesCounts series;
    std::int64_t excluded_events = 0;  ///< on excluded pixels
    SegmentPlan segments;
    std::optional<BandWriter> bands;
    bool first_pass = true;
};

class MultitauRun {
  public:
    MultitauRun(RunSetup& setup, ResultFile* file)
        : setup_(setup), result_(setup.result), file_(file) {}
    void run();

  private:
    ReadResult read_tiles(std::int64_t first, std::int64_t end, bool keep);
    void settle_frames(const ReadResult& read);
    void note_counts(const ReadResult& read);
    void add_frames(const ReadResult& read, std::vector<std::uint64_t>& photons) const;
    bool normalises() const {
        return result_.config.normalize_frame && has_multitau(result_.config.type);
    }
    void make_weights();
    void exclude_overflow(const ReadResult& read);
    void exclude_hot(const std::vector<std::uint64_t>& photons);
    template <class Visit>
    void for_each_range(const Visit& visit);
    void survey();
    void correlate(const ReadResult& read);
    void gather(MultitauSums&& sums, std::chrono::steady_clock::time_point start);
    void two_times(const PixelSeries* series);
    void passes();
    void finish();
    void judge_counts();
    void report_hot_pixels();
    void unmask_in_qmap();

    RunSetup& setup_;
    RunResult& result_;
    ResultFile* file_;  ///< for -G and two-time maps
    Gathered all_;
    FrameMap map_;
    std::optional<FrameWeights> weights_;
    std::vector<std::uint64_t> normalising_photons_;
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
    options.memory_limit = setup_.memory_bytes + setup_.memory_bytes / 4;
    ReadResult read = read_series(options, setup_.partition, range);
    read_s_ += since(start);
    return read;
}

/// After the first pass the number of frames in the file is known.
void MultitauRun::settle_frames(const ReadResult& read) {
    const RunConfig& c = result_.config;
    if (result_.source.sparse && read.decode.records == 0) {
        throw Error(ExitCode::data, result_.raw + ": no events");
    }
    result_.frame_times = read.times;
    const std::int64_t n = frames_in_file(c, result_.source, read.decode.last_frame);
    result_.frames = select_frames(n, c.begin_frame, c.end_frame, c.stride_frame, c.avg_frame);
    map_ = {result_.frames.begin,
            result_.frames.stride,
            result_.frames.average,
            result_.frames.n_frames};
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

void MultitauRun::add_frames(const ReadResult& read, std::vector<std::uint64_t>& photons) const {
    const std::vector<std::uint64_t>& in = read.series.frame_photons();
    for (std::size_t f = 0; f < in.size(); ++f) {
        if (in[f] == 0) continue;
        const std::int64_t t = map_(read.series.range().begin_frame + static_cast<std::int64_t>(f));
        if (t != FrameMap::left_out) photons[static_cast<std::size_t>(t)] += in[f];
    }
}

void MultitauRun::make_weights() {
    if (!normalises()) return;
    weights_ = make_frame_weights(normalising_photons_);
    const auto empty = static_cast<std::int64_t>(
        std::count(normalising_photons_.begin(), normalising_photons_.end(), 0U));
    const auto n = static_cast<double>(map_.n_frames);
    const double photons = static_cast<double>(std::accumulate(
        normalising_photons_.begin(), normalising_photons_.end(), std::uint64_t{0}));
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
    for (const std::uint32_t slot : find_hot_pixels(setup_.partition, photons, all_.excluded)) {
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
        const ReadResult read = read_tiles(0, n_tiles(setup_.partition), false);
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
        for_each_range([&](const ReadResult& read) { read.series.add_pixel_photons(photons); });
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
    request.n_segments = all_.segments.n_segments;
    request.segment_frames = all_.segments.frames;
    request.threads = config.threads;
    if (result_.engine == "dense") request.dense_neighbours = 1e-9;
    if (config.save_G2) {
        if (!all_.bands) {
            const int n_lags = make_lag_ladder(map_.n_frames).n_lags();
            all_.bands.emplace(
                file_->unnormalized(n_lags, setup_.partition.rows, setup_.partition.cols),
                setup_.partition,
                n_lags,
                map_.average);
        }
        request.pixel_means = [&](const PixelMeans& means) { all_.bands->add(means); };
    }
    Progress progress("correlating", config.progress);
    std::atomic<std::int64_t> pixels{0};
    const auto n_kept = static_cast<double>(setup_.partition.n_kept());
    request.progress = [&](std::int64_t n) {
        throw_if_stopped();
        progress.set_fraction(static_cast<double>(pixels += n) / n_kept);
    };
    gather(multitau(read.series, request, setup_.device), start);
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
    if (!one_pass && (normalises() || result_.config.mask_hot)) survey();
    for_each_range([&](ReadResult& read) {
        if (one_pass && result_.config.mask_hot) {
            std::vector<std::uint64_t> photons(all_.excluded.size(), 0);
            read.series.add_pixel_photons(photons);
            exclude_hot(photons);
        }
        note_counts(read);
        all_.excluded_events += read.series.remove_from_frames(all_.excluded);
        add_frames(read, all_.frame_photons);
        if (one_pass) {
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

void MultitauRun::run() {
    StageClock clock(result_.stage_s);
    for (bool done = false; !done;) {
        try {
            passes();
            done = true;
        } catch (const SeriesTooLarge&) {
            const std::int64_t tiles = n_tiles(setup_.partition);
            if (all_.bands || setup_.ranges >= tiles) {
                throw Error(ExitCode::no_memory,
                            fmt::format("{}: more events than expected; --memory {} is too little",
                                        result_.raw,
                                        gib_text(static_cast<double>(setup_.memory_bytes))));
            }
            setup_.ranges = std::min(tiles, 2 * setup_.ranges);
            Log::info(fmt::format("{}: more events than expected, starting again in {} passes",
                                  result_.raw,
                                  setup_.ranges));
            all_ = Gathered{};
            weights_.reset();
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
    if (all_.bands) all_.bands->finish();
    const Partition& partition = setup_.partition;
    if (has_multitau(result_.config.type)) {
        result_.one_time = reduce(all_.sums.whole, partition);
    }
    if (result_.config.num_partial_g2 > 0 && has_multitau(result_.config.type)) {
        result_.partial = reduce_partial(all_.sums, partition);
    }
    result_.scattering = make_scattering(
        partition, all_.sums, all_.frame_photons, all_.segments, result_.frames.average);
    result_.pixels_per_static = all_.sums.whole.n_pixels;
    result_.pixels_per_dynamic.assign(partition.n_dynamic, 0);
    for (std::size_t s = 0; s < result_.pixels_per_static.size(); ++s) {
        const std::uint32_t d = partition.dynamic_of_static[s];
        if (d != Partition::not_kept) result_.pixels_per_dynamic[d] += result_.pixels_per_static[s];
    }
    judge_counts();
    report_hot_pixels();
    if (!all_.masked_hot.empty()) unmask_in_qmap();
    result_.finished = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
    result_.peak_memory_bytes = peak_memory_bytes();
}

void MultitauRun::judge_counts() {
    RunCounts& counts = result_.counts;
    const SeriesCounts& series = all_.series;
    const std::uint64_t photons = std::accumulate(
        all_.sums.pixel_photons.begin(), all_.sums.pixel_photons.end(), std::uint64_t{0});
    counts.photons_kept = static_cast<std::int64_t>(photons);
    counts.events_kept = setup_.read.dense_rows ? series.events - all_.excluded_events
                                                : all_.sums.events_used - series.split_records;
    counts.events_masked = series.masked + all_.excluded_events;
    counts.events_outside_frames = series.outside_frames;
    if (!setup_.read.dense_rows) {
        counts.events_outside_frames +=
            series.events + series.split_records - all_.sums.events_used - all_.excluded_events;
    }
    counts.duplicates = all_.sums.duplicates - series.split_records;
    counts.trailing_bytes = result_.source.trailing_bytes;
    counts.overflow_samples = series.overflow_samples;
    counts.masked_hot_pixels = std::count(all_.masked_hot.begin(), all_.masked_hot.end(), 1);
    counts.overflow_pixels =
        std::count(all_.excluded.begin(), all_.excluded.end(), 1) - counts.masked_hot_pixels;
    counts.empty_frames = std::count(all_.frame_photons.begin(), all_.frame_photons.end(), 0U);
    counts.no_signal = photons == 0;
    const double samples = static_cast<double>(setup_.partition.n_kept()) *
                           static_cast<double>(result_.frames.raw_frames_used);
    counts.occupancy = samples > 0 ? static_cast<double>(counts.events_kept) / samples : 0;

    const std::string& raw = result_.raw;
    if (counts.no_signal) Log::warning(raw + ": no photon on the kept pixels; all g2 are NaN");
    if (counts.overflow_samples > 0) {
        Log::warning(fmt::format(
            "{}: {} samples without data (all ones){}",
            raw,
            counts.overflow_samples,
            counts.overflow_pixels > 0
                ? fmt::format("; {} pixels are left out of the whole run", counts.overflow_pixels)
                : std::string("; left out frame by frame")));
    }
    if (!result_.source.sparse) return;
    const DecodeCounts& decode = counts.decode;
    if (counts.occupancy > 0.03) {
        Log::warning(
            fmt::format("{}: occupancy {:.3g}; above 0.03 dense frames are the smaller file",
                        raw,
                        counts.occupancy));
    }
    if (decode.out_of_order > 0) {
        Log::warning(
            fmt::format("{}: {} records out of frame order, sorted", raw, decode.out_of_order));
    }
    if (decode.zero_count > 0) {
        Log::info(fmt::format("{}: {} records of count 0 dropped", raw, decode.zero_count));
    }
    if (decode.before_start > 0) {
        Log::warning(fmt::format(
            "{}: {} hits before the start of the run dropped", raw, decode.before_start));
    }
    if (decode.bad_index > 0) {
        Log::warning(fmt::format("{}: {} records beyond the detector dropped (--drop-bad-index)",
                                 raw,
                                 decode.bad_index));
    }
    if (decode.counter_wraps > 0) {
        Log::info(fmt::format("{}: the frame counter wrapped {} times", raw, decode.counter_wraps));
    }
    if (counts.duplicates * 100 > counts.events_kept) {
        Log::warning(fmt::format(
            "{}: {} records share pixel and frame with another (summed)", raw, counts.duplicates));
    }
    const std::pair<int, std::int64_t> maxima[] = {{3, decode.at_maximum_3},
                                                   {15, decode.at_maximum_15},
                                                   {255, decode.at_maximum_255},
                                                   {4095, decode.at_maximum_4095}};
    for (const auto& [level, events] : maxima) {
        if (decode.largest_count != level || decode.records == 0) continue;
        counts.saturation_level = level;
        counts.saturated_fraction =
            static_cast<double>(events) / static_cast<double>(decode.records);
        // A handful of photons more than the rest is what Poisson statistics gives.
        const std::string text = fmt::format(
            "{}: {:.3g} of the events have the largest count {}; the counter may saturate there",
            raw,
            counts.saturated_fraction,
            level);
        if (counts.saturated_fraction > telling_saturation) {
            Log::warning(text);
        } else {
            Log::info(text);
        }
    }
}

/// Outliers of their static bin, and the dynamic bins that one pixel dominates.
void MultitauRun::report_hot_pixels() {
    const Partition& partition = setup_.partition;
    const std::vector<std::uint64_t>& photons = all_.sums.pixel_photons;
    if (const std::int64_t masked = result_.counts.masked_hot_pixels; masked > 0) {
        Log::info(fmt::format("{}: {} hot pixels masked (--mask-hot)", result_.raw, masked));
    }
    std::vector<std::uint64_t> bins(partition.n_dynamic, 0);
    for (std::size_t k = 0; k < photons.size(); ++k) {
        bins[partition.dynamic_bin(static_cast<std::int64_t>(k))] += photons[k];
    }
    std::vector<std::uint32_t> dominated;
    for (const std::uint32_t slot : find_hot_pixels(partition, photons, all_.excluded)) {
        const std::uint32_t bin = partition.dynamic_bin(slot);
        const std::int64_t pixel = partition.pixel[slot];
        const double share = static_cast<double>(photons[slot]) / static_cast<double>(bins[bin]);
        result_.hot_pixels.push_back({pixel / partition.cols,
                                      pixel % partition.cols,
                                      static_cast<std::int64_t>(photons[slot]),
                                      result_.label_of_static[partition.static_bin[slot]],
                                      bin + 1,
                                      share});
        if (share > hot_share) dominated.push_back(bin + 1);
    }
    if (result_.hot_pixels.empty()) return;
    const HotPixel& hottest =
        *std::max_element(result_.hot_pixels.begin(),
                          result_.hot_pixels.end(),
                          [](const auto& a, const auto& b) { return a.photons < b.photons; });
    Log::warning(fmt::format("{}: {} hot pixels, the hottest at row {} column {} with {} photons; "
                             "--mask-hot leaves them out",
                             result_.raw,
                             result_.hot_pixels.size(),
                             hottest.row,
                             hottest.col,
                             hottest.photons));
    if (dominated.empty()) return;
    std::sort(dominated.begin(), dominated.end());
    dominated.erase(std::unique(dominated.begin(), dominated.end()), dominated.end());
    Log::warning(
        fmt::format("{}: one pixel holds more than {:.0f} % of the counts in dynamic bin {}",
                    result_.raw,
                    100 * hot_share,
                    fmt::join(dominated, ", ")));
}

/// The q-map in the result is the one that was used: without the pixels that --mask-hot took out.
void MultitauRun::unmask_in_qmap() {
    for (std::size_t slot = 0; slot < all_.masked_hot.size(); ++slot) {
        if (all_.masked_hot[slot] == 0) continue;
        const std::uint32_t pixel = setup_.partition.pixel[slot];
        result_.qmap.mask[pixel] = 0;
        result_.qmap.dynamic_roi_map[pixel] = 0;
        result_.qmap.static_roi_map[pixel] = 0;
    }
}

}  // namespace

void run_multitau(RunSetup& setup, ResultFile* file) {
    MultitauRun(setup, file).run();
}

std::string run_report(const RunResult& result) {
    double total = 0;
    for (const auto& stage : result.stage_s)
        total += stage.second;
    const RunCounts& counts = result.counts;
    return fmt::format("{}: {} events ({} photons) kept, {} masked, {} outside the frames, {} "
                       "duplicates; {} frames, occupancy {:.3g}; {:.2f} s, {}",
                       printable(result.raw),
                       counts.events_kept,
                       counts.photons_kept,
                       counts.events_masked,
                       counts.events_outside_frames,
                       counts.duplicates,
                       result.frames.n_frames,
                       counts.occupancy,
                       total,
                       gib_text(static_cast<double>(result.peak_memory_bytes)));
}

}  // namespace xpcs
