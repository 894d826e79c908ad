// SPDX-License-Identifier: BSD-3-Clause
// What the programs leave for others to read and to write: the whole way from a raw file to a
// published report, with an open umask and secrets in the environment.
#include "jobgen/process.hpp"
#include "tests/jobgen/support.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

namespace xpcs::jobgen {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::TempDir;
using testing::write_file;

/// Runs everything once in a directory of its own.
class WholeSite {
  public:
    using Words = std::vector<std::string>;
    using Variables = std::vector<std::pair<std::string, std::string>>;

    explicit WholeSite(Variables variables = {}) : variables_(std::move(variables)) {
        const char* path = std::getenv("PATH");
        variables_.insert(
            variables_.end(),
            {{"PATH", bin_ + ":" + std::string(XPCS_BIN_DIR) + ":" + (path ? path : "")},
             {"HOME", dir_ / "home"},
             {"CALLS", dir_ / "calls"}});
        // Stands for the command line of Globus.
        write_file(
            bin_ + "/globus", "#!/bin/bash\necho 5b7e6a3c-0000-4000-8000-000000000001\n", true);
        write_file(dir_ / "site.yaml", yaml());
        fs::create_directories(dir_ / "raw/data/run");
        fs::create_directories(dir_ / "home");
    }
    const std::string& path() const { return dir_.path(); }
    std::string operator/(const std::string& name) const { return dir_ / name; }
    const std::string& said() const { return said_; }

    /// With umask 0. `input` is what it reads; returned is what it prints.
    std::string run(Words command, const std::string& input = "") {
        command.insert(command.begin(), {"bash", "-c", "umask 0; exec \"$@\"", "bash"});
        RunOptions options;
        options.variables = variables_;
        options.input = input;
        options.timeout_s = 120;
        const Outcome outcome = run_program(command, options);
        EXPECT_EQ(outcome.code, 0) << command[4] << " " << command[5] << ": " << outcome.err;
        said_ += outcome.out + outcome.err;
        return outcome.out;
    }
    void run_everything() {
        const Words geometry{"--rows=24",
                             "--cols=24",
                             "--energy=11",
                             "--distance=4",
                             "--pixel-size=300e-6",
                             "--beam-x=12",
                             "--beam-y=12"};
        const auto with = [&](Words words, const Words& more) {
            words.insert(words.end(), geometry.begin(), geometry.end());
            words.insert(words.end(), more.begin(), more.end());
            return words;
        };
        const std::string raw = dir_ / "raw/data/run/run.bin", qmap = dir_ / "raw/q.h5";
        run(with(
            {"xpcs-corr", "simulate"},
            {"--format=rigaku", "--frames=200", "--occupancy=0.05", "--seed=1", "--output", raw}));
        run(with({"xpcs-corr", "make-qmap"}, {"--dynamic-q=2", "--static-q=4", "--output", qmap}));
        run({"xpcs-corr",
             "-r",
             raw,
             "-q",
             qmap,
             "-o",
             dir_ / "out",
             "-nf",
             "0",
             "--device",
             "cpu",
             "--log-level",
             "debug",
             "--summary",
             dir_ / "summary.json"});
        run({"xpcs-corr", "inspect", dir_ / "out/run_results.hdf"});
        run({"xpcs-portal", "report", dir_ / "out/run_results.hdf", "-o", dir_ / "out/report"});
        run({"xpcs-portal", "ingest", dir_ / "out", "--catalogue", dir_ / "c.db"});
        run({"xpcs-portal", "user", "ann", "--auth", dir_ / "users"}, "correct horse battery\n");
        const Words site{"--deployments", dir_ / "site.yaml", "--deployment", "here"};
        const auto here = [&](Words words) {
            words.insert(words.end(), site.begin(), site.end());
            return words;
        };
        run(here({"xpcs-jobgen",
                  "script",
                  "-r",
                  raw,
                  "-q",
                  qmap,
                  "-o",
                  dir_ / "jobs",
                  "--output",
                  dir_ / "jobs/job.sh"}));
        run({"bash", dir_ / "jobs/job.sh"});
        const std::string input = run(here({"xpcs-jobgen",
                                            "flow",
                                            "input",
                                            "-r",
                                            raw,
                                            "-q",
                                            qmap,
                                            "-nf",
                                            "0",
                                            "--experiment",
                                            "e",
                                            "--cycle",
                                            "2026-1",
                                            "--back",
                                            dir_ / "raw/analysis"}));
        write_file(dir_ / "input.json", input);
        run({"xpcs-jobgen",
             "run",
             "online",
             "--input",
             dir_ / "input.json",
             "--deployments",
             dir_ / "site.yaml",
             "--run-dir",
             dir_ / "flow",
             "--catalogue",
             dir_ / "flow.jsonl"});
        run({"xpcs-jobgen",
             "batch",
             dir_ / "raw/data",
             "-q",
             qmap,
             "-o",
             dir_ / "batch",
             "--programs",
             XPCS_BIN_DIR,
             "--device",
             "cpu"});
        run({"xpcs-jobgen",
             "launch",
             raw,
             "-q",
             qmap,
             "--deployments",
             dir_ / "site.yaml",
             "--deployment",
             "globus",
             "-o",
             dir_ / "launched",
             "--experiment",
             "e",
             "--cycle",
             "2026-1",
             "--skip-transfer-back"});
    }

