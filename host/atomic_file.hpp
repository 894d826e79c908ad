// SPDX-License-Identifier: BSD-3-Clause
// Small files that appear complete or not at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xpcs {

/// Replaces `path` by `content`: hidden temporary beside it, fsync, rename, fsync of the directory.
/// A symbolic link is followed. Throws Error: cannot_create (directory missing, not writable, or
/// `path` exists and is no regular file), io (disk full).
void write_file_atomically(const std::string& path, std::string_view content);

/// Throws Error (cannot_create) if write_file_atomically(path) could not begin; leaves nothing.
void check_can_write(const std::string& path);

/// Throws Error (usage) if `path` is one of the files that are read: it would be lost.
void require_no_input(const std::string& path, const std::vector<std::string>& inputs);

}  // namespace xpcs
