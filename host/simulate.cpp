// SPDX-License-Identifier: BSD-3-Clause
#include "host/simulate.hpp"

#include "host/claimed_file.hpp"
#include "host/errors.hpp"
#include "host/readers/ftf_unpack.hpp"
#include "host/readers/rigaku_word.hpp"
#include "host/readers/spidr4.hpp"
#include "host/readers/spidr4_word.hpp"
#include "host/readers/ufxc.hpp"
#include "host/simulate_write.hpp"
#include "host/speckle.hpp"
#include "host/writers/frame_writer.hpp"
#include "host/writers/raw_writer.hpp"

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <numeric>

namespace xpcs {

namespace {

namespace layout = rigaku::layout_3m;

// --- options -----------------------------------------------------------------------------------

[[noreturn]] void
refuse(const std::string& option, const std::string& value, const std::string& allowed) {
    throw Error(ExitCode::config,
                "simulate: " + option + " " + value + "; " + allowed + " allowed");
}

std::string text(double value) {
    char buffer[40];
    std::snprintf(buffer, sizeof buffer, "%.9g", value);
    return buffer;
}

void require_positive(const std::string& option, double value) {
    if (!(value > 0) || !std::isfinite(value)) refuse(option, text(value), "a number above 0");
}

void require_integer(const std::string& option,
                     std::int64_t value,
                     std::int64_t low,
                     std::int64_t high) {
    if (value < low || value > high) {
        refuse(option, std::to_string(value), std::to_string(low) + " to " + std::to_string(high));
    }
}

bool has_modules(SimulateFormat format) {
    return format == SimulateFormat::rigaku3m || format == SimulateFormat::ftf;
}

/// Whole frames are made, and written as such.
bool is_dense(SimulateFormat format) {
    return format == SimulateFormat::hdf5 || format == SimulateFormat::imm_dense ||
           format == SimulateFormat::dectris || format == SimulateFormat::dectris4d;
}

/// Rows and columns of a detector that has only one shape.
std::optional<std::pair<std::int64_t, std::int64_t>> fixed_shape(SimulateFormat format) {
    if (has_modules(format)) return {{layout::rows, layout::cols}};
    if (format == SimulateFormat::ufxc) return {{ufxc::rows, ufxc::cols}};
    if (format == SimulateFormat::timepix4) return {{spidr4::rows, spidr4::cols}};
    return {};
}

void validate_frames(const SimulateOptions& options) {
    const int bytes = options.sample_bytes;
    if (bytes != 1 && bytes != 2 && bytes != 4) {
        refuse("sample bytes", std::to_string(bytes), "1, 2 or 4");
    }
    if (options.format == SimulateFormat::imm_dense && bytes != 2) {
        refuse("sample bytes", std::to_string(bytes), "2 (dense IMM)");
    }
    if (options.contiguous && options.compression != SimulateCompression::none) {
        refuse("contiguous", "with compression", "one of the two");
    }
}

void validate_detector(const SimulateOptions& options) {
    constexpr std::int64_t most_frames = std::int64_t{1} << 40;
    require_integer("frames", options.n_frames, 1, most_frames);
    if (!fixed_shape(options.format)) {
        const std::int64_t most =
            options.format == SimulateFormat::rigaku ? rigaku::index_limit : std::int64_t{1} << 26;
        require_integer("rows", options.rows, 1, most);
        require_integer("cols", options.cols, 1, most);
        require_integer("rows * cols", options.rows * options.cols, 1, most);
    }
    if (is_dense(options.format)) validate_frames(options);
    const int bits = options.ftf_bits;
    if (options.format == SimulateFormat::ftf && bits != 2 && bits != 4 && bits != 8) {
        refuse("fast-transfer bits", std::to_string(bits), "2, 4 or 8");
    }
    if (options.format == SimulateFormat::timepix4) {
        const double ticks = options.frame_time_s * static_cast<double>(spidr4::ticks_per_s);
        if (std::abs(ticks - static_cast<double>(spidr4_bin_ticks(options.frame_time_s))) > 1e-6) {
            refuse("frame time (s)",
                   text(options.frame_time_s),
                   "a whole number of Timepix4 ticks (25 ns / 128)");
        }
    }
    if (options.threads < 0) refuse("threads", std::to_string(options.threads), "0 (all) or more");
}

void validate_physics(const SimulateOptions& options) {
    require_positive("occupancy", options.occupancy);
    if (options.occupancy > 1e6) refuse("occupancy", text(options.occupancy), "at most 1e6");
    require_positive("frame time (s)", options.frame_time_s);
    require_positive("energy (keV)", options.energy_keV);
    require_positive("distance (m)", options.distance_m);
    require_positive("pixel size (m)", options.pixel_size_m);
    if (options.diffusion != 0) {
        require_positive("diffusion (A^2/s)", options.diffusion);
    } else {
        require_positive("relaxation time (s)", options.tau_s);
        require_positive("q of the relaxation time (1/A)", options.tau_at_q_inv_angstrom);
    }
    if (!(options.contrast > 0 && options.contrast <= 1)) {
        refuse("contrast", text(options.contrast), "above 0 up to 1");
    }
    if (!(options.hot_rate >= 0 && options.hot_rate <= 1)) {
        refuse("hot rate", text(options.hot_rate), "0 to 1");
    }
    require_positive("temperature (K)", options.temperature_K);
    if (!(options.start_after_s >= 0 && options.start_after_s <= 1e9)) {
        refuse("start after (s)", text(options.start_after_s), "0 to 1e9");
    }
    if (!(options.falloff_q_inv_angstrom >= 0) || !(options.beamstop_radius_px >= 0)) {
        refuse("falloff q or beamstop radius", "negative", "0 (none) or more");
    }
    for (const auto& centre : {options.beam_center_x, options.beam_center_y}) {
        if (centre && !std::isfinite(*centre)) refuse("beam centre", "not finite", "a pixel");
    }
}

/// The options with everything filled in that has a default depending on others.
SimulateOptions resolved(SimulateOptions options) {
    validate(options);
    if (const auto shape = fixed_shape(options.format)) {
        options.rows = shape->first;
        options.cols = shape->second;
    }
    if (!options.beam_center_x) options.beam_center_x = 0.5 * static_cast<double>(options.cols - 1);
    if (!options.beam_center_y) options.beam_center_y = 0.5 * static_cast<double>(options.rows - 1);
    if (options.diffusion == 0) {
        const double q = options.tau_at_q_inv_angstrom;
        options.diffusion = 1 / (options.tau_s * q * q);
    }
    return options;
}

// --- the detector ------------------------------------------------------------------------------

/// A module: its pixels are `first ... first + rows * cols - 1` of the simulated pixels.
struct Module {
    std::int64_t rows, cols, row, col;  ///< size, origin on the canvas
    std::size_t first;
    std::size_t n_pixels() const { return static_cast<std::size_t>(rows * cols); }
};

std::vector<Module> modules_of(const SimulateOptions& options) {
    if (!has_modules(options.format)) {
        return {{options.rows, options.cols, 0, 0, 0}};
    }
    std::vector<Module> modules;
    for (int n = 0; n < layout::n_modules; ++n) {
        const rigaku::ModuleOrigin at = layout::origin(n);
        modules.push_back({rigaku::module_rows,
                           rigaku::module_cols,
                           at.row,
                           at.col,
                           static_cast<std::size_t>(n * rigaku::module_pixels)});
    }
    return modules;
}

struct Detector {
    std::vector<Module> modules;
    std::vector<PixelModel> pixels;
    std::vector<std::int64_t> canvas;  ///< [pixel] row * cols + col
};

/// Chooses hot pixels by the seed, or takes those given; marks them.
std::vector<std::int64_t> set_hot(const SimulateOptions& options, Detector& detector) {
    std::vector<std::int64_t> hot;
    if (!options.hot_given.empty()) {
        std::vector<std::pair<std::int64_t, std::size_t>> where;
        for (std::size_t i = 0; i < detector.canvas.size(); ++i) {
            where.emplace_back(detector.canvas[i], i);
        }
        std::sort(where.begin(), where.end());
        for (const std::int64_t index : options.hot_given) {
            const auto at = std::lower_bound(
                where.begin(), where.end(), std::pair<std::int64_t, std::size_t>{index, 0});
            if (at == where.end() || at->first != index) {
                refuse("hot pixel", std::to_string(index), "a pixel of the detector");
            }
            detector.pixels[at->second].hot = true;
            hot.push_back(index);
        }
    } else {
        const auto n_pixels = static_cast<std::int64_t>(detector.pixels.size());
        require_integer("hot pixels", options.n_hot, 0, n_pixels);
        RandomStream random(options.seed, ~std::uint64_t{0});
        while (static_cast<std::int64_t>(hot.size()) < options.n_hot) {
            const auto pixel =
                static_cast<std::size_t>(random.bits() % static_cast<std::uint64_t>(n_pixels));
            if (detector.pixels[pixel].hot) continue;
            detector.pixels[pixel].hot = true;
            hot.push_back(detector.canvas[pixel]);
        }
    }
    std::sort(hot.begin(), hot.end());
    hot.erase(std::unique(hot.begin(), hot.end()), hot.end());
    return hot;
}

Detector make_detector(const SimulateOptions& options, SimulateReport& report) {
    Detector detector;
    detector.modules = modules_of(options);
    double sum = 0;
    for (const Module& module : detector.modules) {
        for (std::int64_t i = 0; i < module.rows * module.cols; ++i) {
            const std::int64_t row = module.row + i / module.cols;
            const std::int64_t col = module.col + i % module.cols;
            const double y = static_cast<double>(row), x = static_cast<double>(col);
            const double q = simulated_q(options, y, x);
            const double r = std::hypot(x - *options.beam_center_x, y - *options.beam_center_y);
            PixelModel pixel;
            pixel.relaxation = options.diffusion * q * q * options.frame_time_s;
            const bool blind =
                options.format == SimulateFormat::timepix4 && spidr4::is_digital({row, col});
            if (r >= options.beamstop_radius_px && !blind) {
                const double falloff = options.falloff_q_inv_angstrom;
                const double ratio = falloff > 0 ? q / falloff : 0;
                pixel.mean = 1 / ((1 + ratio * ratio) * (1 + ratio * ratio));
                ++report.lit_pixels;
            }
            sum += pixel.mean;
            detector.pixels.push_back(pixel);
            detector.canvas.push_back(row * options.cols + col);
        }
    }
    if (report.lit_pixels == 0) {
        refuse("beamstop radius", text(options.beamstop_radius_px), "less than the whole detector");
    }
    const double scale = options.occupancy * static_cast<double>(report.lit_pixels) / sum;
    for (PixelModel& pixel : detector.pixels) {
        pixel.mean *= scale;
    }
    report.hot_pixels = set_hot(options, detector);
    return detector;
}

// --- slabs of frames ---------------------------------------------------------------------------

constexpr std::size_t tile_pixels = 8192;

struct Totals {
    std::int64_t events = 0, photons = 0;
    std::int64_t clipped = 0;  ///< counts larger than the file can hold
};

/// Events of one module in a span of frames: made pixel by pixel, tile by tile on all threads, then
/// put in order of (frame, pixel) by counting.
class EventSlab {
  public:
    /// No pixel counts more than `most` in a frame.
    explicit EventSlab(std::uint32_t most) : most_(most) {}

