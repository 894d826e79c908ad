// SPDX-License-Identifier: BSD-3-Clause
// The one place where text becomes bash. Whatever a name holds, it stays one word and runs nothing.
#pragma once

#include <string>
#include <vector>

namespace xpcs::jobgen::shell {

/// One bash word: plain if harmless, 'single-quoted', or $'escaped' when it holds control
/// characters, $ or ` (so the result is always one line). Throws Error (usage) on a zero byte.
std::string quote(const std::string& text);

/// Words with blanks between.
std::string quote(const std::vector<std::string>& words);

/// A comment line (with "# "), whatever the text holds.
std::string comment(const std::string& text);

/// Letters, digits and + . _ - only, the rest becomes '_'; begins with a letter (some schedulers
/// refuse a digit there); at most `limit` characters.
std::string safe_name(const std::string& text, std::size_t limit);

/// Nothing in it needs quoting anywhere: letters, digits and / . _ + - =, not beginning with '-'.
bool is_plain_path(const std::string& path);

}  // namespace xpcs::jobgen::shell
