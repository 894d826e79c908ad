// SPDX-License-Identifier: BSD-3-Clause
// Signals. The first SIGTERM, SIGINT, SIGHUP or SIGXCPU asks the run to stop, which it does between
// two pieces of work, leaving nothing behind (exit 75). A second one, at least a second later,
// ends the program at once, also with 75; schedulers send the same signal twice in a row.
// SIGPIPE and SIGXFSZ are ignored: the write that fails says so where it is understood.
#pragma once

namespace xpcs {

/// Call once, in main(). A signal that is ignored already (nohup, background jobs) stays ignored,
/// SIGTERM excepted.
void install_stop_handlers();

/// Whether a signal has asked to stop. Cheap: one relaxed load.
bool stop_requested() noexcept;

/// Throws Error (interrupted) with the name of the signal if one has come, and `consequence`.
void throw_if_stopped(
    const char* consequence = "no result was written, the run can be started again");

/// Asks to stop as the signal would; 0 takes the wish back. For tests.
void request_stop(int signal) noexcept;

}  // namespace xpcs
