// SPDX-License-Identifier: BSD-3-Clause
#include "cli_fixture.hpp"

#include "host/sha256.hpp"
#include "tests/host/result_fixture.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>

namespace xpcs::testing {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::string> Outcome::lines_with(const std::string& text) const {
    std::vector<std::string> lines;
    std::istringstream in(err);
    for (std::string line; std::getline(in, line);) {
        if (line.find(text) != std::string::npos) lines.push_back(line);
    }
    return lines;
}

std::string Outcome::last_line_of_out() const {
    std::istringstream in(out);
    std::string last;
    for (std::string line; std::getline(in, line);) {
        last = line;
    }
    return last;
}

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::string digest_of(const std::string& path) {
    const std::string bytes = bytes_of(path);
    Sha256 hash;
    hash.add(bytes);
    return std::to_string(bytes.size()) + " bytes, " + hash.hex();
}

namespace {

/// What begins a command line that may write no larger files. A shell sets the limit: the counters
/// of a coverage build are files too, which this program writes before it becomes another one;
/// those of the other one go where they may be cut.
std::vector<std::string> limited(std::uint64_t largest_file_bytes, const std::string& counters) {
    return {
        "/bin/sh",
        "-c",
        "ulimit -f $1 && export GCOV_PREFIX=$2 GCOV_ERROR_FILE=/dev/null && shift 2 && exec \"$@\"",
        "sh",
        std::to_string(largest_file_bytes / 512),
        counters};
}

}  // namespace

Child::Child(const Arguments& arguments, std::uint64_t largest_file_bytes) {
    std::vector<std::string> words;
    if (largest_file_bytes > 0) words = limited(largest_file_bytes, says_.file("counters"));
    words.push_back(std::string(XPCS_BIN_DIR) + "/xpcs-corr");
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const std::string out = says_.file("out"), err = says_.file("err");
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
    if (pid_ > 0) return;
    // Between fork and exec only calls that are safe in a copy of a process with threads.
    constexpr int flags = O_WRONLY | O_CREAT | O_APPEND;
    ::dup2(::open(out.c_str(), flags, 0600), STDOUT_FILENO);
    ::dup2(::open(err.c_str(), flags, 0600), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
}

Child::~Child() {
    if (!status_) {
        send(SIGKILL);
        wait();
    }
}

void Child::send(int signal) const {
    if (!status_) ::kill(pid_, signal);
}

bool Child::running() {
    if (status_) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
    return !status_;
}

Outcome Child::wait() {
    if (!status_) {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        status_ = status;
    }
    Outcome outcome;
    if (WIFEXITED(*status_)) outcome.exit_code = WEXITSTATUS(*status_);
    if (WIFSIGNALED(*status_)) outcome.signal = WTERMSIG(*status_);
    outcome.out = bytes_of(says_.file("out"));
    outcome.err = bytes_of(says_.file("err"));
    return outcome;
}

Outcome run(const Arguments& arguments, std::uint64_t largest_file_bytes) {
    return Child(arguments, largest_file_bytes).wait();
}

std::map<std::string, std::string> snapshot(const std::string& directory) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(directory)) {
        files[entry.path().filename().string()] =
            entry.is_regular_file() ? digest_of(entry.path().string()) : "(no file)";
    }
    return files;
}

std::vector<Event> poisson_events(std::int64_t n_frames,
                                  std::uint32_t n_pixels,
                                  double mean,
                                  std::uint64_t seed,
                                  std::int64_t first_frame) {
    std::mt19937_64 random(seed);
    std::poisson_distribution<std::uint32_t> counts(mean);
    std::vector<Event> events;
    for (std::int64_t t = 0; t < n_frames; ++t) {
        for (std::uint32_t p = 0; p < n_pixels; ++p) {
            const std::uint32_t count = counts(random);
            if (count > 0) events.emplace_back(first_frame + t, p, count);
        }
    }
    return events;
}

QMap banded_qmap(std::int64_t rows, std::int64_t cols, std::uint32_t n_static) {
    QMap qmap = made_up_qmap(rows, cols);
    const std::uint32_t n_dynamic = (n_static + 1) / 2;
    for (std::int64_t p = 0; p < rows * cols; ++p) {
        const auto label = static_cast<std::uint32_t>((p % cols) * n_static / cols);
        const auto at = static_cast<std::size_t>(p);
        qmap.mask[at] = 1;
        qmap.static_roi_map[at] = label + 1;
        qmap.dynamic_roi_map[at] = label / 2 + 1;
    }
    qmap.static_num_pts = {n_static, 1};
    qmap.dynamic_num_pts = {n_dynamic, 1};
    qmap.static_v_list[0].clear();
    qmap.dynamic_v_list[0].clear();
    qmap.static_index_mapping.clear();
    qmap.dynamic_index_mapping.clear();
    for (std::uint32_t s = 0; s < n_static; ++s) {
        qmap.static_v_list[0].push_back(0.001 * (s + 1));
        qmap.static_index_mapping.push_back(s);
    }
    for (std::uint32_t d = 0; d < n_dynamic; ++d) {
        qmap.dynamic_v_list[0].push_back(0.002 * (d + 1));
        qmap.dynamic_index_mapping.push_back(d);
    }
    return qmap;
}

