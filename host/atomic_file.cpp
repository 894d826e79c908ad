// SPDX-License-Identifier: BSD-3-Clause
#include "host/atomic_file.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace xpcs {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(ExitCode code, const std::string& path, const std::string& reason) {
    throw Error(code, "cannot write '" + printable(path) + "': " + reason);
}

fs::path target_of(const std::string& path) {
    if (path.empty()) {
        refuse(ExitCode::cannot_create, path, "it has no name");
    }
    std::error_code error;
    const auto status = fs::status(path, error);
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        refuse(ExitCode::cannot_create, path, "it exists and is not a regular file");
    }
    const fs::path target = fs::weakly_canonical(fs::absolute(path, error), error);
    if (error) {
        refuse(ExitCode::cannot_create, path, error.message());
    }
    return target;
}

// The temporary file; gone when the owner is, unless renamed.
class Temporary {
  public:
    Temporary(const std::string& shown, const fs::path& target) : shown_(shown) {
        std::string name = ".";
        name += target.filename().string() + "." + std::to_string(::getpid()) + ".tmp";
        path_ = target.parent_path() / name;
        fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd_ < 0) {
            refuse(ExitCode::cannot_create, shown_, std::strerror(errno));
        }
    }
    ~Temporary() {
        close();
        if (!renamed_) {
            ::unlink(path_.c_str());
        }
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;

    void write(std::string_view content) {
        while (!content.empty()) {
            const ssize_t n = ::write(fd_, content.data(), content.size());
            if (n < 0 && errno != EINTR) {
                refuse(ExitCode::io, shown_, std::strerror(errno));
            }
            content.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
        }
        if (::fsync(fd_) != 0) {
            refuse(ExitCode::io, shown_, std::strerror(errno));
        }
        if (close() != 0) {
            refuse(ExitCode::io, shown_, std::strerror(errno));
        }
    }

    void take_name(const fs::path& target) {
        if (::rename(path_.c_str(), target.c_str()) != 0) {
            refuse(ExitCode::io, shown_, std::strerror(errno));
        }
        renamed_ = true;
        const int directory =
            ::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory >= 0) {
            ::fsync(directory);  // some file systems have none; the file itself is safe
            ::close(directory);
        }
    }

  private:
    std::string shown_;
    fs::path path_;
    int fd_ = -1;
    bool renamed_ = false;

    int close() {
        const int fd = fd_;
        fd_ = -1;
        return fd < 0 ? 0 : ::close(fd);
    }
};

}  // namespace

void write_file_atomically(const std::string& path, std::string_view content) {
    const fs::path target = target_of(path);
    Temporary temporary(path, target);
    temporary.write(content);
    temporary.take_name(target);
}

void check_can_write(const std::string& path) {
    const Temporary temporary(path, target_of(path));
}

}  // namespace xpcs
