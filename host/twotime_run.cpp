// SPDX-License-Identifier: BSD-3-Clause
#include "host/twotime_run.hpp"

#include "host/chunk_writer.hpp"
#include "host/errors.hpp"
#include "host/log.hpp"
#include "host/memory.hpp"
#include "host/progress.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "kernels/twotime.hpp"
#include "kernels/twotime_multitau.hpp"

#include <fmt/format.h>
#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>

namespace xpcs {

namespace {

/// Below this, dividing by the mean of a static bin in one frame mostly adds noise.
constexpr double few_counts_per_bin = 10;

TwotimeSmooth smooth_of(const std::string& name) {
    if (name == "dqmap") return TwotimeSmooth::dynamic_bin;
    if (name == "time") return TwotimeSmooth::time;
    if (name == "none") return TwotimeSmooth::none;
    return TwotimeSmooth::static_bin;
}

TwotimeEngine engine_of(EngineChoice choice) {
    if (choice == EngineChoice::sparse) return TwotimeEngine::sparse;
    if (choice == EngineChoice::dense) return TwotimeEngine::dense;
    return TwotimeEngine::automatic;
}

std::vector<std::int64_t> pixels_of_bins(const Partition& partition) {
    std::vector<std::int64_t> pixels(partition.n_dynamic, 0);
    for (std::int64_t k = 0; k < partition.n_kept(); ++k)
        ++pixels[partition.dynamic_bin(k)];
    return pixels;
}

/// The partition with the pixels of some bins alone.
Partition restrict(const Partition& full, const std::vector<std::uint32_t>& bins) {
    std::vector<std::uint8_t> wanted(full.n_dynamic, 0);
    for (const std::uint32_t bin : bins)
        wanted[bin] = 1;
    Partition out = full;
    out.drop_pixels();
    for (std::int64_t k = 0; k < full.n_kept(); ++k) {
        if (wanted[full.dynamic_bin(k)] == 0) continue;
        const auto from = static_cast<std::size_t>(k);
        out.keep_pixel(full.pixel[from], full.static_bin[from]);
    }
    return out;
}

class TwotimeRun {
  public:
    TwotimeRun(RunSetup& setup, const FrameMap& map, ResultFile& file)
        : setup_(setup), result_(setup.result), config_(setup.result.config), map_(map),
          file_(file), bins_(selected_bins(config_, setup.partition)),
          progress_("two-time", config_.progress) {}

    void run(const std::vector<std::uint8_t>& excluded, const PixelSeries* series);

  private:
    void begin();
    void process(const PixelSeries& series,
                 const std::vector<std::uint8_t>& excluded,
                 const std::vector<std::uint32_t>& bins);
    void read_and_process(const std::vector<std::uint8_t>& excluded,
                          const std::vector<std::uint32_t>& bins);
    void map_bin(const PixelSeries& series,
                 const std::vector<std::uint8_t>& excluded,
                 std::uint32_t bin);
    TwotimeBin
    correlate(const PixelSeries& series, std::uint32_t bin, const TwotimeRequest& request);
    void band_bin(const PixelSeries& series,
                  const std::vector<std::uint8_t>& excluded,
                  std::uint32_t bin);
    void keep(const TwotimeBin& bin);
    void advance(double of_bin) {
        throw_if_stopped();
        progress_.set_fraction((static_cast<double>(done_) + of_bin) /
                               static_cast<double>(bins_.size()));
    }
    void end();

