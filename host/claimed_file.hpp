// SPDX-License-Identifier: BSD-3-Clause
// A file that comes into being under a hidden name and gets its own name when it is complete.
//
// The hidden name tells who writes it: host, boot, pid name space, pid and start time of the
// process. A later program of the same host removes those whose process is gone, and never one that
// may still be written: other hosts' and other containers' files are left alone.
#pragma once

#include <cstdint>
#include <string>

namespace xpcs {

class ClaimedFile {
  public:
    /// Claims a hidden name in `directory` (exclusive creation, empty file, mode 0666 & ~umask),
    /// after removing what dead processes left there. Throws Error (cannot_create).
    explicit ClaimedFile(const std::string& directory);
    ~ClaimedFile();  ///< removes the file unless it was published
    ClaimedFile(const ClaimedFile&) = delete;
    ClaimedFile& operator=(const ClaimedFile&) = delete;

    const std::string& path() const { return path_; }

    /// Fills the file with the bytes of `source`. Throws Error (no_input, io).
    void copy_from(const std::string& source);

    /// Makes the content durable. Throws Error (io).
    void sync() const;

    /// Renames to `final_path`, whatever is there. Throws Error (cannot_create).
    void publish_over(const std::string& final_path);

    /// Renames to `final_path` unless that exists; false then. Throws Error (cannot_create).
    bool publish_new(const std::string& final_path);

  private:
    void done(const std::string& final_path);

    std::string directory_;
    std::string path_;
    bool published_ = false;
};

/// Removes hidden files of dead processes of this host from `directory`; returns how many.
/// Never throws.
int remove_orphans(const std::string& directory) noexcept;

/// The ways of taking a name exclusively, best first; a file system may lack any of them.
enum class ExclusiveRename { rename_noreplace, hard_link, placeholder };
enum class RenameOutcome { done, exists, unsupported };

/// One attempt. Throws Error (cannot_create) for any other failure.
RenameOutcome
rename_exclusively(const std::string& from, const std::string& to, ExclusiveRename way);

/// "No space left on device" and the like for an errno value.
std::string errno_text(int error);

}  // namespace xpcs
