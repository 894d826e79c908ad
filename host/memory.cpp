// SPDX-License-Identifier: BSD-3-Clause
#include "host/memory.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>

namespace xpcs {

namespace {

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

std::uint64_t meminfo_available() {
    std::ifstream file("/proc/meminfo");
    std::string key, unit;
    std::uint64_t kib = 0;
    while (file >> key >> kib) {
        std::getline(file, unit);
        if (key == "MemAvailable:") return kib * 1024;
    }
    return no_limit;
}

/// A number in a file, `no_limit` if there is none ("max").
std::uint64_t number_in(const std::string& path) {
    std::ifstream file(path);
    std::uint64_t value = 0;
    return file >> value ? value : no_limit;
}

/// Control groups, version 2: the tightest of the groups above this process.
std::uint64_t cgroup_available() {
    std::ifstream file("/proc/self/cgroup");
    std::string line;
    std::uint64_t least = no_limit;
    while (std::getline(file, line)) {
        if (line.rfind("0::", 0) != 0) continue;
        for (std::string group = line.substr(3); !group.empty();
             group.resize(group.find_last_of('/'))) {
            const std::string directory = "/sys/fs/cgroup" + (group == "/" ? "" : group);
            const std::uint64_t limit = number_in(directory + "/memory.max");
            const std::uint64_t used = number_in(directory + "/memory.current");
            if (limit != no_limit && used != no_limit) {
                least = std::min(least, limit > used ? limit - used : 0);
            }
            if (group.find_last_of('/') == std::string::npos) break;
        }
    }
    return least;
}

}  // namespace

std::uint64_t available_memory_bytes() {
    const std::uint64_t least = std::min(meminfo_available(), cgroup_available());
    return least == no_limit ? 0 : least;
}

std::uint64_t peak_memory_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

std::string gib_text(double bytes) {
    return fmt::format("{:.3g} GiB", bytes / static_cast<double>(1U << 30));
}

}  // namespace xpcs
