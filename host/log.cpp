// SPDX-License-Identifier: BSD-3-Clause
#include "host/log.hpp"

#include "host/text.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <memory>
#include <mutex>

namespace xpcs {

namespace {

constexpr std::size_t longest_message = 8000;
constexpr std::size_t most_warnings = 1000;

spdlog::level::level_enum as_spdlog(LogLevel level) {
    switch (level) {
    case LogLevel::debug:
        return spdlog::level::debug;
    case LogLevel::info:
        return spdlog::level::info;
    case LogLevel::warning:
        return spdlog::level::warn;
    case LogLevel::error:
        break;
    }
    return spdlog::level::err;
}

const char* name_of(spdlog::level::level_enum level) {
    switch (level) {
    case spdlog::level::debug:
        return "debug";
    case spdlog::level::info:
        return "info";
    case spdlog::level::warn:
        return "warning";
    default:
        return "error";
    }
}

// Writes all of it, or gives up quietly: a log that nobody can read is no reason to lose a run.
void write_stderr(const std::string& bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::write(STDERR_FILENO, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        done += static_cast<std::size_t>(n);
    }
}

std::string utc(std::chrono::system_clock::time_point time) {
    const auto seconds = std::chrono::system_clock::to_time_t(time);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[40];
    const auto n = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    return std::string(text, n) + fmt::format(".{:03}Z", ms.count() % 1000);
}

class Sink : public spdlog::sinks::base_sink<std::mutex> {
  public:
    void set_json(bool json) {
        std::lock_guard<std::mutex> lock(mutex_);
        json_ = json;
    }
    bool json() {
        std::lock_guard<std::mutex> lock(mutex_);
        return json_;
    }
    void set_target(std::function<void(const std::string&)> target) {
        std::lock_guard<std::mutex> lock(mutex_);
        target_ = std::move(target);
    }
    void write_raw(const std::string& bytes, bool transient) {
        std::lock_guard<std::mutex> lock(mutex_);
        write_stderr(bytes);
        line_to_wipe_ = transient;
    }

  protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const std::string text(message.payload.data(), message.payload.size());
        const std::string line = json_ ? json_line(message, text) : text_line(message, text);
        if (target_) {
            target_(line);
            return;
        }
        write_stderr((line_to_wipe_ ? "\r\x1b[K" : "") + line + "\n");
        line_to_wipe_ = false;
    }
    void flush_() override {}

  private:
    bool json_ = false;
    bool line_to_wipe_ = false;
    std::function<void(const std::string&)> target_;
    std::chrono::system_clock::time_point start_ = std::chrono::system_clock::now();

    double seconds(const spdlog::details::log_msg& message) const {
        return std::chrono::duration<double>(message.time - start_).count();
    }

    static std::string text_line(const spdlog::details::log_msg& message, const std::string& text) {
        const bool plain = message.level == spdlog::level::info;
        return program() + ": " + (plain ? "" : name_of(message.level)) + (plain ? "" : ": ") +
               text;
    }

    /// Which of our programs this is; tests and renamed copies speak as the correlator.
    static std::string program() {
        const std::string name = program_invocation_short_name;
        return name == "xpcs-portal" || name == "xpcs-jobgen" ? name : "xpcs-corr";
    }

    std::string json_line(const spdlog::details::log_msg& message, const std::string& text) const {
        nlohmann::ordered_json line;
        line["time"] = utc(message.time);
        line["elapsed_s"] = std::max(0.0, seconds(message));
        line["level"] = name_of(message.level);
        line["message"] = text;
        return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
};

struct State {
    std::shared_ptr<Sink> sink = std::make_shared<Sink>();
    spdlog::logger logger{"xpcs", sink};
    std::mutex mutex;
    std::vector<std::string> warnings;
};

// Never destroyed: threads that end late may still speak.
State& state() {
    // NOLINTNEXTLINE(cppcoreguidelines-owning-memory)
    static State* const one = new State;
    return *one;
}

void say(LogLevel level, const std::string& message) {
    // The text is an argument, not a format: braces in a file name mean nothing.
    state().logger.log(as_spdlog(level), "{}", printable(message, longest_message));
}

LogLevel level_of(const std::string& name) {
    if (name == "debug") {
        return LogLevel::debug;
    }
    if (name == "warning") {
        return LogLevel::warning;
    }
    return name == "error" ? LogLevel::error : LogLevel::info;
}

}  // namespace

void Log::configure(const RunConfig& config) {
    const bool more = config.verbose && config.log_level == RunConfig{}.log_level;
    configure(more ? LogLevel::debug : level_of(config.log_level), config.log_format == "json");
}

void Log::configure(LogLevel level, bool json) {
    state().logger.set_level(as_spdlog(level));
    state().sink->set_json(json);
}

void Log::debug(const std::string& message) {
    say(LogLevel::debug, message);
}

void Log::info(const std::string& message) {
    say(LogLevel::info, message);
}

void Log::warning(const std::string& message) {
    State& s = state();
    const std::string text = printable(message, longest_message);
    {
        std::lock_guard<std::mutex> lock(s.mutex);
        const bool known =
            std::find(s.warnings.begin(), s.warnings.end(), text) != s.warnings.end();
        if (!known && s.warnings.size() < most_warnings) {
            s.warnings.push_back(text);
        }
    }
    say(LogLevel::warning, message);
}

void Log::error(const std::string& message) {
    say(LogLevel::error, message);
}

std::vector<std::string> Log::warnings() {
    std::lock_guard<std::mutex> lock(state().mutex);
    return state().warnings;
}

void Log::clear_warnings() {
    std::lock_guard<std::mutex> lock(state().mutex);
    state().warnings.clear();
}

bool Log::is_json() {
    return state().sink->json();
}

bool Log::shows(LogLevel level) {
    return state().logger.should_log(as_spdlog(level));
}

void Log::write_raw(const std::string& bytes, bool transient) {
    state().sink->write_raw(bytes, transient);
}

void Log::set_sink(std::function<void(const std::string&)> sink) {
    state().sink->set_target(std::move(sink));
}

}  // namespace xpcs
