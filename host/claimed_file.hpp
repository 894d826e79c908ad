// SPDX-License-Identifier: BSD-3-Clause
// A file that comes into being under a hidden name and gets its own name when it is complete.
//
// The hidden name tells who writes it: host, boot, pid name space, pid and start time of the
// process. A later program of the same host removes those whose process is gone, and never one that
// may still be written: other hosts' and other containers' files are left alone.
//
// Two classes: ClaimedFile, whose final name may be chosen at the end (results), and NewFile, which
// has one from the start (everything else).
#pragma once

#include <cstddef>
#include <string>

namespace xpcs {

class ClaimedFile {
  public:
    /// Claims a hidden name in `directory` (exclusive creation, empty file, mode 0666 & ~umask),
    /// after removing what dead processes left there. Messages call it `shown`, or name the
    /// directory. Throws Error (cannot_create).
    explicit ClaimedFile(const std::string& directory, const std::string& shown = "");
    ~ClaimedFile();  ///< removes the file unless it was published
    ClaimedFile(const ClaimedFile&) = delete;
    ClaimedFile& operator=(const ClaimedFile&) = delete;

    const std::string& path() const { return path_; }

    /// Fills the file with the bytes of `source`. Throws Error (no_input, io).
    void copy_from(const std::string& source);

    /// Writes at the end. Not for files that a library has open by path(). Throws Error (io).
    void append(const void* bytes, std::size_t n);

    /// Makes the content durable. Throws Error (io).
    void sync();

    /// Renames to `final_path`, whatever is there. Throws Error (cannot_create).
    void publish_over(const std::string& final_path);

    /// Renames to `final_path` unless that exists; false then. Throws Error (cannot_create).
    bool publish_new(const std::string& final_path);

  private:
    void done(const std::string& final_path);
    int close();

    std::string shown_;
    std::string path_;
    int fd_ = -1;  ///< of append()
    bool published_ = false;
};

/// A file that appears complete under its final name, or not at all.
class NewFile {
  public:
    /// Throws Error (cannot_create): the name is taken and not to be overwritten, or by what is no
    /// regular file; no such directory, or no file can be made in it.
    NewFile(std::string final_path, bool overwrite);

    const std::string& path() const { return final_path_; }
    /// Where the content goes until then: an empty file.
    const std::string& hidden_path() const { return hidden_.path(); }
    void append(const void* bytes, std::size_t n) { hidden_.append(bytes, n); }

    void sync() { hidden_.sync(); }
    /// Takes the name; atomically if it replaces. Throws Error (cannot_create), also where the name
    /// was taken meanwhile and is not to be overwritten.
    void publish();
    void commit() {
        sync();
        publish();
    }

  private:
    std::string final_path_;
    bool overwrite_;
    ClaimedFile hidden_;
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
