// SPDX-License-Identifier: BSD-3-Clause
// The files of a simulated run: frames slab by slab, metadata, truth.
#pragma once

#include "host/simulate.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace xpcs {

/// `/entry/data/data` [n_frames][rows][cols] being written.
class FrameWriter {
  public:
    FrameWriter(const std::string& path, const SimulateOptions& options);
    ~FrameWriter();
    void write(std::int64_t first_frame, std::int64_t n_frames, const std::byte* samples);
    void close();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// "a/b" of "a/b.bin", "a/b.bin.000", "a/b.h5".
std::string simulated_stem(const SimulateOptions& options);

void write_simulated_metadata(const std::string& path,
                              const SimulateOptions& options,
                              const SimulateReport& report);
std::string simulated_truth(const SimulateOptions& options, const SimulateReport& report);

}  // namespace xpcs
