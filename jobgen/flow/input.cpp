// SPDX-License-Identifier: BSD-3-Clause
// The input of a flow, made from a run and a deployment.
#include "host/errors.hpp"
#include "host/text.hpp"
#include "jobgen/flow/flow.hpp"
#include "jobgen/site_check.hpp"

#include <algorithm>
#include <set>

namespace xpcs::jobgen::flow {

namespace {

const char* const nowhere = "00000000-0000-0000-0000-000000000000";

using Words = std::vector<std::string>;

struct Context {
    const Site& site;
    const Deployment& deployment;
    const InputRequest& request;

    std::string function_id() const {
        const std::string& own = deployment.compute.function_id;
        const std::string& given = request.function_id;
        if (!given.empty()) {
            return given;
        }
        if (own.empty() && deployment.compute.via == "globus-compute") {
            // Flows can be written and looked at before the function is registered.
            return nowhere;
        }
        return own.empty() ? nowhere : own;
    }
    Json task(const Words& argv) const {
        return {{"function_id", function_id()}, {"kwargs", {{"argv", argv}}}};
    }
    Json task(const Words& argv, const Json& stdin_json) const {
        Json t = task(argv);
        t["kwargs"]["stdin"] = stdin_json;
        return t;
    }
    std::string device() const {
        const Machine& machine = site.machine_of(deployment);
        return machine.gpus_per_node > 0 ? "gpu:0" : machine.gpus_per_node == 0 ? "cpu" : "auto";
    }
};

Json compute(const Context& c) {
    const Compute& own = c.deployment.compute;
    const std::string endpoint = own.endpoint.empty() ? nowhere : own.endpoint;
    Json json{{"endpoint_id", endpoint},
              {"login_endpoint_id", own.login_endpoint.empty() ? endpoint : own.login_endpoint},
              {"user_endpoint_config",
               {{"queue", c.deployment.queue},
                {"walltime", walltime_text(c.deployment.walltime_s)},
                {"nodes_per_block", c.deployment.nodes}}}};
    return json;
}

/// Everyone who sees the record: groups, sorted and each once.
std::vector<std::string> groups_of(const Deployment& d, const InputRequest& request) {
    std::set<std::string> groups(d.groups.begin(), d.groups.end());
    if (!d.group.empty()) {
        groups.insert(d.group);
    }
    for (const auto& group : request.groups) {
        if (!is_uuid(group)) {
            throw Error(ExitCode::usage,
                        "--group is '" + printable(group) + "'; allowed: the uuid of a group");
        }
        groups.insert(group);
    }
    if (groups.size() > static_cast<std::size_t>(permission_slots)) {
        throw Error(ExitCode::usage,
                    std::to_string(groups.size()) + " groups are to see the result; allowed: " +
                        std::to_string(permission_slots));
    }
    return {groups.begin(), groups.end()};
}

std::vector<std::string> urns(const std::vector<std::string>& groups) {
    std::vector<std::string> out;
    out.reserve(groups.size());
    for (const auto& group : groups) {
        out.push_back("urn:globus:groups:id:" + group);
    }
    return out;
}

Json source_transfer(const Context& c, const Layout& l) {
    return {{"source_endpoint", c.site.collection_of(c.deployment, "source").id},
            {"destination_endpoint", c.site.collection_of(c.deployment, "staging").id},
            {"DATA",
             Json::array({{{"source_path", l.raw_source_path},
                           {"destination_path", l.raw_destination_path},
                           {"recursive", true}},
                          {{"source_path", l.qmap_source_path},
                           {"destination_path", l.qmap_destination_path},
                           {"recursive", false}}})}};
}

Json back_transfer(const Context& c, const std::string& from, const std::string& to) {
    return {
        {"source_endpoint", c.site.collection_of(c.deployment, "staging").id},
        {"destination_endpoint", c.site.collection_of(c.deployment, "source").id},
        // The directory, not only its name: without `recursive` the transfer would fail.
        {"DATA",
         Json::array({{{"source_path", from}, {"destination_path", to}, {"recursive", true}}})}};
}

Json project_metadata(const Context& c, const Layout& l, const Run& run) {
    const InputRequest& r = c.request;
    Json json{{"source_files", {{"raw", {l.raw_source_path}}, {"qmap", {l.qmap_source_path}}}},
              {"organization", c.deployment.organization},
              {"facility", c.deployment.facility},
              {"experiment", experiment_letters(r.experiment)},
              {"cycle", r.cycle},
              // What the portals' facets read.
              {"parent", r.experiment},
              {"aps_cycle_v2", r.cycle + "/" + r.experiment},
              {"project-slug", "xpcs-8id"}};
    if (r.kind == "reprocess") {
        const Collection& source = c.site.collection_of(c.deployment, "source");
        json["reprocessing"] = {
            {"suffix", r.suffix},
            {"qmap",
             {{"name", qmap_name(run.qmap)},
              {"source_endpoint", source.id},
              {"source_path", l.qmap_source_path}}},
            {"original",
             {{"dataset", l.dataset}, {"endpoint", source.id}, {"raw", l.raw_source_path}}}};
    }
    return json;
}

Json gather_input(const Context& c, const Layout& l, const Run& run, const Words& groups) {
    const Deployment& d = c.deployment;
    const Collection& staging = c.site.collection_of(d, "staging");
    std::string base = staging.path;
    while (base.size() > 1 && base.back() == '/') {
        base.pop_back();
    }
    return {{"dataset", l.output},
            {"destination", l.publish_path},
            {"source_collection", staging.id},
            {"source_collection_basepath", base},
            {"destination_collection", c.site.collection_of(d, "publish").id},
            {"index", d.search_index},
            {"visible_to", urns(groups)},
            {"metadata_file", l.metadata},
            {"https_host", d.https_host},
            {"title", c.request.title},
            {"project_metadata", project_metadata(c, l, run)}};
}

Json permissions(const Context& c, const Layout& l, const Words& groups) {
    Json list = Json::array();
    const std::string path = l.publish_path + "/" + l.output.substr(l.output.rfind('/') + 1) + "/";
    for (const auto& group : groups) {
        list.push_back({{"operation", "CREATE"},
                        {"endpoint_id", c.site.collection_of(c.deployment, "publish").id},
                        {"path", path},
                        {"principal_type", "group"},
                        {"principal", group},
                        {"permissions", "r"}});
    }
    return list;
}

void add_compute_steps(const Context& c, const Layout& l, const Run& run, Json& in) {
    Words arguments{"-r", l.raw, "-q", l.qmap, "-o", l.output};
    arguments.insert(arguments.end(), run.options.begin(), run.options.end());
    if (c.deployment.compute.via != "job") {
        Words argv{"xpcs-corr"};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        // A step that is tried again replaces what it left.
        argv.push_back("--overwrite");
        argv.push_back("--device=" + c.device());
        in["correlate"] = Json::array({c.task(argv)});
        return;
    }
    const std::string run_dir = l.staging_dir + "/jobs/" + run.id;
    Words submit{"xpcs-jobgen",
                 "script",
                 "--deployment=" + c.deployment.name,
                 "--submit",
                 "--run-dir=" + run_dir,
                 "--report=off"};
    submit.insert(submit.end(), arguments.begin(), arguments.end());
    submit.push_back("--overwrite");
    in["submit"] = Json::array({c.task(submit)});
    in["ask"] = Json::array({c.task({"xpcs-jobgen", "step", "ask", run_dir})});
    in["cancel"] = Json::array({c.task({"xpcs-jobgen", "cancel", run_dir})});
}

}  // namespace

Json input(const Site& site,
           const Deployment& deployment,
           const Run& run,
           const InputRequest& request) {
    const Context c{site, deployment, request};
    if (request.transfer_back && request.back.empty()) {
        throw Error(ExitCode::usage,
                    "results are to go back and no directory is named; allowed: --back DIR, or "
                    "--skip-transfer-back");
    }
    const Layout l = layout(site,
                            deployment,
                            {run.raw,
                             run.qmap,
                             request.experiment,
                             request.cycle,
                             request.back,
                             request.suffix,
                             request.user});
    const auto groups = groups_of(deployment, request);
    Json in{{"dataset", l.output.substr(l.output.rfind('/') + 1)},
            {"source_transfer", source_transfer(c, l)},
            {"compute", compute(c)}};
    add_compute_steps(c, l, run, in);
    in["verify"] = Json::array({c.task({"xpcs-jobgen", "step", "verify", l.output})});
    in["report"] =
        Json::array({c.task({"xpcs-jobgen", "step", "report", l.output, deployment.report})});
    in["gather"] =
        Json::array({c.task({"xpcs-jobgen", "step", "gather"}, gather_input(c, l, run, groups))});
    in["transfer_back"] = request.transfer_back;
    if (request.transfer_back) {
        in["result_transfer"] = back_transfer(c, l.output_path, l.back_path);
    }
    in["publish"] = {{"enabled", request.publish}, {"permissions", permissions(c, l, groups)}};
    return {{"input", in}};
}

namespace {

std::string parent(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

/// Whether the last component names a raw file rather than a directory of one.
bool is_file_name(const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    static const std::vector<std::string> ends{
        ".h5", ".hdf", ".hdf5", ".imm", ".bin", ".000", ".tpx"};
    return std::any_of(ends.begin(), ends.end(), [&](const auto& e) { return name.ends_with(e); });
}

}  // namespace

Json batch_input(const Site& site,
                 const Deployment& deployment,
                 const std::vector<Run>& runs,
                 const InputRequest& request) {
    const Context c{site, deployment, request};
    const Collection& source = site.collection_of(deployment, "source");
    const Collection& staging = site.collection_of(deployment, "staging");
    if (request.staging_name.empty() || request.staging_name.find('/') != std::string::npos) {
        throw Error(ExitCode::usage,
                    "name of the batch is '" + printable(request.staging_name) +
                        "'; allowed: a name without '/' (--name)");
    }
    const std::string base =
        expand(deployment.staging_dir, deployment, request.user) + "/" + request.staging_name;
    const std::string& qmap = runs.front().qmap;
    const std::string staged_qmap = base + "/" + qmap.substr(qmap.rfind('/') + 1);
    std::vector<std::string> items;
    Json data = Json::array();
    std::string root;
    for (const Run& run : runs) {
        const std::string directory =
            to_collection(source, is_file_name(run.raw) ? parent(run.raw) : run.raw);
        // As in <subdirectory>/<data set>, relative to the parent of the first one's parent.
        root = root.empty() ? parent(parent(directory)) : root;
        const std::string prefix = root == "/" ? "/" : root + "/";
        if (directory.rfind(prefix, 0) != 0) {
            throw Error(ExitCode::usage,
                        "'" + printable(directory) + "' does not lie below '" + printable(root) +
                            "', where the first data set of the batch lies");
        }
        items.push_back(directory.substr(prefix.size()));
        data.push_back(
            {{"source_path", directory},
             {"destination_path", to_collection(staging, base + "/" + items.back() + "/input")},
             {"recursive", true}});
    }
    data.push_back({{"source_path", to_collection(source, qmap)},
                    {"destination_path", to_collection(staging, staged_qmap)},
                    {"recursive", false}});
    Json in{
        {"dataset", request.staging_name},
        {"source_transfer",
         {{"source_endpoint", source.id}, {"destination_endpoint", staging.id}, {"DATA", data}}},
        {"compute", compute(c)}};
    const Json common{{"base", base}, {"qmap", staged_qmap}, {"options", runs.front().options}};
    const std::size_t n_tasks =
        deployment.compute.via == "job"
            ? 1
            : std::min<std::size_t>(std::max(request.tasks, 1), items.size());
    Json tasks = Json::array();
    for (std::size_t t = 0; t < n_tasks; ++t) {
        Json mine = common;
        mine["part"] = t;
        mine["items"] = Json::array();
        for (std::size_t i = t * items.size() / n_tasks; i < (t + 1) * items.size() / n_tasks;
             ++i) {
            mine["items"].push_back(items[i]);
        }
        Words argv{"xpcs-jobgen", "step", "batch"};
        if (deployment.compute.via == "job") {
            argv.push_back("--deployment=" + deployment.name);
            argv.push_back("--submit");
        }
        tasks.push_back(c.task(argv, mine));
    }
    if (deployment.compute.via == "job") {
        const std::string run_dir = base + "/.batch-0.job";
        in["submit"] = tasks;
        in["ask"] = Json::array({c.task({"xpcs-jobgen", "step", "ask", run_dir})});
        in["cancel"] = Json::array({c.task({"xpcs-jobgen", "cancel", run_dir})});
    } else {
        in["correlate"] = tasks;
        in["compute"]["user_endpoint_config"]["max_blocks"] = n_tasks;
    }
    in["summary"] = Json::array(
        {c.task({"xpcs-jobgen", "step", "summary", base, std::to_string(items.size())})});
    in["transfer_back"] = request.transfer_back;
    if (request.transfer_back) {
        in["result_transfer"] = back_transfer(
            c, to_collection(staging, base + "/output"), to_collection(source, request.back));
    }
    return {{"input", in}};
}

Json run_options(const Deployment& deployment,
                 const InputRequest& request,
                 const std::string& label) {
    const auto monitors = urns(groups_of(deployment, request));
    Json tags{"aps", "xpcs"};
    if (!request.experiment.empty()) {
        tags.push_back(request.experiment);
    }
    // The service's predecessor cut labels there; people know the form.
    const std::string cut = label.size() > 64 ? label.substr(0, 62) + ".." : label;
    return {{"label", cut},
            {"tags", tags},
            {"run_monitors", monitors},
            {"run_managers",
             deployment.group.empty() ? Json::array()
                                      : Json::array({"urn:globus:groups:id:" + deployment.group})}};
}

}  // namespace xpcs::jobgen::flow
