// SPDX-License-Identifier: BSD-3-Clause
// A new version of a result, beside the old one until it is complete.
#pragma once

#include "host/claimed_file.hpp"
#include "host/h5.hpp"

#include <string>

namespace xpcs {

class RewrittenResult {
  public:
    /// Copies `path` (links followed) under a hidden name in its directory and opens the copy.
    /// Throws Error: no_input and data (missing, no HDF5), cannot_create (directory not writable).
    explicit RewrittenResult(const std::string& path);

    hid_t id() const { return file_.id(); }

    /// Closes, makes durable, checks that it is a complete result, and takes the name of the old
    /// file in one step; permissions stay. Throws Error (io, cannot_create); the old file is
    /// untouched then.
    void commit();

  private:
    std::string path_;
    ClaimedFile hidden_;  // before the file: removed after it is closed
    h5::File file_;
};

}  // namespace xpcs
