// SPDX-License-Identifier: BSD-3-Clause
// Shared by the parts of h5: every return code goes through check().
#pragma once

#include "host/errors.hpp"
#include "host/h5.hpp"

#include <cfenv>
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

/// A call that needs a filter may load plug-ins, and some of these are built so that loading them
/// makes the thread flush denormal numbers to zero from then on. Results must not depend on that.
class KeepFloatingPoint {
  public:
    KeepFloatingPoint() { std::fegetenv(&state_); }
    ~KeepFloatingPoint() { std::fesetenv(&state_); }
    KeepFloatingPoint(const KeepFloatingPoint&) = delete;
    KeepFloatingPoint& operator=(const KeepFloatingPoint&) = delete;

  private:
    std::fenv_t state_{};
};

/// Selection of a hyperslab in the file and the dense space of the same size in memory.
struct Slab {
    Space file;
    Space memory;
    Slab(const Dataset& dataset, const Shape& offset, const Shape& count, ExitCode code);
};

/// Writes all values of a dataset with shuffle and gzip as HDF5 would; false, and nothing written,
/// for any other dataset.
bool write_packed(const Dataset& dataset, hid_t memory_type, const void* values);

}  // namespace xpcs::h5::detail
