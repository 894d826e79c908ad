// SPDX-License-Identifier: BSD-3-Clause
// What an average reads of each result: enough to see that they belong together and to judge them.
#pragma once

#include "host/average.hpp"
#include "host/result_reader.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace xpcs {

inline constexpr const char* incident_intensity_path =
    "/entry/instrument/incident_beam/incident_beam_intensity";
inline constexpr const char* transmitted_intensity_path =
    "/entry/instrument/incident_beam/transmitted_beam_intensity";

struct Repeat {
    std::string path;
    /// What must be equal in all of them: name, value as text.
    std::vector<std::pair<std::string, std::string>> identity;
    RepeatCurves curves;
    std::size_t n_bins = 0;
    double photons_per_pixel = 0;  ///< of the whole run
    double incident = 0, transmitted = 0;
    bool multitau = false, twotime = false;
    std::int64_t twotime_frames = 0;  ///< side of the maps
    std::vector<std::int64_t> twotime_bins;
};

/// Throws Error (no_input, data).
Repeat read_repeat(const std::string& path);

/// Throws Error (data) naming both files and both values.
void require_same(const Repeat& first, const Repeat& other);

}  // namespace xpcs
