// SPDX-License-Identifier: BSD-3-Clause
#include "host/hidden_file.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <utility>

namespace xpcs {

namespace {

std::string directory_of(const std::string& path) {
    const std::string parent = std::filesystem::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

std::string hidden_name(const std::string& final_path) {
    constexpr std::size_t most = 150;  // room for the rest in the 255 bytes of a name
    const std::string name = std::filesystem::path(final_path).filename().string().substr(0, most);
    std::random_device random;
    return (std::filesystem::path(directory_of(final_path)) /
            ("." + name + "." + std::to_string(::getpid()) + "." + std::to_string(random()) +
             ".tmp"))
        .string();
}

/// Takes the name only if it is free. File systems without RENAME_NOREPLACE get a hard link, which
/// is exclusive too. Returns errno, 0 if done.
int rename_exclusively(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return errno;
    if (::link(from.c_str(), to.c_str()) != 0) return errno;
    ::unlink(from.c_str());
    return 0;
}

}  // namespace

void sync_path(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        throw Error(ExitCode::io, printable(path) + ": cannot be synced: " + std::strerror(errno));
    }
    const int result = ::fsync(descriptor);
    const int reason = errno;
    ::close(descriptor);
    // Some file systems do not sync directories and say so with EINVAL.
    if (result != 0 && reason != EINVAL) {
        throw Error(ExitCode::io, printable(path) + ": cannot be synced: " + std::strerror(reason));
    }
}

HiddenFile::HiddenFile(std::string final_path)
    : final_path_(std::move(final_path)), path_(hidden_name(final_path_)) {}

HiddenFile::~HiddenFile() {
    if (!committed_) ::unlink(path_.c_str());
}

void HiddenFile::commit(bool overwrite) {
    sync_path(path_);
    int reason = 0;
    if (overwrite) {
        if (::rename(path_.c_str(), final_path_.c_str()) != 0) reason = errno;
    } else {
        reason = rename_exclusively(path_, final_path_);
    }
    if (reason == EEXIST) {
        throw Error(ExitCode::cannot_create,
                    printable(final_path_) + ": exists already; --overwrite replaces it");
    }
    if (reason != 0) {
        throw Error(ExitCode::cannot_create,
                    printable(final_path_) + ": cannot be created: " + std::strerror(reason));
    }
    committed_ = true;
    sync_path(directory_of(final_path_));
}

}  // namespace xpcs
