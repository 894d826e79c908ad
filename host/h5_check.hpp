// SPDX-License-Identifier: BSD-3-Clause
// Shared by the two halves of h5: every return code goes through check().
#pragma once

#include "host/errors.hpp"
#include "host/h5.hpp"

#include <string>

namespace xpcs::h5::detail {

/// Throws Error: file, object, `what`, and HDF5's reason, which is taken before it is lost.
[[noreturn]] void
fail(ExitCode code, hid_t location, const std::string& path, const std::string& what);

/// HDF5 says failure with a negative number, whatever the integer type.
template <class Result>
void check(Result result,
           ExitCode code,
           hid_t location,
           const std::string& path,
           const std::string& what) {
    if (result < 0) fail(code, location, path, what);
}

/// Selection of a hyperslab in the file and the dense space of the same size in memory.
struct Slab {
    Space file;
    Space memory;
    Slab(const Dataset& dataset, const Shape& offset, const Shape& count, ExitCode code);
};

}  // namespace xpcs::h5::detail
