// SPDX-License-Identifier: BSD-3-Clause
// No scheduler: the same program, started by hand.
#include "jobgen/schedulers/scheduler.hpp"

namespace xpcs::jobgen {

namespace shell_script {

std::string script(const Job& job) {
    Dialect dialect;
    dialect.job_id = "$$";
    return "#!/bin/bash\n" + body(job, dialect);
}

}  // namespace shell_script

std::string script(const Job& job) {
    switch (job.machine.scheduler) {
    case Scheduler::pbs:
        return pbs::script(job);
    case Scheduler::cobalt:
        return cobalt::script(job);
    case Scheduler::slurm:
        return slurm::script(job);
    case Scheduler::shell:
        break;
    }
    return shell_script::script(job);
}

}  // namespace xpcs::jobgen
