// SPDX-License-Identifier: BSD-3-Clause
// The metadata file that lies beside a raw file.
#pragma once

#include <string>
#include <vector>

namespace xpcs {

struct Metadata {
    std::string file;         ///< "" with --no-metadata
    double frame_time_s = 0;  ///< 0 if absent or not > 0
    double count_time_s = 0;
    double x_pixel_size_m = 0;
    double incident_energy_keV = 0;
    std::string start_time;
    std::vector<std::string> warnings;
};

/// The metadata file of a raw file: `<raw stem>_metadata.hdf`, else the one candidate
/// `*_metadata.hdf` with /entry/schema_version in the same directory, else Error (no_input, data)
/// that lists the candidates. `given` (from --metadata) wins.
std::string find_metadata(const std::string& raw, const std::string& given);

/// The first name above, whether the file is there or not.
std::string own_metadata(const std::string& raw);

/// Reads what a run needs; accepts scalars, (1,), (1,1), float or integer, byte or UTF-8 strings.
Metadata load_metadata(const std::string& path);

/// Base of the result name: file name without directory and extension, exact suffix "_metadata"
/// removed. Without a metadata file: the raw stem.
std::string result_base(const std::string& metadata_or_raw);

}  // namespace xpcs
