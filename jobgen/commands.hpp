// SPDX-License-Identifier: BSD-3-Clause
// The commands of xpcs-jobgen. Each takes the arguments behind its name and returns an exit code;
// errors are thrown.
#pragma once

#include <string>
#include <vector>

namespace xpcs::jobgen {

using Words = std::vector<std::string>;

int list_command(const Words& args);
int show_command(const Words& args);
int check_command(const Words& args);
int script_command(const Words& args);
int status_command(const Words& args);
int cancel_command(const Words& args);
int flow_command(const Words& args);
int run_command(const Words& args);
int step_command(const Words& args);
int batch_command(const Words& args);
int reprocess_command(const Words& args);
int launch_command(const Words& args);

}  // namespace xpcs::jobgen
