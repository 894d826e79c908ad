// SPDX-License-Identifier: BSD-3-Clause
// The Rigaku 3M in "fast transfer" mode: six HDF5 files .h5.000 ... .h5.005, each with
// /entry/data/data of uint8, (131072 bytes, n_frames): one column per frame, 2 bits per pixel
// (ftf_unpack.hpp). Frames that were never written have no photons.
//
// Experimental: bit order, pixel order and the place of the modules are taken to be those of the
// 64-bit files, which no document confirms; a warning says so.
#pragma once

#include "host/readers/frame_source.hpp"

#include <memory>
#include <string>

namespace xpcs {

/// The module number 0 ... 5 of a name that ends `.h5.00N`, -1 for any other.
int rigaku_ftf_module_of(const std::string& path);

/// `path` is any of the six files. Throws Error: no_input (modules missing, unless
/// options.allow_missing_module), data (shape or type of a dataset).
std::unique_ptr<FrameSource>
open_rigaku_ftf(const std::string& path, const SourceOptions& options, SourceInfo info = {});

}  // namespace xpcs
