// SPDX-License-Identifier: BSD-3-Clause
#include "host/memory_plan.hpp"

#include "host/bright_reader.hpp"
#include "host/errors.hpp"
#include "host/memory.hpp"
#include "host/readers/corrected.hpp"
#include "host/readers/imm.hpp"
#include "host/twotime_run.hpp"
#include "kernels/device_events.hpp"
#include "kernels/device_frames.hpp"
#include "kernels/lag_ladder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace xpcs {

namespace {

/// Above this occupancy whole rows take less memory and time than events.
constexpr double dense_occupancy = 0.15;
/// Above this one, words that allow it become rows.
constexpr double bright_occupancy = 0.07;
/// Tiles near the beam have more events than others: a pass that is not the only one is planned to
/// take this part of its room.
constexpr double planned_part = 0.85;
/// Below this size of a file it does not matter how many frames it has before they are read.
constexpr std::uint64_t large_file_bytes = std::uint64_t{64} << 20;

std::uint64_t memory_budget(const RunConfig& config) {
    if (config.memory_gib > 0) {
        return static_cast<std::uint64_t>(config.memory_gib * static_cast<double>(1U << 30));
    }
    const std::uint64_t available = available_memory_bytes();
    return available == 0 ? std::uint64_t{8} << 30 : available / 10 * 7;
}

/// -G: means of a group of tiles and a band of rows, whatever the size of the detector.
double unnormalized_bytes(const RunSetup& setup) {
    const RunConfig& config = setup.result.config;
    if (!config.save_G2 || !has_multitau(config.type)) return 0;
    constexpr int most_lags = 100;  // where only reading will tell the number of frames
    const std::int64_t T = setup.result.frames.n_frames;
    const int lags = T > 1 ? make_lag_ladder(T).n_lags() : most_lags;
    constexpr double group_of_tiles = 64.0 * tile_pixels;
    constexpr double chunk = 65536;  // pixels of a chunk of the dataset, see ResultFile
    return 3.0 * sizeof(float) * lags * (group_of_tiles + chunk);
}

/// What a run takes besides the series: image, bin sums of every thread, blocks on their way.
double fixed_bytes(const RunSetup& setup, int threads) {
    const double pixels = static_cast<double>(setup.partition.slot.size());
    const double sums = 61.0 * 3 * 24 * setup.partition.n_static * threads;
    const double blocks = setup.result.source.sparse ? 8e6 : 100e6;
    const double moments =
        setup.result.config.errors ? 61.0 * 12 * 8 * setup.partition.n_static + 30e6 : 0.0;
    return 32 * pixels + sums + moments + 2 * blocks * threads + 30e6;
}

struct Estimate {
    std::string engine;
    double series_bytes = 0;
    double events = 0;
    double frames = 0;  ///< of the file, where its words tell; else 0
};

/// Of a sparse file whose words become rows of samples, as far as a few of them tell. Memory does
/// not matter: sums of doubles may round in another way than those of events.
std::optional<Estimate> estimate_of_bright(const RunConfig& config, RunSetup& setup) {
    if (config.engine == EngineChoice::sparse || config.type != AnalysisType::multitau) return {};
    if (config.follow || setup.device->on_gpu()) return {};
    const std::optional<BrightProbe> probe = probe_bright(setup.read, setup.partition);
    constexpr double narrowest = 0.5;
    if (!probe || probe->occupancy < bright_occupancy * probe->bytes_of_sample / narrowest) {
        return {};
    }
    const auto wanted =
        static_cast<double>(setup.frames.end_frame) - static_cast<double>(setup.frames.begin_frame);
    const double samples =
        static_cast<double>(setup.partition.n_kept()) * std::min(probe->frames, wanted);
    return Estimate{"dense",
                    1.03 * samples * probe->bytes_of_sample,
                    samples * probe->occupancy,
                    probe->frames};
}

Estimate estimate_of(const RunConfig& config, RunSetup& setup) {
    const SourceInfo& source = setup.result.source;
    if (source.sparse) {
        // 4 bytes of every 8-byte record and the indices of its piece; masked pixels and frames
        // only make it less. Words that go to a GPU pass through. Should it turn out that they
        // cannot, reading meets the limit and starts again in passes.
        const bool passes_through = config.decode != "cpu" && setup.why_the_cpu_decodes().empty();
        const Estimate events{config.engine == EngineChoice::dense ? "dense" : "sparse",
                              passes_through ? 0.0 : 1.03 * static_cast<double>(source.n_bytes) / 2,
                              static_cast<double>(source.n_bytes) / 8};
        const std::optional<Estimate> bright = estimate_of_bright(config, setup);
        setup.read.dense_rows = bright.has_value();
        return bright.value_or(events);
    }
    const DenseProbe probe = probe_dense(setup.read, setup.partition, setup.frames);
    const double samples = static_cast<double>(setup.partition.n_kept()) *
                           static_cast<double>(setup.result.frames.end - setup.result.frames.begin);
    const bool dense = config.engine == EngineChoice::automatic
                           ? corrects_frames(config) || probe.occupancy > dense_occupancy
                           : config.engine == EngineChoice::dense;
    setup.read.dense_rows = dense;
    const bool passes_through =
        dense && config.decode != "cpu" && setup.why_the_cpu_decodes().empty();
    return {dense ? "dense" : "sparse",
            passes_through
                ? 0.0
                : samples * (dense ? probe.sample_bytes : 4.4 * std::max(probe.occupancy, 1e-4)),
            samples * std::max(probe.occupancy, 1e-4)};
}

/// Tiles of a pass, 0 if not one fits. While a tile is correlated its events lie unfolded (frame
/// and count, 8 bytes) beside the series; with few tiles and many events that is the larger part.
std::int64_t tiles_at_once(double room, double tile_bytes, double unfolded_bytes, int threads) {
    const double workers = threads;
    if (room >= workers * (tile_bytes + unfolded_bytes)) {
        return static_cast<std::int64_t>((room - workers * unfolded_bytes) /
                                         std::max(tile_bytes, 1.0));
    }
    return static_cast<std::int64_t>(room / std::max(tile_bytes + unfolded_bytes, 1.0));
}

/// What a run holds for every frame: their photons in the series (4 bytes) and in the run (8), then
/// intensity against time twice. Weights and what they are made of come on top, and what the file
/// notes of frames.
std::uint64_t bytes_per_frame(const RunConfig& config,
                              const RunSetup& setup,
                              const std::string& engine,
                              int threads) {
    std::uint64_t bytes = 16;
    if (setup.result.source.format == "imm") {
        bytes += imm_times_bytes + (setup.result.source.sparse ? 0 : imm_place_bytes);
    }
    if (!setup.monitor.values.empty() || (config.normalize_frame && has_multitau(config.type))) {
        bytes += 16;
    }
    // A line of pixels, columns of a block and blocks of two levels, or rows of selected frames.
    if (engine == "dense") bytes += 128 * static_cast<std::uint64_t>(threads);
    return bytes;
}

struct ExpectedFrames {
    double n = 0;
    bool guessed = false;  ///< reading may tell something else
};

ExpectedFrames
expected_frames(const RunConfig& config, const RunSetup& setup, const Estimate& estimate) {
    const RunResult& result = setup.result;
    if (result.frames.n_frames_file > 0) {
        return {static_cast<double>(result.frames.n_frames_file), setup.plan.frames_from_hint};
    }
    if (!setup.monitor.values.empty()) {
        return {static_cast<double>(setup.monitor.values.size()), true};
    }
    if (estimate.frames > 0) return {estimate.frames, false};
    if (config.follow || result.source.n_bytes < large_file_bytes) return {};
    return {probe_frames(setup.read), true};
}

/// Tiles of a pass, at most `tiles`.
std::int64_t tiles_of_pass(
    std::int64_t tiles, double room, double tile_bytes, double unfolded_bytes, int threads) {
    if (room <= 0) return 0;
    const std::int64_t most = tiles_at_once(room, tile_bytes, unfolded_bytes, threads);
    if (most == 0 || most >= tiles) return std::min(most, tiles);
    return std::max<std::int64_t>(
        1, tiles_at_once(planned_part * room, tile_bytes, unfolded_bytes, threads));
}

/// " (0.30 GiB of it for 20000000 frames)" where that is worth a word.
std::string frames_text(double bytes, double frames) {
    if (bytes < 1 << 28) return "";
    return fmt::format(" ({} of it for {:.0f} frames)", gib_text(bytes), frames);
}

/// Packed records, sort keys and values twice over; batches of tiles keep it within the device.
/// Events that are there already lie there twice while they are sorted, then once beside two
/// batches; frames lie beside the sums of 16 of them each.
double device_bytes(const Estimate& estimate, const RunSetup& setup) {
    if (estimate.series_bytes > 0) return 6 * estimate.series_bytes;
    if (!setup.result.source.sparse) {
        const SourceInfo& source = setup.result.source;
        const FrameSelection& frames = setup.result.frames;
        return 1.5 * static_cast<double>(gpu::device_frames_bytes(source.rows * source.cols,
                                                                  frames.end - frames.begin,
                                                                  source.sample_bytes));
    }
    constexpr double two_batches = 2.0 * (1 << 26);
    const std::uint64_t words = setup.result.source.n_words;
    const auto sorted = static_cast<double>(gpu::device_events_bytes(words));
    return std::max(sorted, sorted / 2 + 24 * std::min(static_cast<double>(words), two_batches));
}

/// How often the same memory shall be taken instead of more of it: pages that are new to a program
/// cost more than the samples that they hold. Only where a pass reads its own part of the frames.
/// Sizes as measured on two cores (docs/performance.md).
std::int64_t passes_in_same_memory(const RunConfig& config,
                                   RunSetup& setup,
                                   const Estimate& estimate,
                                   int threads) {
    constexpr double least_bytes = 48e6, of_thread = 24e6, large_weighted = 500e6;
    constexpr std::int64_t most_passes = 8, least_part = 1 << 15;
    const SourceInfo& source = setup.result.source;
    if (!source.parts || estimate.engine != "dense" || setup.device->on_gpu() ||
        config.type != AnalysisType::multitau || config.mask_hot) {
        return 1;
    }
    // The weights take a pass of their own, which the memory of a large run pays for.
    const bool weighs_first = config.normalize_frame && setup.monitor.values.empty();
    if (weighs_first && estimate.series_bytes < large_weighted) return 1;
    const double bytes = std::max(least_bytes, of_thread * threads);
    const std::int64_t most =
        std::min(most_passes, source.rows * source.cols * source.sample_bytes / least_part);
    const auto wanted = static_cast<std::int64_t>(estimate.series_bytes / bytes);
    return std::max<std::int64_t>(1, std::min(wanted, most));
}

}  // namespace

