// SPDX-License-Identifier: BSD-3-Clause
// What an action throws, and where the reference data lie.
#pragma once

#include "host/errors.hpp"

#include <string>

namespace xpcs::testing {

/// The Error thrown, or one with ExitCode::ok if nothing was.
template <class Action>
Error error_of(Action&& action) {
    try {
        action();
    } catch (const Error& error) {
        return error;
    }
    return Error(ExitCode::ok, "nothing was thrown");
}

inline std::string reference_file(const std::string& name) {
    return std::string(XPCS_SHARED_DIR) + "/reference/data/" + name;
}

}  // namespace xpcs::testing
