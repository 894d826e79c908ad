// SPDX-License-Identifier: BSD-3-Clause
// The NeXus application definition NXxpcs: an entry that is valid against it, made from a result.
#pragma once

#include "host/h5.hpp"

#include <string>

namespace xpcs {

/// Adds the group /nxxpcs (NXentry) to an open result, with links to what is there already, and the
/// group /process that the definition wants beside it. /entry, which comes from the metadata file
/// with its mistakes, stays as it is. Throws Error (io).
void write_nexus_view(hid_t file);

/// Writes the entry /entry with copies of the numbers of the result `from` into the empty file
/// `to`. Throws Error (data, io).
void write_nexus_file(hid_t from, hid_t to, const std::string& name);

}  // namespace xpcs
