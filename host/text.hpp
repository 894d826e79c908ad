// SPDX-License-Identifier: BSD-3-Clause
// Words in messages: quoting and the nearest known word.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace xpcs {

/// The candidate with the smallest edit distance to `word`, "" if none is near enough to be meant.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// " (did you mean 'x'?)" or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

/// One line that shows any value safely: control characters, characters that turn the direction of
/// writing, and bytes that are not UTF-8 appear as \n, \t, \xNN; cut at about `limit` bytes. The
/// result is valid UTF-8.
std::string printable(std::string_view text, std::size_t limit = 400);

}  // namespace xpcs
