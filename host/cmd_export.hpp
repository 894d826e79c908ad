// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace xpcs {

/// `xpcs-corr export`: arguments after the command's name; returns the exit status.
/// Throws Error (usage, and what export_result() throws).
int cmd_export(const std::vector<std::string>& args);

}  // namespace xpcs
