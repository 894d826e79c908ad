// SPDX-License-Identifier: BSD-3-Clause
#include "host/cmd_average.hpp"
#include "host/cmd_convert.hpp"
#include "host/cmd_export.hpp"
#include "host/cmd_fit.hpp"
#include "host/cmd_inspect.hpp"
#include "host/commands.hpp"
#include "host/early_stop.hpp"
#include "host/umask.hpp"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

int main(int argc, char** argv) {
    using namespace xpcs;
    install_stop_handlers();
#ifdef __GLIBC__
    // What a pass over the file gives back goes to the system. By itself glibc would keep it once
    // such large blocks have come and gone, in the arena of one thread, while another thread
    // takes as much for the next pass.
    ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
    // Smaller blocks come and go all the time; the pages they had are not fetched anew each time.
    ::mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
    others_write_nothing();
    // Kernels are loaded when the device is opened, beside the reading, not one by one when they
    // are first used. No thread runs yet.
    ::setenv("CUDA_MODULE_LOADING", "EAGER", 0);
    const std::vector<Command> commands = {
        {"correlate", "from a raw file and a q-map to a result file", cmd_correlate},
        {"inspect", "say what files are and hold; --require-result for job scripts", cmd_inspect},
        {"fit", "relaxation time and contrast of every bin of a result", cmd_fit},
        {"average", "mean of repeats without outliers, as a result", cmd_average},
        {"export", "a result as CSV, /exchange or NXxpcs; /exchange results as ours", cmd_export},
        {"convert", "a raw file as another format, checked event by event", cmd_convert},
        {"simulate", "write a raw file of known dynamics", cmd_simulate},
        {"benchmark", "measure this program on this machine, results checked first", cmd_benchmark},
        {"make-qmap", "write a q-map from geometry, mask and bins", cmd_make_qmap},
    };
    return guarded(
        [&] { return dispatch(commands, CommandArgs(argv + (argc > 0 ? 1 : 0), argv + argc)); });
}
