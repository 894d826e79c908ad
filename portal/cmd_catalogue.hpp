// SPDX-License-Identifier: BSD-3-Clause
// xpcs-portal ingest, search, export, remove: arguments without the command's name; exit status.
#pragma once

#include <string>
#include <vector>

namespace xpcs::portal {

int cmd_ingest(const std::vector<std::string>& args);
int cmd_search(const std::vector<std::string>& args);
int cmd_export(const std::vector<std::string>& args);
int cmd_remove(const std::vector<std::string>& args);

}  // namespace xpcs::portal
