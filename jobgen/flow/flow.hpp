// SPDX-License-Identifier: BSD-3-Clause
// Globus flows: definition, input, input schema, and the checks of all three.
#pragma once

#include "jobgen/flow/paths.hpp"
#include "jobgen/job.hpp"
#include "jobgen/json.hpp"

#include <string>
#include <vector>

namespace xpcs::jobgen::flow {

/// The service keeps at most so many bytes for a run, input and results together.
constexpr std::size_t most_state_bytes = 200'000;
/// Left for what the steps add.
constexpr std::size_t reserved_bytes = 30'000;
/// Access rules that one run can set.
constexpr int permission_slots = 4;

/// "online" or "batch" ("reprocess" is online with another input), for a deployment whose compute
/// step goes through Globus Compute ("globus-compute", "here") or submits a job script ("job").
Json definition(const std::string& kind, const std::string& via);

/// JSON Schema (draft 7) of the input of that flow.
Json input_schema(const std::string& kind);

struct InputRequest {
    std::string kind = "online";
    std::string experiment, cycle, back, suffix, title, user, function_id;
    std::vector<std::string> groups;
    bool transfer_back = true;
    bool publish = true;
    int tasks = 4;             ///< batch: compute tasks that share the runs
    std::string staging_name;  ///< batch: directory below staging_dir
};

/// {"input": {...}} of one run. Throws Error (usage, config).
Json input(const Site& site,
           const Deployment& deployment,
           const Run& run,
           const InputRequest& request);

/// {"input": {...}} of many runs with one q-map; `raws` are directories or raw files.
Json batch_input(const Site& site,
                 const Deployment& deployment,
                 const std::vector<Run>& runs,
                 const InputRequest& request);

/// label, tags, monitors and managers of the run, as `globus flows start` takes them.
Json run_options(const Deployment& deployment,
                 const InputRequest& request,
                 const std::string& label);

/// Everything that is wrong with a definition, one line each: unknown types, targets that do not
/// exist, states that nothing reaches, no end, paths read before they are produced, actions without
/// an explicit ExceptionOnActionFailure. With a schema, paths into the input are checked too.
std::vector<std::string> faults(const Json& definition, const Json& schema);

/// Faults of a JSON value against a JSON Schema; empty if it fits.
std::vector<std::string> schema_faults(const Json& value, const Json& schema);

/// Throws Error (data) when the input does not fit the schema or is larger than a run may be.
void check_input(const Json& input, const Json& schema);

/// The Python function that compute steps run, and the body that registers it.
std::string function_source();
Json function_registration();

}  // namespace xpcs::jobgen::flow
