// SPDX-License-Identifier: BSD-3-Clause
// Layouts of whole frames: one HDF5 dataset, the masters of Dectris with their data files, IMM.
#pragma once

#include "host/writers/raw_writer.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace xpcs {

enum class FrameCompression { none, gzip, lzf, bslz4 };

struct FrameLayout {
    std::int64_t n_frames = 0, rows = 0, cols = 0;
    int sample_bytes = 2;  ///< 1, 2, 4
    FrameCompression compression = FrameCompression::none;
    bool contiguous = false;  ///< no chunks, else one frame each

    std::size_t frame_bytes() const { return static_cast<std::size_t>(rows * cols * sample_bytes); }
};

/// `/entry/data/data` [n_frames][rows][cols], or with `channels` 2 and more
/// [n_frames][channels][rows][cols].
class FrameWriter final : public FramesWriter {
  public:
    /// Throws Error (config) where the filter is not available.
    FrameWriter(const std::string& path, const FrameLayout& layout, std::int64_t channels = 1);
    ~FrameWriter() override;
    FrameWriter(const FrameWriter&) = delete;
    FrameWriter& operator=(const FrameWriter&) = delete;
    void write(std::int64_t first_frame, std::int64_t n_frames, const std::byte* samples) override;
    /// One channel of one frame.
    void write_channel(std::int64_t frame, std::int64_t channel, const std::byte* samples);
    void close() override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Frames in one data file of a master, as the detector does by default.
inline constexpr std::int64_t frames_per_data_file = 1000;
std::int64_t n_data_files(std::int64_t n_frames);

/// The legacy master: external links data_000001, ... to the data files, by name.
std::unique_ptr<FramesWriter> dectris_writer(const NamedFile& master,
                                             const std::vector<NamedFile>& data,
                                             const FrameLayout& layout);

/// The master of 2024: one virtual dataset (frame, channel, row, column) over the data files.
/// Channel threshold_1 (default_slice) has the frames, threshold_2 half of each count.
std::unique_ptr<FramesWriter> virtual_writer(const NamedFile& master,
                                             const std::vector<NamedFile>& data,
                                             const FrameLayout& layout);

/// Dense .imm of 2 bytes per sample.
std::unique_ptr<FramesWriter>
imm_frames_writer(const std::string& path, const FrameLayout& layout, double frame_time_s);

}  // namespace xpcs
