// SPDX-License-Identifier: BSD-3-Clause
// Before the data: input files, q-map, frames, device, engine and memory of one run.
#pragma once

#include "host/device_choice.hpp"
#include "host/monitor.hpp"
#include "host/plan.hpp"
#include "host/run_result.hpp"
#include "host/series_reader.hpp"
#include "kernels/partition.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xpcs {

/// Wall time of the stages of a run, in order.
class StageClock {
  public:
    explicit StageClock(std::vector<std::pair<std::string, double>>& stages) : stages_(&stages) {}
    void lap(const std::string& stage);

  private:
    std::vector<std::pair<std::string, double>>* stages_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

struct RunSetup {
    RunResult result;  ///< configuration, inputs, q-map, frames as far as known
    Partition partition;
    std::string base;                    ///< of the result's name
    std::optional<DeviceChoice> device;  ///< always set; DeviceChoice says when it is there
    ReadOptions read;
    SeriesRange frames;              ///< frames to be read; all tiles
    Monitor monitor;                 ///< of --monitor
    std::int64_t ranges = 1;         ///< passes over the file, each with a share of the tiles
    std::uint64_t kept_bytes = 0;    ///< that one pass leaves to the next; 0 = all given back
    std::uint64_t memory_bytes = 0;  ///< budget of a pass: series, and what goes with frames
    std::uint64_t frame_bytes = 0;   ///< of the latter, for each frame of the file
    std::uint64_t budget_bytes = 0;  ///< of the whole run
    Plan plan;

    /// Empty if the words of the file may go undecoded, or its frames as they are, to the GPU of
    /// the run, as far as that is known before the file is read; else why they do not. Waits until
    /// the device is chosen.
    std::string why_the_cpu_decodes();

    /// One line: raw file, frames, pixels, bins, engine, device.
    std::string headline() const;
};

/// Opens and checks everything, decides engine and number of passes. Throws Error.
RunSetup prepare_run(const RunConfig& config, const std::string& raw);

/// With --follow: what comes with the end of the acquisition, metadata and the sizes of the inputs.
/// Waits for the metadata file as long as for the raw file. Throws Error (no_input, data).
void finish_setup(RunSetup& setup);

/// select_frames() with the options of `config`; what it throws names the file.
FrameSelection select_frames(const RunConfig& config, std::int64_t n, const std::string& raw);

/// Frames in the file as the run knows them after reading: stated, or the largest seen + 1.
std::int64_t frames_in_file(const RunConfig& config, const SourceInfo& source, std::int64_t last);

}  // namespace xpcs