void write_metadata(const std::string& path, double frame_time_s) {
    fs::remove(path);
    write_made_up_metadata(path, frame_time_s);
}

SmallRun::SmallRun(double mean, std::uint64_t seed)
    : raw(dir.file("run.bin")), metadata(dir.file("run_metadata.hdf")),
      qmap_file(dir.file("qmap.hdf")), out(dir.file("out")), qmap(banded_qmap(rows, cols, 8)) {
    write_events(poisson_events(n_frames, rows * cols, mean, seed));
    write_metadata(metadata, 1e-3);
    write_qmap();
    fs::create_directory(out);
}

void SmallRun::write_events(const std::vector<Event>& events) const {
    write_words(raw, words_of(events));
}

void SmallRun::write_dense(const std::vector<std::uint16_t>& samples, std::int64_t n) {
    raw = dir.file("run.h5");
    fs::remove(raw);
    const h5::File file = h5::create_file(raw);
    h5::write<std::uint16_t>(
        file.id(), "/entry/data/data", samples, {static_cast<hsize_t>(n), rows, cols});
}

void SmallRun::write_qmap() {
    save_qmap(qmap, qmap_file, true);
}

Arguments SmallRun::arguments(const Arguments& more) const {
    Arguments all = {
        "-r", raw, "-q", qmap_file, "-o", out, "--device", "cpu", "--threads", "2", "-nf", "0"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
}

Outcome SmallRun::correlate(const Arguments& more) const {
    return run(arguments(more));
}

std::string SmallRun::result(const std::string& name) const {
    return (fs::path(out) / name).string();
}

void SmallRun::expect_refused(ExitCode code,
                              const std::vector<std::string>& words,
                              const Arguments& more) const {
    if (!fs::exists(result())) {
        std::ofstream(result()) << "an earlier result";
    }
    const auto before = snapshot(out);
    for (const bool overwrite : {false, true}) {
        Arguments all = more;
        if (overwrite) all.emplace_back("--overwrite");
        const Outcome outcome = correlate(all);
        EXPECT_EQ(outcome.exit_code, static_cast<int>(code)) << outcome.err;
        EXPECT_EQ(outcome.out, "");
        const auto errors = outcome.lines_with("error:");
        ASSERT_EQ(errors.size(), 1U) << outcome.err;
        for (const std::string& word : words) {
            EXPECT_THAT(errors[0], HasSubstr(word));
        }
        EXPECT_EQ(snapshot(out), before) << "files of the output directory changed";
    }
}

Outcome SmallRun::expect_done(const std::vector<std::string>& words, const Arguments& more) const {
    fs::remove(result());
    const Outcome outcome = correlate(more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.lines_with("error:").size(), 0U) << outcome.err;
    EXPECT_EQ(outcome.last_line_of_out(), result());
    const auto files = snapshot(out);
    EXPECT_EQ(files.size(), 1U) << "something is left beside the result";
    if (words.empty()) return outcome;
    bool said = false;
    for (const std::string& line : outcome.lines_with(words.front())) {
        bool all = true;
        for (const std::string& word : words) {
            all = all && line.find(word) != std::string::npos;
        }
        said = said || all;
    }
    EXPECT_TRUE(said) << "no line with " << ::testing::PrintToString(words) << " in\n"
                      << outcome.err;
    return outcome;
}

std::vector<double> SmallRun::read(const std::string& path) const {
    return h5::read<double>(h5::open_file(result()).id(), path);
}

h5::Shape SmallRun::shape(const std::string& path) const {
    const h5::File file = h5::open_file(result());
    return h5::shape_of(h5::open_dataset(file.id(), path));
}

namespace {

void collect(hid_t file, const std::string& group, std::map<std::string, std::string>& found) {
    for (const h5::Child& child : h5::children(file, group)) {
        const std::string path = group + "/" + child.name;
        // How the run was done, not what came out.
        if (path == "/xpcs/provenance/stage_times" || path == "/xpcs/provenance/peak_memory" ||
            path == "/xpcs/provenance/input_sizes" || child.name == "config") {
            continue;
        }
        if (child.kind == h5::Kind::group) {
            collect(file, path, found);
            continue;
        }
        const h5::Dataset dataset = h5::open_dataset(file, path);
        const h5::Type type = h5::type_of(dataset);
        const std::string name = h5::type_name(type.id());
        if (name.find("string") != std::string::npos) continue;
        const h5::Shape shape = h5::shape_of(dataset);
        std::string bytes(h5::n_elements(shape) * H5Tget_size(type.id()), '\0');
        if (!bytes.empty()) h5::read_all(dataset, type.id(), bytes.data());
        found[path] = name + " " + h5::to_string(shape) + " " + bytes;
    }
}

}  // namespace

std::map<std::string, std::string> numeric_datasets(const std::string& result) {
    const h5::File file = h5::open_file(result);
    std::map<std::string, std::string> found;
    collect(file.id(), "/xpcs", found);
    return found;
}

}  // namespace xpcs::testing
