// SPDX-License-Identifier: BSD-3-Clause
// What action providers do, done here.
#pragma once

#include "jobgen/local_flow.hpp"

namespace xpcs::jobgen {

/// Body in, details out. Throws Error with the reason when the action fails.
Json local_action(const LocalFlow& flow, const std::string& url, const Json& body);

}  // namespace xpcs::jobgen
