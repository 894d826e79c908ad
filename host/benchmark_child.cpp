// SPDX-License-Identifier: BSD-3-Clause
#include "host/benchmark_child.hpp"

#include "host/errors.hpp"
#include "host/stop.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>

extern char** environ;

namespace xpcs {

namespace {

/// The child's own high-water mark: that of getrusage() would count this process in.
std::uint64_t peak_of(pid_t child) {
    std::ifstream status("/proc/" + std::to_string(child) + "/status");
    std::string key;
    while (status >> key) {
        if (key == "VmHWM:") {
            std::uint64_t kib = 0;
            status >> kib;
            return kib * 1024;
        }
    }
    return 0;
}

pid_t start(const std::vector<std::string>& args, const std::string& log) {
    std::vector<std::string> words = {"xpcs-corr"};
    words.insert(words.end(), args.begin(), args.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), flags, 0644);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    pid_t child = 0;
    const int why = posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (why != 0) {
        throw Error(ExitCode::internal,
                    std::string("benchmark: cannot start xpcs-corr: ") + std::strerror(why));
    }
    return child;
}

}  // namespace

ChildRun run_self(const std::vector<std::string>& args, const std::string& log) {
    ChildRun run;
    const auto begin = std::chrono::steady_clock::now();
    const pid_t child = start(args, log);
    // Wakes at the moment the child ends; where the kernel has none of it, every 5 ms.
    const int ended = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
    int status = 0;
    rusage usage{};
    while (true) {
        const pid_t done = ::wait4(child, &status, WNOHANG, &usage);
        if (done == child || (done < 0 && errno != EINTR)) break;
        if (stop_requested()) ::kill(child, SIGTERM);
        run.peak_bytes = std::max(run.peak_bytes, peak_of(child));
        pollfd watch{ended, POLLIN, 0};
        ::poll(&watch, ended >= 0 ? 1 : 0, 5);
    }
    run.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    run.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    if (ended >= 0) ::close(ended);
    throw_if_stopped();
    run.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return run;
}

}  // namespace xpcs
