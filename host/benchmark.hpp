// SPDX-License-Identifier: BSD-3-Clause
// xpcs-corr benchmark: how fast this program is on this machine, with proof that it is right.
//
// Each set of data is made from a seed into the page cache, correlated once and compared with a
// direct float64 computation, then timed: a process of its own per run, so that starting counts and
// its peak memory is its own.
#pragma once

#include "host/benchmark_data.hpp"
#include "host/benchmark_limits.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace xpcs {

struct BenchmarkOptions {
    std::string suite = "quick";  ///< quick, full, gpu
    std::string only;             ///< sets whose name contains this; "" = all
    std::string directory;        ///< "" = a new one among the temporary files
    std::string device;           ///< "" = cpu, or gpu:0 with the suite gpu
    int threads = 0;              ///< 0 = all
    std::int64_t seed = 1;
    std::int64_t repeat = 0;  ///< timed runs of which the fastest counts; 0 = 1 (quick) or 3
};

/// One row of the table.
struct BenchmarkRun {
    BenchmarkSet set;
    std::string engine, device;
    int threads = 0;
    double wall_s = 0;  ///< of the process
    double cpu_s = 0;   ///< of all its threads: what counts on a machine that others use too
    std::vector<std::pair<std::string, double>> stage_s;  ///< as the run itself tells
    StageCost one_thread;  ///< decoding and sorting, parts of the stage "read"
    std::uint64_t peak_bytes = 0;
    std::int64_t events = 0;
    double samples = 0;
    std::uint64_t raw_bytes = 0;
    double read_bytes_per_s = 0;  ///< of this file, the limit
    double largest_error = 0;     ///< relative, of g2 against the direct computation

    double stage(const std::string& name) const;
};

/// How much the time grew from one run to another, and what it may grow at most.
struct BenchmarkGrowth {
    std::string what;
    double ratio = 0;
    double limit = 0;
    bool at_least = false;  ///< the ratio should be at least `limit`, not at most
};

struct BenchmarkReport {
    BenchmarkOptions options;
    std::string command;
    MachineLimits limits;
    std::vector<BenchmarkRun> runs;
    std::vector<BenchmarkGrowth> growth;
    std::vector<std::string> left_out;  ///< sets that could not be made, with the reason
};

/// Throws Error: data (a result is wrong), io, cannot_create, interrupted, unavailable (device).
BenchmarkReport run_benchmark(const BenchmarkOptions& options);

/// The table for people; the whole as JSON.
std::string to_text(const BenchmarkReport& report);
std::string to_json(const BenchmarkReport& report);

}  // namespace xpcs
