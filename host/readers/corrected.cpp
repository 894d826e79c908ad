// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/corrected.hpp"

#include "host/errors.hpp"
#include "host/h5.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

namespace xpcs {

namespace {

constexpr std::uint32_t no_data_value = std::numeric_limits<std::uint32_t>::max();

/// Calls visit(pixel, value) for every sample of a frame that has data; missing(pixel) for others.
template <class Sample, class Visit, class Missing>
void for_each_sample(const std::byte* samples,
                     std::int64_t n_pixels,
                     const Visit& visit,
                     const Missing& missing) {
    for (std::int64_t p = 0; p < n_pixels; ++p) {
        Sample value;
        std::memcpy(&value, samples + p * static_cast<std::int64_t>(sizeof value), sizeof value);
        if (value == std::numeric_limits<Sample>::max()) {
            missing(p);
        } else {
            visit(p, value);
        }
    }
}

template <class Visit, class Missing>
void for_each_frame(const DenseChunk& chunk, const Visit& visit, const Missing& missing) {
    for (std::int64_t f = 0; f < chunk.n_frames; ++f) {
        const std::byte* at = chunk.samples.data() + f * chunk.n_pixels * chunk.sample_bytes;
        const auto take = [&](std::int64_t p, auto value) { visit(f, p, value); };
        const auto skip = [&](std::int64_t p) { missing(f, p); };
        if (chunk.sample_bytes == 1) {
            for_each_sample<std::uint8_t>(at, chunk.n_pixels, take, skip);
        } else if (chunk.sample_bytes == 2) {
            for_each_sample<std::uint16_t>(at, chunk.n_pixels, take, skip);
        } else {
            for_each_sample<std::uint32_t>(at, chunk.n_pixels, take, skip);
        }
    }
}

class CorrectedSource final : public FrameSource {
  public:
    CorrectedSource(std::unique_ptr<FrameSource> source,
                    std::shared_ptr<const FrameCorrection> correction)
        : source_(std::move(source)), correction_(std::move(correction)), info_(source_->info()) {
        adapt();
    }
    const SourceInfo& info() const override { return info_; }
    void set_shape(std::int64_t rows, std::int64_t cols) override {
        source_->set_shape(rows, cols);
        info_ = source_->info();
        adapt();
    }
    void select(std::int64_t first, std::int64_t end) override { source_->select(first, end); }
    bool next(RawBlock& block) override { return source_->next(block); }
    void decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const override;
    double fraction_read() const override { return source_->fraction_read(); }
    const FrameTimes& frame_times() const override { return source_->frame_times(); }

  private:
    void adapt() {
        info_.sample_bytes = 4;
        info_.whole_frames = info_.parts = false;  // they are made here
        info_.sample_scale = FrameCorrection::scale;
    }
    std::uint32_t sample(std::int64_t pixel, double raw) const;

