// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <string>
#include <vector>

namespace xpcs::portal {

/// xpcs-portal report: arguments without the command's name; exit status.
int cmd_report(const std::vector<std::string>& args);

}  // namespace xpcs::portal
