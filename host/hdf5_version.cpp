// SPDX-License-Identifier: BSD-3-Clause
// Apart from version.cpp, which programs without HDF5 use too.
#include "host/version.hpp"

#include <hdf5.h>

namespace xpcs {

std::string hdf5_version() {
    unsigned major = 0, minor = 0, release = 0;
    H5get_libversion(&major, &minor, &release);
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

}  // namespace xpcs
