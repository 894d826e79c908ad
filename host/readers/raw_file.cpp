// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/raw_file.hpp"

#include "host/errors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace xpcs {

RawFile::RawFile(const std::string& path) : path_(path) {
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) {
        const int why = errno;
        const bool missing = why == ENOENT || why == ENOTDIR;
        throw Error(missing ? ExitCode::no_input : ExitCode::data,
                    "raw file " + path + ": " + std::strerror(why));
    }
    struct stat facts {};
    if (::fstat(fd_, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        const bool directory = S_ISDIR(facts.st_mode);
        ::close(fd_);
        throw Error(ExitCode::data,
                    "raw file " + path + ": is " +
                        (directory ? "a directory" : "not a plain file") +
                        "; a detector file expected");
    }
    size_ = static_cast<std::uint64_t>(facts.st_size);
}

RawFile::~RawFile() {
    if (fd_ >= 0) ::close(fd_);
}

RawFile::RawFile(RawFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)), size_(other.size_) {}

RawFile& RawFile::operator=(RawFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(fd_, other.fd_);
    std::swap(size_, other.size_);
    return *this;
}

std::size_t RawFile::read_some(std::uint64_t offset, std::byte* into, std::size_t n) const {
    std::size_t done = 0;
    while (done < n) {
        const ssize_t got = ::pread(fd_, into + done, n - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            throw Error(ExitCode::data,
                        path_ + ": reading at byte " + std::to_string(offset + done) + ": " +
                            std::strerror(errno));
        }
        if (got == 0) break;
        done += static_cast<std::size_t>(got);
    }
    return done;
}

void RawFile::read(std::uint64_t offset, std::byte* into, std::size_t n) const {
    const std::size_t got = read_some(offset, into, n);
    if (got != n) {
        throw Error(ExitCode::data,
                    path_ + ": ends at byte " + std::to_string(offset + got) + ", but had " +
                        std::to_string(size_) +
                        " bytes when it was opened; it was cut while it was read");
    }
}

std::uint64_t RawFile::size_now() const {
    struct stat facts {};
    if (::fstat(fd_, &facts) != 0) {
        throw Error(ExitCode::data, path_ + ": " + std::strerror(errno));
    }
    return static_cast<std::uint64_t>(facts.st_size);
}

void RawFile::check_unchanged() const {
    const std::uint64_t now = size_now();
    if (now != size_) {
        throw Error(ExitCode::data,
                    path_ + ": changed while it was read: " + std::to_string(size_) +
                        " bytes when it was opened, " + std::to_string(now) +
                        " now; run again when it is complete");
    }
}

void RawFile::expect_sequential() const {
    // Advice only: a file system that ignores it is no error.
    (void)::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
}

bool file_exists(const std::string& path) {
    struct stat facts {};
    return ::stat(path.c_str(), &facts) == 0;
}

std::int64_t frames_in_name(const std::string& path) {
    const std::string name = path.substr(path.find_last_of('/') + 1);
    for (std::size_t at = name.find("_f"); at != std::string::npos; at = name.find("_f", at + 1)) {
        const char* first = name.data() + at + 2;
        const char* last = name.data() + name.size();
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(first, last, value);
        const bool ends_token = end != last && (*end == '_' || *end == '.');
        if (error == std::errc() && end - first >= 4 && ends_token && value > 0) return value;
    }
    return 0;
}

}  // namespace xpcs
