// SPDX-License-Identifier: BSD-3-Clause
// xpcs-portal serve and user: arguments without the command's name; exit status.
#pragma once

#include <string>
#include <vector>

namespace xpcs::portal {

int cmd_serve(const std::vector<std::string>& args);
int cmd_user(const std::vector<std::string>& args);

}  // namespace xpcs::portal
