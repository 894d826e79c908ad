// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace xpcs {

/// `xpcs-corr fit`: arguments after the command's name; returns the exit status.
/// Throws Error (usage, no_input, data, cannot_create, io).
int cmd_fit(const std::vector<std::string>& args);

}  // namespace xpcs
