// SPDX-License-Identifier: BSD-3-Clause
#include "portal/child_process.hpp"

#include "host/errors.hpp"
#include "host/stop.hpp"
#include "host/text.hpp"
#include "portal/stopping.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>

extern char** environ;

namespace xpcs::portal {

namespace {

constexpr std::size_t most_output = 65536;
constexpr double grace_s = 3;               ///< for a child that is asked to end
constexpr long long longest_wait_ms = 100;  ///< signals may come to another thread

[[noreturn]] void cannot_start(const std::string& program, int error) {
    throw Error(ExitCode::unavailable,
                "'" + printable(program) + "': cannot be started: " + std::strerror(error));
}

pid_t spawn(const std::vector<std::string>& command, int read_end, int write_end) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, write_end, 1);
    posix_spawn_file_actions_adddup2(&actions, write_end, 2);
    posix_spawn_file_actions_addclose(&actions, read_end);
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& word : command) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    pid_t pid = -1;
    const int error =
        posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        close(read_end);
        close(write_end);
        cannot_start(command.front(), error);
    }
    return pid;
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& command, double timeout_s) {
    using Clock = std::chrono::steady_clock;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        cannot_start(command.front(), errno);
    }
    const pid_t pid = spawn(command, ends[0], ends[1]);
    close(ends[1]);
    ChildResult result;
    const auto after = [](double seconds) {
        return Clock::now() +
               std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    };
    auto end = after(timeout_s);
    bool asked_to_end = false;
    char buffer[4096];
    while (true) {
        if (!asked_to_end && stop_requested()) {
            asked_to_end = true;
            end = std::min(end, after(grace_s));
            kill(pid, SIGTERM);
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0) {
            result.timed_out = true;
            kill(pid, SIGKILL);
            break;
        }
        pollfd waiting{ends[0], POLLIN, 0};
        const int ready =
            poll(&waiting, 1, static_cast<int>(std::min<long long>(left, longest_wait_ms)));
        if (ready <= 0) {
            continue;  // nothing yet, or a signal
        }
        const ssize_t got = read(ends[0], buffer, sizeof buffer);
        if (got <= 0) {
            break;
        }
        if (result.output.size() < most_output) {
            result.output.append(buffer, static_cast<std::size_t>(got));
        }
    }
    close(ends[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    heed_signals();  // whatever the child made of it
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

}  // namespace xpcs::portal