    void make(SpecklePixels& pixels,
              const Module& module,
              std::int64_t begin,
              std::int64_t end,
              Totals& totals) {
        const std::size_t n_tiles = (module.n_pixels() + tile_pixels - 1) / tile_pixels;
        const auto n_frames = static_cast<std::size_t>(end - begin);
        tiles_.resize(n_tiles);
        tbb::parallel_for(std::size_t{0}, n_tiles, [&](std::size_t tile) {
            make_tile(pixels, module, tile, begin, end);
        });
        std::size_t position = 0;
        for (std::size_t frame = 0; frame < n_frames; ++frame) {
            for (Tile& tile : tiles_) {
                const std::uint32_t n = tile.start[frame];
                tile.start[frame] = static_cast<std::uint32_t>(position);
                position += n;
            }
        }
        events_.resize(position);
        tbb::parallel_for(std::size_t{0}, n_tiles, [&](std::size_t tile) {
            Tile& mine = tiles_[tile];
            for (const Photons& event : mine.events)
                events_[mine.start[static_cast<std::size_t>(event.frame - begin)]++] = event;
        });
        for (const Tile& tile : tiles_) {
            totals.events += static_cast<std::int64_t>(tile.events.size());
            totals.photons += tile.photons;
            totals.clipped += tile.clipped;
        }
    }
    const std::vector<Photons>& events() const { return events_; }

