// SPDX-License-Identifier: BSD-3-Clause
// The one function that our flows register with Globus Compute: it runs a program with arguments
// that are never seen by a shell, and turns a failure into an exception with the program's words.
#include "jobgen/flow/flow.hpp"

namespace xpcs::jobgen::flow {

namespace {

const char* const function_name = "xpcs_run";

}  // namespace

std::string function_source() {
    return R"py(def xpcs_run(argv, stdin=None, check=True):
    """Run a program; its last line of output, if it is JSON, is the result."""
    import json
    import subprocess

    text = None if stdin is None else json.dumps(stdin)
    done = subprocess.run(argv, input=text, capture_output=True, text=True, errors="replace")
    if check and done.returncode != 0:
        words = done.stderr.strip()[-2000:]
        raise RuntimeError("%s: exit code %d: %s" % (argv[0], done.returncode, words))
    result = {}
    lines = done.stdout.strip().splitlines()
    if lines:
        try:
            value = json.loads(lines[-1])
            result = value if isinstance(value, dict) else {"value": value}
        except ValueError:
            result = {"last_line": lines[-1][-500:]}
    result["exit_code"] = done.returncode
    return result
)py";
}

Json function_registration() {
    // Source text, as the service hands it to any version of Python: "st", name, ':' and source,
    // preceded by the length of all that.
    const std::string code = std::string("st\n") + function_name + ":" + function_source();
    return {{"function_name", function_name},
            {"function_code", std::to_string(code.size()) + "\n" + code},
            {"description", "Runs a program of xpcs; see xpcs-jobgen flow function"},
            {"public", false}};
}

}  // namespace xpcs::jobgen::flow