    std::unique_ptr<FrameSource> source_;
    std::shared_ptr<const FrameCorrection> correction_;
    SourceInfo info_;
};

std::uint32_t CorrectedSource::sample(std::int64_t pixel, double raw) const {
    const FrameCorrection& c = *correction_;
    const auto p = static_cast<std::size_t>(pixel);
    const double dark = c.dark.empty() ? 0.0 : c.dark[p];
    if (std::isnan(dark)) return no_data_value;
    double value = raw - dark;
    if (!(value > 0) || !(value > c.threshold[p])) return 0;
    if (!c.flat.empty()) value *= static_cast<double>(c.flat[p]);
    const double scaled = std::floor(value * static_cast<double>(FrameCorrection::scale) + 0.5);
    if (scaled >= static_cast<double>(no_data_value)) {
        throw Error(ExitCode::data,
                    fmt::format("{}: pixel {} has {} counts after the correction; at most {} can "
                                "be held",
                                info_.files.front(),
                                pixel,
                                value,
                                (no_data_value - 1) / FrameCorrection::scale));
    }
    return static_cast<std::uint32_t>(scaled);
}

void CorrectedSource::decode(const RawBlock& block, Chunk& chunk, DecodeCounts& counts) const {
    thread_local Chunk raw_chunk;
    source_->decode(block, raw_chunk, counts);
    const auto& raw = std::get<DenseChunk>(raw_chunk);
    if (!std::holds_alternative<DenseChunk>(chunk)) chunk = DenseChunk{};
    auto& out = std::get<DenseChunk>(chunk);
    out.first_frame = raw.first_frame;
    out.n_frames = raw.n_frames;
    out.n_pixels = raw.n_pixels;
    out.sample_bytes = 4;
    auto* to = reinterpret_cast<std::uint32_t*>(
        out.allocate(static_cast<std::size_t>(raw.n_frames * raw.n_pixels) * 4).data());
    for_each_frame(
        raw,
        [&](std::int64_t f, std::int64_t p, auto value) {
            to[f * raw.n_pixels + p] = sample(p, static_cast<double>(value));
        },
        [&](std::int64_t f, std::int64_t p) { to[f * raw.n_pixels + p] = no_data_value; });
}

/// Mean and standard deviation of each pixel over dark frames.
struct DarkImage {
    std::vector<double> mean, deviation;
};

DarkImage dark_image(FrameSource& source, const std::string& name, FrameSpan frames) {
    const std::int64_t n_file = source.info().n_frames;
    if (frames.end == 0) frames.end = n_file;
    if (frames.end > n_file) {
        throw Error(ExitCode::config,
                    fmt::format("{}: dark frames {}:{}; the file has {} frames",
                                name,
                                frames.first,
                                frames.end,
                                n_file));
    }
    source.select(frames.first, frames.end);
    const auto n_pixels = static_cast<std::size_t>(source.info().rows * source.info().cols);
    std::vector<double> n(n_pixels, 0.0), sum(n_pixels, 0.0), squares(n_pixels, 0.0);
    std::vector<std::uint8_t> broken(n_pixels, 0);
    RawBlock block;
    Chunk chunk;
    DecodeCounts counts;
    while (source.next(block)) {
        throw_if_stopped();
        source.decode(block, chunk, counts);
        for_each_frame(
            std::get<DenseChunk>(chunk),
            [&](std::int64_t, std::int64_t p, auto value) {
                const auto at = static_cast<std::size_t>(p);
                const auto v = static_cast<double>(value);
                n[at] += 1;
                sum[at] += v;
                squares[at] += v * v;
            },
            [&](std::int64_t, std::int64_t p) { broken[static_cast<std::size_t>(p)] = 1; });
    }
    DarkImage out{std::vector<double>(n_pixels), std::vector<double>(n_pixels)};
    for (std::size_t p = 0; p < n_pixels; ++p) {
        const bool good = broken[p] == 0 && n[p] > 0;
        const double mean = good ? sum[p] / n[p] : std::numeric_limits<double>::quiet_NaN();
        out.mean[p] = mean;
        out.deviation[p] = good ? std::sqrt(std::max(squares[p] / n[p] - mean * mean, 0.0)) : 0.0;
    }
    return out;
}

std::vector<float> flat_image(const std::string& given, std::int64_t rows, std::int64_t cols) {
    const auto colon = given.rfind(":/");
    const h5::File file = h5::open_file(given.substr(0, colon));
    const std::string path = given.substr(colon + 1);
    if (!h5::is_dataset(file.id(), path)) {
        throw Error(ExitCode::data, "flat field '" + printable(given) + "': no such dataset");
    }
    const h5::Dataset dataset = h5::open_dataset(file.id(), path);
    const h5::Shape shape = h5::shape_of(dataset);
    const h5::Shape expected{static_cast<hsize_t>(rows), static_cast<hsize_t>(cols)};
    if (shape != expected) {
        throw Error(ExitCode::data,
                    "flat field '" + printable(given) + "': shape " + h5::to_string(shape) +
                        "; that of the detector, " + h5::to_string(expected) + ", expected");
    }
    std::vector<float> flat = h5::read<float>(dataset);
    for (std::size_t p = 0; p < flat.size(); ++p) {
        if (std::isfinite(flat[p]) && flat[p] >= 0) continue;
        throw Error(ExitCode::data,
                    fmt::format("flat field '{}': {} at row {} column {}; finite and at least 0 "
                                "expected",
                                printable(given),
                                flat[p],
                                p / static_cast<std::size_t>(cols),
                                p % static_cast<std::size_t>(cols)));
    }
    return flat;
}

}  // namespace

std::unique_ptr<FrameSource> corrected(std::unique_ptr<FrameSource> source,
                                       std::shared_ptr<const FrameCorrection> correction) {
    return std::make_unique<CorrectedSource>(std::move(source), std::move(correction));
}

namespace {

/// Says which of the two files of frames cannot be opened.
std::unique_ptr<FrameSource>
open_dark(const RunConfig& config, const std::string& name, const SourceOptions& options) {
    try {
        return open_frame_source(name, options);
    } catch (const Error& error) {
        if (config.dark.empty()) throw;
        throw Error(error.code(), std::string("--dark: ") + error.what());
    }
}

}  // namespace

std::shared_ptr<const FrameCorrection> load_correction(const RunConfig& config,
                                                       const std::string& raw,
                                                       const SourceOptions& frames,
                                                       const SourceInfo& source,
                                                       std::int64_t rows,
                                                       std::int64_t cols) {
    if (source.sparse) {
        throw Error(ExitCode::config,
                    raw + ": " + source.format +
                        " is a list of events; --dark, --flat, --lld and --sigma need frames");
    }
    auto out = std::make_shared<FrameCorrection>();
    out->n_pixels = rows * cols;
    out->threshold.assign(static_cast<std::size_t>(out->n_pixels), config.lld);
    if (!config.dark.empty() || !config.dark_frames.empty()) {
        const std::string name = config.dark.empty() ? raw : config.dark;
        SourceOptions options = frames;
        options.correction = nullptr;
        if (!config.dark.empty()) {
            options.more_files.clear();
            options.n_frames = 0;
        }
        const std::unique_ptr<FrameSource> dark = open_dark(config, name, options);
        if (dark->info().sparse) {
            throw Error(ExitCode::config, name + ": dark frames are expected, not events");
        }
        if (dark->info().rows != rows || dark->info().cols != cols) {
            throw Error(ExitCode::data,
                        fmt::format("{}: dark frames of {} x {} pixels; the detector has {} x {}",
                                    name,
                                    dark->info().rows,
                                    dark->info().cols,
                                    rows,
                                    cols));
        }
        DarkImage image = dark_image(*dark, name, parse_dark_frames(config.dark_frames));
        for (std::size_t p = 0; p < out->threshold.size(); ++p)
            out->threshold[p] += config.sigma * image.deviation[p];
        out->dark = std::move(image.mean);
    }
    if (!config.flat.empty()) out->flat = flat_image(config.flat, rows, cols);
    return out;
}

}  // namespace xpcs
