// SPDX-License-Identifier: BSD-3-Clause
// What the machine can do at best, measured beside the runs that are held against it.
#pragma once

#include "host/benchmark_data.hpp"

#include <string>

namespace xpcs {

struct MachineLimits {
    double read_bytes_per_s = 0;         ///< a file in the page cache, all threads, blocks of 1 MiB
    double copy_bytes_per_s = 0;         ///< memory to memory, all threads; bytes copied, once
    double device_copy_bytes_per_s = 0;  ///< 0 = no GPU
    double host_to_device_bytes_per_s = 0;  ///< from pinned memory; 0 = no GPU
};

/// Fastest of three. Throws Error (data) if the file cannot be read.
double measure_read(const std::string& path, int threads);
/// Fastest of five.
double measure_copy(int threads);

/// Seconds of one thread for a unit of work, and how many units a file has.
struct StageCost {
    double decode_s = 0;  ///< whole file on one thread
    double sort_s = 0;    ///< into pixel order
};

/// Decodes and sorts the first blocks of a file on one thread and scales to the whole.
StageCost measure_stages(const BenchmarkFiles& files, bool dense_rows);

}  // namespace xpcs
