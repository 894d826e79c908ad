// SPDX-License-Identifier: BSD-3-Clause
// One pass over a raw file: events, occupancy, saturation, hottest pixels.
#include "host/errors.hpp"
#include "host/inspect.hpp"
#include "host/readers/frame_source.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <type_traits>

namespace xpcs {

namespace {

constexpr std::size_t n_hottest = 10;
constexpr double much = 0.03;  ///< occupancy above which sparse files are larger than dense ones

class RawScan {
  public:
    RawScan(std::int64_t rows, std::int64_t cols)
        : photons_(static_cast<std::size_t>(rows * cols), 0),
          events_(static_cast<std::size_t>(rows * cols), 0) {}

    void add(const EventChunk& chunk) {
        for (std::size_t i = 0; i < chunk.size(); ++i) {
            count(chunk.pixel[i], chunk.count[i], chunk.frame_base + chunk.frame[i]);
        }
    }
    void add(const DenseChunk& chunk) {
        switch (chunk.sample_bytes) {
        case 1:
            return add_samples<std::uint8_t>(chunk);
        case 2:
            return add_samples<std::uint16_t>(chunk);
        default:
            return add_samples<std::uint32_t>(chunk);
        }
    }

    std::int64_t events() const {
        return std::accumulate(events_.begin(), events_.end(), std::int64_t{0});
    }
    std::int64_t photons() const {
        return std::accumulate(photons_.begin(), photons_.end(), std::int64_t{0});
    }
    std::int64_t pixels_hit() const {
        return std::count_if(events_.begin(), events_.end(), [](std::int64_t n) { return n > 0; });
    }
    std::int64_t first_frame() const { return first_frame_; }
    std::int64_t last_frame() const { return last_frame_; }
    std::int64_t no_data() const { return no_data_; }
    std::int64_t pixel_photons(std::size_t pixel) const { return photons_[pixel]; }

