// SPDX-License-Identifier: BSD-3-Clause
// A flow on this machine, without Globus: transfers are copies between directories that stand for
// collections, compute steps run here, access rules and search records go into files.
#pragma once

#include "jobgen/json.hpp"

#include <map>
#include <ostream>
#include <string>

namespace xpcs::jobgen {

struct LocalFlow {
    Json definition;
    Json input;
    std::string run_dir;                             ///< keeps the state; resumed if it is there
    std::map<std::string, std::string> collections;  ///< uuid -> directory
    std::string catalogue;        ///< portal's if it ends in .db, else JSON lines
    double time_scale = 1;        ///< of Wait states; for tests
    std::ostream* log = nullptr;  ///< a line per state
};

/// Runs until the flow ends; 0, or 1 after a failed state. An interrupted run goes on where it was.
/// Throws Error: data (definition or input wrong), interrupted (a signal).
int run_local(const LocalFlow& flow);

/// Value of "$.a.b[0]" in a document. Throws Error (data) when it is not there.
const Json& at_path(const Json& document, const std::string& path);

}  // namespace xpcs::jobgen
