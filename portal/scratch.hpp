// SPDX-License-Identifier: BSD-3-Clause
// A hidden directory for what becomes files later. It goes away with the object, and where its
// process was killed, with the next one of the same host: a lock tells who is alive.
#pragma once

#include <string>

namespace xpcs::portal {

class Scratch {
  public:
    /// Throws Error (cannot_create).
    explicit Scratch(const std::string& parent);
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
    int lock_ = -1;
};

}  // namespace xpcs::portal
