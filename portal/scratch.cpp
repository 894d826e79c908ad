// SPDX-License-Identifier: BSD-3-Clause
#include "portal/scratch.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

namespace xpcs::portal {

namespace {

namespace fs = std::filesystem;

/// Locks of other hosts cannot be seen everywhere, so each host minds its own.
std::string own_prefix() {
    std::array<char, 65> host{};
    ::gethostname(host.data(), host.size() - 1);
    std::string name = ".xpcs-report-";
    for (const char* c = host.data(); *c != '\0'; ++c)
        name += std::isalnum(static_cast<unsigned char>(*c)) != 0 ? *c : '_';
    return name + "-";
}

int locked(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (file >= 0 && ::flock(file, LOCK_EX | LOCK_NB) != 0) {
        ::close(file);
        return -1;
    }
    return file;
}

/// Never throws: somebody else may be doing the same.
void remove_dead(const std::string& parent, const std::string& begin) {
    std::error_code error;
    std::vector<std::string> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(parent, error)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with(begin)) found.push_back(entry.path().string());
    }
    for (const std::string& path : found) {
        const int file = locked(path);
        if (file < 0) continue;
        fs::remove_all(path, error);
        ::close(file);
    }
}

}  // namespace

Scratch::Scratch(const std::string& parent) {
    remove_dead(parent, own_prefix());
    path_ = parent + "/" + own_prefix() + "XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) {
        throw Error(ExitCode::cannot_create,
                    "'" + printable(parent) +
                        "': nothing can be written there: " + std::strerror(errno));
    }
    lock_ = locked(path_);
}

Scratch::~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    if (lock_ >= 0) ::close(lock_);
}

}  // namespace xpcs::portal