    RunSetup& setup_;
    RunResult& result_;
    const RunConfig& config_;
    FrameMap map_;
    ResultFile& file_;
    std::vector<std::uint32_t> bins_;
    Progress progress_;
    std::size_t done_ = 0;
    std::vector<std::unique_ptr<ChunkWriter>> band_files_;
    std::vector<std::int64_t> with_empty_frames_, with_few_counts_;
    std::int64_t dense_pixels_ = 0;
    std::unique_ptr<gpu::TwotimeMaps> maps_;  ///< made with the first bin
};

void TwotimeRun::begin() {
    if (setup_.device->on_gpu() && !has_twotime(config_.type)) {
        Log::info("multi-tau two-time correlation has no GPU engine; it is computed on the CPU");
    }
    const auto n_bins = bins_.size();
    std::vector<std::int32_t> labels, natural;
    for (const std::uint32_t bin : bins_) {
        labels.push_back(static_cast<std::int32_t>(bin) + 1);
        natural.push_back(static_cast<std::int32_t>(result_.qmap.dynamic_index_mapping[bin]));
    }
    if (!has_twotime(config_.type)) {
        result_.band.emplace();
        result_.band->labels = labels;
        result_.band->natural = natural;
        result_.band->depth = default_band_depth;
        const auto levels = band_levels(map_.n_frames, default_band_depth);
        for (const BandLevel& level : levels) {
            band_files_.push_back(file_.band_level(level, n_bins));
        }
        result_.band->levels = levels;
        return;
    }
    check_twotime_size(config_, map_.n_frames, n_bins, static_cast<double>(setup_.budget_bytes));
    const std::int64_t segment = map_.n_frames / twotime_segments;
    if (segment == 0) {
        Log::warning(fmt::format("{}: {} frames; the five segments of the two-time analysis are "
                                 "left out below 5 frames",
                                 result_.raw,
                                 map_.n_frames));
    }
    result_.two_time.emplace();
    result_.two_time->labels = labels;
    result_.two_time->natural = natural;
    result_.two_time->n_frames = map_.n_frames;
    result_.two_time->segment_frames = segment;
    result_.two_time->g2.assign(static_cast<std::size_t>(map_.n_frames) * n_bins, 0.0F);
    result_.two_time->g2_segments.assign(
        static_cast<std::size_t>(segment * twotime_segments) * n_bins, 0.0F);
}

void TwotimeRun::keep(const TwotimeBin& bin) {
    TwotimeTable& table = *result_.two_time;
    const std::size_t n_bins = bins_.size();
    for (std::size_t k = 0; k < bin.g2.size(); ++k)
        table.g2[k * n_bins + done_] = static_cast<float>(bin.g2[k]);
    for (std::size_t i = 0; i < bin.g2_segments.size(); ++i)
        table.g2_segments[i * n_bins + done_] = static_cast<float>(bin.g2_segments[i]);
    table.empty_frames.push_back(bin.empty_frames);
    dense_pixels_ += bin.dense_pixels;
    const std::int64_t label = table.labels[done_];
    if (bin.empty_frames > 0) with_empty_frames_.push_back(label);
    const double cells = static_cast<double>(bin.n_static) * static_cast<double>(map_.n_frames);
    if (config_.smooth == "sqmap" &&
        static_cast<double>(bin.photons) <
            few_counts_per_bin * cells * static_cast<double>(result_.source.sample_scale)) {
        with_few_counts_.push_back(label);
    }
}

void TwotimeRun::map_bin(const PixelSeries& series,
                         const std::vector<std::uint8_t>& excluded,
                         std::uint32_t bin) {
    const std::unique_ptr<ChunkWriter> map = file_.twotime_map(done_ + 1, map_.n_frames);
    TwotimeRequest request;
    request.frames = map_;
    request.excluded = &excluded;
    request.smooth = smooth_of(config_.smooth);
    request.engine = engine_of(config_.engine);
    request.threads = config_.threads;
    request.progress = [&](double fraction) { advance(fraction); };
    request.tile = [&](const TwotimeTile& tile) {
        map->write({static_cast<hsize_t>(tile.first_row), static_cast<hsize_t>(tile.first_col)},
                   tile.values);
    };
    keep(correlate(series, bin, request));
    map->close();
}

/// On the CPU instead where the choice was `auto` and the GPU fails.
TwotimeBin
TwotimeRun::correlate(const PixelSeries& series, std::uint32_t bin, const TwotimeRequest& request) {
    DeviceChoice& choice = *setup_.device;
    choice.wait();
    result_.device = choice.description();
    try {
        if (choice.on_gpu() && !maps_) {
            maps_ = std::make_unique<gpu::TwotimeMaps>(choice.device().indices.front());
        }
        if (choice.on_gpu()) return maps_->correlate(series, bin, request);
    } catch (const DeviceError& error) {
        maps_.reset();
        choice.fall_back(error, "two-time correlation");
        result_.device = choice.description();
    }
    return cpu::twotime(series, bin, request);
}

void TwotimeRun::band_bin(const PixelSeries& series,
                          const std::vector<std::uint8_t>& excluded,
                          std::uint32_t bin) {
    BandRequest request;
    request.frames = map_;
    request.excluded = &excluded;
    request.threads = config_.threads;
    request.progress = [&](double fraction) { advance(fraction); };
    request.level = [&](const BandLevel& level, const std::vector<float>& c2) {
        ChunkWriter& to = *band_files_[static_cast<std::size_t>(level.level)];
        const auto n = static_cast<std::size_t>(level.n_blocks);
        const std::size_t side = band_chunk(level.n_blocks);
        const std::size_t per_channel = (n + side - 1) / side;
        oneapi::tbb::parallel_for(
            std::size_t{0}, per_channel * level.channels.size(), [&](std::size_t i) {
                const std::size_t channel = i / per_channel;
                const std::size_t first = i % per_channel * side;
                std::vector<float> chunk(side, 0.0F);
                std::copy_n(c2.begin() + static_cast<std::ptrdiff_t>(channel * n + first),
                            std::min(side, n - first),
                            chunk.begin());
                to.write({done_, channel, first}, chunk.data());
            });
    };
    const BandBin found = cpu::twotime_multitau(series, bin, request);
    BandTable& table = *result_.band;
    const std::size_t n_bins = bins_.size();
    if (table.lags.empty()) {
        table.lags = found.lag;
        table.g2.assign(found.lag.size() * n_bins, 0.0F);
        table.g2_err = table.g2;
        table.n_values.assign(table.g2.size(), 0);
    }
    for (std::size_t k = 0; k < found.lag.size(); ++k) {
        table.g2[k * n_bins + done_] = static_cast<float>(found.g2[k]);
        table.g2_err[k * n_bins + done_] = static_cast<float>(found.g2_err[k]);
        table.n_values[k * n_bins + done_] = found.n_values[k];
    }
}

void TwotimeRun::process(const PixelSeries& series,
                         const std::vector<std::uint8_t>& excluded,
                         const std::vector<std::uint32_t>& bins) {
    for (const std::uint32_t bin : bins) {
        if (result_.band) {
            band_bin(series, excluded, bin);
        } else {
            map_bin(series, excluded, bin);
        }
        ++done_;
        advance(0);
    }
}

/// Reads the pixels of some bins alone; of fewer at a time if they are too many.
void TwotimeRun::read_and_process(const std::vector<std::uint8_t>& excluded,
                                  const std::vector<std::uint32_t>& bins) {
    const Partition partition = restrict(setup_.partition, bins);
    ReadOptions options = setup_.read;
    options.progress = "never";
    options.memory_limit = setup_.memory_bytes;
    options.frame_bytes = setup_.frame_bytes;
    std::optional<ReadResult> read;
    try {
        SeriesRange range = setup_.frames;
        range.first_tile = 0;
        range.end_tile = n_tiles(partition);
        read.emplace(read_series(options, partition, range));
    } catch (const SeriesTooLarge&) {
        if (bins.size() == 1) {
            throw Error(ExitCode::no_memory,
                        fmt::format("{}: dynamic bin {} alone needs more than the {} that --memory "
                                    "allows",
                                    result_.raw,
                                    bins.front() + 1,
                                    gib_text(static_cast<double>(setup_.memory_bytes))));
        }
        const auto middle = bins.begin() + static_cast<std::ptrdiff_t>(bins.size() / 2);
        read_and_process(excluded, {bins.begin(), middle});
        read_and_process(excluded, {middle, bins.end()});
        return;
    }
    std::vector<std::uint8_t> of_group(partition.pixel.size(), 0);
    for (std::size_t k = 0; k < of_group.size(); ++k)
        of_group[k] = excluded[setup_.partition.slot[partition.pixel[k]]];
    process(read->series, of_group, bins);
}

void TwotimeRun::run(const std::vector<std::uint8_t>& excluded, const PixelSeries* series) {
    begin();
    if (series != nullptr) {
        process(*series, excluded, bins_);
    } else {
        const auto groups =
            std::min<std::size_t>(static_cast<std::size_t>(setup_.ranges), bins_.size());
        for (std::size_t g = 0; g < groups; ++g) {
            const auto at = [&](std::size_t k) {
                return bins_.begin() + static_cast<std::ptrdiff_t>(k * bins_.size() / groups);
            };
            read_and_process(excluded, {at(g), at(g + 1)});
        }
    }
    end();
}

void TwotimeRun::end() {
    band_files_.clear();
    if (!with_empty_frames_.empty()) {
        Log::warning(fmt::format("{}: frames without a count are NaN in the two-time maps of "
                                 "dynamic bins {}",
                                 result_.raw,
                                 fmt::join(with_empty_frames_, ", ")));
    }
    if (!with_few_counts_.empty()) {
        Log::warning(fmt::format("{}: fewer than {} counts per static bin and frame in dynamic "
                                 "bins {}: dividing by the mean of a bin in one frame adds noise; "
                                 "-s time divides by its mean over time",
                                 result_.raw,
                                 few_counts_per_bin,
                                 fmt::join(with_few_counts_, ", ")));
    }
    if (result_.two_time) {
        Log::debug(fmt::format("two-time: {} pixels by the dense engine", dense_pixels_));
    }
}

}  // namespace

std::vector<std::uint32_t> selected_bins(const RunConfig& config, const Partition& partition) {
    const std::vector<std::int64_t> pixels = pixels_of_bins(partition);
    std::vector<std::int64_t> labels = parse_dq_selection(config.dq_selection);
    if (labels.empty()) {
        for (std::int64_t label = 1; label <= partition.n_dynamic; ++label)
            labels.push_back(label);
    }
    std::vector<std::uint32_t> bins;
    for (const std::int64_t label : labels) {
        if (label > partition.n_dynamic) {
            throw Error(ExitCode::config,
                        fmt::format("--dq-selection {}: dynamic bin {}, the q-map has 1 to {}",
                                    printable(config.dq_selection, 120),
                                    label,
                                    partition.n_dynamic));
        }
        if (pixels[static_cast<std::size_t>(label - 1)] > 0) {
            bins.push_back(static_cast<std::uint32_t>(label - 1));
        }
    }
    if (bins.empty()) {
        throw Error(ExitCode::config,
                    fmt::format("--dq-selection {}: no pixel lies in these dynamic bins",
                                printable(config.dq_selection, 120)));
    }
    return bins;
}

void check_twotime_size(const RunConfig& config,
                        std::int64_t n_frames,
                        std::size_t n_bins,
                        double budget_bytes) {
    if (!has_twotime(config.type)) return;
    const double map_bytes = 4.0 * static_cast<double>(n_frames) * static_cast<double>(n_frames);
    const double file_bytes = map_bytes / 2 * static_cast<double>(n_bins);
    const auto refuse = [&](ExitCode code, const std::string& what) {
        throw Error(code,
                    fmt::format("two-time of {} frames and {} bins: a map takes {} and all of them "
                                "{} on disk, {}; average frames (-a N), select bins (-d LIST) or "
                                "use -t TwotimeMultitau",
                                n_frames,
                                n_bins,
                                gib_text(map_bytes),
                                gib_text(file_bytes),
                                what));
    };
    if (map_bytes > budget_bytes) {
        refuse(ExitCode::no_memory,
               fmt::format("the memory for a run is {} (--memory)", gib_text(budget_bytes)));
    }
    std::error_code error;
    const auto space = std::filesystem::space(config.output, error);
    if (!error && file_bytes > static_cast<double>(space.available)) {
        refuse(ExitCode::cannot_create,
               fmt::format("output directory '{}' has {} left",
                           printable(config.output, 200),
                           gib_text(static_cast<double>(space.available))));
    }
}

double twotime_work_bytes(const RunConfig& config,
                          const Partition& partition,
                          double events,
                          std::int64_t n_frames,
                          int threads) {
    if (config.type == AnalysisType::multitau) return 0;
    const std::vector<std::int64_t> pixels = pixels_of_bins(partition);
    const std::int64_t largest = *std::max_element(pixels.begin(), pixels.end());
    // Bins near the beam have more counts than their pixels' share.
    const double share =
        std::min(1.0, 2.0 * static_cast<double>(largest) / static_cast<double>(partition.n_kept()));
    return has_twotime(config.type)
               ? twotime_bytes(share * events, n_frames, largest, threads)
               : band_bytes(share * events, n_frames, default_band_depth, threads);
}

void run_twotime(RunSetup& setup,
                 const FrameMap& map,
                 const std::vector<std::uint8_t>& excluded,
                 const PixelSeries* series,
                 ResultFile& file) {
    TwotimeRun(setup, map, file).run(excluded, series);
}

}  // namespace xpcs
