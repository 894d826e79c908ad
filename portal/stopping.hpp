// SPDX-License-Identifier: BSD-3-Clause
// Signals and the commands of the portal. Each writes under hidden names first, or in one
// transaction, and heeds signals until it gives the final ones; from there on it ends by itself.
#pragma once

#include <string>

namespace xpcs::portal {

/// Throws Error (interrupted) if a signal has asked to stop.
void heed_signals();

enum class Input { line, all };

/// A line without its end, or all of a file that is open for reading. A signal ends the wait for
/// more: Error (interrupted). Throws Error (io) for what cannot be read.
std::string read_input(int file, Input what);

}  // namespace xpcs::portal
