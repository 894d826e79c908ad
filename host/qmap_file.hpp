// SPDX-License-Identifier: BSD-3-Clause
// The HDF5 side of q-maps, for those who hold an open file.
#pragma once

#include "host/h5.hpp"
#include "host/qmap.hpp"

#include <string>

namespace xpcs {

/// Writes the q-map as group `path` (/qmap in a q-map file, /xpcs/qmap in a result) with attributes
/// `hash` (computed) and `version`. Returns the hash.
std::string write_qmap_group(const QMap& qmap, hid_t location, const std::string& path);

/// The hash over the datasets of a q-map group as they are in the file. Throws Error (data) for a
/// dataset that cannot be hashed or more than 2 GiB together.
std::string qmap_group_hash(hid_t location, const std::string& path);

}  // namespace xpcs
