// SPDX-License-Identifier: BSD-3-Clause
// A job as the text that a scheduler takes. All four dialects share one body; they differ in their
// directives, in the names of a few variables and in how further nodes are reached.
#pragma once

#include "jobgen/job.hpp"

#include <string>

namespace xpcs::jobgen {

namespace pbs {
std::string script(const Job& job);
}
namespace cobalt {
std::string script(const Job& job);
}
namespace slurm {
std::string script(const Job& job);
}
namespace shell_script {
std::string script(const Job& job);
}

/// The dialect of the job's machine.
std::string script(const Job& job);

/// What differs below the directives.
struct Dialect {
    std::string job_id;       ///< bash expression
    std::string array_index;  ///< bash expression, "" = none
    std::string restarts =
        std::string(1, '0');  ///< bash expression: how often it was started before
    std::string node_file;    ///< bash expression of the file with one host per line
    std::string requeue;      ///< command that queues this job again, "" = none
};

/// Header comment, settings, runs and the program of the job.
std::string body(const Job& job, const Dialect& dialect);

/// The part that is the same in every script: states and signals, the steps of a run, and the job
/// that takes run after run.
std::string program_text();
const char* program_states();
const char* program_steps();

}  // namespace xpcs::jobgen
