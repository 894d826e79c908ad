// SPDX-License-Identifier: BSD-3-Clause
// A raw file that is read by offset, and the words of a file name that mean something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace xpcs {

/// Owns a file descriptor opened for reading.
class RawFile {
  public:
    /// Throws Error: no_input (missing), data (a directory, a device, not readable).
    explicit RawFile(const std::string& path);
    ~RawFile();
    RawFile(RawFile&& other) noexcept;
    RawFile& operator=(RawFile&& other) noexcept;
    RawFile(const RawFile&) = delete;
    RawFile& operator=(const RawFile&) = delete;

    const std::string& path() const { return path_; }
    std::uint64_t size() const { return size_; }  ///< when it was opened
    std::uint64_t size_now() const;               ///< Throws Error (data).

    /// Up to `n` bytes from `offset`; fewer only at the end of the file. Throws Error (data).
    std::size_t read_some(std::uint64_t offset, std::byte* into, std::size_t n) const;
    /// Exactly `n` bytes. Throws Error (data) naming the offset if the file has become shorter.
    void read(std::uint64_t offset, std::byte* into, std::size_t n) const;
    /// Throws Error (data) if the size is no longer that at opening.
    void check_unchanged() const;
    /// Tells the kernel that the file is read from front to back.
    void expect_sequential() const;

  private:
    std::string path_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
};

bool file_exists(const std::string& path);

/// N of a token `_fN_` (or `_fN.`) in the file name, the frames that the acquisition asked for; 0
/// if there is none.
std::int64_t frames_in_name(const std::string& path);

}  // namespace xpcs
