// SPDX-License-Identifier: BSD-3-Clause
#include "host/progress.hpp"

#include "host/log.hpp"
#include "host/text.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace xpcs {

namespace {

std::string duration(double seconds) {
    if (seconds < 99.5) {
        return fmt::format("{:.0f} s", seconds);
    }
    const auto minutes = std::lround(seconds / 60);
    return minutes < 120 ? fmt::format("{} min", minutes)
                         : fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

double clamped(double fraction) {
    return std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0;
}

int terminal_columns() {
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

bool on_terminal() {
    const char* term = std::getenv("TERM");
    return isatty(STDERR_FILENO) != 0 && (term == nullptr || std::string_view(term) != "dumb");
}

}  // namespace

std::string progress_text(const ProgressState& state) {
    const double fraction = clamped(state.fraction);
    std::string text = fmt::format("{:.0f} %", std::floor(100 * fraction));
    if (state.elapsed_s > 0) {
        if (state.events > 0) {
            text += fmt::format(", {:.2g} events/s",
                                static_cast<double>(state.events) / state.elapsed_s);
        }
        if (state.bytes > 0) {
            text += fmt::format(", {:.2f} GB/s",
                                static_cast<double>(state.bytes) / state.elapsed_s / 1e9);
        }
        // The first moments tell nothing about the rest.
        if (fraction > 0.001 && fraction < 1) {
            text += ", " + duration(state.elapsed_s * (1 - fraction) / fraction) + " left";
        }
    }
    return text;
}

std::string progress_bar(const std::string& what, const ProgressState& state, int columns) {
    constexpr int bar_width = 24;
    const int filled = static_cast<int>(clamped(state.fraction) * bar_width);
    std::string bar(static_cast<std::size_t>(filled), '=');
    bar += filled < bar_width ? ">" : "";
    bar.resize(bar_width, ' ');
    std::string line = what + " [" + bar + "] " + progress_text(state);
    if (line.size() >= static_cast<std::size_t>(std::max(columns, 1))) {
        line.resize(static_cast<std::size_t>(std::max(columns - 1, 0)));
    }
    return line;
}

Progress::Show Progress::choose(const std::string& mode, bool terminal, bool json_log) {
    if (mode == "never") {
        return Show::nothing;
    }
    if (json_log) {
        return Show::lines;
    }
    return terminal || mode == "always" ? Show::bar : Show::lines;
}

Progress::Progress(const std::string& what, const std::string& mode)
    : Progress(what,
               choose(mode, on_terminal(), Log::is_json()),
               std::chrono::milliseconds(150),
               std::chrono::seconds(30)) {}

Progress::Progress(const std::string& what,
                   Show show,
                   std::chrono::milliseconds bar_interval,
                   std::chrono::milliseconds line_interval)
    : what_(printable(what, 60)), show_(show),
      interval_(show == Show::bar ? bar_interval : line_interval) {
    if (show_ == Show::nothing) {
        return;
    }
    // Signals are for the threads that were there before: this one takes none.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { draw_until_done(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Progress::~Progress() {
    {
        std::lock_guard<std::mutex> lock(mutex_);
        done_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
    if (show_ == Show::bar) {
        Log::write_raw("\r\x1b[K", false);
    }
}

ProgressState Progress::state() const {
    ProgressState state;
    state.fraction = fraction_.load(std::memory_order_relaxed);
    state.events = events_.load(std::memory_order_relaxed);
    state.bytes = bytes_.load(std::memory_order_relaxed);
    state.elapsed_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    return state;
}

void Progress::draw_until_done() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!wake_.wait_for(lock, interval_, [this] { return done_; })) {
        draw();
    }
}

void Progress::draw() {
    if (show_ == Show::bar) {
        Log::write_raw("\r\x1b[K" + progress_bar(what_, state(), terminal_columns()), true);
    } else {
        Log::info(what_ + ": " + progress_text(state()));
    }
}

}  // namespace xpcs
