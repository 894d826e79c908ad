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
#include <cstdint>
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
    unsigned length_bytes;  ///< of a length in the file's structures
};

PlainFile* plain(H5FD_t* file) {
    return reinterpret_cast<PlainFile*>(file);
}
const PlainFile* plain(const H5FD_t* file) {
    return reinterpret_cast<const PlainFile*>(file);
}

thread_local NotedRead* noted = nullptr;

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

bool read_bytes(int descriptor, void* to, size_t size, haddr_t address) {
    return ::pread(descriptor, to, size, static_cast<off_t>(address)) == static_cast<ssize_t>(size);
}

/// From the superblock, which lies at 0, 512, 1024, ...; 8 where there is none.
unsigned length_bytes_of(int descriptor, haddr_t end) {
    constexpr unsigned char signature[] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1A, '\n'};
    unsigned char head[16];
    for (haddr_t at = 0; at < end; at = at == 0 ? 512 : 2 * at) {
        if (!read_bytes(descriptor, head, sizeof head, at)) break;
        if (std::memcmp(head, signature, sizeof signature) == 0)
            return head[8] < 2 ? head[14] : head[10];
    }
    return 8;
}

std::uint64_t little_endian(const unsigned char* at, unsigned n) {
    std::uint64_t value = 0;
    for (unsigned i = n; i > 0; --i)
        value = value << 8 | at[i - 1];
    return value;
}

/// A global heap holds the texts of variable length. The library walks from object to object by
/// their sizes and looks at none of these: it goes round in circles where one is 0 or leads back,
/// and copies what is not there where one is too large. Anything else than a whole heap is sound.
bool is_sound_heap(const unsigned char* heap, size_t size, unsigned length_bytes) {
    constexpr unsigned char signature[] = {'G', 'C', 'O', 'L', 1};
    constexpr std::uint64_t head = 16;  // of the heap and of each object, aligned
    if (size < head || std::memcmp(heap, signature, sizeof signature) != 0) return true;
    if (length_bytes != 2 && length_bytes != 4 && length_bytes != 8) return false;
    const std::uint64_t end = little_endian(heap + 8, length_bytes);
    if (end > size) return true;  // its beginning: the library reads on
    for (std::uint64_t at = head; at + head <= end;) {
        const std::uint64_t number = little_endian(heap + at, 2);
        const std::uint64_t bytes = little_endian(heap + at + 8, length_bytes);
        if (bytes > end) return false;
        const std::uint64_t needed = number == 0 ? bytes : head + (bytes + 7) / 8 * 8;
        if (needed == 0 || needed > end - at) return false;
        at += needed;
    }
    return true;
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
    file->length_bytes = length_bytes_of(descriptor, file->end_of_file);
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
    if (noted != nullptr && noted->into == to) {
        noted->address = address;
        noted->bytes = size;
        return 0;
    }
    auto* out = static_cast<char*>(to);
    const size_t asked = size;
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
    if (!is_sound_heap(static_cast<const unsigned char*>(to), asked, plain(file)->length_bytes)) {
        errno = EINVAL;
        return failed("a damaged heap of texts");
    }
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

bool is_read_plainly(hid_t object) {
    const auto held = lock();
    const File file(H5Iget_file_id(object));
    const PropertyList access(H5Fget_access_plist(file.id()));
    return access && H5Pget_driver(access.id()) == driver();
}

NotedRead::NotedRead(const void* to) : into(to) {
    noted = this;
}
NotedRead::~NotedRead() {
    noted = nullptr;
}

}  // namespace xpcs::h5

#else

namespace xpcs::h5 {
void read_plainly(hid_t) {}
bool is_read_plainly(hid_t) {
    return false;
}
NotedRead::NotedRead(const void* to) : into(to) {}
NotedRead::~NotedRead() = default;
}  // namespace xpcs::h5

#endif
