// SPDX-License-Identifier: BSD-3-Clause
// The files of a simulated run: raw files slab by slab, metadata, truth; all under hidden names
// until the last byte is written.
#pragma once

#include "host/simulate.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xpcs {

/// A hidden file beside its final name, which it takes in publish(); removed if that never comes.
class SimulatedFile {
  public:
    /// Throws Error (cannot_create): `path` exists and may not be replaced, no such directory.
    SimulatedFile(std::string path, bool overwrite);
    ~SimulatedFile();
    SimulatedFile(const SimulatedFile&) = delete;
    SimulatedFile& operator=(const SimulatedFile&) = delete;

    const std::string& path() const { return path_; }
    const std::string& hidden_path() const { return hidden_; }
    void append(const void* bytes, std::size_t n);  ///< Throws Error (io)
    void sync();  ///< to the disk; the file must be closed by others
    void publish();

  private:
    std::string path_, hidden_;
    bool overwrite_;
    bool published_ = false;
    int fd_ = -1;
};

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
