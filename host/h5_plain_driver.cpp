// SPDX-License-Identifier: BSD-3-Clause
#include "host/h5_plain_driver.hpp"

#include "host/errors.hpp"
#include "host/h5_check.hpp"

#if !H5_VERSION_GE(1, 13, 0)

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>

namespace xpcs::h5 {

namespace {

/// What the library knows of a file (first, as it asks for), and what this driver does.
struct PlainFile {
    H5FD_t known;
    int descriptor;
    haddr_t end_of_space;
    haddr_t end_of_file;
    dev_t device;
    ino_t inode;
};

PlainFile* plain(H5FD_t* file) {
    return reinterpret_cast<PlainFile*>(file);
}
const PlainFile* plain(const H5FD_t* file) {
    return reinterpret_cast<const PlainFile*>(file);
}

herr_t failed(const char* what) {
    H5Epush2(H5E_DEFAULT,
             __FILE__,
             __func__,
             __LINE__,
             H5E_ERR_CLS,
             H5E_FILE,
             H5E_READERROR,
             "%s: %s",
             what,
             std::strerror(errno));
    return -1;
}

H5FD_t* open_plainly(const char* name, unsigned flags, hid_t, haddr_t) {
    if ((flags & H5F_ACC_RDWR) != 0) {
        errno = EROFS;
        failed("only for reading");
        return nullptr;
    }
    const int descriptor = ::open(name, O_RDONLY | O_CLOEXEC);
    struct stat facts {};
    if (descriptor < 0 || ::fstat(descriptor, &facts) != 0) {
        failed("cannot be opened");
        if (descriptor >= 0) ::close(descriptor);
        return nullptr;
    }
    std::unique_ptr<PlainFile> file(new (std::nothrow) PlainFile{});
    if (!file) {
        ::close(descriptor);
        return nullptr;
    }
    file->descriptor = descriptor;
    file->end_of_file = static_cast<haddr_t>(facts.st_size);
    file->device = facts.st_dev;
    file->inode = facts.st_ino;
    return &file.release()->known;  // the library gives it back to close_plainly()
}

herr_t close_plainly(H5FD_t* file) {
    const std::unique_ptr<PlainFile> mine(plain(file));
    return ::close(mine->descriptor) == 0 ? 0 : failed("cannot be closed");
}

int compare(const H5FD_t* a, const H5FD_t* b) {
    const PlainFile &first = *plain(a), &second = *plain(b);
    if (first.device != second.device) return first.device < second.device ? -1 : 1;
    if (first.inode != second.inode) return first.inode < second.inode ? -1 : 1;
    return 0;
}

/// All that the library's own driver offers a reader, but for gathered metadata.
herr_t features(const H5FD_t*, unsigned long* flags) {
    *flags = H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_POSIX_COMPAT_HANDLE | H5FD_FEAT_SUPPORTS_SWMR_IO |
             H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

haddr_t end_of_space(const H5FD_t* file, H5FD_mem_t) {
    return plain(file)->end_of_space;
}
herr_t set_end_of_space(H5FD_t* file, H5FD_mem_t, haddr_t end) {
    plain(file)->end_of_space = end;
    return 0;
}
haddr_t end_of_file(const H5FD_t* file, H5FD_mem_t) {
    return plain(file)->end_of_file;
}

herr_t handle_of(H5FD_t* file, hid_t, void** handle) {
    *handle = &plain(file)->descriptor;
    return 0;
}

/// What lies behind the end of the file reads as zeros, as with the library's own driver.
herr_t read_at(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, void* to) {
    constexpr haddr_t most = static_cast<haddr_t>(1) << 62;
    if (address > most || size > most - address) {
        errno = EINVAL;
        return failed("no such address");
    }
    auto* out = static_cast<char*>(to);
    while (size > 0) {
        const size_t piece = std::min<size_t>(size, size_t{1} << 30);
        const ssize_t n = ::pread(plain(file)->descriptor, out, piece, static_cast<off_t>(address));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed("cannot be read");
        if (n == 0) break;
        out += n;
        size -= static_cast<size_t>(n);
        address += static_cast<haddr_t>(n);
    }
    std::memset(out, 0, size);
    return 0;
}

herr_t write_nothing(H5FD_t*, H5FD_mem_t, hid_t, haddr_t, size_t, const void*) {
    errno = EROFS;
    return failed("cannot be written");
}

/// File systems of clusters are often mounted without locks.
herr_t lock_file(H5FD_t* file, hbool_t writes) {
    const int wanted = (writes != 0 ? LOCK_EX : LOCK_SH) | LOCK_NB;
    if (::flock(plain(file)->descriptor, wanted) == 0 || errno == ENOSYS) return 0;
    return failed("cannot be locked");
}
herr_t unlock_file(H5FD_t* file) {
    if (::flock(plain(file)->descriptor, LOCK_UN) == 0 || errno == ENOSYS) return 0;
    return failed("cannot be unlocked");
}

hid_t driver() {
    static const hid_t registered = [] {
        H5FD_class_t made{};
        made.name = "plain";
        made.maxaddr = static_cast<haddr_t>(1) << 62;
        made.fc_degree = H5F_CLOSE_WEAK;
        made.open = open_plainly;
        made.close = close_plainly;
        made.cmp = compare;
        made.query = features;
        made.get_eoa = end_of_space;
        made.set_eoa = set_end_of_space;
        made.get_eof = end_of_file;
        made.get_handle = handle_of;
        made.read = read_at;
        made.write = write_nothing;
        made.lock = lock_file;
        made.unlock = unlock_file;
        return H5FDregister(&made);
    }();
    return registered;
}

}  // namespace

void read_plainly(hid_t access_list) {
    detail::check(driver(), ExitCode::internal, -1, "", "no driver for reading");
    detail::check(H5Pset_driver(access_list, driver(), nullptr),
                  ExitCode::internal,
                  -1,
                  "",
                  "no driver for reading");
}

}  // namespace xpcs::h5

#else

namespace xpcs::h5 {
void read_plainly(hid_t) {}
}  // namespace xpcs::h5

#endif
