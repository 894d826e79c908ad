// SPDX-License-Identifier: BSD-3-Clause
#include "jobgen/process.hpp"

#include "host/errors.hpp"
#include "host/text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace xpcs::jobgen {

namespace {

constexpr std::size_t most_output_bytes = 64U << 20;
constexpr std::size_t most_error_bytes = 1U << 20;

class Descriptor {
  public:
    Descriptor() = default;
    ~Descriptor() { close(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    void close() {
        if (fd >= 0) {
            ::close(fd);
        }
        fd = -1;
    }
    int fd = -1;
};

struct Pipe {
    Descriptor read, write;
    Pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) {
            throw Error(ExitCode::unavailable, std::string("no pipe: ") + std::strerror(errno));
        }
        read.fd = ends[0];
        write.fd = ends[1];
    }
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> out;
    out.reserve(words.size() + 1);
    for (const auto& word : words) {
        out.push_back(const_cast<char*>(word.c_str()));
    }
    out.push_back(nullptr);
    return out;
}

std::vector<std::string> environment(const RunOptions& options) {
    std::vector<std::string> all;
    for (char** entry = environ; *entry; ++entry) {
        const std::string text = *entry;
        const std::string name = text.substr(0, text.find('='));
        const bool replaced = std::any_of(options.variables.begin(),
                                          options.variables.end(),
                                          [&](const auto& v) { return v.first == name; });
        if (!replaced) {
            all.push_back(text);
        }
    }
    for (const auto& [name, value] : options.variables) {
        all.push_back(name + "=" + value);
    }
    return all;
}

// Everything that allocates happens before the fork; the child only calls what is safe there.
[[noreturn]] void
become(char* const* argv, char* const* env, const char* directory, int in, int out, int err) {
    ::dup2(in, 0);
    ::dup2(out, 1);
    if (err >= 0) {
        ::dup2(err, 2);
    }
    ::signal(SIGPIPE, SIG_DFL);
    if (*directory && ::chdir(directory) != 0) {
        ::_exit(126);
    }
    ::execvpe(argv[0], argv, env);
    ::_exit(errno == ENOENT ? 127 : 126);
}

int exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Moves bytes until both outputs are closed or the time is over; true if it was over.
bool exchange(Pipe& in, Pipe& out, Pipe& err, const RunOptions& options, Outcome& outcome) {
    using clock = std::chrono::steady_clock;
    const auto start = clock::now();
    std::size_t written = 0;
    ::fcntl(in.write.fd, F_SETFL, O_NONBLOCK);
    if (options.input.empty()) {
        in.write.close();
    }
    std::array<char, 65536> buffer{};
    const auto drain = [&](Descriptor& from, std::string& to, std::size_t most) {
        const ssize_t n = ::read(from.fd, buffer.data(), buffer.size());
        if (n > 0) {
            to.append(buffer.data(), std::min<std::size_t>(n, most - std::min(most, to.size())));
        } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            from.close();
        }
    };
    while (out.read.fd >= 0 || err.read.fd >= 0) {
        const double passed = std::chrono::duration<double>(clock::now() - start).count();
        if (options.timeout_s > 0 && passed > options.timeout_s) {
            return true;
        }
        pollfd fds[3] = {
            {out.read.fd, POLLIN, 0}, {err.read.fd, POLLIN, 0}, {in.write.fd, POLLOUT, 0}};
        ::poll(fds, 3, 200);
        if (fds[0].revents) {
            drain(out.read, outcome.out, most_output_bytes);
        }
        if (fds[1].revents) {
            drain(err.read, outcome.err, most_error_bytes);
        }
        if (fds[2].revents) {
            const ssize_t n = ::write(
                in.write.fd, options.input.data() + written, options.input.size() - written);
            written += n > 0 ? static_cast<std::size_t>(n) : 0;
            if ((n < 0 && errno != EAGAIN && errno != EINTR) || written == options.input.size()) {
                in.write.close();
            }
        }
    }
    return false;
}

}  // namespace

Outcome run_program(const std::vector<std::string>& command, const RunOptions& options) {
    Pipe in, out, err;
    const auto env = environment(options);
    const auto argv_pointers = pointers(command);
    const auto env_pointers = pointers(env);
    // A child that closes its input early must not end us.
    ::signal(SIGPIPE, SIG_IGN);
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw Error(ExitCode::unavailable,
                    "no process for '" + printable(command.front()) + "': " + std::strerror(errno));
    }
    if (pid == 0) {
        become(argv_pointers.data(),
               env_pointers.data(),
               options.directory.c_str(),
               in.read.fd,
               out.write.fd,
               options.show_errors ? -1 : err.write.fd);
    }
    in.read.close();
    out.write.close();
    err.write.close();
    Outcome outcome;
    const bool late = exchange(in, out, err, options, outcome);
    if (late) {
        ::kill(pid, SIGTERM);
        for (int i = 0; i < 50 && ::waitpid(pid, nullptr, WNOHANG) == 0; ++i) {
            ::usleep(100'000);
        }
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        outcome.code = 124;
        return outcome;
    }
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    outcome.code = exit_code(status);
    return outcome;
}

long start_detached(const std::vector<std::string>& command, const std::string& directory) {
    const auto argv_pointers = pointers(command);
    const pid_t pid = ::fork();
    if (pid < 0) {
        throw Error(ExitCode::unavailable, std::string("no process: ") + std::strerror(errno));
    }
    if (pid == 0) {
        ::setsid();
        const int null = ::open("/dev/null", O_RDWR);
        become(argv_pointers.data(), environ, directory.c_str(), null, null, null);
    }
    return pid;
}

std::string find_program(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::istringstream parts(path ? path : "");
    for (std::string part; std::getline(parts, part, ':');) {
        std::string file = (part.empty() ? "." : part) + "/" + name;
        if (::access(file.c_str(), X_OK) == 0 && !std::filesystem::is_directory(file)) {
            return file;
        }
    }
    return "";
}

std::string own_directory() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? "" : self.parent_path().string();
}

unsigned long long process_start(long pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(in, text);
    // The name in parentheses may hold anything; the fields count from its end.
    const std::size_t end = text.rfind(')');
    if (end == std::string::npos) {
        return 0;
    }
    std::istringstream fields(text.substr(end + 1));
    std::string state, field;
    fields >> state;
    for (int i = 0; i < 18 && fields >> field; ++i) {
    }
    unsigned long long start = 0;
    fields >> start;
    return state == "Z" ? 0 : start;
}

std::string user_name() {
    if (const passwd* entry = ::getpwuid(::geteuid())) {
        return entry->pw_name;
    }
    const char* name = std::getenv("USER");
    return name ? name : "user";
}

std::string last_line(const std::string& text) {
    std::istringstream lines(text);
    std::string last;
    for (std::string line; std::getline(lines, line);) {
        if (line.find_first_not_of(" \t\r") != std::string::npos) {
            last = line;
        }
    }
    return last;
}

}  // namespace xpcs::jobgen
