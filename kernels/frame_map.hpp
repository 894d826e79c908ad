// SPDX-License-Identifier: BSD-3-Clause
// From frames of the file to frames of the analysis: begin, stride, average.
#pragma once

#include "kernels/hd.hpp"

#include <cstdint>

namespace xpcs {

/// Analysis frame k is the sum of the file's frames begin + k * stride * average + {0, stride, ...,
/// (average - 1) * stride}; all other frames are left out.
struct FrameMap {
    static constexpr std::int64_t left_out = -1;

    std::int64_t begin = 0;
    std::int64_t stride = 1;
    std::int64_t average = 1;
    std::int64_t n_frames = 0;  ///< of the analysis

    XPCS_HD bool is_identity() const { return begin == 0 && stride == 1 && average == 1; }

    /// First file frame beyond the last that is used.
    XPCS_HD std::int64_t end() const { return begin + n_frames * stride * average - (stride - 1); }

    XPCS_HD std::int64_t operator()(std::int64_t file_frame) const {
        const std::int64_t offset = file_frame - begin;
        if (offset < 0) return left_out;
        if (stride == 1 && average == 1) return offset < n_frames ? offset : left_out;
        const std::int64_t block = stride * average;
        const std::int64_t frame = offset / block;
        if (frame >= n_frames || (offset % block) % stride != 0) return left_out;
        return frame;
    }
};

}  // namespace xpcs
