// SPDX-License-Identifier: BSD-3-Clause
// For the file with main() of a program: signals are heard before the libraries of the program set
// themselves up, which takes ten times as long as loading them. What ends a program before that is
// the loader's time alone; job scripts take a death by SIGTERM for what it is (stopped, 75).
//
// Sanitizers set up their own things at this point, so builds with them hear signals from main()
// on.
#pragma once

#include "host/stop.hpp"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace xpcs {
[[gnu::section(".preinit_array"), gnu::used]] static void (*listen_early)(int, char**, char**) =
    [](int, char**, char**) { install_stop_handlers(); };
}  // namespace xpcs
#endif
