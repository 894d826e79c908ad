// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "host/h5.hpp"

namespace xpcs {

/// Throws Error (data) naming id, name, dataset and, if known, the distribution's package of the
/// first filter of the dataset that HDF5 does not have.
void require_filters_of_frames(const h5::Dataset& dataset);

}  // namespace xpcs
