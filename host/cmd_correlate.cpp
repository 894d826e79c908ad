// SPDX-License-Identifier: BSD-3-Clause
#include "host/arguments.hpp"
#include "host/commands.hpp"
#include "host/correlate.hpp"
#include "host/log.hpp"
#include "host/options.hpp"

#include <iostream>

namespace xpcs {

int cmd_correlate(const CommandArgs& args) {
    // Not in the help: makes the tables of docs/options.md.
    if (args.size() == 1 && args.front() == "--help-markdown") {
        std::cout << options_markdown(run_options().specs());
        return 0;
    }
    if (asks_for_help(args)) {
        std::cout << correlate_help();
        return 0;
    }
    const RunConfig config = parse_correlate(args);
    Log::configure(config);
    return run_correlate(config);
}

}  // namespace xpcs
