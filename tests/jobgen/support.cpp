// SPDX-License-Identifier: BSD-3-Clause
#include "tests/jobgen/support.hpp"

#include "jobgen/job_files.hpp"

#include <unistd.h>

#include <cstdlib>

namespace xpcs::jobgen::testing {

namespace fs = std::filesystem;

TempDir::TempDir() {
    std::string name = (fs::temp_directory_path() / "xpcs-jobgen-XXXXXX").string();
    if (!::mkdtemp(name.data())) {
        throw std::runtime_error("no temporary directory");
    }
    path_ = name;
    // Other users run jobs in it.
    fs::permissions(path_, fs::perms::all);
}

TempDir::~TempDir() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

void write_file(const std::string& path, const std::string& text, bool executable) {
    write_text(path, text, executable);
}

std::string make_programs(const TempDir& dir, bool with_portal) {
    const std::string bin = dir / "bin";
    write_file(bin + "/xpcs-corr",
               R"(#!/bin/bash
set -u
if [ "${1:-}" = inspect ]; then grep -q '^result' "$3"; exit; fi
output=
raw=
name=
printf '%s\0' "$@" >>"${CALLS:-/dev/null}"
while [ $# -gt 0 ]; do
    case $1 in
    -r) raw=$2; shift ;;
    -o) output=$2; shift ;;
    --suffix=*) name=_${1#--suffix=} ;;
    esac
    shift
done
trap 'echo "xpcs-corr: stopped" >&2; exit 75' TERM
read -r word number <"$raw"
case $word in
fail) echo "xpcs-corr: $raw: broken on purpose" >&2; exit "$number" ;;
sleep) sleep "$number" & wait $! ;;
empty) exit 0 ;;
esac
mkdir -p -- "$output"
base=${raw##*/}
{ echo "result of $raw"; echo "gpu ${CUDA_VISIBLE_DEVICES:-none}"; } >"$output/${base%%.*}${name}_results.hdf"
)",
               true);
    if (with_portal) {
        write_file(bin + "/xpcs-portal",
                   R"(#!/bin/bash
[ "$1" = report ] && [ "$3" = -o ] && mkdir -p "$4" && cp -- "$2" "$4/page.html" &&
    echo '{"project_metadata": {"analysis_type": ["Multitau"]}}' >"$4/metadata.json"
)",
                   true);
    }
    return bin;
}

std::string real_program(const std::string& name) {
    const std::string path = std::string(XPCS_BIN_DIR) + "/" + name;
    return fs::exists(path) ? path : "";
}

Outcome bash(const std::vector<std::string>& command,
             const std::vector<std::pair<std::string, std::string>>& variables,
             double timeout_s) {
    RunOptions options;
    options.variables = variables;
    options.timeout_s = timeout_s;
    return run_program(command, options);
}

Site built_in_site() {
    return load_site({});
}

Job sample_job(const Site& site,
               const std::string& deployment,
               const std::vector<std::string>& raws,
               JobOptions options) {
    RunConfig config;
    config.qmap = "/data/2025-1/comm202503/qmap_d36.h5";
    config.output = "/data/2025-1/comm202503/analysis/Multitau";
    config.begin_frame = 10;
    config.raw = raws;
    std::vector<Run> runs;
    for (const auto& raw : raws) {
        runs.push_back(make_run(config, raw, site.deployment(deployment)));
    }
    if (options.account.empty() &&
        site.machine_of(site.deployment(deployment)).scheduler != Scheduler::shell) {
        options.account = "XPCS8";
    }
    Job job = make_job(site, deployment, runs, "", options);
    job.command = {"xpcs-jobgen", "script", "--deployment", deployment};
    job.version = "1.2.3";
    return job;
}

std::string script_faults(const std::string& script) {
    const Outcome syntax = bash({"bash", "-n", script});
    if (syntax.code != 0) {
        return syntax.err;
    }
    if (find_program("shellcheck").empty()) {
        return "";
    }
    const Outcome check = bash({"shellcheck", "-x", script});
    return check.code == 0 ? "" : check.out + check.err;
}

void expect_golden(const std::string& name, const std::string& text) {
    const std::string path = std::string(XPCS_SOURCE_DIR) + "/tests/golden/" + name;
    if (std::getenv("XPCS_UPDATE_GOLDEN")) {
        write_text(path, text);
        return;
    }
    ASSERT_TRUE(fs::exists(path)) << name << " is missing; see tests/golden/regenerate";
    EXPECT_EQ(read_text(path), text) << "differs from tests/golden/" << name
                                     << "; if that is meant, run tests/golden/regenerate";
}

Json json_file(const std::string& path) {
    return parse_json(read_text(path), path);
}

}  // namespace xpcs::jobgen::testing