  private:
    struct Tile {
        std::vector<Photons> events;
        std::vector<std::uint32_t> start;  ///< [frame] number of events, then their place
        std::int64_t photons = 0, clipped = 0;
    };

    void make_tile(SpecklePixels& pixels,
                   const Module& module,
                   std::size_t number,
                   std::int64_t begin,
                   std::int64_t end) {
        Tile& tile = tiles_[number];
        tile.events.clear();
        tile.photons = tile.clipped = 0;
        tile.start.assign(static_cast<std::size_t>(end - begin), 0);
        const std::size_t last = std::min((number + 1) * tile_pixels, module.n_pixels());
        for (std::size_t local = number * tile_pixels; local < last; ++local) {
            pixels.advance(
                module.first + local, begin, end, [&](std::int64_t frame, std::uint32_t count) {
                    const std::uint32_t kept = std::min(count, most_);
                    tile.events.push_back({frame, static_cast<std::uint32_t>(local), kept});
                    ++tile.start[static_cast<std::size_t>(frame - begin)];
                    tile.photons += kept;
                    tile.clipped += count > most_;
                });
        }
    }

    std::uint32_t most_;
    std::vector<Tile> tiles_;
    std::vector<Photons> events_;
};

/// Frames per slab: bounded in memory, whatever the run; the events do not depend on it.
std::int64_t slab_frames(const SimulateOptions& options, const Detector& detector) {
    if (is_dense(options.format)) {
        constexpr std::int64_t bytes = 64 << 20;
        const std::int64_t frame_bytes = options.rows * options.cols * options.sample_bytes;
        return std::max<std::int64_t>(1, bytes / frame_bytes);
    }
    constexpr double events = 8e6;
    constexpr double most = 16384;
    double per_frame = 0;
    for (const PixelModel& pixel : detector.pixels) {
        per_frame += pixel.hot ? options.hot_rate : std::min(pixel.mean, 1.0);
    }
    return static_cast<std::int64_t>(std::clamp(events / per_frame, 1.0, most));
}

template <class Sample>
void fill_frames(SpecklePixels& pixels,
                 std::int64_t begin,
                 std::int64_t end,
                 std::vector<std::byte>& buffer,
                 Totals& totals) {
    const std::size_t n_pixels = pixels.size();
    const auto n_frames = static_cast<std::size_t>(end - begin);
    buffer.assign(n_frames * n_pixels * sizeof(Sample), std::byte{0});
    auto* const samples = reinterpret_cast<Sample*>(buffer.data());
    const std::size_t n_tiles = (n_pixels + tile_pixels - 1) / tile_pixels;
    std::vector<Totals> of_tile(n_tiles);
    tbb::parallel_for(std::size_t{0}, n_tiles, [&](std::size_t tile) {
        constexpr std::uint32_t most = std::numeric_limits<Sample>::max() - 1;
        Totals sum;
        const std::size_t last = std::min((tile + 1) * tile_pixels, n_pixels);
        for (std::size_t pixel = tile * tile_pixels; pixel < last; ++pixel) {
            pixels.advance(pixel, begin, end, [&](std::int64_t frame, std::uint32_t count) {
                const std::uint32_t kept = std::min(count, most);
                const auto row = static_cast<std::size_t>(frame - begin);
                samples[row * n_pixels + pixel] = static_cast<Sample>(kept);
                ++sum.events;
                sum.photons += kept;
                sum.clipped += count > most;
            });
        }
        of_tile[tile] = sum;
    });
    for (const Totals& sum : of_tile) {
        totals.events += sum.events;
        totals.photons += sum.photons;
        totals.clipped += sum.clipped;
    }
}

void report_progress(const SimulateOptions& options, std::int64_t done) {
    if (!options.progress) return;
    options.progress(static_cast<double>(done) / static_cast<double>(options.n_frames));
}

using Files = std::vector<std::unique_ptr<NewFile>>;

std::uint32_t largest_count(const SimulateOptions& options) {
    switch (options.format) {
    case SimulateFormat::ufxc:
        return 3;
    case SimulateFormat::ftf:
        return ftf::Unpack{options.ftf_bits}.largest_count();
    case SimulateFormat::imm:
        return 0xFFFF;
    default:
        return rigaku::count_limit - 1;
    }
}

std::unique_ptr<PhotonWriter> photon_writer(const SimulateOptions& options, const NewFile& file) {
    const std::string& path = file.hidden_path();
    switch (options.format) {
    case SimulateFormat::imm:
        return imm_writer(path, options.rows, options.cols, options.frame_time_s);
    case SimulateFormat::ftf:
        return ftf_writer(path, options.n_frames, options.ftf_bits);
    case SimulateFormat::ufxc:
        return ufxc_writer(path);
    case SimulateFormat::hdf5_sparse:
        return sparse_hdf5_writer(path, options.rows, options.cols);
    case SimulateFormat::timepix4:
        return spidr4_writer(path, spidr4_bin_ticks(options.frame_time_s));
    default: {
        RigakuLayout layout{file.path()};
        if (has_modules(options.format)) layout.index_offset = rigaku::module_offset;
        return rigaku_writer(path, layout);
    }
    }
}

Totals write_photons(const SimulateOptions& options,
                     const Detector& detector,
                     SpecklePixels& pixels,
                     const Files& raw) {
    const std::int64_t step = slab_frames(options, detector);
    std::vector<std::unique_ptr<PhotonWriter>> writers;
    for (const auto& file : raw)
        writers.push_back(photon_writer(options, *file));
    Totals totals;
    EventSlab slab(largest_count(options));
    for (std::int64_t begin = 0; begin < options.n_frames; begin += step) {
        const std::int64_t end = std::min(begin + step, options.n_frames);
        for (std::size_t m = 0; m < detector.modules.size(); ++m) {
            slab.make(pixels, detector.modules[m], begin, end, totals);
            writers[m]->add(slab.events());
        }
        report_progress(options, end);
    }
    for (const auto& writer : writers)
        writer->close(options.n_frames);
    return totals;
}

std::unique_ptr<FramesWriter> frames_writer(const SimulateOptions& options, const Files& raw) {
    const FrameLayout layout{options.n_frames,
                             options.rows,
                             options.cols,
                             options.sample_bytes,
                             options.compression,
                             options.contiguous};
    std::vector<NamedFile> files;
    for (const auto& file : raw)
        files.push_back({file->hidden_path(), file->path()});
    const NamedFile first = files.front();
    files.erase(files.begin());
    switch (options.format) {
    case SimulateFormat::imm_dense:
        return imm_frames_writer(first.path, layout, options.frame_time_s);
    case SimulateFormat::dectris:
        return dectris_writer(first, files, layout);
    case SimulateFormat::dectris4d:
        return virtual_writer(first, files, layout);
    default:
        return std::make_unique<FrameWriter>(first.path, layout);
    }
}

Totals write_frames(const SimulateOptions& options,
                    const Detector& detector,
                    SpecklePixels& pixels,
                    const Files& raw) {
    const std::int64_t step = slab_frames(options, detector);
    const std::unique_ptr<FramesWriter> writer = frames_writer(options, raw);
    Totals totals;
    std::vector<std::byte> buffer;
    for (std::int64_t begin = 0; begin < options.n_frames; begin += step) {
        const std::int64_t end = std::min(begin + step, options.n_frames);
        if (options.sample_bytes == 1) {
            fill_frames<std::uint8_t>(pixels, begin, end, buffer, totals);
        } else if (options.sample_bytes == 2) {
            fill_frames<std::uint16_t>(pixels, begin, end, buffer, totals);
        } else {
            fill_frames<std::uint32_t>(pixels, begin, end, buffer, totals);
        }
        writer->write(begin, end - begin, buffer.data());
        report_progress(options, end);
    }
    writer->close();
    return totals;
}

/// Hot pixels of dense data must stand out of the light as well.
std::uint32_t hot_counts(const SimulateOptions& options) {
    return static_cast<std::uint32_t>(std::max(1.0, std::ceil(10 * options.occupancy)));
}

}  // namespace

void validate(const SimulateOptions& options) {
    validate_detector(options);
    validate_physics(options);
    if (options.output.empty()) refuse("output", "''", "a file name");
    static_cast<void>(simulated_stem(options));
}

double simulated_q(const SimulateOptions& options, double row, double col) {
    constexpr double hc_keV_angstrom = 12.39841984;
    const double k = 2 * std::numbers::pi * options.energy_keV / hc_keV_angstrom;
    const double x = (col - options.beam_center_x.value_or(0.5 * double(options.cols - 1)));
    const double y = (row - options.beam_center_y.value_or(0.5 * double(options.rows - 1)));
    const double r = std::hypot(x, y) * options.pixel_size_m;
    return 2 * k * std::sin(0.5 * std::atan(r / options.distance_m));
}

SimulateReport simulate(const SimulateOptions& given) {
    const SimulateOptions options = resolved(given);
    SimulateReport report;
    report.rows = options.rows;
    report.cols = options.cols;
    report.diffusion = options.diffusion;
    report.beam_center_x = *options.beam_center_x;
    report.beam_center_y = *options.beam_center_y;
    report.raw_files = simulated_files(options);
    const std::string stem = simulated_stem(options);
    report.metadata_file = stem + "_metadata.hdf";
    report.truth_file = stem + "_truth.json";

    Files raw;
    for (const std::string& name : report.raw_files) {
        raw.push_back(std::make_unique<NewFile>(name, options.overwrite));
    }
    NewFile metadata(report.metadata_file, options.overwrite);
    NewFile truth(report.truth_file, options.overwrite);

    const Detector detector = make_detector(options, report);
    SpecklePixels pixels(detector.pixels,
                         modes_for(options.contrast),
                         options.seed,
                         options.hot_rate,
                         hot_counts(options));
    tbb::task_arena arena(options.threads > 0 ? options.threads : tbb::task_arena::automatic);
    const Totals totals = arena.execute([&] {
        return is_dense(options.format) ? write_frames(options, detector, pixels, raw)
                                        : write_photons(options, detector, pixels, raw);
    });
    report.n_events = totals.events;
    report.n_photons = totals.photons;
    report.n_clipped = totals.clipped;

    write_simulated_metadata(metadata.hidden_path(), options, report);
    const std::string facts = simulated_truth(options, report);
    truth.append(facts.data(), facts.size());
    for (const auto& file : raw) {
        file->sync();
    }
    metadata.sync();
    truth.sync();
    truth.publish();
    metadata.publish();
    for (const auto& file : raw) {
        file->publish();
    }
    return report;
}

}  // namespace xpcs