  private:
    std::string yaml() const {
        const std::string d = dir_.path();
        return "schema: 1\ncollections:\n"
               "  src: {id: 11111111-1111-4111-8111-111111111111, path: " +
               d +
               "/raw/}\n"
               "  stage: {id: 22222222-2222-4222-8222-222222222222, path: " +
               d +
               "/stage/}\n"
               "  pub: {id: 33333333-3333-4333-8333-333333333333, path: " +
               d +
               "/pub/}\n"
               "deployments:\n  here:\n    machine: localhost\n    source: src\n"
               "    staging: stage\n    publish: pub\n    staging_dir: " +
               d +
               "/stage/xpcs\n"
               "    https_host: \"\"\n"
               "  globus:\n    extends: here\n    service_account: true\n"
               "    flow_id: 72e6469a-cf30-46bc-bff4-94dca46f2459\n"
               "    compute: {function_id: dbc5e659-fab8-5822-8b79-f3fa77f27aa0}\n";
    }

    TempDir dir_;
    std::string bin_ = dir_ / "bin";
    Variables variables_;
    std::string said_;
};

std::string whole_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();  // a process that ends meanwhile gives what there was
    return out.str();
}

/// Looks at the command lines of all processes until it goes away.
class ProcessWatch {
  public:
    explicit ProcessWatch(std::string word) : word_(std::move(word)) {}
    ~ProcessWatch() {
        over_ = true;
        thread_.join();
    }
    std::string found() const {
        const std::lock_guard lock(mutex_);
        return found_;
    }
    int seen() const { return seen_; }

  private:
    void watch() {
        while (!over_) {
            std::error_code error;
            for (const auto& entry : fs::directory_iterator("/proc", error)) {
                const std::string line = whole_file(entry.path().string() + "/cmdline");
                seen_ += line.find("xpcs-") != std::string::npos ? 1 : 0;
                if (line.find(word_) != std::string::npos) {
                    const std::lock_guard lock(mutex_);
                    found_ = line;
                }
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
    }

    std::string word_, found_;
    mutable std::mutex mutex_;
    std::atomic<bool> over_{false};
    std::atomic<int> seen_{0};
    std::thread thread_{[this] { watch(); }};
};

TEST(Safety, others_can_write_nothing_that_is_made_whatever_the_umask_is) {
    if (testing::real_program("xpcs-corr").empty()) GTEST_SKIP() << "xpcs-corr is not built";
    WholeSite site({{"GLOBUS_CLI_CLIENT_ID", "id"}, {"GLOBUS_CLI_CLIENT_SECRET", "word"}});
    site.run_everything();
    int files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(site.path())) {
        const std::string name = entry.path().string();
        if (entry.is_symlink() || name.starts_with(site / "bin") || name == site / "site.yaml" ||
            name == site / "home" || name == site / "input.json" || name.ends_with("/raw") ||
            name.ends_with("raw/data") || name.ends_with("data/run")) {
            continue;  // made by this test
        }
        struct stat found {};
        ASSERT_EQ(stat(name.c_str(), &found), 0);
        EXPECT_EQ(found.st_mode & 0002U, 0U) << name << " can be written by everybody";
        EXPECT_EQ(found.st_mode & 06000U, 0U) << name;
        if (S_ISREG(found.st_mode) && !name.ends_with(".sh")) {
            EXPECT_EQ(found.st_mode & 0111U, 0U) << name << " can be executed";
        }
        ++files;
    }
    EXPECT_GT(files, 80);
    struct stat users {};
    ASSERT_EQ(stat((site / "users").c_str(), &users), 0);
    EXPECT_EQ(users.st_mode & 0777U, 0600U);
}

TEST(Safety, secrets_are_in_no_file_no_message_and_no_list_of_processes) {
    if (testing::real_program("xpcs-corr").empty()) GTEST_SKIP() << "xpcs-corr is not built";
    const std::string secret = "s3cr3t-" + std::to_string(::getpid()) + "-0f9a";
    const std::string password = "correct horse battery";
    WholeSite site({{"GLOBUS_CLI_CLIENT_ID", "id"}, {"GLOBUS_CLI_CLIENT_SECRET", secret}});
    {
        ProcessWatch watch(secret);
        site.run_everything();
        EXPECT_EQ(watch.found(), "");
        EXPECT_GT(watch.seen(), 0) << "nothing was looked at";
    }
    for (const std::string& word : {secret, password}) {
        EXPECT_EQ(site.said().find(word), std::string::npos) << site.said();
        for (const auto& entry : fs::recursive_directory_iterator(site.path())) {
            if (entry.is_regular_file()) {
                EXPECT_EQ(whole_file(entry.path().string()).find(word), std::string::npos)
                    << entry.path();
            }
        }
    }
}

TEST(Safety, everything_goes_on_while_the_clock_is_set) {
    if (testing::real_program("xpcs-corr").empty()) GTEST_SKIP() << "xpcs-corr is not built";
    WholeSite site({{"GLOBUS_CLI_CLIENT_ID", "id"},
                    {"GLOBUS_CLI_CLIENT_SECRET", "word"},
                    {"LD_PRELOAD", XPCS_JUMPING_CLOCK}});
    site.run_everything();
    for (const char* result : {"out", "jobs", "batch"}) {
        const std::string file = site / (std::string(result) + "/run_results.hdf");
        EXPECT_TRUE(fs::exists(file)) << file;
    }
    EXPECT_THAT(site.said(), HasSubstr("1 done"));
}

}  // namespace
}  // namespace xpcs::jobgen
