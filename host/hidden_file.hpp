// SPDX-License-Identifier: BSD-3-Clause
// A file that appears complete under its final name, or not at all.
#pragma once

#include <string>

namespace xpcs {

/// A unique hidden name beside the final one; the owner writes the file there and then commits.
/// Without commit() the hidden file goes away with this object.
class HiddenFile {
  public:
    /// Creates nothing yet. The directory must exist.
    explicit HiddenFile(std::string final_path);
    ~HiddenFile();
    HiddenFile(const HiddenFile&) = delete;
    HiddenFile& operator=(const HiddenFile&) = delete;

    const std::string& path() const { return path_; }

    /// Syncs the (closed) file, gives it the final name, syncs the directory. The name must be free
    /// unless `overwrite`, which replaces atomically. Throws Error (cannot_create, io).
    void commit(bool overwrite);

  private:
    std::string final_path_;
    std::string path_;
    bool committed_ = false;
};

/// fsync of a file or a directory. Throws Error (io).
void sync_path(const std::string& path);

}  // namespace xpcs
