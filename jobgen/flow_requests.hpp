// SPDX-License-Identifier: BSD-3-Clause
// From a command line to the request for a flow's input: experiment and cycle are found where they
// are not given.
#pragma once

#include "jobgen/cli.hpp"
#include "jobgen/flow/flow.hpp"

namespace xpcs::jobgen {

/// Throws Error (usage) where something cannot be found and must be given.
flow::InputRequest flow_request(const Site& site,
                                const Deployment& deployment,
                                const Options& options,
                                const Run& run);

/// The input of one run or, with kind batch, of all.
Json flow_input(const Site& site,
                const Deployment& deployment,
                const Options& options,
                const std::vector<Run>& runs);

/// uuid -> directory: as in the deployments files, replaced by what a YAML file of `uuid or name:
/// directory` says.
std::map<std::string, std::string> local_collections(const Site& site, const std::string& file);

}  // namespace xpcs::jobgen
