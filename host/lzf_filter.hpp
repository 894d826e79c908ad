// SPDX-License-Identifier: BSD-3-Clause
// HDF5 filter 32000 (LZF) inside this process, compatible both ways with the files of h5py.
#pragma once

#include <cstdint>

namespace xpcs {

inline constexpr int lzf_filter_id = 32000;
/// First two of the three filter parameters; the third is the chunk size in bytes.
inline constexpr unsigned lzf_filter_revision = 4;
inline constexpr unsigned lzf_library_revision = 0x0105;

/// Registers encoder and decoder with HDF5; calling it again does no harm.
/// Throws Error (internal) if HDF5 refuses. The caller holds h5::lock().
void register_lzf_filter();

}  // namespace xpcs
