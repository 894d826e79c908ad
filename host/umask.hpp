// SPDX-License-Identifier: BSD-3-Clause
// Programs of shared accounts: whatever the umask is, others never write what they make.
#pragma once

#include <sys/stat.h>

namespace xpcs {

/// For the beginning of main(); no thread runs yet.
inline void others_write_nothing() {
    const mode_t before = ::umask(077);
    ::umask(before | 002);
}

}  // namespace xpcs
