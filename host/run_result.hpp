// SPDX-License-Identifier: BSD-3-Clause
// Everything that a run found out, gathered for the result file, the log and the summary.
#pragma once

#include "host/metadata.hpp"
#include "host/qmap.hpp"
#include "host/readers/frame_source.hpp"
#include "host/run_config.hpp"
#include "kernels/error_estimates.hpp"
#include "kernels/results.hpp"
#include "kernels/twotime_multitau.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xpcs {

/// The frame selection after begin, end, stride and average were applied to the file.
struct FrameSelection {
    std::int64_t begin = 0;  ///< first raw frame used
    std::int64_t end = 0;    ///< exclusive
    std::int64_t stride = 1;
    std::int64_t average = 1;
    std::int64_t n_frames = 0;  ///< T, after stride and averaging
    std::int64_t n_frames_file = 0;
    std::int64_t raw_frames_used = 0;  ///< n_frames * average
    bool operator==(const FrameSelection&) const = default;
};

/// Rules 1-5 of frame selection (docs/numerics.md). Throws Error (config) where nothing is left:
/// begin >= end, end < -1, fewer than 2 frames.
FrameSelection select_frames(std::int64_t n_frames_file,
                             std::int64_t begin,
                             std::int64_t end,
                             std::int64_t stride,
                             std::int64_t average);

struct InputFile {
    std::string path;
    std::uint64_t size_bytes = 0;
    std::string modified;  ///< ISO 8601, UTC
};

/// What was kept and what was dropped, and why.
struct RunCounts {
    DecodeCounts decode;
    std::int64_t events_kept = 0;  ///< (pixel, frame) records used (dense: samples > 0)
    std::int64_t photons_kept = 0;
    std::int64_t events_masked = 0;          ///< on pixels that are not kept
    std::int64_t events_outside_frames = 0;  ///< outside the frame selection
    std::int64_t duplicates = 0;             ///< records summed into an earlier one
    std::int64_t trailing_bytes = 0;
    std::int64_t overflow_samples = 0;  ///< all-ones samples met
    std::int64_t overflow_pixels = 0;   ///< pixels excluded for them
    std::int64_t empty_frames = 0;      ///< of the frames used
    std::int64_t excluded_frames = 0;   ///< by frame normalisation
    double occupancy = 0;               ///< events_kept / (kept pixels * frames)
    double saturated_fraction = 0;
    int saturation_level = 0;            ///< 3, 15, 255 or 4095; 0 = none suspected
    std::int64_t masked_hot_pixels = 0;  ///< by --mask-hot
    bool no_signal = false;
};

struct HotPixel {
    std::int64_t row = 0, col = 0;
    std::int64_t photons = 0;
    std::uint32_t static_label = 0, dynamic_label = 0;
    double share_of_bin = 0;  ///< of the counts of its dynamic bin
};

/// What the two-time analysis leaves besides its maps. Columns are the processed bins, in order.
struct TwotimeTable {
    std::vector<std::int32_t> labels;   ///< [n_b] dynamic label of each map
    std::vector<std::int32_t> natural;  ///< [n_b] natural bin
    std::int64_t n_frames = 0;
    std::int64_t segment_frames = 0;         ///< floor(T / 5)
    std::vector<float> g2;                   ///< [T][n_b]
    std::vector<float> g2_segments;          ///< [segment_frames][5][n_b]
    std::vector<std::int64_t> empty_frames;  ///< [n_b] frames without a count
};

/// The same of the multi-tau two-time analysis.
struct BandTable {
    std::vector<std::int32_t> labels, natural;  ///< [n_b]
    int depth = 0;
    std::vector<BandLevel> levels;
    std::vector<std::int64_t> lags;      ///< [n_lags] frames
    std::vector<float> g2, g2_err;       ///< [n_lags][n_b]
    std::vector<std::int64_t> n_values;  ///< [n_lags][n_b]
};

struct RunResult {
    RunConfig config;
    std::string raw;  ///< this run's raw file as given
    SourceInfo source;
    Metadata metadata;
    QMap qmap;
    PartitionReport partition_report;
    std::vector<std::uint32_t> label_of_static;   ///< [n_static] see QMapPartition
    std::vector<std::int64_t> pixels_per_static;  ///< [n_static] kept pixels of each static bin
    FrameSelection frames;
    double frame_time_s = 0;  ///< of one raw frame
    FrameTimes frame_times;   ///< that came with the raw frames, empty if none did
    std::string engine;       ///< "sparse" or "dense"
    std::string device;       ///< "cpu (2 threads)", "gpu:0 NVIDIA H100 ..."
    std::string host_name;
    std::string started, finished;  ///< ISO 8601, UTC
    std::vector<InputFile> inputs;
    RunCounts counts;
    std::vector<HotPixel> hot_pixels;  ///< outliers of their static bin (kernels/hot_pixels.hpp)
    std::vector<std::int64_t> pixels_per_dynamic;  ///< [n_dynamic]
    OneTime one_time;
    std::optional<PartialG2> partial;
    std::optional<ErrorEstimates> errors;  ///< with --errors
    std::optional<TwotimeTable> two_time;
    std::optional<BandTable> band;
    Scattering scattering;
    std::vector<std::pair<std::string, double>> stage_s;  ///< wall seconds, in order
    std::uint64_t peak_memory_bytes = 0;
    std::vector<std::string> warnings;  ///< everything the log warned of
};

}  // namespace xpcs
