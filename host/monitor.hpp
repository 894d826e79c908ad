// SPDX-License-Identifier: BSD-3-Clause
// --monitor: the intensity of the beam at every frame of the file, by which frames are normalised
// instead of by their own mean.
#pragma once

#include "host/run_result.hpp"
#include "kernels/multitau.hpp"

#include <string>
#include <vector>

namespace xpcs {

struct Monitor {
    std::string name;            ///< where the values came from, for messages
    std::string file;            ///< that was read; "" if there is no monitor
    std::vector<double> values;  ///< one per frame of the raw file, finite and at least 0
};

/// `given` is a text file of one number per line (blank lines and lines that begin with # are
/// skipped), FILE:/PATH for a dataset of an HDF5 file, or /PATH for one of the metadata file.
/// Throws Error: no_input (no such file), data (no numbers, negative, not finite), config (/PATH
/// without a metadata file).
Monitor load_monitor(const std::string& given, const std::string& metadata_file);

/// Throws Error (data) unless there is one value for each of the frames of the raw file.
void require_length(const Monitor& monitor, std::int64_t n_frames, const std::string& raw);

/// Weight of frame t: <m> / m_t, with m_t the sum of the values of its raw frames and <m> the mean
/// over the frames that are kept. A frame one of whose raw frames has the value 0 is left out: its
/// weight is 0. Throws Error (data) if fewer than two frames are left.
FrameWeights monitor_weights(const Monitor& monitor, const FrameSelection& frames);

}  // namespace xpcs
