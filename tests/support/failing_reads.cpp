// SPDX-License-Identifier: BSD-3-Clause
// A disk with a bad place; preloaded by tests. XPCS_BAD_PLACE=NAME:OFFSET: whoever reads byte
// OFFSET of a file whose path ends in NAME gets an I/O error.
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

namespace {

bool is_bad(int fd, off_t begin, std::size_t n) {
    const char* text = std::getenv("XPCS_BAD_PLACE");
    if (text == nullptr || begin < 0) return false;
    const std::string place = text;
    const std::size_t colon = place.rfind(':');
    const off_t offset = std::atoll(place.c_str() + colon + 1);
    if (offset < begin || offset >= begin + static_cast<off_t>(n)) return false;
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t length = ::readlink(link.c_str(), path.data(), path.size() - 1);
    return length > 0 && std::string(path.data(), static_cast<std::size_t>(length))
                             .ends_with(place.substr(0, colon));
}

ssize_t failed() {
    errno = EIO;
    return -1;
}

ssize_t real_pread(int fd, void* to, std::size_t n, off_t offset) {
    using Call = ssize_t (*)(int, void*, std::size_t, off_t);
    static const auto real = reinterpret_cast<Call>(dlsym(RTLD_NEXT, "pread"));
    return real(fd, to, n, offset);
}

}  // namespace

extern "C" ssize_t pread(int fd, void* to, std::size_t n, off_t offset) {
    return is_bad(fd, offset, n) ? failed() : real_pread(fd, to, n, offset);
}

extern "C" ssize_t pread64(int fd, void* to, std::size_t n, off_t offset) {
    return is_bad(fd, offset, n) ? failed() : real_pread(fd, to, n, offset);
}

extern "C" ssize_t read(int fd, void* to, std::size_t n) {
    using Call = ssize_t (*)(int, void*, std::size_t);
    static const auto real = reinterpret_cast<Call>(dlsym(RTLD_NEXT, "read"));
    return is_bad(fd, ::lseek(fd, 0, SEEK_CUR), n) ? failed() : real(fd, to, n);
}
