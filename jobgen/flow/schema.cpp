// SPDX-License-Identifier: BSD-3-Clause
// What an input must look like, as the service and the local runner check it before a run starts.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/flow/flow.hpp"

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace xpcs::jobgen::flow {

namespace {

Json text(const std::string& title, const std::string& description) {
    return {{"type", "string"}, {"minLength", 1}, {"title", title}, {"description", description}};
}

Json uuid(const std::string& title) {
    return {{"type", "string"},
            {"title", title},
            {"description", "A uuid."},
            {"pattern", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"}};
}

Json path(const std::string& title) {
    return {{"type", "string"},
            {"title", title},
            {"description", "A path in the collection; it begins with /."},
            {"pattern", "^/"}};
}

Json object(const std::string& title, const Json& properties, const Json& required) {
    return {{"type", "object"},
            {"title", title},
            {"description", title + "."},
            {"properties", properties},
            {"required", required},
            {"additionalProperties", false}};
}

Json transfer(const std::string& title) {
    const Json item = object("Transfer item",
                             {{"source_path", path("From")},
                              {"destination_path", path("To")},
                              {"recursive",
                               {{"type", "boolean"},
                                {"title", "Directory"},
                                {"description", "Whether it is a directory."}}}},
                             {"source_path", "destination_path", "recursive"});
    return object(title,
                  {{"source_endpoint", uuid("Source collection")},
                   {"destination_endpoint", uuid("Destination collection")},
                   {"DATA",
                    {{"type", "array"},
                     {"minItems", 1},
                     {"title", "Items"},
                     {"description", "Files and directories."},
                     {"items", item}}}},
                  {"source_endpoint", "destination_endpoint", "DATA"});
}

Json tasks(const std::string& title) {
    const Json kwargs =
        object("Arguments",
               {{"argv",
                 {{"type", "array"},
                  {"minItems", 1},
                  {"title", "Command"},
                  {"description", "Program and arguments."},
                  {"items", {{"type", "string"}}}}},
                {"stdin",
                 {{"type", "object"},
                  {"title", "Standard input"},
                  {"description", "Given to the program as JSON."}}},
                {"check",
                 {{"type", "boolean"},
                  {"title", "Check"},
                  {"description", "Whether a non-zero exit code is an exception."}}}},
               {"argv"});
    const Json task = object(
        "Task", {{"function_id", uuid("Function")}, {"kwargs", kwargs}}, {"function_id", "kwargs"});
    return {{"type", "array"},
            {"minItems", 1},
            {"title", title},
            {"description", title + "."},
            {"items", task}};
}

Json flag(const std::string& title) {
    return {{"type", "boolean"}, {"title", title}, {"description", title + "."}};
}

Json compute() {
    const Json config =
        object("Endpoint configuration",
               {{"queue", {{"type", "string"}, {"title", "Queue"}, {"description", "Queue."}}},
                {"walltime",
                 {{"type", "string"},
                  {"title", "Walltime"},
                  {"description", "HH:MM:SS."},
                  {"pattern", "^[0-9]+:[0-5][0-9]:[0-5][0-9]$"}}},
                {"nodes_per_block",
                 {{"type", "integer"},
                  {"minimum", 1},
                  {"title", "Nodes"},
                  {"description", "Nodes of a block."}}},
                {"max_blocks",
                 {{"type", "integer"},
                  {"minimum", 1},
                  {"title", "Blocks"},
                  {"description", "Blocks at most."}}}},
               {"queue", "walltime", "nodes_per_block"});
    return object("Compute",
                  {{"endpoint_id", uuid("Endpoint")},
                   {"login_endpoint_id", uuid("Endpoint of small steps")},
                   {"user_endpoint_config", config}},
                  {"endpoint_id", "login_endpoint_id", "user_endpoint_config"});
}

Json publish() {
    const Json permission =
        object("Access rule",
               {{"operation", {{"const", "CREATE"}}},
                {"endpoint_id", uuid("Collection")},
                {"path", path("Directory")},
                {"principal_type", {{"const", "group"}}},
                {"principal", uuid("Group")},
                {"permissions", {{"const", "r"}}}},
               {"operation", "endpoint_id", "path", "principal_type", "principal", "permissions"});
    return object("Publication",
                  {{"enabled", flag("Publish")},
                   {"permissions",
                    {{"type", "array"},
                     {"title", "Access"},
                     {"description", "Groups that may read the published data set."},
                     {"maxItems", permission_slots},
                     {"items", permission}}}},
                  {"enabled", "permissions"});
}

}  // namespace

Json input_schema(const std::string& kind) {
    const bool batch = kind == "batch";
    Json properties{{"dataset", text("Data set", "Name of the data set or batch")},
                    {"source_transfer", transfer("Transfer in")},
                    {"compute", compute()},
                    {"correlate", tasks("Correlate")},
                    {"transfer_back", flag("Transfer back")},
                    {"result_transfer", transfer("Transfer back")},
                    {"submit", tasks("Submit the job script")},
                    {"ask", tasks("Ask for the job")},
                    {"cancel", tasks("Cancel the job")}};
    Json required{"dataset", "source_transfer", "compute", "transfer_back"};
    if (batch) {
        properties["summary"] = tasks("Summary");
        required.push_back("summary");
    } else {
        for (const char* step : {"verify", "report", "gather"}) {
            properties[step] = tasks(std::string("Step: ") + step);
            required.push_back(step);
        }
        properties["publish"] = publish();
        required.push_back("publish");
    }
    Json inner = object("Run", properties, required);
    // Through Globus Compute, or through the scheduler.
    inner["oneOf"] =
        Json::array({{{"required", {"correlate"}}}, {{"required", {"submit", "ask", "cancel"}}}});
    // What is to go back must say where.
    inner["if"] = {{"properties", {{"transfer_back", {{"const", true}}}}}};
    inner["then"] = {{"required", {"result_transfer"}}};
    Json schema = object("XPCS " + kind + " flow", {{"input", inner}}, {"input"});
    schema["$schema"] = "http://json-schema.org/draft-07/schema#";
    return schema;
}

std::vector<std::string> schema_faults(const Json& value, const Json& schema) {
    // The adapter knows the sorted kind of JSON only.
    const nlohmann::json plain_value = nlohmann::json::parse(dump(value, -1));
    const nlohmann::json plain_schema = nlohmann::json::parse(dump(schema, -1));
    valijson::Schema compiled;
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    valijson::adapters::NlohmannJsonAdapter schema_adapter(plain_schema);
    parser.populateSchema(schema_adapter, compiled);
    valijson::Validator validator;
    valijson::ValidationResults results;
    valijson::adapters::NlohmannJsonAdapter adapter(plain_value);
    std::vector<std::string> found;
    if (validator.validate(compiled, adapter, &results)) {
        return found;
    }
    valijson::ValidationResults::Error error;
    while (results.popError(error)) {
        std::string where;
        for (const auto& part : error.context) {
            where += part == "<root>" ? "$" : part;
        }
        found.push_back(printable(where + ": " + error.description));
    }
    return found;
}

void check_input(const Json& input, const Json& schema) {
    const auto found = schema_faults(input, schema);
    if (!found.empty()) {
        // The innermost message comes first; the later ones only say that their part did not fit.
        throw Error(ExitCode::data, "input of the flow: " + found.front());
    }
    const std::size_t bytes = dump(input, -1).size();
    if (bytes > most_state_bytes - reserved_bytes) {
        throw Error(ExitCode::data,
                    "input of the flow has " + std::to_string(bytes) +
                        " bytes; allowed: " + std::to_string(most_state_bytes - reserved_bytes) +
                        ", since a run keeps at most " + std::to_string(most_state_bytes) +
                        " (make smaller batches)");
    }
}

}  // namespace xpcs::jobgen::flow
