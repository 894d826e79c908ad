// SPDX-License-Identifier: BSD-3-Clause
// A clock that is set while programs run, to and fro by a year at every third look; preloaded by
// tests. The clock that only goes forward is left alone, as the system does.
#include <dlfcn.h>
#include <sys/time.h>

#include <atomic>
#include <ctime>

namespace {

std::time_t jump() {
    static std::atomic<unsigned> looks{0};
    constexpr std::time_t year_s = 365 * 86400;
    constexpr std::time_t jumps[] = {0, year_s, -year_s};
    return jumps[(looks++ / 3) % 3];
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* out) noexcept {
    using Call = int (*)(clockid_t, timespec*);
    static const auto real = reinterpret_cast<Call>(dlsym(RTLD_NEXT, "clock_gettime"));
    const int status = real(clock, out);
    if (clock == CLOCK_REALTIME && status == 0) out->tv_sec += jump();
    return status;
}

extern "C" std::time_t time(std::time_t* out) noexcept {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != nullptr) *out = now.tv_sec;
    return now.tv_sec;
}

extern "C" int gettimeofday(timeval* out, void*) noexcept {
    timespec now{};
    const int status = clock_gettime(CLOCK_REALTIME, &now);
    *out = {now.tv_sec, static_cast<suseconds_t>(now.tv_nsec / 1000)};
    return status;
}
