// SPDX-License-Identifier: BSD-3-Clause
// SIGTERM and SIGINT end the commands of the portal soon, with 75, and leave what was there.
#include "host/stop.hpp"

#include "host/errors.hpp"
#include "host/result_file.hpp"
#include "portal/catalogue.hpp"
#include "portal/report.hpp"
#include "portal/sqlite.hpp"
#include "tests/host/result_fixture.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace {

using namespace xpcs;
using namespace xpcs::portal;
using ::testing::HasSubstr;
using xpcs::testing::TempDir;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

void sleep_ms(int ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

/// Waits for what must come at last; false if it does not within a minute.
bool comes(const std::function<bool()>& condition) {
    for (const auto end = Clock::now() + std::chrono::minutes(1); Clock::now() < end; sleep_ms(20))
        if (condition()) return true;
    return false;
}

std::string text_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// xpcs-portal with standard input from a pipe that this side holds open.
class PortalProcess {
  public:
    PortalProcess(const TempDir& says, std::vector<std::string> words)
        : log_(says.file("said.log")) {
        EXPECT_EQ(::pipe2(input_, O_CLOEXEC), 0);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, input_[0], 0);
        posix_spawn_file_actions_addopen(
            &actions, 1, log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
        words.insert(words.begin(), XPCS_BIN_DIR "/xpcs-portal");
        std::vector<char*> arguments;
        for (std::string& word : words)
            arguments.push_back(word.data());
        arguments.push_back(nullptr);
        EXPECT_EQ(::posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ),
                  0);
        posix_spawn_file_actions_destroy(&actions);
    }
    ~PortalProcess() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(input_[0]);
        ::close(input_[1]);
    }
    PortalProcess(const PortalProcess&) = delete;
    PortalProcess& operator=(const PortalProcess&) = delete;

    /// Exit status after the signal; nothing if it goes on for ten seconds or dies of it.
    std::optional<int> stopped_by(int signal) {
        if (pid_ <= 0) throw std::logic_error("no process");
        ::kill(pid_, signal);
        int status = 0;
        const auto end = Clock::now() + std::chrono::seconds(10);
        while (::waitpid(pid_, &status, WNOHANG) == 0) {
            if (Clock::now() > end) return std::nullopt;
            sleep_ms(10);
        }
        pid_ = -1;
        return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
    }
    std::string said() const { return text_of(log_); }
    void write(const std::string& text) const {
        EXPECT_EQ(::write(input_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    /// Whether it hears signals already: the main thread of a new program does not at once.
    bool listens() const {
        const std::string status = text_of("/proc/" + std::to_string(pid_) + "/status");
        const std::size_t at = status.find("SigCgt:");
        if (at == std::string::npos) return false;
        const auto caught = std::stoull(status.substr(at + 7), nullptr, 16);
        return (caught >> (SIGTERM - 1) & 1U) != 0;
    }

  private:
    std::string log_;
    int input_[2] = {-1, -1};
    pid_t pid_ = -1;
};

/// Path -> content of every file below a directory, hidden ones too.
std::map<std::string, std::string> all_files(const std::string& directory) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        files[entry.path()] = entry.is_regular_file() ? text_of(entry.path()) : "";
    return files;
}

/// A gnuplot that says that it is there, in a file, and never ends.
class EndlessGnuplot {
  public:
    explicit EndlessGnuplot(const TempDir& dir)
        : path_(std::getenv("PATH")), began_(dir.file("began")) {
        fs::create_directories(dir.file("bin"));
        std::ofstream(dir.file("bin/gnuplot"))
            << "#!/bin/sh\necho $$ >'" << began_ << ".new' && mv '" << began_ << ".new' '" << began_
            << "'\nexec sleep 1000\n";
        fs::permissions(dir.file("bin/gnuplot"), fs::perms::owner_all);
        ::setenv("PATH", (dir.file("bin") + ":" + path_).c_str(), 1);
    }
    ~EndlessGnuplot() { ::setenv("PATH", path_.c_str(), 1); }
    EndlessGnuplot(const EndlessGnuplot&) = delete;
    EndlessGnuplot& operator=(const EndlessGnuplot&) = delete;

    bool draws() const {
        return comes([this] { return fs::exists(began_); });
    }
    /// Whether its process is gone.
    bool ended() const {
        return comes([this] { return ::kill(std::stoi(text_of(began_)), 0) != 0; });
    }

  private:
    std::string path_, began_;
};

std::string written_result(const TempDir& dir) {
    const RunResult made = xpcs::testing::made_up_result(dir);
    ResultFile file(made.config, "run", made.metadata.file);
    file.write(made);
    return file.commit();
}

Viewer everybody() {
    Viewer viewer;
    viewer.everything = true;
    return viewer;
}

TEST(Stop, AReportThatDrawsEndsWith75AndTheOlderOneStays) {
    const TempDir dir;
    const std::string result = written_result(dir), out = dir.file("report");
    ReportOptions options;
    options.result = result;
    options.directory = out;
    write_report(options);
    const auto before = all_files(out);
    for (const int signal : {SIGTERM, SIGINT}) {
        const TempDir work;
        const EndlessGnuplot gnuplot(work);
        PortalProcess process(work, {"report", result, "-o", out});
        ASSERT_TRUE(gnuplot.draws());
        EXPECT_EQ(process.stopped_by(signal), 75) << process.said();
        const std::string said = process.said();
        EXPECT_THAT(said, HasSubstr(signal == SIGTERM ? "SIGTERM" : "SIGINT"));
        EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
        EXPECT_TRUE(gnuplot.ended());
        EXPECT_EQ(all_files(out), before);
    }
}

TEST(Stop, AFirstReportThatIsStoppedLeavesNothing) {
    const TempDir dir, work;
    const std::string result = written_result(dir);
    const EndlessGnuplot gnuplot(work);
    PortalProcess process(work, {"report", result, "-o", dir.file("report")});
    ASSERT_TRUE(gnuplot.draws());
    EXPECT_EQ(process.stopped_by(SIGTERM), 75) << process.said();
    EXPECT_FALSE(fs::exists(dir.file("report")));
}

TEST(Stop, AReportAskedToStopWhileItGathersWritesNothing) {
    const TempDir dir;
    ReportOptions options;
    options.result = written_result(dir);
    options.directory = dir.file("report");
    options.pictures = false;
    request_stop(SIGTERM);
    try {
        write_report(options);
        ADD_FAILURE() << "it goes on";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::interrupted) << error.what();
    }
    request_stop(0);
    EXPECT_FALSE(fs::exists(options.directory));
}

