// SPDX-License-Identifier: BSD-3-Clause
// A library that takes two seconds to set itself up; preloaded by tests/cli/early_stop_test.cpp.
#include <chrono>
#include <thread>

[[gnu::constructor]] static void take_time() {
    std::this_thread::sleep_for(std::chrono::seconds(2));
}