    std::vector<std::size_t> hottest() const {
        std::vector<std::size_t> order(photons_.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        const auto n = static_cast<std::ptrdiff_t>(std::min(n_hottest, order.size()));
        std::partial_sort(
            order.begin(), order.begin() + n, order.end(), [&](std::size_t a, std::size_t b) {
                return photons_[a] != photons_[b] ? photons_[a] > photons_[b] : a < b;
            });
        order.resize(static_cast<std::size_t>(n));
        std::erase_if(order, [&](std::size_t pixel) { return photons_[pixel] == 0; });
        return order;
    }

  private:
    void count(std::uint32_t pixel, std::uint32_t photons, std::int64_t frame) {
        if (pixel >= photons_.size()) {
            return;  // dropped and counted by the reader
        }
        photons_[pixel] += photons;
        ++events_[pixel];
        first_frame_ = first_frame_ < 0 ? frame : std::min(first_frame_, frame);
        last_frame_ = std::max(last_frame_, frame);
    }
    template <class Sample>
    void add_samples(const DenseChunk& chunk) {
        const auto n = static_cast<std::size_t>(chunk.n_pixels);
        for (std::int64_t frame = 0; frame < chunk.n_frames; ++frame) {
            const std::byte* at =
                chunk.samples.data() + static_cast<std::size_t>(frame) * n * sizeof(Sample);
            for (std::size_t pixel = 0; pixel < n; ++pixel) {
                Sample sample;
                std::memcpy(&sample, at + pixel * sizeof(Sample), sizeof sample);
                if (sample == std::numeric_limits<Sample>::max()) {
                    ++no_data_;
                } else if (sample > 0) {
                    count(static_cast<std::uint32_t>(pixel), sample, chunk.first_frame + frame);
                }
            }
        }
    }
    std::vector<std::int64_t> photons_, events_;
    std::int64_t first_frame_ = -1, last_frame_ = -1, no_data_ = 0;
};

struct Saturation {
    std::int64_t level = 0;
    std::int64_t at_level = 0;
};

/// The mode of the counter, told from the largest count: 3, 15, 255 or 4095.
Saturation saturation_of(const DecodeCounts& counts) {
    switch (counts.largest_count) {
    case 3:
        return {3, counts.at_maximum_3};
    case 15:
        return {15, counts.at_maximum_15};
    case 255:
        return {255, counts.at_maximum_255};
    case 4095:
        return {4095, counts.at_maximum_4095};
    default:
        return {};
    }
}

void describe_counts(const DecodeCounts& counts, const SourceInfo& info, Inspection& to) {
    const auto add = [&](const char* name, NamedScalar value, const char* unit = "") {
        to.values.push_back({name, unit, std::move(value)});
    };
    if (!info.sparse) {
        return;
    }
    add("records", counts.records);
    add("records with count 0", counts.zero_count);
    add("records beyond the detector", counts.bad_index);
    add("records out of order", counts.out_of_order);
    add("wraps of the frame counter", counts.counter_wraps);
    if (counts.bad_index > 0) {
        to.warnings.push_back(std::to_string(counts.bad_index) +
                              " records lie beyond the detector: is its shape right (--shape)?");
    }
    if (counts.out_of_order > 0) {
        to.warnings.push_back(std::to_string(counts.out_of_order) + " records are out of order");
    }
}

void describe_hottest(const RawScan& scan, std::int64_t cols, Inspection& to) {
    const double total = static_cast<double>(std::max<std::int64_t>(scan.photons(), 1));
    int rank = 0;
    for (const std::size_t pixel : scan.hottest()) {
        const auto index = static_cast<std::int64_t>(pixel);
        const double share = 100 * static_cast<double>(scan.pixel_photons(pixel)) / total;
        to.values.push_back({"hottest pixel " + std::to_string(++rank),
                             "",
                             "row " + std::to_string(index / cols) + ", column " +
                                 std::to_string(index % cols) + ": " +
                                 std::to_string(scan.pixel_photons(pixel)) + " photons, " +
                                 to_text(NamedScalar(share)) + " %"});
    }
}

}  // namespace

void inspect_raw(const std::string& path, const InspectOptions& options, Inspection& to) {
    SourceOptions source_options;
    source_options.dataset = options.dataset;
    source_options.bin_time_s = options.bin_time_s;
    source_options.drop_bad_index = true;  // counted, so that the shape can be doubted
    source_options.allow_missing_module = true;
    const auto source = open_frame_source(path, source_options);
    const bool assumed = source->info().rows == 0;
    if (assumed) {
        source->set_shape(options.rows, options.cols);
    }
    const SourceInfo& info = source->info();
    const std::int64_t rows = info.rows > 0 ? info.rows : options.rows;
    const std::int64_t cols = info.cols > 0 ? info.cols : options.cols;

    RawScan scan(rows, cols);
    DecodeCounts counts;
    RawBlock block;
    Chunk chunk;
    while (source->next(block)) {
        DecodeCounts of_block;
        source->decode(block, chunk, of_block);
        counts += of_block;
        std::visit([&](const auto& decoded) { scan.add(decoded); }, chunk);
    }

    const auto add = [&](const char* name, NamedScalar value, const char* unit = "") {
        to.values.push_back({name, unit, std::move(value)});
    };
    const std::int64_t frames = frames_seen(info, std::max(counts.last_frame, scan.last_frame()));
    add("format", info.format);
    add("detected by", info.detected_by);
    add("files", info.files);
    add("size", static_cast<std::int64_t>(info.n_bytes), "bytes");
    add("rows", rows);
    add("cols", cols);
    if (assumed) {
        add("shape", std::string("not in the file: assumed"));
    }
    add("frames", frames);
    if (info.frame_time_s > 0) add("frame time", info.frame_time_s, "s");
    if (info.n_frames_hint > 0) {
        add("frames by the file name", info.n_frames_hint);
        if (info.n_frames_hint > frames) {
            to.warnings.push_back("the file name says " + std::to_string(info.n_frames_hint) +
                                  " frames, the last event lies in frame " +
                                  std::to_string(frames - 1));
        }
    }
    add("first frame with photons", scan.first_frame());
    add("last frame with photons", scan.last_frame());
    add("events", scan.events());
    add("photons", scan.photons(), "counts");
    add("pixels with photons", scan.pixels_hit());
    const double cells = static_cast<double>(rows) * static_cast<double>(cols) *
                         static_cast<double>(std::max<std::int64_t>(frames, 1));
    const double occupancy = static_cast<double>(scan.events()) / cells;
    add("occupancy", occupancy);
    if (info.sparse && occupancy > much) {
        to.warnings.push_back("occupancy above 3 %: a dense file would be smaller");
    }
    if (!info.sparse) {
        add("samples without data", scan.no_data());
    }
    if (info.sparse) {
        const Saturation saturation = saturation_of(counts);
        const double share = static_cast<double>(saturation.at_level) /
                             static_cast<double>(std::max<std::int64_t>(scan.events(), 1));
        add("largest count", counts.largest_count);
        add("saturation level", saturation.level, saturation.level > 0 ? "counts" : "");
        add("share of saturated counts", share);
    }
    describe_counts(counts, info, to);
    describe_hottest(scan, cols, to);
    to.warnings.insert(to.warnings.end(), info.warnings.begin(), info.warnings.end());
    if (scan.events() == 0) {
        to.warnings.emplace_back("no photons");
    }
}

}  // namespace xpcs
