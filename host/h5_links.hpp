// SPDX-License-Identifier: BSD-3-Clause
// What an HDF5 file may make us open: other files below its own directory, and nothing else.
//
// External links and the sources of virtual datasets must be named relative to the directory of the
// file that names them, without "..", or lie below it, and be regular files (opening a FIFO would
// wait for ever). Raw external storage is never read. XPCS_HDF5_LINKS=anywhere in the environment
// lifts the rule about the directory, for masters of trust; the portal does not heed it.
#pragma once

#include "host/h5.hpp"

#include <string>

namespace xpcs::h5 {

/// Empty if `parent_file` may lead to `name`, else why not, in words.
std::string link_fault(const std::string& parent_file, const std::string& name);

/// The rule about the directory holds whatever the environment says, from now on.
void links_stay_inside();

/// Access lists that apply the rule; of groups and objects, and of datasets.
hid_t link_access();
hid_t group_access();
hid_t dataset_access();

/// Throws Error (data) where the values of a dataset lie in files that may not be opened.
void require_own_storage(const Dataset& dataset);

}  // namespace xpcs::h5
