// SPDX-License-Identifier: BSD-3-Clause
#include "host/claimed_file.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace xpcs {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view name_start = ".xpcs_";
constexpr std::string_view name_end = ".part";
constexpr std::time_t another_boot_s = std::time_t{7} * 24 * 3600;

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    explicit operator bool() const { return fd_ >= 0; }
    int get() const { return fd_; }

  private:
    int fd_;
};

std::string only_name_characters(std::string_view text, std::size_t limit) {
    std::string out;
    for (const char c : text.substr(0, limit)) {
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
        out += plain ? c : '-';
    }
    return out.empty() ? "-" : out;
}

std::string first_line(const std::string& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

/// Start of a process in clock ticks since boot (field 22 of stat), "" if there is none.
std::string start_of_process(const std::string& pid) {
    const std::string stat = first_line("/proc/" + pid + "/stat");
    const std::size_t after_name = stat.rfind(')');
    if (after_name == std::string::npos) {
        return "";
    }
    std::istringstream fields(stat.substr(after_name + 1));
    std::string field;
    for (int i = 3; i <= 22; ++i) {
        fields >> field;
    }
    return field;
}

/// Who writes a hidden file.
struct Owner {
    std::string host, boot, name_space, pid, start;
};

Owner this_process() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    std::array<char, 64> link{};
    const ssize_t n = ::readlink("/proc/self/ns/pid", link.data(), link.size() - 1);
    Owner me;
    me.host = only_name_characters(host.data(), 60);
    me.boot = only_name_characters(first_line("/proc/sys/kernel/random/boot_id"), 8);
    me.name_space = only_name_characters(n > 0 ? link.data() : "", 24);
    me.pid = std::to_string(::getpid());
    me.start = only_name_characters(start_of_process("self"), 20);
    return me;
}

std::string hidden_name(const Owner& owner, unsigned number) {
    std::string name(name_start);
    for (const std::string& part :
         {owner.host, owner.boot, owner.name_space, owner.pid, owner.start}) {
        name += part + "_";
    }
    return name + std::to_string(number) + std::string(name_end);
}

/// False for names that are not ours.
bool parse_owner(const std::string& name, Owner& owner) {
    if (name.size() < name_start.size() + name_end.size() || !name.starts_with(name_start) ||
        !name.ends_with(name_end)) {
        return false;
    }
    std::istringstream in(
        name.substr(name_start.size(), name.size() - name_start.size() - name_end.size()));
    std::vector<std::string> parts;
    for (std::string part; std::getline(in, part, '_');) {
        parts.push_back(part);
    }
    if (parts.size() != 6) {
        return false;
    }
    owner = {parts[0], parts[1], parts[2], parts[3], parts[4]};
    return owner.pid.find_first_not_of("0123456789") == std::string::npos && !owner.pid.empty();
}

bool is_orphan(const Owner& owner, const Owner& me, const std::string& path) {
    if (owner.host != me.host || me.start == "-") {  // "-": no /proc, nobody's death can be seen
        return false;
    }
    if (owner.boot != me.boot) {
        // Most likely a crashed machine; but two machines may share a name, so wait.
        struct stat status {};
        return ::stat(path.c_str(), &status) == 0 &&
               std::time(nullptr) - status.st_mtime > another_boot_s;
    }
    return owner.name_space == me.name_space && start_of_process(owner.pid) != owner.start;
}

std::string directory_of(const std::string& path) {
    const std::string parent = fs::path(path).parent_path().string();
    return parent.empty() ? "." : parent;
}

void sync_directory(const std::string& directory) {
    const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some network file systems refuse this; the rename itself has happened.
    if (fd) {
        ::fsync(fd.get());
    }
}

[[noreturn]] void cannot_rename(const std::string& to, int error) {
    throw Error(ExitCode::cannot_create,
                "'" + printable(to) + "': cannot take this name: " + errno_text(error));
}

RenameOutcome outcome_of(int error, const std::string& to) {
    switch (error) {
    case EEXIST:
        return RenameOutcome::exists;
    case ENOSYS:
    case EINVAL:
    case EOPNOTSUPP:
    case EPERM:
    case EMLINK:
    case EXDEV:
        return RenameOutcome::unsupported;
    default:
        cannot_rename(to, error);
    }
}

void write_all(int fd, const char* data, std::size_t n, const std::string& shown) {
    while (n > 0) {
        const ssize_t written = ::write(fd, data, n);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            throw Error(ExitCode::io, shown + ": cannot write: " + errno_text(errno));
        }
        data += written;
        n -= static_cast<std::size_t>(written);
    }
}

}  // namespace

std::string errno_text(int error) {
    return std::generic_category().message(error);
}

int remove_orphans(const std::string& directory) noexcept {
    int removed = 0;
    try {
        const Owner me = this_process();
        std::error_code error;
        for (fs::directory_iterator it(directory, error), end; !error && it != end;
             it.increment(error)) {
            Owner owner;
            const std::string path = it->path().string();
            if (parse_owner(it->path().filename().string(), owner) && is_orphan(owner, me, path)) {
                removed += ::unlink(path.c_str()) == 0;
            }
        }
    } catch (...) {
        // Tidying up must never stop a run.
    }
    return removed;
}