json changed_document(const std::string& subject) {
    return {{"subject", subject}, {"visible_to", {"public"}}, {"content", json::object()}};
}

TEST(Stop, AnIngestThatReadsStandardInputEndsWith75) {
    const TempDir dir;
    Catalogue(dir.file("c.db"), true).ingest(changed_document("before"));
    for (const int signal : {SIGTERM, SIGINT}) {
        PortalProcess process(dir, {"ingest", "-", "--catalogue", dir.file("c.db")});
        process.write(changed_document("more").dump() + "\n");
        ASSERT_TRUE(comes([&] { return process.listens(); }));
        EXPECT_EQ(process.stopped_by(signal), 75) << process.said();
    }
    EXPECT_EQ(Catalogue(dir.file("c.db")).search({}, everybody()).total, 1);
}

TEST(Stop, AnIngestThatWaitsForAnotherEndsWith75) {
    const TempDir dir;
    Catalogue(dir.file("c.db"), true).ingest(changed_document("before"));
    std::ofstream(dir.file("new.json")) << changed_document("new").dump();
    const Database other(dir.file("c.db"), false);
    {
        const Transaction held(other);
        PortalProcess process(dir,
                              {"ingest", dir.file("new.json"), "--catalogue", dir.file("c.db")});
        ASSERT_TRUE(comes([&] { return process.listens(); }));
        sleep_ms(1500);  // until it waits
        EXPECT_EQ(process.stopped_by(SIGTERM), 75) << process.said();
    }
    EXPECT_EQ(Catalogue(dir.file("c.db")).search({}, everybody()).total, 1);
}

TEST(Stop, DocumentsGoInAllOrNone) {
    const TempDir dir;
    Catalogue catalogue(dir.file("c.db"), true);
    catalogue.ingest(changed_document("before"));
    request_stop(SIGINT);
    EXPECT_THROW(catalogue.ingest_all({changed_document("a"), changed_document("b")}), Error);
    request_stop(0);
    EXPECT_EQ(catalogue.search({}, everybody()).total, 1);
    EXPECT_EQ(catalogue.ingest_all({changed_document("a"), changed_document("b")})[Ingested::added],
              2);
}

TEST(Stop, AUserWhoIsAskedForAPasswordCanGiveUp) {
    const TempDir dir;
    PortalProcess process(dir, {"user", "vera", "--auth", dir.file("users")});
    ASSERT_TRUE(comes([&] { return process.listens(); }));
    process.write("half a pass");
    EXPECT_EQ(process.stopped_by(SIGINT), 75) << process.said();
    EXPECT_FALSE(fs::exists(dir.file("users")));
}

}  // namespace
