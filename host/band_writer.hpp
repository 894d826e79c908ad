// SPDX-License-Identifier: BSD-3-Clause
// From per-pixel means, tile by tile, to bands of detector rows for the result file (-G).
#pragma once

#include "host/result_file.hpp"
#include "kernels/multitau.hpp"

#include <cstdint>
#include <vector>

namespace xpcs {

/// Holds one band of rows; pixels must come in ascending order.
class BandWriter {
  public:
    /// `average`: frames that were summed into one; what is stored are means of their mean.
    BandWriter(UnnormalizedSink& sink,
               const Partition& partition,
               int n_lags,
               std::int64_t average);
    void add(const PixelMeans& means);
    /// Writes what is left. Call once, at the end.
    void finish();

  private:
    void flush();

    UnnormalizedSink* sink_;
    const Partition* partition_;
    std::int64_t n_lags_;
    double average_;
    std::int64_t band_rows_;
    std::int64_t band_ = -1;
    std::vector<float> values_;  ///< [n_lags][3][band_rows][cols]
};

}  // namespace xpcs
