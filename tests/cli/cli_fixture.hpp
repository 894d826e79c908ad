// SPDX-License-Identifier: BSD-3-Clause
// The real program as a child process, and small runs for it on disk.
#pragma once

#include "host/h5.hpp"
#include "host/qmap.hpp"
#include "tests/host/raw_files.hpp"
#include "tests/host/temp_dir.hpp"

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace xpcs::testing {

using Arguments = std::vector<std::string>;

/// How a process ended and what it said.
struct Outcome {
    int exit_code = -1;  ///< -1 if a signal ended it
    int signal = 0;
    std::string out, err;

    /// Lines of `err` that contain `text`.
    std::vector<std::string> lines_with(const std::string& text) const;
    std::string last_line_of_out() const;
};

/// xpcs-corr, running. Standard output and error go to files that it cannot fill up.
class Child {
  public:
    /// `largest_file_bytes`: RLIMIT_FSIZE of the process, 0 = none.
    explicit Child(const Arguments& arguments, std::uint64_t largest_file_bytes = 0);
    ~Child();  ///< kills and reaps it if nobody waited
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void send(int signal) const;
    bool running();
    Outcome wait();
    pid_t pid() const { return pid_; }

  private:
    TempDir says_;
    pid_t pid_ = -1;
    std::optional<int> status_;
};

Outcome run(const Arguments& arguments, std::uint64_t largest_file_bytes = 0);

/// Name -> size and digest of all files of a directory, hidden ones included.
std::map<std::string, std::string> snapshot(const std::string& directory);
std::string bytes_of(const std::string& path);
std::string digest_of(const std::string& path);

/// Seeded Poisson events on `pixels` pixels, in order of frame; counts are at least 1.
std::vector<Event> poisson_events(std::int64_t n_frames,
                                  std::uint32_t n_pixels,
                                  double mean,
                                  std::uint64_t seed,
                                  std::int64_t first_frame = 0);

/// 32 x 64 pixels, 8 static bins in 4 dynamic ones (column bands), a Rigaku file of 400 frames with
/// metadata, and a directory for results with something in it that no failed run may touch.
class SmallRun {
  public:
    static constexpr std::int64_t rows = 32, cols = 64, n_frames = 400;

    explicit SmallRun(double mean = 0.02, std::uint64_t seed = 7);

    TempDir dir;
    std::string raw, metadata, qmap_file, out;
    QMap qmap;

    void write_events(const std::vector<Event>& events) const;
    /// Frames [n][rows][cols] of uint16 at /entry/data/data of `run.h5`, which becomes the raw
    /// file.
    void write_dense(const std::vector<std::uint16_t>& samples, std::int64_t n);
    void write_qmap();
    /// `-r raw -q qmap -o out --device cpu --threads 2 -nf 0` and `more`.
    Arguments arguments(const Arguments& more = {}) const;
    Outcome correlate(const Arguments& more = {}) const;
    std::string result(const std::string& name = "run_results.hdf") const;

    /// The run must end with `code`, one line that has `words`, and the directory as it was; with
    /// and without --overwrite.
    void expect_refused(ExitCode code,
                        const std::vector<std::string>& words,
                        const Arguments& more = {}) const;
    /// The run must succeed, leave one result and nothing hidden, and say `words` on one line.
    Outcome expect_done(const std::vector<std::string>& words = {},
                        const Arguments& more = {}) const;
    std::vector<double> read(const std::string& path) const;
    h5::Shape shape(const std::string& path) const;
};

/// Labels in bands of columns; every pixel used.
QMap banded_qmap(std::int64_t rows, std::int64_t cols, std::uint32_t n_static);

void write_metadata(const std::string& path, double frame_time_s);

constexpr const char* g2_path = "/xpcs/multitau/normalized_g2";
constexpr const char* g2_err_path = "/xpcs/multitau/normalized_g2_err";
constexpr const char* delay_path = "/xpcs/multitau/delay_list";
constexpr const char* image_path = "/xpcs/temporal_mean/scattering_2d";
constexpr const char* intensity_path = "/xpcs/spatial_mean/intensity_vs_time";

/// Every numeric dataset of a result below /xpcs except the times, sizes and settings of the run:
/// path -> type, shape and bytes.
std::map<std::string, std::string> numeric_datasets(const std::string& result);

}  // namespace xpcs::testing
