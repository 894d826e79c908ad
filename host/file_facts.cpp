// SPDX-License-Identifier: BSD-3-Clause
#include "host/file_facts.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>

namespace xpcs {

std::string utc_text(std::time_t seconds) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

std::string host_name() {
    char name[256] = {};
    return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

std::vector<InputFile> stat_inputs(const std::vector<std::string>& paths) {
    std::vector<InputFile> inputs;
    for (const std::string& path : paths) {
        struct stat info {};
        if (path.empty() || stat(path.c_str(), &info) != 0) continue;
        inputs.push_back({path, static_cast<std::uint64_t>(info.st_size), utc_text(info.st_mtime)});
    }
    return inputs;
}

}  // namespace xpcs
