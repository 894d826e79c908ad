// SPDX-License-Identifier: BSD-3-Clause
// Reading a raw file while the detector writes it: when is there more, and when was that the end?
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace xpcs {

struct FollowOptions {
    bool on = false;
    double quiet_s = 10;        ///< a file that has not grown for so long is complete
    std::string metadata_file;  ///< written when the acquisition is over; "" = no such sign
};

/// The end of an acquisition, by the first of three signs: the metadata file appears, the last
/// frame asked for has been seen, or the file has been quiet. After the first two signs the file
/// must also rest for a moment, since bytes may still be on their way.
class FollowWatch {
  public:
    FollowWatch(FollowOptions options, const std::string& raw);

    /// Call when the file has grown.
    void grown() { last_growth_ = Clock::now(); }
    /// `all_frames_seen`: the last frame of the acquisition has been met.
    bool ended(bool all_frames_seen);

  private:
    using Clock = std::chrono::steady_clock;
    bool metadata_is_there() const;

    FollowOptions options_;
    std::string raw_;
    bool was_there_;  ///< the metadata file, before anything was read
    Clock::time_point last_growth_ = Clock::now();
};

/// Waits until the raw file (of a 3M run all its files, one of them with a record) is there. Throws
/// Error (interrupted).
void wait_for_raw(const std::string& raw);

}  // namespace xpcs
