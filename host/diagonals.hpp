// SPDX-License-Identifier: BSD-3-Clause
// g2 of a two-time map that is read row by row.
#pragma once

#include "host/result_reader.hpp"
#include "kernels/twotime.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace xpcs {

/// Means of the diagonals of a map and of its five blocks, while its rows pass by.
class Diagonals {
  public:
    explicit Diagonals(std::int64_t n_frames)
        : n_(n_frames), block_(n_frames / twotime_segments), all_(static_cast<std::size_t>(n_)),
          parts_(static_cast<std::size_t>(block_ * twotime_segments)) {}

    void add_row(std::int64_t t1, const float* row) {
        const std::int64_t part = block_ > 0 ? t1 / block_ : twotime_segments;
        for (std::int64_t t2 = t1; t2 < n_; ++t2) {
            const double value = row[t2];
            if (!std::isfinite(value)) continue;
            all_[static_cast<std::size_t>(t2 - t1)].add(value);
            if (part < twotime_segments && t2 / block_ == part) {
                parts_[static_cast<std::size_t>((t2 - t1) * twotime_segments + part)].add(value);
            }
        }
    }
    Matrix all() const { return column(all_); }
    Matrix parts() const { return column(parts_); }

  private:
    struct Mean {
        double sum = 0;
        std::int64_t n = 0;
        void add(double value) {
            sum += value;
            ++n;
        }
    };
    static Matrix column(const std::vector<Mean>& means) {
        Matrix out{static_cast<std::int64_t>(means.size()), 1, {}};
        for (const Mean& mean : means) {
            out.values.push_back(mean.n > 0 ? mean.sum / static_cast<double>(mean.n)
                                            : std::numeric_limits<double>::quiet_NaN());
        }
        return out;
    }
    std::int64_t n_, block_;
    std::vector<Mean> all_, parts_;
};

}  // namespace xpcs
