// SPDX-License-Identifier: BSD-3-Clause
#include "host/readers/follow.hpp"

#include "host/log.hpp"
#include "host/readers/rigaku64.hpp"
#include "host/stop.hpp"

#include <filesystem>
#include <system_error>
#include <thread>
#include <vector>

namespace xpcs {

namespace {

namespace fs = std::filesystem;

/// How long a file rests before a sign of the end is believed.
constexpr double rest_s = 0.2;
/// A metadata file that was there from the start may belong to an acquisition that is over, or to
/// one that begins; the age of the raw file tells.
constexpr double surely_over_s = 2;

bool is_file(const std::string& path) {
    std::error_code error;
    return fs::is_regular_file(path, error);
}

}  // namespace

FollowWatch::FollowWatch(FollowOptions options, const std::string& raw)
    : options_(std::move(options)), raw_(raw),
      was_there_(!options_.metadata_file.empty() && is_file(options_.metadata_file)) {}

bool FollowWatch::metadata_is_there() const {
    if (options_.metadata_file.empty() || !is_file(options_.metadata_file)) return false;
    if (!was_there_) return true;
    std::error_code error, ignored;
    const auto of_metadata = fs::last_write_time(options_.metadata_file, error);
    const auto of_raw = fs::last_write_time(raw_, error);
    const std::chrono::duration<double> age = fs::file_time_type::clock::now() - of_raw;
    return !error && of_metadata >= of_raw && age.count() > surely_over_s;
}

bool FollowWatch::ended(bool all_frames_seen) {
    const std::chrono::duration<double> quiet = Clock::now() - last_growth_;
    if (quiet.count() >= options_.quiet_s) return true;
    return quiet.count() >= rest_s && (all_frames_seen || metadata_is_there());
}

void wait_for_raw(const std::string& raw) {
    std::vector<std::string> files = {raw};
    if (rigaku3m_module_of(raw) >= 0) {
        files.clear();
        for (char module = '0'; module < '6'; ++module)
            files.push_back(raw.substr(0, raw.size() - 1) + module);
    }
    const auto ready = [&] {
        bool any = false;
        for (const std::string& file : files) {
            std::error_code error;
            const auto size = fs::file_size(file, error);
            if (error) return false;
            any = any || size >= rigaku::word_bytes;
        }
        return any;
    };
    if (ready()) return;
    Log::info(raw + ": not there yet, waiting for it");
    while (!ready()) {
        throw_if_stopped();
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

}  // namespace xpcs
