// SPDX-License-Identifier: BSD-3-Clause
#include "host/stop.hpp"

#include "host/errors.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace xpcs {

namespace {

std::atomic<int> stop_signal{0};
std::atomic<long long> stop_time_ms{0};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<long long>::is_always_lock_free,
              "a signal handler may only touch lock-free atomics");

constexpr long long second_signal_after_ms = 1000;

long long now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);  // async-signal-safe
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

// Atomics, clock_gettime and _exit only.
void on_signal(int signal) {
    const int old_errno = errno;
    int none = 0;
    const long long now = now_ms();
    if (stop_signal.compare_exchange_strong(none, signal)) {
        stop_time_ms.store(now);
    } else if (now - stop_time_ms.load() >= second_signal_after_ms) {
        _exit(static_cast<int>(ExitCode::interrupted));
    }
    errno = old_errno;
}

const char* name_of(int signal) {
    switch (signal) {
    case SIGTERM:
        return "SIGTERM";
    case SIGINT:
        return "SIGINT";
    case SIGHUP:
        return "SIGHUP";
    case SIGXCPU:
        return "SIGXCPU (CPU time limit)";
    default:
        return "a signal";
    }
}

void handle(int signal, bool even_if_ignored) {
    struct sigaction old {};
    sigaction(signal, nullptr, &old);
    if (!even_if_ignored && old.sa_handler == SIG_IGN) {
        return;
    }
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;  // libraries that read files do not expect EINTR
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

}  // namespace

void install_stop_handlers() {
    handle(SIGTERM, true);
    handle(SIGINT, false);
    handle(SIGHUP, false);
    handle(SIGXCPU, false);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

bool stop_requested() noexcept {
    return stop_signal.load(std::memory_order_relaxed) != 0;
}

void throw_if_stopped(const char* consequence) {
    if (const int signal = stop_signal.load(std::memory_order_relaxed)) {
        throw Error(ExitCode::interrupted,
                    std::string("stopped by ") + name_of(signal) + "; " + consequence);
    }
}

void request_stop(int signal) noexcept {
    stop_time_ms.store(now_ms());
    stop_signal.store(signal);
}

}  // namespace xpcs
