// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace xpcs {

/// `xpcs-corr inspect`: arguments after the command's name; returns the exit status.
/// Throws Error (usage).
int cmd_inspect(const std::vector<std::string>& args);

}  // namespace xpcs