ClaimedFile::ClaimedFile(const std::string& directory, const std::string& shown)
    : shown_(shown.empty() ? "output directory '" + printable(directory) + "'"
                           : "'" + printable(shown) + "'") {
    static std::atomic<unsigned> next_number{0};
    remove_orphans(directory);
    const Owner me = this_process();
    for (int attempt = 0; attempt < 1000; ++attempt) {
        const std::string path = (fs::path(directory) / hidden_name(me, next_number++)).string();
        const Descriptor fd(::open(path.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666));
        if (fd) {
            path_ = path;
            return;
        }
        if (errno != EEXIST) {
            const char* what =
                shown.empty() ? ": cannot create a file in it: " : ": cannot be created: ";
            throw Error(ExitCode::cannot_create, shown_ + what + errno_text(errno));
        }
    }
    throw Error(ExitCode::cannot_create, shown_ + ": no free name for a temporary file");
}

ClaimedFile::~ClaimedFile() {
    close();
    if (!published_ && !path_.empty()) {
        ::unlink(path_.c_str());
    }
}

void ClaimedFile::copy_from(const std::string& source) {
    const Descriptor in(::open(source.c_str(), O_RDONLY | O_CLOEXEC));
    if (!in) {
        throw Error(ExitCode::no_input, "'" + source + "': cannot read: " + errno_text(errno));
    }
    std::vector<char> buffer(std::size_t{1} << 20);
    for (;;) {
        const ssize_t n = ::read(in.get(), buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            throw Error(ExitCode::no_input, "'" + source + "': cannot read: " + errno_text(errno));
        }
        if (n == 0) {
            return;
        }
        append(buffer.data(), static_cast<std::size_t>(n));
    }
}

void ClaimedFile::append(const void* bytes, std::size_t n) {
    if (fd_ < 0) {
        fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd_ < 0) {
            throw Error(ExitCode::io, shown_ + ": cannot write: " + errno_text(errno));
        }
    }
    write_all(fd_, static_cast<const char*>(bytes), n, shown_);
}

int ClaimedFile::close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 ? 0 : ::close(fd);
}

void ClaimedFile::sync() {
    const bool closed = close() == 0;  // network file systems report a full disk here
    // Opened again by name: a library may have written it, not append().
    const Descriptor fd(closed ? ::open(path_.c_str(), O_RDWR | O_CLOEXEC) : -1);
    if (!fd || ::fsync(fd.get()) != 0) {
        throw Error(ExitCode::io, shown_ + ": cannot make it durable: " + errno_text(errno));
    }
}

void ClaimedFile::done(const std::string& final_path) {
    published_ = true;
    sync_directory(directory_of(final_path));
}

void ClaimedFile::publish_over(const std::string& final_path) {
    if (::rename(path_.c_str(), final_path.c_str()) != 0) {
        cannot_rename(final_path, errno);
    }
    done(final_path);
}

bool ClaimedFile::publish_new(const std::string& final_path) {
    for (const ExclusiveRename way : {ExclusiveRename::rename_noreplace,
                                      ExclusiveRename::hard_link,
                                      ExclusiveRename::placeholder}) {
        const RenameOutcome outcome = rename_exclusively(path_, final_path, way);
        if (outcome == RenameOutcome::exists) {
            return false;
        }
        if (outcome == RenameOutcome::done) {
            done(final_path);
            return true;
        }
    }
    throw Error(ExitCode::cannot_create,
                "'" + printable(final_path) + "': the file system cannot rename without replacing");
}

namespace {

[[noreturn]] void is_taken(const std::string& path) {
    throw Error(ExitCode::cannot_create,
                "'" + printable(path) + "': exists already; --overwrite replaces it");
}

/// The path, once it is known that the name may be taken.
std::string free_path(std::string path, bool overwrite) {
    std::error_code error;
    if (!overwrite && fs::exists(fs::symlink_status(path, error))) {
        is_taken(path);
    }
    // Renaming would put a file in the place of a device or a pipe.
    const auto status = fs::status(path, error);
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        throw Error(ExitCode::cannot_create,
                    "'" + printable(path) + "': exists and is not a regular file");
    }
    return path;
}

}  // namespace

NewFile::NewFile(std::string final_path, bool overwrite)
    : final_path_(free_path(std::move(final_path), overwrite)), overwrite_(overwrite),
      hidden_(directory_of(final_path_), final_path_) {}

void NewFile::publish() {
    if (overwrite_) {
        hidden_.publish_over(final_path_);
    } else if (!hidden_.publish_new(final_path_)) {
        is_taken(final_path_);
    }
}

RenameOutcome
rename_exclusively(const std::string& from, const std::string& to, ExclusiveRename way) {
    switch (way) {
    case ExclusiveRename::rename_noreplace:
        // Through syscall(): older C libraries have no wrapper.
        if (::syscall(
                SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) ==
            0) {
            return RenameOutcome::done;
        }
        return outcome_of(errno, to);
    case ExclusiveRename::hard_link:
        if (::link(from.c_str(), to.c_str()) != 0) {
            return outcome_of(errno, to);
        }
        ::unlink(from.c_str());
        return RenameOutcome::done;
    case ExclusiveRename::placeholder: {
        // The name is taken by an empty file first: the only step that is visible half-done.
        const Descriptor fd(::open(to.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666));
        if (!fd) {
            return outcome_of(errno, to);
        }
        if (::rename(from.c_str(), to.c_str()) != 0) {
            const int error = errno;
            ::unlink(to.c_str());
            cannot_rename(to, error);
        }
        return RenameOutcome::done;
    }
    }
    return RenameOutcome::unsupported;
}

}  // namespace xpcs