void plan_memory(const RunConfig& config, RunSetup& setup) {
    const Estimate estimate = estimate_of(config, setup);
    setup.result.engine = estimate.engine;
    const auto budget = static_cast<double>(memory_budget(config));
    setup.budget_bytes = static_cast<std::uint64_t>(budget);
    const int threads = config.threads > 0 ? static_cast<int>(config.threads) : default_threads();
    const std::int64_t n_frames = setup.result.frames.n_frames;
    if (config.type != AnalysisType::multitau) {
        const std::size_t n_bins = selected_bins(config, setup.partition).size();
        check_twotime_size(config, n_frames, n_bins, budget);
    }
    setup.frame_bytes = bytes_per_frame(config, setup, estimate.engine, threads);
    const ExpectedFrames expected = expected_frames(config, setup, estimate);
    const double all_frames = expected.n * static_cast<double>(setup.frame_bytes);
    const double fixed =
        fixed_bytes(setup, threads) + unnormalized_bytes(setup) +
        twotime_work_bytes(config, setup.partition, estimate.events, n_frames, threads);
    // A guess only tells how many passes there will be.
    const double in_frames =
        expected.guessed ? std::min(all_frames, 0.5 * (budget - fixed)) : all_frames;
    const double room = budget - fixed - in_frames;
    const auto tiles = static_cast<double>(n_tiles(setup.partition));
    const double tile_bytes = estimate.series_bytes / tiles;
    const double unfolded_bytes =
        estimate.engine == "sparse" && !setup.device->on_gpu() ? 8 * estimate.events / tiles : 0.0;
    std::int64_t at_once =
        tiles_of_pass(n_tiles(setup.partition), room, tile_bytes, unfolded_bytes, threads);
    if (at_once == 0) {
        throw Error(ExitCode::no_memory,
                    fmt::format("{}: needs at least {}{}, --memory allows {}",
                                setup.result.raw,
                                gib_text(fixed + in_frames + tile_bytes + unfolded_bytes),
                                frames_text(in_frames, expected.n),
                                gib_text(budget)));
    }
    const std::int64_t passes = passes_in_same_memory(config, setup, estimate, threads);
    if (const std::int64_t share = (n_tiles(setup.partition) + passes - 1) / passes;
        passes > 1 && share < at_once) {
        at_once = share;
        const double blocks = 16e6 * (3 * threads + 1);
        setup.kept_bytes =
            static_cast<std::uint64_t>(2 * tile_bytes * static_cast<double>(at_once) + blocks);
    }
    setup.ranges = (n_tiles(setup.partition) + at_once - 1) / at_once;
    const auto in_pass = static_cast<double>(at_once);
    const double unfolded = unfolded_bytes * std::min<double>(threads, in_pass);
    setup.memory_bytes = static_cast<std::uint64_t>(room + in_frames - unfolded);
    setup.plan.host_memory_bytes =
        static_cast<std::uint64_t>(fixed + in_frames + unfolded + tile_bytes * in_pass);
    if (config.dry_run && setup.device->on_gpu()) {
        setup.plan.device_memory_bytes = static_cast<std::uint64_t>(
            std::min(device_bytes(estimate, setup),
                     0.9 * static_cast<double>(setup.device->device().memory_bytes)));
    }
}

}  // namespace xpcs
