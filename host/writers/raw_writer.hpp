// SPDX-License-Identifier: BSD-3-Clause
// Raw files being written, one small writer per layout: simulate and convert share them. Which bits
// mean what is said once, in the header that the reader of the layout includes as well.
//
// A writer fills a path that its caller has claimed (claimed_file.hpp) and gives a name to later.
// Every function throws Error (io, cannot_create) if the file cannot be written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xpcs {

/// What one pixel has in one frame.
struct Photons {
    std::int64_t frame;
    std::uint32_t pixel;  ///< row * columns + column
    std::uint32_t count;
    bool operator==(const Photons&) const = default;
};

/// A sparse layout.
class PhotonWriter {
  public:
    virtual ~PhotonWriter() = default;
    /// In order of frame and pixel, each pair once, after those of the call before.
    virtual void add(std::span<const Photons> photons) = 0;
    /// Frames up to `n_frames` exist, with photons or not.
    virtual void close(std::int64_t n_frames) = 0;
};

/// A layout of whole frames.
class FramesWriter {
  public:
    virtual ~FramesWriter() = default;
    /// [n][rows][cols] samples of frames first ... first + n - 1, in order.
    virtual void write(std::int64_t first, std::int64_t n, const std::byte* samples) = 0;
    virtual void close() = 0;
};

/// A file under its hidden name, and the name that it will have.
struct NamedFile {
    std::string path, name;
};

/// A stream that throws with the reason of the operating system.
class ByteFile {
  public:
    explicit ByteFile(const std::string& path);
    void put(const void* bytes, std::size_t n);
    template <class T>
    void put(const std::vector<T>& values) {
        put(values.data(), values.size() * sizeof(T));
    }
    void close();

  private:
    std::string path_;
    std::ofstream stream_;
};

struct RigakuLayout {
    std::string name;                ///< for messages
    std::uint32_t index_offset = 0;  ///< added to every pixel (3M: 2^20)
    bool mark_end = false;           ///< a record of count 0 says that an empty last frame exists
};
/// .bin. Counts above 4095 become several records. Also throws Error (data): a gap that the 24-bit
/// frame counter cannot tell.
std::unique_ptr<PhotonWriter> rigaku_writer(const std::string& path, const RigakuLayout& layout);

/// Sparse .imm, one frame per header; `frame_time_s` makes the time stamps, 0 = none.
std::unique_ptr<PhotonWriter>
imm_writer(const std::string& path, std::int64_t rows, std::int64_t cols, double frame_time_s);

/// frame_ptr, index, intensity below /entry_0000/measurement/data.
std::unique_ptr<PhotonWriter>
sparse_hdf5_writer(const std::string& path, std::int64_t rows, std::int64_t cols);

/// 128 x 256 pixels, counts up to 3. Records of count 0 keep the 11-bit frame counter readable.
std::unique_ptr<PhotonWriter> ufxc_writer(const std::string& path);

/// One module of Rigaku fast transfer, `bits` (2, 4, 8) per pixel, the first in the lowest bits.
std::unique_ptr<PhotonWriter> ftf_writer(const std::string& path, std::int64_t n_frames, int bits);

/// Timepix4: one hit per photon, spread over the frame's `bin_ticks`, with heartbeats for both
/// halves up to the end of the last frame.
std::unique_ptr<PhotonWriter> spidr4_writer(const std::string& path, std::int64_t bin_ticks);

}  // namespace xpcs
