// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace xpcs {

/// `xpcs-corr average`: arguments after the command's name; returns the exit status.
/// Throws Error (usage, and what average() throws).
int cmd_average(const std::vector<std::string>& args);

}  // namespace xpcs
