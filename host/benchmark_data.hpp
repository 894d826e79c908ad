// SPDX-License-Identifier: BSD-3-Clause
// Data of the benchmark: random events or frames of a given occupancy, from a seed. Speed counts
// here, physics does not: correlation costs the same whatever the photons know of each other.
//
// Every set carries its own proof. A few pixels, spread over the detector and some of them hot,
// form the last dynamic bin of the q-map; their counts are kept while the file is made, so that g2
// of that bin can be computed without the file, the readers or the kernels (benchmark_check.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace xpcs {

enum class BenchmarkFormat { rigaku, rigaku3m, frames };
enum class BenchmarkAnalysis { multitau, twotime, twotime_multitau };

struct BenchmarkSet {
    std::string name;
    BenchmarkFormat format = BenchmarkFormat::rigaku;
    std::int64_t rows = 512, cols = 1024;  ///< rigaku3m has its own
    std::int64_t n_frames = 0;
    double occupancy = 0;    ///< probability of an event (frames: mean count) per pixel and frame
    std::int64_t n_hot = 0;  ///< pixels that fire in nine of ten frames
    int sample_bytes = 0;    ///< frames: 1 or 2
    bool bitshuffle = false;
    bool normalize_frame = false;
    BenchmarkAnalysis analysis = BenchmarkAnalysis::multitau;
};

/// Counts of the pixels of the checked bin, and of every frame.
struct BenchmarkTruth {
    std::int64_t n_frames = 0;
    std::vector<std::uint32_t> pixel;  ///< detector index of the checked pixels, ascending
    std::vector<int> bin;              ///< [pixels] static bin, 0 ... n_bins - 1
    int n_bins = 0;
    std::vector<std::uint8_t> counts;          ///< [pixels][n_frames]
    std::vector<std::uint64_t> frame_photons;  ///< [n_frames] over all pixels
    std::int64_t n_events = 0;
};

struct BenchmarkFiles {
    std::string raw, qmap;
    std::vector<std::string> all;  ///< everything that was written
    std::uint64_t raw_bytes = 0;
    double samples = 0;  ///< pixels with a detector times frames
    BenchmarkTruth truth;
};

/// Writes the files of a set into `directory`. The same seed gives the same bytes, whatever
/// `threads`. Throws Error (io, cannot_create; config where the filter of a set is missing).
BenchmarkFiles make_benchmark_files(const BenchmarkSet& set,
                                    const std::string& directory,
                                    std::uint64_t seed,
                                    int threads);

}  // namespace xpcs
