// SPDX-License-Identifier: BSD-3-Clause
#include "host/run_gathered.hpp"

#include "host/log.hpp"
#include "host/memory.hpp"
#include "host/multitau_run.hpp"
#include "host/text.hpp"
#include "kernels/hot_pixels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace xpcs {

namespace {

constexpr double hot_share = 0.1;
constexpr double telling_saturation = 1e-4;

}  // namespace

std::vector<std::uint64_t> counts_of(std::vector<std::uint64_t> samples, std::int64_t scale) {
    if (scale == 1) return samples;
    const auto n = static_cast<std::uint64_t>(scale);
    for (std::uint64_t& value : samples)
        value = (value + n / 2) / n;
    return samples;
}

void judge_counts(RunSetup& setup, const Gathered& all) {
    RunResult& result = setup.result;
    RunCounts& counts = result.counts;
    const SeriesCounts& series = all.series;
    const std::uint64_t photons = std::accumulate(
        all.sums.pixel_photons.begin(), all.sums.pixel_photons.end(), std::uint64_t{0});
    counts.photons_kept = static_cast<std::int64_t>(photons) / result.source.sample_scale;
    counts.events_kept = setup.read.dense_rows
                             ? series.events - all.excluded_events - all.left_out_samples
                             : all.sums.events_used - all.extra_records_used;
    counts.events_masked = series.masked + all.excluded_events;
    counts.events_outside_frames = series.outside_frames;
    counts.events_outside_frames += series.events - counts.events_kept - all.excluded_events;
    counts.duplicates = all.sums.duplicates - series.split_records;
    counts.trailing_bytes = result.source.trailing_bytes;
    counts.overflow_samples = series.overflow_samples;
    counts.masked_hot_pixels = std::count(all.masked_hot.begin(), all.masked_hot.end(), 1);
    counts.overflow_pixels =
        std::count(all.excluded.begin(), all.excluded.end(), 1) - counts.masked_hot_pixels;
    counts.empty_frames = std::count(all.frame_photons.begin(), all.frame_photons.end(), 0U);
    counts.no_signal = photons == 0;
    const double samples = static_cast<double>(setup.partition.n_kept()) *
                           static_cast<double>(result.frames.raw_frames_used);
    counts.occupancy = samples > 0 ? static_cast<double>(counts.events_kept) / samples : 0;

    const std::string& raw = result.raw;
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
    if (!result.source.sparse) return;
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
            "{}: {:.3g} % of the events have the largest count {}; the counter may saturate there",
            raw,
            100 * counts.saturated_fraction,
            level);
        if (counts.saturated_fraction > telling_saturation) {
            Log::warning(text);
        } else {
            Log::info(text);
        }
    }
}

void report_hot_pixels(RunSetup& setup, const Gathered& all) {
    RunResult& result = setup.result;
    const Partition& partition = setup.partition;
    const std::vector<std::uint64_t> photons =
        counts_of(all.sums.pixel_photons, result.source.sample_scale);
    if (const std::int64_t masked = result.counts.masked_hot_pixels; masked > 0) {
        Log::info(fmt::format("{}: {} hot pixels masked (--mask-hot)", result.raw, masked));
    }
    const std::vector<std::uint32_t> hot = find_hot_pixels(partition, photons, all.excluded);
    if (hot.empty()) return;
    std::vector<std::uint64_t> bins(partition.n_dynamic, 0);
    for (std::size_t k = 0; k < photons.size(); ++k) {
        bins[partition.dynamic_bin(static_cast<std::int64_t>(k))] += photons[k];
    }
    std::vector<std::uint32_t> dominated;
    for (const std::uint32_t slot : hot) {
        const std::uint32_t bin = partition.dynamic_bin(slot);
        const std::int64_t pixel = partition.pixel[slot];
        const double share = static_cast<double>(photons[slot]) / static_cast<double>(bins[bin]);
        result.hot_pixels.push_back({pixel / partition.cols,
                                     pixel % partition.cols,
                                     static_cast<std::int64_t>(photons[slot]),
                                     result.label_of_static[partition.static_bin[slot]],
                                     bin + 1,
                                     share});
        if (share > hot_share) dominated.push_back(bin + 1);
    }
    const HotPixel& hottest =
        *std::max_element(result.hot_pixels.begin(),
                          result.hot_pixels.end(),
                          [](const auto& a, const auto& b) { return a.photons < b.photons; });
    Log::warning(fmt::format("{}: {} hot pixels, the hottest at row {} column {} with {} photons; "
                             "--mask-hot leaves them out",
                             result.raw,
                             result.hot_pixels.size(),
                             hottest.row,
                             hottest.col,
                             hottest.photons));
    if (dominated.empty()) return;
    std::sort(dominated.begin(), dominated.end());
    dominated.erase(std::unique(dominated.begin(), dominated.end()), dominated.end());
    Log::warning(
        fmt::format("{}: one pixel holds more than {:.0f} % of the counts in dynamic bin {}",
                    result.raw,
                    100 * hot_share,
                    fmt::join(dominated, ", ")));
}

void unmask_in_qmap(RunSetup& setup, const Gathered& all) {
    RunResult& result = setup.result;
    for (std::size_t slot = 0; slot < all.masked_hot.size(); ++slot) {
        if (all.masked_hot[slot] == 0) continue;
        const std::uint32_t pixel = setup.partition.pixel[slot];
        result.qmap.mask[pixel] = 0;
        result.qmap.dynamic_roi_map[pixel] = 0;
        result.qmap.static_roi_map[pixel] = 0;
    }
}

std::string run_report(const RunResult& result) {
    double total = 0;
    for (const auto& stage : result.stage_s)
        total += stage.second;
    const RunCounts& counts = result.counts;
    return fmt::format("{}: {} events ({} photons) kept, {} masked, {} outside the frames, {} "
                       "duplicates; {} frames, occupancy {:.3g}; {:.2f} s on {}, {}",
                       printable(result.raw),
                       counts.events_kept,
                       counts.photons_kept,
                       counts.events_masked,
                       counts.events_outside_frames,
                       counts.duplicates,
                       result.frames.n_frames,
                       counts.occupancy,
                       total,
                       result.device,
                       gib_text(static_cast<double>(result.peak_memory_bytes)));
}

}  // namespace xpcs
