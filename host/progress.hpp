// SPDX-License-Identifier: BSD-3-Clause
// How far a run is: a bar on a terminal, else a line in the log every 30 s.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace xpcs {

struct ProgressState {
    double fraction = 0;  ///< 0 to 1
    std::int64_t events = 0;
    std::int64_t bytes = 0;
    double elapsed_s = 0;
};

/// "43 %, 2.1e+07 events/s, 1.20 GB/s, 12 s left"; rates are means since the start, and what is not
/// known yet is left out.
std::string progress_text(const ProgressState& state);

/// "[=====>     ] " + progress_text, at most `columns` wide.
std::string progress_bar(const std::string& what, const ProgressState& state, int columns);

/// A thread of its own draws; add() and set_fraction() are a few relaxed atomic operations and may
/// be called from any number of threads.
class Progress {
  public:
    enum class Show { nothing, bar, lines };

    /// `mode` is auto, always or never (--progress). auto: a bar if standard error is a terminal
    /// and the log is text, else lines. always: a bar even into a file or pipe (text log).
    static Show choose(const std::string& mode, bool terminal, bool json_log);

    /// `what` names the stage, "reading". Uses standard error and the log.
    Progress(const std::string& what, const std::string& mode);
    Progress(const std::string& what,
             Show show,
             std::chrono::milliseconds bar_interval,
             std::chrono::milliseconds line_interval);
    ~Progress();  ///< wipes the bar
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void set_fraction(double fraction) noexcept {
        fraction_.store(fraction, std::memory_order_relaxed);
    }
    void add(std::int64_t events, std::int64_t bytes) noexcept {
        events_.fetch_add(events, std::memory_order_relaxed);
        bytes_.fetch_add(bytes, std::memory_order_relaxed);
    }
    ProgressState state() const;

  private:
    std::string what_;
    Show show_;
    std::chrono::milliseconds interval_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    std::atomic<double> fraction_{0};
    std::atomic<std::int64_t> events_{0};
    std::atomic<std::int64_t> bytes_{0};
    std::mutex mutex_;
    std::condition_variable wake_;
    bool done_ = false;
    std::thread thread_;

    void draw_until_done();
    void draw();
};

}  // namespace xpcs
