// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace xpcs {

/// `xpcs-corr convert`: arguments after the command's name; returns the exit status.
/// Throws Error (usage, and what convert() throws).
int cmd_convert(const std::vector<std::string>& args);

}  // namespace xpcs
