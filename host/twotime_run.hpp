// SPDX-License-Identifier: BSD-3-Clause
// The two-time analyses of a run: bin by bin, each map written while it is made.
#pragma once

#include "host/result_file.hpp"
#include "host/run_setup.hpp"
#include "kernels/frame_map.hpp"
#include "kernels/pixel_series.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// Dynamic bins (from 0) that the analysis takes, in ascending order: those of --dq-selection that
/// have a pixel. Throws Error (config) for a label that the q-map lacks, or where none is left.
std::vector<std::uint32_t> selected_bins(const RunConfig& config, const Partition& partition);

/// Throws Error (no_memory) where a map of T x T would not fit into `budget_bytes`, in which any
/// reader has to hold it, and Error (cannot_create) where the maps would not fit onto the disk.
void check_twotime_size(const RunConfig& config,
                        std::int64_t n_frames,
                        std::size_t n_bins,
                        double budget_bytes);

/// Bytes that the analysis takes besides the series, for the largest bin of a run with `events`.
double twotime_work_bytes(const RunConfig& config,
                          const Partition& partition,
                          double events,
                          std::int64_t n_frames,
                          int threads);

/// Fills setup.result.two_time or .band. `series` holds all tiles, or is null: then the file is
/// read again, a group of bins at a time. `excluded` [n_kept]. Throws Error.
void run_twotime(RunSetup& setup,
                 const FrameMap& map,
                 const std::vector<std::uint8_t>& excluded,
                 const PixelSeries* series,
                 ResultFile& file);

}  // namespace xpcs
