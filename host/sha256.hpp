// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace xpcs {

/// SHA-256 of bytes that come in pieces. Throws Error (internal) if the library fails.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void add(const void* bytes, std::size_t n_bytes);
    void add(std::string_view text) { add(text.data(), text.size()); }
    /// 64 lower-case hex digits; nothing can be added afterwards.
    std::string hex();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace xpcs
